/*
** The crash sweep of task ledgers: see crash.h.
*/
/* Of level 2 one in so many; CFLAGS=-DCRASH_SAMPLED=1 sweeps all of it. */
#if !defined(CRASH_SAMPLED)
#define CRASH_SAMPLED 6
#endif

#include "crash.h"
#include "pool.h"

#define TASKS 3
#define WORKERS 2

enum { VICTIM, SURVIVOR }; /* as workers */

static struct {
  struct pool it;
  struct mpl_chunk *chunk;
  uint64_t letters; /* a queue with a message that refers to the ledger */
  mpl_off taken;
  struct world_sleeper sleeper;
} s;

/*
** Scenes
*/

static void setup_empty(void) {
  pool_make(&s.it, WORKERS);
  world_sleep_on(&s.it.ledger->work, &s.sleeper);
}

/* Two chunks in the queue, of which the second has its arguments in a message. */
static void queue_two(uint64_t retries) {
  setup_empty();
  pool_put(&s.it, 0, TASKS, retries);
  pool_put(&s.it, 1, TASKS, retries);
}

static void setup_queued(void) {
  queue_two(0);
}

static void setup_retries(void) {
  queue_two(1);
}

/* The worker `who` takes a chunk, and does so many tasks of it. */
static void take(uint64_t who, uint64_t tasks, enum pool_way way) {
  CHECK(mpl_tasks_serve(s.it.ledger, who) == MPL_OK);
  s.chunk = pool_step(&s.it, who);
  CHECK(s.chunk != NULL);
  while (tasks-- > 0) pool_do(&s.it, s.chunk, way);
}

/*
** What must be so in the end
*/

/* The owner and another worker go on. All chunks are finished; `lost` tasks at most have no
   value. */
static void finish(uint64_t chunks, uint64_t lost) {
  struct pool_sum sum;
  struct mpl_chunk *c;
  mpl_tasks_lost(s.it.ledger, VICTIM, -SIGKILL);
  mpl_tasks_lost(s.it.ledger, SURVIVOR, -SIGKILL);
  WORLD_WHOLE();
  CHECK(mpl_tasks_serve(s.it.ledger, SURVIVOR) == MPL_OK);
  while ((c = pool_step(&s.it, SURVIVOR)) != NULL) pool_do_all(&s.it, c, POOL_INLINE);
  uint64_t values = 0, all = 0;
  for (; pool_try_collect(&s.it, &sum); all++) values += sum.values;
  CHECK(all == chunks && values <= chunks * TASKS && values + lost >= chunks * TASKS);
  CHECK(!mpl_tasks_is_ready(s.it.ledger));
  WORLD_WHOLE();
  pool_release(&s.it);
}

static void verify_all_done(bool finished) {
  (void)finished;
  finish(2, 0);
}

/* The task that the victim had begun is lost, and no other. */
static void verify_one_lost(bool finished) {
  (void)finished;
  finish(2, 1);
}

/*
** Owners
*/

static void put_inline(void) {
  pool_put(&s.it, 0, TASKS, 0);
}

static void put_apart(void) {
  pool_put(&s.it, 1, TASKS, 0);
}

static void verify_put(bool finished) {
  uint64_t n = pool_count(&s.it.ledger->queued);
  CHECK(n == 1 ? world_woken(&s.sleeper) : !finished);
  finish(n, 0);
}

static void job_enter(void) {
  pool_job(&s.it);
}

static void verify_jobs(bool finished) {
  (void)finished;
  finish(0, 0);
}

static void setup_job_used(void) {
  setup_empty();
  pool_job(&s.it); /* in front of it in the list */
  pool_put(&s.it, 1, TASKS, 0);
}

static void job_drop(void) {
  CHECK(mpl_tasks_job_use(s.it.ledger, s.it.job, false) == MPL_OK);
}

static void verify_job_dropped(bool finished) {
  uint64_t users = mpl_load64_rlx(&mpl_tasks_job_at(s.it.job)->users);
  CHECK(users == 1 || (users == 2 && !finished));
  finish(1, 0);
}

/* Both chunks are finished, one with messages as results. */
static void setup_finished(void) {
  setup_queued();
  take(SURVIVOR, TASKS, POOL_INLINE);
  s.chunk = pool_step(&s.it, SURVIVOR);
  pool_do_all(&s.it, s.chunk, POOL_MIXED);
  CHECK(pool_step(&s.it, SURVIVOR) == NULL);
}

static void collect(void) {
  struct mpl_wait w = MPL_WAIT_INIT;
  mpl_off chunk;
  CHECK(mpl_tasks_collect(s.it.ledger, 1, &chunk, &w, 0) == MPL_OK);
}

static void collect_all(void) {
  CHECK(pool_collect(&s.it).values == TASKS);
  CHECK(pool_collect(&s.it).values == TASKS);
}

