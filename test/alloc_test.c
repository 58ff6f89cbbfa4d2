/*
** Out of memory in the layers below Lua. Each operation is swept in two ways: its n-th allocation
** fails, and the arena is full but for a few blocks. It must fail with nothing changed and nothing
** lost, and then succeed once there is memory again.
**
** To add an operation: write what is needed of setup, operate and finish, and a line in the table.
*/
#include <fcntl.h>

#include "alloc.h"
#include "world.h"

struct alloc_op {
  const char *name;
  void (*setup)(void);              /* may be NULL */
  enum mpl_status (*operate)(void); /* MPL_OK; MPL_NOMEM, MPL_NOPRIVATE and nothing is changed */
  void (*finish)(void);             /* after it has succeeded: releases all it and setup made */
  bool grows;   /* tables stay larger when it fails, and in the end: used bytes are not compared */
  bool cold;    /* the program has no object yet, and no private table of them */
  bool partial; /* does a part of its work when it fails */
  bool falls_back; /* may succeed without the memory */
  bool no_starving; /* has no place in a tiny arena, or needs no memory of it */
};

static uint64_t hand(void) {
  return mpl_load64_rlx(&mpl_self->hand_count);
}

static void expect_scene(const struct alloc_op *op, struct world_sum scene, uint64_t in_hand) {
  WORLD_WHOLE();
  CHECK(hand() == in_hand && mpl_child_first() == NULL);
  if (op->partial) return;
  if (op->grows) scene.used = world_sum().used;
  WORLD_SAME(scene);
}

static long blocks_before;

/* Sets the scene in a new arena, in which `furnish` makes something first; returns what there was
   before. */
static struct world_sum enter(const struct alloc_op *op, void (*furnish)(void)) {
  world_make();
  if (!op->cold) furnish();
  blocks_before = alloc_blocks;
  struct world_sum before = world_sum();
  if (op->setup != NULL) op->setup();
  return before;
}

static void leave(const struct alloc_op *op, struct world_sum before) {
  op->finish();
  mpl_object_bury();
  WORLD_WHOLE();
  CHECK(hand() == 0 && alloc_blocks == blocks_before + op->cold);
  if (op->grows) before.used = world_sum().used;
  WORLD_SAME(before);
}

static int run_forked(const struct alloc_op *op, int (*trial)(const void *op, struct alloc_fault),
                      struct alloc_fault fault) {
  int status;
  fflush(NULL);
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) _exit(trial(op, fault));
  while (waitpid(pid, &status, 0) < 0) CHECK(errno == EINTR);
  if (!WIFEXITED(status) || WEXITSTATUS(status) == 1) {
    fprintf(stderr, "%s: status %#x\n", op->name, (unsigned)status);
    _exit(1);
  }
  return WEXITSTATUS(status);
}

/*
** The n-th allocation fails
*/

enum { NOTHING_FAILED, FAILED = 2 };

/* An object keeps the tables. */
static void make_keeper(void) {
  uint64_t keeper;
  CHECK(mpl_lock_new(&keeper) == MPL_OK);
}

static int trial(const void *arg, struct alloc_fault fault) {
  const struct alloc_op *op = arg;
  struct world_sum before = enter(op, make_keeper), scene = world_sum();
  uint64_t in_hand = hand();
  alloc_arm(fault);
  enum mpl_status s = op->operate();
  bool failed = alloc_disarm();
  CHECK(failed || s == MPL_OK);
  if (s != MPL_OK) {
    CHECK(s == MPL_NOMEM || s == MPL_NOPRIVATE);
    expect_scene(op, scene, in_hand);
    CHECK(op->operate() == MPL_OK);
  } else {
    CHECK(!failed || op->falls_back);
  }
  leave(op, before);
  return failed ? FAILED : NOTHING_FAILED;
}

static bool attempt(const void *op, struct alloc_fault fault) {
  return run_forked(op, trial, fault) == FAILED;
}

/*
** The arena is full
*/

/* A queue of messages that stand in its front, as if they had been got and given back: so it needs
   no segments for them, and what came last goes first. */
static uint64_t ballast;

#define BALLAST_MOST 5000

static void make_ballast(void) {
  CHECK(mpl_queue_new(0, &ballast) == MPL_OK);
  for (uint64_t i = 0; i < BALLAST_MOST; i++) {
    CHECK(world_put_number(world_queue(ballast), i) == MPL_OK);
    CHECK(world_get_number(world_queue(ballast)) == i);
  }
}

