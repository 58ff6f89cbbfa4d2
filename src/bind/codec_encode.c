/*
** Lua values to bytes.
**
** The walk keeps its own stack of frames, one for each table or function that is being written, so
** that depth costs no C stack. On the Lua stack a frame has the object and, for a table, its
** current key (and the value, while the key is being written); what is on top is written next.
**
** Invariant: while an encoding holds memory, no call is made that raises, allocates in Lua or runs
** Lua. A failure is noted, everything is released, and only then is the error raised. In the same
** way a cache of names that turns out to be wrong is rebuilt, or a foreign environment asked, and
** the encoding begun again.
*/
#include "bind/codec.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "bind/args.h"
#include "bind/codec_encoder.h"
#include "bind/descriptor.h"
#include "bind/handle.h"
#include "ds/parcel.h"

/* A list may have this many holes in a row. */
#define HOLES 64

/*
** Values without parts
*/

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

/* Writes the table on top by the name under which it is registered as a metatable. Returns false,
   and writes nothing, if it is not. */
static bool write_metatable(struct encoder *e, enum result *result) {
  lua_pushvalue(e->L, -1);
  bool registered = mpl_codec_names_class(e->L, e->names_index) == LUA_TSTRING;
  if (registered)
    *result =
        encoder_written(e, mpl_codec_out_tag(e->out, TAG_METATABLE) && write_string(e, -1));
  lua_pop(e->L, 1);
  return registered;
}

/* Writes the value on top by its name. Returns false, and writes nothing, if it has none. */
static bool write_name(struct encoder *e, enum result *result) {
  lua_State *L = e->L;
  enum mpl_codec_names_found found = mpl_codec_names_find(L, e->names_index, -1);
  switch (found) {
    case NAMES_MODULE:
      *result = encoder_written(e, mpl_codec_out_tag(e->out, TAG_MODULE) && write_string(e, -1));
      lua_pop(L, 1);
      return true;
    case NAMES_MEMBER:
      *result = encoder_written(e, mpl_codec_out_tag(e->out, TAG_MEMBER) && write_string(e, -2) &&
                             write_string(e, -1));
      lua_pop(L, 2);
      return true;
    case NAMES_STALE:
      if (e->fresh) return false;
      *result = encoder_fail(e, FAILURE_NAMES);
      return true;
    default:
      return lua_istable(L, -1) && write_metatable(e, result);
  }
}

/* The same for a value that can be sent only by name. */
enum result mpl_codec_encoder_name_only(struct encoder *e) {
  enum result result;
  if (write_name(e, &result)) return result;
  return encoder_fail(e, e->fresh ? FAILURE_KIND : FAILURE_NAMES);
}

/* Index of an object in the list, into which it is entered at its first mention. Returns false if
   there is no memory. */
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
  if (encoder_again(e, TAG_AGAIN, object, &result)) return result;
  uint64_t parcel;
  enum mpl_status status = e->is_text ? MPL_OK : mpl_parcel_new(d->fd, &parcel);
  e->reason = e->is_text ? "a descriptor is no text; send it through a queue or a pipe"
                         : mpl_args_text(status);
  if (e->is_text || status != MPL_OK) return encoder_fail(e, FAILURE_DESCRIPTOR);
  size_t index;
  if (!enter_ref(e, parcel, &index)) {
    mpl_parcel_release(&parcel, 1);
    return encoder_fail(e, FAILURE_MEMORY);
  }
  e->out->parcels = true;
  bool done = encoder_first(e, d->pipe != 0 ? TAG_CONNECTION : TAG_DESCRIPTOR, object) &&
              mpl_codec_out_count(e->out, index);
  if (d->pipe != 0)
    done = done && enter_ref(e, d->pipe, &index) && mpl_codec_out_count(e->out, index) &&
           mpl_codec_out_tag(e->out, d->flags);
  return encoder_written(e, done);
}

