/*
** What a process of the torture does: random operations on random objects, from a table. A
** structure joins with
**   - a row in `ops_kinds`: how one is made;
**   - a row in `ops_table` for each operation: its name, how often it comes, the type of the object
**     that it wants, and a function that gets the id of one, whose handle the process has;
**   - if there is something to look at while all rest, a case in quiet_inspect (torture_quiet.h).
**
** Before each operation the random numbers begin anew, from the seed of the process and the number
** of the operation: however much an operation draws, and whatever comes of it, the next one is the
** same. No operation waits without a deadline.
*/
#ifndef MPL_TEST_TORTURE_OPS_H
#define MPL_TEST_TORTURE_OPS_H

#include "torture_dicts.h"
#include "torture_lists.h"
#include "torture_queues.h"
#include "torture_tasks.h"

#define OPS_CHILDREN 8
#define OPS_MOST_OBJECTS 700   /* about */
#define OPS_MOST_PROCESSES 36
#define OPS_DEEPEST 3

static struct mpl_child *ops_child[OPS_CHILDREN];
static pid_t ops_raw_child[OPS_CHILDREN]; /* made by a plain fork: reaped here, not by mpl */
static uint64_t ops_seed, ops_depth;
static bool ops_leaving;

/*
** Making objects
*/

static enum mpl_status ops_make_lock(uint64_t *id) {
  enum mpl_status s = mpl_lock_new(id);
  if (s != MPL_OK) return s;
  struct ledger_lock *lock = &ledger->lock[ledger_index(*id)];
  mpl_store64_rel(&lock->owner, 0);
  mpl_store64_rel(&lock->loose, draw(4) == 0);
  return MPL_OK;
}

static const struct { enum mpl_object_type type; enum mpl_status (*make)(uint64_t *id); }
ops_kinds[] = {
  {MPL_TYPE_QUEUE, queues_make},
  {MPL_TYPE_LOCK, ops_make_lock},
  {MPL_TYPE_EVENT, mpl_event_new},
  {MPL_TYPE_LIST, mpl_list_new},
  {MPL_TYPE_DICT, dicts_make},
};
#define OPS_KINDS (sizeof ops_kinds / sizeof *ops_kinds)

static void ops_make(uint64_t unused) {
  uint64_t id, kind = draw(OPS_KINDS);
  (void)unused;
  /* The table of objects, which has room enough, must not grow; the dead may not be buried yet. */
  struct mpl_object_root *objects = &mpl_super()->objects;
  if (mpl_load64_rlx(&objects->live) > OPS_MOST_OBJECTS || mpl_load64_rlx(&objects->free) == 0)
    return;
  enum mpl_status s = ops_kinds[kind].make(&id);
  CHECK(s == MPL_OK || s == MPL_NOMEM);
  if (s != MPL_OK) return;
  CHECK(mpl_object_type_of(id) == ops_kinds[kind].type);
  cells_keep(id);
}

static void ops_drop(uint64_t unused) {
  (void)unused;
  cells_empty(LEDGER_ROOTS + draw(CELLS - LEDGER_ROOTS));
}

/* The board keeps nothing alive. */
static void ops_post(uint64_t id) {
  mpl_store64_rel(&ledger->board[draw(LEDGER_BOARD)], id);
}

static void ops_fetch(uint64_t unused) {
  (void)unused;
  cells_fetch(ledger_look(&ledger->board[draw(LEDGER_BOARD)]));
}

/*
** Locks and events
*/

/* The lock has been taken, and nobody else alive is under it. */
static void ops_enter(uint64_t id, enum mpl_status s) {
  struct ledger_lock *record = &ledger->lock[ledger_index(id)];
  uint64_t last = mpl_swap64_ar(&record->owner, mpl_slot_ident(mpl_self));
  CHECK(last == 0 || (s == MPL_RECOVERED && !mpl_slot_ident_lives(last)));
  if (s == MPL_RECOVERED) mpl_add64_ar(&ledger->abandoned, 1);
  int i = (int)draw(CELLS_HELD);
  if (cells_held[i] != 0) cells_unlock(i);
  cells_held[i] = id;
  if (draw(2) == 0) cells_unlock(i);
}

static void ops_lock(uint64_t id) {
  struct mpl_lock *lock = world_lock(id);
  bool loose = ledger_look(&ledger->lock[ledger_index(id)].loose) != 0;
  enum mpl_status s = world_acquire(lock, draw_deadline());
  CHECK(s == MPL_OK || s == MPL_RECOVERED || s == MPL_TIMEOUT);
  if (s == MPL_TIMEOUT) {
    mpl_lock_pass_on(lock);
    return;
  }
  CHECK(!cells_holds(id));
  if (!loose) ops_enter(id, s);
  else if (draw(2) == 0) mpl_lock_release(lock); /* MPL_MISUSE: somebody else has done it */
}

static void ops_release(uint64_t id) {
  if (ledger_look(&ledger->lock[ledger_index(id)].loose) != 0) mpl_lock_release(world_lock(id));
  int i = (int)draw(CELLS_HELD);
  if (cells_held[i] != 0) cells_unlock(i);
}

