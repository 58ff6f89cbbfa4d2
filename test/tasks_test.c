/*
** Task ledgers: chunks on their way, results of all sizes, the loss of workers, cancelling, jobs,
** the alarm of a task; workers killed at random.
*/
#include "pool.h"
#include "proc/alarm.h"

#define TASKS 10

static struct pool pool;
static struct world_sum start;

static void make_locks(void *arg) {
  uint64_t id;
  (void)arg;
  for (int i = 0; i < 500; i++) CHECK(mpl_lock_new(&id) == MPL_OK);
}

static void begin(uint64_t workers) {
  uint64_t keeper;
  world_make();
  CHECK(mpl_lock_new(&keeper) == MPL_OK);
  CHECK(world_join(world_start(make_locks, NULL)) == 0); /* the object table grows */
  start = world_sum();
  pool_make(&pool, workers);
}

static void end(void) {
  WORLD_WHOLE();
  pool_release(&pool);
  mpl_object_bury();
  WORLD_WHOLE();
  WORLD_SAME(start);
}

static struct mpl_chunk *take(uint64_t worker) {
  CHECK(mpl_tasks_serve(pool.ledger, worker) == MPL_OK);
  return pool_step(&pool, worker);
}

/*
** One process, in turn the owner and the workers
*/

static void to_and_fro(void) {
  begin(1);
  CHECK(take(0) == NULL && !mpl_tasks_is_ready(pool.ledger));
  CHECK(mpl_tasks_serve(pool.ledger, 0) == MPL_MISUSE);
  for (uint64_t tag = 0; tag < 6; tag++) pool_put(&pool, tag, TASKS, 0);
  for (uint64_t tag = 0; tag < 6; tag++) {
    struct mpl_chunk *c = pool_step(&pool, 0);
    CHECK(c->tag == tag && pool_count(&pool.ledger->queued) == 5 - tag);
    pool_do_all(&pool, c, (enum pool_way)(tag % 3));
    WORLD_WHOLE();
  }
  CHECK(pool_count(&pool.ledger->finished) == 5 && pool_step(&pool, 0) == NULL);
  for (uint64_t tag = 0; tag < 6; tag++) {
    struct pool_sum sum = pool_collect(&pool);
    CHECK(sum.tag == tag && sum.values == TASKS);
    WORLD_WHOLE();
  }
  CHECK(!mpl_tasks_is_ready(pool.ledger));
  end();
}

/* Long results fill the room, up to what is kept for the losses of all others. */
static void room(void) {
  unsigned char bytes[MPL_CHUNK_INLINE + 1] = {0};
  begin(1);
  pool_put(&pool, 0, TASKS, 0);
  struct mpl_chunk *c = take(0);
  struct mpl_piece piece = {bytes, sizeof bytes};
  mpl_chunk_begin(c);
  CHECK(!mpl_chunk_publish(c, MPL_CHUNK_VALUE, &piece, 1, sizeof bytes));
  uint64_t kept = (TASKS - 1) * MPL_CHUNK_LEAST, most = c->room - kept - sizeof(uint32_t);
  piece.size = most + 1;
  CHECK(!mpl_chunk_publish(c, MPL_CHUNK_VALUE, &piece, 1, piece.size));
  piece.size = most;
  CHECK(mpl_chunk_publish(c, MPL_CHUNK_VALUE, &piece, 1, piece.size));
  struct mpl_chunk_loss loss = {1, -SIGKILL, 1};
  piece = (struct mpl_piece){&loss, sizeof loss};
  for (int i = 1; i < TASKS; i++) {
    mpl_chunk_begin(c);
    CHECK(mpl_chunk_publish(c, MPL_CHUNK_LOST, &piece, 1, sizeof loss));
  }
  CHECK(mpl_chunk_is_over(c));
  struct mpl_chunk_results results;
  struct mpl_chunk_result r;
  mpl_chunk_results_start(&results, c);
  mpl_chunk_results_next(&results, &r);
  CHECK(r.kind == MPL_CHUNK_VALUE && r.size == most);
  for (int i = 1; i < TASKS; i++) {
    mpl_chunk_results_next(&results, &r);
    CHECK(r.kind == MPL_CHUNK_LOST && r.size == sizeof loss);
  }
  end();
}

