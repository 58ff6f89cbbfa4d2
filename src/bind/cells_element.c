/*
** Elements of Value and Array as Lua values: what a type takes, what it says of what it does not
** take, lists, and how contents are shown.
*/
#include "bind/cells.h"

/* What fits on a line of output, about. */
#define LINE 60

/* The Lua value at idx as an element; false if the type does not take it. Numbers are not made of
   strings. */
bool mpl_cells_to(lua_State *L, int idx, const struct mpl_cells_type *type, union mpl_cell *out) {
  int is_integer = 1;
  if (type->code == MPL_CELLS_CHAR) {
    if (lua_type(L, idx) != LUA_TSTRING || lua_rawlen(L, idx) != 1) return false;
    out->i = (unsigned char)*lua_tostring(L, idx);
    return true;
  }
  if (lua_type(L, idx) != LUA_TNUMBER) return false;
  if (mpl_cells_is_real(type))
    out->d = lua_tonumber(L, idx);
  else
    out->i = lua_tointegerx(L, idx, &is_integer);
  return is_integer && mpl_cells_fits(type, *out);
}

/* Pushes, and returns, "type 'b' takes an integer from -128 to 127". */
const char *mpl_cells_domain(lua_State *L, const struct mpl_cells_type *type) {
  const char *what = "a number";
  if (type->code == MPL_CELLS_CHAR)
    what = "a string of one byte";
  else if (type->code == MPL_CELLS_F32)
    what = "a number from -3.4028235e38 to 3.4028235e38";
  else if (!mpl_cells_is_real(type))
    return lua_pushfstring(L, "type '%c' takes an integer from %I to %I", type->letter,
                           (LUAI_UACINT)type->min, (LUAI_UACINT)type->max);
  return lua_pushfstring(L, "type '%c' takes %s", type->letter, what);
}

/* Pushes, and returns, why the type does not take the value at idx: the domain and ", not 300". */
const char *mpl_cells_refusal(lua_State *L, int idx, const struct mpl_cells_type *type) {
  const int found = lua_type(L, idx); /* no argument now, it would be the domain later */
  idx = lua_absindex(L, idx);
  const char *domain = mpl_cells_domain(L, type);
  if (found == LUA_TNONE) return lua_pushfstring(L, "%s, got no value", domain);
  if (found == LUA_TNUMBER)
    return lua_pushfstring(L, "%s, not %s", domain, luaL_tolstring(L, idx, NULL));
  if (found == LUA_TSTRING)
    return lua_pushfstring(L, "%s, not a string of %I bytes", domain,
                           (LUAI_UACINT)lua_rawlen(L, idx));
  return lua_pushfstring(L, "%s, not %s", domain, luaL_typename(L, idx));
}

/* The argument at idx as an element; raises if the type does not take it. */
union mpl_cell mpl_cells_check(lua_State *L, int idx, const struct mpl_cells_type *type) {
  union mpl_cell v;
  if (!mpl_cells_to(L, idx, type, &v)) luaL_argerror(L, idx, mpl_cells_refusal(L, idx, type));
  return v;
}

/* Whether the list at idx says in a field `n` how long it is, as table.pack has it. */
static bool has_count(lua_State *L, int idx, lua_Integer *n) {
  if (!lua_istable(L, idx)) return false;
  lua_pushliteral(L, "n");
  lua_rawget(L, idx);
  bool is = lua_isinteger(L, -1);
  *n = lua_tointeger(L, -1);
  lua_pop(L, 1);
  return is;
}

/* How many elements the list at idx has: a table, an Array or what else has a length, and a string
   for bytes. */
uint64_t mpl_cells_list_length(lua_State *L, int idx, const struct mpl_cells_type *type) {
  bool is_string = lua_type(L, idx) == LUA_TSTRING && type->code == MPL_CELLS_CHAR;
  if (!is_string && !lua_istable(L, idx) && luaL_getmetafield(L, idx, "__len") == LUA_TNIL)
    luaL_typeerror(L, idx, "list");
  lua_Integer n;
  if (!has_count(L, idx, &n)) n = luaL_len(L, idx);
  luaL_argcheck(L, n >= 0 && (lua_Unsigned)n <= SIZE_MAX / sizeof(uint64_t) / 2, idx,
                "a list of that length cannot be");
  return (uint64_t)n;
}

