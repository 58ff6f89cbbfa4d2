/*
** Line editing at the prompt, by libedit. The library is loaded when the first editor is made: who
** only runs scripts does not pay for it, and without it the prompt still reads plain lines.
*/
#ifndef MPL_HOST_LINEEDIT_H
#define MPL_HOST_LINEEDIT_H

#include <lua.h>

int mpl_lineedit_new(lua_State *L);

#endif
