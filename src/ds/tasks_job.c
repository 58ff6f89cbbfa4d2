/*
** The jobs of a task ledger: see struct mpl_job in tasks.h.
*/
#include <string.h>

#include "ds/section.h"
#include "ds/tasks.h"

static bool same_bytes(const unsigned char *at, const struct mpl_piece *pieces, size_t npieces) {
  for (size_t i = 0; i < npieces; at += pieces[i++].size)
    if (memcmp(at, pieces[i].data, pieces[i].size) != 0) return false;
  return true;
}

/* A job with these contents (its struct mpl_job apart), or 0. */
mpl_off mpl_tasks_job_like(struct mpl_tasks *t, const struct mpl_piece *pieces, size_t npieces,
                           const uint64_t *refs, size_t nrefs) {
  uint64_t size = sizeof(struct mpl_job);
  for (size_t i = 0; i < npieces; i++) size += pieces[i].size;
  mpl_off job = mpl_load64_rlx(&t->jobs);
  for (; job != 0; job = mpl_load64_rlx(&mpl_message_at(job)->next)) {
    struct mpl_message *m = mpl_message_at(job);
    if (m->size == size && mpl_load64_rlx(&m->nrefs) == nrefs &&
        (nrefs == 0 || memcmp((const uint64_t *)m->ref, refs, nrefs * sizeof *refs) == 0) &&
        same_bytes((unsigned char *)(mpl_tasks_job_at(job) + 1), pieces, npieces))
      break;
  }
  return job;
}

/* The job with this id, or 0. */
mpl_off mpl_tasks_job_find(struct mpl_tasks *t, uint64_t id) {
  mpl_off job = mpl_load64_rlx(&t->jobs);
  while (job != 0 && mpl_tasks_job_at(job)->id != id)
    job = mpl_load64_rlx(&mpl_message_at(job)->next);
  return job;
}

/* Makes a job of a message in the caller's hand, in which the place of a struct mpl_job is still
   free. The caller needs it. MPL_OK, or MPL_DAMAGED and the message is still in the hand. */
enum mpl_status mpl_tasks_job_enter(struct mpl_tasks *t, mpl_off message) {
  *mpl_tasks_job_at(message) = (struct mpl_job){.id = ++t->job_ids, .users = 1};
  if (mpl_robust_lock(&t->lock) == MPL_DAMAGED) return MPL_DAMAGED;
  mpl_off first = mpl_load64_rlx(&t->jobs);
  mpl_tx_store(&mpl_message_at(message)->next, first);
  if (first != 0) mpl_tx_store(&mpl_tasks_job_at(first)->before, message);
  mpl_hand_take(mpl_self, message);
  mpl_tx_store(&t->jobs, message);
  mpl_section_leave(&t->lock);
  return MPL_OK;
}

/* In a section: a user less. If it was the last one the job is in hand then, and to be dropped. */
bool mpl_tasks_job_tx_leave(struct mpl_tasks *t, mpl_off job) {
  struct mpl_job *j = mpl_tasks_job_at(job);
  uint64_t users = mpl_load64_rlx(&j->users) - 1;
  mpl_tx_store(&j->users, users);
  if (users > 0) return false;
  mpl_off before = mpl_load64_rlx(&j->before), next = mpl_load64_rlx(&mpl_message_at(job)->next);
  mpl_tx_store(before == 0 ? &t->jobs : &mpl_message_at(before)->next, next);
  if (next != 0) mpl_tx_store(&mpl_tasks_job_at(next)->before, before);
  mpl_hand_put(mpl_self, job, MPL_HAND_MESSAGE);
  return true;
}

/* The owner needs the job once more, or once less. MPL_OK or MPL_DAMAGED. */
enum mpl_status mpl_tasks_job_use(struct mpl_tasks *t, mpl_off job, bool more) {
  mpl_a64 *users = &mpl_tasks_job_at(job)->users;
  bool last = false;
  if (mpl_robust_lock(&t->lock) == MPL_DAMAGED) return MPL_DAMAGED;
  if (more)
    mpl_tx_store(users, mpl_load64_rlx(users) + 1);
  else
    last = mpl_tasks_job_tx_leave(t, job);
  mpl_section_leave(&t->lock);
  if (last) {
    mpl_message_drop(mpl_self, job);
    mpl_object_bury();
  }
  return MPL_OK;
}

/* For the checker: visits every job; false if their list is not whole. */
bool mpl_tasks_job_walk(struct mpl_tasks *t, bool (*visit)(void *arg, mpl_off block),
                        bool (*ref)(void *arg, uint64_t id), void *arg) {
  mpl_off before = 0, job = mpl_load64_rlx(&t->jobs);
  for (; job != 0; before = job, job = mpl_load64_rlx(&mpl_message_at(job)->next)) {
    if (!mpl_message_walk(job, visit, ref, arg)) return false;
    if (mpl_load64_rlx(&mpl_tasks_job_at(job)->before) != before) return false;
    if (mpl_load64_rlx(&mpl_tasks_job_at(job)->users) == 0) return false;
  }
  return true;
}
