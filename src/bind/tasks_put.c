/*
** Tasks:put: makes a chunk of the elements of a list.
**
** All are encoded into private memory before the chunk is made, so that one that cannot be sent is
** an error and nothing has been put. A large one is a chunk of its own and goes into shared memory
** at once.
*/
#include <limits.h>
#include <string.h>

#include "bind/args.h"
#include "bind/codec.h"
#include "bind/content.h"
#include "bind/interrupt.h"
#include "bind/tasks.h"
#include "shm/heap.h"
#include "shm/slot.h"

/* A chunk of several tasks has at most so many bytes of arguments. */
#define CHUNK_MOST ((size_t)256 << 10)

/* An element of so many bytes is not copied into a chunk of several. */
#define LARGE ((size_t)32 << 10)

enum { JOB = 2, TAG, KIND, LIST, FIRST, LAST, TIMEOUT, RETRIES };

struct put {
  struct mpl_tasks *t;
  struct mpl_tasks_desk *desk;
  size_t bytes_at, refs_at; /* where its own begin on the desk */
  struct mpl_chunk like;
  uint64_t job;         /* its number */
  lua_Integer at, last; /* index of the element that is encoded, and of the last one */
  mpl_off chunk;        /* in the hand; 0: not made yet */
};

/* Encoded arguments: a head, if there is one, then pieces. */
struct content {
  const struct mpl_chunk_arg *head;
  const struct mpl_piece *pieces;
  size_t npieces, size;
  const uint64_t *refs;
  size_t nrefs;
};

static void write_content(unsigned char *to, const struct content *content) {
  if (content->head != NULL) {
    memcpy(to, content->head, sizeof *content->head);
    to += sizeof *content->head;
  }
  for (size_t i = 0; i < content->npieces; i++) {
    memcpy(to, content->pieces[i].data, content->pieces[i].size);
    to += content->pieces[i].size;
  }
}

/* Makes the message of arguments that refer to shared objects, in the hand. */
static enum mpl_status make_args(struct put *p, const struct content *content) {
  mpl_off args;
  enum mpl_status s = mpl_message_new(p->like.args_size, content->nrefs, &args);
  if (s != MPL_OK) return s;
  for (size_t i = 0; s == MPL_OK && i < content->nrefs; i++)
    s = mpl_message_add_ref(args, content->refs[i]);
  if (s == MPL_OK)
    mpl_store64_rlx(&p->like.args, args);
  else
    mpl_content_drop(args);
  return s;
}

/* Makes the chunk, in the hand. MPL_OK, MPL_NOMEM, MPL_DAMAGED; MPL_GONE: the job is, as
   encoding may run finalizers, and these may end calls; none runs from here on. */
static enum mpl_status make_chunk(struct put *p, const struct content *content) {
  enum mpl_status s = MPL_OK;
  p->like.job = mpl_tasks_job_find(p->t, p->job);
  if (p->like.job == 0) return MPL_GONE;
  p->like.args_size = content->size + (content->head != NULL ? sizeof *content->head : 0);
  if (content->nrefs > 0) s = make_args(p, content);
  if (s != MPL_OK) return s;
  s = mpl_chunk_new(&p->like, p->t->result_size, &p->chunk);
  mpl_off args = mpl_load64_rlx(&p->like.args);
  if (s == MPL_OK)
    write_content(mpl_chunk_args_of(mpl_chunk_at(p->chunk)), content);
  else if (args != 0)
    mpl_content_drop(args);
  return s;
}

/* The only task's arguments were encoded. Raises if there is no memory. */
static void make_chunk_of_one(lua_State *L, struct put *p, struct mpl_codec_out *out) {
  struct mpl_chunk_arg head = {.nrefs = (uint32_t)out->nrefs};
  struct content content = {&head, out->pieces, out->npieces, out->size, out->refs, out->nrefs};
  p->like.count = 1;
  enum mpl_status s = make_chunk(p, &content);
  mpl_codec_release(out);
  if (s != MPL_OK) mpl_args_raise(L, s);
}

