/*
** Making the arena, and checking all of it.
*/
#include "shm/super.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "shm/life.h"
#include "shm/many.h"
#include "shm/message.h"
#include "shm/recover.h"
#include "shm/reflist.h"

/* Populated from the start: the superblock, the first slots and some heap. */
#define FIRST_SIZE ((uint64_t)512 << 10)

static mpl_a64 *populated_of(void *base) {
  return &((struct mpl_super *)base)->heap.populated;
}

/* Folds what another build could have laid out differently into one number (as LMDB's lock file
   does). */
static uint32_t stamp(void) {
  const size_t parts[] = {sizeof(struct mpl_super),       sizeof(struct mpl_slot),
                          sizeof(struct mpl_object),      sizeof(struct mpl_object_head),
                          sizeof(pthread_mutex_t),
                          _Alignof(pthread_mutex_t),      MPL_CACHE_LINE,
                          MPL_SLOT_CHUNK,                 MPL_OBJECT_CHUNK0,
                          MPL_JOURNAL_UNDO};
  uint32_t s = 2166136261u;
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    s = (s ^ (uint32_t)parts[i]) * 16777619u;
  return s;
}

/* The cap on the arena's size: MPL_SHM_SIZE, bytes with K, M, G or T behind them, or half of what
   memory there is. 0 and errno EINVAL if the variable makes no sense. */
static uint64_t cap_wanted(void) {
  const char *text = getenv("MPL_SHM_SIZE");
  if (text == NULL || *text == '\0') return mpl_limits_memory() / 2;
  char *end;
  errno = 0;
  unsigned long long n = strtoull(text, &end, 10);
  const char *units = "KMGT", *unit = *end != '\0' ? strchr(units, *end & ~0x20) : NULL;
  unsigned shift = unit != NULL ? 10 * (unsigned)(unit - units + 1) : 0;
  bool is_number = end != text && errno == 0 && *text != '-';
  bool is_unit = *end == '\0' || (unit != NULL && end[1] == '\0');
  if (!is_number || !is_unit || n == 0 || n > UINT64_MAX >> shift) return errno = EINVAL, 0;
  return (uint64_t)n << shift;
}

static enum mpl_status fill(uint64_t cap) {
  struct mpl_super *super = mpl_super();
  super->magic = MPL_SUPER_MAGIC;
  super->version = MPL_SUPER_VERSION;
  super->stamp = stamp();
  mpl_off slots = (sizeof *super + MPL_CACHE_LINE - 1) & ~(mpl_off)(MPL_CACHE_LINE - 1);
  mpl_off heap = slots + MPL_SLOT_CHUNK * sizeof(struct mpl_slot);
  enum mpl_status s = mpl_slot_create(&super->slots, slots);
  if (s == MPL_OK) s = mpl_heap_create(&super->heap, heap, FIRST_SIZE, cap);
  if (s == MPL_OK) s = mpl_object_create_table(&super->objects);
  if (s == MPL_OK) s = mpl_robust_init(&super->parcel_lock, MPL_RANK_STRUCTURE);
  return s;
}

/* Makes the arena with the calling process as its first member. MPL_OK, or MPL_ERRNO (EINVAL:
   MPL_SHM_SIZE makes no sense). */
enum mpl_status mpl_shm_create(void) {
  _Static_assert(sizeof(struct mpl_super) + MPL_SLOT_CHUNK * sizeof(struct mpl_slot) <
                     FIRST_SIZE / 2, "the first size leaves no heap");
  uint64_t cap = cap_wanted();
  if (cap == 0) return MPL_ERRNO;
  mpl_recover_install();
  mpl_many_install();
  enum mpl_status s = mpl_arena_create(FIRST_SIZE, populated_of);
  if (s != MPL_OK) return s;
  if (cap > mpl_arena.reserve) cap = mpl_arena.reserve;
  s = fill(cap);
  if (s != MPL_OK) {
    mpl_self = NULL;
    mpl_arena_destroy();
    return s;
  }
  mpl_slot_set_name(mpl_self, "MainProcess");
  return MPL_OK;
}

/*
** The checker. It finds every used block of the heap and every object, then lets everything that
** owns blocks or holds references name them, and compares.
*/

