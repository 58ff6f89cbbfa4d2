/*
** The codec from below: what a script cannot see (pieces, references, allocations), messages that
** nobody would write, and memory that runs out at every point.
**
** Linked with --wrap for malloc, realloc and free: the codec calls only realloc and free (of which
** a compiler may make malloc), and they are counted and made to fail here.
*/
#include <stddef.h>

void *__real_malloc(size_t size);
void *__real_realloc(void *block, size_t size);
void __real_free(void *block);
#define STUB_MALLOC __real_malloc
#define STUB_FREE __real_free

#include "base/endian.h"
#include "bind/codec_globals.h"
#include "codec_stub.h"
#include "unit.h"

/*
** Private memory of the codec
*/

void *__wrap_malloc(size_t size);
void *__wrap_realloc(void *block, size_t size);
void __wrap_free(void *block);

static size_t blocks, reallocs;
static size_t reallocs_left = SIZE_MAX;
static bool counting;

void *__wrap_realloc(void *block, size_t size) {
  if (!counting) return __real_realloc(block, size);
  reallocs++;
  if (reallocs_left == 0) return NULL;
  if (reallocs_left != SIZE_MAX) reallocs_left--;
  void *place = __real_realloc(block, size);
  if (block == NULL && place != NULL) blocks++;
  return place;
}

void *__wrap_malloc(size_t size) {
  return counting ? __wrap_realloc(NULL, size) : __real_malloc(size);
}

void __wrap_free(void *block) {
  if (counting && block != NULL) blocks--;
  __real_free(block);
}

/*
** Messages
*/

struct message {
  char *bytes;
  size_t size;
  uint64_t refs[16];
  size_t nrefs;
};

/* Encodes the value on top of the stack, which stays. */
static struct message encode(lua_State *L) {
  struct mpl_codec_out out;
  struct message m = {0};
  mpl_codec_encode(L, -1, &out);
  m.bytes = malloc(out.size + 1);
  CHECK(m.bytes != NULL && out.nrefs <= 16);
  for (size_t i = 0; i < out.npieces; m.size += out.pieces[i++].size)
    memcpy(m.bytes + m.size, out.pieces[i].data, out.pieces[i].size);
  CHECK(m.size == out.size);
  memcpy(m.refs, out.refs, out.nrefs * sizeof *m.refs);
  m.nrefs = out.nrefs;
  mpl_codec_release(&out);
  return m;
}

static int decode_call(lua_State *L) {
  const struct message *m = lua_touserdata(L, 1);
  int top = lua_gettop(L);
  mpl_codec_decode(L, m->bytes, m->size, m->refs, m->nrefs);
  CHECK(lua_gettop(L) == top + 1);
  return 1;
}

/* Pushes the value or the error. */
static int decode(lua_State *L, const struct message *m) {
  lua_pushcfunction(L, decode_call);
  lua_pushlightuserdata(L, (void *)(uintptr_t)m);
  return lua_pcall(L, 1, 1, 0);
}

/* Pushes what the Lua source returns. */
static void push(lua_State *L, const char *source) {
  bool runs = luaL_dostring(L, source) == LUA_OK;
  if (!runs) fprintf(stderr, "%s\n", lua_tostring(L, -1));
  CHECK(runs);
}

/* A value with something of everything; with PIECE at its default, enough of it to leave every
   initial storage of an encoding. */
