/*
** The globals that a function's code names, found in what lua_dump wrote.
**
** An access `name` is `_ENV.name`: the instruction GETTABUP with the upvalue _ENV and a constant
** string; or, where the constant is long or beyond the 256th, GETUPVAL, LOADK, GETTABLE in a row.
** Nested functions count, too: their upvalues say which of the enclosing function's they are.
**
** The format is that of Lua 5.4 and of this machine (lundump.h, lopcodes.h); it is no interface, so
** the code must begin as that of 5.4 does, and whatever does not fit ends the search: then a
** function goes with fewer globals, and nothing else is wrong. Every read is checked.
*/
#include "bind/codec_globals.h"

#include <lua.h>
#include <stdlib.h>
#include <string.h>

/* Functions in functions, as the parser of Lua allows them. */
#define MAX_DEPTH 200

/* Constants whose marks need no allocation. */
#define FEW_CONSTANTS 256

enum opcode {
  OP_LOADK = 3,
  OP_LOADKX = 4,
  OP_GETUPVAL = 9,
  OP_GETTABUP = 11,
  OP_GETTABLE = 12,
  OP_EXTRAARG = 82
};

enum constant { K_INTEGER = 0x03, K_FLOAT = 0x13, K_SHORT_STRING = 0x04, K_LONG_STRING = 0x14 };

struct search {
  const unsigned char *at;
  const unsigned char *end;
  mpl_codec_globals_note *note;
  void *to;
  bool given_up; /* `note` said so, or there is no memory */
};

/* What one function consists of. */
struct function {
  const unsigned char *code; /* instructions of 4 bytes */
  size_t instructions;
  const unsigned char *constants;
  size_t count; /* of constants */
  struct mpl_codec_upvalues env;
  uint64_t *named; /* a bit for each constant */
};

/*
** Reading: false at what cannot be
*/

static bool skip(struct search *s, size_t n) {
  if (n > (size_t)(s->end - s->at)) return false;
  s->at += n;
  return true;
}

/* Reads a number: seven bits a byte, the highest first; the last byte has the eighth bit. */
static bool take_size(struct search *s, size_t *n) {
  for (*n = 0; s->at < s->end;) {
    unsigned byte = *s->at++;
    if (*n > SIZE_MAX >> 7) return false;
    *n = *n << 7 | (byte & 0x7f);
    if ((byte & 0x80) != 0) return true;
  }
  return false;
}

static bool skip_size(struct search *s) {
  size_t n;
  return take_size(s, &n);
}

/* Steps over items of `size` bytes, in front of which their number stands. */
static bool skip_items(struct search *s, size_t size, size_t *n) {
  if (!take_size(s, n) || *n > (size_t)(s->end - s->at) / size) return false;
  return skip(s, *n * size);
}

/* Reads a string: its length + 1, or 0 for none, and its bytes. */
static bool take_string(struct search *s, const char **string, size_t *n) {
  if (!take_size(s, n)) return false;
  *n -= *n > 0;
  *string = (const char *)s->at;
  return skip(s, *n);
}

static bool skip_string(struct search *s) {
  const char *string;
  size_t n;
  return take_string(s, &string, &n);
}

/* Reads a constant; *string is NULL if it is none. */
static bool take_constant(struct search *s, const char **string, size_t *n) {
  *string = NULL;
  if (s->at == s->end) return false;
  unsigned kind = *s->at++;
  if (kind == K_SHORT_STRING || kind == K_LONG_STRING) return take_string(s, string, n);
  return skip(s, kind == K_FLOAT     ? sizeof(lua_Number)
                 : kind == K_INTEGER ? sizeof(lua_Integer)
                                     : 0);
}

/* Steps over the line numbers and names that are there for debugging. */
static bool skip_debug(struct search *s) {
  size_t n;
  if (!skip_items(s, 1, &n) || !take_size(s, &n)) return false;
  for (; n > 0; n--)
    if (!skip_size(s) || !skip_size(s)) return false;
  if (!take_size(s, &n)) return false;
  for (; n > 0; n--)
    if (!skip_string(s) || !skip_size(s) || !skip_size(s)) return false;
  if (!take_size(s, &n)) return false;
  for (; n > 0; n--)
    if (!skip_string(s)) return false;
  return true;
}

/* Steps over what is in front of the main function: magic, version, format, a test for damage, the
   sizes of three types, an integer and a float; and the number of upvalues. */
static bool skip_head(struct search *s) {
  static const char magic[] = LUA_SIGNATURE "\x54\x00\x19\x93\r\n\x1a\n\x04";
  const char sizes[] = {sizeof(lua_Integer), sizeof(lua_Number)};
  const unsigned char *at = s->at;
  return skip(s, sizeof magic - 1 + sizeof sizes + sizeof(lua_Integer) + sizeof(lua_Number) + 1) &&
         memcmp(at, magic, sizeof magic - 1) == 0 &&
         memcmp(at + sizeof magic - 1, sizes, sizeof sizes) == 0;
}

/*
** Instructions
*/

static uint32_t instruction(const struct function *f, size_t i) {
  uint32_t word;
  memcpy(&word, f->code + 4 * i, sizeof word);
  return word;
}

static unsigned opcode(uint32_t i) {
  return i & 0x7f;
}