/* The room for results follows the size that they had last. */
static void room_learns(void) {
  struct mpl_chunk like = {.count = 100};
  mpl_off chunk[3];
  begin(1);
  CHECK(mpl_chunk_new(&like, 1, &chunk[0]) == MPL_OK);
  CHECK(mpl_chunk_new(&like, 400, &chunk[1]) == MPL_OK);
  CHECK(mpl_chunk_new(&like, MPL_CHUNK_INLINE + 1, &chunk[2]) == MPL_OK);
  CHECK(mpl_chunk_at(chunk[0])->room == 100 * MPL_CHUNK_LEAST);
  CHECK(mpl_chunk_at(chunk[1])->room >= 100 * (400 + sizeof(uint32_t)));
  CHECK(mpl_chunk_at(chunk[2])->room == 100 * MPL_CHUNK_LEAST);
  for (int i = 0; i < 3; i++) mpl_heap_free(mpl_self, chunk[i]);
  end();
}

static void jobs(void) {
  uint64_t bytes[] = {1, 2};
  struct mpl_piece piece = {bytes, sizeof *bytes};
  begin(1);
  mpl_off second = pool_job(&pool), third = pool_job(&pool);
  CHECK(mpl_tasks_job_at(second)->id != mpl_tasks_job_at(third)->id);
  CHECK(mpl_tasks_job_find(pool.ledger, mpl_tasks_job_at(second)->id) == second);
  CHECK(mpl_tasks_job_find(pool.ledger, 1000) == 0);
  memcpy(mpl_tasks_job_at(second) + 1, bytes, sizeof *bytes);
  CHECK(mpl_tasks_job_like(pool.ledger, &piece, 1, &pool.lock, 1) == second);
  CHECK(mpl_tasks_job_like(pool.ledger, &piece, 1, NULL, 0) == 0);
  piece.size = sizeof bytes;
  CHECK(mpl_tasks_job_like(pool.ledger, &piece, 1, &pool.lock, 1) == 0);
  CHECK(mpl_tasks_job_use(pool.ledger, second, true) == MPL_OK);
  for (int i = 0; i < 2; i++) {
    CHECK(mpl_tasks_job_find(pool.ledger, mpl_tasks_job_at(second)->id) == second);
    CHECK(mpl_tasks_job_use(pool.ledger, second, false) == MPL_OK);
    WORLD_WHOLE();
  }
  CHECK(mpl_tasks_job_find(pool.ledger, 2) == 0);
  pool_put(&pool, 0, 1, 0); /* of the first job, which only this chunk needs then */
  CHECK(mpl_tasks_job_use(pool.ledger, pool.job, false) == MPL_OK);
  CHECK(mpl_tasks_job_find(pool.ledger, 1) == pool.job);
  struct mpl_chunk *c = take(0);
  pool_do_all(&pool, c, POOL_INLINE);
  CHECK(pool_step(&pool, 0) == NULL && pool_collect(&pool).values == 1);
  CHECK(mpl_tasks_job_find(pool.ledger, 1) == 0);
  end();
}

static void cancelling(void) {
  uint64_t worker = 7;
  begin(2);
  for (uint64_t i = 0; i < 4; i++) pool_put(&pool, i % 2, TASKS, 0);
  CHECK(mpl_tasks_cancel(pool.ledger, 5, &worker) == MPL_TASKS_NOTHING);
  CHECK(mpl_tasks_serve(pool.ledger, 1) == MPL_OK);
  struct mpl_chunk *c = pool_step(&pool, 1);
  pool_do(&pool, c, POOL_INLINE);
  CHECK(mpl_tasks_cancel(pool.ledger, 0, &worker) == MPL_TASKS_QUEUED);
  CHECK(mpl_tasks_cancel(pool.ledger, 0, &worker) == MPL_TASKS_RUNNING && worker == 1);
  CHECK(mpl_tasks_cancel(pool.ledger, 0, &worker) == MPL_TASKS_NOTHING);
  CHECK(mpl_tasks_cancel(pool.ledger, 1, &worker) == MPL_TASKS_QUEUED);
  WORLD_WHOLE();
  CHECK(pool_collect(&pool).cancelled == TASKS && pool_collect(&pool).tag == 1);
  CHECK(mpl_chunk_is_over(c) && !mpl_alarm_start(c, mpl_os_tick()));
  CHECK(pool_step(&pool, 1) != NULL);
  struct pool_sum sum = pool_collect(&pool);
  CHECK(sum.tag == 0 && sum.values == 1 && sum.cancelled == TASKS - 1);
  CHECK(mpl_tasks_cancel(pool.ledger, 1, &worker) == MPL_TASKS_RUNNING);
  mpl_tasks_leave(pool.ledger, 1); /* what is cancelled does not go back to the queue */
  CHECK(pool_collect(&pool).cancelled == TASKS && pool_count(&pool.ledger->queued) == 0);
  end();
}

