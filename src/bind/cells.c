/*
** process.Value, Array, RawValue and RawArray: how they are made, and what both classes have. The
** classes are in cells_value.c and cells_array.c, values of elements in cells_element.c.
*/
#include "bind/cells.h"

#include "bind/args.h"
#include "bind/handle.h"
#include "bind/module.h"
#include "ds/rlock.h"
#include "shm/reflist.h"

/* The element type of the letter at 1. */
static const struct mpl_cells_type *check_type(lua_State *L) {
  size_t n = 0;
  if (lua_isnone(L, 1)) luaL_argerror(L, 1, "type expected, got no value: " MPL_CELLS_LETTERS);
  mpl_args_dot(L);
  const char *letter = lua_type(L, 1) == LUA_TSTRING ? lua_tolstring(L, 1, &n) : NULL;
  const struct mpl_cells_type *type = n == 1 ? mpl_cells_type_of(*letter) : NULL;
  if (type == NULL)
    luaL_argerror(L, 1, lua_pushfstring(L, "bad type '%s', there are " MPL_CELLS_LETTERS,
                                        luaL_tolstring(L, 1, NULL)));
  return type;
}

/*
** Locks
*/

struct plan {
  enum mpl_object_type kind;
  const struct mpl_cells_type *type;
  uint64_t count;
  const uint64_t *bits;
  bool new_lock; /* gets a lock of its own */
  uint64_t lock; /* else the id of its lock, 0: none */
};

/* Whether scripts can acquire and release an object of this type. */
static bool is_lock(enum mpl_object_type type) {
  return type == MPL_TYPE_LOCK || type == MPL_TYPE_RLOCK || type == MPL_TYPE_SEMAPHORE ||
         type == MPL_TYPE_BOUNDED_SEMAPHORE || type == MPL_TYPE_CONDITION;
}

/* The option `lock` of the table at 3: nil, true: a lock of its own; false: none; a lock. */
static void check_lock(lua_State *L, struct plan *plan) {
  int option = lua_istable(L, 3) ? lua_getfield(L, 3, "lock") : (lua_pushnil(L), LUA_TNIL);
  plan->new_lock = option == LUA_TNIL || lua_toboolean(L, -1);
  if (option == LUA_TUSERDATA && is_lock(mpl_object_type_of(mpl_handle_id(L, -1)))) {
    plan->new_lock = false;
    plan->lock = mpl_handle_id(L, -1);
  } else if (option != LUA_TNIL && option != LUA_TBOOLEAN) {
    luaL_argerror(L, 3, "field 'lock' must be a lock, true or false");
  }
  lua_pop(L, 1);
}

/* Makes the object and, if it shall have one, its lock. */
static enum mpl_status create(struct plan *plan, uint64_t *id) {
  if (plan->new_lock) {
    enum mpl_status s = mpl_rlock_new(&plan->lock);
    if (s != MPL_OK) return s;
  }
  enum mpl_status s =
      mpl_cells_new(plan->kind, plan->type, plan->count, plan->bits, plan->lock, id);
  if (plan->new_lock) mpl_reflist_release(plan->lock); /* the object has a reference of its own */
  return s;
}

/* Pushes the object of the plan. If there is no shared memory for it, what is garbage is collected
   first: an array is large, its handle is not, and so the collector does not feel it. */
static int push_new(lua_State *L, struct plan *plan, int options) {
  struct mpl_handle *h = mpl_handle_new(L, plan->kind);
  uint64_t id;
  enum mpl_status s = create(plan, &id);
  if (s == MPL_NOMEM) {
    lua_gc(L, LUA_GCCOLLECT, 0);
    s = create(plan, &id);
  }
  if (s != MPL_OK) return mpl_args_raise(L, s);
  mpl_handle_own(L, h, plan->kind, id);
  mpl_handle_label(L, id, options);
  if (plan->new_lock) mpl_handle_label(L, plan->lock, options);
  if (plan->new_lock) mpl_handle_part(L, plan->lock);
  return 1;
}

static const char *const options_with_lock[] = {"lock", "name", NULL};
static const char *const options_raw[] = {"name", NULL};

/* With the arguments type, value, options. */
static int new_value(lua_State *L, bool raw) {
  struct plan plan = {.kind = MPL_TYPE_VALUE, .type = check_type(L), .count = 1};
  uint64_t bits = 0;
  mpl_args_end(L, 3);
  mpl_args_options(L, 3, raw ? options_raw : options_with_lock);
  if (!raw) check_lock(L, &plan);
  if (!lua_isnoneornil(L, 2))
    bits = mpl_cells_encode(plan.type, mpl_cells_check(L, 2, plan.type));
  plan.bits = &bits;
  return push_new(L, &plan, 3);
}

