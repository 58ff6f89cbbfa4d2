/*
** What there is in shared memory: process.stats(), and the list of objects that MPL_LEAKS asks for.
**
** Everything is first copied, partly under the object lock, into a userdata, and only then made
** into Lua tables: nothing throws under a lock, and nothing is lost if memory runs out.
*/
#include <string.h>

#include "bind/args.h"
#include "bind/module.h"
#include "ds/cells.h"
#include "ds/condition.h"
#include "shm/deadlock.h"
#include "shm/recover.h"
#include "shm/reflist.h"
#include "shm/super.h"

/* Objects that may come while we look. */
#define SPARE 64

struct found {
  uint64_t id;
  enum mpl_object_type type;
  uint64_t refs;
  uint64_t held; /* how many processes refer to it */
  uint64_t holder; /* identity of one of them */
  uint64_t lock; /* of a Value, Array or Condition; 0: none */
  bool is_part; /* it is such a lock */
  char label[MPL_OBJECT_LABEL];
};

/* All objects that are referred to, as far as there is room. */
struct inventory {
  uint64_t n, room;
  struct found found[];
};

/* Id of the lock that an object refers to; 0: none. */
static uint64_t lock_of(const struct mpl_object *entry) {
  const void *body = mpl_object_body_of(entry);
  switch (mpl_load64_rlx(&entry->type)) {
    case MPL_TYPE_VALUE:
    case MPL_TYPE_ARRAY: return mpl_load64_rlx(&((const struct mpl_cells *)body)->lock);
    case MPL_TYPE_CONDITION: return mpl_condition_lock(body);
    default: return 0;
  }
}

static void note(void *arg, const struct mpl_object *entry) {
  struct inventory *all = arg;
  if (all->n == all->room) return;
  struct found *f = &all->found[all->n++];
  f->id = mpl_load64_rlx(&entry->id);
  f->type = (enum mpl_object_type)mpl_load64_rlx(&entry->type);
  f->refs = mpl_load64_rlx(&entry->refs);
  f->held = f->holder = 0;
  f->lock = lock_of(entry);
  f->is_part = false;
  memcpy(f->label, mpl_object_label_of(mpl_object_body_of(entry)), MPL_OBJECT_LABEL);
}

/* Pushes the inventory. */
static struct inventory *take_inventory(lua_State *L) {
  uint64_t room = mpl_load64_rlx(&mpl_super()->objects.live) + SPARE;
  struct inventory *all =
      lua_newuserdatauv(L, sizeof *all + (size_t)room * sizeof(struct found), 0);
  all->n = 0;
  all->room = room;
  mpl_object_each(note, all);
  return all;
}

static bool is_member(const struct mpl_slot *slot) {
  return mpl_slot_state_of(slot) == MPL_SLOT_LIVE && mpl_slot_lives(slot);
}

static void set_integer(lua_State *L, const char *key, uint64_t value) {
  lua_pushinteger(L, (lua_Integer)value);
  lua_setfield(L, -2, key);
}

static void push_arena(lua_State *L) {
  struct mpl_heap_info info;
  mpl_heap_info(&info);
  lua_createtable(L, 0, 3);
  set_integer(L, "used", info.used);
  set_integer(L, "populated", info.populated);
  set_integer(L, "cap", info.cap);
}

/* {Lock = n, ...}: how many objects there are of each kind of which there are any. */
static void push_kinds(lua_State *L) {
  uint64_t count[MPL_TYPE_COUNT] = {0};
  const struct inventory *all = take_inventory(L);
  for (uint64_t i = 0; i < all->n; i++) count[all->found[i].type]++;
  lua_createtable(L, 0, MPL_TYPE_COUNT);
  for (enum mpl_object_type type = MPL_TYPE_NONE + 1; type < MPL_TYPE_COUNT; type++)
    if (count[type] > 0) set_integer(L, mpl_object_ops_of(type)->name, count[type]);
  lua_remove(L, -2);
}

static void count_one(void *arg, uint64_t id) {
  (void)id;
  ++*(uint64_t *)arg;
}

/* {name=, pid=, references=, waits=}: the last is text, or nil if it does not sleep. */
static void push_process(lua_State *L, const struct mpl_slot *slot) {
  char text[256];
  uint64_t references = 0;
  mpl_reflist_each(slot, count_one, &references);
  lua_createtable(L, 0, 4);
  mpl_slot_get_name(slot, text);
  lua_pushstring(L, text);
  lua_setfield(L, -2, "name");
  set_integer(L, "pid", mpl_load64_rlx(&slot->pid));
  set_integer(L, "references", references);
  if (mpl_deadlock_describe(slot, text, sizeof text) > 0) {
    lua_pushstring(L, text);
    lua_setfield(L, -2, "waits");
  }
}

