/*
** process.dict, set and Namespace: the classes, and operations on one key.
*/
#include "bind/dict.h"

#include "bind/args.h"
#include "bind/content.h"
#include "bind/dict_key.h"
#include "bind/handle.h"
#include "bind/interrupt.h"
#include "bind/module.h"
#include "bind/plain.h"

static const struct mpl_class dict_class, set_class, namespace_class;

/* Raises: what is at 1 is none of the three. Methods have their class as an upvalue, functions of
   process.dict have none. */
static struct mpl_dict *wrong_self(lua_State *L) {
  if (lua_istable(L, lua_upvalueindex(1))) mpl_class_wrong_self(L, 1);
  mpl_args_wrong_type(L, 1, "dict");
  return NULL;
}

/* The dict, set or Namespace at 1. */
struct mpl_dict *mpl_dict_self(lua_State *L) {
  struct mpl_handle *h = lua_touserdata(L, 1);
  if (h == NULL || lua_rawlen(L, 1) != sizeof *h ||
      (h->class != &dict_class && h->class != &set_class && h->class != &namespace_class))
    return wrong_self(L);
  return mpl_handle_use(L, h);
}

/*
** Changes
*/

/* The value is dropped unless it was stored. */
static void drop_value(struct mpl_dict_change *c) {
  if (c->value.message != 0 && !c->op.stored) mpl_content_drop(c->value.message);
}

static void give_up(struct mpl_blocking *blocking) {
  struct mpl_dict_change *c = (struct mpl_dict_change *)blocking;
  if (mpl_wait_slept(&blocking->wait)) mpl_lock_pass_on(&c->op.dict->gate);
  drop_value(c);
}

static int attempt(lua_State *L, struct mpl_blocking *blocking) {
  struct mpl_dict_change *c = (struct mpl_dict_change *)blocking;
  (void)L;
  c->status = c->attempt(c, &blocking->wait);
  if (c->status == MPL_BLOCK || c->status == MPL_SIGNAL) return MPL_BLOCKING_AGAIN;
  if (mpl_wait_slept(&blocking->wait)) mpl_lock_pass_on(&c->op.dict->gate);
  return 0;
}

/* Makes the change, as soon as the gate lets it through; raises if that fails. The value is gone
   afterwards, the old one is the caller's. */
void mpl_dict_run(lua_State *L, struct mpl_dict_change *c) {
  c->blocking.attempt = attempt;
  c->blocking.give_up = give_up;
  c->blocking.timed_out = NULL;
  c->blocking.deadline = MPL_NEVER;
  c->blocking.does_chores = false;
  c->op.thread = mpl_dict_thread(c->op.dict);
  c->op.found = c->op.stored = false;
  mpl_blocking_run(L, &c->blocking);
  drop_value(c);
  if (c->status != MPL_OK && c->status != MPL_RECOVERED) mpl_args_raise(L, c->status);
}

static enum mpl_status change_key(struct mpl_dict_change *c, struct mpl_wait *w) {
  return mpl_dict_change(&c->op, w);
}

/* A change of the key that was taken into c->op.key. */
static void run_key(lua_State *L, struct mpl_dict *d, struct mpl_dict_change *c,
                    mpl_dict_decide decide, void *arg, bool want_old) {
  c->attempt = change_key;
  c->op.dict = d;
  c->op.decide = decide;
  c->op.arg = arg;
  c->op.want_old = want_old;
  mpl_dict_run(L, c);
}

/*
** Deciding, under the shard's lock
*/

static enum mpl_dict_verdict store(void *arg, const struct mpl_value *old, struct mpl_value *new) {
  (void)old;
  *new = *(const struct mpl_value *)arg;
  return MPL_DICT_STORE;
}

static enum mpl_dict_verdict store_if_none(void *arg, const struct mpl_value *old,
                                           struct mpl_value *new) {
  return old != NULL ? MPL_DICT_KEEP : store(arg, old, new);
}

