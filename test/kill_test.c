/*
** kill -9, two thousand times, fewer under AddressSanitizer. Five processes work at a queue and a
** lock without end: a producer, a consumer, a holder of the lock, and one that waits for the lock
** and one for an item that never comes. Again and again one of them is killed at a random moment,
** cleaned up after and replaced, while the others go on. Then:
**   - nothing hangs: the survivors make progress until the end, or an alarm ends the case;
**   - every item that a put accepted comes out whole, once and in the order of its producer, but
**     for what a consumer had taken when it died;
**   - who gets the lock after a dead holder learns it, and nobody else does;
**   - the arena is whole whenever one looks.
** Enough kills must land inside a section, or the test has tested nothing: the survivors count the
** locks that they take over and the journals that they roll back.
**
**   kill_test [SEED]
*/
#include <sys/mman.h>

#include "world.h"

#if defined(__SANITIZE_ADDRESS__)
#define KILLS 400
#else
#define KILLS 2000
#endif
#define CHECK_EVERY 100
#define LEAST_RECOVERIES 15 /* per cent of the kills */
#define LEAST_INSIDE 30 /* per cent of the kills */
#define MAXSIZE 16384 /* long, so that neither end waits for the other all the time */
#define LONGEST_WAIT_US 1000

enum role { PRODUCER, CONSUMER, HOLDER, WAITER, IDLER, ROLES };

/* Memory outside the arena in which the workers say what they have done. Each word has one
   writer at a time, and what a process has stored stays when it dies. */
struct ledger {
  mpl_a64 stop;
  mpl_a64 beat[ROLES];
  mpl_a64 accepted[KILLS + 100]; /* by producer; each incarnation is one */
  mpl_a64 next[KILLS + 100];     /* number of its item that is expected */
  mpl_a64 recorded, gaps;
  mpl_a64 entered, left;         /* how often holders began and ended their work */
  mpl_a64 abandoned;
};

static struct ledger *ledger;
static uint64_t queue_id, side_id, idle_id, lock_id;
static struct mpl_child *worker[ROLES];
static uint64_t first_beat[ROLES]; /* of the present incarnation */
static uint64_t producers, deaths[ROLES], lost, rng;
static uint64_t points; /* 0: workers are killed; else each dies by itself at one of so many */
static unsigned long long seed;

static uint64_t look(const mpl_a64 *word) {
  return mpl_load64_acq(word);
}

static void add(mpl_a64 *word, uint64_t n) {
  mpl_store64_rel(word, mpl_load64_rlx(word) + n);
}

static uint64_t random_below(uint64_t n) {
  rng ^= rng << 13, rng ^= rng >> 7, rng ^= rng << 17;
  return rng % n;
}

/*
** Items: producer, number, bytes that are all the producer's, and the number again; one of 64 is a
** message with a reference to the lock. To make and to check one is quick, so that producer and
** consumer spend most of their time inside the queue.
*/

#define FILL 1904

struct item {
  uint64_t producer, number;
  unsigned char fill[FILL]; /* less in some, in front of the last number */
  uint64_t again;
};

static size_t fill_size(uint64_t number) {
  return number % 7 == 0 ? (size_t)(number % 16) : FILL;
}

static bool is_whole(const unsigned char *bytes, size_t size) {
  uint64_t producer, number, again;
  CHECK(size >= 3 * sizeof producer);
  memcpy(&producer, bytes, sizeof producer);
  memcpy(&number, bytes + sizeof producer, sizeof number);
  memcpy(&again, bytes + size - sizeof again, sizeof again);
  const unsigned char *fill = bytes + offsetof(struct item, fill);
  size_t n = fill_size(number);
  return size == 3 * sizeof number + n && number == again &&
         (n == 0 || (fill[0] == (producer & 255) && memcmp(fill, fill + 1, n - 1) == 0));
}