static void ops_event(uint64_t id) {
  struct mpl_event *event = world_event(id);
  switch (draw(4)) {
    case 0: mpl_event_set(event); return;
    case 1: mpl_event_clear(event); return;
    default: break;
  }
  enum mpl_status s = world_await(event, draw_deadline());
  CHECK(s == MPL_OK || s == MPL_TIMEOUT);
}

/*
** Processes
*/

static _Noreturn void ops_live(uint64_t seed, uint64_t depth, bool daemon);

/* A child ends by itself, killed, or asked to end with its parent. */
static bool ops_may_end_with(int code) {
  return code == 0 || code == -SIGKILL || code == -SIGTERM;
}

static void ops_child_ended(int i) {
  CHECK(ops_may_end_with(ops_child[i]->exit_code));
  mpl_child_unwanted(ops_child[i]);
  ops_child[i] = NULL;
}

static void ops_look_after_raw_children(void) {
  for (int i = 0, status; i < OPS_CHILDREN; i++) {
    if (ops_raw_child[i] == 0 || mpl_os_wait_pid(ops_raw_child[i], &status) == 0) continue;
    CHECK(ops_may_end_with(WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status)));
    ops_raw_child[i] = 0;
  }
}

/* Looks at the exit codes of the children that have ended; returns how many have not and will by
   themselves. */
static int ops_look_after_children(void) {
  int n = 0;
  ops_look_after_raw_children();
  for (int i = 0; i < OPS_CHILDREN; i++) {
    if (ops_child[i] == NULL) continue;
    if (mpl_child_ended(ops_child[i])) ops_child_ended(i);
    else if (!ops_child[i]->daemon) n++;
  }
  return n;
}

static void ops_fork(uint64_t unused) {
  static const enum mpl_fork_kind kinds[] = {MPL_FORK_CHILD, MPL_FORK_CHILD, MPL_FORK_CHILD,
                                             MPL_FORK_DAEMON, MPL_FORK_DAEMON, MPL_FORK_RAW};
  enum mpl_fork_kind kind = kinds[draw(sizeof kinds / sizeof *kinds)];
  struct mpl_child *child;
  uint64_t seed = draw(UINT64_MAX), i = draw(OPS_CHILDREN);
  (void)unused;
  ops_look_after_children();
  if (ops_depth == OPS_DEEPEST || ops_child[i] != NULL || ops_raw_child[i] != 0 ||
      mpl_load64_rlx(&mpl_super()->slots.live) > OPS_MOST_PROCESSES)
    return;
  enum mpl_status s = mpl_fork("grandchild", kind, &child);
  CHECK(s == MPL_OK || s == MPL_NOMEM);
  if (s != MPL_OK) return;
  if (child == NULL) ops_live(seed, ops_depth + 1, kind == MPL_FORK_DAEMON);
  if (kind == MPL_FORK_RAW) ops_raw_child[i] = child->pid;
  else ops_child[i] = child;
  mpl_add64_ar(&ledger->forks, 1);
}

static void ops_children(uint64_t unused) {
  uint64_t i = draw(OPS_CHILDREN), what = draw(3);
  int64_t deadline = draw_deadline();
  (void)unused;
  ops_look_after_children();
  if (ops_child[i] == NULL) return;
  if (what == 0) CHECK(mpl_child_signal(ops_child[i], SIGKILL) == 0);
  if (mpl_child_join(ops_child[i], deadline, 0) == MPL_OK) ops_child_ended((int)i);
}

/* Some process of the program, of any kinship, or one that is still to come. */
static void ops_join(uint64_t unused) {
  struct mpl_slot *slot = mpl_slot_at(draw(mpl_slot_count()));
  (void)unused;
  enum mpl_status s = mpl_child_join_stranger(mpl_slot_ident(slot), draw_deadline());
  CHECK(s == MPL_OK || s == MPL_TIMEOUT || s == MPL_SIGNAL);
}

/* What every call into the module may do. */
static void ops_attend(uint64_t unused) {
  (void)unused;
  if (mpl_signal_take(MPL_SIGNAL_CHILD)) mpl_child_reap();
  mpl_recover_some(4);
  mpl_reflist_sweep();
}

static void ops_leave(uint64_t unused) {
  (void)unused;
  ops_leaving = true;
}

/*
** The table
*/

