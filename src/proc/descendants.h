/*
** Descendants: the programs that this process has started (os.execute, io.popen, spawn of another
** module), and what these have started. They are no members of the program; only the kernel knows
** them, in /proc/PID/task/TID/children. A kernel that is built without these files, a /proc of
** other pids, or a process that may open no more files shows none, and nobody is killed.
**
** Whoever is killed is stopped first, and with it all that descends from it, so that nobody starts
** another program meanwhile, or reaps one: a pid that was read as a child's stays this child's, be
** it a zombie, until its parent is killed, too, after it. (Pids are given out in turn. So it takes
** more than a moment until one is used again if a parent has its children reaped by ignoring
** SIGCHLD, or was ending when it was stopped.) What has lost its parent before (a shell's `x &`,
** once the shell has ended) descends from this process no more and goes on.
**
** Members have rules of their own (proc/exit.c, doc/manual/ending.md): one that is a child of this
** process is spared with all that descends from it, but for a daemon of a process that is about to
** die.
**
** Safe in signal handlers, and meant for one that does not interrupt itself: system calls, reads of
** shared memory, and a table in static memory.
*/
#ifndef MPL_PROC_DESCENDANTS_H
#define MPL_PROC_DESCENDANTS_H

#include <stdint.h>

void mpl_descendants_kill_all(void);
void mpl_descendants_kill_since(int64_t since);

#endif