static void record(const unsigned char *bytes, size_t size) {
  struct item item;
  CHECK(is_whole(bytes, size));
  memcpy(&item, bytes, offsetof(struct item, fill));
  uint64_t expected = look(&ledger->next[item.producer]);
  CHECK(item.number >= expected);
  if (item.number > expected) add(&ledger->gaps, item.number - expected);
  mpl_store64_rel(&ledger->next[item.producer], item.number + 1);
  add(&ledger->recorded, 1);
}

/*
** The workers
*/

static void arm_point(void) {
  if (points > 0) mpl_point_arm(1 + random_below(points));
}

static mpl_off letter(const struct mpl_piece piece[3]) {
  mpl_off message;
  CHECK(mpl_message_new(piece[0].size + piece[1].size + piece[2].size, 1, &message) == MPL_OK);
  unsigned char *to = mpl_message_data(message);
  for (int i = 0; i < 3; i++) {
    memcpy(to, piece[i].data, piece[i].size);
    to += piece[i].size;
  }
  mpl_message_add_ref(message, lock_id);
  return message;
}

static void produce(void *arg) {
  struct { uint64_t producer, number; } head[MPL_QUEUE_BATCH];
  struct mpl_piece piece[MPL_QUEUE_BATCH][3];
  struct mpl_queue_item put[MPL_QUEUE_BATCH];
  unsigned char fill[FILL];
  uint64_t me = *(uint64_t *)arg;
  memset(fill, (int)(me & 255), sizeof fill);
  arm_point();
  for (uint64_t number = 0; look(&ledger->stop) == 0;) {
    for (int i = 0; i < MPL_QUEUE_BATCH; i++) {
      head[i].producer = me;
      head[i].number = number++;
      piece[i][0] = (struct mpl_piece){&head[i], sizeof head[i]};
      piece[i][1] = (struct mpl_piece){fill, fill_size(head[i].number)};
      piece[i][2] = (struct mpl_piece){&head[i].number, sizeof head[i].number};
      size_t size = sizeof head[i] + piece[i][1].size + sizeof head[i].number;
      put[i] = (struct mpl_queue_item){.pieces = piece[i], .npieces = 3, .size = size};
      if (head[i].number % 64 == 0) put[i] = (struct mpl_queue_item){.message = letter(piece[i])};
    }
    int done;
    CHECK(world_put_items(world_queue(queue_id), put, MPL_QUEUE_BATCH, &done, MPL_NEVER) == MPL_OK);
    mpl_store64_rel(&ledger->accepted[me], number);
    add(&ledger->beat[PRODUCER], 1);
  }
}

static void record_batch(struct world_batch *got) {
  for (int i = 0; i < got->batch.n; i++) {
    struct mpl_queue_got *item = &got->batch.item[i];
    if (item->message == 0) {
      record(got->bytes + item->at, item->size);
    } else {
      CHECK(mpl_message_at(item->message)->ref[0] == lock_id);
      record(mpl_message_data(item->message), mpl_message_at(item->message)->size);
      mpl_message_drop(mpl_self, item->message);
    }
  }
}

static void consume(void *arg) {
  static struct world_batch got;
  struct mpl_queue *q = world_queue(queue_id);
  (void)arg;
  arm_point();
  while (look(&ledger->stop) == 0) {
    if (world_get(q, MPL_QUEUE_BATCH, &got, mpl_os_now() + 10 * WORLD_MS) == MPL_TIMEOUT) continue;
    record_batch(&got);
    add(&ledger->beat[CONSUMER], 1);
  }
}

