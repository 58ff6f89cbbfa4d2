/*
** The quiescent points of the torture: all processes rest, or have ended, and everything is looked
** at.
**
**   - The dead are cleaned up after, and the arena is whole.
**   - Every item whose put has returned was got once, is in its queue, or left it with a process
**     that died before it had recorded what it took; a queue's own counters say how many did.
**   - The items in a queue are as many as its counters say, each whole, and no one twice.
**   - A lock is held by the process that says it is under it.
**   - The accounts of a dict have the sum 0, its counters what was added.
**   - Daemons do not outlive their parents.
*/
#ifndef MPL_TEST_TORTURE_QUIET_H
#define MPL_TEST_TORTURE_QUIET_H

#include "torture_ops.h"

/* How long a child whose parent died in the fork may keep all waiting. There may be no such child;
   one that comes later finds its slot taken back, says so and ends. */
#define QUIET_CLAIM (50 * WORLD_MS)

/* How long all may take to come to rest, before they go on for a moment. */
#define QUIET_PATIENCE (2 * MPL_NS_PER_S)
#define QUIET_MOMENT (20 * WORLD_MS)


/*
** Waiting until all rest
*/

/* Says what every process is at; for runs that hang. */
static void quiet_report(void) {
  for (uint64_t i = 0; i < mpl_slot_count() && i < LEDGER_SLOTS; i++) {
    struct mpl_slot *slot = mpl_slot_at(i);
    struct ledger_process *p = &ledger->process[i];
    if (mpl_slot_state_of(slot) == MPL_SLOT_FREE) continue;
    fprintf(stderr, "  slot %lu: pid %lu, state %d, %s, parked at %lu, %s, %lu ms, waits for %lu\n",
            (unsigned long)i, (unsigned long)mpl_load64_rlx(&slot->pid),
            (int)mpl_slot_state_of(slot), mpl_slot_lives(slot) ? "lives" : "dead",
            (unsigned long)ledger_look(&p->parked), ops_table[ledger_look(&p->op)].name,
            (unsigned long)((uint64_t)mpl_os_now() - ledger_look(&p->since)) / 1000000,
            (unsigned long)mpl_load64_rlx(&slot->waiting));
  }
}

static bool quiet_rests(struct mpl_slot *slot, uint64_t ident, uint64_t point) {
  struct ledger_process *p = &ledger->process[mpl_slot_index(ident)];
  if (ledger_look(&p->ident) != ident || ledger_look(&p->parked) != point) return false;
  return ledger_look(&p->daemon) == 0 || mpl_slot_ident_lives(mpl_load64_rlx(&slot->parent));
}

/* A slot that was reserved by one who is dead. */
static void quiet_take_back(struct mpl_slot *slot, uint64_t ident) {
  if (mpl_os_now() - (int64_t)mpl_load64_rlx(&slot->reserved_at) < QUIET_CLAIM) return;
  mpl_recover_unclaimed(slot, ident);
}

/* Looks at each process once, and cleans up after the dead; true if all others rest. */
static bool quiet_look(uint64_t point) {
  bool all = true;
  for (uint64_t i = 0; i < mpl_slot_count(); i++) {
    struct mpl_slot *slot = mpl_slot_at(i);
    uint64_t ident = mpl_slot_ident(slot);
    enum mpl_slot_state state = mpl_slot_state_of(slot);
    if (slot == mpl_self || state == MPL_SLOT_FREE) continue;
    if (state != MPL_SLOT_RESERVED && mpl_slot_lives(slot)) {
      all = all && quiet_rests(slot, ident, point);
      continue;
    }
    if (state != MPL_SLOT_RESERVED) mpl_recover(ident);
    else if (!mpl_slot_ident_lives(mpl_load64_rlx(&slot->reserver))) quiet_take_back(slot, ident);
    all = all && mpl_slot_state_of(slot) == MPL_SLOT_FREE;
  }
  return all;
}

