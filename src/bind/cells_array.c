/*
** process.Array: see cells.c for what makes it.
**
** An index counts from 1. Only the parts that slice and bytes copy and fill fills may be said with
** negative indexes, as string.sub has them.
*/
#include <limits.h>
#include <string.h>

#include "bind/args.h"
#include "bind/cells.h"
#include "bind/handle.h"

static const struct mpl_class array_class;

static struct mpl_cells *self(lua_State *L) {
  return mpl_handle_body(L, &array_class);
}

/*
** Single elements
*/

/* Raises: the key at 2 is no index of an element. */
static int no_element(lua_State *L, const struct mpl_cells *cells) {
  const char *key = luaL_tolstring(L, 2, NULL);
  if (lua_type(L, 2) != LUA_TNUMBER)
    return luaL_error(L, "Array: no element '%s' to assign to (an index is an integer)", key);
  if (cells->count == 0) return luaL_error(L, "Array: index %s, but the array is empty", key);
  return luaL_error(L, "Array: index %s is not an integer from 1 to %I", key,
                    (LUAI_UACINT)cells->count);
}

/* Where the element of the key at 2 lies, from 0; the count or more: there is none. */
static inline uint64_t place(lua_State *L) {
  int is_integer;
  if (lua_isinteger(L, 2)) return (uint64_t)lua_tointeger(L, 2) - 1;
  if (lua_type(L, 2) != LUA_TNUMBER) return UINT64_MAX;
  lua_Integer i = lua_tointegerx(L, 2, &is_integer); /* 2.0 is 2, as for tables */
  return is_integer ? (uint64_t)i - 1 : UINT64_MAX;
}

/* Whether the key at 2 is "value", of bytes. */
static bool is_value(lua_State *L, const struct mpl_cells *cells) {
  return cells->type.code == MPL_CELLS_CHAR && lua_type(L, 2) == LUA_TSTRING &&
         strcmp(lua_tostring(L, 2), "value") == 0;
}

/* Pushes the bytes up to the first zero. */
static void push_text(lua_State *L, const struct mpl_cells *cells) {
  luaL_Buffer b;
  char *text = luaL_buffinitsize(L, &b, (size_t)cells->count);
  mpl_cells_read(cells, 0, cells->count, text);
  luaL_pushresultsize(&b, strnlen(text, (size_t)cells->count));
}

/* a[i], nil right behind the last; the methods; a.value: the text in an array of bytes. */
static int array_index(lua_State *L) {
  const struct mpl_cells *cells = self(L);
  uint64_t at = place(L);
  if (at < cells->count) {
    mpl_cells_push_at(L, cells, at);
  } else if (lua_type(L, 2) == LUA_TNUMBER) {
    if (at != cells->count) return no_element(L, cells);
    lua_pushnil(L);
  } else if (is_value(L, cells)) {
    push_text(L, cells);
  } else {
    mpl_cells_push_method(L, "Array: no field '%s' (an index is an integer)");
  }
  return 1;
}

/* a.value = text, followed by a zero where there is room for it. */
static int set_text(lua_State *L, struct mpl_cells *cells) {
  size_t n;
  luaL_checktype(L, 3, LUA_TSTRING);
  const char *text = lua_tolstring(L, 3, &n);
  if (n > cells->count)
    return luaL_error(L, "Array: value: a string of %I bytes is too long for an array of %I",
                      (LUAI_UACINT)n, (LUAI_UACINT)cells->count);
  mpl_cells_write(cells, 0, n < cells->count ? n + 1 : n, text); /* Lua's strings end with a zero */
  return 0;
}

/* a[i] = x */
static int array_newindex(lua_State *L) {
  struct mpl_cells *cells = self(L);
  uint64_t at = place(L);
  union mpl_cell v;
  if (at >= cells->count)
    return is_value(L, cells) ? set_text(L, cells) : no_element(L, cells);
  if (!mpl_cells_to(L, 3, &cells->type, &v))
    return luaL_error(L, "Array: index %I: %s", (LUAI_UACINT)at + 1,
                      mpl_cells_refusal(L, 3, &cells->type));
  mpl_cells_set(cells, at, v);
  return 0;
}

static int array_len(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)self(L)->count);
  return 1;
}

/*
** Parts
*/

/* The elements from i to j at 2 and 3, as string.sub has it: how many, and where the first is. */
static uint64_t part(lua_State *L, uint64_t count, uint64_t *at) {
  lua_Integer n = (lua_Integer)count;
  lua_Integer i = luaL_optinteger(L, 2, 1), j = luaL_optinteger(L, 3, -1);
  mpl_args_end(L, 3);
  if (i < 0) i = i < -n ? 1 : n + i + 1;
  if (i == 0) i = 1;
  if (j < 0) j = j < -n ? 0 : n + j + 1;
  if (j > n) j = n;
  *at = (uint64_t)i - 1;
  return i > j ? 0 : (uint64_t)(j - i) + 1;
}

/* The place of index i at idx. */
static uint64_t check_place(lua_State *L, int idx, const struct mpl_cells *cells) {
  uint64_t at = (uint64_t)luaL_checkinteger(L, idx) - 1;
  if (at >= cells->count)
    luaL_argerror(L, idx, lua_pushfstring(L, "index %I is out of range (1 to %I)",
                                          (LUAI_UACINT)lua_tointeger(L, idx),
                                          (LUAI_UACINT)cells->count));
  return at;
}

/* The place of index i at idx, from which on the argument after it has n elements. */
static uint64_t check_room(lua_State *L, int idx, const struct mpl_cells *cells, uint64_t n) {
  uint64_t at = (uint64_t)luaL_checkinteger(L, idx) - 1;
  if (at > cells->count || n > cells->count - at)
    luaL_argerror(L, idx, lua_pushfstring(L, "%I elements from index %I on are not within 1 to %I",
                                          (LUAI_UACINT)n, (LUAI_UACINT)lua_tointeger(L, idx),
                                          (LUAI_UACINT)cells->count));
  return at;
}

