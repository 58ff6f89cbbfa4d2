/*
** Classes of userdata for Lua: a metatable, methods, metamethods, and a check that is quick.
**
** The metatable rides as the first upvalue of every method and metamethod, so that `self` is
** checked by comparing two references and not by looking a name up.
*/
#ifndef MPL_BIND_CLASS_H
#define MPL_BIND_CLASS_H

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>

struct mpl_class {
  const char *name; /* as users see it: "Queue" */
  const luaL_Reg *methods;
  const luaL_Reg *metamethods;
};

void mpl_class_register(lua_State *L, const struct mpl_class *class);
void mpl_class_name_methods(lua_State *L, const struct mpl_class *class);
void mpl_class_set_index(lua_State *L, const struct mpl_class *class, lua_CFunction index);
bool mpl_class_is(lua_State *L, int idx, const struct mpl_class *class);
void mpl_class_push_metatable(lua_State *L, const struct mpl_class *class);
void *mpl_class_new(lua_State *L, const struct mpl_class *class, size_t size, int values);

int mpl_class_wrong_self(lua_State *L, int idx);

/* In a method: the userdata at `idx`, which must be of the method's own class. */
static inline void *mpl_class_self(lua_State *L, int idx) {
  void *p = lua_touserdata(L, idx);
  if (p != NULL && lua_getmetatable(L, idx)) {
    int same = lua_rawequal(L, -1, lua_upvalueindex(1));
    lua_pop(L, 1);
    if (same) return p;
  }
  mpl_class_wrong_self(L, idx);
  return NULL;
}

#endif
