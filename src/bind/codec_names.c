/*
** The names of codec_names.h. One userdata per Lua state, in the registry, whose user values are
** the tables below.
*/
#include "bind/codec_names.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "bind/codec.h"

enum {
  CLASSES = 1, /* name -> metatable and metatable -> name */
  MODULE_OF,   /* module or member -> name of the module; weak keys */
  FIELD_OF,    /* member -> name of the field; weak keys */
  LOADED,      /* package.loaded */
  REQUIRE,     /* the function `require` as it was first seen */
  USER_VALUES = REQUIRE
};

static const char registry_key = 0;

/* Globals that every process has. Sorted. */
static const char *const standard[] = {
  "_G",     "_VERSION",  "assert", "collectgarbage", "coroutine",    "debug",    "dofile",
  "error",  "getmetatable", "io",  "ipairs",         "load",         "loadfile", "math",
  "next",   "os",        "package", "pairs",         "pcall",        "print",    "rawequal",
  "rawget", "rawlen",    "rawset", "require",        "select",       "setmetatable", "string",
  "table",  "tonumber",  "tostring", "type",         "utf8",         "warn",     "xpcall"};

struct name {
  const char *bytes;
  size_t size;
};

static int compare_names(const void *key, const void *item) {
  const struct name *name = key;
  const char *other = *(const char *const *)item;
  int order = strncmp(name->bytes, other, name->size);
  return order != 0 ? order : -(other[name->size] != '\0');
}

/* Whether a global of this name belongs to Lua itself. */
bool mpl_codec_names_standard(const char *bytes, size_t size) {
  struct name name = {bytes, size};
  size_t item = sizeof *standard;
  return bsearch(&name, standard, sizeof standard / item, item, compare_names) != NULL;
}

/* __newindex of package.loaded: `require` has added a module. */
static int module_added(lua_State *L) {
  lua_rawset(L, 1);
  struct mpl_codec_names *names = lua_touserdata(L, lua_upvalueindex(1));
  names->changes++;
  return 0;
}

/*
** Makes additions to package.loaded known to the cache, as looking through all of it for each
** message would cost more than the message. A metatable that is already there is left alone; then a
** new module without C functions is recognised only after the next rebuild.
*/
static void watch_loaded(lua_State *L, int names, int loaded) {
  if (lua_getmetatable(L, loaded)) {
    lua_pop(L, 1);
    return;
  }
  lua_createtable(L, 0, 1);
  lua_pushvalue(L, names);
  lua_pushcclosure(L, module_added, 1);
  lua_setfield(L, -2, "__newindex");
  lua_setmetatable(L, loaded);
}

static void create(lua_State *L) {
  struct mpl_codec_names *n = lua_newuserdatauv(L, sizeof *n, USER_VALUES);
  int names = lua_gettop(L);
  memset(n, 0, sizeof *n);
  n->changes = 1;
  lua_pushboolean(L, 0);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &registry_key); /* makes its place: see below */
  lua_newtable(L);
  lua_setiuservalue(L, names, CLASSES);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  watch_loaded(L, names, names + 1);
  lua_setiuservalue(L, names, LOADED);
  lua_getglobal(L, "require");
  lua_setiuservalue(L, names, REQUIRE);
  lua_pushvalue(L, names);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &registry_key); /* cannot fail: loaded is watched already */
}

/* Pushes the names of this Lua state and returns their memory, which lives as long as the state.
   May raise for memory the first time only. */
struct mpl_codec_names *mpl_codec_names_push(lua_State *L) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &registry_key) != LUA_TUSERDATA) {
    lua_pop(L, 1);
    create(L);
  }
  return lua_touserdata(L, -1);
}

static void add_to_filter(uint64_t *filter, const void *object) {
  unsigned bit = mpl_codec_names_bit(object);
  filter[bit / 64] |= UINT64_C(1) << (bit % 64);
}

/* Pushes a new table with weak keys: the cache keeps no module alive that was unloaded. */
static void push_weak_table(lua_State *L) {
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "k");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
}

/* Whether the module at idx is the better one to name a value by than what table `of` says for the
   value on top: shorter, then first in order. So `string.format` beats a module that re-exports it,
   and the choice does not depend on the order of a traversal. */
static bool is_better_name(lua_State *L, int idx, int of) {
  lua_pushvalue(L, -1);
  lua_rawget(L, of);
  bool better = lua_isnil(L, -1) || lua_rawlen(L, idx) < lua_rawlen(L, -1) ||
                (lua_rawlen(L, idx) == lua_rawlen(L, -1) && lua_compare(L, idx, -1, LUA_OPLT));
  lua_pop(L, 1);
  return better;
}

