/*
** The task ledger: see tasks.h.
*/
#include "ds/tasks.h"

#include "ds/section.h"
#include "shm/super.h"

static uint64_t count_of(struct mpl_tasks_list *list) {
  return mpl_load64_acq(&list->count);
}

/*
** Lists; all in a section under the lock
*/

static void tx_push_back(struct mpl_tasks_list *list, mpl_off chunk) {
  mpl_off last = mpl_load64_rlx(&list->last);
  mpl_tx_store(&mpl_chunk_at(chunk)->next, 0);
  mpl_tx_store(last == 0 ? &list->first : &mpl_chunk_at(last)->next, chunk);
  mpl_tx_store(&list->last, chunk);
  mpl_tx_publish(&list->count, count_of(list) + 1);
}

static void tx_push_front(struct mpl_tasks_list *list, mpl_off chunk) {
  mpl_off first = mpl_load64_rlx(&list->first);
  mpl_tx_store(&mpl_chunk_at(chunk)->next, first);
  mpl_tx_store(&list->first, chunk);
  if (first == 0) mpl_tx_store(&list->last, chunk);
  mpl_tx_publish(&list->count, count_of(list) + 1);
}

/* Takes out the chunk behind `before`; 0: the first. */
static mpl_off tx_take(struct mpl_tasks_list *list, mpl_off before) {
  mpl_a64 *link = before == 0 ? &list->first : &mpl_chunk_at(before)->next;
  mpl_off chunk = mpl_load64_rlx(link), next = mpl_load64_rlx(&mpl_chunk_at(chunk)->next);
  mpl_tx_store(link, next);
  if (next == 0) mpl_tx_store(&list->last, before);
  mpl_tx_publish(&list->count, count_of(list) - 1);
  return chunk;
}

/* One chunk more is finished, of which the owner is to hear. */
static void tx_finish(struct mpl_tasks *t, mpl_off chunk) {
  tx_push_back(&t->finished, chunk);
  mpl_tx_wake(&t->ready, MPL_EC_ALL);
}

/* After a commit: whether what is finished is worth waking the owner for, who says what it wants,
   and then looks what is finished. */
static bool is_wanted(struct mpl_tasks *t) {
  mpl_fence_sc();
  return count_of(&t->finished) >= mpl_load64_rlx(&t->wanted) || count_of(&t->queued) == 0;
}

/* Commits, and leaves the section. */
static void leave(struct mpl_tasks *t) {
  mpl_section_leave(&t->lock);
}

/*
** Chunks; by the owner
*/

/* Whether the worker that was the last to be busy is about to find the only chunk in the queue:
   to wake another one, too, would be dear. If it dies instead, mpl_tasks_lost wakes another one. */
static bool is_found(struct mpl_tasks *t) {
  mpl_fence_sc();
  return mpl_load64_acq(&t->worker[mpl_load64_rlx(&t->finisher)].looks) != 0;
}

/* Puts a chunk that lies in the caller's hand, as does the message with its arguments. Its job
   is one. MPL_OK; MPL_CLOSED, MPL_DAMAGED: both are in the hand still. */
enum mpl_status mpl_tasks_put(struct mpl_tasks *t, mpl_off chunk) {
  struct mpl_chunk *c = mpl_chunk_at(chunk);
  mpl_off args = mpl_load64_rlx(&c->args);
  mpl_a64 *users = &mpl_tasks_job_at(c->job)->users;
  if (mpl_load64_acq(&t->closed) != 0) return MPL_CLOSED;
  mpl_wait_show_cpu();
  if (mpl_robust_lock(&t->lock) == MPL_DAMAGED) return MPL_DAMAGED;
  bool only = count_of(&t->queued) == 0;
  mpl_tx_wake(&t->work, 1);
  mpl_hand_take(mpl_self, chunk);
  if (args != 0) mpl_hand_take(mpl_self, args);
  tx_push_back(&t->queued, chunk);
  mpl_tx_store(users, mpl_load64_rlx(users) + 1);
  mpl_tx_commit();
  mpl_robust_unlock(&t->lock);
  if (only && is_found(t))
    mpl_tx_wake_forget();
  else
    mpl_tx_wake_flush();
  return MPL_OK;
}

