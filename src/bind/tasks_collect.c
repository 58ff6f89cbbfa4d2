/*
** Tasks:collect: the results of a chunk that is finished.
**
** The chunk stays the ledger's until all of it is decoded, and the function that is to have it has
** returned: if one of the two fails for want of memory, or for an interrupt, it can be collected
** again.
*/
#include <string.h>

#include "bind/args.h"
#include "bind/blocking.h"
#include "bind/codec.h"
#include "bind/interrupt.h"
#include "bind/tasks.h"
#include "proc/child.h"
#include "proc/signal.h"

struct collect {
  struct mpl_blocking op;
  struct mpl_tasks *t;
  struct mpl_tasks_desk *desk;
  uint64_t wanted;
  struct mpl_chunk *chunk;
  struct mpl_chunk_results results;
  lua_Integer i; /* the result that is decoded, from 1 on */
  bool failed;   /* there are errors among them */
};

/* Arguments of the method, and of a protected function. */
enum { DELIVER = 2, POOL, WANTED, TIMEOUT };
enum { VALUES = 1, ERRORS, OPERATION };

static void set_integer(lua_State *L, const char *key, lua_Integer n) {
  lua_pushinteger(L, n);
  lua_setfield(L, -2, key);
}

/* Pushes a table that says how a task was lost: with a field of this name. */
static void push_loss(lua_State *L, const char *key, const struct mpl_chunk_result *r) {
  struct mpl_chunk_loss loss;
  lua_createtable(L, 0, 5);
  lua_pushboolean(L, 1);
  lua_setfield(L, -2, key);
  if (r->size == 0) return; /* it was never begun */
  MPL_ASSERT(r->size >= sizeof loss);
  memcpy(&loss, r->bytes, sizeof loss);
  set_integer(L, "attempts", (lua_Integer)loss.attempts);
  set_integer(L, "pid", (lua_Integer)loss.pid);
  set_integer(L, "code", loss.code);
  if (r->size == sizeof loss) return;
  lua_pushlstring(L, (const char *)r->bytes + sizeof loss, r->size - sizeof loss);
  lua_setfield(L, -2, "traceback");
}

static void push_decoded(lua_State *L, const struct mpl_chunk_result *r) {
  mpl_codec_decode(L, r->bytes, r->size, r->refs, r->nrefs);
}

/* Pushes what came of a task that has failed. */
static void push_error(lua_State *L, const struct mpl_chunk_result *r) {
  switch (r->kind) {
    case MPL_CHUNK_ERROR: push_decoded(L, r); break;
    case MPL_CHUNK_LOST: push_loss(L, "lost", r); break;
    case MPL_CHUNK_TIMEOUT: push_loss(L, "timeout", r); break;
    case MPL_CHUNK_NOMEM: push_loss(L, "nomem", r); break;
    default: push_loss(L, "cancelled", r); break;
  }
}

/* The table on top is that of all results, which is popped. */
static void replace_values(lua_State *L) {
  lua_getfield(L, -1, "n");
  lua_Integer n = lua_tointeger(L, -1);
  lua_setfield(L, VALUES, "n");
  for (lua_Integer i = 1; i <= n; i++) {
    lua_rawgeti(L, -1, i);
    lua_rawseti(L, VALUES, i);
  }
  lua_pop(L, 1);
}

/* Decodes all from result i on into the tables. */
static int decode_all(lua_State *L) {
  struct collect *c = lua_touserdata(L, OPERATION);
  struct mpl_chunk_result r;
  while ((uint64_t)c->i < c->chunk->count) {
    c->i++;
    mpl_chunk_results_next(&c->results, &r);
    if (r.kind == MPL_CHUNK_VALUE) {
      push_decoded(L, &r);
      lua_rawseti(L, VALUES, c->i);
    } else if (r.kind == MPL_CHUNK_VALUES) { /* of the only task */
      push_decoded(L, &r);
      replace_values(L);
    } else {
      push_error(L, &r);
      lua_rawseti(L, ERRORS, c->i);
      c->failed = true;
    }
  }
  return 0;
}

/* A result could not be decoded, with the error on top of the stack: that is its task's, but for an
   interrupt. */
static void set_broken(lua_State *L, struct collect *c, int errors) {
  if (mpl_interrupt_is(L, -1)) lua_error(L);
  luaL_tolstring(L, -1, NULL);
  lua_createtable(L, 0, 1);
  lua_insert(L, -2);
  lua_setfield(L, -2, "broken");
  lua_rawseti(L, errors, c->i);
  lua_pop(L, 1);
  c->failed = true;
}

/* Argument: the operation, as light userdata. Returns the tables of values and of errors of its
   chunk. */
static int decode_chunk(lua_State *L) {
  struct collect *c = lua_touserdata(L, 1);
  const int values = 2, errors = 3;
  int status;
  lua_createtable(L, c->chunk->count > INT32_MAX ? 0 : (int)c->chunk->count, 1);
  set_integer(L, "n", (lua_Integer)c->chunk->count);
  lua_newtable(L);
  do {
    lua_pushcfunction(L, decode_all);
    lua_pushvalue(L, values);
    lua_pushvalue(L, errors);
    lua_pushlightuserdata(L, c);
    status = lua_pcall(L, 3, 0, 0);
    if (mpl_args_lacked_memory(L, status)) lua_error(L);
    if (status != LUA_OK) set_broken(L, c, errors);
  } while (status != LUA_OK);
  return 2;
}

