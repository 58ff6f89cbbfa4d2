/*
** The event that scripts use: a flag that one can wait for.
*/
#ifndef MPL_DS_EVENT_H
#define MPL_DS_EVENT_H

#include "shm/object.h"
#include "shm/wait.h"

struct mpl_event {
  MPL_ALIGNED mpl_a64 set;   /* 0 or 1 */
  mpl_a64 setter;            /* identity of who set it last; a hint for those who wait */
  struct mpl_ec changed;
};

void mpl_event_register(void);
enum mpl_status mpl_event_new(uint64_t *id);
bool mpl_event_is_set(const struct mpl_event *event);
void mpl_event_set(struct mpl_event *event);
void mpl_event_clear(struct mpl_event *event);
enum mpl_status mpl_event_try(struct mpl_event *event, struct mpl_wait *w);

#endif
