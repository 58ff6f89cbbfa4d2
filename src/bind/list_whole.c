/*
** process.list: what concerns many elements at once.
**
** New elements are collected in a list of the caller's own, which nobody else knows and the
** collector drops if an error comes in between; the change is one call of ds/list.h. Elements
** that are read come from a snapshot.
*/
#include <limits.h>

#include "bind/acquire.h"
#include "bind/args.h"
#include "bind/content.h"
#include "bind/list.h"
#include "shm/reflist.h"

/*
** Snapshots
*/

static int snapshot_close(lua_State *L) {
  mpl_list_snapshot_free(mpl_class_self(L, 1));
  return 0;
}

static const luaL_Reg no_methods[] = {{NULL, NULL}};
static const luaL_Reg snapshot_metamethods[] = {
    {"__close", snapshot_close}, {"__gc", snapshot_close}, {NULL, NULL}};
static const struct mpl_class snapshot_class = {"list snapshot", no_methods, snapshot_metamethods};

static enum mpl_status run_snapshot(struct mpl_list_call *call) {
  return mpl_list_snapshot(call->list, call->at, call->last, call->snapshot);
}

/* Pushes a snapshot of the elements from i to j, as in string.sub. */
static struct mpl_list_snapshot *take_snapshot(lua_State *L, struct mpl_list *l, int64_t i,
                                               int64_t j) {
  struct mpl_list_snapshot *s = mpl_class_new(L, &snapshot_class, sizeof *s, 0);
  struct mpl_list_call call = {.list = l, .run = run_snapshot, .at = i, .last = j, .snapshot = s};
  mpl_list_run(L, &call);
  mpl_content_weigh(L, s->count * sizeof *s->cell);
  return s;
}

/* Pushes element i, from 0. */
static void push_element(lua_State *L, const struct mpl_list_snapshot *s, uint64_t i) {
  struct mpl_value v = mpl_list_value_of(&s->cell[i]);
  mpl_content_show(L, &v);
}

/* l:slice([i[, j]]): a plain table. */
int mpl_list_method_slice(lua_State *L) {
  struct mpl_list *l = mpl_list_self(L);
  lua_Integer i = luaL_optinteger(L, 2, 1), j = luaL_optinteger(L, 3, -1);
  mpl_args_end(L, 3);
  struct mpl_list_snapshot *s = take_snapshot(L, l, i, j);
  lua_createtable(L, s->count > INT_MAX ? INT_MAX : (int)s->count, 0);
  for (uint64_t k = 0; k < s->count; k++) {
    push_element(L, s, k);
    lua_rawseti(L, -2, (lua_Integer)k + 1);
  }
  mpl_list_snapshot_free(s);
  return 1;
}

/* Of an iteration: (snapshot, index). The snapshot is given back at its end. */
static int next_item(lua_State *L) {
  struct mpl_list_snapshot *s = mpl_class_self(L, 1);
  uint64_t i = (uint64_t)luaL_checkinteger(L, 2) - s->place;
  if (i >= s->count) {
    mpl_list_snapshot_free(s);
    lua_pushnil(L);
    return 1;
  }
  lua_pushinteger(L, (lua_Integer)(s->place + i) + 1);
  push_element(L, s, i);
  return 2;
}

/* (l[, i[, j]]): what a `for` needs to see each index and element of a snapshot, from i to j as in
   string.sub. */
int mpl_list_items(lua_State *L) {
  struct mpl_list *l = mpl_list_self(L);
  lua_Integer i = luaL_optinteger(L, 2, 1), j = luaL_optinteger(L, 3, -1);
  mpl_class_push_metatable(L, &snapshot_class);
  lua_pushcclosure(L, next_item, 1);
  struct mpl_list_snapshot *s = take_snapshot(L, l, i, j);
  lua_pushinteger(L, (lua_Integer)s->place);
  lua_pushvalue(L, -2); /* to be closed by a `for` of its own; pairs drops it */
  return 4;
}

/*
** A list of the caller's own
*/

/* Pushes the handle of an empty list. It is not known as that of its object: it is never given
   away. */
static struct mpl_handle *push_own(lua_State *L) {
  struct mpl_handle *h = mpl_handle_new(L, MPL_TYPE_LIST);
  uint64_t id;
  enum mpl_status s = mpl_list_new(&id);
  if (s != MPL_OK) mpl_args_raise(L, s);
  h->id = id;
  h->body = mpl_object_body(id, MPL_TYPE_LIST);
  return h;
}

static void drop_own(struct mpl_handle *h) {
  uint64_t id = h->id;
  h->id = 0;
  h->body = NULL;
  mpl_reflist_release(id);
}

/* How many elements the table at idx has: its `n`, where a hole would be an error, or its
   length. */
static lua_Integer length(lua_State *L, int idx) {
  lua_Integer n = lua_getfield(L, idx, "n") == LUA_TNUMBER && lua_isinteger(L, -1)
                      ? lua_tointeger(L, -1)
                      : luaL_len(L, idx);
  lua_pop(L, 1);
  return n;
}

/* Makes the argument at idx a table: a list becomes a copy of its elements. */
static void want_table(lua_State *L, int idx) {
  if (mpl_class_is(L, idx, &mpl_list_class)) {
    lua_pushcfunction(L, mpl_list_method_slice);
    lua_pushvalue(L, idx);
    lua_call(L, 1, 1);
    lua_replace(L, idx);
  }
  if (!lua_istable(L, idx)) mpl_args_wrong_type(L, idx, "table or list");
}

