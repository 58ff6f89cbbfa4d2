/*
** Queue:put_many and Queue:get_many: many items under one lock and with one wake-up.
**
** put_many encodes all values into private memory before it puts the first, so that a value that
** cannot be sent is an error and nothing has been put.
*/
#include <string.h>

#include "bind/args.h"
#include "bind/blocking.h"
#include "bind/class.h"
#include "bind/interrupt.h"
#include "bind/module.h"
#include "bind/queue.h"
#include "ds/queue_taken.h"
#include "shm/reflist.h"
#include "shm/super.h"

/* Bytes of small items that are taken at once. */
#define BATCH_BYTES (8 * MPL_QUEUE_INLINE)

/*
** Putting
*/

/* One encoded value: where its bytes and references stand in `bytes` and `refs`. */
struct encoded {
  size_t at, size;
  size_t refs_at, nrefs;
};

/* All values of a list; a userdata, so that nothing is lost if encoding raises. */
struct encodings {
  struct mpl_buf bytes, refs, items;
  lua_Integer n; /* values encoded, or being encoded */
};

static int encodings_gc(lua_State *L) {
  struct encodings *e = lua_touserdata(L, 1);
  const uint64_t *refs = (const uint64_t *)(const void *)e->refs.data;
  for (size_t i = 0; i < e->refs.size / sizeof *refs; i++) mpl_reflist_release(refs[i]);
  e->refs.size = 0;
  mpl_buf_free(&e->bytes);
  mpl_buf_free(&e->refs);
  mpl_buf_free(&e->items);
  return 0;
}

static const luaL_Reg no_methods[] = {{NULL, NULL}};
static const luaL_Reg metamethods[] = {{"__gc", encodings_gc}, {NULL, NULL}};
static const struct mpl_class encodings_class = {"Encodings", no_methods, metamethods};

static struct encodings *encodings_new(lua_State *L) {
  struct encodings *e = mpl_class_new(L, &encodings_class, sizeof *e, 0);
  mpl_buf_init(&e->bytes, NULL, 0);
  mpl_buf_init(&e->refs, NULL, 0);
  mpl_buf_init(&e->items, NULL, 0);
  return e;
}

/* Encodes the value on top of the stack and pops it. */
static void encode_one(lua_State *L, struct encodings *e) {
  struct mpl_codec_out out;
  mpl_codec_encode(L, -1, &out);
  struct encoded item = {.at = e->bytes.size,
                         .size = out.size,
                         .refs_at = e->refs.size / sizeof *out.refs,
                         .nrefs = out.nrefs};
  bool ok = mpl_buf_append(&e->refs, out.refs, out.nrefs * sizeof *out.refs);
  /* The values may be gone before they are put; the process has a reference to each, so this cannot
     fail. */
  for (size_t i = 0; ok && i < out.nrefs; i++) mpl_object_retain(out.refs[i]);
  ok = ok && mpl_buf_append(&e->items, &item, sizeof item);
  for (size_t i = 0; ok && i < out.npieces; i++)
    ok = mpl_buf_append(&e->bytes, out.pieces[i].data, out.pieces[i].size);
  mpl_codec_release(&out);
  if (!ok) mpl_args_raise(L, MPL_NOPRIVATE);
  lua_pop(L, 1);
}

/* Arguments: a list, its length and, as light userdata, encodings to add to. */
static int encode_all(lua_State *L) {
  lua_Integer n = lua_tointeger(L, 2);
  struct encodings *e = lua_touserdata(L, 3);
  while (e->n < n) {
    lua_geti(L, 1, ++e->n);
    encode_one(L, e);
    mpl_interrupt_attend(L, NULL, NULL);
  }
  return 0;
}

/* Encodes the n values of the list at 2. An error names the path from the list on. */
static struct encodings *encode_list(lua_State *L, lua_Integer n) {
  struct encodings *e = encodings_new(L);
  lua_pushcfunction(L, encode_all);
  lua_pushvalue(L, 2);
  lua_pushinteger(L, n);
  lua_pushlightuserdata(L, e);
  if (lua_pcall(L, 3, 0, 0) == LUA_OK) return e;
  static const char root[] = ": at value";
  const char *text = lua_tostring(L, -1), *at = text != NULL ? strstr(text, root) : NULL;
  if (at == NULL) lua_error(L);
  luaL_where(L, 1);
  lua_pushlstring(L, text, (size_t)(at - text) + sizeof root - 1);
  lua_pushfstring(L, "[%I]%s", (LUAI_UACINT)e->n, at + sizeof root - 1);
  lua_concat(L, 3);
  lua_error(L);
  return NULL;
}

struct put_many {
  struct mpl_blocking op;
  struct mpl_queue *q;
  const struct encodings *all;
  size_t next, count; /* the items from `next` on are still to be put */
  int n;              /* items prepared */
  struct mpl_queue_item item[MPL_QUEUE_BATCH];
  struct mpl_piece piece[MPL_QUEUE_BATCH];
};

/* Prepares items from `next` on. Large ones, and those with references, become messages in the
   hand. */
