/*
** process.list: its elements. What concerns many of them at once is in list_whole.c, and what is
** made of both in lua/process/list_methods.lua.
*/
#include "bind/list.h"

#include "bind/args.h"
#include "bind/content.h"
#include "bind/module.h"
#include "shm/object.h"

/* In a method: the list at 1. */
struct mpl_list *mpl_list_self(lua_State *L) {
  return mpl_handle_body(L, &mpl_list_class);
}

/*
** Calls that may have to wait for the gate
*/

static int attempt(lua_State *L, struct mpl_blocking *op) {
  struct mpl_list_call *call = (struct mpl_list_call *)op;
  (void)L;
  call->status = call->run(call);
  if (call->status == MPL_BLOCK || call->status == MPL_SIGNAL) return MPL_BLOCKING_AGAIN;
  if (mpl_wait_slept(&op->wait)) mpl_lock_pass_on(&call->list->gate);
  return 0;
}

static void give_up(struct mpl_blocking *op) {
  struct mpl_list_call *call = (struct mpl_list_call *)op;
  mpl_lock_pass_on(&call->list->gate);
  if (call->value.message != 0) mpl_content_drop(call->value.message);
}

/* Runs a call until it did not have to wait. True: it was done; false: there is no such element.
   Raises for all else. A message that the list has not taken is dropped. */
bool mpl_list_run(lua_State *L, struct mpl_list_call *call) {
  call->op.attempt = attempt;
  call->op.give_up = give_up;
  call->op.deadline = MPL_NEVER;
  mpl_blocking_run(L, &call->op);
  if (call->status == MPL_OK) return true;
  if (call->value.message != 0) mpl_content_drop(call->value.message);
  if (call->status != MPL_MISUSE) mpl_args_raise(L, call->status);
  return false;
}

static enum mpl_status run_get(struct mpl_list_call *call) {
  return mpl_list_get(call->list, call->at, &call->image);
}

static enum mpl_status run_set(struct mpl_list_call *call) {
  return mpl_list_set(call->list, mpl_list_thread(call), call->at, &call->value, &call->op.wait);
}

static enum mpl_status run_insert(struct mpl_list_call *call) {
  return mpl_list_insert(call->list, mpl_list_thread(call), call->at, &call->value, &call->op.wait);
}

static enum mpl_status run_take(struct mpl_list_call *call) {
  return mpl_list_take(call->list, mpl_list_thread(call), call->at, false, &call->image,
                       &call->op.wait);
}

static enum mpl_status run_take_last(struct mpl_list_call *call) {
  return mpl_list_take(call->list, mpl_list_thread(call), call->at, true, &call->image,
                       &call->op.wait);
}

/*
** Values and places
*/

/* Encodes the value at idx for a call, perhaps into `room`. Raises if it cannot be an element. */
static void take_value(lua_State *L, int idx, unsigned char room[MPL_VALUE_INLINE],
                       struct mpl_list_call *call) {
  if (lua_isnoneornil(L, idx))
    luaL_argerror(L, idx, "a list holds no nil (pop takes an element out; false may be one)");
  mpl_content_take(L, idx, room, &call->value);
  if (call->value.message != 0 || call->value.size <= MPL_LIST_INLINE) return;
  struct mpl_piece piece = {room, call->value.size};
  enum mpl_status s =
      mpl_content_message(&piece, 1, piece.size, NULL, 0, &call->value.message);
  if (s != MPL_OK) mpl_args_raise(L, s);
}

/* Appends the value at idx. */
void mpl_list_append(lua_State *L, struct mpl_list *l, int idx) {
  struct mpl_list_call call = {.list = l, .run = run_insert, .at = INT64_MAX};
  unsigned char room[MPL_VALUE_INLINE];
  take_value(L, idx, room, &call);
  mpl_list_run(L, &call);
}

/* An index of Lua's, not 0, as a place. */
static int64_t place_of(lua_Integer i) {
  return i > 0 ? i - 1 : i;
}

