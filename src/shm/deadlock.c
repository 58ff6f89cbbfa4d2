/*
** Deadlocks: see deadlock.h. What is read of others is read without a lock, and may be stale or
** gone: it is believed only if it is found again, and every member of the program that it names
** still waits.
*/
#include "shm/deadlock.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/os.h"
#include "shm/life.h"
#include "shm/recover.h"
#include "shm/super.h"

/* A sleeper looks this often ... */
#define LOOK_NS (MPL_NS_PER_S / 4)

/* ... for this long, and then only when its sleep ends anyway. */
#define LOOKS_NS (2 * MPL_NS_PER_S)

/* How long all others sleep before a process that wants its own lock is told. */
#define OTHERS_NS MPL_NS_PER_S

/* How long all sleep before that is a deadlock: later than the one above. */
#define ALL_NS (5 * MPL_NS_PER_S / 4)

#define CYCLE_MOST 64 /* a longer one is not found */
#define LOCKS_MOST 16 /* of one process in a report */

/* A record, read at once. */
struct wait {
  uint64_t ident; /* who waits */
  uint64_t serial;
  enum mpl_wait_kind kind;
  uint64_t on;
  int64_t since;
  bool endless;
  bool ending; /* it may be about to end */
};

static MPL_PER_PROCESS struct mpl_buf report;
static MPL_PER_PROCESS bool report_all_asleep;

/*
** Saying and reading what is waited for
*/

/* Once the caller has looked whether it has to wait, and has to. */
static void say_sleep(const struct mpl_sleeper *s) {
  struct mpl_wait_record *r = &mpl_self->wait;
  mpl_store64_rel(&r->deaths, s->deaths);
  mpl_store64_rel(&r->mortal, s->mortal);
  mpl_store64_rel(&r->life, s->life == NULL ? 0 : mpl_arena_off(s->life));
  mpl_store64_rel(&r->word, s->word == NULL ? 0 : mpl_arena_off(s->word));
  mpl_store64_rel(&r->armed, s->armed);
}

/* Every store is a release: none is seen before the end of the wait before, which made `serial`
   even. */
static void say(const struct mpl_sleeper *s) {
  struct mpl_wait_record *r = &mpl_self->wait;
  mpl_store64_rel(&r->kind, s->kind);
  mpl_store64_rel(&r->on, s->on);
  mpl_store64_rel(&r->since, (uint64_t)s->since);
  mpl_store64_rel(&r->endless, s->endless);
  say_sleep(s);
  mpl_store64_rel(&r->serial, mpl_load64_rlx(&r->serial) + 1);
}

/* The caller, who has told others that it waits, does not any more. */
void mpl_deadlock_awake(void) {
  mpl_store64_rel(&mpl_self->wait.serial, mpl_load64_rlx(&mpl_self->wait.serial) + 1);
}

/* What the process of a slot waits for; false if it does not. */
static bool read_wait(const struct mpl_slot *slot, struct wait *w) {
  const struct mpl_wait_record *r = &slot->wait;
  w->ident = mpl_slot_ident(slot);
  w->serial = mpl_load64_acq(&r->serial);
  w->kind = (enum mpl_wait_kind)mpl_load64_acq(&r->kind);
  w->on = mpl_load64_acq(&r->on);
  w->since = (int64_t)mpl_load64_acq(&r->since);
  w->endless = mpl_load64_acq(&r->endless) != 0;
  uint64_t mortal = mpl_load64_acq(&r->mortal), deaths = mpl_load64_acq(&r->deaths);
  mpl_off word = mpl_load64_acq(&r->word), life = mpl_load64_acq(&r->life);
  w->ending = (word != 0 && mpl_load32_acq(MPL_AT(mpl_a32, word)) != mpl_load64_acq(&r->armed)) ||
              (deaths != 0 && mpl_load32_acq(&mpl_super()->died.word) != deaths) ||
              (mortal != 0 && !mpl_slot_ident_lives(mortal)) ||
              (life != 0 && mpl_load64_acq(&MPL_AT(struct mpl_life, life)->over) != 0);
  return (w->serial & 1) != 0 && mpl_load64_rlx(&r->serial) == w->serial &&
         mpl_slot_state_of(slot) == MPL_SLOT_LIVE && mpl_slot_lives(slot);
}