/* Fills the arena up, so that not even a small block is left. */
static void load(void) {
  static const uint64_t sizes[] = {16384, 4096, 1024, 256, 64, 0};
  mpl_off message;
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
    while (mpl_message_new(sizes[i], 0, &message) == MPL_OK)
      CHECK(mpl_queue_unget(world_queue(ballast), message) == MPL_OK);
}

/* Throws out the message that came last; false if there is none left. */
static bool unload_one(void) {
  static struct world_batch thrown;
  if (mpl_queue_size(world_queue(ballast)) == 0) return false;
  CHECK(world_get(world_queue(ballast), 1, &thrown, 0) == MPL_OK);
  mpl_message_drop(mpl_self, thrown.batch.item[0].message);
  return true;
}

/* Gives back one block after the other until the operation succeeds; fault.n counts how often it
   does not. */
static int starve(const void *arg, struct alloc_fault fault) {
  const struct alloc_op *op = arg;
  setenv("MPL_SHM_SIZE", "768K", 1);
  struct world_sum before = enter(op, make_ballast);
  load();
  for (;;) {
    struct world_sum scene = world_sum();
    uint64_t in_hand = hand();
    enum mpl_status s = op->operate();
    if (s == MPL_OK) break;
    CHECK(s == MPL_NOMEM);
    expect_scene(op, scene, in_hand);
    fault.n++;
    alloc_state->points[ALLOC_SHARED]++;
    CHECK(unload_one());
  }
  CHECK(fault.n > 0 || op->falls_back);
  while (unload_one()) {}
  leave(op, before);
  return 0;
}

/*
** Blocks
*/

static mpl_off block;

static enum mpl_status take_small(void) {
  return mpl_heap_alloc(100, &block);
}

static enum mpl_status take_large(void) {
  return mpl_heap_alloc(1 << 20, &block);
}

static enum mpl_status take_huge(void) {
  return mpl_heap_alloc(80 << 20, &block);
}

static void give(void) {
  mpl_heap_free(mpl_self, block);
}

/* So large a free block has given its memory back. */
static void make_hole(void) {
  CHECK(take_huge() == MPL_OK);
  give();
}

/*
** Objects and references
*/

static uint64_t object[300];
static int nobjects;

static void make_objects(int n) {
  while (nobjects < n) CHECK(mpl_lock_new(&object[nobjects++]) == MPL_OK);
}

/* Makes objects until there are n in all. */
static void make_objects_up_to(uint64_t n) {
  make_objects((int)(n - world_sum().objects));
}

static void release_objects(void) {
  while (nobjects > 0) mpl_reflist_release(object[--nobjects]);
}

static enum mpl_status make_lock(void) {
  enum mpl_status s = mpl_lock_new(&object[nobjects]);
  nobjects += s == MPL_OK;
  return s;
}

static enum mpl_status make_event(void) {
  enum mpl_status s = mpl_event_new(&object[nobjects]);
  nobjects += s == MPL_OK;
  return s;
}

static enum mpl_status make_queue(void) {
  enum mpl_status s = mpl_queue_new(5, &object[nobjects]);
  nobjects += s == MPL_OK;
  return s;
}

#define FIRST_LIST 28 /* entries of the first list of references */

static void fill_list(void) {
  make_objects_up_to(FIRST_LIST);
}

/* The first chunk of the table, of which entry 0 is nobody's, and the private table, which begins
   with as many. */
static void fill_table(void) {
  make_objects_up_to(MPL_OBJECT_CHUNK0 - 1);
}

/* The list is shared with a process that has reserved its slot and has not been forked yet. */
static struct mpl_slot *heir;

static void share_list(void) {
  CHECK(mpl_slot_reserve("heir", &heir) == MPL_OK && mpl_reflist_share(heir) == MPL_OK);
}

static void end_sharing(void) {
  release_objects();
  mpl_recover_unclaimed(heir, mpl_slot_ident(heir));
  mpl_reflist_sweep();
}

/* A message refers to objects to which the process does not. */
static mpl_off letter;
static uint64_t foreign;

