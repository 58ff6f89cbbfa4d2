/*
** Functions to bytes, and the globals that they name.
**
** The code names its globals (codec_globals.h). When the value of a message is written, the values
** of these follow as definitions, and those of the globals that the functions in them name, and so
** on. Each stands there once, so that functions may name themselves and each other. What cannot be
** sent is left out, and the receiver then has no such global, or its own: the message is taken back
** to where the definition began.
**
** Names are looked for by going through the globals table, once for the names of the message's
** value, once for those that came with their values, and so on: to make a Lua string of each would
** need memory of Lua (see the invariant of codec_encode.c).
**
** What a foreign environment has found (codec_environment.c) is defined after the globals of the
** same pass, and so goes before them.
*/
#include <lauxlib.h>
#include <string.h>

#include "base/hash.h"
#include "bind/codec_encoder.h"
#include "bind/codec_globals.h"
#include "ds/parcel.h"

/*
** Code
*/

static int append(lua_State *L, const void *bytes, size_t n, void *buf) {
  (void)L;
  return mpl_buf_append(buf, bytes, n) ? 0 : 1;
}

/* Notes a global of code that stands in the buffer. */
static bool note_global(void *to, const char *name, size_t n) {
  struct encoder *e = to;
  uint64_t hash = mpl_hash(name, n, n);
  return mpl_codec_names_standard(name, n) || mpl_codec_seen_find(&e->globals, hash) != NULL ||
         mpl_codec_seen_add(&e->globals, hash, (size_t)(name - e->out->bytes.data));
}

/* Which upvalues of the function on top are the globals table: by identity, as a dump may have lost
   their names; or the foreign environment. Returns whether there are any. */
