/*
** Bytes to Lua values.
**
** The bytes may be cut off or forged: every read is checked against the end, every number against
** what it may mean, and room is made for no more entries than the bytes could hold. What is refused
** raises "damaged message: ...". Bytecode is the exception: it is checked against its hash and then
** trusted, as Lua has no check for it.
**
** The walk keeps its own stack of frames, one for each table or function that is being filled, so
** that depth costs no C stack. Everything lives on the Lua stack or in the decoder, so that an
** error may be raised anywhere: `require` and memory do raise.
*/
#include <limits.h>
#include <string.h>

#include "base/endian.h"
#include "bind/args.h"
#include "bind/codec.h"
#include "bind/codec_decoder.h"
#include "bind/codec_names.h"
#include "bind/descriptor.h"
#include "bind/handle.h"

/* Lua stack that one step needs. */
#define STEP_SLOTS 12

/*
** Reading
*/

static void push_bytes(struct decoder *d, uint64_t n) {
  if (n > (size_t)(d->end - d->at)) decoder_damaged(d->L, "a string is cut short");
  const unsigned char *s = decoder_take(d, (size_t)n);
  lua_pushlstring(d->L, (const char *)s, (size_t)n);
}

static void push_float(struct decoder *d) {
  uint64_t bits = mpl_endian_get64(decoder_take(d, 8));
  lua_Number x;
  memcpy(&x, &bits, sizeof x);
  lua_pushnumber(d->L, x);
}

/* Pushes a value without parts. Returns false if the tag means something else. */
static inline bool push_scalar(struct decoder *d, unsigned tag) {
  lua_State *L = d->L;
  if (tag <= CODEC_MAX_SMALL) {
    lua_pushinteger(L, (lua_Integer)tag);
    return true;
  }
  if (tag <= TAG_SHORT_STRING + CODEC_MAX_SHORT) {
    size_t n = tag - TAG_SHORT_STRING;
    lua_pushlstring(L, (const char *)decoder_take(d, n), n);
    return true;
  }
  switch (tag) {
    case TAG_NIL:
      lua_pushnil(L);
      return true;
    case TAG_FALSE:
    case TAG_TRUE:
      lua_pushboolean(L, tag == TAG_TRUE);
      return true;
    case TAG_INT8:
      lua_pushinteger(L, (int8_t)*decoder_take(d, 1));
      return true;
    case TAG_INT16:
      lua_pushinteger(L, (int16_t)mpl_endian_get16(decoder_take(d, 2)));
      return true;
    case TAG_INT32:
      lua_pushinteger(L, (int32_t)mpl_endian_get32(decoder_take(d, 4)));
      return true;
    case TAG_INT64:
      lua_pushinteger(L, (lua_Integer)mpl_endian_get64(decoder_take(d, 8)));
      return true;
    case TAG_FLOAT:
      push_float(d);
      return true;
    case TAG_STRING:
      push_bytes(d, decoder_take_count(d));
      return true;
    default:
      return false;
  }
}

/* Reads a string, and pushes it. */
void mpl_codec_decoder_string(struct decoder *d) {
  unsigned tag = *decoder_take(d, 1);
  if (!push_scalar(d, tag) || lua_type(d->L, -1) != LUA_TSTRING)
    decoder_damaged(d->L, "a name is not a string");
}

/* Pushes what stands under a name of one part, a module, or of two. */
static void push_named(struct decoder *d, bool is_member) {
  lua_State *L = d->L;
  mpl_codec_decoder_string(d);
  if (is_member)
    mpl_codec_decoder_string(d);
  else
    lua_pushnil(L);
  const char *module = lua_tostring(L, -2), *field = lua_tostring(L, -1);
  lua_pushvalue(L, -2);
  lua_pushvalue(L, -2);
  if (!mpl_codec_names_resolve(L, d->base + NAMES))
    luaL_error(L, "cannot receive function '%s': module '%s' has none here",
               field != NULL ? field : "?", module);
  lua_replace(L, -3);
  lua_pop(L, 1);
}

static uint64_t take_ref(struct decoder *d) {
  uint64_t index = decoder_take_count(d);
  if (index >= d->nrefs) decoder_damaged(d->L, "a shared object is not in its list");
  return d->refs[index];
}

/*
** What is mentioned again
*/

/* Counts a first mention; the function or table is on top. Returns its number, or 0 if nothing
   later refers to it; otherwise the object is kept. */
