/*
** Reference lists: see reflist.h.
*/
#include "shm/reflist.h"

#include <stdlib.h>

#include "shm/object.h"
#include "shm/super.h"

#define FIRST_CAPACITY 28 /* a list of 256 bytes */
#define DROPS_PER_SECTION 8 /* bounded by the journal: at most 5 stores each */

struct reflist {
  mpl_a64 older;
  mpl_a64 pointers; /* slots and newer lists that point here; above 1 it is frozen */
  mpl_a64 n;
  uint64_t capacity;
  mpl_a64 id[];
};

/* What this process knows about its reference to the object of an index. */
struct place {
  uint64_t id;   /* 0: none */
  mpl_off list;
  uint32_t at;
  uint32_t handles; /* 0: waits to be dropped, its list is shared */
};

static MPL_PER_PROCESS struct place *places;
static MPL_PER_PROCESS uint64_t nplaces;
static MPL_PER_PROCESS uint64_t waiting; /* places with an id and no handle */

static struct mpl_robust *lock_of_objects(void) {
  return &mpl_super()->objects.lock;
}

static struct reflist *at(mpl_off list) {
  return MPL_AT(struct reflist, list);
}

static mpl_a64 *slot_of(mpl_off list, uint64_t i) {
  return (mpl_a64 *)mpl_arena_at(list + sizeof(struct reflist) + i * sizeof(uint64_t),
                                 sizeof(uint64_t));
}

static mpl_off newest(void) {
  return mpl_load64_rlx(&mpl_self->refs);
}

static uint64_t index_of(uint64_t id) {
  return id & UINT32_MAX;
}

static struct place *place_of(uint64_t id) {
  uint64_t index = index_of(id);
  return id != 0 && index < nplaces && places[index].id == id ? &places[index] : NULL;
}

static enum mpl_status place_reserve(uint64_t index) {
  if (index < nplaces) return MPL_OK;
  uint64_t n = nplaces == 0 ? 64 : nplaces;
  while (n <= index) n *= 2;
  struct place *p = realloc(places, n * sizeof *p);
  if (p == NULL) return MPL_NOPRIVATE;
  for (uint64_t i = nplaces; i < n; i++) p[i] = (struct place){0};
  places = p;
  nplaces = n;
  return MPL_OK;
}

/*
** Adding
*/

/* A handle more for an object that the process refers to already; false if it does not. */
bool mpl_reflist_again(uint64_t id) {
  struct place *p = place_of(id);
  if (p == NULL) return false;
  if (p->handles++ == 0) waiting--;
  return true;
}

/* Whether the newest list may be changed. It stays so until this process forks; a list that is
   shared may become the process's own at any time. */
static bool newest_is_own(void) {
  return newest() != 0 && mpl_load64_acq(&at(newest())->pointers) == 1;
}

static bool has_room(void) {
  return newest_is_own() && mpl_load64_rlx(&at(newest())->n) < at(newest())->capacity;
}

/* The old list is the process's own and shall be replaced by another: moves its entries. In a
   section; the old list is then in hand. */
static void tx_replace(mpl_off old, mpl_off list) {
  uint64_t n = mpl_load64_rlx(&at(old)->n);
  for (uint64_t i = 0; i < n; i++)
    mpl_store64_rlx(slot_of(list, i), mpl_load64_rlx(slot_of(old, i)));
  MPL_POINT();
  mpl_store64_rlx(&at(list)->n, n);
  MPL_POINT();
  mpl_store64_rlx(&at(list)->older, mpl_load64_rlx(&at(old)->older));
  mpl_hand_put(mpl_self, old, MPL_HAND_BLOCK);
}

/* Puts a new list of this capacity at the head of the chain: in the place of the newest, which is
   the process's own and has no more entries, or before it. */
static enum mpl_status renew(uint64_t capacity, bool replace) {
  mpl_off old = newest(), list;
  enum mpl_status s =
      mpl_heap_alloc(sizeof(struct reflist) + capacity * sizeof(uint64_t), &list);
  if (s != MPL_OK) return s;
  if (mpl_robust_lock(lock_of_objects()) == MPL_DAMAGED) return MPL_DAMAGED;
  MPL_POINT();
  mpl_store64_rlx(&at(list)->pointers, 1);
  mpl_store64_rlx(&at(list)->n, 0);
  mpl_store64_rlx(&at(list)->older, old);
  at(list)->capacity = capacity;
  mpl_hand_take(mpl_self, list);
  if (replace) tx_replace(old, list);
  mpl_tx_store(&mpl_self->refs, list);
  mpl_tx_commit();
  mpl_robust_unlock(lock_of_objects());
  if (replace) {
    for (uint64_t i = 0; i < mpl_load64_rlx(&at(list)->n); i++)
      places[index_of(mpl_load64_rlx(slot_of(list, i)))].list = list;
    mpl_heap_free(mpl_self, old);
  }
  return MPL_OK;
}

