/*
** Arguments: see args.h.
*/
#include "bind/args.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/os.h"
#include "shm/deadlock.h"

/* Timeouts beyond this many seconds are no timeouts: some 30 years. */
#define FOREVER 1e9

/* What the names of the module's Lua sources begin with. */
#define OWN_SOURCE "=process/"

/* Registry key: the last error raised for want of memory. */
static const char memory_key;

/* The deadline of a timeout in seconds at idx; nil or none is MPL_NEVER, 0 or less is 0: not to
   wait. A string is no number here: where it may stand for a timeout it may be a slip as well. */
int64_t mpl_args_timeout(lua_State *L, int idx) {
  if (lua_isnoneornil(L, idx)) return MPL_NEVER;
  luaL_checktype(L, idx, LUA_TNUMBER);
  lua_Number s = lua_tonumber(L, idx);
  luaL_argcheck(L, !isnan(s), idx, "a timeout is a number of seconds, not NaN");
  if (s <= 0) return 0;
  if (s > FOREVER) return MPL_NEVER;
  return mpl_os_now() + (int64_t)(s * (lua_Number)MPL_NS_PER_S);
}

/* The deadline of Python's (block, timeout) at idx and idx + 1. A number in the first place is the
   timeout; block false is 0, whatever the timeout. */
int64_t mpl_args_block(lua_State *L, int idx) {
  int type = lua_type(L, idx);
  if (type == LUA_TNUMBER) {
    luaL_argcheck(L, lua_isnoneornil(L, idx + 1), idx + 1, "the timeout was given already");
    return mpl_args_timeout(L, idx);
  }
  if (type != LUA_TBOOLEAN && type != LUA_TNIL && type != LUA_TNONE)
    luaL_typeerror(L, idx, "boolean (block) or number (timeout)");
  int64_t deadline = mpl_args_timeout(L, idx + 1);
  return type == LUA_TBOOLEAN && !lua_toboolean(L, idx) ? 0 : deadline;
}

/* Raises if the module is the first argument, as it is when its function was called with a colon. A
   table with a name for errors counts as the module: to be called where it is wrong anyway. */
void mpl_args_dot(lua_State *L) {
  if (lua_istable(L, 1) && luaL_getmetafield(L, 1, "__name") == LUA_TSTRING)
    luaL_argerror(L, 1, lua_tostring(L, -1));
}

/* Raises if there are arguments beyond `last`: a slip that would go unnoticed otherwise. */
void mpl_args_end(lua_State *L, int last) {
  if (lua_gettop(L) <= last) return;
  mpl_args_dot(L);
  luaL_argerror(L, last + 1, "no such argument");
}

/* Raises if what stands at idx cannot be called. */
void mpl_args_callable(lua_State *L, int idx) {
  if (lua_isfunction(L, idx)) return;
  if (luaL_getmetafield(L, idx, "__call") == LUA_TNIL) luaL_typeerror(L, idx, "function");
  lua_pop(L, 1);
}

/* Whether a table of options stands at idx (nil or none: no). Raises for any other value, and for a
   key that is not among the known ones, which end with NULL. */
bool mpl_args_options(lua_State *L, int idx, const char *const *known) {
  if (lua_isnoneornil(L, idx)) return false;
  if (!lua_istable(L, idx)) mpl_args_wrong_type(L, idx, "table");
  lua_pushnil(L);
  while (lua_next(L, idx) != 0) {
    lua_pop(L, 1);
    const char *key = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
    const char *const *k = known;
    while (*k != NULL && (key == NULL || strcmp(*k, key) != 0)) k++;
    if (*k == NULL && idx == 1) mpl_args_dot(L);
    if (*k == NULL)
      mpl_args_wrong(L, idx,
                     lua_pushfstring(L, "unknown option '%s'", luaL_tolstring(L, -1, NULL)));
  }
  return true;
}

/* What a status says that no call returns as a value; errno counts for MPL_ERRNO. */
const char *mpl_args_text(enum mpl_status status) {
  switch (status) {
    case MPL_NOMEM: return "out of shared memory (MPL_SHM_SIZE raises the limit)";
    case MPL_NOPRIVATE: return "not enough memory";
    case MPL_NOSLOT: return "too many processes in this program";
    case MPL_DAMAGED: return "object damaged: recovery after a death has failed";
    case MPL_ENDED: return "manager is shut down";
    case MPL_GONE: return "no such shared object any more";
    case MPL_ERRNO: return strerror(errno);
    default: return "unexpected status";
  }
}

/* Raises it. */
int mpl_args_raise(lua_State *L, enum mpl_status status) {
  lua_pushstring(L, mpl_args_text(status));
  mpl_args_add_place(L);
  if (status == MPL_NOMEM || status == MPL_NOPRIVATE) {
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &memory_key);
  }
  return lua_error(L);
}

static bool is_own_source(const char *source) {
  return strncmp(source, OWN_SOURCE, sizeof OWN_SOURCE - 1) == 0;
}

/* The level of the function that the script has called: the C function that runs, or what of the
   module's Lua sources has called it, perhaps by pcall. */
static int called_level(lua_State *L) {
  lua_Debug d;
  int called = 0;
  for (int level = 1; lua_getstack(L, level, &d) && lua_getinfo(L, "S", &d); level++) {
    if (is_own_source(d.source))
      called = level;
    else if (*d.what != 'C')
      break;
  }
  return called;
}

/* false: what runs now was not called by the script, errors are to name no place in it. */
static bool says_place = true;