/* Whether there is something to collect. */
bool mpl_tasks_is_ready(struct mpl_tasks *t) {
  return count_of(&t->finished) > 0 || count_of(&t->collected) > 0;
}

/* In a section: all that are finished are collected. No others are. */
static void tx_collect(struct mpl_tasks *t) {
  mpl_tx_store(&t->collected.first, mpl_load64_rlx(&t->finished.first));
  mpl_tx_store(&t->collected.last, mpl_load64_rlx(&t->finished.last));
  mpl_tx_publish(&t->collected.count, count_of(&t->finished));
  mpl_tx_store(&t->finished.first, 0);
  mpl_tx_store(&t->finished.last, 0);
  mpl_tx_publish(&t->finished.count, 0);
}

/*
** A chunk that is finished; it stays the ledger's, and the first to be collected, until
** mpl_tasks_collected. Sleeps end as soon as `wanted` chunks are finished, or no more are queued.
** MPL_OK; MPL_BLOCK, and w says what to wait for; MPL_TIMEOUT, MPL_SIGNAL, MPL_DAMAGED.
*/
enum mpl_status mpl_tasks_collect(struct mpl_tasks *t, uint64_t wanted, mpl_off *chunk,
                                  struct mpl_wait *w, int64_t deadline) {
  if (count_of(&t->collected) == 0) {
    mpl_store64_rlx(&t->wanted, wanted);
    if (count_of(&t->finished) == 0) {
      w->kind = MPL_WAIT_OBJECT;
      w->body = t;
      w->ec = &t->ready;
      w->watch = &t->finished.count;
      w->seen = 0;
      w->peer = mpl_load64_rlx(&t->worker[mpl_load64_rlx(&t->finisher)].ident);
      w->stream = wanted > 1;
      return MPL_BLOCK;
    }
    enum mpl_status s = mpl_section_enter(&t->lock, deadline);
    if (s != MPL_OK) return s;
    tx_collect(t);
    leave(t);
  }
  *chunk = mpl_load64_rlx(&t->collected.first);
  return MPL_OK;
}

/* Takes the message at the head of a list of a chunk's out and drops it. False: the lock is
   damaged. */
static bool drop_first(struct mpl_tasks *t, mpl_a64 *link) {
  mpl_off message = mpl_load64_rlx(link);
  if (mpl_robust_lock(&t->lock) == MPL_DAMAGED) return false;
  mpl_tx_store(link, mpl_load64_rlx(&mpl_message_at(message)->next));
  mpl_hand_put(mpl_self, message, MPL_HAND_MESSAGE);
  leave(t);
  mpl_message_drop(mpl_self, message);
  return true;
}

/* Drops the chunk at `link`, which no list has any more but that of the collected, if at all. */
static bool drop_chunk(struct mpl_tasks *t, mpl_off chunk, struct mpl_tasks_list *list,
                       mpl_a64 *link) {
  struct mpl_chunk *c = mpl_chunk_at(chunk);
  mpl_off job = c->job;
  while (mpl_load64_rlx(&c->results) != 0)
    if (!drop_first(t, &c->results)) return false;
  if (mpl_load64_rlx(&c->args) != 0 && !drop_first(t, &c->args)) return false;
  if (mpl_robust_lock(&t->lock) == MPL_DAMAGED) return false;
  if (list != NULL)
    tx_take(list, 0);
  else
    mpl_tx_store(link, 0);
  mpl_hand_put(mpl_self, chunk, MPL_HAND_BLOCK);
  bool last = mpl_tasks_job_tx_leave(t, job);
  leave(t);
  mpl_heap_free(mpl_self, chunk);
  if (last) mpl_message_drop(mpl_self, job);
  return true;
}

/* The owner has read the first chunk that was collected. */
void mpl_tasks_collected(struct mpl_tasks *t) {
  mpl_off chunk = mpl_load64_rlx(&t->collected.first);
  t->result_size = mpl_chunk_result_size(mpl_chunk_at(chunk));
  drop_chunk(t, chunk, &t->collected, NULL);
  mpl_object_bury();
}

