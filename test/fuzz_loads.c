/*
** Fuzz target: process.loads, and the decoder behind its checksum, never crash and never take
** memory that the input does not account for. Functions are guarded by the hash of their code,
** which a mutation does not repair: bytecode is trusted.
**
** As it is, a program for `make test`: damages samples at random, the same on each run, or runs the
** files named as arguments. With -DMPL_LIBFUZZER -fsanitize=fuzzer a target for libFuzzer.
**
** Input: the first byte chooses. Odd: the rest is a message. Even: a string for process.loads.
*/
#include <stdio.h>

#include "base/endian.h"
#include "base/hash.h"
#include "codec_stub.h"
#include "unit.h"

/* Most memory of Lua that a byte of input may cost; a closure takes the most. */
enum { MEMORY_PER_BYTE = 2000, MEMORY = 1 << 20, HEAD = 32, INPUT_ROOM = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const samples[] = {
  "return nil",
  "return { 1, -1, 300, -70000, 1 << 40, 2.5, 'text', ('long'):rep(20), true, false }",
  "return { id = 1, name = 'x', flag = true, [2.5] = { [false] = {} } }",
  "local t = {} t.t, t[t], t[1] = t, t, { t } return t",
  "return { print, string, _G, process.object(3), { process.object(4), process.object(3) } }",
  "return function(a) return a end",
  "local n = 0 return { function() n = n + 1 return n end, function() return n, _G end }",
  "local function f() return f, print end return { f, f }",
  "local t = {} for i = 1, 4 do t[i] = function() return i end end return t",
  "return setmetatable({ setmetatable({ 1 }, Class), x = 2 }, Class)",
  "local t = {} for i = 1, 30 do t = { t, x = t } end return t",
  "function f() return g end function g() return f end return { f, function() return g end }",
  "settings = { list = { 1, 2 }, when = 5 } return function() return settings, print, none end",
};

enum { SAMPLES = sizeof samples / sizeof *samples };

/* The state that all inputs run in. Modules are not looked for in files. */
static lua_State *state(void) {
  static lua_State *L;
  if (L != NULL) return L;
  L = stub_state();
  if (luaL_dostring(L, "function require(name) error('no module ' .. name) end\n"
                       "Class = {} process.register('Class', Class)\n"
                       "local known = {}\n"
                       "function forget()\n"
                       "  for name in pairs(_G) do if not known[name] then _G[name] = nil end end\n"
                       "end\n"
                       "for name in pairs(_G) do known[name] = true end") != LUA_OK)
    abort();
  return L;
}

struct input {
  const char *bytes;
  size_t size;
  bool is_message;
};

/* Reads an input; and if that succeeds, what was read can be written, and read again, unless it has
   parts that only a forged message can name. */
static int run_call(lua_State *L) {
  const struct input *in = lua_touserdata(L, 1);
  static const uint64_t refs[] = {3, 4, 1, 2, 5000};
  if (in->is_message) {
    mpl_codec_decode(L, in->bytes, in->size, refs, sizeof refs / sizeof *refs);
  } else {
    lua_pushcfunction(L, mpl_codec_loads);
    lua_pushlstring(L, in->bytes, in->size);
    lua_call(L, 1, 1);
  }
  if (lua_gettop(L) != 2) abort();
  lua_pushcfunction(L, mpl_codec_dumps);
  lua_pushvalue(L, 2);
  if (lua_pcall(L, 1, 1, 0) != LUA_OK) return 0;
  lua_pushcfunction(L, mpl_codec_loads);
  lua_insert(L, -2);
  if (lua_pcall(L, 1, 1, 0) != LUA_OK || lua_type(L, -1) != lua_type(L, 2)) abort();
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static unsigned runs;
  lua_State *L = state();
  if (size == 0) return 0;
  struct input in = {(const char *)data + 1, size - 1, (data[0] & 1) != 0};
  if (++runs % 64 == 0) {
    if (luaL_dostring(L, "forget()") != LUA_OK) abort();
    lua_gc(L, LUA_GCCOLLECT);
  }
  stub_limit = stub_bytes + MEMORY + MEMORY_PER_BYTE * size;
  lua_pushcfunction(L, run_call);
  lua_pushlightuserdata(L, &in);
  if (lua_pcall(L, 1, 0, 0) == LUA_ERRMEM) abort();
  stub_limit = SIZE_MAX;
  lua_settop(L, 0);
  return 0;
}

/* Makes the sample into an input of at most `room` bytes; returns its size. */
static size_t make_sample(uint8_t *input, size_t room, unsigned choice) {
  lua_State *L = state();
  size_t size;
  if (luaL_dostring(L, samples[choice / 2 % SAMPLES]) != LUA_OK) abort();
  lua_pushcfunction(L, mpl_codec_dumps);
  lua_insert(L, 1);
  lua_call(L, 1, 1);
  const char *s = lua_tolstring(L, 1, &size);
  input[0] = (uint8_t)(choice & 1);
  if (input[0] != 0) {
    size_t head = HEAD + 8 * (size_t)mpl_endian_get64(s + 8);
    s += head;
    size -= head;
  }
  if (size > room - 1) size = room - 1;
  memcpy(input + 1, s, size);
  lua_settop(L, 0);
  return size + 1;
}

/* Makes length and checksum of a dump right again, as in codec.c. */
static void seal(uint8_t *input, size_t size) {
  if ((input[0] & 1) != 0 || size < HEAD + 1) return;
  uint8_t *dump = input + 1;
  mpl_endian_put64(dump + 8, mpl_endian_get64(dump + 8) % 4);
  uint64_t ids = 8 * mpl_endian_get64(dump + 8);
  size_t rest = size - 1 - HEAD;
  if (ids > rest) mpl_endian_put64(dump + 8, ids = 0);
  mpl_endian_put64(dump + 16, rest - ids);
  mpl_endian_put64(dump + 24, mpl_hash(dump + HEAD, rest, mpl_hash(dump, 24, 0)));
}

#if defined(MPL_LIBFUZZER)

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t room);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned seed);