static const char *const everything =
  "local Class = {}\n"
  "process.register('Class', Class)\n"
  "local shared, n, custom = { 'shared' }, 0, { x = 1 }\n"
  "local function count() n = n + 1 return n, shared, _G end\n"
  "local function again() n = n + 1 return count, again end\n"
  "local function make(k) return function() return k end end\n"
  "function global(k) return other(k), SETTINGS, UNSENT, MISSING end\n"
  "function other(k) return k == 0 or global(k - 1), ('p'):rep(PIECE or 5000) end\n"
  "SETTINGS = { shared, process.object(9), ('p'):rep(PIECE or 5000), global }\n"
  "UNSENT = { {}, ('p'):rep(PIECE or 5000), process.object(12), make, coroutine.create(print) }\n"
  "local v = { 1, -1, 2^70, 1 << 40, 'text', ('long'):rep(300), true, false, nil, 1000, -70000,\n"
  "  shared, shared, count, again, global, print, string, _G,\n"
  "  process.object(7), process.object(8),\n"
  "  setmetatable({ x = 1, y = 2 }, Class), load('return x', '=x', 'b' .. 't', custom), custom,\n"
  "  [shared] = 'key', [2.5] = {}, [-3] = { {}, {}, {}, { ('s'):rep(70) } } }\n"
  "v.self, v[v] = v, v\n"
  "local deep = v\n"
  "for i = 1, 20 do deep.deep = { i, ('p'):rep(PIECE or 5000), process.object(i % 9 + 1) }\n"
  "  deep = deep.deep end\n"
  "deep.same_code = { make(1), ('p'):rep(PIECE or 5000), make(2), make(3) }\n"
  "return v";

static void numbers_are_exact(void) {
  static const uint64_t floats[] = {0, UINT64_C(1) << 63, UINT64_C(0x7ff0000000000001),
                                    UINT64_C(0xfff8dead0000beef), UINT64_C(0x7fefffffffffffff), 1};
  lua_State *L = stub_state();
  for (size_t i = 0; i < sizeof floats / sizeof *floats; i++) {
    lua_Number x;
    memcpy(&x, &floats[i], sizeof x);
    lua_pushnumber(L, x);
    struct message m = encode(L);
    CHECK(decode(L, &m) == LUA_OK && lua_type(L, -1) == LUA_TNUMBER && !lua_isinteger(L, -1));
    x = lua_tonumber(L, -1);
    CHECK(memcmp(&x, &floats[i], sizeof x) == 0);
    free(m.bytes);
    lua_settop(L, 0);
  }
  for (int shift = 0; shift < 64; shift++) {
    for (int near = -1; near <= 1; near++) {
      lua_Integer n = (lua_Integer)((UINT64_C(1) << shift) + (uint64_t)near);
      lua_pushinteger(L, n);
      struct message m = encode(L);
      CHECK(decode(L, &m) == LUA_OK && lua_isinteger(L, -1) && lua_tointeger(L, -1) == n);
      free(m.bytes);
      lua_settop(L, 0);
    }
  }
  lua_close(L);
}

static void small_values_allocate_nothing(void) {
  static const char *const sources[] = {
    "return 5", "return -2.5", "return nil", "return ('x'):rep(900)", "return ('x'):rep(20000)",
    "return { id = 1, name = 'x', flag = true }", "return { 1, 2, { 3, 4 }, { x = {} } }",
    "return { process.object(1), process.object(2) }", "return { print, string }",
    "local n = 0 return function() n = n + 1 return n end"};
  lua_State *L = stub_state();
  for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
    push(L, sources[i]);
    struct mpl_codec_out out;
    mpl_codec_encode(L, -1, &out); /* the first one looks up names, and grows the stack */
    mpl_codec_release(&out);
    counting = true;
    size_t calls = stub_calls;
    mpl_codec_encode(L, -1, &out);
    CHECK(stub_calls == calls && reallocs == 0);
    mpl_codec_release(&out);
    counting = false;
    lua_settop(L, 0);
  }
  lua_close(L);
}

