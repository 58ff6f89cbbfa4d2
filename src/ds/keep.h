/*
** A keep: shares of messages that a snapshot of a structure refers to, for as long as somebody
** reads the snapshot. An object, so that the shares of a reader that dies are given back.
*/
#ifndef MPL_DS_KEEP_H
#define MPL_DS_KEEP_H

#include "shm/object.h"

struct mpl_keep {
  uint64_t room;
  mpl_a64 count;
  mpl_a64 message[];
};

void mpl_keep_register(void);
enum mpl_status mpl_keep_new(uint64_t room, uint64_t *id);
enum mpl_status mpl_keep_add(struct mpl_keep *keep, const mpl_off *message, uint64_t n);

#endif