/* With the arguments type, number of elements or list, options. */
static int new_array(lua_State *L, bool raw) {
  struct plan plan = {.kind = MPL_TYPE_ARRAY, .type = check_type(L)};
  mpl_args_end(L, 3);
  mpl_args_options(L, 3, raw ? options_raw : options_with_lock);
  if (!raw) check_lock(L, &plan);
  if (lua_type(L, 2) == LUA_TNUMBER) {
    lua_Integer n = luaL_checkinteger(L, 2);
    luaL_argcheck(L, n >= 0, 2, "a number of elements, 0 or more, or a list expected");
    plan.count = (uint64_t)n;
  } else {
    plan.count = mpl_cells_list_length(L, 2, plan.type);
    plan.bits = mpl_cells_list(L, 2, plan.type, plan.count);
  }
  return push_new(L, &plan, 3);
}

/* Value(type[, v[, {lock=, name=}]]) */
static int value_new(lua_State *L) {
  return new_value(L, false);
}

/* RawValue(type[, v[, {name=}]]): without a lock. */
static int raw_value_new(lua_State *L) {
  return new_value(L, true);
}

/* Array(type, n or list[, {lock=, name=}]) */
static int array_new(lua_State *L) {
  return new_array(L, false);
}

/* RawArray(type, n or list[, {name=}]): without a lock. */
static int raw_array_new(lua_State *L) {
  return new_array(L, true);
}

/*
** Methods of both; the arguments that are left begin at idx.
*/

/* add(n): the sum. */
int mpl_cells_method_add(lua_State *L, struct mpl_cells *cells, uint64_t at, int idx) {
  const struct mpl_cells_type *type = &cells->type;
  union mpl_cell n, sum;
  mpl_args_end(L, idx);
  luaL_argcheck(L, type->code != MPL_CELLS_CHAR, 1, "bytes of type 'c' are no numbers");
  luaL_checktype(L, idx, LUA_TNUMBER);
  if (mpl_cells_is_real(type))
    n.d = lua_tonumber(L, idx);
  else
    n.i = luaL_checkinteger(L, idx);
  bool done = mpl_cells_add(cells, at, n, &sum);
  mpl_cells_push(L, type, sum);
  if (done) return 1;
  const char *old = luaL_tolstring(L, -1, NULL), *by = luaL_tolstring(L, idx, NULL);
  return luaL_argerror(L, idx, lua_pushfstring(L, "%s + %s is out of range: %s", old, by,
                                               mpl_cells_domain(L, type)));
}

/* exchange(x): what it was. */
int mpl_cells_method_exchange(lua_State *L, struct mpl_cells *cells, uint64_t at, int idx) {
  union mpl_cell v = mpl_cells_check(L, idx, &cells->type);
  mpl_args_end(L, idx);
  mpl_cells_push(L, &cells->type, mpl_cells_exchange(cells, at, v));
  return 1;
}

/* compare_and_set(old, new): whether it was `old` and is `new`. */
int mpl_cells_method_compare_and_set(lua_State *L, struct mpl_cells *cells, uint64_t at, int idx) {
  union mpl_cell old = mpl_cells_check(L, idx, &cells->type);
  union mpl_cell v = mpl_cells_check(L, idx + 1, &cells->type);
  mpl_args_end(L, idx + 1);
  lua_pushboolean(L, mpl_cells_compare_and_set(cells, at, old, v));
  return 1;
}

/* The id of its lock; raises if it has none. */
static uint64_t lock_of(lua_State *L, const struct mpl_cells *cells) {
  uint64_t lock = mpl_load64_rlx(&cells->lock);
  if (lock == 0) luaL_argerror(L, 1, "it has no lock: it is raw, or was made with lock = false");
  return lock;
}

/* get_lock(): the lock of its own, or the one that it was made with. */
int mpl_cells_method_get_lock(lua_State *L, const struct mpl_cells *cells) {
  mpl_args_end(L, 1);
  mpl_handle_push(L, lock_of(L, cells));
  return 1;
}

/* get_obj(): itself; here it needs no lock to be read or written. */
int mpl_cells_method_get_obj(lua_State *L, const struct mpl_cells *cells) {
  mpl_args_end(L, 1);
  lock_of(L, cells);
  lua_settop(L, 1);
  return 1;
}

/* In an __index: pushes the method of the key at 2. Raises `fault`, with the key, if there is
   none. */
void mpl_cells_push_method(lua_State *L, const char *fault) {
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(2)) == LUA_TNIL)
    luaL_error(L, fault, luaL_tolstring(L, 2, NULL));
}

/*
** Opening
*/

static const luaL_Reg constructors[] = {{"Value", value_new},
                                        {"RawValue", raw_value_new},
                                        {"Array", array_new},
                                        {"RawArray", raw_array_new},
                                        {NULL, NULL}};

/* Registers the classes and puts the constructors into the module table on top. */
void mpl_cells_open(lua_State *L) {
  mpl_cells_register();
  mpl_cells_open_value(L);
  mpl_cells_open_array(L);
  luaL_setfuncs(L, constructors, 0);
}