/* What a holder does: objects that come and go, and items that only holders put and get. */
static void work(void) {
  static struct world_batch got;
  static unsigned char bytes[MPL_QUEUE_INLINE];
  struct mpl_queue *q = world_queue(side_id);
  struct mpl_piece piece = {bytes, sizeof bytes};
  struct mpl_queue_item put[MPL_QUEUE_BATCH];
  uint64_t id;
  int done;
  CHECK(mpl_event_new(&id) == MPL_OK);
  mpl_reflist_release(id);
  for (int i = 0; i < MPL_QUEUE_BATCH; i++)
    put[i] = (struct mpl_queue_item){.pieces = &piece, .npieces = 1, .size = sizeof bytes};
  CHECK(world_put_items(q, put, MPL_QUEUE_BATCH, &done, 0) == MPL_OK);
  while (world_get(q, MPL_QUEUE_BATCH, &got, 0) == MPL_OK) {}
}

/* Under the lock two counters are equal; a holder that dies between them leaves them unequal,
   and the next one knows that it comes after a dead one. */
static void hold_once(struct mpl_lock *lock) {
  enum mpl_status s = world_acquire(lock, MPL_NEVER);
  CHECK(s == MPL_OK || s == MPL_RECOVERED);
  if (s == MPL_RECOVERED) {
    add(&ledger->abandoned, 1);
    mpl_store64_rel(&ledger->entered, look(&ledger->left));
  }
  CHECK(look(&ledger->entered) == look(&ledger->left));
  add(&ledger->entered, 1);
  work();
  add(&ledger->left, 1);
  CHECK(look(&ledger->entered) == look(&ledger->left));
  CHECK(mpl_lock_release(lock) == MPL_OK);
}

/* Two do this; one of them waits, mostly. */
static void hold(void *arg) {
  const enum role *role = arg;
  arm_point();
  while (look(&ledger->stop) == 0) {
    hold_once(world_lock(lock_id));
    add(&ledger->beat[*role], 1);
  }
}


static void idle(void *arg) {
  static struct world_batch got;
  (void)arg;
  arm_point();
  while (look(&ledger->stop) == 0)
    CHECK(world_get(world_queue(idle_id), 1, &got, mpl_os_now() + WORLD_MS) == MPL_TIMEOUT);
}

/*
** The one who kills
*/

static void start(enum role role) {
  static void (*const body[])(void *) = {produce, consume, hold, hold, idle};
  uint64_t me = producers;
  if (role == PRODUCER) CHECK(++producers < KILLS + 100);
  first_beat[role] = look(&ledger->beat[role]);
  random_below(2); /* the child goes on with other numbers than the last one */
  worker[role] = world_start(body[role], role == PRODUCER ? (void *)&me : (void *)&role);
}

/* What the consumer took with it. Everything that is gone from the queue has been recorded, or is
   lost with a consumer, which takes one batch at a time. */
static void count_lost(void) {
  uint64_t gone = mpl_load64_acq(&world_queue(queue_id)->got);
  CHECK(gone >= look(&ledger->recorded));
  uint64_t now_lost = gone - look(&ledger->recorded);
  CHECK(now_lost >= lost && now_lost - lost <= MPL_QUEUE_BATCH);
  lost = now_lost;
}

/* Whoever holds one of the locks of the arena and is dead is noticed now, and not by chance later.
   True if the last death was inside a section. */
static bool died_inside(uint64_t before) {
  struct mpl_super *super = mpl_super();
  struct mpl_queue *q = world_queue(queue_id), *side = world_queue(side_id);
  struct mpl_robust *locks[] = {&q->put_lock,           &q->get_lock,
                                &side->put_lock,        &side->get_lock,
                                &super->objects.lock,   &super->objects.grave_lock,
                                &super->heap.lock,      &super->slots.lock};
  for (size_t i = 0; i < sizeof locks / sizeof *locks; i++) {
    enum mpl_status s = mpl_robust_trylock(locks[i]); /* MPL_BLOCK: somebody alive has it */
    CHECK(s == MPL_OK || s == MPL_RECOVERED || s == MPL_BLOCK);
    if (s != MPL_BLOCK) mpl_robust_unlock(locks[i]);
  }
  return mpl_load64_rlx(&super->taken_over) + mpl_load64_rlx(&super->rolled_back) > before;
}