static bool find_env(struct encoder *e, struct mpl_codec_upvalues *env) {
  lua_State *L = e->L;
  const char *name;
  bool any = false;
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
  for (int i = 1; (name = lua_getupvalue(L, -2, i)) != NULL; i++) {
    if (lua_rawequal(L, -1, -2) || mpl_codec_environment_is(e, name)) {
      mpl_codec_upvalues_add(env, (unsigned)i - 1);
      any = true;
    }
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return any;
}

/* Notes the globals of the function on top, whose code is the last `size` bytes of the buffer. */
static bool note_globals(struct encoder *e, size_t size) {
  struct mpl_codec_upvalues env = {{0}};
  if (!find_env(e, &env)) return true;
  const char *code = e->out->bytes.data + e->out->bytes.size - size;
  return mpl_codec_globals_find(code, size, &env, note_global, e);
}

/*
** Writes the code of the function on top, whose tag stands at tag_place. Code that is in the
** message already, of this function or of another closure, is only the place where it is, unless
** this closure's upvalues show globals in it that are new.
*/
static bool write_code(struct encoder *e, size_t tag_place) {
  struct mpl_buf *bytes = &e->out->bytes;
  size_t place = mpl_codec_out_place(e->out), start = bytes->size, globals = e->globals.count;
  if (!mpl_buf_reserve(bytes, CODEC_CODE_HEAD)) return false;
  bytes->size += CODEC_CODE_HEAD;
  if (lua_dump(e->L, append, bytes, 0) != 0) return false;
  size_t size = bytes->size - start - CODEC_CODE_HEAD;
  if (size > UINT32_MAX) return false;
  uint64_t hash = mpl_hash(bytes->data + start + CODEC_CODE_HEAD, size, size);
  mpl_endian_put64(bytes->data + start, hash);
  mpl_endian_put32(bytes->data + start + 8, (uint32_t)size);
  if (!note_globals(e, size)) return false;
  struct mpl_codec_seen_entry *entry = mpl_codec_seen_find(&e->codes, hash);
  if (entry != NULL && e->globals.count == globals) {
    bytes->size = start;
    bytes->data[tag_place] |= TAG_CODE_AT;
    return mpl_codec_out_count(e->out, entry->place);
  }
  return entry != NULL || mpl_codec_seen_add(&e->codes, hash, place);
}

/* Begins the function on top. */
enum result mpl_codec_function_open(struct encoder *e) {
  lua_State *L = e->L;
  if (lua_iscfunction(L, -1)) return mpl_codec_encoder_name_only(e);
  const void *object = lua_topointer(L, -1);
  enum result result;
  if (mpl_codec_encoder_module(e, object, &result) ||
      encoder_again(e, TAG_AGAIN, object, &result))
    return result;
  struct frame *f = mpl_codec_encoder_frame(e);
  if (f == NULL) return FAILED;
  f->kind = FUNCTION;
  f->upvalue = 0;
  size_t tag_place = e->out->bytes.size;
  if (!encoder_first(e, TAG_FUNCTION, object) || !write_code(e, tag_place))
    return encoder_fail(e, FAILURE_MEMORY);
  return OPENED;
}

/* Writes what is left of the upvalues of the function in frame f, up to the last or to one that
   opens another frame. */
enum result mpl_codec_function_upvalues(struct encoder *e, struct frame *f) {
  lua_State *L = e->L;
  const char *name;
  while ((name = lua_getupvalue(L, f->base, f->upvalue + 1)) != NULL) {
    f->upvalue++;
    const void *id = lua_upvalueid(L, f->base, f->upvalue);
    enum result result;
    if (!encoder_again(e, TAG_JOIN, id, &result)) {
      if (!encoder_first(e, TAG_UPVALUE, id))
        return encoder_fail(e, FAILURE_MEMORY);
      result = mpl_codec_environment_is(e, name)
                 ? encoder_written(e, mpl_codec_out_tag(e->out, TAG_GLOBALS))
                 : mpl_codec_encoder_value(e);
    }
    if (result != WRITTEN) return result;
    lua_pop(L, 1);
  }
  return encoder_written(e, mpl_codec_out_tag(e->out, TAG_END));
}

/*
** Definitions
*/

/* Opens the frame of the definitions, which is the only one then. */
enum result mpl_codec_function_begin_definitions(struct encoder *e) {
  if (mpl_codec_environment_is_due(e)) return encoder_fail(e, FAILURE_ENVIRONMENT);
  lua_rawgeti(e->L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
  struct frame *f = mpl_codec_encoder_frame(e);
  if (f == NULL) return FAILED;
  f->kind = DEFINITIONS;
  e->pass = 0;
  e->pass_end = e->globals.count;
  lua_pushnil(e->L);
  return OPENED;
}

/* Whether the value on top is a C function that is known as a global: its name is all that could be
   sent of it. */
static bool is_own_name(const struct encoder *e) {
  lua_State *L = e->L;
  int top = lua_gettop(L);
  bool own = lua_iscfunction(L, -1) &&
             mpl_codec_names_find(L, e->names_index, -1) == NAMES_MEMBER &&
             strcmp(lua_tostring(L, -2), LUA_GNAME) == 0 &&
             !mpl_codec_names_standard(lua_tostring(L, -1), lua_rawlen(L, -1));
  lua_settop(L, top);
  return own;
}

/* Whether the key of the entry on top is one of the names that this pass looks for. */
static bool is_named(const struct encoder *e) {
  if (lua_type(e->L, -2) != LUA_TSTRING) return false;
  size_t n;
  const char *name = lua_tolstring(e->L, -2, &n);
  const struct mpl_codec_seen_entry *entry = mpl_codec_seen_find(&e->globals, mpl_hash(name, n, n));
  if (entry == NULL) return false;
  size_t number = (size_t)(entry - e->globals.entries);
  return number >= e->pass && number < e->pass_end &&
         memcmp(e->out->bytes.data + entry->place, name, n) == 0;
}

static struct encoder_mark here(const struct encoder *e) {
  const struct mpl_codec_out *out = e->out;
  return (struct encoder_mark){
    .bytes = out->bytes.size, .cut = out->cut, .size = out->size, .npieces = out->npieces,
    .nrefs = out->nrefs, .parcels = out->parcels, .objects = e->objects.count,
    .codes = e->codes.count, .handles = e->handles.count, .globals = e->globals.count};
}

/* Takes the message back to the mark. That a first mention is marked as shared stays: it costs the
   receiver a little. */
static void take_back(struct encoder *e, const struct encoder_mark *m) {
  struct mpl_codec_out *out = e->out;
  if (out->parcels) mpl_parcel_release(out->refs + m->nrefs, out->nrefs - m->nrefs);
  out->bytes.size = m->bytes;
  out->cut = m->cut;
  out->size = m->size;
  out->npieces = m->npieces;
  out->nrefs = m->nrefs;
  out->parcels = m->parcels;
  mpl_codec_seen_cut(&e->objects, m->objects);
  mpl_codec_seen_cut(&e->codes, m->codes);
  mpl_codec_seen_cut(&e->handles, m->handles);
  mpl_codec_seen_cut(&e->globals, m->globals);
}

/* After a failure: leaves out the global that cannot be sent. Returns false if it was something
   else that failed. */
bool mpl_codec_function_leave_out(struct encoder *e) {
  bool whole = e->failure == FAILURE_MEMORY || encoder_begins_again(e);
  if (whole || e->depth == 0 || e->frames[0].kind != DEFINITIONS) return false;
  take_back(e, &e->mark);
  e->depth = 1;
  lua_settop(e->L, e->frames[0].base + 1);
  return true;
}

/* Writes the definition of the name and value on top, and pops both; or opens a frame for the value
   and leaves only that. */
static enum result define(struct encoder *e) {
  lua_State *L = e->L;
  e->mark = here(e);
  lua_pushvalue(L, -2);
  if (!mpl_codec_out_tag(e->out, TAG_DEFINE) || mpl_codec_encoder_value(e) != WRITTEN)
    return encoder_fail(e, FAILURE_MEMORY);
  lua_pop(L, 1);
  lua_remove(L, -2);
  enum result result = mpl_codec_encoder_value(e);
  if (result == WRITTEN) lua_pop(L, 1);
  return result;
}

/* Pushes the next global of this pass: name and value; false if there is none left. Stack: globals
   table, and the key in it or, once that is done, in what the foreign environment has found. */
static bool push_next(struct encoder *e, const struct frame *f) {
  lua_State *L = e->L;
  for (;;) {
    for (; lua_next(L, e->is_found ? e->env_index + 1 : f->base); lua_pop(L, 1)) {
      if (!is_named(e)) continue;
      if (e->is_found ? mpl_codec_environment_lacks(L) : is_own_name(e)) continue;
      lua_pushvalue(L, -2);
      lua_insert(L, -2);
      return true;
    }
    lua_pushnil(L);
    e->is_found = !e->is_found && !lua_isnil(L, e->env_index + 1);
    if (!e->is_found) return false;
  }
}

/* Writes what is left of the definitions, up to the last or to one that opens another frame. Stack:
   globals table, key. */
enum result mpl_codec_function_definitions(struct encoder *e, struct frame *f) {
  for (;;) {
    while (push_next(e, f)) {
      enum result result = define(e);
      if (result != WRITTEN) return result;
    }
    if (mpl_codec_environment_is_due(e)) return encoder_fail(e, FAILURE_ENVIRONMENT);
    if (e->pass_end == e->globals.count) {
      lua_pop(e->L, 1);
      return WRITTEN;
    }
    e->pass = e->pass_end;
    e->pass_end = e->globals.count;
  }
}