static enum mpl_dict_verdict discard(void *arg, const struct mpl_value *old,
                                     struct mpl_value *new) {
  (void)arg;
  (void)new;
  return old != NULL ? MPL_DICT_REMOVE : MPL_DICT_KEEP;
}

struct comparison {
  struct mpl_plain expected;
  struct mpl_value *value; /* NULL: none, the key is removed */
  bool equal;
};

static enum mpl_dict_verdict store_if_equal(void *arg, const struct mpl_value *old,
                                            struct mpl_value *new) {
  struct comparison *c = arg;
  struct mpl_plain present = {.kind = MPL_PLAIN_NIL};
  if (old != NULL) mpl_plain_look(old, &present);
  c->equal = mpl_plain_equal(&present, &c->expected);
  if (!c->equal) return MPL_DICT_KEEP;
  return c->value != NULL ? store(c->value, old, new) : discard(NULL, old, new);
}

struct addition {
  struct mpl_plain by, sum; /* sum: what there was, if it fails */
  bool done;
  unsigned char bytes[MPL_PLAIN_NUMBER_BYTES];
};

static enum mpl_dict_verdict add(void *arg, const struct mpl_value *old, struct mpl_value *new) {
  struct addition *a = arg;
  a->sum = (struct mpl_plain){.kind = MPL_PLAIN_INTEGER};
  if (old != NULL) mpl_plain_look(old, &a->sum);
  a->done = mpl_plain_is_number(&a->sum) && mpl_plain_add(&a->sum, &a->by);
  if (!a->done) return MPL_DICT_KEEP;
  *new = (struct mpl_value){.bytes = a->bytes, .size = mpl_plain_put_number(a->bytes, &a->sum)};
  return MPL_DICT_STORE;
}

/*
** Operations on one key. The dict is at 1, the key at 2.
*/

static void end_wait(void *wait) {
  if (wait != NULL) mpl_wait_done(wait);
}

/* Looks up op->key. If that fails, the wait in which it is done, or NULL, is ended, and the error
   raised. */
void mpl_dict_look(lua_State *L, struct mpl_dict_op *op, struct mpl_wait *wait) {
  enum mpl_status s;
  op->thread = mpl_dict_thread(op->dict);
  while ((s = mpl_dict_get(op)) == MPL_SIGNAL) mpl_interrupt_attend(L, end_wait, wait);
  if (s == MPL_OK) return;
  end_wait(wait);
  mpl_args_raise(L, s);
}

/* Pushes the value under the key and returns true, or pushes nothing. */
static bool push_value(lua_State *L, struct mpl_dict *d) {
  unsigned char room[MPL_DICT_KEY_ROOM];
  struct mpl_dict_op op;
  if (!mpl_dict_key_find(L, 2, room, &op.key)) return false;
  op.dict = d;
  op.want_old = true;
  mpl_dict_look(L, &op, NULL);
  if (op.found) mpl_content_push(L, &op.old);
  return op.found;
}

static void check_name(lua_State *L) {
  if (lua_type(L, 2) != LUA_TSTRING)
    mpl_args_error(L, "Namespace: the name of an attribute is a string, not %s",
                   mpl_args_kind(L, 2));
}

/* The key at 2, to store something under it in what is at 1. */
static void take_key(lua_State *L, unsigned char room[MPL_DICT_KEY_ROOM],
                     struct mpl_dict_key *key) {
  const struct mpl_handle *h = lua_touserdata(L, 1);
  if (h->class == &namespace_class) check_name(L);
  mpl_dict_key_take(L, 2, room, key);
}

/* d[k]: the value, or nil. */
static int dict_index(lua_State *L) {
  if (!push_value(L, mpl_dict_self(L))) lua_pushnil(L);
  return 1;
}

/* get(d, k[, default]) */
static int dict_get(lua_State *L) {
  struct mpl_dict *d = mpl_dict_self(L);
  mpl_args_end(L, 3);
  lua_settop(L, 3);
  push_value(L, d); /* else the default is on top */
  return 1;
}

