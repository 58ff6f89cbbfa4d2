/*
** core.Tasks: the task ledger of a pool, for lua/process/pool.lua.
*/
#include "bind/tasks.h"

#include <signal.h>
#include <string.h>

#include "bind/args.h"
#include "bind/codec.h"
#include "bind/content.h"
#include "bind/handle.h"
#include "bind/module.h"
#include "proc/alarm.h"
#include "proc/child.h"
#include "proc/signal.h"
#include "shm/reflist.h"
#include "shm/slot.h"

#define WORKERS_MOST 10000

static const struct mpl_class tasks_class;

/* In a method: the ledger at 1. */
struct mpl_tasks *mpl_tasks_self(lua_State *L) {
  return mpl_handle_body(L, &tasks_class);
}

/*
** The desk
*/

/* Cuts off what stands there from these sizes on, and gives back the references to objects. */
void mpl_tasks_desk_cut(struct mpl_tasks_desk *desk, size_t bytes, size_t refs) {
  const uint64_t *ref = (const uint64_t *)(const void *)desk->refs.data;
  for (size_t i = refs / sizeof *ref; i < desk->refs.size / sizeof *ref; i++)
    mpl_reflist_release(ref[i]);
  desk->refs.size = refs;
  desk->bytes.size = bytes;
}

static int desk_gc(lua_State *L) {
  struct mpl_tasks_desk *desk = lua_touserdata(L, 1);
  mpl_tasks_desk_cut(desk, 0, 0);
  mpl_buf_free(&desk->bytes);
  mpl_buf_free(&desk->refs);
  return 0;
}

static const luaL_Reg no_methods[] = {{NULL, NULL}};
static const luaL_Reg desk_metamethods[] = {{"__gc", desk_gc}, {NULL, NULL}};
static const struct mpl_class desk_class = {"TasksDesk", no_methods, desk_metamethods};

/* In a method: the desk of the handle at 1, made when it is needed first. */
struct mpl_tasks_desk *mpl_tasks_desk(lua_State *L) {
  if (lua_getiuservalue(L, 1, 1) != LUA_TUSERDATA) {
    struct mpl_tasks_desk *desk = mpl_class_new(L, &desk_class, sizeof *desk, 0);
    mpl_buf_init(&desk->bytes, NULL, 0);
    mpl_buf_init(&desk->refs, NULL, 0);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, 1, 1);
    lua_remove(L, -2);
  }
  struct mpl_tasks_desk *desk = lua_touserdata(L, -1);
  lua_pop(L, 1);
  return desk;
}

/*
** The class
*/

/* Tasks(workers): an empty ledger, with an entry for each of so many workers. */
static int tasks_new(lua_State *L) {
  lua_Integer n = luaL_checkinteger(L, 1);
  uint64_t id;
  luaL_argcheck(L, n >= 1 && n <= WORKERS_MOST, 1, "out of range");
  struct mpl_handle *h = mpl_handle_new(L, MPL_TYPE_TASKS);
  enum mpl_status s = mpl_tasks_new((uint64_t)n, &id);
  if (s != MPL_OK) return mpl_args_raise(L, s);
  mpl_handle_own(L, h, MPL_TYPE_TASKS, id);
  mpl_handle_label(L, id, 2);
  return 1;
}

/* Makes a job of what was encoded: its message. */
static enum mpl_status job_new(struct mpl_tasks *t, const struct mpl_codec_out *out, mpl_off *job) {
  enum mpl_status s = mpl_message_new(sizeof(struct mpl_job) + out->size, out->nrefs, job);
  if (s != MPL_OK) return s;
  unsigned char *to = (unsigned char *)(mpl_tasks_job_at(*job) + 1);
  for (size_t i = 0; i < out->npieces; to += out->pieces[i++].size)
    memcpy(to, out->pieces[i].data, out->pieces[i].size);
  for (size_t i = 0; s == MPL_OK && i < out->nrefs; i++)
    s = mpl_message_add_ref(*job, out->refs[i]);
  if (s == MPL_OK) s = mpl_tasks_job_enter(t, *job);
  if (s != MPL_OK) mpl_content_drop(*job);
  return s;
}

/* ledger:job(f): what tasks are done with. Its number, and the bytes of the encoded function.
   The same function, encoded, is the same job. Each call is undone by drop_job. */
