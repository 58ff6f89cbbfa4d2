/*
** process.Manager. Its constructors, m:dict(...) and so on, are made by lua/process/manager.lua of
** those of the module.
*/
#include "ds/manager.h"

#include "bind/args.h"
#include "bind/handle.h"
#include "bind/module.h"
#include "shm/slot.h"

static const struct mpl_class manager_class;

/* The manager at 1, also if it was shut down. */
static struct mpl_manager *self(lua_State *L) {
  struct mpl_handle *h = mpl_handle_self(L, &manager_class);
  if (h->body == NULL) mpl_handle_dead(L);
  return h->body;
}

/* Manager([{name=}]): one that keeps nothing. Its handle's user value says which process made
   it. */
static int manager_new(lua_State *L) {
  static const char *const known[] = {"name", NULL};
  mpl_args_end(L, 1);
  mpl_args_options(L, 1, known);
  struct mpl_handle *h = mpl_handle_new(L, MPL_TYPE_MANAGER);
  lua_pushinteger(L, (lua_Integer)mpl_slot_ident(mpl_self));
  lua_setiuservalue(L, -2, 1);
  uint64_t id;
  enum mpl_status s = mpl_manager_new(&id);
  if (s != MPL_OK) return mpl_args_raise(L, s);
  mpl_handle_own(L, h, MPL_TYPE_MANAGER, id);
  mpl_handle_label(L, id, 1);
  return 1;
}

/*
** Making what it keeps
*/

/* Raises the error on top again, with the place of the caller in front of it: the constructor was
   called from C and could not tell. Want of memory is known by the very value. */
static int raise_again(lua_State *L, int status) {
  if (lua_type(L, -1) == LUA_TSTRING && !mpl_args_lacked_memory(L, status)) {
    luaL_where(L, 1);
    lua_insert(L, -2);
    lua_concat(L, 2);
  }
  return lua_error(L);
}

/* m:KIND(...): what the constructor, upvalue 2, makes of the arguments. */
static int manager_make(lua_State *L) {
  struct mpl_manager *manager = mpl_handle_body(L, &manager_class);
  lua_pushvalue(L, lua_upvalueindex(2));
  lua_insert(L, 2);
  int status = lua_pcall(L, lua_gettop(L) - 2, 1, 0);
  if (status != LUA_OK) return raise_again(L, status);
  bool has_part = lua_getiuservalue(L, -1, 1) == LUA_TNUMBER;
  uint64_t part = has_part ? (uint64_t)lua_tointeger(L, -1) : 0;
  lua_pop(L, 1);
  enum mpl_status s = mpl_manager_keep(manager, mpl_handle_id(L, -1), part);
  if (s == MPL_ENDED) return mpl_handle_over(L);
  return s == MPL_OK ? 1 : mpl_args_raise(L, s);
}

/* manager_keep(manager, object): the object, which nobody else has yet, belongs to the manager
   from now on. For those that are made in Lua. */
static int manager_keep(lua_State *L) {
  struct mpl_manager *manager = mpl_handle_body(L, &manager_class);
  enum mpl_status s = mpl_manager_keep(manager, mpl_handle_id(L, 2), 0);
  if (s == MPL_ENDED) return mpl_handle_over(L);
  return s == MPL_OK ? 0 : mpl_args_raise(L, s);
}

/* manager_kind(name, constructor): gives managers a method that makes an object with it. */
static int manager_kind(lua_State *L) {
  mpl_class_push_metatable(L, &manager_class);
  lua_getfield(L, -1, "__index");
  lua_pushvalue(L, 1);
  lua_pushvalue(L, -3);
  lua_pushvalue(L, 2);
  lua_pushcclosure(L, manager_make, 2);
  lua_settable(L, -3);
  return 0;
}

/*
** Its end
*/

/* m:shutdown(): from now on all that it made is refused, in every process. A second one does
   nothing. */
static int manager_shutdown(lua_State *L) {
  struct mpl_manager *manager = self(L);
  mpl_args_end(L, 1);
  enum mpl_status s = mpl_manager_shutdown(manager);
  return s == MPL_OK ? 0 : mpl_args_raise(L, s);
}

/* manager_over(object): what tostring says of a shared object whose manager was shut down, else
   nil; for classes that are shown in Lua. */
static int manager_over(lua_State *L) {
  return mpl_handle_id(L, 1) != 0 && mpl_handle_push_over(L, lua_touserdata(L, 1));
}

/* The end of a scope that a fork has copied is not the end of the scope in the process that made
   it. */
static int manager_close(lua_State *L) {
  struct mpl_manager *manager = self(L);
  bool made = lua_getiuservalue(L, 1, 1) == LUA_TNUMBER;
  if (made && (uint64_t)lua_tointeger(L, -1) != mpl_slot_ident(mpl_self)) return 0;
  enum mpl_status s = mpl_manager_shutdown(manager);
  return s == MPL_OK ? 0 : mpl_args_raise(L, s);
}

/* m:start(): m. There is no server to be started. */
static int manager_start(lua_State *L) {
  mpl_handle_body(L, &manager_class);
  mpl_args_end(L, 1);
  return 1;
}

static int manager_tostring(lua_State *L) {
  lua_pushfstring(L, "<Manager objects=%I>", (LUAI_UACINT)mpl_manager_count(self(L)));
  return 1;
}

static const luaL_Reg methods[] = {
    {"shutdown", manager_shutdown}, {"start", manager_start}, {NULL, NULL}};
static const luaL_Reg metamethods[] = {{"__gc", mpl_handle_gc},
                                       {"__close", manager_close},
                                       {"__tostring", manager_tostring},
                                       {NULL, NULL}};

static const struct mpl_class manager_class = {"Manager", methods, metamethods};

static const luaL_Reg functions[] = {
    {"Manager", manager_new},       {"manager_kind", manager_kind},
    {"manager_keep", manager_keep}, {"manager_over", manager_over},
    {NULL, NULL}};

/* Registers the class and puts its constructor into the module table on top. */
void mpl_manager_open(lua_State *L) {
  mpl_manager_register();
  mpl_handle_class(L, MPL_TYPE_MANAGER, &manager_class);
  luaL_setfuncs(L, functions, 0);
  mpl_class_push_metatable(L, &manager_class);
  lua_setfield(L, -2, "manager_class");
}
