/*
** Tasks:serve: a worker.
**
** The loop over the tasks of a chunk: the worker says that it begins one (ds/chunk.h), decodes the
** arguments, calls the function, and publishes what came of it, before it begins the next. Whatever
** a task does, that is its result; only an interrupt passes out of here, and takes the worker
** along.
*/
#include <stdio.h>
#include <stdio_ext.h>
#include <string.h>

#include "bind/args.h"
#include "bind/blocking.h"
#include "bind/codec.h"
#include "bind/content.h"
#include "bind/interrupt.h"
#include "bind/tasks.h"
#include "proc/alarm.h"
#include "shm/slot.h"

/* Functions that a worker keeps, of the jobs that it did last. */
#define KEPT 16

/* What stands on the stack while a worker serves. */
enum { SELF = 1, INDEX, MAXTASKS, CAPTURE, KEPT_TABLE, HANDLER, BASE = HANDLER };

struct serve {
  struct mpl_blocking op;
  struct mpl_tasks *t;
  struct mpl_tasks_worker *me;
  uint64_t worker;
  struct mpl_chunk *chunk;
  enum mpl_chunk_kind kind; /* of the result that is published */
  uint64_t kept[KEPT];      /* jobs whose functions are in the table, by position; 0: none */
  unsigned kept_next;       /* position that is used next */
  unsigned function;        /* position of the one that was called last */
  uint64_t job;             /* id of the chunk's */
  int64_t began;            /* the tasks whose time is not noted yet, ns */
  int64_t tick;             /* by mpl_os_tick, when the task began */
};

/*
** Errors as values
*/

/* Pushes what the script's function makes of the error value at idx and a traceback, on top of
   the stack, which is popped. */
static void capture(lua_State *L, int function, int idx) {
  lua_pushvalue(L, function);
  lua_pushvalue(L, idx);
  lua_rotate(L, -3, -1);
  lua_call(L, 2, 1);
}

/* Message handler of a task; its upvalue is the script's function. Of a task that was struck there
   is no error but that, and where it was: the traceback, as text. */
static int handle_error(lua_State *L) {
  if (mpl_interrupt_is(L, 1)) return 1;
  mpl_args_traceback(L, NULL, "in function 'process.Tasks.serve'");
  if (mpl_alarm_struck() != MPL_CHUNK_NONE) return 1;
  capture(L, lua_upvalueindex(1), 1);
  return 1;
}

/* Arguments: the script's function and an error value. */
static int capture_protected(lua_State *L) {
  lua_pushliteral(L, "");
  capture(L, 1, 2);
  return 1;
}

/* The error on top of the stack did not pass through the handler: makes of it what that would.
   Raises an interrupt. */
static void capture_late(lua_State *L) {
  if (mpl_interrupt_is(L, -1)) lua_error(L);
  lua_pushcfunction(L, capture_protected);
  lua_pushvalue(L, CAPTURE);
  lua_pushvalue(L, -3);
  if (lua_pcall(L, 2, 1, 0) == LUA_OK)
    lua_remove(L, -2);
  else
    lua_pop(L, 1);
}

/*
** Results
*/

/* Publishes an encoded result. MPL_OK, or MPL_NOMEM, MPL_DAMAGED and nothing has happened. */
static enum mpl_status publish(struct serve *s, const struct mpl_codec_out *out) {
  mpl_off message;
  if (out->nrefs == 0 &&
      mpl_chunk_publish(s->chunk, s->kind, out->pieces, out->npieces, out->size))
    return MPL_OK;
  enum mpl_status status = mpl_content_message(out->pieces, out->npieces, out->size, out->refs,
                                               out->nrefs, &message);
  if (status != MPL_OK) return status;
  status = mpl_tasks_chain(s->t, s->chunk, s->kind, message);
  if (status != MPL_OK) mpl_content_drop(message);
  return status;
}

/* Arguments: the operation, as light userdata, and a value to publish. */
static int publish_protected(lua_State *L) {
  struct serve *s = lua_touserdata(L, 1);
  struct mpl_codec_out out;
  mpl_codec_encode(L, 2, &out);
  enum mpl_status status = publish(s, &out);
  mpl_codec_release(&out);
  return status == MPL_OK ? 0 : mpl_args_raise(L, status);
}

/* Publishes the value on top of the stack. False if that cannot be, with the error on top. */
static bool publish_value(lua_State *L, struct serve *s, enum mpl_chunk_kind kind) {
  s->kind = kind;
  lua_pushcfunction(L, publish_protected);
  lua_pushlightuserdata(L, s);
  lua_pushvalue(L, -3);
  mpl_args_say_place(false); /* what is on the stack is the owner's, from before the fork */
  bool done = lua_pcall(L, 2, 0, 0) == LUA_OK;
  mpl_args_say_place(true);
  return done;
}

