/*
** Foreign environments.
**
** A foreign environment is an empty table in the place of the globals table that finds everything
** by its metatable, as a test framework gives to the files that it runs. It goes as the globals
** table, too, and is asked for each name. A message has at most one.
**
** To ask runs the script's code. It may collect what it gave before, change what is being sent, or
** send something itself. So nothing is asked while an encoding holds anything: the names are noted,
** the encoding is given up, and begun again with what was found.
*/
#include <lauxlib.h>
#include <string.h>

#include "base/hash.h"
#include "bind/args.h"
#include "bind/codec_encoder.h"
#include "bind/interrupt.h"

/* Bytes of a name for which an environment is asked. */
#define LONGEST_NAME 128

/* In place of a value that is to be left out: there is none, or it is the global of that name. */
static char nothing;

/* Whether the value on top stands for none. */
bool mpl_codec_environment_lacks(lua_State *L) {
  return lua_touserdata(L, -1) == &nothing;
}

/* Whether the upvalue on top, which has this name, is the message's foreign environment. The first
   that is met becomes it. */
bool mpl_codec_environment_is(struct encoder *e, const char *name) {
  lua_State *L = e->L;
  if (strcmp(name, "_ENV") != 0 || !lua_istable(L, -1)) return false;
  if (!lua_isnil(L, e->env_index)) return lua_rawequal(L, -1, e->env_index);
  if (!lua_getmetatable(L, -1)) return false;
  bool named = mpl_codec_names_class(L, e->names_index) == LUA_TSTRING;
  lua_pop(L, 1);
  lua_pushnil(L);
  if (lua_next(L, -2)) {
    lua_pop(L, 2);
    return false;
  }
  if (named) return false;
  lua_pushvalue(L, -1);
  lua_replace(L, e->env_index);
  return true;
}

/* Whether names were met for which the environment has not been asked. */
bool mpl_codec_environment_is_due(const struct encoder *e) {
  return !lua_isnil(e->L, e->env_index) && e->globals.count > e->asked;
}

/* Finds out where a noted name ends: its hash tells. False for one that is too long. */
static bool name_at(const struct encoder *e, size_t number, struct mpl_piece *name) {
  const struct mpl_codec_seen_entry *entry = &e->globals.entries[number];
  const char *at = e->out->bytes.data + entry->place;
  size_t most = e->out->bytes.size - entry->place;
  if (most > LONGEST_NAME) most = LONGEST_NAME;
  for (size_t n = 0; n <= most; n++)
    if (mpl_hash(at, n, n) == entry->key) return *name = (struct mpl_piece){at, n}, true;
  return false;
}

/* Appends all names that were met, each behind its size. False: no memory. */
bool mpl_codec_environment_note(const struct encoder *e, struct mpl_buf *names) {
  struct mpl_piece name;
  for (size_t i = 0; i < e->globals.count; i++)
    if (name_at(e, i, &name) && (!mpl_buf_append(names, &name.size, sizeof name.size) ||
                                 !mpl_buf_append(names, name.data, name.size)))
      return false;
  return true;
}

/* Arguments: the environment and a name. Returns what the table has. */
static int get(lua_State *L) {
  lua_gettable(L, 1);
  return 1;
}

/* Asks for the name on top, and enters what comes into the table of what was found. */
static void ask_one(lua_State *L, int env, int found) {
  lua_pushcfunction(L, get);
  lua_pushvalue(L, env);
  lua_pushvalue(L, -3);
  int status = lua_pcall(L, 2, 1, 0);
  if (status != LUA_OK && (mpl_interrupt_is(L, -1) || mpl_args_lacked_memory(L, status)))
    lua_error(L);
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
  lua_pushvalue(L, -3);
  lua_rawget(L, -2);
  bool none = status != LUA_OK || lua_isnil(L, -3) || lua_rawequal(L, -1, -3);
  lua_pop(L, 2);
  if (none) {
    lua_pop(L, 1);
    lua_pushlightuserdata(L, &nothing);
  }
  lua_rawset(L, found);
}

/* Arguments: the environment, the table of what it has found or nil, and the names. Returns the
   table. */
static int ask(lua_State *L) {
  const struct mpl_buf *names = lua_touserdata(L, 3);
  if (lua_isnil(L, 2)) {
    lua_newtable(L);
    lua_replace(L, 2);
  }
  for (size_t at = 0, n; at < names->size; at += n) {
    memcpy(&n, names->data + at, sizeof n);
    at += sizeof n;
    lua_pushlstring(L, names->data + at, n);
    lua_pushvalue(L, -1);
    if (lua_rawget(L, 2) == LUA_TNIL) {
      lua_pop(L, 1);
      ask_one(L, 1, 2);
    }
    lua_settop(L, 3);
  }
  lua_settop(L, 2);
  return 1;
}

/* Asks the environment at `env` for those of the names for which it was not asked before, and frees
   them. What it has found is in the table that follows it: name -> value. Raises interrupts, and a
   lack of memory. */
void mpl_codec_environment_ask(lua_State *L, int env, struct mpl_buf *names) {
  lua_pushcfunction(L, ask);
  lua_pushvalue(L, env);
  lua_pushvalue(L, env + 1);
  lua_pushlightuserdata(L, names);
  int status = lua_pcall(L, 3, 1, 0);
  mpl_buf_free(names);
  if (status != LUA_OK) lua_error(L);
  lua_replace(L, env + 1);
}
