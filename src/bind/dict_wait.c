/*
** Waiting until a dict, or what it has under a key, has changed.
*/
#include <string.h>

#include "base/hash.h"
#include "bind/args.h"
#include "bind/content.h"
#include "bind/dict.h"
#include "bind/dict_key.h"
#include "shm/message.h"

struct wait {
  struct mpl_blocking blocking; /* first */
  struct mpl_dict *dict;
  struct mpl_dict_key *key; /* NULL: whatever it is */
  uint64_t seen;
};

/* A hash of a value in shared memory or private. */
static uint64_t hash_of(const struct mpl_value *v) {
  if (v->message == 0) return mpl_hash(v->bytes, v->size, 1);
  const struct mpl_message *m = mpl_message_at(v->message);
  uint64_t refs = mpl_load64_rlx(&m->nrefs);
  uint64_t seed = mpl_hash((const void *)m->ref, refs * sizeof(uint64_t), 1);
  return mpl_hash(mpl_message_data(v->message), m->size, seed);
}

/* What tells whether it has changed: how often that happened or, as others may be stored in the
   same shard, a hash of the value under the key. */
static uint64_t look(lua_State *L, struct wait *w) {
  if (w->key == NULL) return mpl_dict_writes(w->dict, NULL);
  struct mpl_dict_op op = {.dict = w->dict, .key = *w->key, .want_old = true};
  mpl_dict_look(L, &op, &w->blocking.wait);
  if (!op.found) return 0;
  uint64_t hash = hash_of(&op.old);
  if (op.old.message != 0) mpl_content_drop(op.old.message);
  return hash;
}

static int attempt(lua_State *L, struct mpl_blocking *blocking) {
  struct wait *w = (struct wait *)blocking;
  if (look(L, w) != w->seen) {
    lua_pushboolean(L, 1);
    return 1;
  }
  blocking->wait.kind = MPL_WAIT_OBJECT;
  blocking->wait.body = w->dict;
  blocking->wait.ec = &w->dict->changed;
  return MPL_BLOCKING_AGAIN;
}

/* Raises if the wait would be for the caller itself. */
static void check_not_begun(lua_State *L, const struct mpl_dict *d, const char *name) {
  if (mpl_dict_is_begun(d, mpl_dict_thread(d)))
    mpl_args_error(L, "%s: within atomic of the same dict nobody else can change it", name);
}

/* wait_change(d[, k[, timeout]]): true as soon as there is another value under k than at the call,
   or, with k nil, as soon as anything was written; false, "timeout". */
int mpl_dict_wait_change(lua_State *L) {
  unsigned char room[MPL_DICT_KEY_ROOM];
  struct mpl_dict_key key;
  struct wait w = {.blocking = {.attempt = attempt,
                                .timed_out = mpl_blocking_late,
                                .does_chores = true},
                   .dict = mpl_dict_self(L)};
  mpl_args_end(L, 3);
  w.blocking.deadline = mpl_args_timeout(L, 3);
  check_not_begun(L, w.dict, "wait_change");
  if (!lua_isnoneornil(L, 2)) {
    mpl_dict_key_take(L, 2, room, &key);
    w.key = &key;
  }
  w.seen = look(L, &w);
  return mpl_blocking_run(L, &w.blocking);
}

/* wait_for(d, f[, timeout]): calls f(d) until it is true, again whenever anything was written: its
   value. When the time is up: its last value and "timeout". No change is missed. */
int mpl_dict_wait_for(lua_State *L) {
  struct wait w = {.blocking = {.attempt = attempt,
                                .timed_out = mpl_blocking_late,
                                .does_chores = true},
                   .dict = mpl_dict_self(L)};
  mpl_args_end(L, 3);
  if (!lua_isfunction(L, 2) && luaL_getmetafield(L, 2, "__call") == LUA_TNIL)
    mpl_args_wrong_type(L, 2, "function");
  w.blocking.deadline = mpl_args_timeout(L, 3);
  check_not_begun(L, w.dict, "wait_for");
  for (bool late = false;;) {
    lua_settop(L, 3);
    w.seen = look(L, &w);
    lua_pushvalue(L, 2);
    lua_pushvalue(L, 1);
    lua_call(L, 1, 1);
    if (lua_toboolean(L, 4)) return 1;
    if (late) return lua_pushliteral(L, "timeout"), 2;
    mpl_blocking_run(L, &w.blocking);
    late = !lua_toboolean(L, 5);
  }
}