static enum mpl_status prepare(struct put_many *p) {
  const struct encoded *items = (const struct encoded *)(const void *)p->all->items.data;
  const uint64_t *refs = (const uint64_t *)(const void *)p->all->refs.data;
  int messages = 0;
  for (p->n = 0; p->n < MPL_QUEUE_BATCH && p->next + (size_t)p->n < p->count; p->n++) {
    const struct encoded *e = &items[p->next + (size_t)p->n];
    struct mpl_queue_item *item = &p->item[p->n];
    p->piece[p->n] = (struct mpl_piece){p->all->bytes.data + e->at, e->size};
    *item = (struct mpl_queue_item){.pieces = &p->piece[p->n], .npieces = 1, .size = e->size};
    if (e->size <= MPL_QUEUE_INLINE && e->nrefs == 0 && p->q->kind == 0) continue;
    if (messages++ == MPL_QUEUE_MESSAGES) break;
    enum mpl_status s = mpl_content_message(item->pieces, 1, e->size, refs + e->refs_at, e->nrefs,
                                            &item->message);
    if (s != MPL_OK) return s;
  }
  return MPL_OK;
}

/* Drops what was prepared and not put. */
static void drop_prepared(struct put_many *p) {
  for (int i = 0; i < p->n; i++)
    if (p->item[i].message != 0) mpl_content_drop(p->item[i].message);
  p->n = 0;
}

static void put_give_up(struct mpl_blocking *op) {
  struct put_many *p = (struct put_many *)op;
  mpl_queue_pass_on(p->q, false);
  drop_prepared(p);
}

/* nil, the word, and how many items were put all the same. */
static int put_refused(lua_State *L, const struct put_many *p, const char *word) {
  int n = mpl_queue_refused(L, word);
  lua_pushinteger(L, (lua_Integer)p->next);
  return n + 1;
}

static int put_timed_out(lua_State *L, struct mpl_blocking *op) {
  return put_refused(L, (struct put_many *)op, "full");
}

static int put_attempt(lua_State *L, struct mpl_blocking *op) {
  struct put_many *p = (struct put_many *)op;
  while (p->next < p->count) {
    enum mpl_status s = p->n == 0 ? prepare(p) : MPL_OK;
    int done = 0;
    if (s == MPL_OK) s = mpl_queue_put(p->q, p->item, p->n, &done, &op->wait, op->deadline);
    if (s != MPL_BLOCK && s != MPL_SIGNAL) mpl_wait_done(&op->wait);
    p->next += (size_t)done;
    p->n -= done;
    memmove(p->item, p->item + done, (size_t)p->n * sizeof *p->item);
    switch (s) {
      case MPL_OK: break;
      case MPL_BLOCK:
      case MPL_SIGNAL: return MPL_BLOCKING_AGAIN;
      case MPL_TIMEOUT: put_give_up(op); return put_refused(L, p, "full");
      case MPL_CLOSED: put_give_up(op); return put_refused(L, p, "closed");
      default:
        put_give_up(op);
        return luaL_error(L, "%s; the first %d of %d items were put", mpl_args_text(s),
                          (int)p->next, (int)p->count);
    }
  }
  lua_pushboolean(L, 1);
  return 1;
}

/* The length of the list at 2: its field n, else its border. */
static lua_Integer list_length(lua_State *L) {
  if (lua_getfield(L, 2, "n") == LUA_TNIL) lua_pushinteger(L, luaL_len(L, 2));
  luaL_argcheck(L, lua_isinteger(L, -1) && lua_tointeger(L, -1) >= 0 &&
                       lua_tointeger(L, -1) <= INT32_MAX,
                2, "its field n is no length of a list");
  return lua_tointeger(L, -1);
}

/* q:put_many(list[, block[, timeout]]): puts the values of a list (with its field n, nils included)
   in their order. true; or nil, "full" or "closed", and how many were put. */
int mpl_queue_put_many(lua_State *L) {
  struct put_many p;
  p.q = mpl_queue_self(L);
  luaL_checktype(L, 2, LUA_TTABLE);
  mpl_args_end(L, 4);
  int64_t deadline = mpl_args_block(L, 3);
  lua_Integer n = list_length(L);
  struct encodings *all = encode_list(L, n);
  p.op = (struct mpl_blocking){.attempt = put_attempt,
                               .give_up = put_give_up,
                               .timed_out = put_timed_out,
                               .deadline = deadline};
  p.all = all;
  p.next = 0;
  p.count = n > 0 ? (size_t)n : 0;
  p.n = 0;
  return mpl_blocking_run(L, &p.op);
}

/*
** Getting
*/

struct get_many {
  struct mpl_blocking op;
  struct mpl_queue *q;
  lua_Integer max, count;
  int decoded; /* items of the batch that are in the list already */
  struct mpl_queue_batch batch;
  unsigned char bytes[BATCH_BYTES];
};

/* Notes in the list's field `attempts` how often the item about to be appended was got, if it is
   not its first time. */
static void note_attempt(lua_State *L, const struct get_many *g, mpl_off message) {
  uint64_t attempt = g->q->kind != 0 ? mpl_queue_taken_attempt(message) : 1;
  if (attempt == 1) return;
  luaL_getsubtable(L, 1, "attempts");
  lua_pushinteger(L, (lua_Integer)attempt);
  lua_rawseti(L, -2, g->count + 1);
  lua_pop(L, 1);
}