/* In a section: the chunk in an entry goes back to the front of the queue, or is finished. */
static void tx_settle(struct mpl_tasks *t, struct mpl_tasks_worker *entry) {
  mpl_off chunk = mpl_load64_rlx(&entry->chunk);
  mpl_tx_store(&entry->chunk, 0);
  if (mpl_chunk_is_over(mpl_chunk_at(chunk))) {
    tx_finish(t, chunk);
    if (mpl_load64_rlx(&t->closed) != 0) mpl_tx_wake(&t->work, MPL_EC_ALL);
  } else {
    tx_push_front(&t->queued, chunk);
    mpl_tx_wake(&t->work, 1);
  }
  mpl_tx_publish(&t->running, mpl_load64_rlx(&t->running) - 1);
}

/* The process that served as this worker has ended, with this exit status or -signal; it was
   cleaned up after. Whether it had begun to serve. */
bool mpl_tasks_lost(struct mpl_tasks *t, uint64_t worker, int code) {
  struct mpl_tasks_worker *entry = &t->worker[worker];
  if (mpl_robust_lock(&t->lock) == MPL_DAMAGED) return false;
  bool served = mpl_load64_rlx(&entry->ident) != 0;
  mpl_off chunk = mpl_load64_rlx(&entry->chunk);
  mpl_tx_store(&entry->ident, 0);
  mpl_tx_store(&entry->task, 0);
  mpl_tx_store(&entry->looks, 0);
  if (chunk != 0) {
    mpl_chunk_tx_bereave(mpl_chunk_at(chunk), mpl_load64_rlx(&entry->pid), code);
    tx_settle(t, entry);
  } else if (count_of(&t->queued) > 0) {
    mpl_tx_wake(&t->work, 1); /* it may have been awake to take it */
  }
  leave(t);
  return served;
}

/* Cancels the first chunk in the queue with this tag: it is finished, without results for what
   was not done yet. True if there is one. */
static bool tx_cancel_queued(struct mpl_tasks *t, uint64_t tag) {
  mpl_off before = 0, chunk = mpl_load64_rlx(&t->queued.first);
  while (chunk != 0 && mpl_chunk_at(chunk)->tag != tag) {
    before = chunk;
    chunk = mpl_load64_rlx(&mpl_chunk_at(chunk)->next);
  }
  if (chunk == 0) return false;
  tx_take(&t->queued, before);
  mpl_tx_store(&mpl_chunk_at(chunk)->cancel, 1);
  tx_finish(t, chunk);
  if (mpl_load64_rlx(&t->closed) != 0) mpl_tx_wake(&t->work, MPL_EC_ALL);
  return true;
}

/* Cancels the chunk in progress with this tag. True if there is one that was not cancelled
   before. */
static bool tx_cancel_running(struct mpl_tasks *t, uint64_t tag, uint64_t *worker) {
  for (uint64_t i = 0; i < t->nworkers; i++) {
    mpl_off chunk = mpl_load64_rlx(&t->worker[i].chunk);
    if (chunk == 0 || mpl_chunk_at(chunk)->tag != tag) continue;
    if (mpl_load64_rlx(&mpl_chunk_at(chunk)->cancel) != 0) continue;
    mpl_tx_publish(&mpl_chunk_at(chunk)->cancel, 1);
    *worker = i;
    return true;
  }
  return false;
}

/* Cancels one chunk with this tag. If it is in progress *worker is to be told so (proc/alarm.h). */
enum mpl_tasks_found mpl_tasks_cancel(struct mpl_tasks *t, uint64_t tag, uint64_t *worker) {
  enum mpl_tasks_found found = MPL_TASKS_NOTHING;
  if (mpl_robust_lock(&t->lock) == MPL_DAMAGED) return found;
  if (tx_cancel_queued(t, tag))
    found = MPL_TASKS_QUEUED;
  else if (tx_cancel_running(t, tag, worker))
    found = MPL_TASKS_RUNNING;
  leave(t);
  return found;
}

/* No more chunks are put. Workers end once all are finished. */
void mpl_tasks_close(struct mpl_tasks *t) {
  if (mpl_robust_lock(&t->lock) == MPL_DAMAGED) return;
  mpl_tx_wake(&t->work, MPL_EC_ALL);
  mpl_tx_publish(&t->closed, 1);
  leave(t);
}

/*
** By a worker
*/

/* The caller serves as this worker from now on. MPL_OK; MPL_MISUSE: somebody else does;
   MPL_DAMAGED. */
