/*
** The object table: see object.h. Lists of references are in reflist.c.
*/
#include "shm/object.h"

#include <stdio.h>
#include <string.h>

#include "base/os.h"
#include "shm/recover.h"
#include "shm/reflist.h"
#include "shm/super.h"

/* How long one who dismantles waits for another, ns. */
#define TURN_NS (2 * 1000 * 1000LL)

static const struct mpl_object_ops *ops_of[MPL_TYPE_COUNT];

static struct mpl_object_root *root(void) {
  return &mpl_super()->objects;
}

/* Says how a type is dismantled and checked; at start, before any fork. */
void mpl_object_register(enum mpl_object_type type, const struct mpl_object_ops *ops) {
  ops_of[type] = ops;
}

const struct mpl_object_ops *mpl_object_ops_of(enum mpl_object_type type) {
  return type > MPL_TYPE_NONE && type < MPL_TYPE_COUNT ? ops_of[type] : NULL;
}

/*
** Entries. Chunk k has CHUNK0 << k of them, so that the table grows without moving.
*/

static uint64_t index_of(uint64_t id) {
  return id & UINT32_MAX;
}

static unsigned chunk_of(uint64_t index) {
  return (unsigned)(63 - __builtin_clzll(index / MPL_OBJECT_CHUNK0 + 1));
}

static uint64_t chunk_first(unsigned k) {
  return (uint64_t)MPL_OBJECT_CHUNK0 * (((uint64_t)1 << k) - 1);
}

/* The entry of an index below the count. */
struct mpl_object *mpl_object_entry(uint64_t index) {
  MPL_ASSERT(index > 0 && index < mpl_load64_acq(&root()->count));
  unsigned k = chunk_of(index);
  mpl_off chunk = mpl_load64_rlx(&root()->chunk[k]);
  return MPL_AT(struct mpl_object, chunk + (index - chunk_first(k)) * sizeof(struct mpl_object));
}

/* The entry of an id, NULL if the object is no more or the id was never one. */
static struct mpl_object *find(uint64_t id) {
  uint64_t index = index_of(id);
  if (index == 0 || index >= mpl_load64_acq(&root()->count)) return NULL;
  struct mpl_object *e = mpl_object_entry(index);
  return mpl_load64_rlx(&e->id) == id && mpl_load64_rlx(&e->refs) > 0 ? e : NULL;
}

/* Type of an object that the caller holds a reference to; NONE if there is no such object. */
enum mpl_object_type mpl_object_type_of(uint64_t id) {
  struct mpl_object *e = find(id);
  return e == NULL ? MPL_TYPE_NONE : (enum mpl_object_type)mpl_load64_rlx(&e->type);
}

/* What a block needs beyond the body, wherever on a cache line the block begins. */
#define HEAD (sizeof(struct mpl_object_head) + MPL_CACHE_LINE - MPL_HEAP_ALIGN)

/* The body, on a cache line of its own within its block, behind its head. */
void *mpl_object_body_of(const struct mpl_object *e) {
  mpl_off least = mpl_load64_rlx(&e->body) + sizeof(struct mpl_object_head);
  return mpl_arena_at((least + MPL_CACHE_LINE - 1) & ~(mpl_off)(MPL_CACHE_LINE - 1), 1);
}

static struct mpl_object_head *head_of(const void *body) {
  return (struct mpl_object_head *)(uintptr_t)body - 1;
}

/* The id of the object whose body this is. */
uint64_t mpl_object_id_of(const void *body) {
  return mpl_load64_rlx(&head_of(body)->id);
}

/* Name of the object whose body this is, or where it was made; empty if it was not said. */
const char *mpl_object_label_of(const void *body) {
  return head_of(body)->label;
}

/* The head of an object that the caller holds a reference to. */
struct mpl_object_head *mpl_object_head_of(uint64_t id) {
  struct mpl_object *e = find(id);
  MPL_ASSERT(e != NULL);
  return head_of(mpl_object_body_of(e));
}

