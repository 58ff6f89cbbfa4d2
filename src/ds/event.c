/*
** Events of scripts: see event.h.
*/
#include "ds/event.h"

static const struct mpl_object_ops ops = {.name = "Event"};

void mpl_event_register(void) {
  mpl_object_register(MPL_TYPE_EVENT, &ops);
}

/* An event that is not set, to which the caller holds a reference. MPL_NOMEM, MPL_NOPRIVATE. */
enum mpl_status mpl_event_new(uint64_t *id) {
  return mpl_object_new(MPL_TYPE_EVENT, sizeof(struct mpl_event), NULL, NULL, id);
}

bool mpl_event_is_set(const struct mpl_event *event) {
  return mpl_load64_acq(&event->set) != 0;
}

/* Sets it and wakes all who wait. */
void mpl_event_set(struct mpl_event *event) {
  mpl_tx_wake(&event->changed, MPL_EC_ALL);
  MPL_POINT();
  mpl_store64_rlx(&event->setter, mpl_slot_ident(mpl_self));
  MPL_POINT();
  mpl_store64_rel(&event->set, 1);
  MPL_POINT();
  mpl_tx_wake_flush();
}

void mpl_event_clear(struct mpl_event *event) {
  MPL_POINT();
  mpl_store64_rel(&event->set, 0);
  MPL_POINT();
}

/* MPL_OK if it is set, else MPL_BLOCK. */
enum mpl_status mpl_event_try(struct mpl_event *event, struct mpl_wait *w) {
  if (mpl_event_is_set(event)) return MPL_OK;
  w->kind = MPL_WAIT_OBJECT;
  w->body = event;
  w->ec = &event->changed;
  w->watch = &event->set;
  w->seen = 0;
  w->peer = mpl_load64_rlx(&event->setter);
  return MPL_BLOCK;
}
