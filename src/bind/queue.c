/*
** process.Queue, and JoinableQueue, which is a Queue with two methods more
**
** Values are encoded before the queue's lock is taken and decoded after it was released. Small ones
** pass through a buffer on the C stack; large ones, and those with references, are messages in
** shared memory, which the sender fills before and the receiver reads after. In a queue that keeps
** account of its items (ds/queue_taken.h) all are.
*/
#include "bind/queue.h"

#include <string.h>

#include "bind/args.h"
#include "bind/blocking.h"
#include "bind/handle.h"
#include "bind/interrupt.h"
#include "bind/module.h"
#include "ds/queue_taken.h"
#include "shm/message.h"
#include "shm/super.h"

static const struct mpl_class queue_class, joinable_class;

/* In a method of any of the classes: the handle at 1. */
static struct mpl_handle *handle(lua_State *L) {
  struct mpl_handle *h = lua_touserdata(L, 1);
  if (h == NULL || lua_rawlen(L, 1) != sizeof *h ||
      (h->class != &queue_class && h->class != &joinable_class &&
       h->class != &mpl_queue_simple_class))
    mpl_class_wrong_self(L, 1);
  mpl_handle_use(L, h);
  return h;
}

/* In a method: the queue at 1; raises if this process has closed it. */
struct mpl_queue *mpl_queue_self(lua_State *L) {
  struct mpl_handle *h = handle(L);
  if (h->closed)
    mpl_args_refuse(L, h->class->name, "the queue is closed (this process called its close)");
  return h->body;
}

/* What the option `lost` of the table at 1 makes of a kind of queue. */
static uint64_t lost(lua_State *L, uint64_t kind) {
  if (!lua_istable(L, 1) || lua_getfield(L, 1, "lost") == LUA_TNIL) return kind;
  const char *word = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
  if (strcmp(word, "requeue") == 0) return kind | MPL_QUEUE_REQUEUE;
  luaL_argcheck(L, strcmp(word, "drop") == 0, 1, "field 'lost' must be 'requeue' or 'drop'");
  return kind & ~(uint64_t)MPL_QUEUE_REQUEUE;
}

/* Makes an empty queue of a class, whose arguments are [maxsize | {maxsize=, name=, lost=}]; no
   limit if maxsize is missing, nil, 0 or less. */
static int new(lua_State *L, enum mpl_object_type type, uint64_t kind) {
  static const char *const known[] = {"maxsize", "name", "lost", NULL};
  lua_Integer maxsize = 0;
  mpl_args_end(L, 1);
  if (lua_type(L, 1) != LUA_TTABLE) {
    maxsize = luaL_optinteger(L, 1, 0);
  } else if (mpl_args_options(L, 1, known) && lua_getfield(L, 1, "maxsize") != LUA_TNIL) {
    luaL_argcheck(L, lua_isinteger(L, -1), 1, "field 'maxsize' must be an integer");
    maxsize = lua_tointeger(L, -1);
  }
  kind = lost(L, kind);
  struct mpl_handle *h = mpl_handle_new(L, type);
  uint64_t id;
  enum mpl_status s = mpl_queue_new_as(type, maxsize > 0 ? (uint64_t)maxsize : 0, kind, &id);
  if (s != MPL_OK) return mpl_args_raise(L, s);
  mpl_handle_own(L, h, type, id);
  mpl_handle_label(L, id, 1);
  return 1;
}

/* Queue([maxsize | {maxsize=, name=, lost=}]): what dies with its taker is lost, unless `lost` is
   "requeue". */
static int queue_new(lua_State *L) {
  return new(L, MPL_TYPE_QUEUE, 0);
}

/* JoinableQueue([maxsize | {maxsize=, name=, lost=}]): it is got again, unless `lost` is "drop". */
static int joinable_new(lua_State *L) {
  return new(L, MPL_TYPE_JOINABLE_QUEUE, MPL_QUEUE_JOINABLE | MPL_QUEUE_REQUEUE);
}

/*
** Putting
*/

/* Two results: nil and a word. */
int mpl_queue_refused(lua_State *L, const char *word) {
  lua_pushnil(L);
  lua_pushstring(L, word);
  return 2;
}

/* An item in pieces may wait for room while Lua runs; then none of its pieces may be a string of
   Lua's. */
_Static_assert(MPL_QUEUE_INLINE < MPL_CODEC_INPLACE, "a waiting item must be a copy");

/* Encodes the value at idx into an item for q; `out` must be released when the item has been put or
   dropped. Raises if it cannot be sent or there is no memory. */