/* Labels an object, with what fits of the text; by its maker, before anybody else knows it. */
void mpl_object_set_label(uint64_t id, const char *label) {
  struct mpl_object *e = find(id);
  if (e == NULL) return;
  char *own = head_of(mpl_object_body_of(e))->label;
  snprintf(own, MPL_OBJECT_LABEL, "%s", label);
  for (; *own != '\0'; own++)
    if ((unsigned char)*own < ' ' || *own == 0x7f) *own = '?'; /* reports have a line for each */
}

/* Body of an object of this type that the caller holds a reference to, as long as it does; NULL if
   there is no such object. */
void *mpl_object_body(uint64_t id, enum mpl_object_type type) {
  struct mpl_object *e = find(id);
  return e == NULL || mpl_load64_rlx(&e->type) != (uint64_t)type ? NULL : mpl_object_body_of(e);
}

/* Adds a chunk of entries; no lock is held. */
static enum mpl_status grow(void) {
  unsigned k = chunk_of(mpl_load64_acq(&root()->count));
  if (k >= MPL_OBJECT_CHUNKS) return MPL_NOMEM;
  uint64_t entries = (uint64_t)MPL_OBJECT_CHUNK0 << k;
  mpl_off chunk;
  enum mpl_status s = mpl_heap_alloc(entries * sizeof(struct mpl_object), &chunk);
  if (s != MPL_OK) return s;
  bool used = false;
  if (mpl_robust_lock(&root()->lock) == MPL_DAMAGED) return MPL_DAMAGED;
  if (mpl_load64_rlx(&root()->chunk[k]) == 0) {
    used = true;
    mpl_hand_take(mpl_self, chunk);
    mpl_tx_store(&root()->chunk[k], chunk);
    mpl_tx_commit();
  }
  mpl_robust_unlock(&root()->lock);
  if (!used) mpl_heap_free(mpl_self, chunk);
  return MPL_OK;
}

/* In a section: takes an entry from the free list or the end of the table; NULL if that has no
   room. */
static struct mpl_object *tx_take_entry(uint64_t *index) {
  *index = mpl_load64_rlx(&root()->free);
  if (*index != 0) {
    struct mpl_object *e = mpl_object_entry(*index);
    mpl_tx_store(&root()->free, mpl_load64_rlx(&e->next));
    return e;
  }
  *index = mpl_load64_rlx(&root()->count);
  unsigned k = chunk_of(*index);
  mpl_off chunk = k < MPL_OBJECT_CHUNKS ? mpl_load64_rlx(&root()->chunk[k]) : 0;
  if (chunk == 0) return NULL;
  struct mpl_object *e =
      MPL_AT(struct mpl_object, chunk + (*index - chunk_first(k)) * sizeof(struct mpl_object));
  MPL_POINT();
  mpl_store64_rlx(&e->id, (uint64_t)1 << 32 | *index); /* beyond the count: nobody's yet */
  mpl_store64_rlx(&e->type, MPL_TYPE_NONE);
  MPL_POINT();
  mpl_store64_rlx(&e->refs, 0);
  mpl_tx_publish(&root()->count, *index + 1);
  return e;
}

/* Gives the object, whose body lies in the caller's hand, its entry and the caller a reference. */
static enum mpl_status enter(enum mpl_object_type type, mpl_off block, uint64_t *id) {
  for (;;) {
    uint64_t index, count = mpl_load64_acq(&root()->count);
    enum mpl_status s = mpl_reflist_reserve(count);
    if (s != MPL_OK) return s; /* else the object lock is held and the newest list has room */
    if (mpl_load64_rlx(&root()->count) != count) { /* grown: the index may lie beyond `count` */
      mpl_robust_unlock(&root()->lock);
      continue;
    }
    struct mpl_object *e = tx_take_entry(&index);
    if (e != NULL) {
      *id = mpl_load64_rlx(&e->id);
      mpl_store64_rlx(&head_of(mpl_object_body_of(&(struct mpl_object){.body = block}))->id, *id);
      mpl_tx_store(&e->type, type);
      mpl_tx_store(&e->refs, 1);
      mpl_tx_store(&e->body, block);
      mpl_tx_store(&root()->live, mpl_load64_rlx(&root()->live) + 1);
      mpl_hand_take(mpl_self, block);
      mpl_reflist_tx_add(*id);
      mpl_tx_commit();
      mpl_robust_unlock(&root()->lock);
      mpl_reflist_added(*id);
      return MPL_OK;
    }
    mpl_robust_unlock(&root()->lock);
    s = grow();
    if (s != MPL_OK) return s;
  }
}

