/*
** process.Semaphore and process.BoundedSemaphore
*/
#include "ds/semaphore.h"

#include "bind/acquire.h"
#include "bind/args.h"
#include "bind/handle.h"
#include "bind/hold.h"
#include "bind/module.h"

static const struct mpl_class semaphore_class, bounded_class;

/* In a method: the semaphore at 1, of either class. */
static struct mpl_semaphore *self(lua_State *L) {
  struct mpl_handle *h = lua_touserdata(L, 1);
  if (h == NULL || lua_rawlen(L, 1) != sizeof *h ||
      (h->class != &semaphore_class && h->class != &bounded_class))
    mpl_class_wrong_self(L, 1);
  return mpl_handle_use(L, h);
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
  enum mpl_object_type type = bounded ? MPL_TYPE_BOUNDED_SEMAPHORE : MPL_TYPE_SEMAPHORE;
  struct mpl_handle *h = mpl_handle_new(L, type);
  enum mpl_status s = mpl_semaphore_new(tokens, bounded, &id);
  if (s != MPL_OK) return mpl_args_raise(L, s);
  mpl_handle_own(L, h, type, id);
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
  if (mpl_semaphore_release(s) != MPL_MISUSE) return 0;
  uint64_t most = mpl_load64_rlx(&s->most);
  return luaL_error(L, "%s: released more often than acquired (it never has more than %I token%s)",
                    most == MPL_SEMAPHORE_MOST ? "Semaphore" : "BoundedSemaphore",
                    (LUAI_UACINT)most, most == 1 ? "" : "s");
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
  lua_pushfstring(L, "<Semaphore(value=%I)>", (LUAI_UACINT)mpl_semaphore_tokens(self(L)));
  return 1;
}

static int bounded_tostring(lua_State *L) {
  const struct mpl_semaphore *s = self(L);
  lua_pushfstring(L, "<BoundedSemaphore(value=%I, maxvalue=%I)>",
                  (LUAI_UACINT)mpl_semaphore_tokens(s),
                  (LUAI_UACINT)mpl_load64_rlx(&s->most));
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
static const luaL_Reg bounded_metamethods[] = {
    {"__gc", mpl_handle_gc}, {"__tostring", bounded_tostring}, {NULL, NULL}};

static const struct mpl_class semaphore_class = {"Semaphore", methods, metamethods};
static const struct mpl_class bounded_class = {"BoundedSemaphore", methods, bounded_metamethods};

/* Registers the classes and puts its constructors into the module table on top. */
void mpl_semaphore_open(lua_State *L) {
  mpl_semaphore_register();
  mpl_handle_class(L, MPL_TYPE_SEMAPHORE, &semaphore_class);
  mpl_handle_class(L, MPL_TYPE_BOUNDED_SEMAPHORE, &bounded_class);
  lua_pushcfunction(L, semaphore_new);
  lua_setfield(L, -2, "Semaphore");
  lua_pushcfunction(L, bounded_new);
  lua_setfield(L, -2, "BoundedSemaphore");
}
