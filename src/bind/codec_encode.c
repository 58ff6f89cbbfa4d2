/*
** Lua values to bytes.
**
** The walk keeps its own stack of frames, one for each table or function that is being written, so
** that depth costs no C stack. On the Lua stack a frame has the object and, for a table, its
** current key (and the value, while the key is being written); what is on top is written next.
**
** Invariant: while an encoding holds memory, no call is made that raises, allocates in Lua or runs
** Lua. A failure is noted, everything is released, and only then is the error raised; a cache of
** names that turns out to be wrong is rebuilt in the same way, and the encoding begun again.
*/
#include "bind/codec.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "bind/args.h"
#include "bind/codec_names.h"
#include "bind/codec_out.h"
#include "bind/codec_path.h"
#include "bind/codec_seen.h"
#include "bind/descriptor.h"
#include "bind/handle.h"
#include "ds/parcel.h"

/* Lua stack that one step needs: object, key, value, copy of the key, and scratch. */
#define STEP_SLOTS 12

/* A list may have this many holes in a row. */
#define HOLES 64

enum result {
  WRITTEN, /* the value is in the message and still on the stack */
  OPENED,  /* a frame was opened for it */
  FAILED   /* see encoder.failure */
};

/* What a table does when what is being written is complete. */
enum step {
  NEXT, /* goes to the next entry */
  VALUE /* writes the value: the key was what had parts */
};

struct frame {
  enum { TABLE, FUNCTION } kind;
  int base;    /* stack index of the object */
  int upvalue; /* FUNCTION: the one being written. The rest is of a TABLE. */
  enum step step;
  bool has_count;
  bool is_list;          /* the entries so far were elements */
  lua_Unsigned limit;    /* border, as `#` gives it */
  lua_Unsigned elements; /* of the list, holes included */
  size_t pairs;
  size_t head; /* place in the buffer of count and hint, which are filled in at the end */
};

struct encoder {
  lua_State *L;
  struct mpl_codec_out *out;
  size_t inplace;
  struct mpl_codec_names *names;
  int names_index;
  bool fresh; /* the names have just been rebuilt */
  enum mpl_codec_failure failure;
  enum mpl_status status; /* of FAILURE_DESCRIPTOR, and errno */
  int error;
  size_t depth;
  size_t room;
  struct frame *frames;
  struct mpl_codec_seen objects; /* address of table, function or upvalue -> place of its tag */
  struct mpl_codec_seen codes;   /* hash and size of bytecode -> its place in the message */
  struct mpl_codec_seen handles; /* id of a shared object, in the order of out->refs */
  struct frame initial_frames[12];
};

static enum result fail(struct encoder *e, enum mpl_codec_failure failure) {
  e->failure = failure;
  return FAILED;
}

static enum result written(struct encoder *e, bool done) {
  return done ? WRITTEN : fail(e, FAILURE_MEMORY);
}

/* Values without parts */

static bool is_scalar(int type) {
  return type == LUA_TNIL || type == LUA_TBOOLEAN || type == LUA_TNUMBER || type == LUA_TSTRING;
}

/* Writes the scalar at idx, without converting it in place. Returns false if there is no memory. */
static inline bool write_scalar(struct mpl_codec_out *out, lua_State *L, int idx, int type,
                                size_t inplace) {
  if (type == LUA_TNUMBER) {
    if (lua_isinteger(L, idx)) return mpl_codec_out_integer(out, lua_tointeger(L, idx));
    return mpl_codec_out_float(out, lua_tonumber(L, idx));
  }
  if (type == LUA_TSTRING) {
    size_t n;
    const char *s = lua_tolstring(L, idx, &n);
    return mpl_codec_out_string(out, s, n, inplace);
  }
  if (type == LUA_TNIL) return mpl_codec_out_tag(out, TAG_NIL);
  return mpl_codec_out_tag(out, lua_toboolean(L, idx) ? TAG_TRUE : TAG_FALSE);
}