static void long_strings_stay_in_place(void) {
  lua_State *L = stub_state();
  push(L, "return { 1, ('a'):rep(20000), 2, ('b'):rep(4096), ('c'):rep(20000) }");
  struct mpl_codec_out out;
  mpl_codec_encode(L, -1, &out);
  CHECK(out.npieces == 7);
  size_t size = 0;
  for (size_t i = 0; i < out.npieces; i++) size += out.pieces[i].size;
  CHECK(size == out.size && size > 44096);
  for (int i = 0; i < 3; i++) {
    static const int at[] = {2, 4, 5};
    lua_rawgeti(L, 1, at[i]);
    CHECK(out.pieces[2 * i + 1].data == lua_tostring(L, -1));
    CHECK(out.pieces[2 * i + 1].size == lua_rawlen(L, -1));
    lua_pop(L, 1);
  }
  mpl_codec_release(&out);
  mpl_codec_release(&out);
  struct mpl_codec_out flat;
  mpl_codec_encode_flat(L, -1, &flat);
  CHECK(flat.npieces == 1 && flat.size == size && flat.pieces[0].data == flat.bytes.data);
  mpl_codec_release(&flat);
  lua_settop(L, 0);
  for (int n = MPL_CODEC_INPLACE - 2; n <= MPL_CODEC_INPLACE; n++) {
    lua_pushinteger(L, n);
    lua_setglobal(L, "n");
    push(L, "return { 1, ('x'):rep(n) }");
    mpl_codec_encode(L, -1, &out);
    CHECK((out.npieces == 1) == (n < MPL_CODEC_INPLACE));
    mpl_codec_release(&out);
    struct message m = encode(L);
    CHECK(decode(L, &m) == LUA_OK && lua_rawgeti(L, -1, 2) == LUA_TSTRING);
    CHECK(lua_rawlen(L, -1) == (lua_Unsigned)n);
    free(m.bytes);
    lua_settop(L, 0);
  }
  lua_close(L);
}

static void shared_objects_are_listed_once(void) {
  lua_State *L = stub_state();
  push(L, "local o = {}\n"
          "for i = 1, 12 do o[i] = process.object(i) o[12 + i] = process.object(13 - i) end\n"
          "return o");
  struct message m = encode(L);
  CHECK(m.nrefs == 12);
  for (size_t i = 0; i < m.nrefs; i++) CHECK(m.refs[i] == i + 1);
  CHECK(decode(L, &m) == LUA_OK);
  for (int i = 1; i <= 24; i++) {
    lua_rawgeti(L, -1, i);
    CHECK(mpl_handle_id(L, -1) == (uint64_t)(i <= 12 ? i : 25 - i));
    lua_pop(L, 1);
  }
  m.nrefs = 11;
  CHECK(decode(L, &m) != LUA_OK);
  m.nrefs = 12;
  m.refs[0] = 5000;
  CHECK(decode(L, &m) != LUA_OK);
  free(m.bytes);
  lua_close(L);
}

/* The message ends as if the global that could not be sent had never been begun. */
static void what_is_left_out_leaves_nothing(void) {
  static const char *const globals[] = {
    "BAD = { { 1 }, ('p'):rep(5000), process.object(12), function() return OTHER end, SHARED,\n"
    "  coroutine.create(print) }",
    "BAD = {} for i = 1, 100 do BAD[i] = { i, process.object(i + 20), ('p'):rep(5000) } end\n"
    "BAD[101] = io.stdout"};
  for (size_t i = 0; i < sizeof globals / sizeof *globals; i++) {
    lua_State *L = stub_state();
    push(L, "OTHER, SHARED = 5, { 6 }\n"
            "function f() return BAD, SHARED end return { f, SHARED, process.object(1) }");
    struct message without = encode(L);
    push(L, globals[i]);
    lua_settop(L, 1);
    struct message with = encode(L);
    CHECK(with.size == without.size && memcmp(with.bytes, without.bytes, with.size) == 0);
    CHECK(with.nrefs == 1 && with.refs[0] == 1);
    free(without.bytes);
    free(with.bytes);
    lua_close(L);
  }
}

/* A search of damaged code ends, and what it finds lies in the code. */
static bool note_in_code(void *to, const char *name, size_t n) {
  const struct message *code = to;
  CHECK(name >= code->bytes && n <= code->size);
  CHECK((size_t)(name - code->bytes) <= code->size - n);
  return true;
}