static void meet_foreign(void) {
  CHECK(mpl_message_new(0, 1, &letter) == MPL_OK && mpl_lock_new(&foreign) == MPL_OK);
  CHECK(mpl_message_add_ref(letter, foreign) == MPL_OK);
  mpl_reflist_release(foreign);
  make_objects_up_to(FIRST_LIST + 1); /* one of these is the message's */
}

static enum mpl_status retain_foreign(void) {
  return mpl_object_retain(foreign);
}

static void drop_foreign(void) {
  mpl_reflist_release(foreign);
  mpl_message_drop(mpl_self, letter);
  release_objects();
}

/* The private table has no place for an object that another process has made. */
static uint64_t exchange;
static struct world_batch got;

static void send_distant(void *arg) {
  (void)arg;
  make_objects(MPL_OBJECT_CHUNK0 + 10);
  CHECK(mpl_message_new(0, 1, &letter) == MPL_OK);
  CHECK(mpl_message_add_ref(letter, object[nobjects - 1]) == MPL_OK);
  CHECK(world_put_message(world_queue(exchange), letter) == MPL_OK);
}

static void meet_distant(void) {
  CHECK(mpl_queue_new(0, &exchange) == MPL_OK);
  CHECK(world_join(world_start(send_distant, NULL)) == 0);
  make_objects_up_to(FIRST_LIST + 1);
  CHECK(world_get(world_queue(exchange), 1, &got, 0) == MPL_OK);
  letter = got.batch.item[0].message;
  foreign = mpl_load64_rlx(&mpl_message_at(letter)->ref[0]);
}

static void drop_distant(void) {
  drop_foreign();
  mpl_reflist_release(exchange);
}

/* The list of references is far too large, and shrinks when somebody has ended. */
static void empty_list(void) {
  make_objects(200);
  release_objects();
}

static enum mpl_status sweep_references(void) {
  mpl_reflist_sweep();
  return MPL_OK;
}

static void sweep_again(void) {
  mpl_reflist_sweep();
}

/*
** Queues
*/

static struct mpl_queue *queue;
static uint64_t next_in, next_out;
static void have_queue(void) {
  CHECK(mpl_queue_new(0, &exchange) == MPL_OK);
  queue = world_queue(exchange);
}

static enum mpl_status put_number(void) {
  enum mpl_status s = world_put_number(queue, next_in);
  next_in += s == MPL_OK;
  return s;
}

/* Items come in their order, those of `size` bytes, of which the first are a number. */
static void drain(void) {
  while (mpl_queue_size(queue) > 0) {
    CHECK(world_get(queue, 1, &got, 0) == MPL_OK);
    mpl_off message = got.batch.item[0].message;
    uint64_t number;
    memcpy(&number, message != 0 ? mpl_message_data(message) : got.bytes, sizeof number);
    CHECK(number == next_out++);
    if (message != 0) mpl_message_drop(mpl_self, message);
  }
  CHECK(next_out == next_in);
  mpl_reflist_release(exchange);
}

/* The segment has no room left. */
static void fill_segment(void) {
  have_queue();
  CHECK(put_number() == MPL_OK);
  alloc_arm((struct alloc_fault){ALLOC_SHARED, true, 1});
  while (put_number() == MPL_OK) {}
  alloc_disarm();
}

/* What is put is a message, made for it; the queue does not take it without a segment. */
static enum mpl_status put_message_of(uint64_t nrefs) {
  mpl_off message;
  enum mpl_status s = mpl_message_new(5000, nrefs, &message);
  if (s != MPL_OK) return s;
  memcpy(mpl_message_data(message), &next_in, sizeof next_in);
  for (uint64_t i = 0; i < nrefs; i++)
    CHECK(mpl_message_add_ref(message, object[i]) == MPL_OK);
  s = world_put_message(queue, message);
  if (s != MPL_OK) mpl_message_drop(mpl_self, message);
  next_in += s == MPL_OK;
  return s;
}

static enum mpl_status put_message(void) {
  return put_message_of(0);
}

static enum mpl_status put_references(void) {
  return put_message_of(20);
}

static void have_queue_and_objects(void) {
  have_queue();
  make_objects(20);
}

static void drain_and_release(void) {
  release_objects(); /* the messages hold them, too */
  drain();
}

