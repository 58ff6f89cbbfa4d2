/*
** Classes: see class.h.
*/
#include "bind/class.h"

#include <string.h>

#include "bind/args.h"

/* Makes the metatable of a class; its `__index` is its methods. */
void mpl_class_register(lua_State *L, const struct mpl_class *class) {
  lua_createtable(L, 0, 8);
  lua_pushstring(L, class->name);
  lua_setfield(L, -2, "__name");
  lua_newtable(L);
  lua_pushvalue(L, -2);
  luaL_setfuncs(L, class->methods, 1);
  lua_setfield(L, -2, "__index");
  lua_pushvalue(L, -1);
  luaL_setfuncs(L, class->metamethods, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, class);
}

/* Makes the methods known as a module: error messages find their names there when a call has none,
   as in pcall(q.put, q), and the codec finds them, too. Before mpl_class_set_index. */
void mpl_class_name_methods(lua_State *L, const struct mpl_class *class) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  lua_pushfstring(L, "process.%s", class->name);
  mpl_class_push_metatable(L, class);
  lua_getfield(L, -1, "__index");
  lua_replace(L, -2);
  lua_settable(L, -3);
  lua_pop(L, 1);
}

/* Puts `index` in the place of a class's methods as its __index; it finds the metatable in its
   first upvalue and the methods in its second. */
void mpl_class_set_index(lua_State *L, const struct mpl_class *class, lua_CFunction index) {
  mpl_class_push_metatable(L, class);
  lua_pushvalue(L, -1);
  lua_getfield(L, -1, "__index");
  lua_pushcclosure(L, index, 2);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}

/* In a method: raises, because the value at idx is not of its class. */
int mpl_class_wrong_self(lua_State *L, int idx) {
  bool none = lua_isnone(L, idx);
  lua_getfield(L, lua_upvalueindex(1), "__name");
  const char *name = lua_tostring(L, -1);
  if (!none) return mpl_args_wrong_type(L, idx, name);
  const char *text = lua_pushfstring(L, "%s expected, got no value; call it with a colon", name);
  return mpl_args_wrong(L, idx, text);
}

/* Pushes it. */
void mpl_class_push_metatable(lua_State *L, const struct mpl_class *class) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, class);
}

/* Pushes a new userdata of the class, all zero, with so many user values. */
void *mpl_class_new(lua_State *L, const struct mpl_class *class, size_t size, int values) {
  void *p = memset(lua_newuserdatauv(L, size, values), 0, size);
  mpl_class_push_metatable(L, class);
  lua_setmetatable(L, -2);
  return p;
}

/* Whether the value at idx is of the class. */
bool mpl_class_is(lua_State *L, int idx, const struct mpl_class *class) {
  if (lua_type(L, idx) != LUA_TUSERDATA || !lua_getmetatable(L, idx)) return false;
  mpl_class_push_metatable(L, class);
  bool is = lua_rawequal(L, -1, -2);
  lua_pop(L, 2);
  return is;
}
