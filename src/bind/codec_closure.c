/*
** Bytes to functions, and the globals that came along with them.
**
** Bytecode is checked against its hash and then trusted. A global is set when all of the message is
** good, and only if the receiver has none of its own with that name.
*/
#include "base/endian.h"
#include "base/hash.h"
#include "bind/codec_decoder.h"

/*
** Code
*/

struct code {
  const char *bytes;
  size_t size;
};

/* lua_Reader: all at once, then nothing. */
static const char *read_code(lua_State *L, void *state, size_t *size) {
  (void)L;
  struct code *code = state;
  const char *bytes = code->bytes;
  *size = code->size;
  code->bytes = NULL;
  code->size = 0;
  return bytes;
}

/* Pushes a new closure of the code whose head is at d->at, and steps over it. */
static void load_here(struct decoder *d) {
  lua_State *L = d->L;
  const unsigned char *head = decoder_take(d, CODEC_CODE_HEAD);
  struct code code = {NULL, mpl_endian_get32(head + 8)};
  code.bytes = (const char *)decoder_take(d, code.size);
  if (mpl_hash(code.bytes, code.size, code.size) != mpl_endian_get64(head))
    decoder_damaged(L, "the code of a function has changed");
  int status = lua_load(L, read_code, &code, "=function", "b");
  if (status == LUA_ERRMEM) lua_error(L);
  if (status != LUA_OK) luaL_error(L, "damaged message: %s", lua_tostring(L, -1));
}

/* The same for code that stands elsewhere in the message. */
static void load_there(struct decoder *d) {
  uint64_t place = decoder_take_count(d);
  const unsigned char *next = d->at;
  if (place >= (size_t)(next - d->begin))
    decoder_damaged(d->L, "the code of a function is missing");
  d->at = d->begin + place;
  load_here(d);
  d->at = next;
}

/* Begins a function, whose tag was taken, and opens a frame for it. */
void mpl_codec_closure_open(struct decoder *d, unsigned tag) {
  mpl_codec_decoder_frame(d)->is_function = true;
  if ((tag & TAG_CODE_AT) != 0)
    load_there(d);
  else
    load_here(d);
  mpl_codec_decoder_note(d, tag);
}

/*
** Upvalues
*/

/* Makes upvalue n of the function on top the same as the one whose number comes next. */
static void join_upvalue(struct decoder *d, int n) {
  lua_State *L = d->L;
  lua_Integer number = mpl_codec_decoder_earlier(d);
  int of = lua_gettop(L);
  if (lua_type(L, of) != LUA_TFUNCTION ||
      lua_rawgeti(L, d->base + SHARED, -number) != LUA_TNUMBER ||
      lua_upvalueid(L, of, (int)lua_tointeger(L, -1)) == NULL)
    decoder_damaged(L, "a shared upvalue leads nowhere");
  lua_upvaluejoin(L, of - 1, n, of, (int)lua_tointeger(L, -1));
  lua_settop(L, of - 1);
}

/* Counts upvalue n of the function on top. */
static void note_upvalue(struct decoder *d, unsigned tag, int n) {
  lua_Integer number = mpl_codec_decoder_note(d, tag);
  if (number == 0) return;
  lua_pushinteger(d->L, n);
  lua_rawseti(d->L, d->base + SHARED, -number);
}

/* Goes on giving the function of frame f its upvalues, from bytes, up to the last (true: the
   function is on top) or to one whose value opens another frame (false). Stack: function; and the
   value of an upvalue if the step is UPVALUE. */
bool mpl_codec_closure_upvalues(struct decoder *d, struct frame *f) {
  lua_State *L = d->L;
  for (;;) {
    if (f->step == UPVALUE) lua_setupvalue(L, -2, (int)f->done);
    f->step = BEGIN;
    bool more = lua_upvalueid(L, -1, (int)f->done + 1) != NULL;
    unsigned tag = *decoder_take(d, 1);
    if (more != (tag != TAG_END)) decoder_damaged(L, "a function has other upvalues than its code");
    if (!more) return true;
    f->done++;
    if (tag == TAG_JOIN) {
      join_upvalue(d, (int)f->done);
      continue;
    }
    if ((tag & ~(unsigned)TAG_SHARED) != TAG_UPVALUE) decoder_damaged(L, "an upvalue is missing");
    note_upvalue(d, tag, (int)f->done);
    f->step = UPVALUE;
    if (!mpl_codec_decoder_value(d)) return false;
  }
}

/*
** Definitions
*/

/* Pushes the table of the globals that messages have set: name -> value. Weak: what is not in use
   any more can be nobody's value. */
static void push_received(lua_State *L) {
  static const char registry_key;
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &registry_key) == LUA_TTABLE) return;
  lua_pop(L, 1);
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "v");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &registry_key);
}

/* Sets the global with the name and value on top, and pops the value, unless this process has one
   of its own: neither nil nor as a message left it. No metamethod is called. `globals`: the index
   of the globals table; the table of what messages have set follows. */
static void define(lua_State *L, int globals) {
  lua_pushvalue(L, -2);
  bool lacking = lua_rawget(L, globals) == LUA_TNIL;
  lua_pushvalue(L, -3);
  lua_rawget(L, globals + 1);
  bool is_own = !lacking && !lua_rawequal(L, -1, -2);
  lua_pop(L, 2);
  /* The global last: if memory is missing for it there is none, and the other says nothing. */
  for (int table = globals + 1; table >= globals && !is_own; table--) {
    lua_pushvalue(L, -2);
    lua_pushvalue(L, -2);
    lua_rawset(L, table);
  }
  lua_pop(L, 1);
}

/* Reads the definitions, and sets these globals when all of the message is good. */
void mpl_codec_closure_definitions(struct decoder *d) {
  lua_State *L = d->L;
  lua_newtable(L);
  lua_replace(L, d->base + DEFINED);
  while (decoder_take_tag(d, TAG_DEFINE)) {
    mpl_codec_decoder_string(d);
    mpl_codec_decoder_whole(d);
    lua_rawset(L, d->base + DEFINED);
  }
  if (d->at != d->end) return; /* see mpl_codec_decode */
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
  int globals = lua_gettop(L);
  push_received(L);
  lua_pushnil(L);
  while (lua_next(L, d->base + DEFINED)) define(L, globals);
}
