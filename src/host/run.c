/*
** Running Lua code for the command line: see run.h. Messages and their order are those of `lua`.
*/
#include "host/run.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bind/interrupt.h"

#define INIT_NAME "LUA_INIT"
#define INIT_VERSIONED INIT_NAME "_" LUA_VERSION_MAJOR "_" LUA_VERSION_MINOR

static const char *program = "mpl";
static bool interrupted; /* the last call failed with the error of an interrupt */

/* Name that stands before error messages; the caller keeps the string. */
void mpl_run_set_program(const char *name) {
  program = name;
}

const char *mpl_run_program(void) {
  return program;
}

/*
** Turns an error value into the message to print: a string gets a traceback, an object with
** __tostring speaks for itself, any other value is only named by its type.
*/
static int message_handler(lua_State *L) {
  interrupted = mpl_interrupt_is(L, 1);
  const char *message = lua_tostring(L, 1);
  if (message == NULL) {
    if (luaL_callmeta(L, 1, "__tostring") && lua_type(L, -1) == LUA_TSTRING) return 1;
    message = lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, 1));
  }
  luaL_traceback(L, L, message, 1);
  return 1;
}

/* If `status` is an error, takes its message off the stack and prints it. True for LUA_OK. */
bool mpl_run_report(lua_State *L, int status) {
  if (status == LUA_OK) return true;
  const char *message = lua_tostring(L, -1);
  fprintf(stderr, "%s: %s\n", program, message != NULL ? message : "(error message not a string)");
  fflush(stderr);
  lua_pop(L, 1);
  return false;
}

/* Calls the function under its `nargs` arguments; leaves one result. False if it failed: then an
   error message was printed and nothing is left. */
static bool call(lua_State *L, int nargs, int nresults) {
  int base = lua_gettop(L) - nargs;
  lua_pushcfunction(L, message_handler);
  lua_insert(L, base);
  interrupted = false;
  int status = lua_pcall(L, nargs, nresults, base);
  lua_remove(L, base);
  return mpl_run_report(L, status);
}

/* Calls the function under its `nargs` arguments and drops what it returns. */
bool mpl_run_call(lua_State *L, int nargs) {
  return call(L, nargs, 0);
}

/* Whether what was called last ended because of Ctrl-C. */
bool mpl_run_interrupted(void) {
  return interrupted;
}

/* Runs a text; `name` is the chunk name as Lua wants it ("=(command line)"). */
bool mpl_run_string(lua_State *L, const char *text, const char *name) {
  return mpl_run_report(L, luaL_loadbuffer(L, text, strlen(text), name)) && mpl_run_call(L, 0);
}

/* Runs a file, or stdin if `path` is NULL. */
bool mpl_run_file(lua_State *L, const char *path) {
  return mpl_run_report(L, luaL_loadfile(L, path)) && mpl_run_call(L, 0);
}

/*
** -l: requires "name=module" into the global `name`. With "module" alone the global is called like
** the module, up to a '-' that marks a version.
*/
bool mpl_run_library(lua_State *L, const char *spec) {
  const char *equals = strchr(spec, '=');
  const char *module = equals != NULL ? equals + 1 : spec;
  size_t length = equals != NULL ? (size_t)(equals - spec) : strcspn(spec, "-");
  lua_pushlstring(L, spec, length);
  lua_getglobal(L, "require");
  lua_pushstring(L, module);
  if (!call(L, 1, 1)) {
    lua_pop(L, 1);
    return false;
  }
  lua_pushglobaltable(L);
  lua_insert(L, -3);
  lua_settable(L, -3);
  lua_pop(L, 1);
  return true;
}

/* Runs what LUA_INIT_5_4, or else LUA_INIT, asks for: a text, or the file after a '@'. */
bool mpl_run_init(lua_State *L) {
  const char *name = "=" INIT_VERSIONED;
  const char *init = getenv(name + 1);
  if (init == NULL) {
    name = "=" INIT_NAME;
    init = getenv(name + 1);
  }
  if (init == NULL) return true;
  return init[0] == '@' ? mpl_run_file(L, init + 1) : mpl_run_string(L, init, name);
}

/* Pushes the elements of the global `arg` from 1 on, which LUA_INIT and -e may have changed. */
static int push_arguments(lua_State *L) {
  if (lua_getglobal(L, "arg") != LUA_TTABLE) luaL_error(L, "'arg' is not a table");
  int n = (int)luaL_len(L, -1);
  luaL_checkstack(L, n + 3, "too many arguments to script");
  for (int i = 1; i <= n; i++) lua_rawgeti(L, -i, i);
  lua_remove(L, -(n + 1));
  return n;
}

/* Runs the script at `path`, or stdin if it is NULL; its arguments are the elements of `arg`. */
bool mpl_run_script(lua_State *L, const char *path) {
  if (!mpl_run_report(L, luaL_loadfile(L, path))) return false;
  return mpl_run_call(L, push_arguments(L));
}
