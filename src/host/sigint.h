/*
** What Ctrl-C does while the host is in charge. One of three things at a time:
**
** - armed: the first one raises "interrupted!" in the running Lua code; a second one before that has
**   happened ends the process, as code that sits in a C function never notices the first;
** - noted: it only ends the system call that reads a line of the prompt, and is remembered;
** - disarmed: it ends the process.
*/
#ifndef MPL_HOST_SIGINT_H
#define MPL_HOST_SIGINT_H

#include <lua.h>
#include <stdbool.h>

void mpl_sigint_arm(lua_State *L);
void mpl_sigint_disarm(void);
void mpl_sigint_note(void);
bool mpl_sigint_noted(void);

#endif
