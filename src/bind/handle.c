/*
** Handles: see handle.h.
*/
#include "bind/handle.h"

#include <stdio.h>
#include <string.h>

#include "bind/args.h"
#include "shm/reflist.h"

/* Registry keys: the handles of this process by id, weak; and the metatables of handle classes, as
   a set and by type. */
static const char handles_key, classes_key;

static const struct mpl_class *class_of[MPL_TYPE_COUNT];

/* Makes the tables; once for each Lua state. */
void mpl_handle_open(lua_State *L) {
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "v");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &handles_key);
  lua_newtable(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &classes_key);
}

/* Pushes what tostring says of an object whose manager was shut down; false, and nothing, if it was
   not. Such an object can be printed, but not what is in it. */
bool mpl_handle_push_over(lua_State *L, const struct mpl_handle *h) {
  if (h->body == NULL || !mpl_life_is_over(h->body)) return false;
  lua_pushfstring(L, "<%s: %s>", h->class->name, mpl_args_text(MPL_ENDED));
  return true;
}

/* Upvalues: the class, as for any method, and the __tostring of the class. */
static int handle_tostring(lua_State *L) {
  if (mpl_handle_push_over(L, mpl_class_self(L, 1))) return 1;
  lua_pushvalue(L, lua_upvalueindex(2));
  lua_pushvalue(L, 1);
  lua_call(L, 1, 1);
  return 1;
}

static void wrap_tostring(lua_State *L, const struct mpl_class *class) {
  int top = lua_gettop(L);
  mpl_class_push_metatable(L, class);
  lua_pushvalue(L, -1);
  if (lua_getfield(L, -1, "__tostring") != LUA_TNIL) {
    lua_pushcclosure(L, handle_tostring, 2);
    lua_setfield(L, -2, "__tostring");
  }
  lua_settop(L, top);
}

/* Registers a class whose userdata are handles of objects of this type. */
void mpl_handle_class(lua_State *L, enum mpl_object_type type, const struct mpl_class *class) {
  mpl_class_register(L, class);
  mpl_class_name_methods(L, class);
  class_of[type] = class;
  wrap_tostring(L, class);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &classes_key);
  mpl_class_push_metatable(L, class);
  lua_pushboolean(L, 1);
  lua_rawset(L, -3);
  lua_pop(L, 1);
}

/* Pushes a handle that holds nothing yet: what can fail for want of memory has happened before the
   reference is taken. */
struct mpl_handle *mpl_handle_new(lua_State *L, enum mpl_object_type type) {
  struct mpl_handle *h = mpl_class_new(L, class_of[type], sizeof *h, 1);
  h->class = class_of[type];
  return h;
}

/* The handle on top of the stack gets the reference that the process now holds to `id`. */
void mpl_handle_own(lua_State *L, struct mpl_handle *h, enum mpl_object_type type, uint64_t id) {
  h->id = id;
  h->body = mpl_object_body(id, type);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &handles_key);
  lua_pushvalue(L, -2);
  lua_rawseti(L, -2, (lua_Integer)id); /* if this raises, the collector still drops the reference */
  lua_pop(L, 1);
}

/* The object of the handle on top of the stack was made with another one, which is a part of it:
   whoever keeps it for a manager finds its id as the handle's user value. */
void mpl_handle_part(lua_State *L, uint64_t id) {
  lua_pushinteger(L, (lua_Integer)id);
  lua_setiuservalue(L, -2, 1);
}

/* Labels a new object for reports: by the `name` in the table at `options`, else by the place in
   the script that makes it, and a number, as several may be made in one place. */
void mpl_handle_label(lua_State *L, uint64_t id, int options) {
  char label[MPL_OBJECT_LABEL];
  int top = lua_gettop(L);
  if (lua_istable(L, options) && lua_getfield(L, options, "name") != LUA_TNIL) {
    if (lua_type(L, -1) != LUA_TSTRING) mpl_args_wrong(L, options, "field 'name' must be a string");
    snprintf(label, sizeof label, "'%.*s'", MPL_OBJECT_LABEL - 3, lua_tostring(L, -1));
  } else {
    mpl_args_place(L);
    const char *place = lua_tostring(L, -1);
    int number = snprintf(label, sizeof label, "#%u ", (unsigned)(id & UINT32_MAX));
    size_t n = strlen(place), room = sizeof label - (size_t)number - sizeof "made at ";
    snprintf(label + number, sizeof label - (size_t)number, "%s%s", n > 0 ? "made at " : "",
             n > room ? place + n - room : place);
  }
  mpl_object_set_label(id, label);
  lua_settop(L, top);
}

/* Raises, because the handle at 1 was collected: a finalizer that runs later has kept it. */
int mpl_handle_dead(lua_State *L) {
  return luaL_argerror(L, 1, "the object was given up already, by the collector");
}

/* Raises, because the manager of the object at 1 was shut down. */
int mpl_handle_over(lua_State *L) {
  const struct mpl_handle *h = lua_touserdata(L, 1);
  return mpl_args_refuse(L, h->class->name, mpl_args_text(MPL_ENDED));
}

/* __gc of handles. */
int mpl_handle_gc(lua_State *L) {
  struct mpl_handle *h = mpl_class_self(L, 1);
  uint64_t id = h->id;
  h->id = 0;
  h->body = NULL;
  if (id != 0) mpl_reflist_release(id);
  return 0;
}

/* Id of the shared object at idx; 0 if it is none, or this process has closed it. */
uint64_t mpl_handle_id(lua_State *L, int idx) {
  struct mpl_handle *h = lua_touserdata(L, idx);
  if (h == NULL || !lua_getmetatable(L, idx)) return 0;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &classes_key);
  lua_insert(L, -2);
  bool known = lua_istable(L, -2) && lua_rawget(L, -2) == LUA_TBOOLEAN;
  lua_pop(L, 2);
  return known && !h->closed ? h->id : 0;
}

/* Pushes the handle of an object; raises if there is no such object. */
void mpl_handle_push(lua_State *L, uint64_t id) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &handles_key);
  if (lua_rawgeti(L, -1, (lua_Integer)id) == LUA_TUSERDATA) {
    lua_remove(L, -2);
    return;
  }
  lua_pop(L, 2);
  enum mpl_object_type type = mpl_object_type_of(id);
  if (type == MPL_TYPE_NONE || class_of[type] == NULL) mpl_args_raise(L, MPL_GONE);
  struct mpl_handle *h = mpl_handle_new(L, type);
  enum mpl_status s = mpl_object_retain(id);
  if (s != MPL_OK) mpl_args_raise(L, s);
  mpl_handle_own(L, h, type, id);
}
