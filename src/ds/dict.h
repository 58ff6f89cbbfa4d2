/*
** The dict: a hash table of encoded keys and values, in the order of insertion.
**
** It is made of shards, each with a lock of its own and a table (ds/dict_table.h): one as long as
** it is small, MPL_DICT_SHARDS for ever once it has grown. The hash of a key says in which shard it
** is, so that processes that use different keys seldom meet. What concerns all of the dict takes
** the locks of all shards, in their order.
**
** Changes pass the gate (ds/gate.h). Whoever holds it may collect changes in the overlay, a table
** beside the shards that only the holder looks at, and apply them all at once: that is decided by
** one store, `applying`, and whoever finds it set goes on with what its setter did not end.
**
** A set and a namespace are dicts that scripts see differently.
*/
#ifndef MPL_DS_DICT_H
#define MPL_DS_DICT_H

#include "base/buf.h"
#include "ds/gate.h"
#include "ds/value.h"
#include "shm/object.h"
#include "sync/robust.h"

#define MPL_DICT_SHARDS 8
#define MPL_DICT_SMALL 16 /* entries; with fewer it has one shard */

struct mpl_dict_shard {
  MPL_ALIGNED struct mpl_robust lock; /* guards all below, the table and its entries */
  mpl_a64 table;  /* block, 0: empty */
  mpl_a64 count;  /* entries */
  mpl_a64 writes; /* changes, ever */
};

struct mpl_dict {
  struct mpl_lock gate; /* first, see ds/gate.h */
  struct mpl_ec changed;
  mpl_a64 split;    /* block of all shards, 0: there is only `first`; set once, under its lock */
  mpl_a64 serial;   /* what the next new entry gets: the order of insertion */
  mpl_a64 cleared;  /* 1: the overlay begins with the removal of all */
  mpl_a64 applying; /* 1: the overlay is being applied; changed under all locks */
  mpl_a64 waste;    /* tables whose entries are to be freed; under the lock of the overlay */
  struct mpl_dict_shard first;
  struct mpl_dict_shard overlay; /* lock above all shards'; changed by the holder of the gate */
};

/* An encoded key. Equal keys have equal bytes. */
struct mpl_dict_key {
  const void *bytes;
  uint64_t size;
  uint64_t hash; /* mpl_dict_hash of them */
};

/* What mpl_dict_change asks for. */
enum mpl_dict_verdict { MPL_DICT_KEEP, MPL_DICT_STORE, MPL_DICT_REMOVE };

/* Decides under the shard's lock, perhaps more than once: the last answer counts. Calls no Lua,
   takes no lock, allocates nothing. `old` is the present value, NULL if there is none; its bytes
   are in shared memory, or it is a message that is not in the hand. For STORE *new says the value:
   bytes that stay valid until the change returns, or a message in the hand. */
typedef enum mpl_dict_verdict (*mpl_dict_decide)(void *arg, const struct mpl_value *old,
                                                 struct mpl_value *new);

struct mpl_dict_op {
  struct mpl_dict *dict;
  struct mpl_dict_key key;
  mpl_dict_decide decide;
  void *arg;
  uint32_t thread;      /* of the caller, for the gate */
  bool want_old;        /* fill `old` */
  bool found;           /* out: there was a value */
  bool stored;          /* out: STORE happened; a message that was stored is the dict's */
  struct mpl_value old; /* out, if found and wanted: bytes in `room`, or a message in the hand (a
                           share of one that stays, the thing itself of one that went) */
  unsigned char room[MPL_VALUE_INLINE];
};

/* An entry of a snapshot. Messages are those of the keep. */
struct mpl_dict_pair {
  uint64_t serial;
  uint64_t key_at, key_size; /* in `bytes` of the snapshot */
  uint64_t value_at;         /* in `bytes`, if `message` is 0 */
  uint64_t value_size;
  mpl_off message;
};

/* A private copy of all entries, in the order of insertion. */
struct mpl_dict_snapshot {
  struct mpl_dict_pair *pair;
  uint64_t count;
  unsigned char *bytes;
  uint64_t keep; /* id of the keep of the messages, referred to by the caller; 0: there are none */
};

void mpl_dict_register(void);
enum mpl_status mpl_dict_new(enum mpl_object_type kind, uint64_t *id);
uint64_t mpl_dict_hash(const void *bytes, uint64_t size);

/* One key. */
enum mpl_status mpl_dict_get(struct mpl_dict_op *op);
enum mpl_status mpl_dict_change(struct mpl_dict_op *op, struct mpl_wait *w);
uint64_t mpl_dict_writes(struct mpl_dict *d, const struct mpl_dict_key *key);

/* All of it. */
enum mpl_status mpl_dict_count(struct mpl_dict *d, uint32_t thread, uint64_t *count);
enum mpl_status mpl_dict_snapshot(struct mpl_dict *d, uint32_t thread, struct mpl_dict_snapshot *s);
void mpl_dict_snapshot_free(struct mpl_dict_snapshot *s);
enum mpl_status mpl_dict_clear(struct mpl_dict *d, uint32_t thread, struct mpl_wait *w);
enum mpl_status mpl_dict_pop_newest(struct mpl_dict_op *op, struct mpl_buf *key,
                                    struct mpl_wait *w);

/* Changes at once: whoever holds the gate changes the overlay, and sees the dict through it. */
enum mpl_status mpl_dict_begin(struct mpl_dict *d, uint32_t thread, struct mpl_wait *w);
enum mpl_status mpl_dict_commit(struct mpl_dict *d);
void mpl_dict_abandon(struct mpl_dict *d);

/* Whether this thread of the caller has begun changes and not ended them. */
static inline bool mpl_dict_is_begun(const struct mpl_dict *d, uint32_t thread) {
  return mpl_lock_is_held_by(&d->gate, thread);
}

#endif