static int tasks_job(lua_State *L) {
  struct mpl_tasks *t = mpl_tasks_self(L);
  struct mpl_codec_out out;
  luaL_checkany(L, 2);
  mpl_args_end(L, 2);
  mpl_codec_encode(L, 2, &out);
  size_t size = out.size;
  mpl_off job = mpl_tasks_job_like(t, out.pieces, out.npieces, out.refs, out.nrefs);
  enum mpl_status s = job != 0 ? mpl_tasks_job_use(t, job, true) : job_new(t, &out, &job);
  mpl_codec_release(&out);
  if (s != MPL_OK) return mpl_args_raise(L, s);
  lua_pushinteger(L, (lua_Integer)mpl_tasks_job_at(job)->id);
  lua_pushinteger(L, (lua_Integer)size);
  return 2;
}

/* ledger:drop_job(job): it is not needed any more, but for chunks that were put. */
static int tasks_drop_job(lua_State *L) {
  struct mpl_tasks *t = mpl_tasks_self(L);
  mpl_off job = mpl_tasks_job_find(t, (uint64_t)luaL_checkinteger(L, 2));
  luaL_argcheck(L, job != 0, 2, "no such job");
  enum mpl_status s = mpl_tasks_job_use(t, job, false);
  return s == MPL_OK ? 0 : mpl_args_raise(L, s);
}

/* The worker whose number stands at idx, from 0 on. */
static uint64_t check_worker(lua_State *L, const struct mpl_tasks *t, int idx) {
  lua_Integer i = luaL_checkinteger(L, idx);
  luaL_argcheck(L, i >= 1 && (uint64_t)i <= t->nworkers, idx, "no such worker");
  return (uint64_t)i - 1;
}

/* ledger:lost(worker, exitcode): the process that was this worker has ended, by whatever way,
   and was reaped. Its chunk goes on, without the task that was begun, or with that once more.
   Whether it had begun to serve. */
static int tasks_lost(lua_State *L) {
  struct mpl_tasks *t = mpl_tasks_self(L);
  lua_pushboolean(L, mpl_tasks_lost(t, check_worker(L, t, 2), (int)luaL_checkinteger(L, 3)));
  return 1;
}

/* Tells a worker that its task was cancelled, or that it is to die. A pid is its own as long as it
   was not reaped, which is for the caller, its parent, to do; its slot is cleaned up then. Whether
   there is one that serves. */
static bool signal_worker(const struct mpl_tasks_worker *w) {
  if (!mpl_slot_ident_lives(mpl_load64_rlx(&w->ident))) return false;
  return kill((pid_t)mpl_load64_rlx(&w->pid), MPL_ALARM_SIGNAL) == 0;
}

/* ledger:cancel(tag): cancels one chunk that was put with the tag and is not finished: "queued";
   "running" and the worker, whose task is interrupted; nil if there is none. */
static int tasks_cancel(lua_State *L) {
  struct mpl_tasks *t = mpl_tasks_self(L);
  uint64_t worker;
  switch (mpl_tasks_cancel(t, (uint64_t)luaL_checkinteger(L, 2), &worker)) {
    case MPL_TASKS_QUEUED: lua_pushliteral(L, "queued"); return 1;
    case MPL_TASKS_RUNNING:
      signal_worker(&t->worker[worker]);
      lua_pushliteral(L, "running");
      lua_pushinteger(L, (lua_Integer)worker + 1);
      return 2;
    default: lua_pushnil(L); return 1;
  }
}

/* ledger:kill(worker): no worker is needed any more: kills this one, with the programs that it has
   started. False if it cannot be told so: it does not serve yet, or the ledger was collected. Also
   after the end of the ledger's manager. */
static int tasks_kill(lua_State *L) {
  const struct mpl_handle *h = mpl_class_self(L, 1);
  struct mpl_tasks *t = h->body;
  if (t == NULL) return lua_pushboolean(L, 0), 1;
  uint64_t worker = check_worker(L, t, 2);
  mpl_store64_rel(&t->ended, 1);
  lua_pushboolean(L, signal_worker(&t->worker[worker]));
  return 1;
}

/* ledger:close(): nothing more is put. */
static int tasks_close(lua_State *L) {
  mpl_tasks_close(mpl_tasks_self(L));
  return 0;
}

/* ledger:queued(): chunks that are queued, in progress, finished and not collected. */
static int tasks_queued(lua_State *L) {
  struct mpl_tasks *t = mpl_tasks_self(L);
  uint64_t finished = mpl_load64_acq(&t->finished.count) + mpl_load64_acq(&t->collected.count);
  lua_pushinteger(L, (lua_Integer)mpl_load64_acq(&t->queued.count));
  lua_pushinteger(L, (lua_Integer)mpl_load64_acq(&t->running));
  lua_pushinteger(L, (lua_Integer)finished);
  return 3;
}

/* ledger:due(many): whether so many chunks are finished, or children of this process have ended, so
   that it is time to collect. */