/* The arguments of one task more were encoded. */
static void append(lua_State *L, struct put *p, struct mpl_codec_out *out) {
  struct mpl_tasks_desk *desk = p->desk;
  struct mpl_chunk_arg head = {(uint32_t)out->size, (uint32_t)out->nrefs};
  bool ok = mpl_buf_append(&desk->refs, out->refs, out->nrefs * sizeof *out->refs);
  /* The values may be gone before they are put; the process has a reference to each, so this cannot
     fail. */
  for (size_t i = 0; ok && i < out->nrefs; i++) mpl_object_retain(out->refs[i]);
  ok = ok && mpl_buf_append(&desk->bytes, &head, sizeof head);
  for (size_t i = 0; ok && i < out->npieces; i++)
    ok = mpl_buf_append(&desk->bytes, out->pieces[i].data, out->pieces[i].size);
  mpl_codec_release(out);
  if (!ok) mpl_args_raise(L, MPL_NOPRIVATE);
  p->like.count++;
}

/* Encodes the value on top of the stack and pops it. False if it has no room in this chunk. */
static bool encode_one(lua_State *L, struct put *p) {
  struct mpl_codec_out out;
  mpl_codec_encode(L, -1, &out);
  bool first = p->like.count == 0;
  size_t size = p->desk->bytes.size - p->bytes_at; /* so far */
  if (first && (p->at == p->last || out.size > LARGE)) {
    make_chunk_of_one(L, p, &out);
  } else if (!first && (out.size > LARGE || size + out.size > CHUNK_MOST)) {
    mpl_codec_release(&out);
    return false;
  } else {
    append(L, p, &out);
  }
  lua_pop(L, 1);
  return true;
}

/* Arguments: the list and, as light userdata, the operation. Leaves `at` behind the last element
   that is in the chunk. */
static int encode_all(lua_State *L) {
  struct put *p = lua_touserdata(L, 2);
  for (; p->at <= p->last && p->chunk == 0; p->at++) {
    lua_rawgeti(L, 1, p->at);
    if (p->like.kind == MPL_TASKS_STAR && !lua_istable(L, -1))
      return luaL_error(L, "starmap: list of arguments expected as item %I, got %s",
                        (LUAI_UACINT)p->at, luaL_typename(L, -1));
    if (!encode_one(L, p)) break;
    if (p->chunk == 0) mpl_interrupt_attend(L, NULL, NULL);
  }
  return 0;
}

/* Raises the error on top of the stack, whose path begins at the element, with one that begins
   at the list. */
static void raise_at(lua_State *L, lua_Integer index) {
  static const char root[] = ": at value";
  const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
  const char *at = text == NULL ? NULL : strstr(text, root);
  if (at == NULL || mpl_interrupt_is(L, -1)) lua_error(L);
  luaL_where(L, 1);
  lua_pushlstring(L, text, (size_t)(at - text) + sizeof root - 1);
  lua_pushfstring(L, "[%I]%s", (LUAI_UACINT)index, at + sizeof root - 1);
  lua_concat(L, 3);
  lua_error(L);
}

/* Makes the chunk, if it is of one task whose argument is nil, a boolean or a number: that can
   always be sent, and needs no protection. Says whether it is. */
static bool make_plain(lua_State *L, struct put *p) {
  if (p->like.kind != MPL_TASKS_MAP || p->at != p->last) return false;
  int type = lua_rawgeti(L, LIST, p->at);
  bool plain = type == LUA_TNIL || type == LUA_TBOOLEAN || type == LUA_TNUMBER;
  if (plain) {
    struct mpl_codec_out out;
    mpl_codec_encode(L, -1, &out);
    make_chunk_of_one(L, p, &out);
    p->at++;
  }
  lua_pop(L, 1);
  return plain;
}

