/*
** Messages: bytes with references to shared objects, in one block of the heap.
**
** A message has an owner at every instant: a hand or a structure. The references that it mentions
** are counted by it, so that a message that nobody takes gives them back without Lua.
**
** A message that a structure keeps while others read it has several owners, `holders` of them: who
** reads it shares it under the structure's lock and drops it when done, and need not copy it.
** Nobody changes it then. It is gone when the last owner drops it.
*/
#ifndef MPL_SHM_MESSAGE_H
#define MPL_SHM_MESSAGE_H

#include "shm/arena.h"

struct mpl_message {
  mpl_a64 next;       /* for the structure that owns it */
  mpl_a64 task;       /* the same; 0 in a new message (see ds/queue_taken.h) */
  uint64_t size;      /* of the bytes */
  uint64_t capacity;  /* for references */
  mpl_a64 holders;    /* owners; above 1 only changed under the object lock */
  mpl_a64 nrefs;
  mpl_a64 ref[];      /* `capacity` ids, then the bytes */
};

struct mpl_slot;

enum mpl_status mpl_message_new(uint64_t size, uint64_t nrefs, mpl_off *out);
enum mpl_status mpl_message_add_ref(mpl_off message, uint64_t id);
void mpl_message_tx_share(mpl_off message);
enum mpl_status mpl_message_share(mpl_off message);
void mpl_message_drop(struct mpl_slot *holder, mpl_off message);
bool mpl_message_walk(mpl_off message, bool (*visit)(void *arg, mpl_off block),
                      bool (*ref)(void *arg, uint64_t id), void *arg);

static inline struct mpl_message *mpl_message_at(mpl_off message) {
  return MPL_AT(struct mpl_message, message);
}

/* The bytes; `size` of them. */
static inline void *mpl_message_data(mpl_off message) {
  struct mpl_message *m = mpl_message_at(message);
  return mpl_arena_at(message + sizeof *m + m->capacity * sizeof(uint64_t), m->size);
}

#endif