/* Publishes that the task has come to nothing, and this text, if there is room for it. */
static void publish_end(struct serve *s, enum mpl_chunk_kind kind, const char *text, size_t size) {
  struct mpl_chunk_loss loss = {.pid = (uint32_t)mpl_os_pid(), .attempts = 1};
  struct mpl_piece pieces[] = {{&loss, sizeof loss}, {text, size}};
  struct mpl_codec_out out = {.pieces = pieces, .npieces = 2, .size = sizeof loss + size};
  s->kind = kind;
  if (publish(s, &out) != MPL_OK) mpl_chunk_publish(s->chunk, kind, pieces, 1, sizeof loss);
}

/* Publishes the error on top of the stack. */
static void publish_error(lua_State *L, struct serve *s) {
  if (publish_value(L, s, MPL_CHUNK_ERROR)) return;
  capture_late(L); /* why it could not */
  if (!publish_value(L, s, MPL_CHUNK_ERROR)) publish_end(s, MPL_CHUNK_NOMEM, "", 0);
}

static bool is_small(int type) {
  return type == LUA_TNIL || type == LUA_TBOOLEAN || type == LUA_TNUMBER;
}

/* Publishes the n results on top of the stack. */
static void publish_results(lua_State *L, struct serve *s, int n) {
  bool one = s->chunk->kind != MPL_TASKS_APPLY || n == 1;
  if (one && is_small(lua_type(L, -1))) { /* needs no protection */
    struct mpl_codec_out out;
    mpl_codec_encode(L, -1, &out);
    s->kind = MPL_CHUNK_VALUE;
    bool done = publish(s, &out) == MPL_OK;
    mpl_codec_release(&out);
    if (!done) publish_end(s, MPL_CHUNK_NOMEM, "", 0);
    return;
  }
  if (!publish_value(L, s, one ? MPL_CHUNK_VALUE : MPL_CHUNK_VALUES)) {
    capture_late(L);
    publish_error(L, s);
  }
}

/*
** Tasks
*/

/* Arguments: a message of a job, as light userdata. Returns its function. */
static int decode_job(lua_State *L) {
  mpl_off job = (mpl_off)(uintptr_t)lua_touserdata(L, 1);
  struct mpl_message *m = mpl_message_at(job);
  mpl_codec_decode(L, mpl_tasks_job_at(job) + 1, m->size - sizeof(struct mpl_job),
                   (const uint64_t *)m->ref, mpl_load64_rlx(&m->nrefs));
  return 1;
}

/* Pushes the function of the chunk's job. False if it cannot be had, with the error on top. */
static bool push_function(lua_State *L, struct serve *s) {
  uint64_t id = s->job;
  unsigned i = s->function;
  if (s->kept[i] != id)
    for (i = 0; i < KEPT && s->kept[i] != id;) i++;
  if (i < KEPT) {
    s->function = i;
    lua_rawgeti(L, KEPT_TABLE, (lua_Integer)i + 1);
    return true;
  }
  lua_pushcfunction(L, decode_job);
  lua_pushlightuserdata(L, (void *)(uintptr_t)s->chunk->job);
  if (lua_pcall(L, 1, 1, 0) != LUA_OK) return false;
  i = s->kept_next++ % KEPT;
  s->function = i;
  s->kept[i] = id;
  lua_pushvalue(L, -1);
  lua_rawseti(L, KEPT_TABLE, (lua_Integer)i + 1); /* the table has room */
  return true;
}

/* Encoded arguments of a task. */
struct arg {
  const void *bytes;
  size_t size;
  const uint64_t *refs;
  size_t nrefs;
  bool list; /* of arguments */
};

/* Arguments: a struct arg, as light userdata. Returns the arguments of the task. */
static int decode_args(lua_State *L) {
  const struct arg *arg = lua_touserdata(L, 1);
  mpl_codec_decode(L, arg->bytes, arg->size, arg->refs, arg->nrefs);
  if (!arg->list) return 1;
  if (lua_getfield(L, -1, "n") != LUA_TNUMBER) lua_pushinteger(L, luaL_len(L, -2));
  lua_Integer n = lua_tointeger(L, -1);
  if (n < 0 || n > INT32_MAX / 2) return luaL_error(L, "field n is no number of arguments");
  int list = lua_absindex(L, lua_type(L, -2) == LUA_TTABLE ? -2 : -3);
  luaL_checkstack(L, (int)n, "too many arguments");
  for (lua_Integer i = 1; i <= n; i++) lua_geti(L, list, i);
  return (int)n;
}

