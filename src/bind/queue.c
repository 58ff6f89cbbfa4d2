/*
** process.Queue
**
** Values are encoded before the queue's lock is taken and decoded after it was released. Small ones
** pass through a buffer on the C stack; large ones, and those with references, are messages in shared
** memory, which the sender fills before and the receiver reads after.
*/
#include "bind/queue.h"

#include <string.h>

#include "bind/args.h"
#include "bind/blocking.h"
#include "bind/codec.h"
#include "bind/handle.h"
#include "bind/interrupt.h"
#include "bind/module.h"
#include "shm/message.h"
#include "shm/super.h"

static const struct mpl_class queue_class;

/* In a method: the queue at 1; raises if this process has closed it. */
struct mpl_queue *mpl_queue_self(lua_State *L) {
  struct mpl_queue *q = mpl_handle_body(L, &queue_class);
  if (((struct mpl_handle *)lua_touserdata(L, 1))->closed) {
    lua_Debug d = {.name = NULL};
    if (lua_getstack(L, 0, &d)) lua_getinfo(L, "n", &d);
    luaL_error(L, "%s: the queue is closed (this process called its close)",
               d.name != NULL ? d.name : "Queue");
  }
  return q;
}

/* Queue([maxsize | {maxsize=, name=}]): an empty queue; no limit if maxsize is missing, nil, 0 or less. */
static int queue_new(lua_State *L) {
  static const char *const known[] = {"maxsize", "name", NULL};
  lua_Integer maxsize = 0;
  mpl_args_end(L, 1);
  if (lua_type(L, 1) != LUA_TTABLE) {
    maxsize = luaL_optinteger(L, 1, 0);
  } else if (mpl_args_options(L, 1, known) && lua_getfield(L, 1, "maxsize") != LUA_TNIL) {
    luaL_argcheck(L, lua_isinteger(L, -1), 1, "field 'maxsize' must be an integer");
    maxsize = lua_tointeger(L, -1);
  }
  struct mpl_handle *h = mpl_handle_new(L, MPL_TYPE_QUEUE);
  uint64_t id;
  enum mpl_status s = mpl_queue_new(maxsize > 0 ? (uint64_t)maxsize : 0, &id);
  if (s != MPL_OK) return mpl_args_raise(L, s);
  mpl_handle_own(L, h, MPL_TYPE_QUEUE, id);
  mpl_handle_label(L, id, 1);
  return 1;
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

/* Drops a message out of the hand. */
void mpl_queue_drop(mpl_off message) {
  mpl_message_drop(mpl_self, message);
  mpl_object_bury();
}

/* Makes a message of bytes in pieces and references, in the hand. MPL_OK, MPL_NOMEM or MPL_DAMAGED. */
enum mpl_status mpl_queue_message(const struct mpl_piece *pieces, size_t npieces, size_t size,
                                  const uint64_t *refs, size_t nrefs, mpl_off *message) {
  enum mpl_status s = mpl_message_new(size, nrefs, message);
  if (s != MPL_OK) return s;
  unsigned char *to = mpl_message_data(*message);
  for (size_t i = 0; i < npieces; i++) {
    memcpy(to, pieces[i].data, pieces[i].size);
    to += pieces[i].size;
  }
  for (size_t i = 0; s == MPL_OK && i < nrefs; i++) s = mpl_message_add_ref(*message, refs[i]);
  if (s != MPL_OK) mpl_queue_drop(*message);
  return s;
}

/* An item in pieces may wait for room while Lua runs; then none of its pieces may be a string of Lua's. */
_Static_assert(MPL_QUEUE_INLINE < MPL_CODEC_INPLACE, "a waiting item must be a copy");

/* Encodes the value at idx into an item; `out` must be released when the item has been put or
   dropped. Raises if it cannot be sent or there is no memory. */
static void make_item(lua_State *L, int idx, struct mpl_codec_out *out,
                      struct mpl_queue_item *item) {
  mpl_codec_encode(L, idx, out);
  *item = (struct mpl_queue_item){
      .pieces = out->pieces, .npieces = out->npieces, .size = out->size};
  if (out->size <= MPL_QUEUE_INLINE && out->nrefs == 0) return;
  enum mpl_status s = mpl_queue_message(out->pieces, out->npieces, out->size, out->refs, out->nrefs,
                                        &item->message);
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
  if (p->item.message != 0) mpl_queue_drop(p->item.message);
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

static int put(lua_State *L, struct mpl_queue *q, int64_t deadline) {
  struct put p;
  p.op = (struct mpl_blocking){.attempt = put_attempt,
                               .give_up = put_give_up,
                               .timed_out = full,
                               .deadline = deadline};
  p.q = q;
  make_item(L, 2, &p.out, &p.item);
  return mpl_blocking_run(L, &p.op);
}

/* q:put(v[, block[, timeout]]): true; nil, "full"; nil, "closed". */
static int queue_put(lua_State *L) {
  struct mpl_queue *q = mpl_queue_self(L);
  luaL_checkany(L, 2);
  mpl_args_end(L, 4);
  return put(L, q, mpl_args_block(L, 3));
}

/* q:put_nowait(v): true; nil, "full"; nil, "closed". */
static int queue_put_nowait(lua_State *L) {
  struct mpl_queue *q = mpl_queue_self(L);
  luaL_checkany(L, 2);
  mpl_args_end(L, 2);
  return put(L, q, 0);
}

/*
** Getting
*/

/* Pushes the value of a message, which stays in the hand. */
void mpl_queue_decode(lua_State *L, mpl_off message) {
  struct mpl_message *m = mpl_message_at(message);
  mpl_codec_decode(L, mpl_message_data(message), m->size, (const uint64_t *)m->ref,
                   mpl_load64_rlx(&m->nrefs));
}

/* Argument: a batch, as light userdata. Decodes its first item. */
static int decode_protected(lua_State *L) {
  const struct mpl_queue_batch *batch = lua_touserdata(L, 1);
  const struct mpl_queue_got *item = &batch->item[0];
  if (item->message != 0)
    mpl_queue_decode(L, item->message);
  else
    mpl_codec_decode(L, batch->bytes + item->at, item->size, NULL, 0);
  return 1;
}

/* Gives an item that was got back to the queue. It is lost if there is no shared memory for it. */
void mpl_queue_give_back(struct mpl_queue *q, const struct mpl_queue_batch *batch, int i) {
  const struct mpl_queue_got *item = &batch->item[i];
  struct mpl_piece piece = {batch->bytes + item->at, item->size};
  mpl_off message = item->message;
  if (message == 0 && mpl_queue_message(&piece, 1, piece.size, NULL, 0, &message) != MPL_OK) return;
  if (mpl_queue_unget(q, message) != MPL_OK) mpl_queue_drop(message);
}

/* Pushes the value of the first item; a message is dropped then. If the value does not fit into memory
   the item goes back to the queue. */
static void push_item(lua_State *L, struct mpl_queue *q, struct mpl_queue_batch *batch) {
  const struct mpl_queue_got *item = &batch->item[0];
  if (item->message == 0 && mpl_codec_is_plain(batch->bytes + item->at)) {
    mpl_codec_decode(L, batch->bytes + item->at, item->size, NULL, 0);
    return;
  }
  lua_pushcfunction(L, decode_protected);
  lua_pushlightuserdata(L, batch);
  int status = lua_pcall(L, 1, 1, 0);
  if (mpl_args_lacked_memory(L, status))
    mpl_queue_give_back(q, batch, 0);
  else if (item->message != 0)
    mpl_queue_drop(item->message);
  if (status != LUA_OK) lua_error(L);
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
    case MPL_OK: push_item(L, g->q, &batch); return 1;
    case MPL_BLOCK:
    case MPL_SIGNAL: return MPL_BLOCKING_AGAIN;
    case MPL_TIMEOUT: return empty(L, op);
    case MPL_CLOSED: return mpl_queue_refused(L, "closed");
    default: return mpl_args_raise(L, s);
  }
}

static int get(lua_State *L, struct mpl_queue *q, int64_t deadline) {
  struct get g = {.op = {.attempt = get_attempt,
                         .give_up = get_give_up,
                         .timed_out = empty,
                         .deadline = deadline},
                  .q = q};
  return mpl_blocking_run(L, &g.op);
}

/* q:get([block[, timeout]]): the value, exactly one result; nil, "empty"; nil, "closed". */
static int queue_get(lua_State *L) {
  struct mpl_queue *q = mpl_queue_self(L);
  mpl_args_end(L, 3);
  return get(L, q, mpl_args_block(L, 2));
}

/* q:get_nowait(): as q:get(false). */
static int queue_get_nowait(lua_State *L) {
  struct mpl_queue *q = mpl_queue_self(L);
  mpl_args_end(L, 1);
  return get(L, q, 0);
}

/* The iterator of items: the next value, nothing once the queue was shut down and is empty. */
static int next_item(lua_State *L) {
  lua_settop(L, 0);
  lua_pushvalue(L, lua_upvalueindex(2));
  int n = get(L, mpl_queue_self(L), MPL_NEVER);
  return n == 1 ? 1 : 0;
}

/* q:items(): for v in q:items() do … end, until the queue is closed. A value nil ends the loop, too. */
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

/* q:qsize(): the number of items, stale as soon as it is known. */
static int queue_qsize(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)mpl_queue_size(mpl_queue_self(L)));
  return 1;
}