enum mpl_status mpl_tasks_serve(struct mpl_tasks *t, uint64_t worker) {
  struct mpl_tasks_worker *entry = &t->worker[worker];
  if (mpl_robust_lock(&t->lock) == MPL_DAMAGED) return MPL_DAMAGED;
  bool free = mpl_load64_rlx(&entry->ident) == 0;
  if (free) {
    mpl_store64_rlx(&entry->started, (uint64_t)mpl_os_now());
    mpl_store64_rlx(&entry->tasks, 0);
    mpl_store64_rlx(&entry->busy, 0);
    mpl_tx_store(&entry->pid, (uint64_t)mpl_os_pid());
    mpl_tx_store(&entry->ident, mpl_slot_ident(mpl_self));
  }
  leave(t);
  return free ? MPL_OK : MPL_MISUSE;
}

/* The worker has nothing to do. MPL_OK: there is a chunk in the queue; MPL_CLOSED: there never
   will be; else MPL_BLOCK, and w says what to wait for. Who is about to sleep says that it does
   not look any more, and then looks once more; an owner puts a chunk, and then looks who looks. */
static enum mpl_status idle(struct mpl_tasks *t, struct mpl_tasks_worker *me, struct mpl_wait *w) {
  w->ec = &t->work;
  w->watch = &t->queued.count;
  w->seen = 0;
  w->peer = t->owner;
  mpl_store64_rel(&me->looks, !mpl_wait_slept(w));
  mpl_fence_sc();
  if (count_of(&t->queued) > 0) return MPL_OK;
  if (mpl_load64_acq(&t->closed) == 0 || mpl_load64_acq(&t->running) > 0) return MPL_BLOCK;
  /* A chunk on its way counts in both places, so that it is in one of them at each instant. */
  return count_of(&t->queued) > 0 ? MPL_OK : MPL_CLOSED;
}

/*
** Hands in the chunk that the worker has, which is over, and takes the next one, in one section.
** MPL_OK; MPL_CLOSED: there will be none; MPL_BLOCK, and w says what to wait for; MPL_TIMEOUT,
** MPL_SIGNAL, MPL_DAMAGED. No chunk stands in its entry unless MPL_OK, or one stood there and the
** lock was not to be had.
*/
enum mpl_status mpl_tasks_step(struct mpl_tasks *t, uint64_t worker, mpl_off *chunk,
                               struct mpl_wait *w, int64_t deadline) {
  struct mpl_tasks_worker *me = &t->worker[worker];
  mpl_off had = mpl_load64_rlx(&me->chunk);
  enum mpl_status s = had == 0 ? idle(t, me, w) : MPL_OK;
  if (s == MPL_OK) s = mpl_section_enter(&t->lock, deadline);
  if (s != MPL_OK) return s;
  mpl_store64_rlx(&t->finisher, worker);
  mpl_store64_rlx(&me->looks, 0);
  mpl_off next = mpl_load64_rlx(&t->queued.first);
  uint64_t running = mpl_load64_rlx(&t->running) + (next != 0) - (had != 0);
  mpl_tx_publish(&t->running, running);
  if (next != 0) tx_take(&t->queued, 0);
  if (had != 0) {
    tx_finish(t, had);
    if (running == 0 && mpl_load64_rlx(&t->closed) != 0) mpl_tx_wake(&t->work, MPL_EC_ALL);
  }
  mpl_tx_store(&me->chunk, next);
  mpl_tx_commit();
  mpl_robust_unlock(&t->lock);
  if (is_wanted(t)) /* so it is where workers are to be woken: the queue is empty */
    mpl_tx_wake_flush();
  else
    mpl_tx_wake_forget();
  *chunk = next;
  if (next != 0) return MPL_OK;
  return idle(t, me, w) == MPL_CLOSED ? MPL_CLOSED : MPL_BLOCK;
}

/* The worker serves no more. What it has not done of its chunk is done by others. */
void mpl_tasks_leave(struct mpl_tasks *t, uint64_t worker) {
  struct mpl_tasks_worker *me = &t->worker[worker];
  if (mpl_load64_rlx(&me->chunk) == 0 || mpl_robust_lock(&t->lock) == MPL_DAMAGED) return;
  tx_settle(t, me);
  leave(t);
}

/* A worker gives up waiting, and may have been woken for nothing, or have been relied upon to look:
   another one is woken for it. */
