/*
** The one fork procedure.
*/
#ifndef MPL_PROC_FORK_H
#define MPL_PROC_FORK_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/status.h"
#include "proc/child.h"

enum mpl_fork_kind {
  MPL_FORK_CHILD,  /* a Process */
  MPL_FORK_DAEMON, /* a Process that dies with its parent */
  MPL_FORK_RAW     /* fork() itself */
};

enum mpl_status mpl_fork(const char *name, enum mpl_fork_kind kind, struct mpl_child **child);
pid_t mpl_fork_raw(void);
bool mpl_fork_watch(void);

#endif