/* The integer that the key at 2 is, as for tables 2.0 is 2; false: it is none. */
static bool index_of(lua_State *L, lua_Integer *i) {
  int is_integer;
  if (lua_type(L, 2) != LUA_TNUMBER) return false;
  *i = lua_tointegerx(L, 2, &is_integer);
  return is_integer;
}

/*
** l[i]
*/

/* l[i], nil if there is no such element; the methods by name. */
static int list_index(lua_State *L) {
  struct mpl_list_call call = {.list = mpl_list_self(L), .run = run_get};
  lua_Integer i;
  if (!index_of(L, &i)) {
    lua_rawget(L, lua_upvalueindex(2));
    return 1;
  }
  if (i < 0)
    return luaL_error(L, "list: index %I: indexes count from 1 (l[#l] is the last element; slice, "
                         "pop, insert and modify take negative ones)", (LUAI_UACINT)i);
  call.at = i - 1;
  if (i == 0 || !mpl_list_run(L, &call)) {
    lua_pushnil(L);
    return 1;
  }
  struct mpl_value v = mpl_list_value_of(&call.image);
  mpl_content_push(L, &v);
  return 1;
}

/* Raises: the key at 2 is no index to assign to. */
static int no_index(lua_State *L, const struct mpl_list *l) {
  const char *key = luaL_tolstring(L, 2, NULL);
  if (lua_type(L, 2) != LUA_TNUMBER)
    return luaL_error(L, "list: cannot assign to '%s' (an index is an integer)", key);
  return luaL_error(L, "list: cannot assign to index %s: it is not from 1 to %I, nor %I, which "
                       "appends", key, (LUAI_UACINT)mpl_list_count(l),
                    (LUAI_UACINT)mpl_list_count(l) + 1);
}

/* l[i] = nil: the last element goes; where there is none nothing happens, as in a table. */
static int remove_last(lua_State *L, struct mpl_list *l, lua_Integer i) {
  struct mpl_list_call call = {.list = l, .run = run_take_last, .at = i - 1};
  if (i < 0) return no_index(L, l);
  if (i == 0) return 0;
  if (!mpl_list_run(L, &call)) {
    if ((uint64_t)i > mpl_list_count(l)) return 0;
    return luaL_error(L, "list: index %I is not the last: it cannot be nil, as a list has no holes "
                         "(pop(%I) removes the element)", (LUAI_UACINT)i, (LUAI_UACINT)i);
  }
  struct mpl_value v = mpl_list_value_of(&call.image);
  if (v.message != 0) mpl_content_drop(v.message);
  return 0;
}

/* l[i] = v; l[#l + 1] = v appends. */
static int list_newindex(lua_State *L) {
  struct mpl_list_call call = {.list = mpl_list_self(L), .run = run_set};
  unsigned char room[MPL_VALUE_INLINE];
  lua_Integer i;
  if (!index_of(L, &i)) return no_index(L, call.list);
  if (lua_isnil(L, 3)) return remove_last(L, call.list, i);
  if (i <= 0) return no_index(L, call.list);
  call.at = i - 1;
  take_value(L, 3, room, &call);
  if (!mpl_list_run(L, &call)) return no_index(L, call.list);
  mpl_object_bury();
  return 0;
}

static int list_len(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)mpl_list_count(mpl_list_self(L)));
  return 1;
}

/*
** Methods
*/

/* l:append(v) */
static int list_append(lua_State *L) {
  struct mpl_list *l = mpl_list_self(L);
  mpl_args_end(L, 2);
  mpl_list_append(L, l, 2);
  return 0;
}

/* l:insert(i, v): before element i; at the nearer end if there is none. */
static int list_insert(lua_State *L) {
  struct mpl_list_call call = {.list = mpl_list_self(L), .run = run_insert};
  unsigned char room[MPL_VALUE_INLINE];
  call.at = place_of(luaL_checkinteger(L, 2));
  mpl_args_end(L, 3);
  take_value(L, 3, room, &call);
  mpl_list_run(L, &call);
  return 0;
}

/* Argument: a value. */
static int decode_protected(lua_State *L) {
  mpl_content_show(L, lua_touserdata(L, 1));
  return 1;
}