/* contains(d, k) */
static int dict_contains(lua_State *L) {
  unsigned char room[MPL_DICT_KEY_ROOM];
  struct mpl_dict_op op = {.dict = mpl_dict_self(L)};
  mpl_args_end(L, 2);
  if (mpl_dict_key_find(L, 2, room, &op.key)) mpl_dict_look(L, &op, NULL);
  lua_pushboolean(L, op.found);
  return 1;
}

/* d[k] = v; nil removes. */
static int dict_newindex(lua_State *L) {
  unsigned char room[MPL_DICT_KEY_ROOM], bytes[MPL_VALUE_INLINE];
  struct mpl_dict *d = mpl_dict_self(L);
  struct mpl_dict_change c;
  c.value.message = 0;
  take_key(L, room, &c.op.key);
  if (lua_isnoneornil(L, 3)) {
    run_key(L, d, &c, discard, NULL, false);
  } else {
    mpl_content_take(L, 3, bytes, &c.value);
    run_key(L, d, &c, store, &c.value, false);
  }
  return 0;
}

/* Argument: a change that has removed something. */
static int decode_removed(lua_State *L) {
  const struct mpl_value *old = &((struct mpl_dict_change *)lua_touserdata(L, 1))->op.old;
  if (old->message != 0)
    mpl_content_decode(L, old->message);
  else
    mpl_codec_decode(L, old->bytes, old->size, NULL, 0);
  return 1;
}

/* The same, and its key. */
static int decode_removed_pair(lua_State *L) {
  const struct mpl_dict_change *c = lua_touserdata(L, 1);
  mpl_dict_key_push(L, c->op.key.bytes, c->op.key.size);
  return 1 + decode_removed(L);
}

/* Pushes the value that a change has removed, and its key if wanted. If that fails, for want of
   memory or of what the value needs in this process, it is stored again, unless somebody else has
   stored something there; *c then has nothing, and the result is the status of the error on top.
   */
int mpl_dict_push_removed(lua_State *L, struct mpl_dict_change *c, bool with_key) {
  lua_pushcfunction(L, with_key ? decode_removed_pair : decode_removed);
  lua_pushlightuserdata(L, c);
  int status = lua_pcall(L, 1, with_key ? 2 : 1, 0);
  if (status == LUA_OK) {
    if (c->op.old.message != 0) mpl_content_drop(c->op.old.message);
  } else {
    c->value = c->op.old;
    run_key(L, c->op.dict, c, store_if_none, &c->value, false);
  }
  return status;
}

/* pop(d, k[, default]): removes and returns the value. */
static int dict_pop(lua_State *L) {
  unsigned char room[MPL_DICT_KEY_ROOM];
  struct mpl_dict *d = mpl_dict_self(L);
  struct mpl_dict_change c;
  mpl_args_end(L, 3);
  lua_settop(L, 3);
  c.value.message = 0;
  if (!mpl_dict_key_find(L, 2, room, &c.op.key)) return 1;
  luaL_checkstack(L, 4, NULL);
  run_key(L, d, &c, discard, NULL, true);
  if (c.op.found && mpl_dict_push_removed(L, &c, false) != LUA_OK) return lua_error(L);
  return 1;
}

/* setdefault(d, k, v): the value under k, which is v if there was none. */
static int dict_setdefault(lua_State *L) {
  unsigned char room[MPL_DICT_KEY_ROOM], bytes[MPL_VALUE_INLINE];
  struct mpl_dict *d = mpl_dict_self(L);
  struct mpl_dict_change c;
  mpl_args_end(L, 3);
  luaL_argcheck(L, !lua_isnoneornil(L, 3), 3, "a value expected, to be stored if there is none");
  take_key(L, room, &c.op.key);
  mpl_content_take(L, 3, bytes, &c.value);
  run_key(L, d, &c, store_if_none, &c.value, true);
  if (c.op.found) mpl_content_push(L, &c.op.old);
  return 1;
}