/* a:slice([i[, j]]): a plain table. */
static int array_slice(lua_State *L) {
  const struct mpl_cells *cells = self(L);
  uint64_t at, n = part(L, cells->count, &at);
  lua_createtable(L, n > INT_MAX ? INT_MAX : (int)n, 0);
  for (uint64_t k = 0; k < n; k++) {
    mpl_cells_push_at(L, cells, at + k);
    lua_rawseti(L, -2, (lua_Integer)k + 1);
  }
  return 1;
}

/* a:assign(i, list): all of the list's elements from i on, or an error and none. */
static int array_assign(lua_State *L) {
  struct mpl_cells *cells = self(L);
  mpl_args_end(L, 3);
  uint64_t n = mpl_cells_list_length(L, 3, &cells->type), at = check_room(L, 2, cells, n);
  const uint64_t *bits = mpl_cells_list(L, 3, &cells->type, n);
  for (uint64_t k = 0; k < n; k++) mpl_cells_store(cells, at + k, bits[k]);
  return 0;
}

/* a:fill(v[, i[, j]]): sets all of them, or those from i to j, which must be there. */
static int array_fill(lua_State *L) {
  struct mpl_cells *cells = self(L);
  union mpl_cell v = mpl_cells_check(L, 2, &cells->type);
  lua_Integer n = (lua_Integer)cells->count;
  lua_Integer i = luaL_optinteger(L, 3, 1), j = luaL_optinteger(L, 4, n);
  mpl_args_end(L, 4);
  if (i < 0) i += n + 1;
  if (j < 0) j += n + 1;
  luaL_argcheck(L, i >= 1 && i <= n + 1, 3, "not within the array");
  luaL_argcheck(L, j >= i - 1 && j <= n, 4, "not within the array, or before the first");
  uint64_t bits = mpl_cells_encode(&cells->type, v);
  for (lua_Integer k = i - 1; k < j; k++) mpl_cells_store(cells, (uint64_t)k, bits);
  return 0;
}

/* a:bytes([i[, j]]): the bytes of the elements, as the machine has them. */
static int array_bytes(lua_State *L) {
  const struct mpl_cells *cells = self(L);
  uint64_t at, n = part(L, cells->count, &at);
  size_t size = (size_t)n * cells->type.size;
  luaL_Buffer b;
  mpl_cells_read(cells, at, n, luaL_buffinitsize(L, &b, size));
  luaL_pushresultsize(&b, size);
  return 1;
}

/* a:set_bytes(i, s): the reverse, from element i on. */
static int array_set_bytes(lua_State *L) {
  struct mpl_cells *cells = self(L);
  size_t size, each = cells->type.size;
  mpl_args_end(L, 3);
  luaL_checktype(L, 3, LUA_TSTRING);
  const char *bytes = lua_tolstring(L, 3, &size);
  if (size % each != 0)
    return luaL_argerror(
        L, 3, lua_pushfstring(L, "%I bytes are no whole elements of type '%c' (%d bytes each)",
                              (LUAI_UACINT)size, cells->type.letter, (int)each));
  uint64_t n = size / each, at = check_room(L, 2, cells, n);
  luaL_argcheck(L, mpl_cells_bytes_fit(&cells->type, bytes, n), 3,
                "an element would be greater than math.maxinteger");
  mpl_cells_write(cells, at, n, bytes);
  return 0;
}

/*
** As Value has them
*/

/* a:add(i, n): the new value of element i, atomically. */
static int array_add(lua_State *L) {
  struct mpl_cells *cells = self(L);
  return mpl_cells_method_add(L, cells, check_place(L, 2, cells), 3);
}

/* a:exchange(i, x): the value that element i had. */
static int array_exchange(lua_State *L) {
  struct mpl_cells *cells = self(L);
  return mpl_cells_method_exchange(L, cells, check_place(L, 2, cells), 3);
}

/* a:compare_and_set(i, old, new): whether element i was `old` and is now `new`. */
static int array_compare_and_set(lua_State *L) {
  struct mpl_cells *cells = self(L);
  return mpl_cells_method_compare_and_set(L, cells, check_place(L, 2, cells), 3);
}

/* a:get_lock() */
static int array_get_lock(lua_State *L) {
  return mpl_cells_method_get_lock(L, self(L));
}

/* a:get_obj() */
static int array_get_obj(lua_State *L) {
  return mpl_cells_method_get_obj(L, self(L));
}

static int array_tostring(lua_State *L) {
  return mpl_cells_show(L, self(L), "Array");
}

static const luaL_Reg methods[] = {{"slice", array_slice},
                                   {"assign", array_assign},
                                   {"fill", array_fill},
                                   {"bytes", array_bytes},
                                   {"set_bytes", array_set_bytes},
                                   {"add", array_add},
                                   {"exchange", array_exchange},
                                   {"compare_and_set", array_compare_and_set},
                                   {"get_lock", array_get_lock},
                                   {"get_obj", array_get_obj},
                                   {NULL, NULL}};
static const luaL_Reg metamethods[] = {{"__gc", mpl_handle_gc},
                                       {"__len", array_len},
                                       {"__newindex", array_newindex},
                                       {"__tostring", array_tostring},
                                       {NULL, NULL}};

static const struct mpl_class array_class = {"Array", methods, metamethods};

/* Registers the class. */
void mpl_cells_open_array(lua_State *L) {
  mpl_handle_class(L, MPL_TYPE_ARRAY, &array_class);
  mpl_class_set_index(L, &array_class, array_index);
}