/* Where a rebuild has its tables and the module at hand on the Lua stack. */
struct rebuild {
  int module_of, field_of, name, module;
  uint64_t *filter;
};

/* Whether the global on top, as `log = print` makes one, has that value under Lua's own name, too:
   others may not know it by the other. Stack: the key in _G, and the value. */
static bool is_original(lua_State *L, const struct rebuild *r) {
  size_t n;
  const char *key = lua_tolstring(L, -2, &n);
  return strcmp(lua_tostring(L, r->name), LUA_GNAME) == 0 && mpl_codec_names_standard(key, n);
}

static bool can_be_module(int type) {
  return type == LUA_TTABLE || type == LUA_TFUNCTION || type == LUA_TUSERDATA;
}

/* Whether the field on top, its key below, goes by name: a C function; and of this module, which
   everybody has in the same version, also what is written in Lua, as its os.exit is: a copy would
   have a state of its own. */
static bool is_member(lua_State *L, const struct rebuild *r) {
  const char *module = lua_tostring(L, r->name), *key = lua_tostring(L, -2);
  return lua_iscfunction(L, -1) ||
         (can_be_module(lua_type(L, -1)) &&
          (strcmp(module, "process") == 0 ||
           (strcmp(module, "os") == 0 && strcmp(key, "exit") == 0)));
}

/* Enters the fields of the module that go by name. */
static void note_members(lua_State *L, const struct rebuild *r) {
  lua_pushnil(L);
  while (lua_next(L, r->module)) {
    if (lua_type(L, -2) == LUA_TSTRING && is_member(L, r) &&
        (is_better_name(L, r->name, r->module_of) || is_original(L, r))) {
      if (!lua_iscfunction(L, -1)) add_to_filter(r->filter, lua_topointer(L, -1));
      lua_pushvalue(L, -1);
      lua_pushvalue(L, r->name);
      lua_rawset(L, r->module_of);
      lua_pushvalue(L, -1);
      lua_pushvalue(L, -3);
      lua_rawset(L, r->field_of);
    }
    lua_pop(L, 1);
  }
}

/* Enters the module itself: a table, or a function or userdata that `require` gives. */
static void note_module(lua_State *L, const struct rebuild *r) {
  if (!is_better_name(L, r->name, r->module_of)) return;
  lua_pushvalue(L, r->module);
  lua_pushvalue(L, r->name);
  lua_rawset(L, r->module_of);
  lua_pushvalue(L, r->module);
  lua_pushnil(L);
  lua_rawset(L, r->field_of);
}

/* Enters the registered metatables into the filter. */
static void note_classes(lua_State *L, int names, uint64_t *filter) {
  lua_getiuservalue(L, names, CLASSES);
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    lua_pop(L, 1);
    if (lua_istable(L, -1)) add_to_filter(filter, lua_topointer(L, -1));
  }
  lua_pop(L, 1);
}

/*
** Looks through package.loaded again. Runs finalizers, and they may load modules: those are then
** noticed by the next mpl_codec_names_stale. May raise for memory; the cache is then as before.
*/
void mpl_codec_names_rebuild(lua_State *L, int names) {
  struct mpl_codec_names *n = lua_touserdata(L, names);
  int top = lua_gettop(L);
  uint64_t changes = n->changes;
  uint64_t filter[16] = {0};
  luaL_checkstack(L, 12, "to name functions");
  push_weak_table(L);
  push_weak_table(L);
  lua_getiuservalue(L, names, LOADED);
  const struct rebuild r = {top + 1, top + 2, top + 4, top + 5, filter};
  lua_pushnil(L);
  while (lua_next(L, top + 3)) {
    if (lua_type(L, r.name) == LUA_TSTRING && can_be_module(lua_type(L, r.module))) {
      if (lua_istable(L, r.module)) note_members(L, &r);
      note_module(L, &r);
      add_to_filter(filter, lua_topointer(L, r.module));
    }
    lua_settop(L, r.name);
  }
  note_classes(L, names, filter);
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
  add_to_filter(filter, lua_topointer(L, -1));
  lua_settop(L, r.field_of);
  lua_setiuservalue(L, names, FIELD_OF);
  lua_setiuservalue(L, names, MODULE_OF);
  memcpy(n->filter, filter, sizeof filter);
  n->built = changes;
}