/* compare_and_set(d, k, old, new): whether the value was `old`, nil for none, and now is `new`. */
static int dict_compare_and_set(lua_State *L) {
  unsigned char room[MPL_DICT_KEY_ROOM], bytes[MPL_VALUE_INLINE];
  struct mpl_dict *d = mpl_dict_self(L);
  struct mpl_dict_change c;
  struct comparison compare = {.value = NULL};
  mpl_args_end(L, 4);
  lua_settop(L, 4);
  take_key(L, room, &c.op.key);
  if (!mpl_plain_take(L, 3, &compare.expected))
    return luaL_argerror(L, 3, lua_pushfstring(L, "a %s cannot be compared with what is stored, "
                                               "which is a copy; keep a version number beside it",
                                               luaL_typename(L, 3)));
  c.value.message = 0;
  if (!lua_isnil(L, 4)) {
    mpl_content_take(L, 4, bytes, &c.value);
    compare.value = &c.value;
  }
  run_key(L, d, &c, store_if_equal, &compare, false);
  lua_pushboolean(L, compare.equal);
  return 1;
}

static void push_number(lua_State *L, const struct mpl_plain *v) {
  if (v->kind == MPL_PLAIN_INTEGER)
    lua_pushinteger(L, v->integer);
  else
    lua_pushnumber(L, v->number);
}

/* Raises, because nothing was added. The key at 2 may be gone if it was long. */
static int incr_failed(lua_State *L, const struct addition *a) {
  const char *key = lua_isuserdata(L, 2) ? "that key" : luaL_tolstring(L, 2, NULL);
  if (!mpl_plain_is_number(&a->sum))
    return luaL_error(L, "process.dict.incr: the value at '%s' is %s, not a number", key,
                      mpl_plain_name(&a->sum));
  return luaL_error(L, "process.dict.incr: %I + %I at '%s' is out of the range of integers; "
                       "add a float", (LUAI_UACINT)a->sum.integer, (LUAI_UACINT)a->by.integer, key);
}

/* incr(d, k[, by]): adds to a number, 0 if there is none; the sum. */
static int dict_incr(lua_State *L) {
  unsigned char room[MPL_DICT_KEY_ROOM];
  struct mpl_dict *d = mpl_dict_self(L);
  struct mpl_dict_change c;
  struct addition a = {.by = {.kind = MPL_PLAIN_INTEGER, .integer = 1}};
  mpl_args_end(L, 3);
  if (!lua_isnoneornil(L, 3)) {
    luaL_checktype(L, 3, LUA_TNUMBER);
    mpl_plain_take(L, 3, &a.by);
  }
  c.value.message = 0;
  take_key(L, room, &c.op.key);
  run_key(L, d, &c, add, &a, false);
  if (!a.done) return incr_failed(L, &a);
  push_number(L, &a.sum);
  return 1;
}

/*
** What is peculiar to sets and Namespaces
*/

/* s:add(x) */
static int set_add(lua_State *L) {
  mpl_dict_self(L);
  mpl_args_end(L, 2);
  lua_settop(L, 2);
  lua_pushboolean(L, 1);
  return dict_newindex(L);
}

/* s:discard(x), s:remove(x): whether it was there. */
static int set_discard(lua_State *L) {
  unsigned char room[MPL_DICT_KEY_ROOM];
  struct mpl_dict *d = mpl_dict_self(L);
  struct mpl_dict_change c;
  mpl_args_end(L, 2);
  c.value.message = 0;
  c.op.found = false;
  if (mpl_dict_key_find(L, 2, room, &c.op.key)) run_key(L, d, &c, discard, NULL, false);
  lua_pushboolean(L, c.op.found);
  return 1;
}

/* s:pop(): takes an element away, the newest; nil, "empty". */
static int set_pop(lua_State *L) {
  mpl_dict_popitem(L);
  if (lua_isnil(L, -2)) return 2;
  lua_pop(L, 1);
  return 1;
}

static int namespace_index(lua_State *L) {
  check_name(L);
  return dict_index(L);
}

/*
** Classes
*/