static void make_item(lua_State *L, int idx, const struct mpl_queue *q, struct mpl_codec_out *out,
                      struct mpl_queue_item *item) {
  mpl_codec_encode(L, idx, out);
  *item = (struct mpl_queue_item){
      .pieces = out->pieces, .npieces = out->npieces, .size = out->size};
  if (out->size <= MPL_QUEUE_INLINE && out->nrefs == 0 && q->kind == 0) return;
  enum mpl_status s = mpl_content_message(out->pieces, out->npieces, out->size, out->refs,
                                          out->nrefs, &item->message);
  mpl_codec_release(out);
  if (s != MPL_OK) mpl_args_raise(L, s);
}

struct put {
  struct mpl_blocking op;
  struct mpl_queue *q;
  struct mpl_queue_item item;
  struct mpl_codec_out out;
};

static void put_give_up(struct mpl_blocking *op) {
  struct put *p = (struct put *)op;
  mpl_queue_pass_on(p->q, false);
  if (p->item.message != 0) mpl_content_drop(p->item.message);
  mpl_codec_release(&p->out);
}

static int full(lua_State *L, struct mpl_blocking *op) {
  (void)op;
  return mpl_queue_refused(L, "full");
}

static int put_attempt(lua_State *L, struct mpl_blocking *op) {
  struct put *p = (struct put *)op;
  int done;
  enum mpl_status s = mpl_queue_put(p->q, &p->item, 1, &done, &op->wait, op->deadline);
  if (s != MPL_BLOCK && s != MPL_SIGNAL) mpl_wait_done(&op->wait);
  switch (s) {
    case MPL_OK:
      mpl_codec_release(&p->out);
      lua_pushboolean(L, 1);
      return 1;
    case MPL_BLOCK:
    case MPL_SIGNAL: return MPL_BLOCKING_AGAIN;
    case MPL_TIMEOUT: put_give_up(op); return full(L, op);
    case MPL_CLOSED: put_give_up(op); return mpl_queue_refused(L, "closed");
    default: put_give_up(op); return mpl_args_raise(L, s);
  }
}

/* Puts the value at 2: true; nil, "full"; nil, "closed". */
int mpl_queue_put_value(lua_State *L, struct mpl_queue *q, int64_t deadline) {
  struct put p;
  p.op = (struct mpl_blocking){.attempt = put_attempt,
                               .give_up = put_give_up,
                               .timed_out = full,
                               .deadline = deadline};
  p.q = q;
  make_item(L, 2, q, &p.out, &p.item);
  return mpl_blocking_run(L, &p.op);
}

/* q:put(v[, block[, timeout]]): true; nil, "full"; nil, "closed". */
static int queue_put(lua_State *L) {
  struct mpl_queue *q = mpl_queue_self(L);
  luaL_checkany(L, 2);
  mpl_args_end(L, 4);
  return mpl_queue_put_value(L, q, mpl_args_block(L, 3));
}

/* q:put_nowait(v): true; nil, "full"; nil, "closed". */
static int queue_put_nowait(lua_State *L) {
  struct mpl_queue *q = mpl_queue_self(L);
  luaL_checkany(L, 2);
  mpl_args_end(L, 2);
  return mpl_queue_put_value(L, q, 0);
}

/*
** Getting
*/

/* Argument: a batch, as light userdata. Decodes its first item. */
static int decode_protected(lua_State *L) {
  const struct mpl_queue_batch *batch = lua_touserdata(L, 1);
  const struct mpl_queue_got *item = &batch->item[0];
  if (item->message != 0)
    mpl_content_decode(L, item->message);
  else
    mpl_codec_decode(L, batch->bytes + item->at, item->size, NULL, 0);
  return 1;
}

/* The value of a message that was got is there. */
void mpl_queue_decoded(struct mpl_queue *q, mpl_off message) {
  if (q->kind != 0)
    mpl_queue_taken_decoded(message);
  else
    mpl_content_drop(message);
}

/* There will never be one: the item is lost. */
void mpl_queue_undecodable(struct mpl_queue *q, mpl_off message) {
  if (q->kind != 0)
    mpl_queue_taken_discard(q, message);
  else
    mpl_content_drop(message);
}

/* Gives an item that was got back to the queue. It is lost if there is no shared memory for it. */
void mpl_queue_give_back(struct mpl_queue *q, const struct mpl_queue_batch *batch, int i) {
  const struct mpl_queue_got *item = &batch->item[i];
  struct mpl_piece piece = {batch->bytes + item->at, item->size};
  mpl_off message = item->message;
  if (q->kind != 0) {
    mpl_queue_taken_return(q, message);
    return;
  }
  if (message == 0 && mpl_content_message(&piece, 1, piece.size, NULL, 0, &message) != MPL_OK)
    return;
  if (mpl_queue_unget(q, message) != MPL_OK) mpl_content_drop(message);
}

/* Whether decoding, which ended with this status, failed for something that is not the item's
   fault: want of memory, or an interrupt. */