struct survey {
  mpl_off *block; /* ascending */
  unsigned char *owned;
  uint64_t nblocks, capacity;
  uint64_t *refs; /* by object index */
  uint64_t nobjects;
  const char *fault;
};

static bool note_block(void *arg, mpl_off block) {
  struct survey *v = arg;
  if (v->nblocks == v->capacity) {
    uint64_t n = v->capacity == 0 ? 256 : 2 * v->capacity;
    mpl_off *more = realloc(v->block, n * sizeof *more);
    if (more == NULL) return false;
    v->block = more;
    v->capacity = n;
  }
  v->block[v->nblocks++] = block;
  return true;
}

/* The block that contains an offset gets its owner; false if it has one already. */
static bool own(void *arg, mpl_off off) {
  struct survey *v = arg;
  uint64_t low = 0, high = v->nblocks;
  while (low < high) {
    uint64_t mid = (low + high) / 2;
    if (v->block[mid] <= off)
      low = mid + 1;
    else
      high = mid;
  }
  if (low == 0 || off - v->block[low - 1] >= mpl_heap_size_of(v->block[low - 1])) {
    v->fault = "something owns a block that is not in use";
    return false;
  }
  if (v->owned[low - 1]) return false;
  v->owned[low - 1] = 1;
  return true;
}

static bool count_ref(void *arg, uint64_t id) {
  struct survey *v = arg;
  if (mpl_object_type_of(id) == MPL_TYPE_NONE) {
    v->fault = "a reference to an object that is no more";
    return false;
  }
  v->refs[id & UINT32_MAX]++;
  return true;
}

static bool survey_slot(struct survey *v, struct mpl_slot *slot) {
  if (mpl_slot_state_of(slot) == MPL_SLOT_FREE) {
    if (mpl_load64_rlx(&slot->refs) != 0 || mpl_load64_rlx(&slot->hand_count) != 0)
      return v->fault = "a free slot holds something", false;
    return true;
  }
  if (mpl_load64_rlx(&slot->journal.nundo) != 0 || mpl_load64_rlx(&slot->journal.committed) != 0)
    return v->fault = "a section is open", false;
  for (uint64_t i = 0; i < mpl_load64_rlx(&slot->hand_count); i++) {
    uint64_t item = mpl_load64_rlx(&slot->hand[i]);
    mpl_off off = item & ~(uint64_t)MPL_HAND_KIND_MASK;
    bool known = (item & MPL_HAND_KIND_MASK) == MPL_HAND_MESSAGE
                     ? mpl_message_walk(off, own, count_ref, v)
                     : own(v, off);
    if (!known) return v->fault = "a block in hand has another owner", false;
  }
  return mpl_reflist_check(slot, own, count_ref, v) && v->fault == NULL;
}

static bool survey_object(struct survey *v, struct mpl_object *e) {
  if (mpl_load64_rlx(&e->type) == MPL_TYPE_NONE) return true;
  const struct mpl_object_ops *ops =
      mpl_object_ops_of((enum mpl_object_type)mpl_load64_rlx(&e->type));
  if (ops == NULL) return v->fault = "an object of no type", false;
  if (!own(v, mpl_load64_rlx(&e->body)))
    return v->fault = "an object's body has another owner", false;
  const struct mpl_life *life = mpl_life_of(mpl_object_body_of(e));
  if (life != NULL && !count_ref(v, mpl_object_id_of(life))) return false;
  if (ops->walk == NULL || ops->walk(mpl_object_body_of(e), own, count_ref, v))
    return v->fault == NULL;
  if (v->fault == NULL) v->fault = "an object is not whole";
  return false;
}

/* Exactly the free slots stand in the free list. */
static bool slots_add_up(const struct mpl_slot_root *slots) {
  uint64_t count = mpl_slot_count(), free_slots = 0, listed = 0;
  for (uint64_t i = 0; i < count; i++)
    free_slots += mpl_slot_state_of(mpl_slot_at(i)) == MPL_SLOT_FREE;
  for (uint64_t next = mpl_load64_rlx(&slots->free); next != 0; listed++) {
    if (next > count || listed == free_slots) return false;
    struct mpl_slot *slot = mpl_slot_at(next - 1);
    if (mpl_slot_state_of(slot) != MPL_SLOT_FREE) return false;
    next = mpl_load64_rlx(&slot->next_free);
  }
  return listed == free_slots && mpl_load64_rlx(&slots->live) == count - free_slots;
}