/* Begins with a sample now and then, and repairs the checksum most times. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned seed) {
  if (seed % 32 == 0) return make_sample(data, room, seed / 32);
  size = LLVMFuzzerMutate(data, size, room);
  if (seed % 8 != 1) seal(data, size);
  return size;
}

#else

/* xorshift64* by Marsaglia and Vigna. */
static uint64_t random_state = 1;

static size_t random_below(size_t n) {
  random_state ^= random_state >> 12;
  random_state ^= random_state << 25;
  random_state ^= random_state >> 27;
  return (size_t)((random_state * UINT64_C(0x2545f4914f6cdd1d)) >> 33) % n;
}

/* Changes a byte, takes some away, or copies some to another place. Returns the new size. */
static size_t damage(uint8_t *data, size_t size, size_t room) {
  size_t at = random_below(size), n = 1 + random_below(8);
  switch (random_below(4)) {
    case 0:
      data[at] ^= (uint8_t)(1u << random_below(8));
      return size;
    case 1:
      data[at] = random_below(2) != 0 ? (uint8_t)(0xc0 + random_below(64)) : (uint8_t)n;
      return size;
    case 2:
      if (n > size - at || n == size) return size;
      memmove(data + at, data + at + n, size - at - n);
      return size - n;
    default:
      if (n > size - at || n > room - size) return size;
      memmove(data + at + n, data + at, size - at);
      memmove(data + at, data + random_below(size - n + 1), n);
      return size + n;
  }
}

static void samples_are_damaged(void) {
  static uint8_t input[INPUT_ROOM];
  for (unsigned i = 0; i < 200000; i++) {
    size_t size = make_sample(input, sizeof input, i);
    for (size_t n = 1 + random_below(6); n > 0; n--) size = damage(input, size, sizeof input);
    if (random_below(8) != 0) seal(input, size);
    /* A block of its own size, so that a sanitizer sees a read beyond. */
    uint8_t *copy = malloc(size);
    CHECK(copy != NULL);
    memcpy(copy, input, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
  }
}

static const char *input_path;

static void file_is_read(void) {
  FILE *f = fopen(input_path, "rb");
  CHECK(f != NULL);
  static uint8_t input[1 << 20];
  size_t size = fread(input, 1, sizeof input, f);
  fclose(f);
  LLVMFuzzerTestOneInput(input, size);
}

int main(int argc, char **argv) {
  if (argc == 1) unit_run("samples are damaged", samples_are_damaged);
  for (int i = 1; i < argc; i++) {
    input_path = argv[i];
    unit_run(argv[i], file_is_read);
  }
  return unit_end(argv[0]);
}

#endif