static enum result write_userdata(struct encoder *e) {
  struct mpl_descriptor descriptor;
  size_t index;
  uint64_t id = mpl_handle_id(e->L, -1);
  if (id != 0)
    return encoder_written(e, enter_ref(e, id, &index) && mpl_codec_out_tag(e->out, TAG_OBJECT) &&
                          mpl_codec_out_count(e->out, index));
  if (mpl_descriptor_get(e->L, -1, &descriptor)) return write_descriptor(e, &descriptor);
  return mpl_codec_encoder_name_only(e);
}

/* Writes the table or Lua function on top by name if it is the globals table or a module. */
bool mpl_codec_encoder_module(struct encoder *e, const void *object, enum result *result) {
  if (!mpl_codec_names_maybe(e->names, object)) return false;
  lua_rawgeti(e->L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
  bool is_globals = lua_topointer(e->L, -1) == object;
  lua_pop(e->L, 1);
  if (!is_globals) return write_name(e, result);
  *result = encoder_written(e, mpl_codec_out_tag(e->out, TAG_GLOBALS));
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
struct frame *mpl_codec_encoder_frame(struct encoder *e) {
  if (e->depth == MPL_CODEC_MAX_DEPTH) {
    encoder_fail(e, FAILURE_DEPTH);
    return NULL;
  }
  if (!(e->depth < e->room || enlarge_frames(e)) || !lua_checkstack(e->L, MPL_CODEC_STEP_SLOTS)) {
    encoder_fail(e, FAILURE_MEMORY);
    return NULL;
  }
  struct frame *f = &e->frames[e->depth++];
  f->base = lua_gettop(e->L);
  f->step = NEXT;
  return f;
}

/*
** Tables
*/

static bool has_metatable(lua_State *L, int idx) {
  if (!lua_getmetatable(L, idx)) return false;
  lua_pop(L, 1);
  return true;
}

/* Writes the name of the metatable that the table on top has. */
static enum result write_class(struct encoder *e) {
  lua_getmetatable(e->L, -1);
  bool registered = mpl_codec_names_class(e->L, e->names_index) == LUA_TSTRING;
  enum result result = registered ? encoder_written(e, write_string(e, -1))
                                  : encoder_fail(e, FAILURE_METATABLE);
  lua_pop(e->L, 1);
  if (!registered) e->depth--; /* the path ends at the table, not inside */
  return result;
}

static enum result open_table(struct encoder *e) {
  lua_State *L = e->L;
  const void *object = lua_topointer(L, -1);
  enum result result;
  if (mpl_codec_encoder_module(e, object, &result) || encoder_again(e, TAG_AGAIN, object, &result))
    return result;
  struct frame *f = mpl_codec_encoder_frame(e);
  if (f == NULL) return FAILED;
  f->kind = TABLE;
  f->limit = lua_rawlen(L, -1);
  f->elements = 0;
  f->pairs = 0;
  f->is_list = f->has_count = f->limit > 0;
  bool has_class = has_metatable(L, -1);
  unsigned flags = (f->has_count ? TAG_LIST : 0u) | (has_class ? TAG_CLASS : 0u);
  if (!encoder_first(e, TAG_TABLE + flags, object)) return encoder_fail(e, FAILURE_MEMORY);
  if (has_class && write_class(e) == FAILED) return FAILED;
  f->head = e->out->bytes.size;
  size_t head = f->has_count ? 5 : 1;
  if (!mpl_buf_reserve(&e->out->bytes, head)) return encoder_fail(e, FAILURE_MEMORY);
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
  return encoder_written(e, mpl_codec_out_tag(e->out, TAG_END));
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

/* Writes the key of the entry on top; a key that has parts from a copy above the value. */
static enum result write_key(struct encoder *e) {
  int type = lua_type(e->L, -2);
  if (is_scalar(type)) return encoder_written(e, write_scalar(e->out, e->L, -2, type, e->inplace));
  lua_pushvalue(e->L, -2);
  enum result result = mpl_codec_encoder_value(e);
  if (result == WRITTEN) lua_pop(e->L, 1);
  return result;
}

/* Begins the entry on top: with its key, or as an element, which has none. */
static enum result begin_entry(struct encoder *e, struct frame *f) {
  lua_Unsigned holes;
  if (continues_list(e->L, f, &holes))
    return holes == 0 ? WRITTEN : encoder_written(e, write_holes(&e->out->bytes, holes));
  f->pairs++;
  f->step = VALUE;
  return write_key(e);
}

/* Writes what is left of the entries of the table in frame f, up to its end or to an entry that
   opens another frame. Stack: table, key; and the value if the step is VALUE. */
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
    result = mpl_codec_encoder_value(e);
    if (result != WRITTEN) return result;
    lua_pop(L, 1);
  }
}

/*
** The walk
*/

/* Writes the value on top of the stack, or opens a frame for it. */
enum result mpl_codec_encoder_value(struct encoder *e) {
  int type = lua_type(e->L, -1);
  if (is_scalar(type)) return encoder_written(e, write_scalar(e->out, e->L, -1, type, e->inplace));
  switch (type) {
    case LUA_TTABLE:
      return open_table(e);
    case LUA_TFUNCTION:
      return mpl_codec_function_open(e);
    case LUA_TUSERDATA:
      return write_userdata(e);
    case LUA_TLIGHTUSERDATA:
      if (lua_touserdata(e->L, -1) != NULL) return encoder_fail(e, FAILURE_KIND);
      return encoder_written(e, mpl_codec_out_tag(e->out, TAG_NULL));
    default:
      return encoder_fail(e, FAILURE_KIND);
  }
}

/* Goes on until nothing is open any more. */
static enum result walk(struct encoder *e, enum result result) {
  while (e->depth > 0 && (result != FAILED || mpl_codec_function_leave_out(e))) {
    struct frame *f = &e->frames[e->depth - 1];
    result = f->kind == TABLE      ? write_entries(e, f)
             : f->kind == FUNCTION ? mpl_codec_function_upvalues(e, f)
                                   : mpl_codec_function_definitions(e, f);
    if (result == WRITTEN) {
      e->depth--;
      lua_pop(e->L, 1);
    }
  }
  return result;
}

/* Writes the value on top of the stack and all its parts, and the globals that functions in it
   name. */
static enum result write_message(struct encoder *e) {
  enum result result = walk(e, mpl_codec_encoder_value(e));
  if (result == FAILED || e->globals.count == 0) return result;
  return walk(e, mpl_codec_function_begin_definitions(e));
}

/*
** Failure
*/

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

/* What is asked for, and what earlier attempts have found out. */
struct request {
  int idx;
  struct mpl_codec_out *out;
  size_t inplace;
  bool is_text;
  bool fresh; /* the names are to be rebuilt */
  int env_index;
  size_t asked;
  struct mpl_buf names; /* that the environment is to be asked for */
};

static void start(struct encoder *e, lua_State *L, const struct request *r) {
  e->L = L;
  e->out = r->out;
  e->inplace = r->inplace;
  e->is_text = r->is_text;
  e->frames = e->initial_frames;
  e->room = sizeof e->initial_frames / sizeof *e->initial_frames;
  e->depth = 0;
  e->is_found = false;
  e->env_index = r->env_index;
  e->asked = r->asked;
  mpl_codec_seen_init(&e->objects);
  mpl_codec_seen_init(&e->codes);
  mpl_codec_seen_init(&e->handles);
  mpl_codec_seen_init(&e->globals);
}

static void drop(struct encoder *e) {
  if (e->frames != e->initial_frames) free(e->frames);
  mpl_codec_seen_free(&e->objects);
  mpl_codec_seen_free(&e->codes);
  mpl_codec_seen_free(&e->handles);
  mpl_codec_seen_free(&e->globals);
}

/* The encoding is to be begun again. False: no memory. */
static bool note_why(const struct encoder *e, struct request *r) {
  if (e->failure == FAILURE_NAMES) return r->fresh = true;
  r->asked = e->globals.count;
  return mpl_codec_environment_note(e, &r->names);
}

/* Encodes a value that is no scalar. Returns false if it is to be begun again. */
static bool encode_parts(lua_State *L, struct request *r) {
  struct encoder e;
  struct mpl_codec_path path;
  luaL_checkstack(L, MPL_CODEC_STEP_SLOTS, "to send a value");
  int top = lua_gettop(L);
  e.names = mpl_codec_names_push(L);
  e.names_index = top + 1;
  e.fresh = r->fresh;
  if (e.fresh || mpl_codec_names_stale(e.names)) mpl_codec_names_rebuild(L, e.names_index);
  start(&e, L, r);
  lua_pushvalue(L, r->idx);
  bool done = write_message(&e) == WRITTEN;
  if (done && !mpl_codec_out_finish(r->out)) done = encoder_fail(&e, FAILURE_MEMORY) == WRITTEN;
  bool again = !done && encoder_begins_again(&e);
  if (again && !note_why(&e, r)) {
    encoder_fail(&e, FAILURE_MEMORY);
    again = false;
  }
  if (!done) {
    if (e.failure != FAILURE_MEMORY) read_path(&e, &path);
    mpl_codec_release(r->out);
    if (e.failure == FAILURE_DESCRIPTOR) path.reason = e.reason;
  }
  drop(&e);
  if (!done && !again) {
    mpl_buf_free(&r->names);
    mpl_codec_path_raise(L, e.failure, &path);
  }
  lua_settop(L, top);
  return done;
}

/* Encodes a scalar: the quick way of most messages. Returns false for other values. */
static inline bool encode_scalar(lua_State *L, int idx, struct mpl_codec_out *out, size_t inplace) {
  int type = lua_type(L, idx);
  mpl_codec_out_start(out);
  if (!is_scalar(type)) return false;
  if (write_scalar(out, L, idx, type, inplace) && mpl_codec_out_finish(out)) return true;
  mpl_codec_release(out);
  mpl_codec_path_raise(L, FAILURE_MEMORY, NULL);
  return true; /* never */
}

static void encode(lua_State *L, struct request r) {
  if (encode_scalar(L, r.idx, r.out, r.inplace)) return;
  r.idx = lua_absindex(L, r.idx);
  int top = lua_gettop(L);
  luaL_checkstack(L, MPL_CODEC_STEP_SLOTS, "to send a value");
  lua_settop(L, top + 2);
  r.env_index = top + 1;
  mpl_buf_init(&r.names, NULL, 0);
  while (!encode_parts(L, &r)) {
    if (r.names.size > 0) mpl_codec_environment_ask(L, r.env_index, &r.names);
    mpl_codec_out_start(r.out);
  }
  lua_settop(L, top);
}

/*
** Encodes the value at idx into *out, which the caller gives back with mpl_codec_release. Long
** strings are referenced where they lie: see the invariant in codec.h. A small value costs no
** allocation. Raises an error that names the path of what cannot be sent; *out then holds nothing.
*/
void mpl_codec_encode(lua_State *L, int idx, struct mpl_codec_out *out) {
  if (encode_scalar(L, idx, out, MPL_CODEC_INPLACE)) return;
  encode(L, (struct request){.idx = idx, .out = out, .inplace = MPL_CODEC_INPLACE});
}

/* As mpl_codec_encode, but with a copy of everything, in one piece. */
void mpl_codec_encode_flat(lua_State *L, int idx, struct mpl_codec_out *out) {
  encode(L, (struct request){.idx = idx, .out = out, .inplace = SIZE_MAX});
}

/* As mpl_codec_encode_flat, but without descriptors. */
void mpl_codec_encode_text(lua_State *L, int idx, struct mpl_codec_out *out) {
  encode(L, (struct request){.idx = idx, .out = out, .inplace = SIZE_MAX, .is_text = true});
}

/* An encoding of nothing at all: to be released like others. */
void mpl_codec_encode_nothing(struct mpl_codec_out *out) {
  mpl_codec_out_start(out);
}
