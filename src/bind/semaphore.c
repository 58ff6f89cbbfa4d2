/*
** process.Semaphore and process.BoundedSemaphore
*/
#include "ds/semaphore.h"

#include "bind/acquire.h"
#include "bind/args.h"
#include "bind/handle.h"
#include "bind/hold.h"
#include "bind/module.h"

static const struct mpl_class semaphore_class;

static struct mpl_semaphore *self(lua_State *L) {
  return mpl_handle_body(L, &semaphore_class);
}

static const char *kind_of(const struct mpl_semaphore *s) {
  return mpl_semaphore_is_bounded(s) ? "BoundedSemaphore" : "Semaphore";
}

static enum mpl_status attempt(void *body, struct mpl_wait *w) {
  return mpl_semaphore_try(body, w);
}

static void pass_on(void *body) {
  mpl_semaphore_pass_on(body);
}

static const struct mpl_acquire_kind kind = {attempt, pass_on};

/* The number of tokens at 1, by default 1, or in the table of options there. */
static lua_Integer tokens_wanted(lua_State *L) {
  static const char *const known[] = {"value", "name", NULL};
  lua_Integer n = 1;
  mpl_args_end(L, 1);
  if (lua_type(L, 1) != LUA_TTABLE) {
    n = luaL_optinteger(L, 1, 1);
  } else if (mpl_args_options(L, 1, known) && lua_getfield(L, 1, "value") != LUA_TNIL) {
    luaL_argcheck(L, lua_isinteger(L, -1), 1, "field 'value' must be an integer");
    n = lua_tointeger(L, -1);
  }
  luaL_argcheck(L, n >= 0, 1, "a semaphore has 0 tokens or more");
  return n;
}

static int make(lua_State *L, bool bounded) {
  uint64_t id, tokens = (uint64_t)tokens_wanted(L);
  struct mpl_handle *h = mpl_handle_new(L, MPL_TYPE_SEMAPHORE);
  enum mpl_status s = mpl_semaphore_new(tokens, bounded, &id);
  if (s != MPL_OK) return mpl_args_raise(L, s);
  mpl_handle_own(L, h, MPL_TYPE_SEMAPHORE, id);
  mpl_handle_label(L, id, 1);
  return 1;
}

/* Semaphore([n | {value=, name=}]): a semaphore with n tokens, by default 1. */
static int semaphore_new(lua_State *L) {
  return make(L, false);
}

/* BoundedSemaphore([n | {value=, name=}]): one that cannot get more tokens than it was made
   with. */
static int bounded_new(lua_State *L) {
  return make(L, true);
}

/* s:acquire([block][, timeout]): takes a token: true; false, "timeout". */
static int semaphore_acquire(lua_State *L) {
  struct mpl_semaphore *s = self(L);
  return mpl_acquire(L, s, &kind, mpl_acquire_deadline(L));
}

/* s:release(): gives a token back; raises if a bounded semaphore has all of its tokens. */
static int semaphore_release(lua_State *L) {
  struct mpl_semaphore *s = self(L);
  mpl_args_end(L, 1);
  if (mpl_semaphore_release(s) == MPL_MISUSE)
    return luaL_error(L, "%s: released more often than acquired (it never has more than %I tokens)",
                      kind_of(s), (LUAI_UACINT)mpl_load64_rlx(&s->most));
  return 0;
}

/* s:get_value(): how many tokens there are, for the moment. */
static int semaphore_get_value(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)mpl_semaphore_tokens(self(L)));
  return 1;
}

static int semaphore_locked(lua_State *L) {
  lua_pushboolean(L, mpl_semaphore_tokens(self(L)) == 0);
  return 1;
}

static int semaphore_tostring(lua_State *L) {
  struct mpl_semaphore *s = self(L);
  lua_Integer tokens = (lua_Integer)mpl_semaphore_tokens(s);
  if (mpl_semaphore_is_bounded(s))
    lua_pushfstring(L, "<BoundedSemaphore(value=%I, maxvalue=%I)>", (LUAI_UACINT)tokens,
                    (LUAI_UACINT)mpl_load64_rlx(&s->most));
  else
    lua_pushfstring(L, "<Semaphore(value=%I)>", (LUAI_UACINT)tokens);
  return 1;
}

static const luaL_Reg methods[] = {{"acquire", semaphore_acquire},
                                   {"release", semaphore_release},
                                   {"get_value", semaphore_get_value},
                                   {"locked", semaphore_locked},
                                   {"hold", mpl_hold_hold},
                                   {"with", mpl_hold_with},
                                   {NULL, NULL}};
static const luaL_Reg metamethods[] = {
    {"__gc", mpl_handle_gc}, {"__tostring", semaphore_tostring}, {NULL, NULL}};

static const struct mpl_class semaphore_class = {"Semaphore", methods, metamethods};

/* Registers the class and puts its constructors into the module table on top. */
void mpl_semaphore_open(lua_State *L) {
  mpl_semaphore_register();
  mpl_handle_class(L, MPL_TYPE_SEMAPHORE, &semaphore_class);
  lua_pushcfunction(L, semaphore_new);
  lua_setfield(L, -2, "Semaphore");
  lua_pushcfunction(L, bounded_new);
  lua_setfield(L, -2, "BoundedSemaphore");
}
