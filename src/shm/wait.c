/*
** Waiting: see wait.h.
**
** Spinning. Across CPUs a wake-up by futex costs 20 to 40 microseconds and a spin that succeeds
** under one; against a peer on the same CPU a spin costs a time slice. So a process spins only if
** the peer was last seen on another CPU, and for about as long as its last short waits took: two
** processes that answer each other at once find into spinning even when each wake-up is slow, and
** one that waits long soon stops spinning at all.
*/
#include "shm/wait.h"

#include "base/os.h"
#include "base/point.h"
#include "shm/life.h"
#include "shm/recover.h"
#include "shm/super.h"

#define SPIN_LEAST 3000    /* ns */
#define SPIN_MOST 100000
#define SHORT_WAIT 150000

/* Looks between two looks at the clock, which is dearer than a look. */
#define LOOKS 32

/* One or two microseconds. */
#define LINGER_LOOKS 100

enum { SPIN, ARM, SLEEP };

mpl_a32 mpl_wait_attention;

/* How long this process spins at present, ns. */
static MPL_PER_PROCESS int64_t budget = SPIN_LEAST;

/* The event count that this process sleeps on, or is about to. */
static MPL_PER_PROCESS mpl_a32 *volatile sleeping_on;

/* How long this process sleeps on a descriptor, or is about to. */
static MPL_PER_PROCESS struct timespec sleeping_for;

/*
** For signal handlers: makes the sleep of this process end, also if it is only about to begin. The
** word that it sleeps on is changed under its eyes, so that one word is enough to sleep on; to
** others who sleep on it this is a signal without a cause. A sleep on a descriptor gets no time.
*/
void mpl_wait_ring(void) {
  if (mpl_self != NULL) mpl_add32_ar(&mpl_self->doorbell, 1);
  mpl_a32 *word = sleeping_on;
  if (word != NULL) mpl_add32_ar(word, MPL_EC_ONE);
  *(volatile struct timespec *)&sleeping_for = (struct timespec){0, 0};
}

/* Lets others know on which CPU this process runs: those who wait for it spin if that is another
   one. A wait does so by itself; who gives to others without ever waiting is to call this. */
void mpl_wait_show_cpu(void) {
  uint32_t cpu = (uint32_t)(mpl_os_cpu() + 1);
  if (mpl_load32_rlx(&mpl_self->cpu) != cpu) mpl_store32_rlx(&mpl_self->cpu, cpu);
}

/* Whether the peer was last seen on another CPU than the caller's. */
static bool peer_is_elsewhere(uint64_t peer) {
  struct mpl_slot *slot = mpl_slot_find(peer);
  if (slot == NULL || slot == mpl_self) return false;
  mpl_wait_show_cpu();
  uint32_t cpu = mpl_load32_rlx(&slot->cpu);
  return cpu != 0 && cpu != mpl_load32_rlx(&mpl_self->cpu);
}

/* The word has changed. If this process only takes from a stream and does not answer, it leaves the
   other one in peace for a moment: that goes on to work in its own cache, and several items can be
   had at once. */
static void linger(const struct mpl_wait *w) {
  if (!w->stream || mpl_tx_answered) return;
  for (int i = 0; i < LINGER_LOOKS; i++) mpl_cpu_relax();
}

/* Whether a signal came that ends this wait. */
static bool is_called(const struct mpl_wait *w) {
  return (mpl_load32_rlx(&mpl_wait_attention) & ~w->deaf) != 0;
}

/* Watches the word until it changes, the budget is spent, the deadline passed or a signal came. */
static void spin(const struct mpl_wait *w, int64_t deadline) {
  int64_t end = w->began + budget;
  if (end > deadline) end = deadline;
  do {
    for (int i = 0; i < LOOKS; i++) {
      if (is_called(w)) return;
      if (mpl_load64_acq(w->watch) != w->seen) {
        linger(w);
        return;
      }
      mpl_cpu_relax();
    }
  } while (mpl_os_now() < end);
}

/* Sleeps on the words, of which the first is the event count's. */
static enum mpl_status sleep_on_words(const struct mpl_wait *w, const struct mpl_os_word *words,
                                      int n, int64_t deadline, int64_t backstop) {
  enum mpl_status s = MPL_SIGNAL;
  sleeping_on = words[0].word;
  mpl_fence_death();
  /* A handler sets its flag and rings: before this look it is seen here, after it the word
     differs. */
  if (!is_called(w)) {
    MPL_POINT();
    mpl_store64_rlx(&mpl_self->waiting, mpl_arena_off(words[0].word));
    MPL_POINT();
    s = mpl_ec_sleep(words, n, deadline, backstop);
  }
  sleeping_on = NULL;
  return s;
}

