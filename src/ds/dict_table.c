/*
** See dict_table.h.
*/
#include "ds/dict_table.h"

#include <string.h>

#include "shm/heap.h"
#include "shm/message.h"
#include "shm/slot.h"

#define OFF_MASK (((uint64_t)1 << MPL_DICT_OFF_BITS) - 1)
#define SHRINK_LEAST 32 /* places; smaller tables stay as they are */

/* Frees what a section took out; the section has ended. */
void mpl_dict_gone_drop(struct mpl_dict_gone *gone) {
  if (gone->entry != 0) mpl_heap_free(mpl_self, gone->entry);
  if (gone->table != 0) mpl_heap_free(mpl_self, gone->table);
  if (gone->message != 0) mpl_message_drop(mpl_self, gone->message);
  *gone = (struct mpl_dict_gone){0};
}

/*
** Entries
*/

static uint64_t descriptor_of(const struct mpl_value *v) {
  if (v == NULL) return 0;
  return v->message != 0 ? v->message : v->size << 1 | 1;
}

/* Bytes that the value takes up in the entry. */
static uint64_t inline_size(const struct mpl_value *v) {
  return v == NULL || v->message != 0 ? 0 : v->size;
}

/* An entry in the caller's hand. MPL_OK, MPL_NOMEM or MPL_DAMAGED. */
enum mpl_status mpl_dict_entry_new(const struct mpl_dict_key *key, const struct mpl_value *v,
                                   uint64_t serial, mpl_off *out) {
  uint64_t size = inline_size(v);
  if (key->size > UINT32_MAX) return MPL_NOMEM;
  enum mpl_status s = mpl_heap_alloc(sizeof(struct mpl_dict_entry) + key->size + size, out);
  if (s != MPL_OK) return s;
  struct mpl_dict_entry *e = MPL_AT(struct mpl_dict_entry, *out);
  mpl_store64_rlx(&e->serial, serial);
  e->key_size = key->size;
  mpl_store64_rlx(&e->value, descriptor_of(v));
  unsigned char *bytes = (unsigned char *)e->word;
  memcpy(bytes, key->bytes, key->size);
  if (size > 0) memcpy(bytes + key->size, v->bytes, size);
  return MPL_OK;
}

/* Whether the value can be set in the entry as it is. */
bool mpl_dict_entry_fits(const struct mpl_dict_entry *e, const struct mpl_value *v) {
  uint64_t room = mpl_heap_size_of(mpl_arena_off(e)) - sizeof *e - e->key_size;
  return inline_size(v) <= room;
}

/* Stores bytes that begin `at` so many bytes behind the words' begin, word by word. */
static void tx_store_bytes(mpl_a64 *word, uint64_t at, const unsigned char *bytes, uint64_t size) {
  uint64_t end = at + size;
  for (uint64_t i = at / 8; i * 8 < end; i++) {
    uint64_t from = i * 8 < at ? at : i * 8, to = i * 8 + 8 > end ? end : i * 8 + 8;
    uint64_t old = mpl_load64_rlx(&word[i]), new = old;
    memcpy((unsigned char *)&new + from % 8, bytes + (from - at), to - from);
    if (new != old) mpl_tx_store(&word[i], new);
  }
}

/* Sets a value that fits. A message goes over from the hand; that of the old value goes there. */
void mpl_dict_entry_tx_set(struct mpl_dict_entry *e, const struct mpl_value *v,
                           struct mpl_dict_gone *gone) {
  struct mpl_value old;
  uint64_t descriptor = descriptor_of(v);
  if (mpl_dict_entry_value(e, &old) && old.message != 0) {
    mpl_hand_put(mpl_self, old.message, MPL_HAND_MESSAGE);
    gone->message = old.message;
  }
  if (descriptor != mpl_load64_rlx(&e->value)) mpl_tx_store(&e->value, descriptor);
  if (v == NULL) return;
  if (v->message != 0)
    mpl_hand_take(mpl_self, v->message);
  else
    tx_store_bytes(e->word, e->key_size, v->bytes, v->size);
}

/* The key, in shared memory. */
struct mpl_dict_key mpl_dict_entry_key(const struct mpl_dict_entry *e) {
  return (struct mpl_dict_key){
      .bytes = e->word, .size = e->key_size, .hash = mpl_dict_hash(e->word, e->key_size)};
}

