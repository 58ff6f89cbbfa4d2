/*
** Signals that concern the module: SIGINT (somebody wants the script to stop), SIGCHLD (a child
** has changed), the timer tick, which brings an interrupt to mind until it is attended to, and the
** alarm of a pool's task (alarm.h).
**
** Handlers set a bit of mpl_wait_attention and ring the doorbell, so that every sleep of this
** module ends; the Lua side takes the bits (mpl_signal_take) and acts. A handler touches nothing
** else, but for the function installed with mpl_signal_on_interrupt, which must be
** async-signal-safe.
**
** A second SIGINT ends the process at once, and with it all that it has started: before the first
** was attended to, and once the first is about to end the process. A parent that was interrupted
** passes that on to its children, who may have heard of it before: that is never a second one.
*/
#ifndef MPL_PROC_SIGNAL_H
#define MPL_PROC_SIGNAL_H

#include <stdbool.h>
#include <stdint.h>

enum mpl_signal_bit {
  MPL_SIGNAL_INTERRUPT = 1,
  MPL_SIGNAL_CHILD = 2,
  MPL_SIGNAL_TASK = 4 /* the task that runs is to end (proc/alarm.h) */
};

void mpl_signal_hear_interrupts(void);
void mpl_signal_hear_children(void);
void mpl_signal_on_interrupt(void (*f)(void));
uint32_t mpl_signal_take(uint32_t bits);
bool mpl_signal_pending(uint32_t bits);
bool mpl_signal_hears_children(void);
void mpl_signal_expect_last(void);
void mpl_signal_forget(void);
void mpl_signal_strike(uint32_t bit);
void mpl_signal_die_of_interrupt(void);

#endif