/* How many entries stand in a list, all of them with the same answer to "is it of no type" and
   nobody referring to them; UINT64_MAX if that is not so or the list runs in a circle. */
static uint64_t listed_objects(uint64_t index, uint64_t count, bool of_no_type) {
  uint64_t n = 0;
  for (; index != 0; n++) {
    if (index >= count || n == count) return UINT64_MAX;
    struct mpl_object *e = mpl_object_entry(index);
    if (mpl_load64_rlx(&e->refs) != 0 ||
        (mpl_load64_rlx(&e->type) == MPL_TYPE_NONE) != of_no_type)
      return UINT64_MAX;
    index = mpl_load64_rlx(&e->next);
  }
  return n;
}

/* Every object is referred to, or in the grave list or being buried, or free and in the free
   list. */
static bool objects_add_up(const struct mpl_object_root *objects) {
  uint64_t count = mpl_load64_rlx(&objects->count), none = 0, dead = 0;
  for (uint64_t i = 1; i < count; i++) {
    struct mpl_object *e = mpl_object_entry(i);
    bool of_no_type = mpl_load64_rlx(&e->type) == MPL_TYPE_NONE;
    none += of_no_type;
    dead += !of_no_type && mpl_load64_rlx(&e->refs) == 0;
  }
  uint64_t burying = mpl_load64_rlx(&objects->burying) != 0;
  return mpl_load64_rlx(&objects->live) == count - 1 - none - dead &&
         listed_objects(mpl_load64_rlx(&objects->free), count, true) == none &&
         listed_objects(mpl_load64_rlx(&objects->grave), count, false) == dead - burying;
}

static bool survey_all(struct survey *v) {
  struct mpl_super *super = mpl_super();
  for (uint64_t i = 1; i < MPL_SLOT_CHUNKS; i++) {
    mpl_off chunk = mpl_load64_rlx(&super->slots.chunk[i]);
    if (chunk != 0 && !own(v, chunk)) return false;
  }
  for (int i = 0; i < MPL_OBJECT_CHUNKS; i++) {
    mpl_off chunk = mpl_load64_rlx(&super->objects.chunk[i]);
    if (chunk != 0 && !own(v, chunk)) return false;
  }
  for (uint64_t i = 0; i < mpl_slot_count(); i++)
    if (!survey_slot(v, mpl_slot_at(i))) return false;
  for (uint64_t i = 1; i < v->nobjects; i++)
    if (!survey_object(v, mpl_object_entry(i))) return false;
  for (uint64_t i = 0; i < v->nblocks; i++)
    if (!v->owned[i]) return v->fault = "a used block has no owner: leaked", false;
  for (uint64_t i = 1; i < v->nobjects; i++) {
    struct mpl_object *e = mpl_object_entry(i);
    if (mpl_load64_rlx(&e->refs) != v->refs[i]) return v->fault = "a count of references", false;
  }
  if (!slots_add_up(&super->slots)) return v->fault = "the table of slots", false;
  if (!objects_add_up(&super->objects)) return v->fault = "the table of objects", false;
  return true;
}

/* Walks the whole arena: true if everything is as the head comments of the files say. Otherwise
   *fault says what is not. Nobody else may be at work, and the dead must have been recovered. */
bool mpl_shm_check(const char **fault) {
  struct survey v = {0};
  struct mpl_super *super = mpl_super();
  bool good = false;
  v.fault = NULL;
  if (super->magic != MPL_SUPER_MAGIC || super->version != MPL_SUPER_VERSION ||
      super->stamp != stamp()) {
    v.fault = "the superblock";
  } else if (mpl_heap_check(note_block, &v, &v.fault)) {
    v.nobjects = mpl_load64_rlx(&super->objects.count);
    v.owned = calloc(v.nblocks + 1, 1);
    v.refs = calloc(v.nobjects, sizeof *v.refs);
    if (v.owned == NULL || v.refs == NULL)
      v.fault = "no memory for the check";
    else
      good = survey_all(&v);
  }
  free(v.block);
  free(v.owned);
  free(v.refs);
  if (fault != NULL) *fault = good ? NULL : v.fault != NULL ? v.fault : "a block has two owners";
  return good;
}