static void code_may_be_damaged(void) {
  lua_State *L = stub_state();
  push(L, "local source = { 'local a = 1 return function() return b, a, function() ' }\n"
          "for i = 1, 300 do source[#source + 1] = 'x(\"s' .. i .. '\", ' .. i .. '.5, y.z) ' end\n"
          "source[#source + 1] = 'return g' .. ('g'):rep(50) .. ' end end'\n"
          "return string.dump(load(table.concat(source)))");
  struct message code = {0};
  const char *whole = lua_tolstring(L, -1, &code.size);
  struct mpl_codec_upvalues env = {{1}};
  size_t size = code.size;
  for (size_t n = 0; n <= size * 2; n++) {
    code.size = n < size ? n : size;
    code.bytes = malloc(code.size + (code.size == 0));
    CHECK(code.bytes != NULL);
    memcpy(code.bytes, whole, code.size);
    if (n >= size) code.bytes[n % size] ^= (char)(n % 255 + 1);
    CHECK(mpl_codec_globals_find(code.bytes, code.size, &env, note_in_code, &code));
    free(code.bytes);
  }
  lua_close(L);
}

static int encode_call(lua_State *L) {
  struct mpl_codec_out out;
  mpl_codec_encode(L, 1, &out);
  mpl_codec_release(&out);
  return 0;
}

/* Checks that the value on top, which is taken, cannot be sent, and why. */
static void check_refused(lua_State *L, const char *message) {
  lua_pushcfunction(L, encode_call);
  lua_insert(L, -2);
  CHECK(lua_pcall(L, 1, 0, 0) == LUA_ERRRUN);
  if (strcmp(lua_tostring(L, -1), message) != 0) fprintf(stderr, "%s\n", lua_tostring(L, -1));
  CHECK(strcmp(lua_tostring(L, -1), message) == 0);
  lua_pop(L, 1);
}

static void foreign_values_are_refused(void) {
  lua_State *L = stub_state();
  lua_newuserdatauv(L, 1, 0);
  check_refused(L, "cannot send a userdata: at value");
  lua_newuserdatauv(L, 1, 0);
  luaL_newmetatable(L, "foreign.type");
  lua_setmetatable(L, -2);
  check_refused(L, "cannot send a userdata (foreign.type): at value");
  lua_createtable(L, 1, 0);
  lua_pushlightuserdata(L, L);
  lua_rawseti(L, -2, 1);
  check_refused(L, "cannot send a light userdata: at value[1]");
  lua_pushlightuserdata(L, NULL);
  struct message m = encode(L);
  CHECK(decode(L, &m) == LUA_OK && lua_islightuserdata(L, -1) && lua_touserdata(L, -1) == NULL);
  free(m.bytes);
  lua_close(L);
}

/* Then a module that came later is found once a C function in it has been looked for. */
static void a_metatable_of_loaded_is_left_alone(void) {
  lua_State *L = stub_state();
  push(L, "mt = {} setmetatable(package.loaded, mt) process.dumps {}\n"
          "package.loaded.late = { f = coroutine.wrap(print) }\n"
          "assert(process.loads(process.dumps(package.loaded.late.f)) == package.loaded.late.f)\n"
          "assert(process.loads(process.dumps(package.loaded.late)) == package.loaded.late)\n"
          "assert(getmetatable(package.loaded) == mt and next(mt) == nil)");
  lua_close(L);
}

/* Every beginning is refused, but the value with fewer definitions; and every changed bit gives a
   value or an error, in bounded memory. The bytes are in a block of their own size, so that a
   sanitizer sees a read beyond. */