/* Workers end when all is finished, as a chunk may come back. */
static void closing(void) {
  struct mpl_wait w = MPL_WAIT_INIT;
  mpl_off chunk;
  begin(2);
  pool_put(&pool, 0, TASKS, 0);
  mpl_off late = pool_chunk(&pool, (struct mpl_chunk){.count = 1}, false);
  struct mpl_chunk *c = take(0);
  CHECK(mpl_tasks_serve(pool.ledger, 1) == MPL_OK);
  mpl_tasks_close(pool.ledger);
  CHECK(mpl_tasks_put(pool.ledger, late) == MPL_CLOSED);
  mpl_heap_free(mpl_self, late);
  CHECK(mpl_tasks_step(pool.ledger, 1, &chunk, &w, 0) == MPL_BLOCK);
  pool_do(&pool, c, POOL_INLINE);
  mpl_tasks_leave(pool.ledger, 0); /* the rest of the chunk is done by the other */
  c = pool_step(&pool, 1);
  CHECK(c != NULL && mpl_chunk_done(c) == 1);
  pool_do_all(&pool, c, POOL_MIXED);
  CHECK(mpl_tasks_step(pool.ledger, 1, &chunk, &w, 0) == MPL_CLOSED);
  CHECK(pool_collect(&pool).values == TASKS);
  end();
}

static void out_of_memory(void) {
  struct mpl_chunk like = {.count = 1};
  mpl_off chunk, filling[64];
  int n = 0;
  setenv("MPL_SHM_SIZE", "2M", 1);
  begin(1);
  pool_put(&pool, 0, 1, 0);
  while (n < 64 && mpl_heap_alloc(100000, &filling[n]) == MPL_OK && n < 30) n++;
  uint64_t before = pool_count(&pool.ledger->queued);
  int more = 0;
  while (pool_try_chunk(&pool, like, false, &chunk) == MPL_OK) {
    CHECK(mpl_tasks_put(pool.ledger, chunk) == MPL_OK);
    more++;
  }
  CHECK(more > 0 && pool_count(&pool.ledger->queued) == before + (uint64_t)more);
  struct mpl_chunk *c;
  CHECK(mpl_tasks_serve(pool.ledger, 0) == MPL_OK);
  while ((c = pool_step(&pool, 0)) != NULL) pool_do_all(&pool, c, POOL_INLINE);
  for (int i = 0; i <= more; i++) CHECK(pool_collect(&pool).values == 1);
  while (n > 0) mpl_heap_free(mpl_self, filling[--n]);
  end();
}

/* Sees what is not as it should be. */
static void checker(void) {
  const char *fault;
  begin(1);
  pool_put(&pool, 0, 2, 0);
  struct mpl_chunk *c = take(0);
  mpl_a64 *words[] = {&c->progress, &c->begun, &pool.ledger->running, &pool.ledger->finished.count,
                      &pool.ledger->queued.last, &mpl_tasks_job_at(pool.job)->before};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    uint64_t old = mpl_load64_rlx(words[i]);
    mpl_store64_rlx(words[i], old + ((uint64_t)3 << 32) + 16);
    CHECK(!mpl_shm_check(&fault));
    mpl_store64_rlx(words[i], old);
    WORLD_WHOLE();
  }
  end();
}

/*
** Deaths
*/

struct death {
  uint64_t worker, done; /* tasks that it does */
  bool begins;           /* one more */
};

static void work_and_die(void *arg) {
  const struct death *d = arg;
  struct mpl_chunk *c = take(d->worker);
  CHECK(c != NULL);
  for (uint64_t i = 0; i < d->done; i++) pool_do(&pool, c, POOL_MIXED);
  if (d->begins) mpl_chunk_begin(c);
  kill(getpid(), SIGKILL);
}

static void die(uint64_t done, bool begins) {
  struct death d = {.done = done, .begins = begins};
  CHECK(world_join(world_start(work_and_die, &d)) == -SIGKILL);
  CHECK(mpl_tasks_lost(pool.ledger, 0, -SIGKILL));
  CHECK(!mpl_tasks_lost(pool.ledger, 0, -SIGKILL));
  WORLD_WHOLE();
}

static struct pool_sum finish(void) {
  struct mpl_chunk *c = take(0);
  if (c != NULL) pool_do_all(&pool, c, POOL_MIXED);
  CHECK(pool_step(&pool, 0) == NULL);
  mpl_tasks_lost(pool.ledger, 0, 0); /* this worker leaves */
  return pool_collect(&pool);
}