bool mpl_queue_fault_is_ours(lua_State *L, int status) {
  return mpl_args_lacked_memory(L, status) || (status != LUA_OK && mpl_interrupt_is(L, -1));
}

/* Pushes the value of the first item; behind it, if it was got before by processes that died, nil
   and how often it was got. Returns how many that are. If the value does not fit into memory, or an
   interrupt strikes meanwhile, the item goes back to the queue. */
static int push_item(lua_State *L, struct mpl_queue *q, struct mpl_queue_batch *batch) {
  const struct mpl_queue_got *item = &batch->item[0];
  if (item->message == 0 && mpl_codec_is_plain(batch->bytes + item->at)) {
    mpl_codec_decode(L, batch->bytes + item->at, item->size, NULL, 0);
    return 1;
  }
  uint64_t attempt = q->kind != 0 ? mpl_queue_taken_attempt(item->message) : 1;
  lua_pushcfunction(L, decode_protected);
  lua_pushlightuserdata(L, batch);
  int status = lua_pcall(L, 1, 1, 0);
  if (mpl_queue_fault_is_ours(L, status))
    mpl_queue_give_back(q, batch, 0);
  else if (item->message != 0 && status != LUA_OK)
    mpl_queue_undecodable(q, item->message);
  else if (item->message != 0)
    mpl_queue_decoded(q, item->message);
  if (status != LUA_OK) lua_error(L);
  if (attempt == 1) return 1;
  lua_pushnil(L);
  lua_pushinteger(L, (lua_Integer)attempt);
  return 3;
}

struct get {
  struct mpl_blocking op;
  struct mpl_queue *q;
};

static void get_give_up(struct mpl_blocking *op) {
  mpl_queue_pass_on(((struct get *)op)->q, true);
}

static int empty(lua_State *L, struct mpl_blocking *op) {
  (void)op;
  return mpl_queue_refused(L, "empty");
}

static int get_attempt(lua_State *L, struct mpl_blocking *op) {
  struct get *g = (struct get *)op;
  unsigned char bytes[MPL_QUEUE_INLINE];
  struct mpl_queue_batch batch;
  batch.bytes = bytes;
  batch.capacity = sizeof bytes;
  enum mpl_status s = mpl_queue_get(g->q, 1, &batch, &op->wait, op->deadline);
  if (s != MPL_BLOCK && s != MPL_SIGNAL) mpl_wait_done(&op->wait);
  switch (s) {
    case MPL_OK: return push_item(L, g->q, &batch);
    case MPL_BLOCK:
    case MPL_SIGNAL: return MPL_BLOCKING_AGAIN;
    case MPL_TIMEOUT: get_give_up(op); return empty(L, op);
    case MPL_CLOSED: return mpl_queue_refused(L, "closed");
    default: return mpl_args_raise(L, s);
  }
}

/* Gets an item: its value, and behind it nil and a number if it is not its first time; nil,
   "empty"; nil, "closed". */
int mpl_queue_get_value(lua_State *L, struct mpl_queue *q, int64_t deadline) {
  struct get g = {.op = {.attempt = get_attempt,
                         .does_chores = true,
                         .give_up = get_give_up,
                         .timed_out = empty,
                         .deadline = deadline},
                  .q = q};
  if (q->kind != 0) mpl_queue_taken_next(q);
  return mpl_blocking_run(L, &g.op);
}

/* q:get([block[, timeout]]): the value, exactly one result (but value, nil, attempt if processes
   that died had got it before); nil, "empty"; nil, "closed". */
static int queue_get(lua_State *L) {
  struct mpl_queue *q = mpl_queue_self(L);
  mpl_args_end(L, 3);
  return mpl_queue_get_value(L, q, mpl_args_block(L, 2));
}

/* q:get_nowait(): as q:get(false). */
static int queue_get_nowait(lua_State *L) {
  struct mpl_queue *q = mpl_queue_self(L);
  mpl_args_end(L, 1);
  return mpl_queue_get_value(L, q, 0);
}

/* The iterator of items: what get gives, nothing once the queue was shut down and is empty. */
static int next_item(lua_State *L) {
  lua_settop(L, 0);
  lua_pushvalue(L, lua_upvalueindex(2));
  int n = mpl_queue_get_value(L, mpl_queue_self(L), MPL_NEVER);
  return n == 2 ? 0 : n;
}

/* q:items(): for v in q:items() do … end, until the queue is closed. A value nil ends the loop,
   too. */
static int queue_items(lua_State *L) {
  mpl_queue_self(L);
  mpl_args_end(L, 1);
  lua_pushvalue(L, lua_upvalueindex(1)); /* the class, for `self` in next_item */
  lua_pushvalue(L, 1);
  lua_pushcclosure(L, next_item, 2);
  return 1;
}

