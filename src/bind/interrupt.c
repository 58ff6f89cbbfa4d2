/*
** Interrupts: see interrupt.h.
*/
#include "bind/interrupt.h"

#include <signal.h>

#include <lauxlib.h>
#include <lualib.h>

#include "bind/args.h"
#include "proc/alarm.h"
#include "proc/child.h"
#include "proc/signal.h"
#include "shm/slot.h"

#define ANY_EVENT (LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT)

/* Registry key: the last error raised, to tell it from others with the same text. */
static const char error_key;

/* The coroutine whose code runs. Read by the signal handler, which may find it a moment old: the
   hook then strikes when that coroutine goes on. */
static lua_State *volatile running;

static bool own; /* the last one was meant for this process alone */
static uint64_t raised; /* how many there were */
static bool held; /* the hook does not strike */

static int raise_interrupted(lua_State *L) {
  uint64_t expected = MPL_SLOT_INTERRUPT_OWN;
  /* It outranks the end of a task, whose error must not strike on this one's way out. */
  mpl_signal_take(MPL_SIGNAL_INTERRUPT | MPL_SIGNAL_TASK);
  raised++;
  own = mpl_self != NULL && mpl_cas64_ar(&mpl_self->interrupt, &expected, MPL_SLOT_INTERRUPT_NONE);
  lua_pushliteral(L, "interrupted!");
  mpl_args_add_place(L);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &error_key);
  return lua_error(L);
}

/* The task that runs is to end, which the pool's worker knows (bind/tasks_serve.c); the task may
   catch this and clean up. */
static int raise_task(lua_State *L) {
  mpl_signal_take(MPL_SIGNAL_TASK);
  bool cancelled = mpl_alarm_struck() == MPL_CHUNK_CANCELLED;
  return luaL_error(L, cancelled ? "task cancelled" : "task timed out");
}

/* The script's own hook, which comes back after ours has struck. Written by the handler before it
   sets the hook that reads it. */
static struct {
  lua_State *owner;
  lua_Hook hook;
  int mask, count;
} replaced;

/* Whether a function in C is about to be called. It may be the __close of what is held, by which an
   error would get past it: the hook strikes when it returns. */
static bool is_before_c(lua_State *L, lua_Debug *where) {
  return where->event == LUA_HOOKCALL && lua_getinfo(L, "S", where) && *where->what == 'C';
}

static void hook(lua_State *L, lua_Debug *where) {
  if (is_before_c(L, where)) return;
  if (replaced.owner == L)
    lua_sethook(L, replaced.hook, replaced.mask, replaced.count);
  else
    lua_sethook(L, NULL, 0, 0);
  if (held) return; /* what is pending is brought to mind again */
  /* A wait may have raised the error before the hook struck. */
  if (mpl_signal_pending(MPL_SIGNAL_INTERRUPT)) raise_interrupted(L);
  if (mpl_signal_pending(MPL_SIGNAL_TASK)) raise_task(L);
}

/* Signal handler: lua_sethook is the one function of Lua that may be called in one, and its like
   that only read what it sets. It may interrupt itself anywhere: the hook is looked at last, so
   that what was read goes with it. */
static void on_interrupt(void) {
  lua_State *L = running;
  if (L == NULL) return;
  int mask = lua_gethookmask(L), count = lua_gethookcount(L);
  lua_Hook its = lua_gethook(L);
  if (its != hook) {
    replaced.owner = L;
    replaced.hook = its;
    replaced.mask = mask;
    replaced.count = count;
  }
  lua_sethook(L, hook, ANY_EVENT, 1);
}

/*
** Acts on the signals that came: ended children are reaped; an interrupt becomes an error, and so
** does the end of a task, before which `before_error` (may be NULL) is called.
*/
void mpl_interrupt_attend(lua_State *L, void (*before_error)(void *arg), void *arg) {
  if (mpl_signal_take(MPL_SIGNAL_CHILD)) mpl_child_reap();
  if (!mpl_signal_pending(MPL_SIGNAL_INTERRUPT | MPL_SIGNAL_TASK)) return;
  if (before_error != NULL) before_error(arg);
  if (mpl_signal_pending(MPL_SIGNAL_INTERRUPT)) raise_interrupted(L);
  raise_task(L);
}