static unsigned argument_a(uint32_t i) {
  return i >> 7 & 0xff;
}

static unsigned argument_b(uint32_t i) {
  return i >> 16 & 0xff;
}

static unsigned argument_c(uint32_t i) {
  return i >> 24;
}

static void mark(const struct function *f, size_t constant) {
  if (constant < f->count) f->named[constant / 64] |= UINT64_C(1) << constant % 64;
}

/* Marks the name if the GETTABLE at i is an access with a long constant. */
static void mark_long(const struct function *f, size_t i) {
  uint32_t table = instruction(f, i);
  if (i < 2) return;
  uint32_t key = instruction(f, --i);
  size_t constant = key >> 15;
  if (opcode(key) == OP_EXTRAARG) {
    constant = key >> 7;
    key = instruction(f, --i);
    if (i < 1 || opcode(key) != OP_LOADKX) return;
  } else if (opcode(key) != OP_LOADK) {
    return;
  }
  uint32_t env = instruction(f, --i);
  if (argument_a(key) == argument_c(table) && opcode(env) == OP_GETUPVAL &&
      argument_a(env) == argument_b(table) && mpl_codec_upvalues_has(&f->env, argument_b(env)))
    mark(f, constant);
}

/* Hands on the names that the function has among its constants. */
static bool note_names(struct search *s, const struct function *f) {
  for (size_t i = 0; i < f->instructions; i++) {
    uint32_t word = instruction(f, i);
    if (opcode(word) == OP_GETTABLE)
      mark_long(f, i);
    else if (opcode(word) == OP_GETTABUP && mpl_codec_upvalues_has(&f->env, argument_b(word)))
      mark(f, argument_c(word));
  }
  struct search constants = {.at = f->constants, .end = s->end};
  for (size_t i = 0; i < f->count; i++) {
    const char *name;
    size_t n;
    if (!take_constant(&constants, &name, &n)) return false;
    if ((f->named[i / 64] >> i % 64 & 1) != 0 && name != NULL && !s->note(s->to, name, n)) {
      s->given_up = true;
      return false;
    }
  }
  return true;
}

/* The same with room for the marks. */
static bool search_code(struct search *s, struct function *f) {
  static const struct mpl_codec_upvalues none;
  uint64_t few[FEW_CONSTANTS / 64] = {0};
  if (memcmp(&f->env, &none, sizeof none) == 0) return true;
  f->named = f->count <= FEW_CONSTANTS ? few : calloc(f->count / 64 + 1, sizeof *f->named);
  s->given_up = f->named == NULL;
  bool goes_on = f->named != NULL && note_names(s, f);
  if (f->named != few) free(f->named);
  return goes_on;
}

/*
** Functions
*/

/* Reads which upvalues of a function are _ENV: those of the enclosing one that are. */
static bool take_upvalues(struct search *s, const struct mpl_codec_upvalues *enclosing,
                          struct mpl_codec_upvalues *env) {
  const unsigned char *at;
  size_t n;
  if (!take_size(s, &n) || n > 255) return false;
  at = s->at;
  if (!skip(s, 3 * n)) return false;
  for (unsigned i = 0; i < n; i++, at += 3) {
    bool in_stack = at[0] != 0;
    if (!in_stack && mpl_codec_upvalues_has(enclosing, at[1])) mpl_codec_upvalues_add(env, i);
  }
  return true;
}

/* Searches a function and those in it. `enclosing`: which upvalues of the enclosing one are _ENV;
   for the main function, which has `own`, NULL. */
static bool search_function(struct search *s, const struct mpl_codec_upvalues *enclosing,
                            const struct mpl_codec_upvalues *own, int depth) {
  static const struct mpl_codec_upvalues none;
  struct function f = {0};
  size_t functions;
  if (depth > MAX_DEPTH || !skip_string(s) || !skip_size(s) || !skip_size(s) || !skip(s, 3))
    return false;
  if (!take_size(s, &f.instructions)) return false;
  f.code = s->at;
  if (f.instructions > (size_t)(s->end - s->at) / 4 || !skip(s, 4 * f.instructions)) return false;
  if (!take_size(s, &f.count)) return false;
  f.constants = s->at;
  if (f.count > (size_t)(s->end - s->at)) return false;
  for (size_t i = 0; i < f.count; i++) {
    const char *name;
    size_t n;
    if (!take_constant(s, &name, &n)) return false;
  }
  if (!take_upvalues(s, enclosing != NULL ? enclosing : &none, &f.env)) return false;
  if (enclosing == NULL) f.env = *own;
  if (!search_code(s, &f) || !take_size(s, &functions)) return false;
  for (; functions > 0; functions--)
    if (!search_function(s, &f.env, NULL, depth + 1)) return false;
  return skip_debug(s);
}

/*
** Calls note(to, name, n) with each global that the code names to read it; what it only assigns to
** does not count. `env`: which upvalues of the function are the globals table. Returns false if
** `note` did, or if there is no memory.
*/
bool mpl_codec_globals_find(const char *code, size_t size, const struct mpl_codec_upvalues *env,
                            mpl_codec_globals_note *note, void *to) {
  struct search s = {.at = (const unsigned char *)code, .note = note, .to = to};
  s.end = s.at + size;
  if (skip_head(&s)) search_function(&s, NULL, env, 0);
  return !s.given_up;
}