static const struct ops_row {
  const char *name;
  unsigned weight;
  enum mpl_object_type type; /* NONE: no object */
  void (*run)(uint64_t id);
} ops_table[] = {
  {"make", 60, MPL_TYPE_NONE, ops_make},
  {"drop", 50, MPL_TYPE_NONE, ops_drop},
  {"post lock", 8, MPL_TYPE_LOCK, ops_post},
  {"post event", 8, MPL_TYPE_EVENT, ops_post},
  {"post queue", 16, MPL_TYPE_QUEUE, ops_post},
  {"post list", 10, MPL_TYPE_LIST, ops_post},
  {"fetch", 40, MPL_TYPE_NONE, ops_fetch},
  {"put", 120, MPL_TYPE_QUEUE, queues_put},
  {"put_many", 60, MPL_TYPE_QUEUE, queues_put_many},
  {"send", 60, MPL_TYPE_QUEUE, queues_send},
  {"get", 160, MPL_TYPE_QUEUE, queues_get},
  {"get_many", 100, MPL_TYPE_QUEUE, queues_get_many},
  {"shutdown", 6, MPL_TYPE_QUEUE, queues_shutdown},
  {"lock", 80, MPL_TYPE_LOCK, ops_lock},
  {"release", 40, MPL_TYPE_LOCK, ops_release},
  {"event", 60, MPL_TYPE_EVENT, ops_event},
  {"list insert", 100, MPL_TYPE_LIST, lists_insert},
  {"list set", 40, MPL_TYPE_LIST, lists_set},
  {"list take", 90, MPL_TYPE_LIST, lists_take},
  {"list get", 40, MPL_TYPE_LIST, lists_get},
  {"list read", 10, MPL_TYPE_LIST, lists_read},
  {"list replace", 10, MPL_TYPE_LIST, lists_replace},
  {"post dict", 16, MPL_TYPE_DICT, ops_post},
  {"dict count", 100, MPL_TYPE_DICT, dicts_count_up},
  {"dict set", 100, MPL_TYPE_DICT, dicts_put},
  {"dict remove", 50, MPL_TYPE_DICT, dicts_take_out},
  {"dict get", 60, MPL_TYPE_DICT, dicts_look_up},
  {"dict transfer", 80, MPL_TYPE_DICT, dicts_transfer},
  {"dict snapshot", 30, MPL_TYPE_DICT, dicts_look_at_all},
  {"dict clear", 5, MPL_TYPE_DICT, dicts_clear_loose},
  {"dict pop", 10, MPL_TYPE_DICT, dicts_pop_one},
  {"tasks", 6, MPL_TYPE_NONE, tasks_run},
  {"fork", 8, MPL_TYPE_NONE, ops_fork},
  {"children", 10, MPL_TYPE_NONE, ops_children},
  {"join", 6, MPL_TYPE_NONE, ops_join},
  {"attend", 20, MPL_TYPE_NONE, ops_attend},
  {"leave", 1, MPL_TYPE_NONE, ops_leave},
};
#define OPS_ROWS (sizeof ops_table / sizeof *ops_table)

static void ops_one(void) {
  uint64_t sum = 0, row = 0;
  for (uint64_t i = 0; i < OPS_ROWS; i++) sum += ops_table[i].weight;
  for (uint64_t left = draw(sum); left >= ops_table[row].weight; row++)
    left -= ops_table[row].weight;
  uint64_t id = ops_table[row].type == MPL_TYPE_NONE ? 0 : cells_pick(ops_table[row].type);
  mpl_store64_rel(&ledger_me->op, row);
  mpl_store64_rel(&ledger_me->since, (uint64_t)mpl_os_now());
  /* It stays, even if what comes in pushes it out of its cell. */
  if (id != 0) CHECK(mpl_object_retain(id) == MPL_OK);
  ops_table[row].run(id);
  if (id != 0) mpl_reflist_release(id);
  mpl_add64_ar(&ledger->operations, 1);
}

/* Waits for the children, as a script's end does; or does not, and leaves orphans. */
static _Noreturn void ops_end(void) {
  for (int i = 0; i < CELLS_HELD; i++)
    if (cells_held[i] != 0 && draw(2) == 0) cells_unlock(i);
  if (draw(2) == 0) {
    while (ops_look_after_children() > 0) {
      ledger_park();
      ledger_sleep(WORLD_MS / 5);
    }
    CHECK(mpl_exit_join_children() == MPL_OK);
    CHECK(ops_look_after_children() == 0);
  }
  mpl_exit_child(0);
}

/* The life of a process. One in four dies by itself, at a random point. */
static _Noreturn void ops_live(uint64_t seed, uint64_t depth, bool daemon) {
  mpl_point_arm(0);
  ops_seed = seed;
  ops_depth = depth;
  ops_leaving = false;
  memset(cells_held, 0, sizeof cells_held);
  memset(ops_child, 0, sizeof ops_child);
  memset(ops_raw_child, 0, sizeof ops_raw_child);
  ledger_begin(daemon);
  items_producer = 1 + mpl_add64_ar(&ledger->producers, 1);
  ledger_rng = seed;
  uint64_t operations = depth == 0 ? 1000000 : draw(1000);
  if (draw(4) == 0) mpl_point_arm(1 + draw((uint64_t)1 << (4 + draw(14))));
  for (uint64_t i = 0; i < operations && !ops_leaving && !ledger_stopped(); i++) {
    ledger_park();
    ledger_rng = ledger_mix(seed, i);
    ops_one();
  }
  ledger_rng = ledger_mix(seed, operations);
  ops_end();
}

#endif