/* Whether the value at idx is the error of an interrupt. */
bool mpl_interrupt_is(lua_State *L, int idx) {
  lua_pushvalue(L, idx);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &error_key);
  bool is = !lua_isnil(L, -1) && lua_rawequal(L, -1, -2);
  lua_pop(L, 2);
  return is;
}

/* The last interrupt was raised where its error could not be passed on: it will be raised once
   more. */
void mpl_interrupt_again(void) {
  if (own && mpl_self != NULL) mpl_store64_rlx(&mpl_self->interrupt, MPL_SLOT_INTERRUPT_OWN);
  raise(SIGINT);
}

/* How many interrupts were raised so far, to see whether one was since. */
uint64_t mpl_interrupt_count(void) {
  return raised;
}

/* Whether from now on running code is left in peace; waits are not. What came meanwhile strikes as
   soon as running code is not held any more: not here, where the error of a finalizer would be lost
   with it. Returns what was before. */
bool mpl_interrupt_hold(bool hold) {
  bool before = held;
  held = hold;
  if (!hold && mpl_signal_pending(MPL_SIGNAL_INTERRUPT | MPL_SIGNAL_TASK)) on_interrupt();
  return before;
}

/* Whether running code is left in peace at present. */
bool mpl_interrupt_held(void) {
  return held;
}

/* Whether the last interrupt was sent to this process alone, by its parent. */
bool mpl_interrupt_is_own(void) {
  return own;
}

/*
** coroutine.resume and coroutine.wrap that keep `running`. The first calls the library's own, its
** upvalue; the second behaves as the library's, which offers no way in.
*/

static int resume(lua_State *L) {
  lua_CFunction library = lua_tocfunction(L, lua_upvalueindex(1));
  lua_State *co = lua_tothread(L, 1), *before = running;
  /* With room for the arguments the library raises only if the first is no coroutine. */
  if (co != NULL && lua_checkstack(co, lua_gettop(L))) running = co;
  int n = library(L);
  running = before;
  return n;
}

/* The call of a wrapped coroutine failed with the error on top of co: closes it, and lets the error
   go on in L, with the position of the caller if it is a string. */
static int wrap_failed(lua_State *L, lua_State *co) {
  int status = lua_status(co);
  if (status != LUA_OK && status != LUA_YIELD) {
    status = lua_resetthread(co);
    lua_xmove(co, L, 1);
  }
  if (status != LUA_ERRMEM && lua_type(L, -1) == LUA_TSTRING && !mpl_interrupt_is(L, -1)) {
    luaL_where(L, 1);
    lua_insert(L, -2);
    lua_concat(L, 2);
  }
  return lua_error(L);
}

static int call_wrapped(lua_State *L) {
  lua_State *co = lua_tothread(L, lua_upvalueindex(1)), *before = running;
  int nargs = lua_gettop(L), nresults = 0;
  if (!lua_checkstack(co, nargs)) return luaL_error(L, "too many arguments to resume");
  lua_xmove(L, co, nargs);
  running = co;
  int status = lua_resume(co, L, nargs, &nresults);
  running = before;
  if (status != LUA_OK && status != LUA_YIELD) {
    if (lua_status(co) == LUA_OK || lua_status(co) == LUA_YIELD) lua_xmove(co, L, 1);
    return wrap_failed(L, co);
  }
  if (!lua_checkstack(L, nresults + 1)) {
    lua_pop(co, nresults);
    return luaL_error(L, "too many results to resume");
  }
  lua_xmove(co, L, nresults);
  return nresults;
}

static int wrap(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_State *co = lua_newthread(L);
  lua_pushvalue(L, 1);
  lua_xmove(L, co, 1);
  lua_pushcclosure(L, call_wrapped, 1);
  return 1;
}

/* From now on SIGINT interrupts the code that L's state runs. May be called again; the last state
   is the one that is interrupted. */
void mpl_interrupt_open(lua_State *L) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  running = lua_tothread(L, -1);
  lua_pop(L, 1);
  mpl_signal_on_interrupt(on_interrupt);
  int top = lua_gettop(L);
  if (lua_getglobal(L, LUA_COLIBNAME) == LUA_TTABLE) {
    lua_getfield(L, -1, "resume");
    if (lua_iscfunction(L, -1) && lua_tocfunction(L, -1) != resume) {
      lua_pushcclosure(L, resume, 1);
      lua_setfield(L, top + 1, "resume");
      lua_pushcfunction(L, wrap);
      lua_setfield(L, top + 1, "wrap");
    }
  }
  lua_settop(L, top);
}
