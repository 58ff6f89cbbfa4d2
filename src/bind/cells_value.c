/*
** process.Value: see cells.c for what makes it.
*/
#include <string.h>

#include "bind/args.h"
#include "bind/cells.h"
#include "bind/handle.h"

static const struct mpl_class value_class;

static struct mpl_cells *self(lua_State *L) {
  return mpl_handle_body(L, &value_class);
}

/* Whether the key at 2 is "value". */
static bool is_value(lua_State *L) {
  size_t n;
  const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tolstring(L, 2, &n) : NULL;
  return key != NULL && n == 5 && memcmp(key, "value", 5) == 0;
}

/* v.value, and the methods. */
static int value_index(lua_State *L) {
  if (is_value(L))
    mpl_cells_push_at(L, self(L), 0);
  else
    mpl_cells_push_method(L, "Value: no field '%s' (its number is v.value)");
  return 1;
}

/* v.value = x */
static int value_newindex(lua_State *L) {
  struct mpl_cells *cells = self(L);
  union mpl_cell v;
  if (!is_value(L))
    return luaL_error(L, "Value: no field '%s' to assign to (there is 'value')",
                      luaL_tolstring(L, 2, NULL));
  if (!mpl_cells_to(L, 3, &cells->type, &v))
    return luaL_error(L, "Value: value: %s", mpl_cells_refusal(L, 3, &cells->type));
  mpl_cells_set(cells, 0, v);
  return 0;
}

/* v:add(n): the new value, atomically. */
static int value_add(lua_State *L) {
  return mpl_cells_method_add(L, self(L), 0, 2);
}

/* v:exchange(x): the value that it had. */
static int value_exchange(lua_State *L) {
  return mpl_cells_method_exchange(L, self(L), 0, 2);
}

/* v:compare_and_set(old, new): whether it was `old` and is now `new`. */
static int value_compare_and_set(lua_State *L) {
  return mpl_cells_method_compare_and_set(L, self(L), 0, 2);
}

/* v:get_lock() */
static int value_get_lock(lua_State *L) {
  return mpl_cells_method_get_lock(L, self(L));
}

/* v:get_obj() */
static int value_get_obj(lua_State *L) {
  return mpl_cells_method_get_obj(L, self(L));
}

static int value_tostring(lua_State *L) {
  return mpl_cells_show(L, self(L), "Value");
}

static const luaL_Reg methods[] = {{"add", value_add},
                                   {"exchange", value_exchange},
                                   {"compare_and_set", value_compare_and_set},
                                   {"get_lock", value_get_lock},
                                   {"get_obj", value_get_obj},
                                   {NULL, NULL}};
static const luaL_Reg metamethods[] = {{"__gc", mpl_handle_gc},
                                       {"__newindex", value_newindex},
                                       {"__tostring", value_tostring},
                                       {NULL, NULL}};

static const struct mpl_class value_class = {"Value", methods, metamethods};

/* Registers the class. */
void mpl_cells_open_value(lua_State *L) {
  mpl_handle_class(L, MPL_TYPE_VALUE, &value_class);
  mpl_class_set_index(L, &value_class, value_index);
}