/* Whether mpl_args_error is to name places. */
void mpl_args_say_place(bool say) {
  says_place = say;
}

/* Raises an error as luaL_error does, with the place in the script that has called into the
   module. */
int mpl_args_error(lua_State *L, const char *format, ...) {
  va_list arguments;
  if (says_place)
    luaL_where(L, called_level(L) + 1);
  else
    lua_pushliteral(L, "");
  va_start(arguments, format);
  lua_pushvfstring(L, format, arguments);
  va_end(arguments);
  lua_concat(L, 2);
  return lua_error(L);
}

/* Raises an error as luaL_argerror does, of the function that the script has called, whose
   argument number `arg` is. */
int mpl_args_wrong(lua_State *L, int arg, const char *text) {
  lua_Debug d = {.name = NULL};
  int level = called_level(L);
  if (level == 0) return luaL_argerror(L, arg, text);
  if (lua_getstack(L, level, &d)) lua_getinfo(L, "n", &d);
  if (d.name == NULL) return mpl_args_error(L, "bad argument #%d (%s)", arg, text);
  return mpl_args_error(L, "bad argument #%d to '%s' (%s)", arg, d.name, text);
}

/* Pushes and returns what an error calls the value at idx: its class, or its type. */
const char *mpl_args_kind(lua_State *L, int idx) {
  int type = luaL_getmetafield(L, idx, "__name");
  if (type == LUA_TSTRING) return lua_tostring(L, -1);
  if (type != LUA_TNIL) lua_pop(L, 1);
  return lua_pushstring(L, luaL_typename(L, idx));
}

/* The same, because that argument is not of the type expected. */
int mpl_args_wrong_type(lua_State *L, int arg, const char *expected) {
  const char *kind = lua_isnone(L, arg) ? "no value" : mpl_args_kind(L, arg);
  return mpl_args_wrong(L, arg, lua_pushfstring(L, "%s expected, got %s", expected, kind));
}

/* Raises "NAME: text", with the name of the method that was called; for a metamethod, or if the
   name is not known, that of the class. */
int mpl_args_refuse(lua_State *L, const char *class_name, const char *text) {
  lua_Debug d = {.name = NULL, .namewhat = ""};
  if (lua_getstack(L, called_level(L), &d)) lua_getinfo(L, "n", &d);
  bool named = d.name != NULL && *d.name != '?' && strcmp(d.namewhat, "metamethod") != 0;
  return mpl_args_error(L, "%s: %s", named ? d.name : class_name, text);
}

/* Pushes the message, if it is not NULL, and the traceback of the caller's function, without the
   frame that says `end` and those below it, if there is such a frame. */
void mpl_args_traceback(lua_State *L, const char *message, const char *end) {
  luaL_traceback(L, L, message, 1);
  const char *all = lua_tostring(L, -1);
  const char *at = strstr(all + (message != NULL ? strlen(message) : 0), end);
  if (at == NULL) return;
  while (at > all && *at != '\n') at--;
  lua_pushlstring(L, all, (size_t)(at - all));
  lua_remove(L, -2);
}

/* Whether a protected call that ended with this status, and the error on top, failed for want of
   memory: Lua's, or what was raised above. */
bool mpl_args_lacked_memory(lua_State *L, int status) {
  if (status == LUA_OK || status == LUA_ERRMEM) return status == LUA_ERRMEM;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &memory_key);
  bool is = !lua_isnil(L, -1) && lua_rawequal(L, -1, -2);
  lua_pop(L, 1);
  return is;
}

/* Pushes the place in the script, "file:line", that has called into the module, whose own sources
   do not count; "" if there is none. */
void mpl_args_place(lua_State *L) {
  lua_Debug d;
  for (int level = 0; lua_getstack(L, level, &d); level++) {
    lua_getinfo(L, "Sl", &d);
    if (d.currentline <= 0 || is_own_source(d.source)) continue;
    lua_pushfstring(L, "%s:%d", d.short_src, d.currentline);
    return;
  }
  lua_pushliteral(L, "");
}

/* Puts that place in front of the message on top, where there is one. */
void mpl_args_add_place(lua_State *L) {
  mpl_args_place(L);
  lua_pushstring(L, lua_rawlen(L, -1) > 0 ? ": " : "");
  lua_rotate(L, -3, 2);
  lua_concat(L, 3);
}

/* That all processes are asleep is said at once, with a line for each, but once: it concerns more
   than the caller, which may catch the error and find the same again. */
static int raise_deadlock(lua_State *L, bool at_end) {
  bool all_asleep;
  const char *report = mpl_deadlock_report(&all_asleep);
  if (all_asleep) {
    static uint64_t said;
    uint64_t hash = mpl_hash(report, strlen(report), 0);
    fflush(stdout);
    if (hash != said && (!at_end || said == 0)) fprintf(stderr, "mpl: %s\n", report);
    fflush(stderr);
    said = hash;
    report = "deadlock: all processes are asleep";
  }
  lua_pushstring(L, report);
  mpl_args_add_place(L);
  return lua_error(L);
}

/* Raises what a wait has ended with MPL_DEADLOCK for. */
int mpl_args_deadlock(lua_State *L) {
  return raise_deadlock(L, false);
}

/* The same for the wait for children at the end of the program: that all are asleep is not said
   again if it was before, though this process now waits for something else. */
int mpl_args_deadlock_at_end(lua_State *L) {
  return raise_deadlock(L, true);
}
