/*
** Naming deadlocks.
**
** A process that sleeps says in its slot what it waits for (struct mpl_wait_record). Once it has
** slept for a while without a timeout it looks whether it may ever be woken:
**
**   A cycle: it waits for a lock or for the end of a process, the one process that can end this
**   wait waits likewise for another, and so on back to itself. Of the members of a cycle the one
**   whose wait began last gets MPL_DEADLOCK: its call has closed the cycle. A lock that was ever
**   released by somebody else than its holder is in no cycle, because anybody may release it again.
**   A process that waits for a lock that it holds itself may mean to have it released by another
**   one: that is a deadlock only when all others have slept without a timeout for a second.
**
**   All asleep: every process of the program has slept without a timeout for a while. The main
**   program gets MPL_DEADLOCK, or who found it if there is no main program any more.
**
** No false alarm: what is found is looked at a second time, and a process that has not waited
** without a break between the two looks is not asleep. Nor is one whose wait may just be ending:
** the event count that it sleeps on has changed since it looked, the process that it watches has
** died, or the lifetime of the object is over. (It may be stopped, or wait for a CPU; or others
** were woken, and it does not know yet: then it is made to look.) A process that does anything else
** than wait for a shared object or a member of the program is awake.
*/
#ifndef MPL_SHM_DEADLOCK_H
#define MPL_SHM_DEADLOCK_H

#include "shm/slot.h"

struct mpl_life;

/* A wait of the caller, as others are to see it. */
struct mpl_sleeper {
  enum mpl_wait_kind kind;
  uint64_t on;         /* id of an object, or for MPL_WAIT_END identity of a process */
  const mpl_a32 *word; /* of the event count that it sleeps on; or NULL */
  uint32_t armed;      /* what it was when the caller last looked whether it has to wait */
  uint32_t deaths;     /* armed value of the event count of deaths; 0: it does not sleep on that */
  uint64_t mortal;     /* identity of a process whose end ends the wait, too; 0: none */
  const struct mpl_life *life; /* whose end ends it, too; or NULL */
  bool endless;        /* has no timeout */
  int64_t since;       /* when it began, ns */
  int64_t look_at;     /* when to look next, ns; not 0: others have been told */
};

enum mpl_status mpl_deadlock_look(struct mpl_sleeper *sleeper, int64_t *slice);
void mpl_deadlock_awake(void);
const char *mpl_deadlock_report(bool *all_asleep);
int mpl_deadlock_describe(const struct mpl_slot *slot, char *text, size_t size);

#endif