/* As an owner that has read the results of a chunk and dies while it drops it; nobody will read
   it any more, so only what is left of it counts. */
static void verify_collected(bool finished) {
  CHECK(!finished || !mpl_tasks_is_ready(s.it.ledger));
  while (mpl_tasks_is_ready(s.it.ledger)) {
    collect();
    mpl_tasks_collected(s.it.ledger);
    WORLD_WHOLE();
  }
  pool_release(&s.it);
}

/* A process has died with a task begun. Its entry names it still. */
static void die_in_task(void *arg) {
  (void)arg;
  take(VICTIM, 1, POOL_CHAINED);
  mpl_chunk_begin(s.chunk);
  kill(getpid(), SIGKILL);
}

static void bereave(void (*die)(void *arg), uint64_t retries) {
  queue_two(retries);
  CHECK(world_join(world_start(die, NULL)) == -SIGKILL);
  world_sleep_on(&s.it.ledger->work, &s.sleeper);
}

static void setup_bereaved(void) {
  bereave(die_in_task, 0);
}

static void setup_bereaved_retries(void) {
  bereave(die_in_task, 1);
}

static void die_in_last_task(void *arg) {
  (void)arg;
  take(VICTIM, TASKS - 1, POOL_MIXED);
  mpl_chunk_begin(s.chunk);
  kill(getpid(), SIGKILL);
}

static void setup_bereaved_last(void) {
  bereave(die_in_last_task, 0);
  mpl_store64_rlx(&s.it.ledger->wanted, 1);
  world_sleep_on(&s.it.ledger->ready, &s.sleeper);
}

static void lose(void) {
  CHECK(mpl_tasks_lost(s.it.ledger, VICTIM, -SIGKILL));
}

/* The dead worker is said to be lost or not: the entry, the chunk and the lists say the same. */
static void verify_entry(struct mpl_tasks_list *list, bool finished) {
  struct mpl_tasks_worker *entry = &s.it.ledger->worker[VICTIM];
  bool gone = mpl_load64_rlx(&entry->ident) == 0;
  mpl_off chunk = mpl_load64_rlx(gone ? &list->first : &entry->chunk);
  struct mpl_chunk *c = mpl_chunk_at(chunk);
  CHECK(gone || !finished);
  if (gone) CHECK(world_woken(&s.sleeper) && mpl_load64_rlx(&entry->chunk) == 0);
  CHECK(chunk != 0);
  CHECK((uint32_t)mpl_load64_rlx(&c->attempt) == gone);
  CHECK(mpl_load64_rlx(&c->begun) - mpl_chunk_done(c) == (gone ? 0 : 1));
}

static void verify_lost(bool finished) {
  verify_entry(&s.it.ledger->queued, finished);
  finish(2, 1);
}

static void verify_again(bool finished) {
  verify_entry(&s.it.ledger->queued, finished);
  finish(2, 0);
}

static void verify_lost_last(bool finished) {
  verify_entry(&s.it.ledger->finished, finished);
  finish(2, 1);
}

static void cancel_second(void) {
  uint64_t worker;
  CHECK(mpl_tasks_cancel(s.it.ledger, 1, &worker) == MPL_TASKS_QUEUED);
}

/* Cancelled or not, but whole. */
static void verify_cancelled(bool finished) {
  uint64_t n = pool_count(&s.it.ledger->finished);
  CHECK(n == 1 || (n == 0 && !finished));
  if (n == 1) CHECK(pool_collect(&s.it).cancelled == TASKS);
  finish(2 - n, 0);
}

static void setup_running(void) {
  setup_queued();
  take(SURVIVOR, 1, POOL_INLINE);
}

static void cancel_running(void) {
  uint64_t worker;
  CHECK(mpl_tasks_cancel(s.it.ledger, 0, &worker) == MPL_TASKS_RUNNING && worker == SURVIVOR);
}

static void verify_cancelled_running(bool finished) {
  (void)finished;
  finish(2, TASKS - 1);
}

static void close_it(void) {
  mpl_tasks_close(s.it.ledger);
}

static void setup_close(void) {
  setup_queued();
  world_sleep_on(&s.it.ledger->work, &s.sleeper);
}

static void verify_closed(bool finished) {
  bool closed = mpl_load64_rlx(&s.it.ledger->closed) != 0;
  CHECK(closed ? world_woken(&s.sleeper) : !finished);
  finish(2, 0);
}

/*
** Workers
*/

static void serve_and_take(void) {
  take(VICTIM, 0, POOL_INLINE);
}

static void prepare_done(void) {
  take(VICTIM, TASKS, POOL_MIXED);
}

static void prepare_some_done(void) {
  take(VICTIM, 1, POOL_INLINE);
}