static int tasks_due(lua_State *L) {
  struct mpl_tasks *t = mpl_tasks_self(L);
  uint64_t n = mpl_load64_acq(&t->finished.count) + mpl_load64_acq(&t->collected.count);
  if (mpl_signal_take(MPL_SIGNAL_CHILD)) mpl_child_reap();
  bool due = n >= (uint64_t)luaL_checkinteger(L, 2) || mpl_child_ends() != mpl_tasks_desk(L)->ends;
  lua_pushboolean(L, due);
  return 1;
}

/*
** Statistics
*/

static void set_integer(lua_State *L, const char *key, uint64_t n) {
  lua_pushinteger(L, (lua_Integer)n);
  lua_setfield(L, -2, key);
}

static void set_seconds(lua_State *L, const char *key, int64_t ns) {
  lua_pushnumber(L, (lua_Number)ns / (lua_Number)MPL_NS_PER_S);
  lua_setfield(L, -2, key);
}

static void push_worker(lua_State *L, const struct mpl_tasks_worker *w) {
  int64_t busy = (int64_t)mpl_load64_rlx(&w->busy);
  int64_t age = mpl_os_now() - (int64_t)mpl_load64_rlx(&w->started);
  uint64_t task = mpl_load64_rlx(&w->task);
  lua_createtable(L, 0, 6);
  set_integer(L, "tasks", mpl_load64_rlx(&w->tasks));
  set_seconds(L, "busy", busy);
  if (mpl_load64_rlx(&w->ident) == 0) return;
  set_integer(L, "pid", mpl_load64_rlx(&w->pid));
  set_seconds(L, "idle", age > busy ? age - busy : 0);
  set_seconds(L, "age", age);
  if (task != 0) set_integer(L, "index", task - 1);
}

static bool push_slowest(lua_State *L, const struct mpl_tasks_time *time) {
  uint64_t took = mpl_load64_rlx(&time->took);
  if (took == 0) return false;
  lua_createtable(L, 0, 3);
  set_seconds(L, "seconds", (int64_t)took);
  set_integer(L, "tag", mpl_load64_rlx(&time->tag));
  set_integer(L, "index", mpl_load64_rlx(&time->index));
  return true;
}

/* ledger:stats(): {workers = {{tasks=, busy=, and if it serves: pid=, idle=, age=, index= (of
   the task it does)}, ...}, slowest = {{seconds=, tag=, index=}, ...}}, five of each worker, in
   no order. Times are in seconds; the one of the task that is done at present counts as idle
   yet. */
static int tasks_stats(lua_State *L) {
  struct mpl_tasks *t = mpl_tasks_self(L);
  lua_Integer n = 0;
  lua_createtable(L, 0, 2);
  lua_createtable(L, (int)t->nworkers, 0);
  lua_newtable(L);
  for (uint64_t i = 0; i < t->nworkers; i++) {
    push_worker(L, &t->worker[i]);
    lua_rawseti(L, -3, (lua_Integer)i + 1);
    for (int k = 0; k < MPL_TASKS_SLOWEST; k++)
      if (push_slowest(L, &t->worker[i].slowest[k])) lua_rawseti(L, -2, ++n);
  }
  lua_setfield(L, -3, "slowest");
  lua_setfield(L, -2, "workers");
  return 1;
}

static int tasks_tostring(lua_State *L) {
  struct mpl_tasks *t = mpl_tasks_self(L);
  lua_pushfstring(L, "<Tasks at %p workers=%I>", (void *)t, (LUAI_UACINT)t->nworkers);
  return 1;
}

static const luaL_Reg methods[] = {{"job", tasks_job},
                                   {"drop_job", tasks_drop_job},
                                   {"put", mpl_tasks_method_put},
                                   {"collect", mpl_tasks_method_collect},
                                   {"serve", mpl_tasks_method_serve},
                                   {"lost", tasks_lost},
                                   {"cancel", tasks_cancel},
                                   {"close", tasks_close},
                                   {"kill", tasks_kill},
                                   {"queued", tasks_queued},
                                   {"due", tasks_due},
                                   {"stats", tasks_stats},
                                   {NULL, NULL}};
static const luaL_Reg metamethods[] = {
    {"__gc", mpl_handle_gc}, {"__tostring", tasks_tostring}, {NULL, NULL}};

static const struct mpl_class tasks_class = {"Tasks", methods, metamethods};

/* Registers the classes and puts the constructor into the module table on top. */
void mpl_tasks_open(lua_State *L) {
  mpl_tasks_register();
  mpl_class_register(L, &desk_class);
  mpl_handle_class(L, MPL_TYPE_TASKS, &tasks_class);
  lua_pushcfunction(L, tasks_new);
  lua_setfield(L, -2, "Tasks");
}
