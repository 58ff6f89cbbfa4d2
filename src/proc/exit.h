/*
** How processes end.
*/
#ifndef MPL_PROC_EXIT_H
#define MPL_PROC_EXIT_H

#include <stdint.h>

#include "base/status.h"

enum mpl_status mpl_exit_join_children(void);
void mpl_exit_interrupt_children(void);
void mpl_exit_kill_family(uint64_t ident);
_Noreturn void mpl_exit_child(int code);

#endif
