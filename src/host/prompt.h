/*
** The interactive prompt, as seen by main: the terminal's side in C, the conversation in lua/repl.
*/
#ifndef MPL_HOST_PROMPT_H
#define MPL_HOST_PROMPT_H

#include <lua.h>
#include <stdbool.h>

bool mpl_prompt_run(lua_State *L);

#endif
