/*
** Running Lua code for the command line: chunks, scripts, libraries, LUA_INIT, and the report of
** what went wrong. Every function that runs code leaves the stack as it found it and returns false
** after it has reported an error on stderr.
*/
#ifndef MPL_HOST_RUN_H
#define MPL_HOST_RUN_H

#include <lua.h>
#include <stdbool.h>

void mpl_run_set_program(const char *name);
const char *mpl_run_program(void);

bool mpl_run_report(lua_State *L, int status);
bool mpl_run_call(lua_State *L, int nargs);
bool mpl_run_interrupted(void);
bool mpl_run_string(lua_State *L, const char *text, const char *name);
bool mpl_run_file(lua_State *L, const char *path);
bool mpl_run_library(lua_State *L, const char *spec);
bool mpl_run_init(lua_State *L);
bool mpl_run_script(lua_State *L, const char *path);

#endif
