/*
** Waiting for something in shared memory: spin a little if that is likely to help, then sleep.
**
** Use: try; while that says MPL_BLOCK, call mpl_wait_step and try again; in the end mpl_wait_done.
**
**   struct mpl_wait w = MPL_WAIT_INIT;
**   while ((s = try(&w)) == MPL_BLOCK && (s = mpl_wait_step(&w, deadline)) == MPL_OK) {}
**   mpl_wait_done(&w);
**
** A try that cannot go on says in the mpl_wait what has to change. Every sleep ends for its event,
** its deadline, a signal (attention below), the death of the one it waits for, or the backstop.
*/
#ifndef MPL_SHM_WAIT_H
#define MPL_SHM_WAIT_H

#include "shm/deadlock.h"

struct mpl_wait {
  enum mpl_wait_kind kind; /* what is waited for, to be told to others */
  const void *body;        /* and the body of the object; the end of its lifetime ends the wait */
  struct mpl_ec *ec;       /* signalled when it is worth trying again */
  const mpl_a64 *watch;    /* for spinning: differs from `seen` when it is; or NULL */
  uint64_t seen;
  uint64_t peer;           /* identity of who will change it, as far as one knows; 0: unknown */
  bool mortal;             /* the death of the peer ends the wait */
  bool deaths;             /* and so does any death, as soon as somebody has cleaned up after it */
  bool stream;             /* what comes may be followed by more at once */
  short events;            /* of poll(2): not 0, and the wait is for `fd` and not for `ec` */
  int fd;
  uint32_t deaf;           /* bits of mpl_wait_attention that do not end this wait */
  /* private */
  int phase;
  uint32_t armed;
  uint32_t armed_deaths;
  struct mpl_life *life;   /* that of the object */
  uint32_t armed_life;
  int64_t began;
  int64_t backstop;
  int64_t look_at;         /* see struct mpl_sleeper */
};

#define MPL_WAIT_INIT {0}

/* Bits set by signal handlers (proc/signal.h): a wait ends with MPL_SIGNAL while one is set. */
extern mpl_a32 mpl_wait_attention;

enum mpl_status mpl_wait_step(struct mpl_wait *w, int64_t deadline);
void mpl_wait_done(struct mpl_wait *w);

/* Whether the wait has come to sleeping. */
static inline bool mpl_wait_slept(const struct mpl_wait *w) {
  return w->armed != 0;
}
void mpl_wait_show_cpu(void);
void mpl_wait_ring(void);

#endif