static void sleep_ns(int64_t ns) {
  struct timespec t = {0, (long)ns};
  nanosleep(&t, NULL);
}

static void count_death(enum role role) {
  deaths[role]++;
  if (role == CONSUMER) count_lost();
}

static void until_beat(enum role role, uint64_t seen) {
  int64_t end = world_deadline();
  while (look(&ledger->beat[role]) == seen) {
    CHECK(mpl_os_now() < end);
    sched_yield();
  }
}

/* Kills one of the workers, some time after it was started or, more often, has first done
   something: starting takes long on a busy machine. True if it died in a section. */
static bool kill_one(enum role role) {
  struct mpl_super *super = mpl_super();
  uint64_t before = mpl_load64_rlx(&super->taken_over) + mpl_load64_rlx(&super->rolled_back);
  if (role != WAITER && role != IDLER && random_below(8) != 0) until_beat(role, first_beat[role]);
  sleep_ns((int64_t)random_below(LONGEST_WAIT_US * 1000));
  CHECK(kill(worker[role]->pid, SIGKILL) == 0);
  CHECK(world_join(worker[role]) == -SIGKILL);
  count_death(role);
  return died_inside(before);
}

/* Waits until some worker has died at its point, and returns which. */
static enum role await_death(void) {
  int64_t end = world_deadline();
  for (int i = 0; !mpl_child_ended(worker[i]); i = (i + 1) % ROLES) {
    CHECK(mpl_os_now() < end);
    sched_yield();
    if (i != ROLES - 1) continue;
    sleep_ns(50000);
  }
  for (int i = 0;; i++) {
    if (!worker[i]->ended) continue;
    CHECK(world_join(worker[i]) == -SIGKILL);
    count_death((enum role)i);
    return (enum role)i;
  }
}

/* Waits until each of those who work has done something since. */
static void expect_progress(void) {
  uint64_t seen[ROLES];
  for (int i = 0; i < IDLER; i++) seen[i] = look(&ledger->beat[i]);
  for (int i = 0; i < IDLER; i++) until_beat((enum role)i, seen[i]);
}

/* Lets a worker end. The consumer is the first, for the caller then takes its place, until a
   producer that waits for room has ended. */
static void stop_one(enum role role) {
  static struct world_batch got;
  int64_t end = world_deadline();
  do {
    CHECK(mpl_os_now() < end);
    if (role != CONSUMER && world_get(world_queue(queue_id), MPL_QUEUE_BATCH, &got, 0) == MPL_OK)
      record_batch(&got);
  } while (mpl_child_join(worker[role], mpl_os_now() + WORLD_MS, 0) != MPL_OK);
  int code = world_join(worker[role]);
  CHECK(code == 0 || (points > 0 && code == -SIGKILL));
  if (code != 0) count_death(role);
}

/* Lets all end, and looks at everything. */
static void stop_and_check(struct world_sum before) {
  static struct world_batch got;
  mpl_store64_rel(&ledger->stop, 1);
  stop_one(CONSUMER);
  for (int i = 0; i < ROLES; i++)
    if (i != CONSUMER) stop_one((enum role)i);
  while (world_get(world_queue(queue_id), MPL_QUEUE_BATCH, &got, 0) == MPL_OK) record_batch(&got);
  mpl_object_bury();
  WORLD_WHOLE();
  struct mpl_queue *q = world_queue(queue_id);
  uint64_t put = mpl_load64_rlx(&q->put), accepted = 0;
  for (uint64_t i = 0; i < producers; i++) accepted += look(&ledger->accepted[i]);
  CHECK(put == mpl_load64_rlx(&q->got) && put == look(&ledger->recorded) + lost);
  CHECK(put >= accepted && put - accepted <= deaths[PRODUCER] * MPL_QUEUE_BATCH);
  CHECK(look(&ledger->gaps) <= lost && lost <= deaths[CONSUMER] * MPL_QUEUE_BATCH);
  /* A queue keeps one segment, of a size that depends on what it has seen. */
  before.used = world_sum().used;
  WORLD_SAME(before);
  mpl_store64_rel(&ledger->stop, 0);
}