/*
** Waits until all processes rest, and returns the number of the point at which they do, above the
** one given; `reap` is called meanwhile. A process may rest before it has reaped a child that died
** too early to be a member: all go on for a moment now and then.
*/
static uint64_t quiet_reach(uint64_t point, void (*reap)(void)) {
  int64_t end = world_deadline(), go_on = 0;
  int in_turn = 0; /* two: before it rested one may have started another, in a slot behind us */
  while (in_turn < 2) {
    if (mpl_os_now() > go_on) {
      mpl_store64_rel(&ledger->pause, 0);
      if (go_on != 0) ledger_sleep(QUIET_MOMENT);
      mpl_store64_rel(&ledger->pause, ++point);
      go_on = mpl_os_now() + QUIET_PATIENCE;
    }
    reap();
    in_turn = quiet_look(point) ? in_turn + 1 : 0;
    if (mpl_os_now() > end) {
      quiet_report();
      FAIL("not all processes come to rest");
    }
    if (in_turn == 0) ledger_sleep(WORLD_MS / 5);
  }
  return point;
}

/*
** Queues
*/

/* What the present point finds out about a queue; by index. */
static struct quiet_queue {
  uint64_t serial;
  uint64_t lost; /* items that have left it unrecorded, ever */
  uint64_t missing, unknown;
} quiet_queue[LEDGER_OBJECTS];

/* Takes the next batch out of a queue, and puts back what may stay. Returns the number of items. */
static int quiet_turn(uint64_t id, int max, uint64_t floor, bool drain) {
  struct mpl_queue *q = world_queue(id);
  struct ledger_queue *record = &ledger->queue[ledger_index(id)];
  if (world_get(q, max, &queues_got, 0) != MPL_OK) return 0;
  for (int i = 0; i < queues_got.batch.n; i++) {
    struct mpl_queue_got *got = &queues_got.batch.item[i];
    struct item_head head = items_read_got(&queues_got, i);
    CHECK(head.serial == ledger_look(&record->serial));
    uint64_t before = items_flag(&head, ITEM_SEEN);
    CHECK((before & (ITEM_GOT | ITEM_REFUSED | ITEM_LOST | ITEM_SEEN)) == 0);
    mpl_add64_ar(&record->recorded, 1);
    struct mpl_piece piece = {queues_got.bytes + got->at, got->size};
    struct mpl_queue_item item = {.message = got->message, .pieces = &piece, .npieces = 1,
                                  .size = got->size};
    int done = 0;
    if (!drain && head.number >= floor) world_put_items(q, &item, 1, &done, 0);
    if (done == 1) continue;
    items_flag(&head, ITEM_GOT);
    if (got->message != 0) mpl_message_drop(mpl_self, got->message);
  }
  return queues_got.batch.n;
}

/* Turns the queue once round, or empties it: looks at each item that is in it, in its order. */
static void quiet_inspect_queue(uint64_t id, uint64_t floor, bool drain) {
  struct mpl_queue *q = world_queue(id);
  struct ledger_queue *record = &ledger->queue[ledger_index(id)];
  if (mpl_load64_acq(&q->state) == MPL_QUEUE_EMPTIED) {
    if (drain) CHECK(mpl_queue_shutdown(q, true) == MPL_OK); /* who did it may have died */
    return;
  }
  uint64_t size = mpl_queue_size(q), seen = 0;
  while (seen < size) {
    int max = size - seen < MPL_QUEUE_BATCH ? (int)(size - seen) : MPL_QUEUE_BATCH;
    int n = quiet_turn(id, max, floor, drain);
    CHECK(n > 0);
    seen += (uint64_t)n;
  }
  quiet_queue[ledger_index(id)] =
      (struct quiet_queue){.serial = ledger_look(&record->serial),
                           .lost = mpl_load64_rlx(&q->got) - ledger_look(&record->recorded)};
}

/* What the entries of the ledger say of the items that were not there. */
static void quiet_count(uint64_t next, const uint32_t *queue_of, uint64_t serials) {
  for (uint64_t i = ledger_look(&ledger->floor); i < next; i++) {
    uint64_t entry = ledger_look(items_entry(i)), serial = entry >> 8 & 0xffffff;
    CHECK(serial <= serials);
    if (queue_of[serial] == 0) continue;
    struct quiet_queue *q = &quiet_queue[queue_of[serial]];
    if ((entry & ITEM_SEEN) != 0) {
      mpl_and64_ar(items_entry(i), ~(uint64_t)ITEM_SEEN);
    } else if ((entry & (ITEM_GOT | ITEM_REFUSED | ITEM_LOST)) == 0) {
      if ((entry & ITEM_ACCEPTED) != 0) q->missing++;
      else q->unknown++;
      mpl_or64_ar(items_entry(i), ITEM_LOST);
    }
  }
}