/* Pushes the arguments of a task; says how many. -1, if they cannot be had, with the error on
   top. */
static int push_args(lua_State *L, struct arg *arg) {
  int top = lua_gettop(L);
  if (!arg->list && arg->nrefs == 0 && mpl_codec_is_plain(arg->bytes)) {
    mpl_codec_decode(L, arg->bytes, arg->size, NULL, 0);
    return 1;
  }
  lua_pushcfunction(L, decode_args);
  lua_pushlightuserdata(L, arg);
  int status = lua_pcall(L, 1, LUA_MULTRET, 0);
  return status == LUA_OK ? lua_gettop(L) - top : -1;
}

/* Packs the results above BASE into a table, if they are to be one value and are not. */
static int pack(lua_State *L) {
  int n = lua_gettop(L);
  lua_createtable(L, n, 1);
  lua_insert(L, 1);
  lua_pushinteger(L, n);
  lua_setfield(L, 1, "n");
  for (int i = n; i >= 1; i--) lua_rawseti(L, 1, i);
  return 1;
}

/* The call has ended well, with its results above BASE. */
static void take_results(lua_State *L, struct serve *s) {
  int n = lua_gettop(L) - BASE;
  if (s->chunk->kind == MPL_TASKS_APPLY && n != 1) {
    lua_pushcfunction(L, pack);
    lua_insert(L, BASE + 1);
    if (lua_pcall(L, n, 1, 0) != LUA_OK) {
      capture_late(L);
      publish_error(L, s);
      return;
    }
  }
  publish_results(L, s, n);
}

/* Calls the function with the arguments and publishes what comes of it. Nothing happens if the
   chunk was cancelled. To decode the two may run a module's code, and is under the task's limit. */
static void run_task(lua_State *L, struct serve *s, struct arg *arg) {
  uint64_t interrupts = mpl_interrupt_count();
  if (!mpl_alarm_start(s->chunk, s->tick)) return;
  int nresults = s->chunk->kind == MPL_TASKS_APPLY ? LUA_MULTRET : 1;
  int n = push_function(L, s) ? push_args(L, arg) : -1, status = LUA_ERRMEM;
  if (n >= 0) status = lua_pcall(L, n, nresults, HANDLER);
  enum mpl_chunk_kind struck = mpl_alarm_stop();
  if (mpl_load64_rlx(&s->me->ident) != mpl_slot_ident(mpl_self))
    luaL_error(L, "a child that a task has forked has come back from it");
  /* Who has the result has the output: a worker may be ended at once then. */
  if (__fpending(stdout) > 0) fflush(stdout);
  if (status != LUA_OK && mpl_interrupt_is(L, -1)) lua_error(L);
  if (status != LUA_OK && struck != MPL_CHUNK_NONE && mpl_interrupt_count() != interrupts) {
    mpl_interrupt_again(); /* the alarm struck while its error was on its way here */
    mpl_interrupt_attend(L, NULL, NULL);
  }
  if (struck != MPL_CHUNK_NONE) {
    size_t size = 0;
    bool told = status == LUA_ERRRUN && lua_type(L, -1) == LUA_TSTRING;
    const char *traceback = told ? lua_tolstring(L, -1, &size) : "";
    publish_end(s, struck, traceback, size);
  } else if (status == LUA_OK) {
    take_results(L, s);
  } else {
    if (status != LUA_ERRRUN) capture_late(L);
    publish_error(L, s);
  }
}

/* Notes the time since the last such note for the task that has just ended. */
static void note_time(struct serve *s, uint64_t index) {
  struct mpl_tasks_worker *me = s->me;
  int64_t now = mpl_os_now();
  uint64_t took = (uint64_t)(now - s->began);
  s->began = now;
  mpl_store64_rlx(&me->busy, mpl_load64_rlx(&me->busy) + took);
  if (took <= mpl_load64_rlx(&me->slowest[MPL_TASKS_SLOWEST - 1].took)) return;
  int i = MPL_TASKS_SLOWEST - 1;
  for (; i > 0 && mpl_load64_rlx(&me->slowest[i - 1].took) < took; i--) {
    mpl_store64_rlx(&me->slowest[i].took, mpl_load64_rlx(&me->slowest[i - 1].took));
    mpl_store64_rlx(&me->slowest[i].tag, mpl_load64_rlx(&me->slowest[i - 1].tag));
    mpl_store64_rlx(&me->slowest[i].index, mpl_load64_rlx(&me->slowest[i - 1].index));
  }
  mpl_store64_rlx(&me->slowest[i].took, took);
  mpl_store64_rlx(&me->slowest[i].tag, s->chunk->tag);
  mpl_store64_rlx(&me->slowest[i].index, index);
}