lua_Integer mpl_codec_decoder_note(struct decoder *d, unsigned tag) {
  lua_State *L = d->L;
  d->objects++;
  if ((tag & TAG_SHARED) == 0) return 0;
  if (lua_isnil(L, d->base + SHARED)) {
    lua_newtable(L);
    lua_replace(L, d->base + SHARED);
  }
  lua_pushvalue(L, -1);
  lua_rawseti(L, d->base + SHARED, (lua_Integer)d->objects);
  return (lua_Integer)d->objects;
}

/* Reads the number of an earlier mention, and pushes what was kept. */
lua_Integer mpl_codec_decoder_earlier(struct decoder *d) {
  lua_State *L = d->L;
  uint64_t number = decoder_take_count(d);
  if (number == 0 || number > d->objects || lua_isnil(L, d->base + SHARED) ||
      lua_rawgeti(L, d->base + SHARED, (lua_Integer)number) == LUA_TNIL)
    decoder_damaged(L, "a back reference leads nowhere");
  return (lua_Integer)number;
}

/*
** Frames
*/

/* Makes room on the Lua stack. The depth is limited, so that only memory can be missing. */
static void need_stack(lua_State *L) {
  if (!lua_checkstack(L, STEP_SLOTS)) mpl_args_raise(L, MPL_NOPRIVATE);
}

/* Adds a frame, which stands still until the next one is added. */
struct frame *mpl_codec_decoder_frame(struct decoder *d) {
  if (d->depth == MPL_CODEC_MAX_DEPTH) decoder_damaged(d->L, "it is nested too deeply");
  need_stack(d->L);
  if (d->depth == d->room) {
    struct frame *frames = lua_newuserdatauv(d->L, 2 * d->room * sizeof *frames, 0);
    memcpy(frames, d->frames, d->room * sizeof *frames);
    lua_replace(d->L, d->base + FRAMES);
    d->frames = frames;
    d->room *= 2;
  }
  struct frame *f = &d->frames[d->depth++];
  memset(f, 0, sizeof *f);
  return f;
}

/* Takes room for n entries out of what the whole message may ask for: an honest message has a byte
   for each. */
static int make_room(struct decoder *d, uint64_t n) {
  if (n > d->slots) decoder_damaged(d->L, "a table is larger than the message");
  d->slots -= (size_t)n;
  return n > INT_MAX ? INT_MAX : (int)n;
}

/* Pushes the metatable whose name comes next. */
static void push_class(struct decoder *d) {
  lua_State *L = d->L;
  mpl_codec_decoder_string(d);
  lua_pushvalue(L, -1);
  if (mpl_codec_names_class(L, d->base + NAMES) != LUA_TTABLE)
    luaL_error(L, "cannot receive a table: no metatable is registered as '%s' here; call "
                  "process.register(name, metatable), or extend, before this process is started",
               lua_tostring(L, -2));
  lua_remove(L, -2);
}

static void open_table(struct decoder *d, unsigned tag) {
  struct frame *f = mpl_codec_decoder_frame(d);
  f->has_class = (tag & TAG_CLASS) != 0;
  if (f->has_class) push_class(d);
  if ((tag & TAG_LIST) != 0) f->elements = mpl_endian_get32(decoder_take(d, 4));
  unsigned hint = *decoder_take(d, 1);
  if (hint > 63) decoder_damaged(d->L, "a table is larger than the message");
  int list = make_room(d, f->elements);
  int pairs = make_room(d, hint == 0 ? 0 : UINT64_C(1) << (hint - 1));
  lua_createtable(d->L, list, pairs);
  mpl_codec_decoder_note(d, tag);
}

static void push_descriptor(struct decoder *d, unsigned tag) {
  struct mpl_descriptor descriptor = {.fd = -1};
  uint64_t parcel = take_ref(d);
  if ((tag & ~(unsigned)TAG_SHARED) == TAG_CONNECTION) {
    descriptor.pipe = take_ref(d);
    descriptor.flags = *decoder_take(d, 1);
  }
  mpl_descriptor_push(d->L, &descriptor, parcel);
  mpl_codec_decoder_note(d, tag);
}

/* Reads one value. Returns true if it is on top of the stack, false if it is an object on top whose
   parts follow, for which a frame was opened. */