/* Tells others of this wait, and looks whether it can ever end; see shm/deadlock.h. */
static enum mpl_status look(struct mpl_wait *w, int64_t deadline, int64_t *slice) {
  if (w->kind == MPL_WAIT_NOTHING) return MPL_OK;
  struct mpl_sleeper sleeper = {.kind = w->kind,
                                .on = mpl_object_id_of(w->body),
                                .word = &w->ec->word,
                                .deaths = w->deaths ? w->armed_deaths : 0,
                                .armed = w->armed,
                                .mortal = w->mortal ? w->peer : 0,
                                .life = w->life,
                                .since = w->began,
                                .endless = deadline == MPL_NEVER,
                                .look_at = w->look_at};
  enum mpl_status s = mpl_deadlock_look(&sleeper, slice);
  w->look_at = sleeper.look_at;
  return s;
}

static enum mpl_status sleep_on(struct mpl_wait *w, int64_t deadline) {
  struct mpl_os_word words[4] = {{&w->ec->word, w->armed}};
  int n = 1;
  if (w->life != NULL) words[n++] = (struct mpl_os_word){&w->life->ended.word, w->armed_life};
  if (w->deaths) words[n++] = (struct mpl_os_word){&mpl_super()->died.word, w->armed_deaths};
  struct mpl_slot *peer = w->mortal ? mpl_slot_find(w->peer) : NULL;
  if (w->mortal && peer == NULL) return MPL_OK;
  if (peer != NULL) {
    words[n++] = (struct mpl_os_word){mpl_slot_life_word(peer), mpl_slot_life_arm(peer)};
    if (!mpl_slot_lives(peer) || mpl_slot_ident(peer) != w->peer) return MPL_OK;
  }
  w->backstop = mpl_recover_watch(w->backstop);
  int64_t slice = w->backstop;
  enum mpl_status s = look(w, deadline, &slice);
  if (s == MPL_OK) s = sleep_on_words(w, words, n, deadline, slice);
  /* The kernel has woken one of those who wait for this death; the others are woken here. */
  if (peer != NULL && !mpl_slot_lives(peer)) mpl_os_futex_wake(mpl_slot_life_word(peer), INT32_MAX);
  return s;
}

/* Sleeps on a descriptor. A signal ends the system call; one that comes before it has set the time
   to 0. */
static enum mpl_status sleep_on_fd(struct mpl_wait *w, int64_t deadline) {
  int64_t left = w->backstop = mpl_recover_watch(w->backstop);
  if (deadline != MPL_NEVER) {
    int64_t time = deadline - mpl_os_now();
    if (time <= 0) return MPL_TIMEOUT;
    if (time < left) left = time;
  }
  sleeping_for.tv_sec = (time_t)(left / MPL_NS_PER_S);
  sleeping_for.tv_nsec = (long)(left % MPL_NS_PER_S);
  mpl_fence_death();
  if (mpl_load32_rlx(&mpl_wait_attention) != 0) return MPL_SIGNAL;
  mpl_os_poll_one(w->fd, w->events, &sleeping_for);
  return MPL_OK; /* whatever ended it: the next try tells */
}

/* The caller is about to try once more and then to sleep. */
static void arm(struct mpl_wait *w) {
  w->armed = mpl_ec_arm(w->ec);
  if (w->deaths) w->armed_deaths = mpl_ec_arm(&mpl_super()->died);
  w->life = w->body != NULL ? mpl_life_of(w->body) : NULL;
  if (w->life != NULL) w->armed_life = mpl_ec_arm(&w->life->ended);
}

/* One step of waiting after a try that said MPL_BLOCK. MPL_OK: try again; MPL_TIMEOUT; MPL_SIGNAL;
   MPL_DEADLOCK; MPL_ENDED, the lifetime of the object is over. */
enum mpl_status mpl_wait_step(struct mpl_wait *w, int64_t deadline) {
  if (is_called(w)) return MPL_SIGNAL;
  if (w->body != NULL && mpl_life_is_over(w->body)) return MPL_ENDED;
  if (deadline <= 0) return MPL_TIMEOUT;
  switch (w->phase) {
    case SPIN:
      w->began = mpl_os_now();
      if (w->began >= deadline) return MPL_TIMEOUT;
      if (w->watch != NULL && peer_is_elsewhere(w->peer)) {
        w->phase = ARM;
        spin(w, deadline);
        return MPL_OK;
      }
      /* fall through */
    case ARM:
      if (w->events != 0) return sleep_on_fd(w, deadline);
      arm(w);
      w->phase = SLEEP;
      return MPL_OK;
    default:
      w->phase = ARM;
      return sleep_on(w, deadline);
  }
}

/* Ends a wait, whatever came of it, and learns from it how long to spin. Until then the slot says
   what the process waits for: should it die before it has taken what it was woken for, others are
   woken. Must be called before the waiter gives up its reference to what it waited for. */
void mpl_wait_done(struct mpl_wait *w) {
  if (w->began == 0) return;
  MPL_POINT();
  mpl_store64_rlx(&mpl_self->waiting, 0);
  if (w->look_at != 0) mpl_deadlock_awake();
  w->look_at = 0;
  mpl_tx_answered = false;
  int64_t took = mpl_os_now() - w->began;
  w->began = 0;
  if (took < SHORT_WAIT)
    budget = 2 * took < SPIN_LEAST ? SPIN_LEAST : 2 * took > SPIN_MOST ? SPIN_MOST : 2 * took;
  else if (budget > SPIN_LEAST)
    budget /= 2;
}
