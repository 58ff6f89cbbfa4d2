/*
** process.Barrier
**
** The action is a function of the process that made the barrier. Those that it forks have it, as
** the handle's user value. For others it lies encoded in the barrier, if it can be sent at all.
*/
#include "ds/barrier.h"

#include <string.h>

#include "base/os.h"
#include "bind/args.h"
#include "bind/blocking.h"
#include "bind/content.h"
#include "bind/handle.h"
#include "bind/module.h"
#include "shm/message.h"

static const struct mpl_class barrier_class;

static struct mpl_barrier *self(lua_State *L) {
  return mpl_handle_body(L, &barrier_class);
}

/*
** Making
*/

static int encode(lua_State *L) {
  mpl_codec_encode(L, 1, lua_touserdata(L, 2));
  return 0;
}

/* A message with the function at idx; 0 if it cannot be sent. Raises for want of memory. */
static mpl_off message_of(lua_State *L, int idx) {
  struct mpl_codec_out out;
  mpl_off message = 0;
  lua_pushcfunction(L, encode);
  lua_pushvalue(L, idx);
  lua_pushlightuserdata(L, &out);
  int status = lua_pcall(L, 2, 0, 0);
  if (status != LUA_OK && mpl_args_lacked_memory(L, status)) lua_error(L);
  if (status != LUA_OK) return lua_pop(L, 1), 0;
  enum mpl_status s =
      mpl_content_message(out.pieces, out.npieces, out.size, out.refs, out.nrefs, &message);
  mpl_codec_release(&out);
  if (s != MPL_OK) mpl_args_raise(L, s);
  return message;
}

static int64_t timeout_wanted(lua_State *L, int idx) {
  if (lua_isnoneornil(L, idx)) return MPL_NEVER;
  int64_t deadline = mpl_args_timeout(L, idx);
  if (deadline == MPL_NEVER || deadline == 0) return deadline;
  return (int64_t)(lua_tonumber(L, idx) * (lua_Number)MPL_NS_PER_S);
}

/* Replaces a table of options at 1 by what it says, in the places of the arguments. */
static void unpack_options(lua_State *L) {
  static const char *const known[] = {"parties", "action", "timeout", "name", NULL};
  mpl_args_options(L, 1, known);
  lua_settop(L, 1);
  for (int i = 0; i < 3; i++) lua_getfield(L, 1, known[i]);
  luaL_argcheck(L, lua_type(L, 2) == LUA_TNUMBER, 1, "field 'parties' must be an integer");
  luaL_argcheck(L, lua_isnil(L, 3) || lua_isfunction(L, 3), 1,
                "field 'action' must be a function");
  luaL_argcheck(L, lua_isnil(L, 4) || lua_type(L, 4) == LUA_TNUMBER, 1,
                "field 'timeout' must be a number of seconds");
  lua_pushvalue(L, 1);
  lua_remove(L, 1); /* parties, action, timeout, the table */
}

/* Barrier(parties[, action[, timeout]]) or Barrier{parties=, action=, timeout=, name=}. */
static int barrier_new(lua_State *L) {
  mpl_args_end(L, 3);
  if (lua_istable(L, 1)) unpack_options(L);
  lua_settop(L, 4);
  lua_Integer parties = luaL_checkinteger(L, 1);
  luaL_argcheck(L, parties >= 1, 1, "a barrier has 1 party or more");
  luaL_argcheck(L, parties <= MPL_BARRIER_MOST, 1, "no program has so many processes");
  if (!lua_isnil(L, 2)) luaL_checktype(L, 2, LUA_TFUNCTION);
  int64_t timeout = timeout_wanted(L, 3);
  struct mpl_handle *h = mpl_handle_new(L, MPL_TYPE_BARRIER);
  lua_pushvalue(L, 2);
  lua_setiuservalue(L, -2, 1);
  uint64_t id;
  bool acts = !lua_isnil(L, 2);
  mpl_off action = acts ? message_of(L, 2) : 0;
  enum mpl_status s = mpl_barrier_new((uint64_t)parties, timeout, acts, action, &id);
  if (s != MPL_OK && action != 0) mpl_content_drop(action);
  if (s != MPL_OK) return mpl_args_raise(L, s);
  mpl_handle_own(L, h, MPL_TYPE_BARRIER, id);
  mpl_handle_label(L, id, 4);
  return 1;
}

/*
** Waiting
*/

struct barrier_wait {
  struct mpl_blocking op;
  struct mpl_barrier *b;
  mpl_off round; /* 0: it has not come to one */
  uint64_t index;
  enum mpl_status end; /* once the time is up */
};

static int broken(lua_State *L) {
  lua_pushnil(L);
  lua_pushliteral(L, "broken");
  return 2;
}

/* Pushes the action of the barrier at 1. Raises if it could not be sent to this process. */
static void push_action(lua_State *L, struct mpl_barrier *b) {
  if (lua_getiuservalue(L, 1, 1) == LUA_TFUNCTION) return;
  mpl_off message = mpl_load64_rlx(&b->action);
  if (message == 0)
    luaL_error(L, "Barrier: its action cannot be sent, so this process does not have it");
  mpl_content_decode(L, message);
  lua_pushvalue(L, -1);
  lua_setiuservalue(L, 1, 1);
}

static int act(lua_State *L) {
  push_action(L, lua_touserdata(L, 2));
  lua_call(L, 0, 0);
  return 0;
}

/* The last party acts, and does not wait meanwhile. If that fails the barrier is broken and the
   error goes to it alone. */