static void setup_step(void) {
  setup_queued();
  mpl_store64_rlx(&s.it.ledger->wanted, 1);
  world_sleep_on(&s.it.ledger->ready, &s.sleeper);
}

static void verify_step(bool finished) {
  if (pool_count(&s.it.ledger->finished) == 1) CHECK(world_woken(&s.sleeper));
  else CHECK(!finished);
  finish(2, 0);
}

static void step(void) {
  s.chunk = pool_step(&s.it, VICTIM);
}

static void work_inline(void) {
  pool_do_all(&s.it, s.chunk, POOL_INLINE);
}

static void work_mixed(void) {
  pool_do_all(&s.it, s.chunk, POOL_MIXED);
}

static void leave(void) {
  mpl_tasks_leave(s.it.ledger, VICTIM);
}

/*
** The end of a ledger with chunks in all places, to which only a message refers
*/

static void setup_sent(void) {
  mpl_off message;
  setup_empty();
  for (uint64_t tag = 0; tag < 4; tag++) pool_put(&s.it, tag, TASKS, 0);
  take(SURVIVOR, TASKS, POOL_MIXED);
  s.chunk = pool_step(&s.it, SURVIVOR);
  collect();
  pool_do_all(&s.it, s.chunk, POOL_MIXED);
  s.chunk = pool_step(&s.it, SURVIVOR);
  /* One is collected, one finished, one in an entry, one queued. */
  CHECK(mpl_queue_new(0, &s.letters) == MPL_OK && mpl_message_new(0, 1, &message) == MPL_OK);
  CHECK(mpl_message_add_ref(message, s.it.id) == MPL_OK);
  CHECK(world_put_message(world_queue(s.letters), message) == MPL_OK);
  mpl_reflist_release(s.it.id);
}

static void prepare_sent(void) {
  static struct world_batch got;
  CHECK(world_get(world_queue(s.letters), 1, &got, 0) == MPL_OK);
  s.taken = got.batch.item[0].message;
}

static void drop(void) {
  mpl_message_drop(mpl_self, s.taken);
  mpl_object_bury();
}

static void verify_gone(bool finished) {
  (void)finished;
  CHECK(mpl_object_body(s.it.id, MPL_TYPE_TASKS) == NULL);
  mpl_reflist_release(s.letters);
  mpl_reflist_release(s.it.lock);
}

static const struct crash_op ops[] = {
    {.name = "put", .setup = setup_empty, .operate = put_inline, .verify = verify_put},
    {.name = "put, arguments apart", .setup = setup_empty, .operate = put_apart,
     .verify = verify_put},
    {.name = "new job", .setup = setup_empty, .operate = job_enter, .verify = verify_jobs},
    {.name = "drop job", .setup = setup_job_used, .operate = job_drop, .verify = verify_job_dropped,
     .sturdy = true},
    {.name = "collect", .setup = setup_finished, .operate = collect, .verify = verify_all_done},
    {.name = "read what was collected", .setup = setup_finished, .operate = collect_all,
     .verify = verify_collected},
    {.name = "lost", .setup = setup_bereaved, .operate = lose, .verify = verify_lost},
    {.name = "lost, once more", .setup = setup_bereaved_retries, .operate = lose,
     .verify = verify_again},
    {.name = "lost, the last task", .setup = setup_bereaved_last, .operate = lose,
     .verify = verify_lost_last},
    {.name = "cancel queued", .setup = setup_queued, .operate = cancel_second,
     .verify = verify_cancelled},
    {.name = "cancel running", .setup = setup_running, .operate = cancel_running,
     .verify = verify_cancelled_running, .sturdy = true},
    {.name = "close", .setup = setup_close, .operate = close_it, .verify = verify_closed},
    {.name = "take", .setup = setup_queued, .operate = serve_and_take, .verify = verify_all_done},
    {.name = "step", .setup = setup_step, .prepare = prepare_done, .operate = step,
     .verify = verify_step},
    {.name = "work", .setup = setup_queued, .prepare = serve_and_take, .operate = work_inline,
     .verify = verify_one_lost, .sturdy = true},
    {.name = "work, results apart", .setup = setup_queued, .prepare = serve_and_take,
     .operate = work_mixed, .verify = verify_one_lost},
    {.name = "work, once more", .setup = setup_retries, .prepare = serve_and_take,
     .operate = work_mixed, .verify = verify_all_done},
    {.name = "leave", .setup = setup_queued, .prepare = prepare_some_done, .operate = leave,
     .verify = verify_all_done},
    {.name = "dismantle", .setup = setup_sent, .prepare = prepare_sent, .operate = drop,
     .verify = verify_gone},
};

int main(int argc, char **argv) {
  return crash_main(ops, sizeof ops / sizeof *ops, &s, sizeof s, argc, argv);
}