/* The value: bytes in shared memory, or a message. False: the key is removed. */
bool mpl_dict_entry_value(const struct mpl_dict_entry *e, struct mpl_value *v) {
  uint64_t descriptor = mpl_load64_rlx(&e->value);
  *v = (struct mpl_value){0};
  if ((descriptor & 1) == 0) {
    v->message = descriptor;
  } else {
    v->bytes = (const unsigned char *)e->word + e->key_size;
    v->size = descriptor >> 1;
  }
  return descriptor != 0;
}

/*
** Tables
*/

static uint64_t size_of(uint64_t capacity) {
  return sizeof(struct mpl_dict_table) + 2 * capacity * sizeof(mpl_a64);
}

/* The table in this block. */
struct mpl_dict_table *mpl_dict_table_at(mpl_off table) {
  struct mpl_dict_table *t = MPL_AT(struct mpl_dict_table, table);
  return mpl_arena_at(table, size_of(t->capacity));
}

/* NULL: the shard is empty. */
struct mpl_dict_table *mpl_dict_table_of(const struct mpl_dict_shard *shard) {
  mpl_off table = mpl_load64_rlx(&shard->table);
  return table == 0 ? NULL : mpl_dict_table_at(table);
}

static uint64_t hash_part(uint64_t hash) {
  return hash & (((uint64_t)1 << MPL_DICT_HASH_BITS) - 1);
}

static uint64_t place_word(uint64_t hash, mpl_off entry) {
  return entry / MPL_HEAP_ALIGN | hash_part(hash) << MPL_DICT_OFF_BITS;
}

static mpl_off entry_of(uint64_t place) {
  return (place & OFF_MASK) * MPL_HEAP_ALIGN;
}

/* The entry at a place below `used`, NULL if it was removed. */
struct mpl_dict_entry *mpl_dict_table_entry(const struct mpl_dict_table *t, uint64_t place) {
  mpl_off off = entry_of(mpl_load64_rlx(&t->place[place]));
  if (off == 0) return NULL;
  struct mpl_dict_entry *e = MPL_AT(struct mpl_dict_entry, off);
  return mpl_arena_at(off, sizeof *e + e->key_size);
}

/* Number i of the index. */
static uint32_t index_get(const struct mpl_dict_table *t, uint64_t i) {
  uint64_t word = mpl_load64_rlx(&t->place[t->capacity + i / 2]);
  return (uint32_t)(word >> 32 * (i % 2));
}

/* Where a search begins. */
static uint64_t index_home(const struct mpl_dict_table *t, uint64_t part) {
  return (part * 2 * t->capacity) >> MPL_DICT_HASH_BITS;
}

static uint64_t index_next(const struct mpl_dict_table *t, uint64_t i) {
  return i + 1 == 2 * t->capacity ? 0 : i + 1;
}

/* The word of the index that is to be stored for one more place with this hash. */
static mpl_a64 *index_add(struct mpl_dict_table *t, uint64_t part, uint64_t place, uint64_t *new) {
  uint64_t i = index_home(t, part);
  while (index_get(t, i) != 0) i = index_next(t, i);
  mpl_a64 *word = &t->place[t->capacity + i / 2];
  *new = mpl_load64_rlx(word) | (place + 1) << 32 * (i % 2);
  return word;
}

static bool has_key(const struct mpl_dict_entry *e, const struct mpl_dict_key *key) {
  return e->key_size == key->size && memcmp((const void *)e->word, key->bytes, key->size) == 0;
}

/* Where the key is. */
struct mpl_dict_spot mpl_dict_table_find(const struct mpl_dict_shard *shard,
                                         const struct mpl_dict_key *key) {
  const struct mpl_dict_table *t = mpl_dict_table_of(shard);
  uint64_t part = hash_part(key->hash), number;
  if (t == NULL) return (struct mpl_dict_spot){0};
  for (uint64_t i = index_home(t, part); (number = index_get(t, i)) != 0; i = index_next(t, i)) {
    uint64_t place = mpl_load64_rlx(&t->place[number - 1]);
    if (place >> MPL_DICT_OFF_BITS != part || place == 0) continue;
    struct mpl_dict_entry *e = mpl_dict_table_entry(t, number - 1);
    if (has_key(e, key)) return (struct mpl_dict_spot){.entry = e, .place = number - 1};
  }
  return (struct mpl_dict_spot){0};
}

/* An empty table in the caller's hand. MPL_OK, MPL_NOMEM or MPL_DAMAGED. */
enum mpl_status mpl_dict_table_new(uint64_t capacity, mpl_off *out) {
  if (capacity >= UINT32_MAX) return MPL_NOMEM;
  enum mpl_status s = mpl_heap_alloc(size_of(capacity), out);
  if (s != MPL_OK) return s;
  struct mpl_dict_table *t = mpl_arena_at(*out, size_of(capacity));
  memset(t, 0, sizeof *t);
  t->capacity = capacity;
  memset((void *)(t->place + capacity), 0, capacity * sizeof(mpl_a64));
  return MPL_OK;
}

