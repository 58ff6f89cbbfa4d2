/*
** Arguments that many functions have in common, and the errors of the layers below as Lua errors.
*/
#ifndef MPL_BIND_ARGS_H
#define MPL_BIND_ARGS_H

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

int64_t mpl_args_timeout(lua_State *L, int idx);
int64_t mpl_args_block(lua_State *L, int idx);
void mpl_args_dot(lua_State *L);
void mpl_args_end(lua_State *L, int last);
const char *mpl_args_text(enum mpl_status status);
int mpl_args_refuse(lua_State *L, const char *class_name, const char *text);
int mpl_args_raise(lua_State *L, enum mpl_status status);
void mpl_args_say_place(bool say);
int mpl_args_error(lua_State *L, const char *format, ...);
int mpl_args_wrong(lua_State *L, int arg, const char *text);
int mpl_args_wrong_type(lua_State *L, int arg, const char *expected);
const char *mpl_args_kind(lua_State *L, int idx);
void mpl_args_callable(lua_State *L, int idx);
bool mpl_args_options(lua_State *L, int idx, const char *const *known);
void mpl_args_place(lua_State *L);
void mpl_args_add_place(lua_State *L);
int mpl_args_deadlock(lua_State *L);
void mpl_args_traceback(lua_State *L, const char *message, const char *end);
bool mpl_args_lacked_memory(lua_State *L, int status);
int mpl_args_deadlock_at_end(lua_State *L);

#endif