/*
** The rest
*/

/* The size of the queue at 1, what comes back from dead processes counted. */
static uint64_t size(lua_State *L) {
  struct mpl_queue *q = mpl_queue_self(L);
  if (q->kind != 0) mpl_queue_taken_refresh(q);
  return mpl_queue_size(q);
}

/* q:qsize(): the number of items, stale as soon as it is known. */
static int queue_qsize(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)size(L));
  return 1;
}

/* q:empty() */
int mpl_queue_empty(lua_State *L) {
  lua_pushboolean(L, size(L) == 0);
  return 1;
}

/* q:full(): false for a queue without limit. */
static int queue_full(lua_State *L) {
  struct mpl_queue *q = mpl_queue_self(L);
  lua_pushboolean(L, q->maxsize != 0 && size(L) >= q->maxsize);
  return 1;
}

/* q:shutdown([immediate]): for every process, puts fail with "closed" from now on, and gets when
   the queue is empty; `immediate` drops what is in it. */
static int queue_shutdown(lua_State *L) {
  struct mpl_queue *q = mpl_queue_self(L);
  mpl_args_end(L, 2);
  if (!lua_isnoneornil(L, 2)) luaL_checktype(L, 2, LUA_TBOOLEAN);
  enum mpl_status s;
  while ((s = mpl_queue_shutdown(q, lua_toboolean(L, 2))) == MPL_SIGNAL)
    mpl_interrupt_attend(L, NULL, NULL);
  return s == MPL_OK ? 0 : mpl_args_raise(L, s);
}

/* q:close(): this process is done with the queue; its use of it is an error from now on. */
int mpl_queue_close(lua_State *L) {
  handle(L)->closed = true;
  return 0;
}

/* q:join_thread(), q:cancel_join_thread(): nothing. There is no feeder thread: an item is in shared
   memory when put returns. */
static int queue_nothing(lua_State *L) {
  handle(L);
  return 0;
}

int mpl_queue_tostring(lua_State *L) {
  struct mpl_handle *h = handle(L);
  struct mpl_queue *q = h->body;
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  lua_pushfstring(L, "<%s at %p size=%I", h->class->name, (void *)q,
                  (LUAI_UACINT)mpl_queue_size(q));
  luaL_addvalue(&b);
  if (q->maxsize != 0) {
    lua_pushfstring(L, " maxsize=%I", (LUAI_UACINT)q->maxsize);
    luaL_addvalue(&b);
  }
  if (h->class == &joinable_class) {
    uint64_t finished = mpl_load64_acq(&q->finished); /* first: the difference is not negative */
    lua_pushfstring(L, " unfinished=%I", (LUAI_UACINT)(mpl_load64_acq(&q->put) - finished));
    luaL_addvalue(&b);
  }
  luaL_addstring(&b, mpl_load64_acq(&q->state) != MPL_QUEUE_OPEN ? " shut down>" : ">");
  luaL_pushresult(&b);
  return 1;
}

/* Of Queue, and of JoinableQueue, which has one more. */
#define METHODS \
  {"put", queue_put}, {"put_nowait", queue_put_nowait}, {"put_many", mpl_queue_put_many}, \
  {"get", queue_get}, {"get_nowait", queue_get_nowait}, {"get_many", mpl_queue_get_many}, \
  {"items", queue_items}, {"task_done", mpl_queue_done}, \
  {"qsize", queue_qsize}, {"empty", mpl_queue_empty}, {"full", queue_full}, \
  {"shutdown", queue_shutdown}, {"close", mpl_queue_close}, \
  {"join_thread", queue_nothing}, {"cancel_join_thread", queue_nothing}

static const luaL_Reg queue_methods[] = {METHODS, {NULL, NULL}};
static const luaL_Reg joinable_methods[] = {METHODS, {"join", mpl_queue_join}, {NULL, NULL}};
static const luaL_Reg metamethods[] = {
    {"__gc", mpl_handle_gc}, {"__tostring", mpl_queue_tostring}, {NULL, NULL}};

static const struct mpl_class queue_class = {"Queue", queue_methods, metamethods};
static const struct mpl_class joinable_class = {"JoinableQueue", joinable_methods, metamethods};

/* Registers the classes and puts their constructors into the module table on top. */
void mpl_queue_open(lua_State *L) {
  mpl_queue_register();
  mpl_handle_class(L, MPL_TYPE_QUEUE, &queue_class);
  mpl_handle_class(L, MPL_TYPE_JOINABLE_QUEUE, &joinable_class);
  lua_pushcfunction(L, queue_new);
  lua_setfield(L, -2, "Queue");
  lua_pushcfunction(L, joinable_new);
  lua_setfield(L, -2, "JoinableQueue");
}