static bool write_string(struct encoder *e, int idx) {
  return write_scalar(e->out, e->L, idx, LUA_TSTRING, e->inplace);
}

/* Objects: tables, functions, upvalues */

/* Writes `tag` and the number of an object that was mentioned before, and marks the first mention.
** Returns false, and writes nothing, if this is the first. */
static bool write_again(struct encoder *e, unsigned tag, const void *object, enum result *result) {
  struct mpl_codec_seen_entry *entry = mpl_codec_seen_find(&e->objects, (uintptr_t)object);
  if (entry == NULL) return false;
  e->out->bytes.data[entry->place] |= TAG_SHARED;
  size_t number = (size_t)(entry - e->objects.entries) + 1;
  *result = written(e, mpl_codec_out_tag(e->out, tag) && mpl_codec_out_count(e->out, number));
  return true;
}

/* Writes the tag of a first mention. */
static bool write_first(struct encoder *e, unsigned tag, const void *object) {
  size_t place = e->out->bytes.size;
  return mpl_codec_out_tag(e->out, tag) &&
         mpl_codec_seen_add(&e->objects, (uintptr_t)object, place);
}

/* Writes the value on top by its name. Returns false, and writes nothing, if it has none. */
static bool write_name(struct encoder *e, enum result *result) {
  lua_State *L = e->L;
  enum mpl_codec_names_found found = mpl_codec_names_find(L, e->names_index, -1);
  switch (found) {
    case NAMES_MODULE:
      *result = written(e, mpl_codec_out_tag(e->out, TAG_MODULE) && write_string(e, -1));
      lua_pop(L, 1);
      return true;
    case NAMES_MEMBER:
      *result = written(e, mpl_codec_out_tag(e->out, TAG_MEMBER) && write_string(e, -2) &&
                             write_string(e, -1));
      lua_pop(L, 2);
      return true;
    case NAMES_STALE:
      if (e->fresh) return false;
      *result = fail(e, FAILURE_NAMES);
      return true;
    default:
      return false;
  }
}

/* The same for a value that can be sent only by name. */
static enum result write_name_only(struct encoder *e) {
  enum result result;
  if (write_name(e, &result)) return result;
  return fail(e, e->fresh ? FAILURE_KIND : FAILURE_NAMES);
}

/* Index of an object in the list, into which it is entered at its first mention. Returns false if there
** is no memory. */
static bool enter_ref(struct encoder *e, uint64_t id, size_t *index) {
  struct mpl_codec_seen_entry *entry = mpl_codec_seen_find(&e->handles, id);
  *index = entry != NULL ? (size_t)(entry - e->handles.entries) : e->out->nrefs;
  return entry != NULL ||
         (mpl_codec_seen_add(&e->handles, id, 0) && mpl_codec_out_add_ref(e->out, id));
}

/* Writes the Connection or descriptor on top, as a parcel that the encoding refers to. */
static enum result write_descriptor(struct encoder *e, const struct mpl_descriptor *d) {
  const void *object = lua_touserdata(e->L, -1);
  enum result result;
  if (write_again(e, TAG_AGAIN, object, &result)) return result;
  uint64_t parcel;
  e->status = mpl_parcel_new(d->fd, &parcel);
  e->error = errno;
  if (e->status != MPL_OK) return fail(e, FAILURE_DESCRIPTOR);
  size_t index;
  if (!enter_ref(e, parcel, &index)) {
    mpl_parcel_release(&parcel, 1);
    return fail(e, FAILURE_MEMORY);
  }
  e->out->parcels = true;
  bool done = write_first(e, d->pipe != 0 ? TAG_CONNECTION : TAG_DESCRIPTOR, object) &&
              mpl_codec_out_count(e->out, index);
  if (d->pipe != 0)
    done = done && enter_ref(e, d->pipe, &index) && mpl_codec_out_count(e->out, index) &&
           mpl_codec_out_tag(e->out, d->flags);
  return written(e, done);
}