/* The chunk is of one task: pushes its value, if that is plain (which needs no protection, and no
   memory), and says so. */
static bool push_plain(lua_State *L, const struct mpl_chunk_results *results) {
  struct mpl_chunk_results at = *results;
  struct mpl_chunk_result r;
  mpl_chunk_results_next(&at, &r);
  if (r.kind != MPL_CHUNK_VALUE || r.nrefs > 0 || !mpl_codec_is_plain(r.bytes)) return false;
  push_decoded(L, &r);
  return true;
}

/* Calls a function, whose errors are raised. What runs meanwhile cannot collect. */
static void call_reading(lua_State *L, struct collect *c, int nargs, int nresults) {
  c->desk->reading = true;
  int status = lua_pcall(L, nargs, nresults, 0);
  c->desk->reading = false;
  if (status != LUA_OK) lua_error(L);
}

/* Pushes the tables of values and of errors of the chunk; nil for no errors. */
static void push_tables(lua_State *L, struct collect *c) {
  c->i = 0;
  c->failed = false;
  lua_pushcfunction(L, decode_chunk);
  lua_pushlightuserdata(L, c);
  call_reading(L, c, 1, 2);
  if (!c->failed) {
    lua_pop(L, 1);
    lua_pushnil(L);
  }
}

/* Delivers the first chunk that was collected, and drops it. */
static int take_chunk(lua_State *L, struct collect *c) {
  if (c->desk->reading) return luaL_error(L, "collect: called while a chunk is delivered");
  lua_pushboolean(L, 1);
  lua_pushvalue(L, DELIVER);
  lua_pushvalue(L, POOL);
  lua_pushinteger(L, (lua_Integer)c->chunk->tag);
  lua_pushinteger(L, (lua_Integer)c->chunk->first);
  mpl_chunk_results_start(&c->results, c->chunk);
  bool plain = c->chunk->count == 1 && push_plain(L, &c->results);
  if (plain)
    lua_pushnil(L);
  else
    push_tables(L, c);
  lua_pushboolean(L, plain);
  call_reading(L, c, 6, 1);
  mpl_tasks_collected(c->t);
  return 2;
}

static int nothing(lua_State *L, const char *word) {
  lua_pushnil(L);
  lua_pushstring(L, word);
  return 2;
}

static int timed_out(lua_State *L, struct mpl_blocking *op) {
  (void)op;
  return nothing(L, "timeout");
}

static int attempt(lua_State *L, struct mpl_blocking *op) {
  struct collect *c = (struct collect *)op;
  mpl_off chunk;
  enum mpl_status s = mpl_tasks_collect(c->t, c->wanted, &chunk, &op->wait, op->deadline);
  if (s == MPL_OK) {
    mpl_wait_done(&op->wait);
    c->chunk = mpl_chunk_at(chunk);
    return take_chunk(L, c);
  }
  if (mpl_wait_slept(&op->wait) && !mpl_signal_hears_children()) mpl_child_reap();
  if (mpl_child_ends() != c->desk->ends) {
    c->desk->ends = mpl_child_ends();
    return nothing(L, "child");
  }
  switch (s) {
    case MPL_BLOCK:
    case MPL_SIGNAL: return MPL_BLOCKING_AGAIN;
    case MPL_TIMEOUT: return nothing(L, "timeout");
    default: return mpl_args_raise(L, s);
  }
}

/*
** ledger:collect(deliver, pool[, wanted[, timeout]]): waits for a chunk that is finished, and calls
** deliver(pool, tag, first, values, errors, plain): its tag, the index of its first task, the table
** of values, with their number as n, and the table of errors by their position in the chunk, or
** nil. (Of a task of the kind "apply" the values are all its results.) An error is what the worker
** made of it, or a table with one of the fields lost, timeout, cancelled, nomem (with attempts,
** pid, code, and perhaps traceback, if it was begun), or broken, the text why the result cannot be
** had here. `plain` is true if the chunk was of one task that gave a number, a boolean or nil: then
** the value itself stands in place of the table.
** True and what deliver returns; if that raises the chunk is delivered again. nil, "timeout"; nil,
** "child": children of this process have ended. The wait ends for less than `wanted` chunks when no
** more are queued.
*/
int mpl_tasks_method_collect(lua_State *L) {
  struct collect c = {.op = {.attempt = attempt, .timed_out = timed_out},
                      .t = mpl_tasks_self(L),
                      .desk = mpl_tasks_desk(L)};
  luaL_checktype(L, DELIVER, LUA_TFUNCTION);
  lua_Integer wanted = luaL_optinteger(L, WANTED, 1);
  mpl_args_end(L, TIMEOUT);
  c.wanted = wanted > 0 ? (uint64_t)wanted : 1;
  c.op.deadline = mpl_args_timeout(L, TIMEOUT);
  return mpl_blocking_run(L, &c.op);
}