/*
** Makes an object with a body of `size` bytes, which is zero and then filled by `init` (may be
** NULL). The caller then holds a reference. MPL_OK; MPL_NOMEM, MPL_NOPRIVATE or what init returned,
** and nothing has changed.
*/
enum mpl_status mpl_object_new(enum mpl_object_type type, uint64_t size,
                               enum mpl_status (*init)(void *body, const void *arg),
                               const void *arg, uint64_t *id) {
  mpl_off block;
  enum mpl_status s = mpl_recover_alloc(size + HEAD, &block);
  if (s != MPL_OK) return s;
  struct mpl_object unborn = {.body = block};
  void *body = mpl_object_body_of(&unborn);
  MPL_POINT();
  memset(head_of(body), 0, sizeof(struct mpl_object_head) + size);
  if (init != NULL) s = init(body, arg);
  if (s == MPL_OK) s = enter(type, block, id);
  if (s != MPL_OK) mpl_heap_free(mpl_self, block);
  return s;
}

/*
** References
*/

/* In a section under the object lock: counts one reference more. The object is alive. */
void mpl_object_tx_ref(uint64_t id) {
  struct mpl_object *e = find(id);
  MPL_ASSERT(e != NULL);
  mpl_tx_store(&e->refs, mpl_load64_rlx(&e->refs) + 1);
}

/* In a section under the object lock: counts one less. True if that was the last: the object then
   stands in the grave list and the caller calls mpl_object_bury once it holds no lock. */
bool mpl_object_tx_unref(uint64_t id) {
  struct mpl_object *e = find(id);
  MPL_ASSERT(e != NULL);
  uint64_t refs = mpl_load64_rlx(&e->refs) - 1;
  mpl_tx_store(&e->refs, refs);
  if (refs > 0) return false;
  mpl_tx_store(&e->next, mpl_load64_rlx(&root()->grave));
  mpl_tx_store(&root()->grave, index_of(id));
  mpl_tx_store(&root()->live, mpl_load64_rlx(&root()->live) - 1);
  return true;
}

/* The caller wants one handle more for the object: a reference if it has none yet. MPL_GONE if
   there is no such object; MPL_NOMEM, MPL_NOPRIVATE. */
enum mpl_status mpl_object_retain(uint64_t id) {
  if (mpl_reflist_again(id)) return MPL_OK;
  if (find(id) == NULL) return MPL_GONE; /* before room is made for whatever index it has */
  enum mpl_status s = mpl_reflist_reserve(index_of(id));
  if (s != MPL_OK) return s;
  if (find(id) == NULL) {
    mpl_robust_unlock(&root()->lock);
    return MPL_GONE;
  }
  mpl_object_tx_ref(id);
  mpl_reflist_tx_add(id);
  mpl_tx_commit();
  mpl_robust_unlock(&root()->lock);
  mpl_reflist_added(id);
  return MPL_OK;
}

/* Calls visit for every object that is referred to, under the object lock: it must take no lock and
   not wait. */
void mpl_object_each(void (*visit)(void *arg, const struct mpl_object *entry), void *arg) {
  if (mpl_robust_lock(&root()->lock) == MPL_DAMAGED) return;
  uint64_t count = mpl_load64_rlx(&root()->count);
  for (uint64_t i = 1; i < count; i++) {
    struct mpl_object *e = mpl_object_entry(i);
    if (mpl_load64_rlx(&e->refs) > 0) visit(arg, e);
  }
  mpl_robust_unlock(&root()->lock);
}