/* An empty one, with the options at 2: at 1 is what the Lua part puts into it. */
static int make(lua_State *L, enum mpl_object_type type) {
  static const char *const known[] = {"name", NULL};
  mpl_args_end(L, 2);
  mpl_args_options(L, 2, known);
  struct mpl_handle *h = mpl_handle_new(L, type);
  uint64_t id;
  enum mpl_status s = mpl_dict_new(type, &id);
  if (s != MPL_OK) return mpl_args_raise(L, s);
  mpl_handle_own(L, h, type, id);
  mpl_handle_label(L, id, 2);
  return 1;
}

static int dict_new(lua_State *L) {
  return make(L, MPL_TYPE_DICT);
}

static int set_new(lua_State *L) {
  return make(L, MPL_TYPE_SET);
}

static int namespace_new(lua_State *L) {
  return make(L, MPL_TYPE_NAMESPACE);
}

static const luaL_Reg no_methods[] = {{NULL, NULL}};
static const luaL_Reg set_methods[] = {{"add", set_add},
                                       {"clear", mpl_dict_clear_all},
                                       {"contains", dict_contains},
                                       {"discard", set_discard},
                                       {"pop", set_pop},
                                       {"remove", set_discard},
                                       {"wait_change", mpl_dict_wait_change},
                                       {"wait_for", mpl_dict_wait_for},
                                       {NULL, NULL}};
static const luaL_Reg dict_metamethods[] = {
    {"__gc", mpl_handle_gc},          {"__len", mpl_dict_len},     {"__newindex", dict_newindex},
    {"__pairs", mpl_dict_pairs},      {NULL, NULL}};
static const luaL_Reg set_metamethods[] = {
    {"__gc", mpl_handle_gc}, {"__len", mpl_dict_len}, {"__pairs", mpl_dict_pairs}, {NULL, NULL}};
static const luaL_Reg namespace_metamethods[] = {{"__gc", mpl_handle_gc},
                                                 {"__newindex", dict_newindex},
                                                 {"__pairs", mpl_dict_pairs},
                                                 {NULL, NULL}};

static const struct mpl_class dict_class = {"Dict", no_methods, dict_metamethods};
static const struct mpl_class set_class = {"Set", set_methods, set_metamethods};
static const struct mpl_class namespace_class = {"Namespace", no_methods, namespace_metamethods};

/* Registers a class. `index` is its __index, if its fields are data; its metatable goes by its name
   into the table on top, for the Lua part. */
static void open_class(lua_State *L, enum mpl_object_type type, const struct mpl_class *class,
                       lua_CFunction index) {
  mpl_handle_class(L, type, class);
  mpl_class_push_metatable(L, class);
  if (index != NULL) {
    lua_pushcfunction(L, index);
    lua_setfield(L, -2, "__index");
  }
  lua_setfield(L, -2, class->name);
}

static const luaL_Reg functions[] = {{"new", dict_new},
                                     {"new_set", set_new},
                                     {"new_namespace", namespace_new},
                                     {"get", dict_get},
                                     {"contains", dict_contains},
                                     {"pop", dict_pop},
                                     {"setdefault", dict_setdefault},
                                     {"compare_and_set", dict_compare_and_set},
                                     {"incr", dict_incr},
                                     {"clear", mpl_dict_clear_all},
                                     {"popitem", mpl_dict_popitem},
                                     {"pairs", mpl_dict_pairs},
                                     {"list", mpl_dict_list},
                                     {"changes", mpl_dict_changes},
                                     {"wait_change", mpl_dict_wait_change},
                                     {"wait_for", mpl_dict_wait_for},
                                     {NULL, NULL}};

/* Registers the classes and puts `dict`, what the Lua part builds upon, into the module table on
   top. */
void mpl_dict_open(lua_State *L) {
  mpl_dict_register();
  mpl_dict_open_whole(L);
  mpl_dict_open_atomic(L);
  luaL_newlib(L, functions);
  open_class(L, MPL_TYPE_DICT, &dict_class, dict_index);
  open_class(L, MPL_TYPE_SET, &set_class, NULL);
  open_class(L, MPL_TYPE_NAMESPACE, &namespace_class, namespace_index);
  lua_setfield(L, -2, "dict");
}