/* Exactly the task that was begun is lost. */
static void deaths(void) {
  begin(1);
  pool_put(&pool, 1, TASKS, 0);
  die(0, false);
  die(2, false);
  die(0, true);
  die(3, true);
  struct pool_sum sum = finish();
  CHECK(sum.lost == 2 && sum.values == TASKS - 2 && sum.attempts == 1);
  pool_put(&pool, 1, TASKS, 0);
  die(TASKS, false); /* all done, and not handed in */
  CHECK(pool_collect(&pool).values == TASKS);
  pool_put(&pool, 1, TASKS, 0);
  die(TASKS - 1, true);
  CHECK(pool_collect(&pool).lost == 1);
  end();
}

/* A task that kills its worker is given up in the end; what comes behind it counts anew. */
static void retries(void) {
  begin(1);
  pool_put(&pool, 1, TASKS, 2);
  die(1, true);
  die(0, true);
  struct mpl_chunk *c = mpl_chunk_at(mpl_load64_rlx(&pool.ledger->queued.first));
  CHECK(mpl_chunk_done(c) == 1);
  die(0, true);
  CHECK(mpl_chunk_done(c) == 2 && pool_look(c).attempts == 3);
  die(0, true);
  die(0, false); /* this was not its fault */
  die(0, true);
  CHECK(mpl_chunk_done(c) == 2);
  die(1, true);
  struct pool_sum sum = finish();
  CHECK(sum.lost == 1 && sum.values == TASKS - 1);
  end();
}

/*
** Sleeping and waking
*/

static void serve(void *arg) {
  struct mpl_chunk *c;
  uint64_t worker = *(const uint64_t *)arg;
  CHECK(mpl_tasks_serve(pool.ledger, worker) == MPL_OK);
  while (pool_await(&pool, worker, &c) == MPL_OK) pool_do_all(&pool, c, POOL_MIXED);
}

static struct pool_sum await(uint64_t wanted) {
  struct mpl_wait w = MPL_WAIT_INIT;
  mpl_off chunk;
  enum mpl_status s;
  while ((s = mpl_tasks_collect(pool.ledger, wanted, &chunk, &w, world_deadline())) == MPL_BLOCK &&
         (s = world_step(&w, world_deadline())) == MPL_OK) {}
  mpl_wait_done(&w);
  CHECK(s == MPL_OK);
  struct pool_sum sum = pool_look(mpl_chunk_at(chunk));
  mpl_tasks_collected(pool.ledger);
  return sum;
}

static void waking(void) {
  begin(2);
  uint64_t number[] = {0, 1};
  struct mpl_child *child[2];
  for (int i = 0; i < 2; i++) child[i] = world_start(serve, &number[i]);
  for (int i = 0; i < 2; i++) world_until_asleep(child[i]->ident, &pool.ledger->work);
  for (uint64_t i = 0; i < 200; i++) {
    pool_put(&pool, i, 1 + i % 5, 0);
    if (i % 2 == 0) CHECK(await(1 + i % 3).cancelled == 0);
  }
  for (int i = 0; i < 100; i++) await(64);
  CHECK(!mpl_tasks_is_ready(pool.ledger));
  for (int i = 0; i < 2; i++) world_until_asleep(child[i]->ident, &pool.ledger->work);
  mpl_tasks_close(pool.ledger);
  for (int i = 0; i < 2; i++) CHECK(world_join(child[i]) == 0);
  end();
}

/* Workers are killed while they work; each task has its result, once. */
#define CROWD_WORKERS 4
#define CROWD_CHUNKS 600

static void crowd(void) {
  uint64_t number[CROWD_WORKERS], got = 0, seed = 1;
  struct mpl_child *worker[CROWD_WORKERS];
  unsigned kills = 0;
  begin(CROWD_WORKERS);
  static uint64_t seen[CROWD_CHUNKS];
  for (uint64_t i = 0; i < CROWD_CHUNKS; i++) pool_put(&pool, i, 1 + i % POOL_MOST, 1000000);
  for (int i = 0; i < CROWD_WORKERS; i++) {
    number[i] = (uint64_t)i;
    worker[i] = world_start(serve, &number[i]);
  }
  while (got < CROWD_CHUNKS) {
    struct pool_sum sum;
    for (int i = 0; i < 3 && pool_try_collect(&pool, &sum); i++, got++) {
      CHECK(sum.values == 1 + sum.tag % POOL_MOST && seen[sum.tag]++ == 0);
    }
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    uint64_t i = (seed >> 33) % CROWD_WORKERS;
    if (kills >= 300) continue;
    kill(worker[i]->pid, SIGKILL);
    CHECK(world_join(worker[i]) == -SIGKILL);
    mpl_tasks_lost(pool.ledger, i, -SIGKILL);
    worker[i] = world_start(serve, &number[i]);
    kills++;
  }
  mpl_tasks_close(pool.ledger);
  for (int i = 0; i < CROWD_WORKERS; i++) CHECK(world_join(worker[i]) == 0);
  printf("%u workers killed\n", kills);
  end();
}