static void push_processes(lua_State *L) {
  lua_Integer n = 0;
  lua_newtable(L);
  for (uint64_t i = 0; i < mpl_slot_count(); i++) {
    if (!is_member(mpl_slot_at(i))) continue;
    push_process(L, mpl_slot_at(i));
    lua_rawseti(L, -2, ++n);
  }
}

/* stats(): {arena = {used, populated, cap}, objects = {kind = n}, processes = list, recovered,
   rolled_back}: bytes of shared memory, objects by kind, the living processes (see push_process),
   how many were cleaned up after, sections rolled back. */
static int stats(lua_State *L) {
  mpl_recover_all();
  mpl_reflist_sweep();
  lua_createtable(L, 0, 5);
  push_arena(L);
  lua_setfield(L, -2, "arena");
  push_kinds(L);
  lua_setfield(L, -2, "objects");
  push_processes(L);
  lua_setfield(L, -2, "processes");
  set_integer(L, "recovered", mpl_load64_rlx(&mpl_super()->recovered));
  set_integer(L, "rolled_back", mpl_load64_rlx(&mpl_super()->rolled_back));
  return 1;
}

struct holding {
  struct inventory *all;
  uint64_t ident;
};

/* The object with this id in the inventory, which is in the order of indices; NULL if it is not. */
static struct found *find(struct inventory *all, uint64_t id) {
  uint64_t low = 0, high = all->n;
  while (low < high) {
    uint64_t mid = (low + high) / 2;
    if ((all->found[mid].id & UINT32_MAX) < (id & UINT32_MAX))
      low = mid + 1;
    else
      high = mid;
  }
  return low == all->n || all->found[low].id != id ? NULL : &all->found[low];
}

/* The process of h->ident refers to an object. */
static void note_holder(void *arg, uint64_t id) {
  struct holding *h = arg;
  struct found *f = find(h->all, id);
  if (f == NULL) return;
  f->held++;
  f->holder = h->ident;
}

static void note_parts(struct inventory *all) {
  for (uint64_t i = 0; i < all->n; i++) {
    struct found *lock = all->found[i].lock != 0 ? find(all, all->found[i].lock) : NULL;
    if (lock != NULL) lock->is_part = true;
  }
}

/* "Queue #3 made at x.lua:5, held by P and 2 more processes" or "..., held by other objects". */
static void push_line(lua_State *L, const struct found *f) {
  char name[MPL_SLOT_NAME] = "a dead process";
  struct mpl_slot *slot = mpl_slot_find(f->holder);
  if (slot != NULL) mpl_slot_get_name(slot, name);
  lua_pushfstring(L, "%s %s, held by %s", mpl_object_ops_of(f->type)->name, f->label,
                  f->held > 0 ? name : "other objects");
  if (f->held < 2) return;
  lua_pushfstring(L, " and %d more", (int)f->held - 1);
  lua_concat(L, 2);
}

/* referenced(): a line of text for each object that somebody refers to, in a list. A lock that is
   only a part of another object goes without saying. */
static int referenced(lua_State *L) {
  mpl_recover_all();
  mpl_reflist_sweep();
  struct inventory *all = take_inventory(L);
  for (uint64_t i = 0; i < mpl_slot_count(); i++) {
    struct holding h = {.all = all, .ident = mpl_slot_ident(mpl_slot_at(i))};
    if (is_member(mpl_slot_at(i))) mpl_reflist_each(mpl_slot_at(i), note_holder, &h);
  }
  note_parts(all);
  lua_createtable(L, (int)all->n, 0);
  lua_Integer n = 0;
  for (uint64_t i = 0; i < all->n; i++) {
    if (all->found[i].is_part && all->found[i].held == 0) continue;
    push_line(L, &all->found[i]);
    lua_rawseti(L, -2, ++n);
  }
  return 1;
}

static const luaL_Reg functions[] = {{"stats", stats}, {"referenced", referenced}, {NULL, NULL}};

/* Puts the functions into the module table on top. */
void mpl_stats_open(lua_State *L) {
  luaL_setfuncs(L, functions, 0);
}