/* Pushes what was taken out of the list. If that fails it goes back: there is no memory, an
   interrupt strikes meanwhile, or this process lacks what it needs. */
static void push_taken(lua_State *L, struct mpl_list_call *call) {
  struct mpl_value v = mpl_list_value_of(&call->image);
  if (v.message == 0 && mpl_codec_is_plain(v.bytes)) {
    mpl_codec_decode(L, v.bytes, v.size, NULL, 0);
    return;
  }
  lua_pushcfunction(L, decode_protected);
  lua_pushlightuserdata(L, &v);
  int status = lua_pcall(L, 1, 1, 0);
  if (status != LUA_OK) {
    struct mpl_list_call back = {.list = call->list, .run = run_insert, .value = v};
    back.at = call->at < -1 ? call->at + 1 : call->at < 0 ? INT64_MAX : call->at;
    mpl_list_run(L, &back);
  } else if (v.message != 0) {
    mpl_content_drop(v.message);
  }
  if (status != LUA_OK) lua_error(L);
}

/* l:pop([i]): takes element i out, the last one if i is missing; nil, "empty". */
static int list_pop(lua_State *L) {
  struct mpl_list_call call = {.list = mpl_list_self(L), .run = run_take};
  lua_Integer i = luaL_optinteger(L, 2, -1);
  mpl_args_end(L, 2);
  call.at = place_of(i);
  if (i != 0 && mpl_list_run(L, &call)) {
    push_taken(L, &call);
    return 1;
  }
  uint64_t count = mpl_list_count(call.list);
  if (count > 0 && !lua_isnoneornil(L, 2))
    luaL_argerror(L, 2, lua_pushfstring(L, "index %I is not within the list (1 to %I, -1 to -%I)",
                                        (LUAI_UACINT)i, (LUAI_UACINT)count, (LUAI_UACINT)count));
  lua_pushnil(L);
  lua_pushliteral(L, "empty");
  return 2;
}

/* l:wait_change([timeout]): true once the list has changed; false, "timeout". */
static int wait_attempt(lua_State *L, struct mpl_blocking *op) {
  struct mpl_list_call *call = (struct mpl_list_call *)op;
  if (mpl_list_await(call->list, call->writes, &op->wait) == MPL_BLOCK) return MPL_BLOCKING_AGAIN;
  lua_pushboolean(L, 1);
  return 1;
}

static int list_wait_change(lua_State *L) {
  struct mpl_list_call call = {.op = {.attempt = wait_attempt,
                                      .timed_out = mpl_blocking_late,
                                      .does_chores = true},
                               .list = mpl_list_self(L)};
  mpl_args_end(L, 2);
  call.op.deadline = mpl_args_timeout(L, 2);
  call.writes = mpl_list_writes(call.list);
  return mpl_blocking_run(L, &call.op);
}

static const luaL_Reg methods[] = {{"append", list_append},
                                   {"clear", mpl_list_method_clear},
                                   {"extend", mpl_list_method_extend},
                                   {"insert", list_insert},
                                   {"pop", list_pop},
                                   {"slice", mpl_list_method_slice},
                                   {"wait_change", list_wait_change},
                                   {NULL, NULL}};
static const luaL_Reg metamethods[] = {{"__gc", mpl_handle_gc},
                                       {"__len", list_len},
                                       {"__newindex", list_newindex},
                                       {"__pairs", mpl_list_items},
                                       {NULL, NULL}};

const struct mpl_class mpl_list_class = {"list", methods, metamethods};

/* Registers the class and puts into the module table on top what lua/process/list_methods.lua makes
   process.list of: core.list, of which `list_class` is the metatable. */
void mpl_list_open(lua_State *L) {
  mpl_list_register();
  mpl_handle_class(L, MPL_TYPE_LIST, &mpl_list_class);
  mpl_class_push_metatable(L, &mpl_list_class);
  lua_getfield(L, -1, "__index");
  lua_setfield(L, -3, "list_methods");
  lua_setfield(L, -2, "list_class");
  mpl_class_set_index(L, &mpl_list_class, list_index);
  mpl_list_open_whole(L);
}