/*
** The alarm
*/

/* Shared: how often the task was struck, and whether it runs. */
static mpl_a64 *struck, *runs;

/* Goes on until it is killed. */
static void run_for_ever(void *arg) {
  struct mpl_chunk *c = take(0);
  (void)arg;
  mpl_alarm_open(NULL);
  mpl_chunk_begin(c);
  CHECK(mpl_alarm_start(c, mpl_os_tick()));
  mpl_store64_rel(runs, 1);
  int64_t patience = world_deadline();
  while (mpl_os_now() < patience)
    if (mpl_signal_take(MPL_SIGNAL_TASK)) mpl_add64_ar(struck, 1);
}

static void until_task_runs(void) {
  int64_t patience = world_deadline();
  while (mpl_load64_acq(runs) == 0) {
    CHECK(mpl_os_now() < patience);
    sched_yield();
  }
}

static void begin_alarm(int64_t timeout) {
  begin(1);
  struct mpl_chunk like = {.tag = 1, .count = 2, .retries = 5, .timeout = timeout};
  CHECK(mpl_tasks_put(pool.ledger, pool_chunk(&pool, like, false)) == MPL_OK);
  struck = &pool.ledger->worker[0].slowest[0].took; /* of no other use here */
  runs = &pool.ledger->worker[0].slowest[1].took;
}

/* A task that does not end is killed, and not tried again. */
static void too_late(void) {
  begin_alarm(20 * WORLD_MS);
  CHECK(world_join(world_start(run_for_ever, NULL)) == -SIGKILL);
  CHECK(mpl_load64_rlx(struck) > 1);
  CHECK(mpl_tasks_lost(pool.ledger, 0, -SIGKILL));
  struct pool_sum sum = finish();
  CHECK(sum.timeouts == 1 && sum.values == 1);
  end();
}

static void cancelled_while_it_runs(void) {
  uint64_t worker;
  begin_alarm(0);
  struct mpl_child *child = world_start(run_for_ever, NULL);
  until_task_runs();
  CHECK(mpl_tasks_cancel(pool.ledger, 1, &worker) == MPL_TASKS_RUNNING && worker == 0);
  CHECK(kill(child->pid, MPL_ALARM_SIGNAL) == 0);
  CHECK(world_join(child) == -SIGKILL && mpl_load64_rlx(struck) > 1);
  CHECK(mpl_tasks_lost(pool.ledger, 0, -SIGKILL));
  CHECK(pool_collect(&pool).cancelled == 2);
  end();
}

/* One timer serves many tasks; a task in time hears nothing of it. */
static void in_time(void) {
  struct mpl_chunk c = {.count = 1, .timeout = 5 * WORLD_MS};
  world_make();
  mpl_alarm_open(NULL);
  int64_t patience = world_deadline();
  for (int i = 0; i < 20000; i++) { /* now and then even this is too late, on a busy machine */
    CHECK(mpl_alarm_start(&c, mpl_os_tick()));
    mpl_alarm_stop();
  }
  c.timeout = WORLD_PATIENCE;
  CHECK(mpl_alarm_start(&c, mpl_os_tick()));
  CHECK(mpl_alarm_struck() == MPL_CHUNK_NONE && mpl_alarm_stop() == MPL_CHUNK_NONE);
  CHECK(!mpl_signal_pending(MPL_SIGNAL_TASK));
  c.timeout = WORLD_MS;
  CHECK(mpl_alarm_start(&c, mpl_os_tick()));
  while (!mpl_signal_pending(MPL_SIGNAL_TASK)) CHECK(mpl_os_now() < patience);
  CHECK(mpl_alarm_stop() == MPL_CHUNK_TIMEOUT && !mpl_signal_pending(MPL_SIGNAL_TASK));
}

int main(int argc, char **argv) {
  (void)argc;
  unit_run("to and fro", to_and_fro);
  unit_run("room", room);
  unit_run("room learns", room_learns);
  unit_run("jobs", jobs);
  unit_run("cancelling", cancelling);
  unit_run("closing", closing);
  unit_run("out of memory", out_of_memory);
  unit_run("checker", checker);
  unit_run("deaths", deaths);
  unit_run("retries", retries);
  unit_run("waking", waking);
  unit_run("crowd", crowd);
  unit_run("too late", too_late);
  unit_run("cancelled while it runs", cancelled_while_it_runs);
  unit_run("in time", in_time);
  return unit_end(argv[0]);
}
