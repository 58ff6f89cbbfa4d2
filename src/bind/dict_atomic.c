/*
** Changes at once: what process.dict.atomic (lua/process/dict.lua) is made of. `changes` gives a
** value, whose `begin` takes the gate and whose `commit` applies what was changed since; closing
** it without that drops it. These are two steps so that the value is one to be closed before there
** is anything to be dropped: an interrupt may strike after any instruction, and a gate whose value
** went astray would swallow what the process writes. The value is closed when it is collected, too:
** with the coroutine that left off in the middle. In a forked child the inherited value does
** nothing: the gate is its parent's.
*/
#include "bind/args.h"
#include "bind/class.h"
#include "bind/dict.h"
#include "bind/gate_use.h"

struct changes {
  struct mpl_gate_use use; /* first */
  struct mpl_dict *dict;   /* its handle is a user value */
};

/* Who calls, of those whom the gate keeps apart. */
uint32_t mpl_dict_thread(const struct mpl_dict *d) {
  return mpl_gate_use_thread(&d->gate);
}

static int changes_close(lua_State *L) {
  struct changes *c = mpl_class_self(L, 1);
  if (mpl_gate_use_end(&c->use)) mpl_dict_abandon(c->dict);
  return 0;
}

/* changes:commit(): all at once. */
static int changes_commit(lua_State *L) {
  struct changes *c = mpl_class_self(L, 1);
  if (!mpl_gate_use_end(&c->use))
    return luaL_error(L, "process.dict.atomic: not in the process that has begun it");
  enum mpl_status s = mpl_dict_commit(c->dict);
  if (s == MPL_OK) return 0;
  mpl_dict_abandon(c->dict);
  return mpl_args_raise(L, s);
}

static enum mpl_status begin(struct mpl_dict_change *change, struct mpl_wait *w) {
  return mpl_dict_begin(change->op.dict, change->op.thread, w);
}

/* changes:begin(): true, as soon as nobody else has the gate; false if this process has begun
   already. */
static int changes_begin(lua_State *L) {
  struct mpl_dict_change change;
  struct changes *c = mpl_class_self(L, 1);
  bool within = mpl_dict_is_begun(c->dict, mpl_dict_thread(c->dict));
  if (!within) {
    change.attempt = begin;
    change.value.message = 0;
    change.op.dict = c->dict;
    mpl_dict_run(L, &change);
    mpl_gate_use_begin(&c->use);
  }
  lua_pushboolean(L, !within);
  return 1;
}

static const luaL_Reg methods[] = {
    {"begin", changes_begin}, {"commit", changes_commit}, {NULL, NULL}};
static const luaL_Reg metamethods[] = {
    {"__close", changes_close}, {"__gc", changes_close}, {NULL, NULL}};
static const struct mpl_class changes_class = {"Changes", methods, metamethods};

/* changes(d): to be begun. */
int mpl_dict_changes(lua_State *L) {
  struct mpl_dict *d = mpl_dict_self(L);
  mpl_args_end(L, 1);
  struct changes *c = mpl_class_new(L, &changes_class, sizeof *c, 2);
  c->dict = d;
  mpl_gate_use_init(L, &c->use, &d->gate);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, 1);
  return 1;
}

/* Makes the class known. */
void mpl_dict_open_atomic(lua_State *L) {
  mpl_class_register(L, &changes_class);
}