/* Appends the elements of the table at idx to a list that nobody else knows. */
static void fill(lua_State *L, struct mpl_list *l, int idx) {
  lua_Integer n = length(L, idx);
  for (lua_Integer i = 1; i <= n; i++) {
    if (lua_geti(L, idx, i) == LUA_TNIL)
      mpl_args_wrong(L, idx, lua_pushfstring(L, "element %I is nil, which a list does not hold",
                                             (LUAI_UACINT)i));
    mpl_list_append(L, l, -1);
    lua_pop(L, 1);
  }
}

static enum mpl_status run_splice(struct mpl_list_call *call) {
  return mpl_list_splice(call->list, mpl_list_thread(call), call->own, &call->op.wait);
}

static enum mpl_status run_swap(struct mpl_list_call *call) {
  return mpl_list_swap(call->list, mpl_list_thread(call), call->own, &call->op.wait);
}

/* Changes the list with the handle `own`, which is dropped. */
static int change_all(lua_State *L, struct mpl_list *l, struct mpl_handle *own,
                      enum mpl_status (*run)(struct mpl_list_call *call)) {
  struct mpl_list_call call = {.list = l, .run = run, .own = own->body};
  mpl_list_run(L, &call);
  drop_own(own);
  return 0;
}

/* l:extend(t): appends the elements of a table or list, all at once. */
int mpl_list_method_extend(lua_State *L) {
  struct mpl_list *l = mpl_list_self(L);
  mpl_args_end(L, 2);
  want_table(L, 2);
  struct mpl_handle *own = push_own(L);
  fill(L, own->body, 2);
  return change_all(L, l, own, run_splice);
}

/* l:clear() */
int mpl_list_method_clear(lua_State *L) {
  struct mpl_list *l = mpl_list_self(L);
  mpl_args_end(L, 1);
  return change_all(L, l, push_own(L), run_swap);
}

/* list_assign(l, t): the elements of the table in place of all. */
static int list_assign(lua_State *L) {
  struct mpl_list *l = mpl_handle_body(L, &mpl_list_class);
  luaL_checktype(L, 2, LUA_TTABLE);
  struct mpl_handle *own = push_own(L);
  fill(L, own->body, 2);
  return change_all(L, l, own, run_swap);
}

/* list([t[, {name =}]]): a list with the elements of a table or list. */
static int list_new(lua_State *L) {
  static const char *const known[] = {"name", NULL};
  mpl_args_end(L, 2);
  mpl_args_options(L, 2, known);
  if (!lua_isnoneornil(L, 1)) want_table(L, 1);
  struct mpl_handle *h = mpl_handle_new(L, MPL_TYPE_LIST);
  uint64_t id;
  enum mpl_status s = mpl_list_new(&id);
  if (s != MPL_OK) return mpl_args_raise(L, s);
  mpl_handle_own(L, h, MPL_TYPE_LIST, id);
  mpl_handle_label(L, id, 2);
  if (!lua_isnoneornil(L, 1)) fill(L, h->body, 1);
  return 1;
}

/*
** The gate
*/

/* A gate that is to be taken, is held, or was held by the process before. It is made and taken in
   two steps, so that it is one to be closed before an interrupt can make it go astray. */
struct gate {
  struct mpl_gate_use use; /* first */
  struct mpl_list *list;   /* its handle is a user value */
};

static int gate_close(lua_State *L) {
  struct gate *g = mpl_class_self(L, 1);
  if (mpl_gate_use_end(&g->use)) mpl_lock_release(&g->list->gate);
  return 0;
}

static enum mpl_status gate_attempt(void *body, struct mpl_wait *w) {
  return mpl_lock_try(body, mpl_gate_use_thread(body), w);
}

/* gate:take(): until it is closed nobody but the caller changes the list. Does nothing if the
   caller has the gate already. */
static int gate_take(lua_State *L) {
  static const struct mpl_acquire_kind kind = {gate_attempt, mpl_acquire_pass_lock_on};
  struct gate *g = mpl_class_self(L, 1);
  struct mpl_lock *gate = &g->list->gate;
  if (mpl_lock_is_held_by(gate, mpl_gate_use_thread(gate))) return 0;
  mpl_acquire(L, gate, &kind, MPL_NEVER);
  mpl_gate_use_begin(&g->use);
  return 0;
}

static const luaL_Reg gate_methods[] = {{"take", gate_take}, {NULL, NULL}};
static const luaL_Reg gate_metamethods[] = {
    {"__close", gate_close}, {"__gc", gate_close}, {NULL, NULL}};
static const struct mpl_class gate_class = {"list gate", gate_methods, gate_metamethods};

/* list_gate(l): to be taken. */
static int list_gate(lua_State *L) {
  struct mpl_list *l = mpl_list_self(L);
  struct gate *g = mpl_class_new(L, &gate_class, sizeof *g, 2);
  g->list = l;
  mpl_gate_use_init(L, &g->use, &l->gate);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, 1);
  return 1;
}

/* list_writes(l): a number that grows with each change. */
static int list_writes(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)mpl_list_writes(mpl_list_self(L)));
  return 1;
}

static const luaL_Reg functions[] = {{"list", list_new},
                                     {"list_assign", list_assign},
                                     {"list_gate", list_gate},
                                     {"list_items", mpl_list_items},
                                     {"list_writes", list_writes},
                                     {NULL, NULL}};

/* Puts the functions into the module table on top. */
void mpl_list_open_whole(lua_State *L) {
  mpl_class_register(L, &snapshot_class);
  mpl_class_register(L, &gate_class);
  mpl_class_push_metatable(L, &mpl_list_class);
  luaL_setfuncs(L, functions, 1);
}