/* Adds a place of another table to one that nobody else can reach and that has room. */
void mpl_dict_table_fill(struct mpl_dict_table *t, uint64_t place) {
  uint64_t used = mpl_load64_rlx(&t->used), new;
  MPL_ASSERT(used < t->capacity);
  mpl_a64 *word = index_add(t, place >> MPL_DICT_OFF_BITS, used, &new);
  mpl_store64_rlx(word, new);
  mpl_store64_rlx(&t->place[used], place);
  mpl_store64_rlx(&t->used, used + 1);
  mpl_store64_rlx(&t->top, used + 1);
}

/* Puts a table of this capacity, which is enough, in the place of the shard's; 0: none. */
static enum mpl_status rebuild(struct mpl_dict_shard *shard, uint64_t capacity) {
  mpl_off new = 0, old = mpl_load64_rlx(&shard->table);
  if (capacity > 0) {
    enum mpl_status s = mpl_dict_table_new(capacity, &new);
    if (s != MPL_OK) return s;
  }
  const struct mpl_dict_table *from = mpl_dict_table_of(shard);
  struct mpl_dict_table *to = new != 0 ? mpl_dict_table_at(new) : NULL;
  uint64_t n = from != NULL ? mpl_load64_rlx(&from->used) : 0;
  for (uint64_t i = 0; i < n; i++) {
    uint64_t place = mpl_load64_rlx(&from->place[i]);
    if (place != 0) mpl_dict_table_fill(to, place);
  }
  if (new != 0) mpl_hand_take(mpl_self, new);
  if (old != 0) mpl_hand_put(mpl_self, old, MPL_HAND_BLOCK);
  mpl_tx_store(&shard->table, new);
  mpl_tx_commit();
  if (old != 0) mpl_heap_free(mpl_self, old);
  return MPL_OK;
}

/* Makes room for so many entries more; no section is open. MPL_OK, MPL_NOMEM or MPL_DAMAGED. */
enum mpl_status mpl_dict_table_room(struct mpl_dict_shard *shard, uint64_t more) {
  const struct mpl_dict_table *t = mpl_dict_table_of(shard);
  uint64_t room = t != NULL ? t->capacity - mpl_load64_rlx(&t->used) : 0;
  if (room >= more) return MPL_OK;
  uint64_t count = mpl_load64_rlx(&shard->count) + more;
  return rebuild(shard, mpl_dict_table_capacity_for(count));
}

/* Gives memory back if the table is much too large; no section is open. Without memory for a
   smaller one it stays. */
void mpl_dict_table_shrink(struct mpl_dict_shard *shard) {
  const struct mpl_dict_table *t = mpl_dict_table_of(shard);
  uint64_t count = mpl_load64_rlx(&shard->count);
  if (t == NULL || (count > 0 && (t->capacity <= SHRINK_LEAST || count > t->capacity / 4))) return;
  rebuild(shard, count == 0 ? 0 : mpl_dict_table_capacity_for(count));
}

/* Adds an entry with a key that is not there; there is room. Whoever gives it takes it out of the
   hand, or wherever it was. */
void mpl_dict_table_tx_add(struct mpl_dict_shard *shard, uint64_t hash, mpl_off entry) {
  struct mpl_dict_table *t = mpl_dict_table_of(shard);
  MPL_ASSERT(t != NULL);
  uint64_t used = mpl_load64_rlx(&t->used), new;
  MPL_ASSERT(used < t->capacity && entry_of(place_word(hash, entry)) == entry);
  mpl_a64 *word = index_add(t, hash_part(hash), used, &new);
  mpl_tx_store(word, new);
  mpl_store64_rlx(&t->place[used], place_word(hash, entry)); /* beyond `used`: nobody's yet */
  mpl_tx_store(&t->used, used + 1);
  mpl_tx_store(&t->top, used + 1);
  mpl_tx_store(&shard->count, mpl_load64_rlx(&shard->count) + 1);
}