/* Arguments: the list and, as light userdata, the operation. Appends the items of the batch. */
static int decode_batch(lua_State *L) {
  struct get_many *g = lua_touserdata(L, 2);
  while (g->decoded < g->batch.n) {
    const struct mpl_queue_got *item = &g->batch.item[g->decoded];
    if (item->message != 0) {
      mpl_content_decode(L, item->message);
      note_attempt(L, g, item->message);
    } else {
      mpl_codec_decode(L, g->bytes + item->at, item->size, NULL, 0);
    }
    lua_rawseti(L, 1, g->count + 1);
    g->count++;
    g->decoded++;
    if (item->message != 0) mpl_queue_decoded(g->q, item->message);
  }
  return 0;
}

/* Gives the items of the batch from `first` on back to the queue, in their order. */
static void give_back(struct get_many *g, int first) {
  for (int i = g->batch.n - 1; i >= first; i--) mpl_queue_give_back(g->q, &g->batch, i);
}

/* Decodes a batch into the list at `list`. If an item cannot be decoded the rest goes back to the
   queue. What comes before it is enough if there is anything: the item goes back, too, and fails
   when it is got again; else the error is raised, and the item is lost unless it was memory that
   failed, or an interrupt. */
static void take_batch(lua_State *L, struct get_many *g, int list) {
  g->decoded = 0;
  lua_pushcfunction(L, decode_batch);
  lua_pushvalue(L, list);
  lua_pushlightuserdata(L, g);
  int status = lua_pcall(L, 2, 0, 0);
  if (status == LUA_OK) return;
  bool keep = g->count > 0 || mpl_queue_fault_is_ours(L, status);
  mpl_off failed = g->batch.item[g->decoded].message;
  give_back(g, keep ? g->decoded : g->decoded + 1);
  if (!keep && failed != 0) mpl_queue_undecodable(g->q, failed);
  if (g->count == 0) lua_error(L);
  if (mpl_interrupt_is(L, -1)) mpl_interrupt_again(); /* what was got is not lost to it */
  g->max = g->count; /* no more */
  lua_pop(L, 1);
}

static void get_give_up(struct mpl_blocking *op) {
  mpl_queue_pass_on(((struct get_many *)op)->q, true);
}

static int get_timed_out(lua_State *L, struct mpl_blocking *op) {
  (void)op;
  return mpl_queue_refused(L, "empty");
}

/* Sets the field n of the list on top. The first time makes room for it, so that nothing can fail
   once there are items in the list. */
static void set_length(lua_State *L, lua_Integer n) {
  lua_pushinteger(L, n);
  lua_setfield(L, -2, "n");
}

static int get_attempt(lua_State *L, struct mpl_blocking *op) {
  struct get_many *g = (struct get_many *)op;
  int list = lua_gettop(L);
  while (g->count < g->max) {
    lua_Integer want = g->max - g->count;
    int max = want < MPL_QUEUE_BATCH ? (int)want : MPL_QUEUE_BATCH;
    enum mpl_status s = mpl_queue_get(g->q, max, &g->batch, &op->wait, op->deadline);
    if (s != MPL_BLOCK && s != MPL_SIGNAL) mpl_wait_done(&op->wait);
    if (s == MPL_OK) {
      take_batch(L, g, list);
      continue;
    }
    if (g->count > 0) break; /* what there is is enough */
    switch (s) {
      case MPL_BLOCK:
      case MPL_SIGNAL: return MPL_BLOCKING_AGAIN;
      case MPL_TIMEOUT: get_give_up(op); return mpl_queue_refused(L, "empty");
      case MPL_CLOSED: return mpl_queue_refused(L, "closed");
      default: return mpl_args_raise(L, s);
    }
  }
  lua_pushvalue(L, list);
  set_length(L, g->count);
  return 1;
}

/* q:get_many(max[, block[, timeout]]): waits for one item and takes as many as there are, up to
   max: a list, with its length as the field n and, if processes that died had got some of them
   before, a table `attempts` of their positions; nil, "empty"; nil, "closed". */
int mpl_queue_get_many(lua_State *L) {
  struct get_many g;
  g.q = mpl_queue_self(L);
  g.max = luaL_checkinteger(L, 2);
  luaL_argcheck(L, g.max >= 1, 2, "at least one item must be wanted");
  mpl_args_end(L, 4);
  g.op = (struct mpl_blocking){.attempt = get_attempt,
                               .does_chores = true,
                               .give_up = get_give_up,
                               .timed_out = get_timed_out,
                               .deadline = mpl_args_block(L, 3)};
  g.count = 0;
  g.batch.bytes = g.bytes;
  g.batch.capacity = sizeof g.bytes;
  lua_newtable(L);
  set_length(L, 0);
  mpl_queue_taken_next(g.q);
  return mpl_blocking_run(L, &g.op);
}

/* Registers what put_many needs. */
void mpl_queue_many_open(lua_State *L) {
  mpl_class_register(L, &encodings_class);
}
