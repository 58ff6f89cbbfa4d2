/*
** The alarm of a task: it is to end at its deadline, or because its owner has cancelled it.
**
** A signal, of a timer of this process or of the ledger's owner, strikes it: the bit
** MPL_SIGNAL_TASK of mpl_wait_attention makes an error of that, in waits and in running code
** (bind/interrupt.h), and again from time to time, as the task may catch it. The programs that the
** task has started are killed at the first strike (proc/descendants.h). A task that goes on for
** another second is in C code, or does not want to end: then the process notes that in the chunk
** and kills all that it has started, and itself. That it does at once if the owner ends all
** workers.
**
** Between mpl_alarm_start and mpl_alarm_stop only the handler writes to the alarm.
*/
#ifndef MPL_PROC_ALARM_H
#define MPL_PROC_ALARM_H

#include "ds/chunk.h"

/* Of the owner, for a worker whose task it has cancelled, or that is to die. A real-time signal, as
   proc/signal.c has one. */
#define MPL_ALARM_SIGNAL (SIGRTMAX - 4)

void mpl_alarm_open(mpl_a64 *ended);
bool mpl_alarm_start(struct mpl_chunk *c, int64_t tick);
enum mpl_chunk_kind mpl_alarm_stop(void);
enum mpl_chunk_kind mpl_alarm_struck(void);
void mpl_alarm_forget(void);

#endif