/* Makes the chunk of the list at LIST. */
static void make_list(lua_State *L, struct put *p) {
  p->bytes_at = p->desk->bytes.size;
  p->refs_at = p->desk->refs.size;
  lua_pushcfunction(L, encode_all);
  lua_pushvalue(L, LIST);
  lua_pushlightuserdata(L, p);
  if (lua_pcall(L, 2, 0, 0) != LUA_OK) {
    mpl_tasks_desk_cut(p->desk, p->bytes_at, p->refs_at);
    raise_at(L, p->at);
  }
  if (p->chunk != 0) return;
  struct mpl_buf *bytes = &p->desk->bytes, *refs = &p->desk->refs;
  struct mpl_piece piece = {bytes->data + p->bytes_at, bytes->size - p->bytes_at};
  struct content content = {.pieces = &piece, .npieces = 1, .size = piece.size};
  content.nrefs = (refs->size - p->refs_at) / sizeof *content.refs;
  if (content.nrefs > 0) content.refs = (const uint64_t *)(void *)(refs->data + p->refs_at);
  enum mpl_status s = make_chunk(p, &content);
  mpl_tasks_desk_cut(p->desk, p->bytes_at, p->refs_at);
  if (s != MPL_OK) mpl_args_raise(L, s);
}

static void check_arguments(lua_State *L, struct put *p) {
  static const char *const kinds[] = {"map", "star", "apply", NULL};
  lua_Integer retries = luaL_optinteger(L, RETRIES, 0);
  lua_Number timeout = luaL_optnumber(L, TIMEOUT, 0);
  mpl_args_end(L, RETRIES);
  p->job = (uint64_t)luaL_checkinteger(L, JOB);
  p->like.tag = (uint64_t)luaL_checkinteger(L, TAG);
  p->like.kind = (uint64_t)luaL_checkoption(L, KIND, NULL, kinds);
  luaL_checktype(L, LIST, LUA_TTABLE);
  p->at = luaL_checkinteger(L, FIRST);
  p->last = luaL_checkinteger(L, LAST);
  p->like.first = (uint64_t)p->at;
  luaL_argcheck(L, p->last >= p->at && p->last < LUA_MAXINTEGER, LAST,
                "a chunk has at least one task");
  luaL_argcheck(L, timeout >= 0, TIMEOUT, "a number of seconds, not negative");
  luaL_argcheck(L, retries >= 0 && retries < INT_MAX, RETRIES, "out of range");
  p->like.timeout = timeout < 1e9 ? (int64_t)(timeout * (lua_Number)MPL_NS_PER_S) : 0;
  if (timeout > 0 && p->like.timeout == 0 && timeout < 1) p->like.timeout = 1;
  p->like.retries = (uint64_t)retries;
}

/* ledger:put(job, tag, kind, list, first, last[, timeout[, retries]]): puts a chunk of the
   elements from `first` on, up to `last` or as many as fit into one: the index of the last one;
   nil, "closed". Raises "cannot send ...: at value[i]..." and has put nothing. */
int mpl_tasks_method_put(lua_State *L) {
  struct put p = {.t = mpl_tasks_self(L), .desk = mpl_tasks_desk(L)};
  check_arguments(L, &p);
  if (p.like.kind == MPL_TASKS_APPLY) {
    struct mpl_codec_out out;
    mpl_codec_encode(L, LIST, &out);
    make_chunk_of_one(L, &p, &out);
    p.at = p.last + 1;
  } else if (!make_plain(L, &p)) {
    make_list(L, &p);
  }
  enum mpl_status s = mpl_tasks_put(p.t, p.chunk);
  if (s == MPL_OK) {
    lua_pushinteger(L, p.at - 1);
    return 1;
  }
  mpl_off args = mpl_load64_rlx(&p.like.args);
  if (args != 0) mpl_content_drop(args);
  mpl_heap_free(mpl_self, p.chunk);
  if (s != MPL_CLOSED) return mpl_args_raise(L, s);
  lua_pushnil(L);
  lua_pushliteral(L, "closed");
  return 2;
}