static void damage_is_no_crash(void) {
  lua_State *L = stub_state();
  push(L, "PIECE = 200");
  push(L, everything);
  struct message whole = encode(L);
  int definitions = 0;
  for (size_t n = 0; n < whole.size; n++) {
    struct message cut = whole;
    cut.bytes = malloc(n + (n == 0));
    CHECK(cut.bytes != NULL);
    memcpy(cut.bytes, whole.bytes, n);
    cut.size = n;
    int status = decode(L, &cut);
    definitions += status == LUA_OK;
    CHECK(status == LUA_OK || strstr(lua_tostring(L, -1), "damaged message: ") != NULL);
    free(cut.bytes);
    lua_settop(L, 1);
  }
  CHECK(definitions == 4);
  lua_gc(L, LUA_GCCOLLECT);
  stub_limit = stub_bytes + 200 * whole.size;
  for (size_t bit = 0; bit < whole.size * 8; bit++) {
    whole.bytes[bit / 8] ^= (char)(1 << bit % 8);
    int status = decode(L, &whole);
    CHECK(status == LUA_OK || status == LUA_ERRRUN);
    whole.bytes[bit / 8] ^= (char)(1 << bit % 8);
    lua_settop(L, 1);
  }
  CHECK(decode(L, &whole) == LUA_OK);
  free(whole.bytes);
  lua_close(L);
}

#define BYTES(s) {(char *)(uintptr_t)(s), sizeof(s) - 1, {1}, 1}