/* A batch that needs several segments: what it has put when memory ends is in the queue. */
static enum mpl_status put_batches(void) {
  static unsigned char bytes[MPL_QUEUE_BATCH][MPL_QUEUE_INLINE];
  struct mpl_piece piece[MPL_QUEUE_BATCH];
  struct mpl_queue_item item[MPL_QUEUE_BATCH] = {{0}};
  enum mpl_status s = MPL_OK;
  while (s == MPL_OK && next_in < 3 * MPL_QUEUE_BATCH) {
    int n = MPL_QUEUE_BATCH - (int)(next_in % MPL_QUEUE_BATCH), done;
    for (int i = 0; i < n; i++) {
      uint64_t number = next_in + (uint64_t)i;
      memcpy(bytes[i], &number, sizeof number);
      piece[i] = (struct mpl_piece){bytes[i], MPL_QUEUE_INLINE};
      item[i] = (struct mpl_queue_item){
          .pieces = &piece[i], .npieces = 1, .size = MPL_QUEUE_INLINE};
    }
    s = world_put_items(queue, item, n, &done, 0);
    CHECK(done == n || s != MPL_OK);
    next_in += (uint64_t)done;
    CHECK(mpl_queue_size(queue) == next_in);
  }
  return s;
}

/*
** Processes
*/

static struct mpl_child *child;
static struct mpl_slot *reserved[2 * MPL_SLOT_CHUNK];
static int nreserved;

static enum mpl_status fork_child(void) {
  enum mpl_status s = mpl_fork("test", MPL_FORK_CHILD, &child);
  if (s == MPL_OK && child == NULL) mpl_exit_child(7);
  CHECK(s == MPL_OK || child == NULL);
  return s;
}

static enum mpl_status fork_raw(void) {
  errno = 0;
  pid_t pid = mpl_fork_raw();
  if (pid == 0) mpl_exit_child(7);
  if (pid < 0) return errno == ENOMEM ? MPL_NOMEM : MPL_ERRNO;
  int status;
  CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 7);
  mpl_child_reap();
  return MPL_OK;
}

static void give_up_slots(void) {
  while (nreserved > 0) {
    nreserved--;
    mpl_recover_unclaimed(reserved[nreserved], mpl_slot_ident(reserved[nreserved]));
  }
}

static void join_child(void) {
  if (child != NULL) CHECK(world_join(child) == 7);
  give_up_slots();
}

/* All slots that the table has are taken. */
static void fill_slots(void) {
  while (nreserved < MPL_SLOT_CHUNK - 1)
    CHECK(mpl_slot_reserve("none", &reserved[nreserved++]) == MPL_OK);
}

static const struct alloc_op ops[] = {
    {.name = "a block", .operate = take_small, .finish = give},
    {.name = "a block that the arena grows for", .operate = take_large, .finish = give,
     .no_starving = true},
    {.name = "a block without memory", .setup = make_hole, .operate = take_huge, .finish = give,
     .no_starving = true},
    {.name = "the first object", .operate = make_lock, .finish = release_objects, .grows = true,
     .cold = true, .no_starving = true},
    {.name = "a Lock", .operate = make_lock, .finish = release_objects},
    {.name = "an Event", .operate = make_event, .finish = release_objects},
    {.name = "a Queue", .operate = make_queue, .finish = release_objects},
    {.name = "an object for which the list grows", .setup = fill_list, .operate = make_lock,
     .finish = release_objects, .grows = true},
    {.name = "an object for which the table grows", .setup = fill_table, .operate = make_lock,
     .finish = release_objects, .grows = true},
    {.name = "an object after a fork", .setup = share_list, .operate = make_lock,
     .finish = end_sharing, .grows = true},
    {.name = "a reference", .setup = meet_foreign, .operate = retain_foreign,
     .finish = drop_foreign, .grows = true},
    {.name = "a reference to a distant object", .setup = meet_distant, .operate = retain_foreign,
     .finish = drop_distant, .grows = true},
    {.name = "sweeping references", .setup = empty_list, .operate = sweep_references,
     .finish = sweep_again, .grows = true, .falls_back = true},
    {.name = "the first item", .setup = have_queue, .operate = put_number, .finish = drain},
    {.name = "an item in a new segment", .setup = fill_segment, .operate = put_number,
     .finish = drain},
    {.name = "a large item", .setup = have_queue, .operate = put_message, .finish = drain},
    {.name = "an item with references", .setup = have_queue_and_objects, .operate = put_references,
     .finish = drain_and_release},
    {.name = "batches", .setup = have_queue, .operate = put_batches, .finish = drain,
     .partial = true},
    {.name = "fork", .operate = fork_child, .finish = join_child, .no_starving = true},
    {.name = "fork with a new chunk of slots", .setup = fill_slots, .operate = fork_child,
     .finish = join_child, .grows = true},
    {.name = "a plain fork", .setup = fill_slots, .operate = fork_raw, .finish = join_child,
     .grows = true},
};

