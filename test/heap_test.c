/*
** The heap against a model: random blocks, whose places and contents the test knows; memory that
** runs out; memory that is given back.
*/
#include <sys/resource.h>
#include <sys/stat.h>

#include "world.h"

#define MIB ((uint64_t)1 << 20)

static uint64_t rng = 88172645463325252u;

static uint64_t random_below(uint64_t n) {
  rng ^= rng << 13, rng ^= rng >> 7, rng ^= rng << 17;
  return rng % n;
}

/* A hand is small, so the test owns its blocks itself; the checker is told by heap_is_whole. */
static enum mpl_status take(uint64_t size, mpl_off *out) {
  enum mpl_status s = mpl_heap_alloc(size, out);
  if (s != MPL_OK) return s;
  mpl_hand_take(mpl_self, *out);
  mpl_tx_commit();
  return MPL_OK;
}

static void give(mpl_off block) {
  mpl_hand_put(mpl_self, block, MPL_HAND_BLOCK);
  mpl_tx_commit();
  mpl_heap_free(mpl_self, block);
}

/*
** The model
*/

#define LIVE 600

struct live {
  mpl_off at;
  uint64_t size;
  unsigned char stamp;
};

static struct live live[LIVE];
static int nlive;

static bool count_block(void *arg, mpl_off block) {
  (void)block;
  ++*(int *)arg;
  return true;
}

static void heap_is_whole(void) {
  int blocks = 0;
  const char *fault = "";
  if (!mpl_heap_check(count_block, &blocks, &fault)) fprintf(stderr, "%s\n", fault);
  CHECK(*fault == '\0' && blocks == nlive);
}

/* Every byte of a small block, and one of each page of a large one. */
static uint64_t step_of(const struct live *l) {
  return l->size <= 65536 ? 1 : 4096;
}

static void fill(const struct live *l) {
  unsigned char *p = mpl_arena_at(l->at, l->size);
  for (uint64_t i = 0; i < l->size; i += step_of(l)) p[i] = l->stamp;
  p[l->size - 1] = l->stamp;
}

static void verify(const struct live *l) {
  const unsigned char *p = mpl_arena_at(l->at, l->size);
  for (uint64_t i = 0; i < l->size; i += step_of(l)) CHECK(p[i] == l->stamp);
  CHECK(p[l->size - 1] == l->stamp);
}

static void expect_room(const struct live *l) {
  CHECK(l->at % MPL_HEAP_ALIGN == 0);
  CHECK(mpl_heap_size_of(l->at) >= l->size);
  for (int i = 0; i < nlive; i++)
    CHECK(l->at + l->size <= live[i].at || live[i].at + live[i].size <= l->at);
}

/* Sizes of all magnitudes alike, up to 8 MiB. */
static uint64_t random_size(void) {
  return 1 + random_below((uint64_t)2 << random_below(23));
}

static void add_one(void) {
  struct live l = {.size = random_size(), .stamp = (unsigned char)random_below(256)};
  CHECK(take(l.size, &l.at) == MPL_OK);
  expect_room(&l);
  fill(&l);
  live[nlive++] = l;
}

static void remove_one(void) {
  int i = (int)random_below((uint64_t)nlive);
  verify(&live[i]);
  give(live[i].at);
  live[i] = live[--nlive];
}

static void random_blocks(void) {
  world_make();
  struct world_sum before = world_sum();
  for (int round = 0; round < 4; round++) {
    for (int i = 0; i < 1500; i++) {
      /* More of them in one half of a round, fewer in the other. */
      bool more = random_below(10) < (i < 750 ? 7 : 3);
      if (nlive == 0 || (more && nlive < LIVE / 2))
        add_one();
      else
        remove_one();
      if (i % 50 == 0) heap_is_whole();
    }
    while (nlive > 0) remove_one();
    WORLD_WHOLE();
    WORLD_SAME(before);
  }
}

/*
** Freed neighbours become one block
*/

static void coalescing(void) {
  static const int order[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
  world_make();
  for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
    mpl_off piece[3], end, all;
    CHECK(take(20000, &all) == MPL_OK && take(100, &end) == MPL_OK);
    give(all); /* a hole of known size, and the smallest that the pieces fit into */
    for (int k = 0; k < 3; k++) CHECK(take(6000, &piece[k]) == MPL_OK);
    CHECK(piece[0] == all && piece[1] > piece[0] && piece[2] > piece[1] && piece[2] < end);
    for (int k = 0; k < 3; k++) give(piece[order[i][k]]);
    mpl_off again;
    CHECK(take(16000, &again) == MPL_OK && again == all);
    give(again);
    give(end);
    WORLD_WHOLE();
  }
}