/* The tags are those of codec_format.h. */
static void forgeries_are_refused(void) {
  static const struct message forged[] = {
    BYTES(""),                                             /* nothing */
    BYTES("\x01\x01"),                                     /* two values */
    BYTES("\xcf"), BYTES("\xd0"), BYTES("\xff"),           /* END, and no tag at all */
    BYTES("\xe0\x00"),                                     /* no END */
    BYTES("\xe0\x00\x01\xcf"),                             /* key without a value */
    BYTES("\xe0\x01\xc0\x01\xcf"),                         /* nil as a key */
    BYTES("\xe0\x01\xc7\x01\0\0\0\0\0\xf0\x7f\x01\xcf"),   /* NaN as a key */
    BYTES("\xe0\x40\xcf"), BYTES("\xe0\xff\xcf"),          /* room for 2^63 pairs, and more */
    BYTES("\xe1\xff\xff\xff\xff\x00\xcf"),                 /* 2^32 elements */
    BYTES("\xe1\x02\0\0\0\x00\x01\xcf"),                   /* one element of two */
    BYTES("\xe2\x01\x00\xcf"), BYTES("\xe2\xe0\x00\xcf"),  /* a class that is no string */
    BYTES("\xc8\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), /* a string of 2^64 - 1 bytes */
    BYTES("\xc8\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), /* a count with 11 bytes */
    BYTES("\xc8\x05only"),                                 /* a string that is too short */
    BYTES("\xcd\x00"), BYTES("\xcd\x01"),                  /* nothing was mentioned before */
    BYTES("\xe1\x02\0\0\0\x00\xe0\x00\xcf\xcd\x02\xcf"),   /* mentioned, but not to be kept */
    BYTES("\xce\x01"),                                     /* second of one shared object */
    BYTES("\xcb\x05"), BYTES("\xcc\x85table\x01"),         /* names that are no strings */
    BYTES("\xe8\0\0\0\0\0\0\0\0\x00\0\0\0\xcf"),           /* empty code with a wrong hash */
    BYTES("\xe9\x00\xcf"), BYTES("\xe9\x40\xcf"),          /* code in the tag, and behind the end */
    BYTES("\xf0\x01"), BYTES("\xf8\x01"),                  /* upvalues of nothing */
    BYTES("\xf9\x81x\x01"),                               /* a definition and no value */
    BYTES("\x01\xf9\x81x\x01"),                           /* after a number, which names nothing */
    BYTES("\xc9\xf9\x01\x01"), BYTES("\xc9\xf9\x81x"),   /* without a name, without a value */
    BYTES("\xc9\xf9\x81x\x01\x01"),                       /* and a value that is none's */
    BYTES("\xea\x01\x02\x03\xcf"),                        /* the half of a hash */
  };
  lua_State *L = stub_state();
  for (size_t i = 0; i < sizeof forged / sizeof *forged; i++) {
    bool refused = decode(L, &forged[i]) == LUA_ERRRUN &&
                   strncmp(lua_tostring(L, -1), "damaged message: ", 17) == 0;
    if (!refused) fprintf(stderr, "forgery %zu\n", i);
    CHECK(refused);
    lua_settop(L, 0);
  }
  lua_close(L);
}

/* Tables in tables, each of which asks for room for all that the bytes could hold. */
static void room_is_asked_for_once(void) {
  enum { LEVELS = 10000, LEVEL = 7 };
  lua_State *L = stub_state();
  struct message m = {malloc(LEVELS * LEVEL), LEVELS * LEVEL, {0}, 0};
  CHECK(m.bytes != NULL);
  for (size_t i = 0; i < LEVELS; i++) {
    char *p = m.bytes + i * LEVEL;
    *p = (char)0xe1;
    mpl_endian_put32(p + 1, LEVELS);
    p[5] = 0;
    p[6] = (char)0xc0;
  }
  stub_limit = stub_bytes + 50 * m.size;
  CHECK(decode(L, &m) == LUA_ERRRUN);
  CHECK(strstr(lua_tostring(L, -1), "larger than the message") != NULL);
  free(m.bytes);
  lua_close(L);
}

static void addresses_need_no_alignment(void) {
  lua_State *L = stub_state();
  push(L, everything);
  struct message m = encode(L);
  char *room = malloc(m.size + 8);
  CHECK(room != NULL);
  for (size_t offset = 0; offset < 8; offset++) {
    struct message moved = m;
    moved.bytes = room + offset;
    memcpy(moved.bytes, m.bytes, m.size);
    CHECK(decode(L, &moved) == LUA_OK);
    lua_settop(L, 1);
  }
  free(room);
  free(m.bytes);
  lua_close(L);
}

static void depth_costs_no_c_stack(void) {
  static const char *const sources[] = {
    "local v = {} for i = 2, 200000 do v = { v } end return v",
    "local v = {} for i = 2, 200000 do v = { [v] = 1 } end return v",
    "local v for i = 1, 200000 do local u = v v = function() return u end end return v"};
  lua_State *L = stub_state();
  for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
    push(L, sources[i]);
    struct message m = encode(L);
    CHECK(decode(L, &m) == LUA_OK && lua_type(L, -1) == lua_type(L, -2));
    free(m.bytes);
    lua_settop(L, 0);
  }
  size_t size = 3 * (MPL_CODEC_MAX_DEPTH + 1);
  struct message m = {malloc(size), size, {0}, 0};
  CHECK(m.bytes != NULL);
  for (size_t i = 0; i < size; i += 3) memcpy(m.bytes + i, "\xe0\x00\x01", 3);
  CHECK(decode(L, &m) == LUA_ERRRUN && strstr(lua_tostring(L, -1), "too deeply") != NULL);
  free(m.bytes);
  lua_close(L);
}

/* Finalizers run while a message is decoded and names are looked up; they use the codec too. */
static void finalizers_may_use_the_codec(void) {
  lua_State *L = stub_state();
  push(L, "collectgarbage('setpause', 0) collectgarbage('setstepmul', 1000)\n"
          "finalized = 0\n"
          "local mt = {}\n"
          "function mt.__gc(o)\n"
          "  local v = process.loads(process.dumps { o.n, { print, mt.__gc } })\n"
          "  assert(v[1] == o.n)\n"
          "  package.loaded['module' .. o.n % 7] = { o.n }\n"
          "  finalized = finalized + 1\n"
          "  if finalized < 2000 then setmetatable({ n = o.n + 1 }, mt) end\n"
          "end\n"
          "for i = 1, 50 do setmetatable({ n = i }, mt) end");
  push(L, everything);
  for (int i = 0; i < 300; i++) {
    struct message m = encode(L);
    CHECK(decode(L, &m) == LUA_OK);
    lua_getfield(L, -1, "self");
    CHECK(lua_rawequal(L, -1, -2));
    free(m.bytes);
    lua_settop(L, 1);
  }
  lua_getglobal(L, "finalized");
  CHECK(lua_tointeger(L, -1) > 500);
  lua_close(L);
}

static int round_trip_call(lua_State *L) {
  struct mpl_codec_out *out = lua_touserdata(L, 2);
  mpl_codec_encode_flat(L, 1, out);
  mpl_codec_decode(L, out->pieces[0].data, out->size, out->refs, out->nrefs);
  lua_pushcfunction(L, mpl_codec_dumps);
  lua_pushvalue(L, 1);
  lua_call(L, 1, 1);
  lua_pushcfunction(L, mpl_codec_loads);
  lua_pushvalue(L, -2);
  lua_call(L, 1, 1);
  return 1;
}

/* In a new state, with memory that ends after so many allocations: a value or an error, and nothing
   is left over. Returns whether there was enough. */
static bool round_trip(const char *source, size_t lua_allocations, size_t codec_allocations) {
  lua_State *L = stub_state();
  push(L, source);
  struct mpl_codec_out out;
  lua_pushnil(L);
  mpl_codec_encode(L, -1, &out);
  lua_pop(L, 1);
  lua_pushcfunction(L, round_trip_call);
  lua_insert(L, 1);
  lua_pushlightuserdata(L, &out);
  blocks = 0;
  counting = true;
  stub_calls_left = lua_allocations;
  reallocs_left = codec_allocations;
  int status = lua_pcall(L, 2, 1, 0);
  stub_calls_left = reallocs_left = SIZE_MAX;
  CHECK(status == LUA_OK || strstr(lua_tostring(L, -1), "memory") != NULL);
  mpl_codec_release(&out);
  lua_close(L);
  CHECK(blocks == 0 && stub_bytes == 0);
  counting = false;
  return status == LUA_OK;
}

static void memory_may_end_anywhere_in_lua(void) {
  size_t n = 0;
  while (!round_trip(everything, n, SIZE_MAX)) n++;
  printf("  allocations of Lua made to fail: %zu\n", n);
  CHECK(n > 200);
}

static void memory_may_end_anywhere_in_c(void) {
  size_t n = 0;
  while (!round_trip(everything, SIZE_MAX, n)) n++;
  printf("  allocations of the codec made to fail: %zu\n", n);
  CHECK(n > 10);
  CHECK(!round_trip("return ('x'):rep(3000)", SIZE_MAX, 0));
}

int main(int argc, char **argv) {
  (void)argc;
  unit_run("numbers are exact", numbers_are_exact);
  unit_run("small values allocate nothing", small_values_allocate_nothing);
  unit_run("long strings stay in place", long_strings_stay_in_place);
  unit_run("shared objects are listed once", shared_objects_are_listed_once);
  unit_run("what is left out leaves nothing", what_is_left_out_leaves_nothing);
  unit_run("code may be damaged", code_may_be_damaged);
  unit_run("foreign values are refused", foreign_values_are_refused);
  unit_run("a metatable of package.loaded is left alone", a_metatable_of_loaded_is_left_alone);
  unit_run("damage is no crash", damage_is_no_crash);
  unit_run("forgeries are refused", forgeries_are_refused);
  unit_run("room is asked for once", room_is_asked_for_once);
  unit_run("addresses need no alignment", addresses_need_no_alignment);
  unit_run("depth costs no C stack", depth_costs_no_c_stack);
  unit_run("finalizers may use the codec", finalizers_may_use_the_codec);
  unit_run("memory may end anywhere in Lua", memory_may_end_anywhere_in_lua);
  unit_run("memory may end anywhere in C", memory_may_end_anywhere_in_c);
  return unit_end(argv[0]);
}