static void report(unsigned kills, unsigned inside) {
  struct mpl_super *super = mpl_super();
  uint64_t taken_over = mpl_load64_rlx(&super->taken_over);
  printf("seed %llu: %lu producers, %lu consumers, %lu holders, %lu waiters died\n", seed,
         (unsigned long)deaths[PRODUCER], (unsigned long)deaths[CONSUMER],
         (unsigned long)deaths[HOLDER], (unsigned long)(deaths[WAITER] + deaths[IDLER]));
  printf("  %lu locks taken over, %lu sections rolled back; %lu items, %lu taken by dead "
         "consumers; %lu locks abandoned\n",
         (unsigned long)taken_over, (unsigned long)mpl_load64_rlx(&super->rolled_back),
         (unsigned long)look(&ledger->recorded), (unsigned long)lost,
         (unsigned long)look(&ledger->abandoned));
  if (points == 0) printf("  %u %% of %u kills inside a section\n", 100 * inside / kills, kills);
  fflush(stdout);
  CHECK(taken_over * 100 >= (uint64_t)LEAST_RECOVERIES * kills);
  CHECK(points > 0 || inside * 100 >= kills * LEAST_INSIDE);
}

/* Those who wait are outside of any section: fewer of them. If the share of deaths inside sinks,
   where processes get little of their CPUs, the producer's turn comes more often: it is inside
   most. */
static enum role choose(unsigned kills, unsigned inside) {
  static const enum role victims[] = {PRODUCER, PRODUCER, PRODUCER, PRODUCER, CONSUMER, CONSUMER,
                                      CONSUMER, HOLDER,   HOLDER,   HOLDER,   WAITER,   IDLER};
  if (inside * 100 < kills * (LEAST_INSIDE + 5)) return PRODUCER;
  return victims[random_below(sizeof victims / sizeof *victims)];
}

static void storm(unsigned kills) {
  rng = (seed + points) | 1;
  ledger = mmap(NULL, sizeof *ledger, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(ledger != MAP_FAILED);
  world_make();
  CHECK(mpl_queue_new(MAXSIZE, &queue_id) == MPL_OK && mpl_queue_new(0, &side_id) == MPL_OK);
  CHECK(mpl_queue_new(0, &idle_id) == MPL_OK && mpl_lock_new(&lock_id) == MPL_OK);
  struct world_sum before = world_sum();
  unsigned inside = 0;
  for (int i = 0; i < ROLES; i++) start((enum role)i);
  for (unsigned k = 1; k <= kills; k++) {
    unit_goes_on(); /* on a busy machine all of them take long */
    enum role role = choose(k, inside);
    if (points == 0)
      inside += kill_one(role);
    else
      role = await_death();
    start(role);
    if (k % CHECK_EVERY != 0) continue;
    if (points == 0) expect_progress();
    stop_and_check(before);
    for (int i = 0; i < ROLES && k < kills; i++) start((enum role)i);
  }
  report(kills, inside);
}

static void kill_at_random_moments(void) {
  storm(KILLS);
}

static void kill_without_waitv(void) {
  storm(KILLS / 8);
}

/* In this mode nobody kills: each dies by itself, at a point chosen at random. */
static void die_at_random_points(void) {
  points = 3000;
  storm(KILLS / 4);
}

int main(int argc, char **argv) {
  seed = argc > 1 ? strtoull(argv[1], NULL, 10) : (unsigned long long)mpl_os_now();
  unit_run("kills at random moments", kill_at_random_moments);
  unit_run("deaths at random points", die_at_random_points);
  setenv("MPL_NO_WAITV", "1", 1);
  unit_run("kills without futex_waitv", kill_without_waitv);
  return unit_end(argv[0]);
}