/*
** Dismantling
*/

/* Takes the next object off the grave list, or goes on with the one that a dead process had begun.
   The grave lock is held. 0: none left. */
static uint64_t next_burial(void) {
  if (mpl_robust_lock(&root()->lock) == MPL_DAMAGED) return 0;
  uint64_t index = mpl_load64_rlx(&root()->burying);
  if (index == 0 && (index = mpl_load64_rlx(&root()->grave)) != 0) {
    mpl_tx_store(&root()->burying, index);
    mpl_tx_store(&root()->grave, mpl_load64_rlx(&mpl_object_entry(index)->next));
    mpl_tx_commit();
  }
  mpl_robust_unlock(&root()->lock);
  return index;
}

/* Nothing hangs off the body any more: frees it and the entry, and gives the reference to its
   lifetime back. */
static void finish_burial(uint64_t index) {
  struct mpl_object *e = mpl_object_entry(index);
  mpl_off body = mpl_load64_rlx(&e->body);
  mpl_off life = mpl_load64_rlx(&head_of(mpl_object_body_of(e))->life);
  if (mpl_robust_lock(&root()->lock) == MPL_DAMAGED) return;
  if (life != 0) mpl_object_tx_unref(mpl_object_id_of(mpl_arena_at(life, 1)));
  mpl_hand_put(mpl_self, body, MPL_HAND_BLOCK);
  mpl_tx_store(&e->type, MPL_TYPE_NONE);
  mpl_tx_store(&e->body, 0);
  mpl_tx_store(&e->id, mpl_load64_rlx(&e->id) + ((uint64_t)1 << 32));
  mpl_tx_store(&e->next, mpl_load64_rlx(&root()->free));
  mpl_tx_store(&root()->free, index);
  mpl_tx_store(&root()->burying, 0);
  mpl_tx_commit();
  mpl_robust_unlock(&root()->lock);
  mpl_heap_free(mpl_self, body);
}

/* Takes the grave lock. Whoever drops objects waits for his turn: otherwise one process alone would
   dismantle what all the others drop, without an end, and memory would run full. Not for long: the
   one who is at it may be stopped. */
static bool enter_graveyard(void) {
  enum mpl_status s = mpl_robust_trylock(&root()->grave_lock);
  if (s == MPL_BLOCK)
    s = mpl_robust_lock_until(&root()->grave_lock, mpl_os_now() + TURN_NS, NULL);
  return s == MPL_OK || s == MPL_RECOVERED;
}

/* Dismantles whatever nobody refers to any more. The caller holds no lock. If another process is at
   it and does not come to an end, that one does it, or the next caller. */
void mpl_object_bury(void) {
  while (mpl_load64_acq(&root()->grave) != 0 || mpl_load64_acq(&root()->burying) != 0) {
    if (!enter_graveyard()) return;
    uint64_t index;
    while ((index = next_burial()) != 0) {
      struct mpl_object *e = mpl_object_entry(index);
      const struct mpl_object_ops *ops =
          mpl_object_ops_of((enum mpl_object_type)mpl_load64_rlx(&e->type));
      if (ops->dismantle != NULL) ops->dismantle(mpl_object_body_of(e));
      finish_burial(index);
    }
    mpl_robust_unlock(&root()->grave_lock);
  }
}

/* Makes the table, empty. Only before anybody else can see the arena. */
enum mpl_status mpl_object_create_table(struct mpl_object_root *objects) {
  if (mpl_robust_init(&objects->lock, MPL_RANK_OBJECT) != MPL_OK ||
      mpl_robust_init(&objects->grave_lock, MPL_RANK_GRAVE) != MPL_OK)
    return MPL_ERRNO;
  mpl_store64_rlx(&objects->count, 1);
  return MPL_OK;
}
