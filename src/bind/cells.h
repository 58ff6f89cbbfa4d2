/*
** What the classes Value and Array have in common.
*/
#ifndef MPL_BIND_CELLS_H
#define MPL_BIND_CELLS_H

#include <lua.h>

#include "bind/class.h"
#include "ds/cells.h"

/* cells_element.c */
bool mpl_cells_to(lua_State *L, int idx, const struct mpl_cells_type *type, union mpl_cell *out);
const char *mpl_cells_domain(lua_State *L, const struct mpl_cells_type *type);
const char *mpl_cells_refusal(lua_State *L, int idx, const struct mpl_cells_type *type);
union mpl_cell mpl_cells_check(lua_State *L, int idx, const struct mpl_cells_type *type);
uint64_t mpl_cells_list_length(lua_State *L, int idx, const struct mpl_cells_type *type);
const uint64_t *mpl_cells_list(lua_State *L, int idx, const struct mpl_cells_type *type,
                               uint64_t n);
int mpl_cells_show(lua_State *L, const struct mpl_cells *cells, const char *name);

/* cells.c */
int mpl_cells_method_add(lua_State *L, struct mpl_cells *cells, uint64_t at, int idx);
int mpl_cells_method_exchange(lua_State *L, struct mpl_cells *cells, uint64_t at, int idx);
int mpl_cells_method_compare_and_set(lua_State *L, struct mpl_cells *cells, uint64_t at, int idx);
int mpl_cells_method_get_lock(lua_State *L, const struct mpl_cells *cells);
void mpl_cells_push_method(lua_State *L, const char *fault);
int mpl_cells_method_get_obj(lua_State *L, const struct mpl_cells *cells);

/* cells_value.c, cells_array.c */
void mpl_cells_open_value(lua_State *L);
void mpl_cells_open_array(lua_State *L);

/* Pushes the value of an element. */
static inline void mpl_cells_push(lua_State *L, const struct mpl_cells_type *type,
                                  union mpl_cell v) {
  if (mpl_cells_is_real(type)) {
    lua_pushnumber(L, v.d);
  } else if (type->code != MPL_CELLS_CHAR) {
    lua_pushinteger(L, v.i);
  } else {
    char byte = (char)v.i;
    lua_pushlstring(L, &byte, 1);
  }
}

/* Pushes an element. */
static inline void mpl_cells_push_at(lua_State *L, const struct mpl_cells *cells, uint64_t at) {
  mpl_cells_push(L, &cells->type, mpl_cells_get(cells, at));
}

#endif