static enum result write_userdata(struct encoder *e) {
  struct mpl_descriptor descriptor;
  size_t index;
  uint64_t id = mpl_handle_id(e->L, -1);
  if (id != 0)
    return written(e, enter_ref(e, id, &index) && mpl_codec_out_tag(e->out, TAG_OBJECT) &&
                          mpl_codec_out_count(e->out, index));
  if (mpl_descriptor_get(e->L, -1, &descriptor)) return write_descriptor(e, &descriptor);
  return write_name_only(e);
}

/* Writes the table or Lua function on top by name if it is the globals table or a module. */
static bool write_module(struct encoder *e, const void *object, enum result *result) {
  if (!mpl_codec_names_maybe(e->names, object)) return false;
  lua_rawgeti(e->L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
  bool is_globals = lua_topointer(e->L, -1) == object;
  lua_pop(e->L, 1);
  if (!is_globals) return write_name(e, result);
  *result = written(e, mpl_codec_out_tag(e->out, TAG_GLOBALS));
  return true;
}

static bool enlarge_frames(struct encoder *e) {
  struct frame *frames =
    mpl_buf_enlarge(e->frames, e->initial_frames, sizeof *frames, &e->room, e->depth + 1);
  if (frames == NULL) return false;
  e->frames = frames;
  return true;
}

/* Adds a frame for the object on top, and leaves the rest of it to the caller. */
static struct frame *open_frame(struct encoder *e) {
  if (e->depth == MPL_CODEC_MAX_DEPTH) {
    fail(e, FAILURE_DEPTH);
    return NULL;
  }
  if (!(e->depth < e->room || enlarge_frames(e)) || !lua_checkstack(e->L, STEP_SLOTS)) {
    fail(e, FAILURE_MEMORY);
    return NULL;
  }
  struct frame *f = &e->frames[e->depth++];
  f->base = lua_gettop(e->L);
  f->step = NEXT;
  return f;
}

/* Tables */

static bool has_metatable(lua_State *L, int idx) {
  if (!lua_getmetatable(L, idx)) return false;
  lua_pop(L, 1);
  return true;
}

/* Writes the name of the metatable that the table on top has. */
static enum result write_class(struct encoder *e) {
  lua_getmetatable(e->L, -1);
  bool registered = mpl_codec_names_class(e->L, e->names_index) == LUA_TSTRING;
  enum result result = registered ? written(e, write_string(e, -1)) : fail(e, FAILURE_METATABLE);
  lua_pop(e->L, 1);
  if (!registered) e->depth--; /* the path ends at the table, not inside */
  return result;
}

static enum result open_table(struct encoder *e) {
  lua_State *L = e->L;
  const void *object = lua_topointer(L, -1);
  enum result result;
  if (write_module(e, object, &result) || write_again(e, TAG_AGAIN, object, &result))
    return result;
  struct frame *f = open_frame(e);
  if (f == NULL) return FAILED;
  f->kind = TABLE;
  f->limit = lua_rawlen(L, -1);
  f->elements = 0;
  f->pairs = 0;
  f->is_list = f->has_count = f->limit > 0;
  bool has_class = has_metatable(L, -1);
  unsigned flags = (f->has_count ? TAG_LIST : 0u) | (has_class ? TAG_CLASS : 0u);
  if (!write_first(e, TAG_TABLE + flags, object)) return fail(e, FAILURE_MEMORY);
  if (has_class && write_class(e) == FAILED) return FAILED;
  f->head = e->out->bytes.size;
  size_t head = f->has_count ? 5 : 1;
  if (!mpl_buf_reserve(&e->out->bytes, head)) return fail(e, FAILURE_MEMORY);
  e->out->bytes.size += head;
  lua_pushnil(L);
  return OPENED;
}

/* Fills in what is known of a table at its end. */
static enum result close_table(struct encoder *e, const struct frame *f) {
  char *head = e->out->bytes.data + f->head;
  if (f->has_count) {
    mpl_endian_put32(head, (uint32_t)f->elements);
    head += 4;
  }
  unsigned hint = 0;
  if (f->pairs > 0)
    for (hint = 1; f->pairs > (size_t)1 << (hint - 1);) hint++;
  *head = (char)hint;
  return written(e, mpl_codec_out_tag(e->out, TAG_END));
}

/*
** Whether the entry on top continues the list, and after how many holes. A traversal gives the
** array part first and in order; what lies elsewhere is sent as pairs. Holes up to the border are
** written as nil, so that `#` gives the same at the receiver, but not more of them than is worth
** it: the border of a sparse table may be anywhere.
*/
static bool continues_list(lua_State *L, struct frame *f, lua_Unsigned *holes) {
  if (!f->is_list) return false;
  lua_Unsigned key = lua_isinteger(L, -2) ? (lua_Unsigned)lua_tointeger(L, -2) : 0;
  *holes = key - f->elements - 1;
  f->is_list = key > f->elements && key <= f->limit && key <= UINT32_MAX && *holes <= HOLES;
  if (!f->is_list) return false;
  f->elements = key;
  return true;
}

static bool write_holes(struct mpl_buf *bytes, lua_Unsigned holes) {
  if (!mpl_buf_reserve(bytes, (size_t)holes)) return false;
  memset(bytes->data + bytes->size, TAG_NIL, (size_t)holes);
  bytes->size += (size_t)holes;
  return true;
}

static enum result write_value(struct encoder *e);

/* Writes the key of the entry on top; a key that has parts from a copy above the value. */
static enum result write_key(struct encoder *e) {
  int type = lua_type(e->L, -2);
  if (is_scalar(type)) return written(e, write_scalar(e->out, e->L, -2, type, e->inplace));
  lua_pushvalue(e->L, -2);
  enum result result = write_value(e);
  if (result == WRITTEN) lua_pop(e->L, 1);
  return result;
}

/* Begins the entry on top: with its key, or as an element, which has none. */
static enum result begin_entry(struct encoder *e, struct frame *f) {
  lua_Unsigned holes;
  if (continues_list(e->L, f, &holes))
    return holes == 0 ? WRITTEN : written(e, write_holes(&e->out->bytes, holes));
  f->pairs++;
  f->step = VALUE;
  return write_key(e);
}

/* Writes what is left of the entries of the table in frame f, up to its end or to an entry that
** opens another frame. Stack: table, key; and the value if the step is VALUE. */
static enum result write_entries(struct encoder *e, struct frame *f) {
  lua_State *L = e->L;
  for (;;) {
    enum result result = WRITTEN;
    if (f->step == NEXT) {
      if (!lua_next(L, f->base)) return close_table(e, f);
      result = begin_entry(e, f);
      if (result != WRITTEN) return result;
    }
    f->step = NEXT;
    result = write_value(e);
    if (result != WRITTEN) return result;
    lua_pop(L, 1);
  }
}

/* Functions */

static int append(lua_State *L, const void *bytes, size_t n, void *buf) {
  (void)L;
  return mpl_buf_append(buf, bytes, n) ? 0 : 1;
}

/* Writes the bytecode of the function on top, whose tag stands at tag_place; code that is in the
** message already, of this function or of another closure, only as the place where it is. */
static bool write_code(struct encoder *e, size_t tag_place) {
  struct mpl_buf *bytes = &e->out->bytes;
  size_t place = mpl_codec_out_place(e->out), start = bytes->size;
  if (!mpl_buf_reserve(bytes, CODEC_CODE_HEAD)) return false;
  bytes->size += CODEC_CODE_HEAD;
  if (lua_dump(e->L, append, bytes, 0) != 0) return false;
  size_t size = bytes->size - start - CODEC_CODE_HEAD;
  if (size > UINT32_MAX) return false;
  uint64_t hash = mpl_hash(bytes->data + start + CODEC_CODE_HEAD, size, size);
  struct mpl_codec_seen_entry *entry = mpl_codec_seen_find(&e->codes, hash);
  if (entry != NULL) {
    bytes->size = start;
    bytes->data[tag_place] |= TAG_CODE_AT;
    return mpl_codec_out_count(e->out, entry->place);
  }
  mpl_endian_put64(bytes->data + start, hash);
  mpl_endian_put32(bytes->data + start + 8, (uint32_t)size);
  return mpl_codec_seen_add(&e->codes, hash, place);
}

static enum result open_function(struct encoder *e) {
  lua_State *L = e->L;
  if (lua_iscfunction(L, -1)) return write_name_only(e);
  const void *object = lua_topointer(L, -1);
  enum result result;
  if (write_module(e, object, &result) || write_again(e, TAG_AGAIN, object, &result))
    return result;
  struct frame *f = open_frame(e);
  if (f == NULL) return FAILED;
  f->kind = FUNCTION;
  f->upvalue = 0;
  size_t tag_place = e->out->bytes.size;
  if (!write_first(e, TAG_FUNCTION, object) || !write_code(e, tag_place))
    return fail(e, FAILURE_MEMORY);
  return OPENED;
}

/* Writes what is left of the upvalues of the function in frame f, up to the last or to one that
** opens another frame. */
static enum result write_upvalues(struct encoder *e, struct frame *f) {
  lua_State *L = e->L;
  while (lua_getupvalue(L, f->base, f->upvalue + 1) != NULL) {
    f->upvalue++;
    const void *id = lua_upvalueid(L, f->base, f->upvalue);
    enum result result;
    if (!write_again(e, TAG_JOIN, id, &result)) {
      if (!write_first(e, TAG_UPVALUE, id)) return fail(e, FAILURE_MEMORY);
      result = write_value(e);
    }
    if (result != WRITTEN) return result;
    lua_pop(L, 1);
  }
  return written(e, mpl_codec_out_tag(e->out, TAG_END));
}

/* The walk */

/* Writes the value on top of the stack, or opens a frame for it. */
static enum result write_value(struct encoder *e) {
  int type = lua_type(e->L, -1);
  if (is_scalar(type)) return written(e, write_scalar(e->out, e->L, -1, type, e->inplace));
  switch (type) {
    case LUA_TTABLE:
      return open_table(e);
    case LUA_TFUNCTION:
      return open_function(e);
    case LUA_TUSERDATA:
      return write_userdata(e);
    case LUA_TLIGHTUSERDATA:
      if (lua_touserdata(e->L, -1) == NULL) return written(e, mpl_codec_out_tag(e->out, TAG_NULL));
      return fail(e, FAILURE_KIND);
    default:
      return fail(e, FAILURE_KIND);
  }
}

/* Writes the value on top of the stack and all its parts. */
static enum result write_message(struct encoder *e) {
  enum result result = write_value(e);
  while (result != FAILED && e->depth > 0) {
    struct frame *f = &e->frames[e->depth - 1];
    result = f->kind == TABLE ? write_entries(e, f) : write_upvalues(e, f);
    if (result == WRITTEN) {
      e->depth--;
      lua_pop(e->L, 1);
    }
  }
  return result;
}

/* Failure */

/* Reads the path of the value on top from the frames. */
static void read_path(const struct encoder *e, struct mpl_codec_path *path) {
  lua_State *L = e->L;
  mpl_codec_path_start(path);
  for (size_t i = 0; i < e->depth; i++) {
    if (i == MPL_CODEC_PATH_HEAD && e->depth > MPL_CODEC_PATH_HEAD + MPL_CODEC_PATH_TAIL) {
      mpl_codec_path_gap(path);
      i = e->depth - MPL_CODEC_PATH_TAIL;
    }
    const struct frame *f = &e->frames[i];
    if (f->kind == FUNCTION) {
      mpl_codec_path_upvalue(path, lua_getupvalue(L, f->base, f->upvalue), f->upvalue);
      lua_pop(L, 1);
    } else if (f->step == VALUE) {
      mpl_codec_path_key(path);
    } else {
      mpl_codec_path_value(path, L, f->base + 1);
    }
  }
}

static void start(struct encoder *e, lua_State *L, struct mpl_codec_out *out, size_t inplace) {
  e->L = L;
  e->out = out;
  e->inplace = inplace;
  e->frames = e->initial_frames;
  e->room = sizeof e->initial_frames / sizeof *e->initial_frames;
  e->depth = 0;
  e->error = 0;
  mpl_codec_seen_init(&e->objects);
  mpl_codec_seen_init(&e->codes);
  mpl_codec_seen_init(&e->handles);
}

static void drop(struct encoder *e) {
  if (e->frames != e->initial_frames) free(e->frames);
  mpl_codec_seen_free(&e->objects);
  mpl_codec_seen_free(&e->codes);
  mpl_codec_seen_free(&e->handles);
}

/* Encodes a value that is no scalar. Returns false if the names have to be rebuilt first. */
static bool encode_parts(lua_State *L, int idx, struct mpl_codec_out *out, size_t inplace,
                         bool fresh) {
  struct encoder e;
  struct mpl_codec_path path;
  luaL_checkstack(L, STEP_SLOTS, "to send a value");
  int top = lua_gettop(L);
  e.names = mpl_codec_names_push(L);
  e.names_index = top + 1;
  e.fresh = fresh;
  if (fresh || mpl_codec_names_stale(e.names)) mpl_codec_names_rebuild(L, e.names_index);
  start(&e, L, out, inplace);
  lua_pushvalue(L, idx);
  bool done = write_message(&e) == WRITTEN;
  if (done && !mpl_codec_out_finish(out)) done = fail(&e, FAILURE_MEMORY) == WRITTEN;
  if (!done) {
    if (e.failure != FAILURE_MEMORY) read_path(&e, &path);
    mpl_codec_release(out);
    errno = e.error;
    if (e.failure == FAILURE_DESCRIPTOR) path.reason = mpl_args_text(e.status);
  }
  drop(&e);
  if (!done && e.failure != FAILURE_NAMES) mpl_codec_path_raise(L, e.failure, &path);
  lua_settop(L, top);
  return done;
}

static void encode(lua_State *L, int idx, struct mpl_codec_out *out, size_t inplace) {
  int type = lua_type(L, idx);
  mpl_codec_out_start(out);
  if (is_scalar(type)) {
    if (write_scalar(out, L, idx, type, inplace) && mpl_codec_out_finish(out)) return;
    mpl_codec_release(out);
    mpl_codec_path_raise(L, FAILURE_MEMORY, NULL);
  }
  idx = lua_absindex(L, idx);
  bool fresh = false;
  while (!encode_parts(L, idx, out, inplace, fresh)) fresh = true;
}

/*
** Encodes the value at idx into *out, which the caller gives back with mpl_codec_release. Long
** strings are referenced where they lie: see the invariant in codec.h. A small value costs no
** allocation. Raises an error that names the path of what cannot be sent; *out then holds nothing.
*/
void mpl_codec_encode(lua_State *L, int idx, struct mpl_codec_out *out) {
  encode(L, idx, out, MPL_CODEC_INPLACE);
}

/* As mpl_codec_encode, but with a copy of everything, in one piece. */
void mpl_codec_encode_flat(lua_State *L, int idx, struct mpl_codec_out *out) {
  encode(L, idx, out, SIZE_MAX);
}

/* An encoding of nothing at all: to be released like others. */
void mpl_codec_encode_nothing(struct mpl_codec_out *out) {
  mpl_codec_out_start(out);
}
