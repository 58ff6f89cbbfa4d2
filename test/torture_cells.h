/*
** The handles that a process of the torture has: cells, each with the id of an object or none. The
** first cells are the roots, which all processes inherit; the others are filled with what the
** process makes, what comes with messages and what hangs at the board. A lock that the process
** holds is in some cell, and is released before it leaves the last one.
*/
#ifndef MPL_TEST_TORTURE_CELLS_H
#define MPL_TEST_TORTURE_CELLS_H

#include "torture_ledger.h"

#define CELLS 32
#define CELLS_HELD 4

static uint64_t cells[CELLS];           /* ids, 0: none */
static uint64_t cells_held[CELLS_HELD]; /* locks, not loose ones, that the process holds */

/* Releases a lock that is held. */
static void cells_unlock(int i) {
  uint64_t id = cells_held[i];
  struct ledger_lock *record = &ledger->lock[ledger_index(id)];
  CHECK(ledger_look(&record->owner) == mpl_slot_ident(mpl_self));
  mpl_store64_rel(&record->owner, 0);
  cells_held[i] = 0;
  CHECK(mpl_lock_release(world_lock(id)) == MPL_OK);
}

static bool cells_holds(uint64_t id) {
  for (int i = 0; i < CELLS_HELD; i++)
    if (cells_held[i] == id) return true;
  return false;
}

static bool cells_is_root(uint64_t id) {
  for (int i = 0; i < LEDGER_ROOTS; i++)
    if (ledger_look(&ledger->root[i]) == id) return true;
  return false;
}

/* A random handle of this type, or of any for NONE; 0: the process has none. */
static uint64_t cells_pick(enum mpl_object_type type) {
  uint64_t first = draw(CELLS);
  for (uint64_t i = 0; i < CELLS; i++) {
    uint64_t id = cells[(first + i) % CELLS];
    if (id != 0 && (type == MPL_TYPE_NONE || mpl_object_type_of(id) == type)) return id;
  }
  return 0;
}

static void cells_empty(uint64_t cell) {
  uint64_t id = cells[cell];
  if (id == 0) return;
  for (int i = 0; i < CELLS_HELD; i++)
    if (cells_held[i] == id) cells_unlock(i);
  cells[cell] = 0;
  mpl_reflist_release(id);
}

/* Keeps a handle that the process has got, in the place of another. */
static void cells_keep(uint64_t id) {
  uint64_t cell = LEDGER_ROOTS + draw(CELLS - LEDGER_ROOTS);
  cells_empty(cell);
  cells[cell] = id;
}

/* The object may be no more. */
static void cells_fetch(uint64_t id) {
  enum mpl_status s = mpl_object_retain(id);
  CHECK(s == MPL_OK || s == MPL_GONE || s == MPL_NOMEM);
  if (s == MPL_OK) cells_keep(id);
}

/* A deadline for an operation: mostly it does not wait, and never long. */
static int64_t draw_deadline(void) {
  switch (draw(4)) {
    case 0: return mpl_os_now() + (int64_t)draw(5 * WORLD_MS);
    case 1: return mpl_os_now() + (int64_t)draw(WORLD_MS / 2);
    default: return 0;
  }
}

#endif