void mpl_tasks_pass_on(struct mpl_tasks *t, uint64_t worker) {
  mpl_store64_rel(&t->worker[worker].looks, 0);
  mpl_fence_sc();
  if (count_of(&t->queued) > 0 && mpl_ec_awaited(&t->work)) mpl_ec_wake(&t->work, 1);
}

/* Publishes what came of the task begun as a message, which lies in the caller's hand. MPL_OK; or
   MPL_DAMAGED, and it still does. */
enum mpl_status mpl_tasks_chain(struct mpl_tasks *t, struct mpl_chunk *c, enum mpl_chunk_kind kind,
                                mpl_off message) {
  if (mpl_robust_lock(&t->lock) == MPL_DAMAGED) return MPL_DAMAGED;
  mpl_chunk_tx_chain(c, kind, message);
  leave(t);
  return MPL_OK;
}

/*
** What the object table needs
*/

static void dismantle(void *body) {
  struct mpl_tasks *t = body;
  struct mpl_tasks_list *lists[] = {&t->queued, &t->finished, &t->collected};
  mpl_off job;
  for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
    while (mpl_load64_rlx(&lists[i]->first) != 0)
      if (!drop_chunk(t, mpl_load64_rlx(&lists[i]->first), lists[i], NULL)) return;
  for (uint64_t i = 0; i < t->nworkers; i++) {
    mpl_off chunk = mpl_load64_rlx(&t->worker[i].chunk);
    if (chunk != 0 && !drop_chunk(t, chunk, NULL, &t->worker[i].chunk)) return;
  }
  while ((job = mpl_load64_rlx(&t->jobs)) != 0)
    if (!drop_first(t, &t->jobs)) return;
}

/* What the checker does with each thing. */
struct walk {
  bool (*visit)(void *arg, mpl_off block);
  bool (*ref)(void *arg, uint64_t id);
  void *arg;
};

static bool walk_list(struct mpl_tasks_list *list, const struct walk *w) {
  uint64_t n = 0;
  mpl_off last = 0, chunk = mpl_load64_rlx(&list->first);
  for (; chunk != 0; last = chunk, chunk = mpl_load64_rlx(&mpl_chunk_at(chunk)->next), n++)
    if (!mpl_chunk_walk(chunk, w->visit, w->ref, w->arg)) return false;
  return n == count_of(list) && last == mpl_load64_rlx(&list->last);
}

static bool walk_workers(struct mpl_tasks *t, const struct walk *w) {
  uint64_t running = 0;
  for (uint64_t i = 0; i < t->nworkers; i++) {
    mpl_off chunk = mpl_load64_rlx(&t->worker[i].chunk);
    if (chunk == 0) continue;
    if (!mpl_chunk_walk(chunk, w->visit, w->ref, w->arg)) return false;
    running++;
  }
  return running == mpl_load64_rlx(&t->running);
}

static bool walk(void *body, bool (*visit)(void *arg, mpl_off block),
                 bool (*ref)(void *arg, uint64_t id), void *arg) {
  struct mpl_tasks *t = body;
  struct walk w = {visit, ref, arg};
  return walk_list(&t->queued, &w) && walk_list(&t->finished, &w) && walk_list(&t->collected, &w) &&
         walk_workers(t, &w) && mpl_tasks_job_walk(t, visit, ref, arg);
}

static const struct mpl_object_ops ops = {.name = "Tasks", .dismantle = dismantle, .walk = walk};

void mpl_tasks_register(void) {
  mpl_object_register(MPL_TYPE_TASKS, &ops);
}

static enum mpl_status init(void *body, const void *arg) {
  struct mpl_tasks *t = body;
  t->nworkers = *(const uint64_t *)arg;
  t->owner = mpl_slot_ident(mpl_self);
  return mpl_robust_init(&t->lock, MPL_RANK_STRUCTURE);
}

/* An empty ledger of the caller's, with room for so many workers. MPL_NOMEM, MPL_NOPRIVATE. */
enum mpl_status mpl_tasks_new(uint64_t nworkers, uint64_t *id) {
  uint64_t size = sizeof(struct mpl_tasks) + nworkers * sizeof(struct mpl_tasks_worker);
  return mpl_object_new(MPL_TYPE_TASKS, size, init, &nworkers, id);
}