/* The entry, and its message, go over to the hand. */
static void tx_let_go(struct mpl_dict_entry *e, struct mpl_dict_gone *gone) {
  struct mpl_value v;
  gone->entry = mpl_arena_off(e);
  mpl_hand_put(mpl_self, gone->entry, MPL_HAND_BLOCK);
  if (!mpl_dict_entry_value(e, &v) || v.message == 0) return;
  gone->message = v.message;
  mpl_hand_put(mpl_self, v.message, MPL_HAND_MESSAGE);
}

/* Takes an entry out of the table; whoever takes it says where it is then. */
void mpl_dict_table_tx_take(struct mpl_dict_shard *shard, struct mpl_dict_spot at) {
  mpl_tx_store(&mpl_dict_table_of(shard)->place[at.place], 0);
  mpl_tx_store(&shard->count, mpl_load64_rlx(&shard->count) - 1);
}

/* Puts another entry with the same key in the place of one. */
void mpl_dict_table_tx_swap(struct mpl_dict_shard *shard, struct mpl_dict_spot at, mpl_off entry,
                            struct mpl_dict_gone *gone) {
  mpl_a64 *place = &mpl_dict_table_of(shard)->place[at.place];
  uint64_t hash = mpl_load64_rlx(place) >> MPL_DICT_OFF_BITS;
  tx_let_go(at.entry, gone);
  mpl_tx_store(place, place_word(hash, entry));
}

/* Removes an entry. */
void mpl_dict_table_tx_remove(struct mpl_dict_shard *shard, struct mpl_dict_spot at,
                              struct mpl_dict_gone *gone) {
  tx_let_go(at.entry, gone);
  mpl_dict_table_tx_take(shard, at);
}

/*
** The checker
*/

/* Whether the block is large enough for what is said to be in it. */
static bool walk_entry(mpl_off off, bool (*visit)(void *arg, mpl_off block),
                       bool (*ref)(void *arg, uint64_t id), void *arg) {
  struct mpl_value v;
  if (!visit(arg, off)) return false;
  const struct mpl_dict_entry *e = MPL_AT(struct mpl_dict_entry, off);
  uint64_t size = mpl_heap_size_of(off);
  if (size < sizeof *e || e->key_size > size - sizeof *e) return false;
  if (!mpl_dict_entry_value(e, &v)) return true;
  if (v.message != 0) return mpl_message_walk(v.message, visit, ref, arg);
  return v.size <= MPL_VALUE_INLINE && v.size <= size - sizeof *e - e->key_size;
}

/* Whether the key is found, there, and by its own hash. */
static bool is_found(const struct mpl_dict_table *t, const struct mpl_dict_shard *shard,
                     uint64_t place) {
  struct mpl_dict_key key = mpl_dict_entry_key(mpl_dict_table_entry(t, place));
  if (mpl_load64_rlx(&t->place[place]) >> MPL_DICT_OFF_BITS != hash_part(key.hash)) return false;
  struct mpl_dict_spot at = mpl_dict_table_find(shard, &key);
  return at.entry != NULL && at.place == place;
}

static bool index_is_sound(const struct mpl_dict_table *t) {
  uint64_t n = 0;
  for (uint64_t i = 0; i < 2 * t->capacity; i++) {
    if (index_get(t, i) > mpl_load64_rlx(&t->used)) return false;
    n += index_get(t, i) != 0;
  }
  return n == mpl_load64_rlx(&t->used);
}

/* Walks a table: of a shard, or (NULL) of the waste. */
bool mpl_dict_table_walk(mpl_off table, const struct mpl_dict_shard *shard,
                         bool (*visit)(void *arg, mpl_off block),
                         bool (*ref)(void *arg, uint64_t id), void *arg) {
  if (table == 0) return shard == NULL || mpl_load64_rlx(&shard->count) == 0;
  if (!visit(arg, table)) return false;
  const struct mpl_dict_table *t = MPL_AT(struct mpl_dict_table, table);
  uint64_t used = mpl_load64_rlx(&t->used), count = 0;
  if (t->capacity > UINT32_MAX || size_of(t->capacity) > mpl_heap_size_of(table)) return false;
  if (used > t->capacity) return false;
  if (shard != NULL && (mpl_load64_rlx(&t->top) > used || !index_is_sound(t))) return false;
  for (uint64_t i = 0; i < used; i++) {
    mpl_off off = entry_of(mpl_load64_rlx(&t->place[i]));
    if (off == 0) continue;
    if (!walk_entry(off, visit, ref, arg)) return false;
    if (shard != NULL && !is_found(t, shard, i)) return false;
    if (shard != NULL && i >= mpl_load64_rlx(&t->top)) return false;
    count++;
  }
  return shard == NULL || count == mpl_load64_rlx(&shard->count);
}
