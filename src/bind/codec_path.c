/*
** Paths into a value, for messages: codec_path.h.
*/
#include "bind/codec_path.h"

#include <ctype.h>
#include <lauxlib.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "bind/args.h"
#include "bind/codec.h"

/* Bytes of a string that a step shows. */
enum { SHOWN = 40 };

static void add(struct mpl_codec_path *p, const char *format, ...) {
  size_t room = sizeof p->text - p->size;
  va_list args;
  va_start(args, format);
  int n = vsnprintf(p->text + p->size, room, format, args);
  va_end(args);
  if (n > 0) p->size += (size_t)n < room ? (size_t)n : room - 1;
}

/* Begins the path of the value that is sent. */
void mpl_codec_path_start(struct mpl_codec_path *p) {
  p->size = 0;
  add(p, "value");
}

/* Stands for steps that are left out. */
void mpl_codec_path_gap(struct mpl_codec_path *p) {
  add(p, " ... ");
}

static bool is_name(const char *s, size_t n) {
  if (n == 0 || n > SHOWN || isdigit((unsigned char)s[0])) return false;
  for (size_t i = 0; i < n; i++)
    if (!isalnum((unsigned char)s[i]) && s[i] != '_') return false;
  return true;
}

static void add_string(struct mpl_codec_path *p, const char *s, size_t n) {
  if (is_name(s, n)) {
    add(p, ".%s", s);
    return;
  }
  add(p, "[\"");
  for (size_t i = 0; i < n && i < SHOWN; i++) {
    unsigned char c = (unsigned char)s[i];
    if (c < ' ' || c == 127)
      add(p, "\\x%02X", c);
    else
      add(p, c == '"' || c == '\\' ? "\\%c" : "%c", c);
  }
  add(p, n > SHOWN ? "...\"]" : "\"]");
}

/* Steps into the value under the key at index `key`, which is not changed. */
void mpl_codec_path_value(struct mpl_codec_path *p, lua_State *L, int key) {
  switch (lua_type(L, key)) {
    case LUA_TSTRING: {
      size_t n;
      const char *s = lua_tolstring(L, key, &n);
      add_string(p, s, n);
      break;
    }
    case LUA_TNUMBER:
      if (lua_isinteger(L, key))
        add(p, "[%lld]", (long long)lua_tointeger(L, key));
      else
        add(p, "[%.14g]", (double)lua_tonumber(L, key));
      break;
    case LUA_TBOOLEAN:
      add(p, lua_toboolean(L, key) ? "[true]" : "[false]");
      break;
    default:
      add(p, "[<%s>]", lua_typename(L, lua_type(L, key)));
  }
}

/* Steps into a key of the table. */
void mpl_codec_path_key(struct mpl_codec_path *p) {
  add(p, "<key>");
}

/* Steps into upvalue n (from 1) of the function; a stripped function has no names. */
void mpl_codec_path_upvalue(struct mpl_codec_path *p, const char *name, int n) {
  if (name != NULL && is_name(name, strlen(name)))
    add(p, "<upvalue %s>", name);
  else
    add(p, "<upvalue %d>", n);
}

/* Says what the value at idx is, for "cannot send a ...": a text that it pushes. */
static const char *push_kind(lua_State *L, int idx) {
  idx = lua_absindex(L, idx);
  switch (lua_type(L, idx)) {
    case LUA_TFUNCTION:
      return lua_pushliteral(L, "C function that is not a field of a loaded module");
    case LUA_TLIGHTUSERDATA:
      return lua_pushliteral(L, "light userdata");
    case LUA_TUSERDATA:
      if (luaL_testudata(L, idx, LUA_FILEHANDLE) != NULL) return lua_pushliteral(L, "file");
      if (luaL_getmetafield(L, idx, "__name") == LUA_TSTRING)
        return lua_pushfstring(L, "userdata (%s)", lua_tostring(L, -1));
      return lua_pushliteral(L, "userdata");
    default:
      return lua_pushstring(L, luaL_typename(L, idx));
  }
}

/* Says what to do about the table at idx, whose metatable has no name: its class says what it is in
   `__unsendable`, or it can be registered. Raises. */
static void raise_metatable(lua_State *L, int idx, const char *path) {
  idx = lua_absindex(L, idx);
  if (luaL_getmetafield(L, idx, "__unsendable") == LUA_TSTRING)
    mpl_args_error(L, "cannot send %s: at %s", lua_tostring(L, -1), path);
  mpl_args_error(L,
                 "cannot send a table whose metatable has no name: at %s; give it one with "
                 "process.register(name, metatable)",
                 path);
}

/* Raises the error for the value on top of the stack, whose path is p (not read for memory). To be
   called when nothing is held any more. */
void mpl_codec_path_raise(lua_State *L, enum mpl_codec_failure failure,
                          const struct mpl_codec_path *p) {
  switch (failure) {
    case FAILURE_KIND:
      mpl_args_error(L, "cannot send a %s: at %s", push_kind(L, -1), p->text);
      break;
    case FAILURE_METATABLE:
      raise_metatable(L, -1, p->text);
      break;
    case FAILURE_DESCRIPTOR:
      mpl_args_error(L, "cannot send a %s: at %s: %s", push_kind(L, -1), p->text, p->reason);
      break;
    case FAILURE_DEPTH:
      mpl_args_error(L, "cannot send a value nested more than %d levels deep: at %s",
                     MPL_CODEC_MAX_DEPTH, p->text);
      break;
    default:
      mpl_args_error(L, "not enough memory to send a value");
  }
}