/* Who died while it took items has lost as many as have left the queue and were not recorded; of
   one item it may be recorded and not noted, or noted and not recorded. */
static void quiet_judge(const struct quiet_queue *q, uint64_t index) {
  struct ledger_queue *record = &ledger->queue[index];
  uint64_t deaths = ledger_look(&record->deaths);
  int64_t now_lost = (int64_t)(q->lost - record->lost);
  if ((int64_t)q->missing > now_lost + (int64_t)deaths ||
      now_lost > (int64_t)(q->missing + q->unknown + deaths) ||
      q->missing > deaths * MPL_QUEUE_BATCH) {
    fprintf(stderr, "queue %lu: %lu missing, %lu uncertain, %ld left unrecorded, %lu deaths\n",
            (unsigned long)index, (unsigned long)q->missing, (unsigned long)q->unknown,
            (long)now_lost, (unsigned long)deaths);
    FAIL("items got lost");
  }
  record->lost = q->lost;
  mpl_store64_rel(&record->deaths, 0);
}

static void quiet_settle_the_dead(void) {
  for (int i = 0; i < LEDGER_SLOTS; i++)
    if (!mpl_slot_ident_lives(ledger_look(&ledger->process[i].ident)))
      ledger_settle(&ledger->process[i]);
}

/* All queues have been turned: looks at what is not in them. */
static void quiet_account(uint64_t next, uint64_t floor) {
  uint64_t serials = ledger_look(&ledger->serials);
  uint32_t *queue_of = calloc(serials + 1, sizeof *queue_of);
  CHECK(queue_of != NULL);
  for (uint32_t i = 0; i < LEDGER_OBJECTS; i++) queue_of[quiet_queue[i].serial] = i;
  queue_of[0] = 0;
  quiet_count(next, queue_of, serials);
  quiet_settle_the_dead();
  for (uint64_t i = 0; i < LEDGER_OBJECTS; i++)
    if (quiet_queue[i].serial != 0) quiet_judge(&quiet_queue[i], i);
  mpl_store64_rel(&ledger->floor, floor);
  free(queue_of);
}

/*
** All objects
*/

static void quiet_inspect_lock(uint64_t id) {
  struct ledger_lock *record = &ledger->lock[ledger_index(id)];
  uint64_t owner = ledger_look(&record->owner);
  uint64_t holder = mpl_lock_info_of(world_lock(id)).holder;
  if (ledger_look(&record->loose) != 0) return;
  CHECK(holder == owner || (owner == 0 && !mpl_slot_ident_lives(holder)) ||
        (!mpl_slot_ident_lives(holder) && !mpl_slot_ident_lives(owner)));
}

static void quiet_inspect(uint64_t id, uint64_t floor, bool drain) {
  switch (mpl_object_type_of(id)) {
    case MPL_TYPE_QUEUE: quiet_inspect_queue(id, floor, drain); break;
    case MPL_TYPE_LOCK: quiet_inspect_lock(id); break;
    case MPL_TYPE_LIST: lists_inspect(id); break;
    case MPL_TYPE_DICT: dicts_inspect(id, drain); break;
    default: break;
  }
}

/*
** Looks at all objects, of which some are emptied: `drain` per cent of them, and those that hold
** items whose entries are about to be used again. The number of objects is less afterwards, where
** only items in queues referred to them.
*/
static void quiet_look_around(uint64_t drain) {
  uint64_t next = ledger_look(&ledger->next_item), floor = ledger_look(&ledger->floor);
  if (next - floor > LEDGER_ITEMS / 4) floor = next - LEDGER_ITEMS / 4;
  mpl_object_bury();
  WORLD_WHOLE();
  memset(quiet_queue, 0, sizeof quiet_queue);
  for (uint64_t i = 1; i < mpl_load64_acq(&mpl_super()->objects.count); i++) {
    struct mpl_object *e = mpl_object_entry(i);
    uint64_t id = mpl_load64_rlx(&e->id);
    if (mpl_object_type_of(id) == MPL_TYPE_NONE) continue;
    CHECK(mpl_object_retain(id) == MPL_OK);
    quiet_inspect(id, floor, draw(100) < drain);
    mpl_object_bury();
    mpl_reflist_release(id);
  }
  quiet_account(next, floor);
  WORLD_WHOLE();
}

#endif
