/*
** A value on its way into or out of a dict or a list: encoded bytes (bind/codec.h), or a message
** that lies in the caller's hand.
*/
#ifndef MPL_DS_VALUE_H
#define MPL_DS_VALUE_H

#include "shm/arena.h"

/* Longer values, and those with references to shared objects, are messages. */
#define MPL_VALUE_INLINE 128

struct mpl_value {
  const void *bytes;
  uint64_t size;   /* at most MPL_VALUE_INLINE */
  mpl_off message; /* not 0: the value is this, and `bytes` and `size` do not count */
};

#endif