/* The one process that can end this wait; 0 if nobody or anybody can. */
static uint64_t who_ends(const struct wait *w) {
  if (w->kind == MPL_WAIT_END) return mpl_slot_ident_lives(w->on) ? w->on : 0;
  if (w->kind != MPL_WAIT_OBJECT) return 0;
  enum mpl_object_type type = mpl_object_type_of(w->on);
  const struct mpl_object_ops *ops = mpl_object_ops_of(type);
  const void *body = mpl_object_body(w->on, type);
  uint64_t order;
  return ops == NULL || body == NULL || ops->holder == NULL ? 0 : ops->holder(body, &order);
}

/*
** Reports
*/

static void begin_report(bool all_asleep) {
  mpl_buf_free(&report);
  report_all_asleep = all_asleep;
}

/* Adds to the report; for lack of memory something is left out. */
__attribute__((format(printf, 1, 2))) static void put(const char *format, ...) {
  char text[512];
  va_list args;
  va_start(args, format);
  int n = vsnprintf(text, sizeof text, format, args);
  va_end(args);
  if (n < 0) return;
  size_t size = (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
  if (!mpl_buf_reserve(&report, size + 1)) return;
  memcpy(report.data + report.size, text, size + 1);
  report.size += size;
}

struct lock_list {
  uint64_t holder;
  int n;
  struct {
    uint64_t order;
    const void *body;
    const char *kind;
  } lock[LOCKS_MOST];
};

/* Enters an object into the list, in the order in which they were taken. */
static void list_if_held(void *arg, const struct mpl_object *entry) {
  struct lock_list *list = arg;
  const struct mpl_object_ops *ops =
      mpl_object_ops_of((enum mpl_object_type)mpl_load64_rlx(&entry->type));
  const void *body = mpl_object_body_of(entry);
  uint64_t order;
  if (ops->holder == NULL || ops->holder(body, &order) != list->holder || list->n == LOCKS_MOST)
    return;
  int i = list->n++;
  for (; i > 0 && list->lock[i - 1].order > order; i--) list->lock[i] = list->lock[i - 1];
  list->lock[i].order = order;
  list->lock[i].body = body;
  list->lock[i].kind = ops->name;
}

static const char *label(const void *body) {
  const char *text = mpl_object_label_of(body);
  return *text != '\0' ? text : "(unnamed)";
}

/* What the process of a slot waits for, in words, as snprintf; 0 and no text if it does not. */
int mpl_deadlock_describe(const struct mpl_slot *slot, char *text, size_t size) {
  static const char *const verbs[] = {"", "waits for", "waits for an item of", "waits for room in",
                                      "waits for the end of"};
  struct wait w, again;
  int n = 0;
  if (size > 0) *text = '\0';
  if (!read_wait(slot, &w)) return 0;
  enum mpl_object_type type = mpl_object_type_of(w.on);
  const struct mpl_object_ops *ops = mpl_object_ops_of(type);
  const void *body = mpl_object_body(w.on, type);
  if (w.kind == MPL_WAIT_END) {
    struct mpl_slot *other = mpl_slot_find(w.on);
    char name[MPL_SLOT_NAME] = "a process";
    if (other != NULL) mpl_slot_get_name(other, name);
    n = snprintf(text, size, "%s %s", verbs[w.kind], name);
  } else if (ops != NULL && body != NULL) {
    n = snprintf(text, size, "%s %s %.*s", verbs[w.kind], ops->name, MPL_OBJECT_LABEL, label(body));
  }
  /* The object was one as long as somebody waited for it. */
  if (read_wait(slot, &again) && again.serial == w.serial) return n;
  if (size > 0) *text = '\0';
  return 0;
}

/* A line for a process: which locks it has taken, in their order, and what it waits for. */
static void put_process(uint64_t ident) {
  struct mpl_slot *slot = mpl_slot_find(ident);
  struct lock_list held = {.holder = ident};
  char name[MPL_SLOT_NAME], what[256];
  if (slot == NULL) return;
  mpl_slot_get_name(slot, name);
  mpl_object_each(list_if_held, &held);
  put("\n  %s (pid %d)", name, (int)mpl_load64_rlx(&slot->pid));
  for (int i = 0; i < held.n; i++)
    put("%s %s %s", i == 0 ? " took" : ", then", held.lock[i].kind,
        label(held.lock[i].body));
  mpl_deadlock_describe(slot, what, sizeof what);
  put("%s %s", held.n > 0 ? ", and" : "", what);
}

/* What the last MPL_DEADLOCK of this process was about: a line and one more for each process. */
const char *mpl_deadlock_report(bool *all_asleep) {
  *all_asleep = report_all_asleep;
  return report.data != NULL ? report.data : "deadlock";
}

/*
** Looking
*/

/* The owner of a slot is to look for itself whether it waits in vain. Nothing but its slot is
   written to: what it sleeps on may be no more. */
static void ask_to_look(struct mpl_slot *slot) {
  mpl_store32_rel(&slot->asked_to_look, 1);
  mpl_off word = mpl_load64_rlx(&slot->waiting);
  if (word != 0) mpl_os_futex_wake(MPL_AT(mpl_a32, word), INT32_MAX);
  mpl_add32_ar(&slot->doorbell, 1);
  mpl_os_futex_wake(&slot->doorbell, INT32_MAX);
}

/*
** Whether all processes, but for one, have been asleep without a timeout since that time. Two looks
** of this kind with the same time tell that all of them were asleep in between: who woke another
** one before it fell asleep itself is found asleep by the first look, and what it did is then seen
** by the second. If nobody is awake, but the waits of some may be ending, one of these is *ending
** (else NULL), and the answer false.
*/
static bool look_at_all(int64_t since, uint64_t except, struct mpl_slot **ending) {
  static MPL_PER_PROCESS uint64_t awake; /* who was the last time is looked at first */
  uint64_t count = mpl_slot_count();
  struct mpl_slot *found = NULL;
  *ending = NULL;
  for (uint64_t i = 0; i < count; i++) {
    uint64_t index = (awake + i) % count;
    struct mpl_slot *slot = mpl_slot_at(index);
    struct wait w;
    if (mpl_slot_state_of(slot) == MPL_SLOT_FREE || mpl_slot_ident(slot) == except) continue;
    if (!read_wait(slot, &w) || !w.endless || w.since > since) {
      awake = index;
      mpl_recover_at(index); /* if it is dead it may have been about to wake the others */
      return false;
    }
    if (w.ending) found = slot;
  }
  *ending = found;
  return found == NULL;
}

static bool all_asleep_for(int64_t ns, uint64_t except) {
  int64_t since = mpl_os_now() - ns;
  struct mpl_slot *ending;
  if (look_at_all(since, except, &ending) && look_at_all(since, except, &ending)) return true;
  if (ending != NULL) ask_to_look(ending);
  return false;
}

/* Follows the waits from the caller's on. The length of the cycle that leads back to it, or 0. */
static int follow(struct wait cycle[CYCLE_MOST]) {
  uint64_t self = mpl_slot_ident(mpl_self), ident = self;
  for (int n = 0; n < CYCLE_MOST;) {
    struct mpl_slot *slot = mpl_slot_find(ident);
    struct wait *w = &cycle[n++];
    if (slot == NULL || !read_wait(slot, w) || !w->endless) return 0;
    ident = who_ends(w);
    if (ident == self) return n;
    for (int i = 0; i < n; i++)
      if (cycle[i].ident == ident) return 0;
  }
  return 0;
}

/* Whether a began later than b; of two that began at once one did. */
static bool is_later(const struct wait *a, const struct wait *b) {
  return a->since > b->since || (a->since == b->since && a->ident > b->ident);
}

/* Whether the caller has closed a cycle; if so it is reported. If another one has that one is
   told. */
static bool find_cycle(void) {
  struct wait cycle[CYCLE_MOST], again[CYCLE_MOST];
  int n = follow(cycle), last = 0;
  if (n == 0 || follow(again) != n) return false;
  for (int i = 0; i < n; i++) {
    if (again[i].ident != cycle[i].ident || again[i].serial != cycle[i].serial) return false;
    if (is_later(&cycle[i], &cycle[last])) last = i;
  }
  struct mpl_slot *closer = mpl_slot_find(cycle[last].ident);
  if (last != 0) {
    if (closer != NULL) ask_to_look(closer);
    return false;
  }
  if (n == 1 && !all_asleep_for(OTHERS_NS, cycle[0].ident)) return false;
  begin_report(false);
  put(n == 1 ? "deadlock: the caller holds what it waits for"
             : "deadlock: each of these processes waits for the next one, and the last for "
               "the first");
  for (int i = 0; i < n; i++) put_process(cycle[i].ident);
  return true;
}

/* Who is to hear that all are asleep: one who waits for a lock that it holds itself, or the main
   program, or the caller if there is none any more. */
static struct mpl_slot *whom_to_tell(void) {
  for (uint64_t i = 0; i < mpl_slot_count(); i++) {
    struct wait w;
    if (read_wait(mpl_slot_at(i), &w) && who_ends(&w) == w.ident) return mpl_slot_at(i);
  }
  struct mpl_slot *main = mpl_slot_find(MPL_SLOT_MAIN);
  return main != NULL ? main : mpl_self;
}

/* Whether all are asleep and it is the caller's part to say so; if so it is reported. */
static bool find_all_asleep(void) {
  if (!all_asleep_for(ALL_NS, 0)) {
    mpl_recover_some(1); /* another one who died unnoticed may have been about to wake the caller */
    return false;
  }
  struct mpl_slot *who = whom_to_tell();
  if (who != mpl_self) {
    ask_to_look(who);
    return false;
  }
  begin_report(true);
  put("deadlock: all processes are asleep");
  for (uint64_t i = 0; i < mpl_slot_count(); i++)
    if (mpl_slot_state_of(mpl_slot_at(i)) == MPL_SLOT_LIVE)
      put_process(mpl_slot_ident(mpl_slot_at(i)));
  return true;
}

/*
** Before each sleep: says at the first what the caller waits for, and from time to time looks
** whether it may wait for ever. `*slice`, how long it means to sleep, ns, is shortened so that it
** can. MPL_OK or MPL_DEADLOCK. The caller holds no lock, and calls mpl_deadlock_awake once it does
** not wait any more.
*/
enum mpl_status mpl_deadlock_look(struct mpl_sleeper *s, int64_t *slice) {
  if (s->look_at == 0) {
    say(s);
    s->look_at = s->since + LOOK_NS;
  } else {
    say_sleep(s);
  }
  if (!s->endless) return MPL_OK;
  int64_t now = mpl_os_now();
  bool asked = mpl_load32_rlx(&mpl_self->asked_to_look) != 0;
  if (asked) mpl_store32_rlx(&mpl_self->asked_to_look, 0);
  if (asked || now >= s->look_at) {
    if (find_cycle() || find_all_asleep()) return MPL_DEADLOCK;
    s->look_at = now + LOOK_NS;
  }
  if (now - s->since < LOOKS_NS && *slice > s->look_at - now) *slice = s->look_at - now;
  return MPL_OK;
}