/* Gives the process a newest list with room. */
static enum mpl_status extend(void) {
  bool own = newest_is_own();
  return renew(own ? 2 * at(newest())->capacity : FIRST_CAPACITY, own);
}

/* Gives memory back if the newest list is the process's own and far larger than its entries
   need. */
static void shrink(void) {
  if (!newest_is_own()) return;
  struct reflist *list = at(newest());
  uint64_t n = mpl_load64_rlx(&list->n), capacity = FIRST_CAPACITY;
  while (capacity < n) capacity *= 2;
  if (capacity < list->capacity) renew(capacity, true); /* without memory it stays as it is */
}

/* Makes room for one entry more, here and in the private table up to `index`. MPL_OK with the
   object lock held; MPL_NOMEM, MPL_NOPRIVATE, MPL_DAMAGED without. */
enum mpl_status mpl_reflist_reserve(uint64_t index) {
  enum mpl_status s = place_reserve(index);
  while (s == MPL_OK) {
    if (mpl_robust_lock(lock_of_objects()) == MPL_DAMAGED) return MPL_DAMAGED;
    if (has_room()) return MPL_OK;
    mpl_robust_unlock(lock_of_objects());
    s = extend();
  }
  return s;
}

/* In a section after mpl_reflist_reserve: adds an entry. */
void mpl_reflist_tx_add(uint64_t id) {
  struct reflist *list = at(newest());
  uint64_t n = mpl_load64_rlx(&list->n);
  MPL_POINT();
  mpl_store64_rlx(slot_of(newest(), n), id); /* beyond the count: nobody reads it yet */
  mpl_tx_store(&list->n, n + 1);
}

/* After the commit of that section: the process has its first handle. */
void mpl_reflist_added(uint64_t id) {
  uint64_t n = mpl_load64_rlx(&at(newest())->n);
  places[index_of(id)] =
      (struct place){.id = id, .list = newest(), .at = (uint32_t)(n - 1), .handles = 1};
}

/*
** Dropping
*/

/* Whether only this process reaches the list: all lists from the newest to it have one pointer. */
static bool is_own(mpl_off list) {
  for (mpl_off l = newest(); l != 0; l = mpl_load64_rlx(&at(l)->older)) {
    if (mpl_load64_rlx(&at(l)->pointers) != 1) return false;
    if (l == list) return true;
  }
  return false;
}

/* Drops a reference whose list is the process's own. The object lock is held. */
static void drop(struct place *p) {
  struct reflist *list = at(p->list);
  uint64_t last = mpl_load64_rlx(&list->n) - 1;
  uint64_t moved = mpl_load64_rlx(slot_of(p->list, last));
  if (p->at != last) mpl_tx_store(slot_of(p->list, p->at), moved);
  mpl_tx_store(&list->n, last);
  mpl_object_tx_unref(p->id);
  mpl_tx_commit();
  places[index_of(moved)].at = p->at;
  p->id = 0;
}

/* A handle of the object is gone; with the last one the reference goes, now or once it can. */
void mpl_reflist_release(uint64_t id) {
  if (mpl_self == NULL) return; /* no member any more, see proc/fork.c */
  struct place *p = place_of(id);
  MPL_ASSERT(p != NULL && p->handles > 0);
  if (--p->handles > 0) return;
  waiting++;
  if (mpl_robust_lock(lock_of_objects()) == MPL_DAMAGED) return;
  if (is_own(p->list)) {
    drop(p);
    waiting--;
  }
  mpl_robust_unlock(lock_of_objects());
  mpl_object_bury();
}

/* Takes an empty list that is the process's own, but not the newest, out of the chain, into the
   hand; 0: there is none. The object lock is held. */
static mpl_off unlink_empty(void) {
  mpl_off newer = newest();
  while (newer != 0 && mpl_load64_rlx(&at(newer)->pointers) == 1) {
    mpl_off list = mpl_load64_rlx(&at(newer)->older);
    if (list == 0 || mpl_load64_rlx(&at(list)->pointers) != 1) return 0;
    if (mpl_load64_rlx(&at(list)->n) == 0) {
      mpl_tx_store(&at(newer)->older, mpl_load64_rlx(&at(list)->older));
      mpl_hand_put(mpl_self, list, MPL_HAND_BLOCK);
      mpl_tx_commit();
      return list;
    }
    newer = list;
  }
  return 0;
}