static int run_action(lua_State *L, struct barrier_wait *bw) {
  mpl_wait_done(&bw->op.wait);
  lua_pushcfunction(L, act);
  lua_pushvalue(L, 1);
  lua_pushlightuserdata(L, bw->b);
  if (lua_pcall(L, 2, 0, 0) != LUA_OK) {
    mpl_barrier_leave(bw->b, bw->round, bw->index);
    return lua_error(L);
  }
  mpl_barrier_pass(bw->b, bw->round);
  return 0;
}

static enum mpl_status come(lua_State *L, struct barrier_wait *bw) {
  enum mpl_status s = mpl_barrier_enter(bw->b, &bw->round, &bw->index, &bw->op.wait);
  bool last = s == MPL_OK && bw->index == mpl_load64_rlx(&bw->b->parties);
  if (last && mpl_load64_rlx(&bw->b->acts)) run_action(L, bw);
  return s;
}

static int wait_attempt(lua_State *L, struct mpl_blocking *op) {
  struct barrier_wait *bw = (struct barrier_wait *)op;
  enum mpl_status s = bw->round == 0 ? come(L, bw) : MPL_OK;
  if (s == MPL_OK) s = mpl_barrier_try(bw->b, bw->round, bw->index, &op->wait);
  if (s == MPL_BLOCK) return MPL_BLOCKING_AGAIN;
  mpl_wait_done(&op->wait);
  if (s == MPL_CLOSED) return broken(L);
  if (s != MPL_OK) return mpl_args_raise(L, s);
  lua_pushinteger(L, (lua_Integer)bw->index);
  return 1;
}

/* Breaks the barrier unless all have come in the meantime. */
static void wait_give_up(struct mpl_blocking *op) {
  struct barrier_wait *bw = (struct barrier_wait *)op;
  bw->end = (op->late ? mpl_barrier_late : mpl_barrier_leave)(bw->b, bw->round, bw->index);
}

/* The time is for the others to come; the last one may act as long as it likes. */
static int wait_timed_out(lua_State *L, struct mpl_blocking *op) {
  struct barrier_wait *bw = (struct barrier_wait *)op;
  if (bw->end == MPL_BLOCK) {
    op->deadline = MPL_NEVER;
    return mpl_blocking_run(L, op);
  }
  if (bw->end != MPL_OK) return broken(L);
  lua_pushinteger(L, (lua_Integer)bw->index);
  return 1;
}

/* b:wait([timeout]): waits for the other parties: the caller's place in the order of arrival, from
   1; nil, "broken". */
static int barrier_wait(lua_State *L) {
  struct barrier_wait bw = {.op = {.attempt = wait_attempt,
                                   .does_chores = true,
                                   .give_up = wait_give_up,
                                   .timed_out = wait_timed_out},
                            .b = self(L)};
  mpl_args_end(L, 2);
  int64_t timeout = (int64_t)mpl_load64_rlx(&bw.b->timeout);
  if (!lua_isnoneornil(L, 2) || timeout == MPL_NEVER)
    bw.op.deadline = mpl_args_timeout(L, 2);
  else
    bw.op.deadline = timeout == 0 ? 0 : mpl_os_now() + timeout;
  lua_settop(L, 1);
  return mpl_blocking_run(L, &bw.op);
}

/*
** For everybody
*/

/* b:abort(): breaks it; all who wait, and who come, get nil, "broken". */
static int barrier_abort(lua_State *L) {
  if (mpl_barrier_abort(self(L)) != MPL_OK) return mpl_args_raise(L, MPL_DAMAGED);
  return 0;
}

/* b:reset(): makes it as new; those who wait get nil, "broken". */
static int barrier_reset(lua_State *L) {
  if (mpl_barrier_reset(self(L)) != MPL_OK) return mpl_args_raise(L, MPL_DAMAGED);
  return 0;
}

/* Fields: parties, n_waiting, broken; else a method. */
static int barrier_index(lua_State *L) {
  struct mpl_barrier *b = self(L);
  const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
  if (strcmp(key, "parties") == 0)
    lua_pushinteger(L, (lua_Integer)mpl_load64_rlx(&b->parties));
  else if (strcmp(key, "n_waiting") == 0)
    lua_pushinteger(L, (lua_Integer)mpl_barrier_waiting(b));
  else if (strcmp(key, "broken") == 0)
    lua_pushboolean(L, mpl_barrier_is_broken(b));
  else
    lua_pushvalue(L, 2), lua_rawget(L, lua_upvalueindex(2));
  return 1;
}

static int barrier_tostring(lua_State *L) {
  struct mpl_barrier *b = self(L);
  lua_pushfstring(L, "<Barrier waiters=%I/%I%s>", (LUAI_UACINT)mpl_barrier_waiting(b),
                  (LUAI_UACINT)mpl_load64_rlx(&b->parties),
                  mpl_barrier_is_broken(b) ? " broken" : "");
  return 1;
}

static const luaL_Reg methods[] = {
    {"wait", barrier_wait}, {"abort", barrier_abort}, {"reset", barrier_reset}, {NULL, NULL}};
static const luaL_Reg metamethods[] = {
    {"__gc", mpl_handle_gc}, {"__tostring", barrier_tostring}, {NULL, NULL}};

static const struct mpl_class barrier_class = {"Barrier", methods, metamethods};

/* Registers the class and puts its constructor into the module table on top. */
void mpl_barrier_open(lua_State *L) {
  mpl_barrier_register();
  mpl_handle_class(L, MPL_TYPE_BARRIER, &barrier_class);
  mpl_class_set_index(L, &barrier_class, barrier_index);
  lua_pushcfunction(L, barrier_new);
  lua_setfield(L, -2, "Barrier");
}