/* Pushes table[key] for a table among the user values and the key on top, which it replaces.
   Returns the type of the result. */
static int look_up(lua_State *L, int names, int table) {
  lua_getiuservalue(L, names, table);
  lua_insert(L, -2);
  int type = lua_rawget(L, -2);
  lua_remove(L, -2);
  return type;
}

/* Replaces the module on top by its field, whose name lies at idx; nil if there is none. */
static void get_field(lua_State *L, int idx) {
  if (lua_istable(L, -1)) {
    lua_pushvalue(L, idx);
    lua_rawget(L, -2);
  } else {
    lua_pushnil(L);
  }
  lua_remove(L, -2);
}

/*
** Looks for the name of the table, function or userdata at idx, and pushes it as the result says;
** nothing otherwise. Allocates nothing and raises nothing. The cache must have been built.
*/
enum mpl_codec_names_found mpl_codec_names_find(lua_State *L, int names, int idx) {
  idx = lua_absindex(L, idx);
  int top = lua_gettop(L);
  lua_pushvalue(L, idx);
  if (look_up(L, names, MODULE_OF) == LUA_TNIL) {
    lua_settop(L, top);
    return NAMES_NONE;
  }
  lua_pushvalue(L, idx);
  bool member = look_up(L, names, FIELD_OF) != LUA_TNIL;
  lua_pushvalue(L, top + 1);
  look_up(L, names, LOADED);
  if (member) get_field(L, top + 2);
  bool current = lua_rawequal(L, -1, idx);
  lua_settop(L, !current ? top : member ? top + 2 : top + 1);
  return !current ? NAMES_STALE : member ? NAMES_MEMBER : NAMES_MODULE;
}

/*
** Replaces the two values on top, the name of a module and that of a field in it (nil for the
** module itself), by what they stand for here; a module that is not loaded is required, which runs
** Lua and may raise. Returns false, and pushes nil, if the module has no such field.
*/
bool mpl_codec_names_resolve(lua_State *L, int names) {
  int module = lua_gettop(L) - 1, field = module + 1;
  lua_pushvalue(L, module);
  look_up(L, names, LOADED);
  if (!lua_toboolean(L, -1)) {
    lua_pop(L, 1);
    lua_getiuservalue(L, names, REQUIRE);
    lua_pushvalue(L, module);
    lua_call(L, 1, 1);
  }
  if (!lua_isnil(L, field)) get_field(L, field);
  lua_replace(L, module);
  lua_settop(L, module);
  return !lua_isnil(L, module);
}

/* Replaces the metatable on top by its name, or the name by the metatable; by nil if it is not
   registered. Returns the type of the result. Allocates and raises nothing. */
int mpl_codec_names_class(lua_State *L, int names) {
  return look_up(L, names, CLASSES);
}

/* Sees to it that setting table[key], for the key at idx, needs no memory. */
static void make_place(lua_State *L, int table, int idx) {
  lua_pushvalue(L, idx);
  bool missing = lua_rawget(L, table) == LUA_TNIL;
  lua_pop(L, 1);
  if (!missing) return;
  lua_pushvalue(L, idx);
  lua_pushboolean(L, 0);
  lua_rawset(L, table);
}

/*
** process.register(name, metatable): tables with this metatable can be sent from now on, and arrive
** with the metatable that has this name at the receiver. A name that is registered again means the
** new metatable; tables with the old one can then no longer be sent.
*/
int mpl_codec_register(lua_State *L) {
  luaL_checktype(L, 1, LUA_TSTRING);
  luaL_argcheck(L, lua_rawlen(L, 1) > 0, 1, "a name that is not empty expected");
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  struct mpl_codec_names *n = mpl_codec_names_push(L);
  lua_getiuservalue(L, 3, CLASSES);
  make_place(L, 4, 1);
  make_place(L, 4, 2);
  lua_pushvalue(L, 1);
  if (lua_rawget(L, 4) == LUA_TTABLE) {
    lua_pushvalue(L, 5);
    lua_rawget(L, 4);
    if (lua_rawequal(L, -1, 1)) {
      lua_pushvalue(L, 5);
      lua_pushnil(L);
      lua_rawset(L, 4);
    }
  }
  lua_pushvalue(L, 1);
  lua_pushvalue(L, 2);
  lua_rawset(L, 4);
  lua_pushvalue(L, 2);
  lua_pushvalue(L, 1);
  lua_rawset(L, 4);
  add_to_filter(n->filter, lua_topointer(L, 2));
  return 0;
}
