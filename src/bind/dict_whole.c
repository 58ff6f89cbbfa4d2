/*
** process.dict, set and Namespace: what concerns all entries. Whoever iterates has a private copy
** of them (ds/dict.h), a userdata that is freed when the loop is left.
*/
#include <string.h>

#include "bind/args.h"
#include "bind/class.h"
#include "bind/content.h"
#include "bind/dict.h"
#include "bind/dict_key.h"
#include "bind/interrupt.h"
#include "shm/message.h"

struct snapshot {
  struct mpl_dict_snapshot all;
  uint64_t at; /* next entry of an iteration */
};

static int snapshot_close(lua_State *L) {
  struct snapshot *s = mpl_class_self(L, 1);
  mpl_dict_snapshot_free(&s->all);
  return 0;
}

static const luaL_Reg no_methods[] = {{NULL, NULL}};
static const luaL_Reg metamethods[] = {
    {"__close", snapshot_close}, {"__gc", snapshot_close}, {NULL, NULL}};
static const struct mpl_class snapshot_class = {"Snapshot", no_methods, metamethods};

/* Bytes of private memory. */
static uint64_t weight_of(const struct mpl_dict_snapshot *all) {
  if (all->count == 0) return 0;
  const struct mpl_dict_pair *last = &all->pair[all->count - 1];
  return all->count * sizeof *last + last->value_at + last->value_size;
}

/* Pushes a snapshot of the dict. */
static struct snapshot *push_snapshot(lua_State *L, struct mpl_dict *d) {
  struct snapshot *s = mpl_class_new(L, &snapshot_class, sizeof *s, 0);
  enum mpl_status status;
  while ((status = mpl_dict_snapshot(d, mpl_dict_thread(d), &s->all)) == MPL_SIGNAL)
    mpl_interrupt_attend(L, NULL, NULL);
  if (status != MPL_OK) mpl_args_raise(L, status);
  mpl_content_weigh(L, weight_of(&s->all));
  return s;
}

static void push_key(lua_State *L, const struct snapshot *s, const struct mpl_dict_pair *pair) {
  mpl_dict_key_push(L, s->all.bytes + pair->key_at, pair->key_size);
}

static void push_value(lua_State *L, const struct snapshot *s, const struct mpl_dict_pair *pair) {
  if (pair->message != 0)
    mpl_content_decode(L, pair->message);
  else
    mpl_codec_decode(L, s->all.bytes + pair->value_at, pair->value_size, NULL, 0);
}

/* Iterator: the next key and value of the snapshot at 1. */
static int next_pair(lua_State *L) {
  struct snapshot *s = mpl_class_self(L, 1);
  if (s->at >= s->all.count) {
    mpl_dict_snapshot_free(&s->all);
    return 0;
  }
  const struct mpl_dict_pair *pair = &s->all.pair[s->at++];
  push_key(L, s, pair);
  push_value(L, s, pair);
  return 2;
}

/* pairs(d): for k, v in the order of insertion, as the dict is now. */
int mpl_dict_pairs(lua_State *L) {
  struct mpl_dict *d = mpl_dict_self(L);
  mpl_class_push_metatable(L, &snapshot_class);
  lua_pushcclosure(L, next_pair, 1);
  push_snapshot(L, d);
  lua_pushnil(L);
  lua_pushvalue(L, -2);
  return 4;
}

/* list(d, "keys" | "values" | "items" | "copy"): a plain list of keys, of values, of {key, value},
   or a plain table with the same keys and values. */
int mpl_dict_list(lua_State *L) {
  static const char *const kinds[] = {"keys", "values", "items", "copy", NULL};
  enum { KEYS, VALUES, ITEMS, COPY };
  struct mpl_dict *d = mpl_dict_self(L);
  int kind = luaL_checkoption(L, 2, NULL, kinds);
  const struct snapshot *s = push_snapshot(L, d);
  uint64_t n = s->all.count;
  int room = n < INT32_MAX ? (int)n : 0;
  lua_createtable(L, kind == COPY ? 0 : room, kind == COPY ? room : 0);
  for (uint64_t i = 0; i < n; i++) {
    const struct mpl_dict_pair *pair = &s->all.pair[i];
    if (kind == ITEMS) lua_createtable(L, 2, 0);
    if (kind != VALUES) push_key(L, s, pair);
    if (kind == ITEMS) lua_rawseti(L, -2, 1);
    if (kind != KEYS) push_value(L, s, pair);
    if (kind == ITEMS) lua_rawseti(L, -2, 2);
    if (kind == COPY)
      lua_rawset(L, -3);
    else
      lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  lua_toclose(L, -2);
  return 1;
}

/* #d */
int mpl_dict_len(lua_State *L) {
  uint64_t count;
  struct mpl_dict *d = mpl_dict_self(L);
  enum mpl_status s;
  while ((s = mpl_dict_count(d, mpl_dict_thread(d), &count)) == MPL_SIGNAL)
    mpl_interrupt_attend(L, NULL, NULL);
  if (s != MPL_OK) return mpl_args_raise(L, s);
  lua_pushinteger(L, (lua_Integer)count);
  return 1;
}

static enum mpl_status clear(struct mpl_dict_change *c, struct mpl_wait *w) {
  return mpl_dict_clear(c->op.dict, c->op.thread, w);
}

/* clear(d) */
int mpl_dict_clear_all(lua_State *L) {
  struct mpl_dict_change c;
  c.attempt = clear;
  c.value.message = 0;
  c.op.dict = mpl_dict_self(L);
  mpl_args_end(L, 1);
  mpl_dict_run(L, &c);
  return 0;
}

struct popitem {
  struct mpl_dict_change change; /* first */
  struct mpl_buf key;
};

static enum mpl_status pop_newest(struct mpl_dict_change *c, struct mpl_wait *w) {
  struct mpl_buf *key = &((struct popitem *)c)->key;
  enum mpl_status s = mpl_dict_pop_newest(&c->op, key, w);
  if (s != MPL_OK) mpl_buf_free(key); /* what is raised passes it by */
  return s;
}

/* popitem(d): removes the newest entry; its key and value, or nil, "empty". */
int mpl_dict_popitem(lua_State *L) {
  unsigned char room[MPL_DICT_KEY_ROOM];
  struct popitem p;
  struct mpl_dict_op *op = &p.change.op;
  p.change.attempt = pop_newest;
  p.change.value.message = 0;
  op->dict = mpl_dict_self(L);
  op->want_old = true;
  mpl_args_end(L, 1);
  luaL_checkstack(L, 4, NULL);
  mpl_buf_init(&p.key, room, sizeof room);
  mpl_dict_run(L, &p.change);
  if (!op->found) {
    lua_pushnil(L);
    lua_pushliteral(L, "empty");
    return 2;
  }
  op->key.bytes = p.key.data;
  op->key.size = p.key.size;
  op->key.hash = mpl_dict_hash(p.key.data, p.key.size);
  int status = mpl_dict_push_removed(L, &p.change, true);
  mpl_buf_free(&p.key);
  return status == LUA_OK ? 2 : lua_error(L);
}

/* Makes snapshots known. */
void mpl_dict_open_whole(lua_State *L) {
  mpl_class_register(L, &snapshot_class);
}
