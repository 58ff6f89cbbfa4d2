/*
** What Ctrl-C does while the host is in charge. One of two things at a time:
**
** - armed: it raises "interrupted!" in the running Lua code (bind/interrupt.h); a second one before
**   that has happened ends the process, as code in a C function never notices the first;
** - noted: it only ends the system call that reads a line of the prompt, and is remembered.
*/
#ifndef MPL_HOST_SIGINT_H
#define MPL_HOST_SIGINT_H

#include <stdbool.h>

void mpl_sigint_arm(void);
void mpl_sigint_expect_last(void);
void mpl_sigint_note(void);
bool mpl_sigint_noted(void);

#endif
