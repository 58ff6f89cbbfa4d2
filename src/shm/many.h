/*
** Waiting for many things at once, descriptors among them.
**
** A process that waits for many things cannot sleep on each of their event counts: a wake-up for one waiter may
** not be spent on somebody who only wants to know. It sets the flag "elsewhere" in each and sleeps on
** the bell of the program, one word in the superblock; if there are descriptors it sleeps in ppoll, says
** so in its slot and is sent SIGURG. Whoever signals an event count with the flag rings for both.
**
** Use: mpl_many_arm, look whether something is ready, mpl_many_sleep, and again.
*/
#ifndef MPL_SHM_MANY_H
#define MPL_SHM_MANY_H

#include <poll.h>

#include "shm/wait.h"

struct mpl_many {
  struct mpl_ec **ec;
  int nec;
  struct pollfd *fd;
  int nfd;
  /* private */
  uint32_t bell, doorbell;
};

void mpl_many_install(void);
void mpl_many_arm(struct mpl_many *many);
enum mpl_status mpl_many_sleep(struct mpl_many *many, int64_t deadline);

#endif