bool mpl_codec_decoder_value(struct decoder *d) {
  unsigned tag = *decoder_take(d, 1);
  if (push_scalar(d, tag)) return true;
  if ((tag & ~(unsigned)(TAG_LIST | TAG_CLASS | TAG_SHARED)) == TAG_TABLE) {
    open_table(d, tag);
    return false;
  }
  if ((tag & ~(unsigned)(TAG_CODE_AT | TAG_SHARED)) == TAG_FUNCTION) {
    mpl_codec_closure_open(d, tag);
    return false;
  }
  if ((tag & ~(unsigned)TAG_SHARED) == TAG_DESCRIPTOR ||
      (tag & ~(unsigned)TAG_SHARED) == TAG_CONNECTION) {
    push_descriptor(d, tag);
    return true;
  }
  switch (tag) {
    case TAG_NULL:
      lua_pushlightuserdata(d->L, NULL);
      return true;
    case TAG_GLOBALS:
      lua_rawgeti(d->L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
      return true;
    case TAG_MODULE:
    case TAG_MEMBER:
      push_named(d, tag == TAG_MEMBER);
      return true;
    case TAG_METATABLE:
      push_class(d);
      return true;
    case TAG_AGAIN:
      mpl_codec_decoder_earlier(d);
      return true;
    case TAG_OBJECT:
      mpl_handle_push(d->L, take_ref(d));
      return true;
    default:
      decoder_damaged(d->L, "an unknown kind of value");
  }
}

static void check_key(lua_State *L) {
  int type = lua_type(L, -1);
  if (type == LUA_TNIL || (type == LUA_TNUMBER && !lua_rawequal(L, -1, -1)))
    decoder_damaged(L, "a key is nil or NaN");
}

static void close_table(struct decoder *d, const struct frame *f) {
  if (!f->has_class) return;
  lua_insert(d->L, -2);
  lua_setmetatable(d->L, -2);
}

/*
** Goes on filling the table of frame f, from bytes, up to its end (true: the table is on top) or to
** a part that opens another frame (false; the part is on top when this is called again). Stack:
** table; and the key if the step is VALUE; and the part, unless the step is BEGIN.
*/
static bool fill_table(struct decoder *d, struct frame *f) {
  lua_State *L = d->L;
  for (;;) {
    switch (f->step) {
      case ELEMENT:
        lua_rawseti(L, -2, (lua_Integer)++f->done);
        break;
      case KEY:
        check_key(L);
        f->step = VALUE;
        if (!mpl_codec_decoder_value(d)) return false;
        /* fallthrough */
      case VALUE:
        lua_rawset(L, -3);
        break;
      default:
        break;
    }
    if (f->done < f->elements) {
      f->step = ELEMENT;
    } else if (decoder_take_tag(d, TAG_END)) {
      close_table(d, f);
      return true;
    } else {
      f->step = KEY;
    }
    if (!mpl_codec_decoder_value(d)) return false;
  }
}

/* Reads a value with all its parts, and pushes it. */
void mpl_codec_decoder_whole(struct decoder *d) {
  mpl_codec_decoder_value(d);
  while (d->depth > 0) {
    struct frame *f = &d->frames[d->depth - 1];
    if (f->is_function ? mpl_codec_closure_upvalues(d, f) : fill_table(d, f)) d->depth--;
  }
}

/* Reads a value that has parts or a name, and pushes it. */
static void decode_parts(struct decoder *d) {
  lua_State *L = d->L;
  struct frame initial_frames[12];
  need_stack(L);
  d->base = lua_gettop(L);
  d->slots = (size_t)(d->end - d->begin);
  d->frames = initial_frames;
  d->room = sizeof initial_frames / sizeof *initial_frames;
  lua_settop(L, d->base + DEFINED);
  mpl_codec_names_push(L);
  mpl_codec_decoder_whole(d);
  if (d->at != d->end && *d->at == TAG_DEFINE) mpl_codec_closure_definitions(d);
  d->frames = NULL; /* initial_frames ends here */
  lua_pushvalue(L, d->base + RESULT);
  lua_replace(L, d->base + 1);
  lua_settop(L, d->base + 1);
}

/* Whether the value of a message is pushed without any memory: nil, a boolean or a number. */
bool mpl_codec_is_plain(const void *data) {
  unsigned tag = *(const unsigned char *)data;
  return tag <= CODEC_MAX_SMALL || (tag >= TAG_NIL && tag <= TAG_FLOAT);
}

/*
** Pushes the value that `size` bytes at `data` stand for; they may lie at any address, and nobody
** may change them meanwhile. `refs` are the ids of the shared objects of the message. Raises
** "damaged message: ..." for bytes that are not whole, and other errors for what this process
** lacks: a metatable, a module, a function in it. May run Lua (finalizers, `require`).
*/
void mpl_codec_decode(lua_State *L, const void *data, size_t size, const uint64_t *refs,
                      size_t nrefs) {
  const unsigned char *bytes = data;
  struct decoder d = {
    .L = L, .begin = bytes, .at = bytes, .end = bytes + size, .refs = refs, .nrefs = nrefs};
  if (!push_scalar(&d, *decoder_take(&d, 1))) {
    d.at = d.begin;
    decode_parts(&d);
  }
  if (d.at != d.end) decoder_damaged(L, "bytes follow its end");
}
