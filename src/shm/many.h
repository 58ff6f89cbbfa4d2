/*
** Waiting for many things at once, descriptors among them.
**
** A process that waits for many things cannot sleep on each of their event counts: a wake-up for
** one waiter may not be spent on somebody who only wants to know. It sets the flag "elsewhere" in
** each and sleeps on the bell of the program, one word in the superblock; if there are descriptors
** it sleeps in ppoll, says so in its slot and is sent SIGURG. Whoever signals an event count with
** the flag rings for both.
**
** Use: mpl_many_arm, look whether something is ready, mpl_many_sleep, and again. Between the first
** and the last nothing is done that could leave this shape: SIGURG is blocked.
*/
#ifndef MPL_SHM_MANY_H
#define MPL_SHM_MANY_H

#include <poll.h>
#include <signal.h>

#include "shm/wait.h"

struct mpl_many {
  struct mpl_ec **ec;
  int nec;
  struct pollfd *fd;
  int nfd;
  uint64_t mortal; /* identity of a process whose end is waited for, too; 0: none. Beside
                      descriptors it is noticed when somebody cleans up after it, or after a
                      second */
  /* private */
  int64_t backstop;
  sigset_t mask; /* before mpl_many_arm */
  uint32_t bell, doorbell;
};

void mpl_many_install(void);
void mpl_many_arm(struct mpl_many *many);
void mpl_many_disarm(struct mpl_many *many);
enum mpl_status mpl_many_sleep(struct mpl_many *many, int64_t deadline);

#endif