static const struct alloc_op *current;

static void sweep(void) {
  alloc_sweep(current->name, ALLOC_SHARED | ALLOC_PRIVATE, attempt, current);
  if (!current->no_starving) run_forked(current, starve, (struct alloc_fault){0});
}

/*
** The arena itself
*/

static int descriptors(void) {
  int n = 0;
  for (int fd = 0; fd < 100; fd++) n += fcntl(fd, F_GETFD) >= 0;
  return n;
}

static int make_arena(const void *arg, struct alloc_fault fault) {
  (void)arg;
  int before = descriptors();
  alloc_arm(fault);
  enum mpl_status s = mpl_shm_create();
  bool failed = alloc_disarm();
  if (failed) {
    CHECK(s == MPL_ERRNO && errno == ENOSPC && mpl_self == NULL && mpl_arena.base == NULL);
    CHECK(descriptors() == before);
    s = mpl_shm_create();
  }
  CHECK(s == MPL_OK);
  WORLD_WHOLE();
  return failed ? FAILED : NOTHING_FAILED;
}

static bool attempt_arena(const void *op, struct alloc_fault fault) {
  return run_forked(op, make_arena, fault) == FAILED;
}

static void the_arena(void) {
  static const struct alloc_op op = {.name = "the arena"};
  alloc_sweep(op.name, ALLOC_SHARED | ALLOC_PRIVATE, attempt_arena, &op);
}

/*
** Giving back needs no memory
*/

static void die_with_things(void *arg) {
  (void)arg;
  make_objects(60);
  CHECK(put_message() == MPL_OK && world_get(queue, 2, &got, 0) == MPL_OK);
  CHECK(world_acquire(world_lock(foreign), 0) == MPL_OK);
  kill(getpid(), SIGKILL);
}

static void giving_back_needs_nothing(void) {
  world_make();
  struct world_sum before = world_sum();
  have_queue_and_objects();
  CHECK(mpl_lock_new(&foreign) == MPL_OK);
  for (int i = 0; i < 300; i++) CHECK(put_number() == MPL_OK);
  CHECK(put_references() == MPL_OK);
  struct mpl_child *victim = world_start(die_with_things, NULL);
  alloc_arm((struct alloc_fault){ALLOC_ANY, true, 1});
  CHECK(world_join(victim) == -SIGKILL);
  CHECK(world_acquire(world_lock(foreign), 0) == MPL_RECOVERED);
  CHECK(mpl_lock_release(world_lock(foreign)) == MPL_OK);
  mpl_reflist_release(foreign);
  release_objects();
  for (int i = 0; i < 298; i++) CHECK(world_get(queue, 1, &got, 0) == MPL_OK);
  for (int i = 0; i < 2; i++) {
    CHECK(world_get(queue, 1, &got, 0) == MPL_OK && got.batch.item[0].message != 0);
    CHECK(mpl_queue_unget(queue, got.batch.item[0].message) == MPL_OK);
  }
  CHECK(mpl_queue_shutdown(queue, true) == MPL_OK);
  mpl_reflist_release(exchange);
  mpl_reflist_drop_all(mpl_self);
  mpl_object_bury();
  alloc_disarm();
  WORLD_WHOLE();
  CHECK(hand() == 0);
  before.used = world_sum().used; /* the tables have grown */
  WORLD_SAME(before);
}

int main(int argc, char **argv) {
  (void)argc;
  setenv("MPL_SHM_SIZE", "2G", 1); /* of this, 64 MiB may lie idle */
  alloc_begin(alloc_disarm_child);
  alloc_run("the arena", the_arena);
  for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
    current = &ops[i];
    alloc_run(current->name, sweep);
  }
  alloc_run("giving back needs nothing", giving_back_needs_nothing);
  return alloc_end(argv[0]);
}
