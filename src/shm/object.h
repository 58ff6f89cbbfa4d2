/*
** The object table: everything that scripts share, and who refers to it.
**
** An object is an id (generation << 32 | index), a type, a body in the heap and a count of
** references. A reference is held by a process (once, however many handles it has), by a message or
** by another structure. When the last is dropped the object goes to the grave list and is
** dismantled, step by step, by whoever is there; a death in the middle leaves the rest to the next.
**
** How processes hold their references is in reflist.h.
**
** Whenever the lock is free: an object's count is the number of list entries, message entries and
** structure entries that name it; a free or buried entry has none.
*/
#ifndef MPL_SHM_OBJECT_H
#define MPL_SHM_OBJECT_H

#include "shm/arena.h"
#include "sync/robust.h"

#define MPL_OBJECT_LABEL 48 /* bytes, the final zero included */
#define MPL_OBJECT_CHUNKS 24
#define MPL_OBJECT_CHUNK0 64 /* entries in the first chunk; each further one has twice as many */

enum mpl_object_type {
  MPL_TYPE_NONE,
  MPL_TYPE_LOCK,
  MPL_TYPE_EVENT,
  MPL_TYPE_QUEUE,
  MPL_TYPE_RLOCK,
  MPL_TYPE_SEMAPHORE,
  MPL_TYPE_BOUNDED_SEMAPHORE,
  MPL_TYPE_CONDITION,
  MPL_TYPE_BARRIER,
  MPL_TYPE_VALUE,
  MPL_TYPE_ARRAY,
  MPL_TYPE_PIPE,
  MPL_TYPE_PARCEL, /* a file descriptor on its way to another process */
  MPL_TYPE_JOINABLE_QUEUE,
  MPL_TYPE_SIMPLE_QUEUE,
  MPL_TYPE_DICT,
  MPL_TYPE_SET,
  MPL_TYPE_NAMESPACE,
  MPL_TYPE_LIST,
  MPL_TYPE_KEEP, /* messages that a snapshot needs (ds/keep.h) */
  MPL_TYPE_MANAGER,
  MPL_TYPE_LIFE, /* of what a manager makes (shm/life.h) */
  MPL_TYPE_TASKS, /* of a pool */
  MPL_TYPE_COUNT
};

struct mpl_object {
  mpl_a64 id;   /* generation << 32 | index */
  mpl_a64 type; /* enum mpl_object_type; NONE: free */
  mpl_a64 refs;
  mpl_a64 body; /* block in which the body lies; see mpl_object_body_of */
  mpl_a64 next; /* in the free list or the grave list: index, 0: last */
};

/* What stands before every body: who it is, for those that come upon the body. */
struct mpl_object_head {
  mpl_a64 id;
  mpl_a64 life; /* body of the lifetime that it belongs to, 0: none (shm/life.h) */
  char label[MPL_OBJECT_LABEL]; /* name, or where it was made; written once, by its maker */
};

struct mpl_object_root {
  struct mpl_robust lock;       /* guards all below, entries and reference lists */
  struct mpl_robust grave_lock; /* held by whoever dismantles */
  mpl_a64 free;
  mpl_a64 grave;
  mpl_a64 burying;              /* taken off the grave list, not yet wholly dismantled; 0: none */
  mpl_a64 count;                /* entries that exist; index 0 is never used */
  mpl_a64 live;                 /* objects that are referred to */
  mpl_a64 chunk[MPL_OBJECT_CHUNKS];
};

/* What a type must do; the same functions in every process of a program. */
struct mpl_object_ops {
  const char *name;
  /* Frees what hangs off the body, in small sections; nobody else reaches it any more. */
  void (*dismantle)(void *body);
  /* Who holds it, as an identity, and `order`, which grows with each thing that this process takes;
     0 if nobody does, or if others than the holder are known to release it. May be NULL; without a
     lock. */
  uint64_t (*holder)(const void *body, uint64_t *order);
  /* For the checker: calls visit for each block off the body and ref for each reference it
     holds. */
  bool (*walk)(void *body, bool (*visit)(void *arg, mpl_off block),
               bool (*ref)(void *arg, uint64_t id), void *arg);
};

void mpl_object_register(enum mpl_object_type type, const struct mpl_object_ops *ops);
const struct mpl_object_ops *mpl_object_ops_of(enum mpl_object_type type);

enum mpl_status mpl_object_create_table(struct mpl_object_root *root);
enum mpl_status mpl_object_new(enum mpl_object_type type, uint64_t size,
                               enum mpl_status (*init)(void *body, const void *arg),
                               const void *arg, uint64_t *id);
enum mpl_status mpl_object_retain(uint64_t id);
enum mpl_object_type mpl_object_type_of(uint64_t id);
void *mpl_object_body(uint64_t id, enum mpl_object_type type);
struct mpl_object *mpl_object_entry(uint64_t index);
void *mpl_object_body_of(const struct mpl_object *entry);
struct mpl_object_head *mpl_object_head_of(uint64_t id);
uint64_t mpl_object_id_of(const void *body);
const char *mpl_object_label_of(const void *body);
void mpl_object_set_label(uint64_t id, const char *label);
void mpl_object_each(void (*visit)(void *arg, const struct mpl_object *entry), void *arg);

void mpl_object_tx_ref(uint64_t id);
bool mpl_object_tx_unref(uint64_t id);
void mpl_object_bury(void);

#endif