/* Frees the lists that have become the process's own and are empty. */
static void free_empty(void) {
  mpl_off list;
  do {
    if (mpl_robust_lock(lock_of_objects()) == MPL_DAMAGED) return;
    list = unlink_empty();
    mpl_robust_unlock(lock_of_objects());
    if (list != 0) mpl_heap_free(mpl_self, list);
  } while (list != 0);
}

static void drop_waiting(void) {
  if (waiting == 0 || mpl_robust_lock(lock_of_objects()) == MPL_DAMAGED) return;
  for (uint64_t i = 0; i < nplaces && waiting > 0; i++) {
    struct place *p = &places[i];
    if (p->id != 0 && p->handles == 0 && is_own(p->list)) {
      drop(p);
      waiting--;
    }
  }
  mpl_robust_unlock(lock_of_objects());
}

/* When another process has ended: drops what waited for its list to become the process's own again,
   and gives back the memory of lists that are not needed any more. */
void mpl_reflist_sweep(void) {
  drop_waiting();
  free_empty();
  shrink();
  mpl_object_bury();
}

/* Before a fork: the child, whose slot is reserved, inherits all references of the caller. MPL_OK
   or MPL_DAMAGED. */
enum mpl_status mpl_reflist_share(struct mpl_slot *child) {
  if (mpl_robust_lock(lock_of_objects()) == MPL_DAMAGED) return MPL_DAMAGED;
  if (newest() != 0) {
    mpl_tx_store(&at(newest())->pointers, mpl_load64_rlx(&at(newest())->pointers) + 1);
    mpl_tx_store(&child->refs, newest());
    mpl_tx_commit();
  }
  mpl_robust_unlock(lock_of_objects());
  return MPL_OK;
}

/* One step of dropping all; the object lock is held. Returns false when the slot has no list left,
   and in *freed a list to be freed, which then is in the caller's hand. */
static bool drop_step(struct mpl_slot *slot, mpl_off *freed) {
  mpl_off head = mpl_load64_rlx(&slot->refs);
  *freed = 0;
  if (head == 0) return false;
  struct reflist *list = at(head);
  uint64_t pointers = mpl_load64_rlx(&list->pointers), n = mpl_load64_rlx(&list->n);
  if (pointers > 1) {
    mpl_tx_store(&list->pointers, pointers - 1);
    mpl_tx_store(&slot->refs, 0);
  } else if (n > 0) {
    for (int i = 0; i < DROPS_PER_SECTION && n > 0; i++)
      mpl_object_tx_unref(mpl_load64_rlx(slot_of(head, --n)));
    mpl_tx_store(&list->n, n);
  } else {
    mpl_tx_store(&slot->refs, mpl_load64_rlx(&list->older));
    mpl_hand_put(mpl_self, head, MPL_HAND_BLOCK);
    *freed = head;
  }
  mpl_tx_commit();
  return true;
}

/* Gives back all references of a slot: the caller's, at its end, or a dead process's. Can be gone
   on with by another process if the caller dies. The caller calls mpl_object_bury afterwards. */
void mpl_reflist_drop_all(struct mpl_slot *slot) {
  bool more = true;
  while (more) {
    mpl_off freed;
    if (mpl_robust_lock(lock_of_objects()) == MPL_DAMAGED) return;
    more = drop_step(slot, &freed);
    mpl_robust_unlock(lock_of_objects());
    if (freed != 0) mpl_heap_free(mpl_self, freed);
  }
}

/* Calls visit for every reference of a process, which may just end, under the object lock: it must
   take no lock and not wait. */
void mpl_reflist_each(const struct mpl_slot *slot, void (*visit)(void *arg, uint64_t id),
                      void *arg) {
  if (mpl_robust_lock(lock_of_objects()) == MPL_DAMAGED) return;
  for (mpl_off l = mpl_load64_rlx(&slot->refs); l != 0; l = mpl_load64_rlx(&at(l)->older))
    for (uint64_t i = 0; i < mpl_load64_rlx(&at(l)->n); i++)
      if (mpl_load64_rlx(slot_of(l, i)) != 0) visit(arg, mpl_load64_rlx(slot_of(l, i)));
  mpl_robust_unlock(lock_of_objects());
}

/* For the checker: visits the lists and references that this slot points at. Lists that several
   slots share are visited once for each. */
bool mpl_reflist_check(struct mpl_slot *slot, bool (*visit)(void *arg, mpl_off block),
                       bool (*ref)(void *arg, uint64_t id), void *arg) {
  for (mpl_off l = mpl_load64_rlx(&slot->refs); l != 0; l = mpl_load64_rlx(&at(l)->older)) {
    if (!visit(arg, l)) return true; /* visited before, and so is what follows it */
    for (uint64_t i = 0; i < mpl_load64_rlx(&at(l)->n); i++)
      if (!ref(arg, mpl_load64_rlx(slot_of(l, i)))) return false;
  }
  return true;
}