/*
** Out of memory
*/

/* Fills what there is with blocks of this size; returns how many there were. */
static int exhaust(uint64_t size) {
  nlive = 0;
  while (nlive < LIVE) {
    struct world_sum before = world_sum();
    struct live l = {.size = size, .stamp = (unsigned char)nlive};
    enum mpl_status s = take(size, &l.at);
    if (s == MPL_OK) {
      expect_room(&l);
      fill(&l);
      live[nlive++] = l;
      continue;
    }
    CHECK(s == MPL_NOMEM);
    WORLD_SAME(before);
    heap_is_whole();
    return nlive;
  }
  FAIL("memory that does not end");
}

static void release_all(void) {
  while (nlive > 0) remove_one();
  WORLD_WHOLE();
}

static void out_of_memory(void) {
  setenv("MPL_SHM_SIZE", "1M", 1);
  world_make();
  struct world_sum before = world_sum();
  int n = exhaust(10000);
  CHECK(n > 20 && n < 105);
  release_all();
  CHECK(exhaust(10000) == n);
  release_all();
  mpl_off block;
  CHECK(take(2 * MIB, &block) == MPL_NOMEM && take(UINT64_MAX - 100, &block) == MPL_NOMEM);
  uint64_t id;
  CHECK(exhaust(2000) > n);
  CHECK(mpl_queue_new(0, &id) == MPL_NOMEM);
  release_all();
  WORLD_SAME(before);
  CHECK(mpl_queue_new(0, &id) == MPL_OK);
  WORLD_WHOLE();
}

/* The cap is far away, but the system has no memory: to the memfd a limit on the size of files
   is the same as none left. */
static void system_refuses(void) {
  struct rlimit limit = {3 * MIB, 3 * MIB};
  signal(SIGXFSZ, SIG_IGN);
  world_make();
  CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
  int n = exhaust(100000);
  CHECK(n > 2 && n < 32);
  release_all();
  CHECK(exhaust(100000) == n);
  release_all();
}

/*
** Memory that is given back
*/

static uint64_t resident(void) {
  struct stat st;
  CHECK(fstat(mpl_arena.fd, &st) == 0);
  return (uint64_t)st.st_blocks * 512;
}

/* Of this little, 64 MiB of free memory may lie idle. */
static void make_small_world(void) {
  setenv("MPL_SHM_SIZE", "2G", 1);
  world_make();
}

static void large_blocks(void) {
  make_small_world();
  for (int round = 0; round < 3; round++) {
    for (nlive = 0; nlive < 5; nlive++) {
      struct live l = {.size = 32 * MIB, .stamp = (unsigned char)(nlive + round)};
      CHECK(take(l.size, &l.at) == MPL_OK);
      live[nlive] = l;
      fill(&live[nlive]);
    }
    CHECK(resident() >= 160 * MIB);
    release_all();
    CHECK(resident() < 110 * MIB);
  }
  struct mpl_heap_info info;
  mpl_heap_info(&info);
  CHECK(info.populated >= 160 * MIB);
}

/* A free block of which one half has memory and the other has not: who gets the other half gets
   memory with it. */
static void half_resident(void) {
  mpl_off idle, middle, left, right, end, again;
  make_small_world();
  CHECK(take(200 * MIB, &again) == MPL_OK);
  give(again); /* all that follows comes out of this one, from its start */
  CHECK(take(60 * MIB, &idle) == MPL_OK && take(MIB, &middle) == MPL_OK && idle < middle);
  CHECK(take(20 * MIB, &left) == MPL_OK && middle < left);
  CHECK(take(20 * MIB, &right) == MPL_OK && take(MIB, &end) == MPL_OK);
  CHECK(left < right && right < end);
  give(idle);
  give(right); /* too much lies idle now: this one has no memory any more */
  CHECK(take(50 * MIB, &again) == MPL_OK && again == idle);
  give(left);
  CHECK(take(20 * MIB, &again) == MPL_OK && again == left);
  uint64_t before = resident();
  CHECK(take(15 * MIB, &again) == MPL_OK && again == right);
  CHECK(resident() >= before + 14 * MIB);
}

int main(int argc, char **argv) {
  (void)argc;
  unit_run("random blocks", random_blocks);
  unit_run("coalescing", coalescing);
  unit_run("out of memory", out_of_memory);
  unit_run("the system refuses", system_refuses);
  unit_run("large blocks", large_blocks);
  unit_run("half resident", half_resident);
  return unit_end(argv[0]);
}