/* A task is done: counts it. To look at the clock takes longer than many a task: the time of tasks
   that end within one tick is noted together. */
static void note_task(struct serve *s, uint64_t index) {
  mpl_store64_rlx(&s->me->tasks, mpl_load64_rlx(&s->me->tasks) + 1);
  int64_t tick = mpl_os_tick();
  if (tick == s->tick && !mpl_chunk_is_over(s->chunk)) return;
  s->tick = tick;
  note_time(s, index);
}

/* Does the tasks of the chunk that have no result yet, `most` at most. Returns how many that
   were. */
static lua_Integer run_chunk(lua_State *L, struct serve *s, lua_Integer most) {
  struct mpl_chunk *c = s->chunk;
  struct mpl_chunk_args args;
  struct arg arg = {.list = c->kind != MPL_TASKS_MAP};
  uint64_t task = 0, done = mpl_chunk_done(c);
  lua_Integer n = 0;
  mpl_chunk_args_start(&args, c);
  for (; task < done; task++) mpl_chunk_args_next(&args, &arg.size, &arg.refs, &arg.nrefs);
  if (mpl_chunk_is_over(c)) return 0;
  s->job = mpl_tasks_job_at(c->job)->id;
  s->tick = mpl_os_tick();
  s->began = mpl_os_now();
  for (; !mpl_chunk_is_over(c) && n < most; n++, task++) {
    mpl_chunk_begin(c);
    mpl_store64_rlx(&s->me->task, c->first + task + 1);
    arg.bytes = mpl_chunk_args_next(&args, &arg.size, &arg.refs, &arg.nrefs);
    run_task(L, s, &arg);
    lua_settop(L, BASE);
    note_task(s, c->first + task);
  }
  mpl_store64_rlx(&s->me->task, 0);
  return n;
}

/*
** The loop
*/

static int attempt(lua_State *L, struct mpl_blocking *op) {
  struct serve *s = (struct serve *)op;
  mpl_off chunk;
  enum mpl_status status = mpl_tasks_step(s->t, s->worker, &chunk, &op->wait, op->deadline);
  s->chunk = status == MPL_OK ? mpl_chunk_at(chunk) : NULL;
  switch (status) {
    case MPL_OK:
    case MPL_CLOSED: return 0;
    case MPL_BLOCK:
    case MPL_SIGNAL: return MPL_BLOCKING_AGAIN;
    default: return mpl_args_raise(L, status);
  }
}

static void give_up(struct mpl_blocking *op) {
  struct serve *s = (struct serve *)op;
  mpl_tasks_pass_on(s->t, s->worker);
}

static void prepare(lua_State *L, struct serve *s) {
  lua_settop(L, CAPTURE);
  luaL_checktype(L, CAPTURE, LUA_TFUNCTION);
  lua_createtable(L, KEPT, 0);
  for (lua_Integer i = 1; i <= KEPT; i++) {
    lua_pushboolean(L, 0);
    lua_rawseti(L, KEPT_TABLE, i);
  }
  lua_pushvalue(L, CAPTURE);
  lua_pushcclosure(L, handle_error, 1);
  luaL_checkstack(L, LUA_MINSTACK, "to serve");
  mpl_alarm_open(&s->t->ended);
  enum mpl_status status = mpl_tasks_serve(s->t, s->worker);
  if (status == MPL_MISUSE) luaL_argerror(L, INDEX, "somebody serves as this worker");
  if (status != MPL_OK) mpl_args_raise(L, status);
}

/* ledger:serve(worker, maxtasks, capture): does tasks, as this worker (from 1 on), until the
   ledger is closed and all are finished: "closed"; or so many are done: "max". maxtasks may be
   nil. capture(value, traceback) makes of an error what the owner gets. Raises an interrupt
   only. */
int mpl_tasks_method_serve(lua_State *L) {
  struct serve s = {.op = {.attempt = attempt, .give_up = give_up, .deadline = MPL_NEVER},
                    .t = mpl_tasks_self(L)};
  lua_Integer worker = luaL_checkinteger(L, INDEX);
  lua_Integer left = luaL_optinteger(L, MAXTASKS, LUA_MAXINTEGER);
  luaL_argcheck(L, worker >= 1 && (uint64_t)worker <= s.t->nworkers, INDEX, "no such worker");
  s.worker = (uint64_t)worker - 1;
  s.me = &s.t->worker[s.worker];
  prepare(L, &s);
  while (left > 0) {
    mpl_blocking_run(L, &s.op);
    if (s.chunk == NULL) break;
    left -= run_chunk(L, &s, left);
  }
  mpl_tasks_leave(s.t, s.worker);
  lua_pushstring(L, left > 0 ? "closed" : "max");
  return 1;
}