/* q:empty() */
static int queue_empty(lua_State *L) {
  lua_pushboolean(L, mpl_queue_size(mpl_queue_self(L)) == 0);
  return 1;
}

/* q:full(): false for a queue without limit. */
static int queue_full(lua_State *L) {
  struct mpl_queue *q = mpl_queue_self(L);
  lua_pushboolean(L, q->maxsize != 0 && mpl_queue_size(q) >= q->maxsize);
  return 1;
}

/* q:shutdown([immediate]): for every process, puts fail with "closed" from now on, and gets when the
   queue is empty; `immediate` drops what is in it. */
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
static int queue_close(lua_State *L) {
  struct mpl_handle *h = mpl_handle_self(L, &queue_class);
  h->closed = true;
  return 0;
}

/* q:join_thread(), q:cancel_join_thread(): nothing. There is no feeder thread: an item is in shared
   memory when put returns. */
static int queue_nothing(lua_State *L) {
  mpl_handle_self(L, &queue_class);
  return 0;
}

static int queue_tostring(lua_State *L) {
  struct mpl_queue *q = mpl_handle_body(L, &queue_class);
  const char *state = mpl_load64_acq(&q->state) != MPL_QUEUE_OPEN ? " shut down" : "";
  if (q->maxsize == 0)
    lua_pushfstring(L, "<Queue at %p size=%I%s>", (void *)q, (LUAI_UACINT)mpl_queue_size(q), state);
  else
    lua_pushfstring(L, "<Queue at %p size=%I maxsize=%I%s>", (void *)q,
                    (LUAI_UACINT)mpl_queue_size(q), (LUAI_UACINT)q->maxsize, state);
  return 1;
}

static const luaL_Reg methods[] = {{"put", queue_put},
                                   {"put_nowait", queue_put_nowait},
                                   {"put_many", mpl_queue_put_many},
                                   {"get", queue_get},
                                   {"get_nowait", queue_get_nowait},
                                   {"get_many", mpl_queue_get_many},
                                   {"items", queue_items},
                                   {"qsize", queue_qsize},
                                   {"empty", queue_empty},
                                   {"full", queue_full},
                                   {"shutdown", queue_shutdown},
                                   {"close", queue_close},
                                   {"join_thread", queue_nothing},
                                   {"cancel_join_thread", queue_nothing},
                                   {NULL, NULL}};
static const luaL_Reg metamethods[] = {
    {"__gc", mpl_handle_gc}, {"__tostring", queue_tostring}, {NULL, NULL}};

static const struct mpl_class queue_class = {"Queue", methods, metamethods};

/* Registers the class and puts its constructor into the module table on top. */
void mpl_queue_open(lua_State *L) {
  mpl_queue_register();
  mpl_handle_class(L, MPL_TYPE_QUEUE, &queue_class);
  lua_pushcfunction(L, queue_new);
  lua_setfield(L, -2, "Queue");
}
