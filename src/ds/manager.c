/*
** See manager.h.
*/
#include "ds/manager.h"

#include "shm/message.h"
#include "shm/reflist.h"
#include "shm/super.h"

#define REFS_EACH 24 /* of a message */

static struct mpl_robust *lock(void) {
  return &mpl_super()->objects.lock;
}

/* Takes the newest message into the hand; 0 if nothing is kept any more. */
static mpl_off take_newest(struct mpl_manager *manager) {
  if (mpl_robust_lock(lock()) == MPL_DAMAGED) return 0;
  mpl_off message = mpl_load64_rlx(&manager->kept);
  if (message != 0) {
    struct mpl_message *m = mpl_message_at(message);
    uint64_t left = mpl_load64_rlx(&manager->count) - mpl_load64_rlx(&m->nrefs);
    mpl_tx_store(&manager->kept, mpl_load64_rlx(&m->next));
    mpl_tx_publish(&manager->count, left);
    mpl_hand_put(mpl_self, message, MPL_HAND_MESSAGE);
    mpl_tx_commit();
  }
  mpl_robust_unlock(lock());
  return message;
}

/* Drops all that it keeps; others may do the same at the same time. */
static void drop_all(void *body) {
  mpl_off message;
  while ((message = take_newest(body)) != 0) mpl_message_drop(mpl_self, message);
}

/* See struct mpl_object_ops. */
static bool walk(void *body, bool (*visit)(void *arg, mpl_off block),
                 bool (*ref)(void *arg, uint64_t id), void *arg) {
  const struct mpl_manager *manager = body;
  uint64_t count = 0;
  mpl_off message = mpl_load64_rlx(&manager->kept);
  for (; message != 0; message = mpl_load64_rlx(&mpl_message_at(message)->next)) {
    if (!mpl_message_walk(message, visit, ref, arg)) return false;
    count += mpl_load64_rlx(&mpl_message_at(message)->nrefs);
  }
  return count == mpl_load64_rlx(&manager->count);
}

void mpl_manager_register(void) {
  static const struct mpl_object_ops ops = {.name = "Manager", .dismantle = drop_all, .walk = walk};
  mpl_object_register(MPL_TYPE_MANAGER, &ops);
  mpl_life_register();
}

/* A manager that keeps nothing, to which the caller then holds a reference. MPL_NOMEM,
   MPL_NOPRIVATE, MPL_DAMAGED. */
enum mpl_status mpl_manager_new(uint64_t *id) {
  uint64_t life;
  enum mpl_status s = mpl_life_new(&life);
  if (s != MPL_OK) return s;
  s = mpl_object_new(MPL_TYPE_MANAGER, sizeof(struct mpl_manager), NULL, NULL, id);
  if (s == MPL_OK) {
    s = mpl_life_give(mpl_object_body(life, MPL_TYPE_LIFE), *id);
    if (s != MPL_OK) mpl_reflist_release(*id);
  }
  mpl_reflist_release(life); /* the manager has a reference of its own */
  return s;
}

/*
** Keeping
*/

static bool is_full(mpl_off message) {
  const struct mpl_message *m = message == 0 ? NULL : mpl_message_at(message);
  return m == NULL || mpl_load64_rlx(&m->nrefs) == m->capacity;
}

/* In a section under the object lock: puts a message, from the hand, in front of the others. */
static void tx_link(struct mpl_manager *manager, mpl_off message) {
  mpl_hand_take(mpl_self, message);
  mpl_tx_store(&mpl_message_at(message)->next, mpl_load64_rlx(&manager->kept));
  mpl_tx_store(&manager->kept, message);
}

/* The same: counts a reference in the newest message, which has room. */
static void tx_keep(struct mpl_manager *manager, uint64_t id) {
  struct mpl_message *m = mpl_message_at(mpl_load64_rlx(&manager->kept));
  uint64_t n = mpl_load64_rlx(&m->nrefs);
  mpl_store64_rlx(&m->ref[n], id);
  mpl_object_tx_ref(id);
  mpl_tx_store(&m->nrefs, n + 1);
  mpl_tx_publish(&manager->count, mpl_load64_rlx(&manager->count) + 1);
}

/* With room in the newest message or, if there is none, a message in *spare, which is then used.
   MPL_BLOCK: there is neither. */
static enum mpl_status keep(struct mpl_manager *manager, uint64_t id, uint64_t part,
                            mpl_off *spare) {
  enum mpl_status s = MPL_OK;
  if (mpl_robust_lock(lock()) == MPL_DAMAGED) return MPL_DAMAGED;
  bool full = is_full(mpl_load64_rlx(&manager->kept));
  if (mpl_life_is_over(manager)) {
    s = MPL_ENDED;
  } else if (full && *spare == 0) {
    s = MPL_BLOCK;
  } else {
    if (full) tx_link(manager, *spare);
    if (full) *spare = 0;
    tx_keep(manager, id);
    mpl_life_tx_give(mpl_life_of(manager), id);
    if (part != 0) mpl_life_tx_give(mpl_life_of(manager), part);
    mpl_tx_commit();
  }
  mpl_robust_unlock(lock());
  return s;
}

/*
** Keeps an object that the caller has made and nobody else knows: it, and its part (another object
** that was made with it; 0: none), belong to the manager's lifetime from now on. MPL_OK; MPL_ENDED,
** the manager was shut down; MPL_NOMEM, MPL_DAMAGED.
*/
enum mpl_status mpl_manager_keep(struct mpl_manager *manager, uint64_t id, uint64_t part) {
  mpl_off spare = 0;
  enum mpl_status s = keep(manager, id, part, &spare);
  if (s == MPL_BLOCK) {
    s = mpl_message_new(0, REFS_EACH, &spare);
    if (s == MPL_OK) s = keep(manager, id, part, &spare);
  }
  if (spare != 0) mpl_message_drop(mpl_self, spare);
  return s;
}

/* Ends its lifetime and drops what it keeps. If the caller dies before all is dropped the rest goes
   at the next shutdown, or with the manager. MPL_OK or MPL_DAMAGED. */
enum mpl_status mpl_manager_shutdown(struct mpl_manager *manager) {
  enum mpl_status s = mpl_life_is_over(manager) ? MPL_OK : mpl_life_end(mpl_life_of(manager));
  if (s != MPL_OK) return s;
  drop_all(manager);
  mpl_object_bury();
  return MPL_OK;
}

/* How many objects it keeps. */
uint64_t mpl_manager_count(const struct mpl_manager *manager) {
  return mpl_load64_acq(&manager->count);
}