/* The bits of the first n elements of the list at idx, an argument, in a userdata that is pushed.
   Raises if the type does not take one of them; those missing from a list that says its length are
   0. */
const uint64_t *mpl_cells_list(lua_State *L, int idx, const struct mpl_cells_type *type,
                               uint64_t n) {
  uint64_t *bits = lua_newuserdatauv(L, (size_t)n * sizeof *bits, 0);
  if (lua_type(L, idx) == LUA_TSTRING) {
    const char *s = lua_tostring(L, idx);
    for (uint64_t i = 0; i < n; i++) bits[i] = (unsigned char)s[i];
    return bits;
  }
  lua_Integer count;
  bool may_miss = has_count(L, idx, &count);
  for (uint64_t i = 0; i < n; i++) {
    union mpl_cell v;
    bool missing = lua_geti(L, idx, (lua_Integer)i + 1) == LUA_TNIL && may_miss;
    if (!missing && !mpl_cells_to(L, -1, type, &v))
      luaL_argerror(L, idx, lua_pushfstring(L, "element %I: %s", (LUAI_UACINT)i + 1,
                                            mpl_cells_refusal(L, -1, type)));
    bits[i] = missing ? 0 : mpl_cells_encode(type, v);
    lua_pop(L, 1);
  }
  return bits;
}

/*
** Contents cut to a line
*/

/* Adds bytes as a literal string. */
static void add_bytes(luaL_Buffer *b, const struct mpl_cells *cells) {
  uint64_t i = 0;
  luaL_addchar(b, '"');
  for (; i < cells->count && luaL_bufflen(b) < LINE; i++) {
    int byte = (int)mpl_cells_get(cells, i).i;
    if (byte == '"' || byte == '\\') luaL_addchar(b, '\\');
    if (byte >= ' ' && byte <= '~') {
      luaL_addchar(b, (char)byte);
    } else {
      char *digits = luaL_prepbuffsize(b, 4);
      digits[0] = '\\';
      digits[1] = (char)('0' + byte / 100);
      digits[2] = (char)('0' + byte / 10 % 10);
      digits[3] = (char)('0' + byte % 10);
      luaL_addsize(b, 4);
    }
  }
  luaL_addstring(b, i < cells->count ? "\"..." : "\"");
}

static void add_numbers(lua_State *L, luaL_Buffer *b, const struct mpl_cells *cells) {
  uint64_t i = 0;
  for (; i < cells->count && luaL_bufflen(b) < LINE; i++) {
    if (i > 0) luaL_addstring(b, ", ");
    mpl_cells_push_at(L, cells, i);
    luaL_tolstring(L, -1, NULL);
    lua_remove(L, -2);
    luaL_addvalue(b);
  }
  if (i < cells->count) luaL_addstring(b, ", ...");
}

/* Pushes "Value('i', 5)" or "Array('d', {1.0, 2.0, ...})"; "Raw" is in front if it has no lock. */
int mpl_cells_show(lua_State *L, const struct mpl_cells *cells, const char *name) {
  luaL_Buffer b;
  bool is_list = mpl_object_type_of(mpl_object_id_of(cells)) == MPL_TYPE_ARRAY;
  luaL_buffinit(L, &b);
  if (mpl_load64_rlx(&cells->lock) == 0) luaL_addstring(&b, "Raw");
  luaL_addstring(&b, name);
  luaL_addstring(&b, "('");
  luaL_addchar(&b, cells->type.letter);
  luaL_addstring(&b, "', ");
  if (cells->type.code == MPL_CELLS_CHAR) {
    add_bytes(&b, cells);
  } else {
    if (is_list) luaL_addchar(&b, '{');
    add_numbers(L, &b, cells);
    if (is_list) luaL_addchar(&b, '}');
  }
  luaL_addchar(&b, ')');
  luaL_pushresult(&b);
  return 1;
}
