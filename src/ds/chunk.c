/*
** Chunks: see chunk.h.
*/
#include "ds/chunk.h"

#include <string.h>

#include "shm/message.h"
#include "shm/recover.h"
#include "shm/slot.h"

/* More room for results than this is for those only that are short. */
#define ROOM_MOST ((uint64_t)1 << 20)

static uint64_t padded(uint64_t size) {
  return (size + 7) & ~(uint64_t)7;
}

/* Bytes of arguments that stand behind the header. */
static uint64_t own_args(const struct mpl_chunk *c) {
  return mpl_load64_rlx(&c->args) == 0 ? padded(c->args_size) : 0;
}

static unsigned char *room_of(const struct mpl_chunk *c) {
  return mpl_arena_at(mpl_arena_off(c) + sizeof *c + own_args(c), c->room);
}

/* Room for `count` results of about so many bytes each. */
static uint64_t room_for(uint64_t count, uint64_t result_size) {
  uint64_t each = sizeof(uint32_t) + result_size + result_size / 4;
  if (each < MPL_CHUNK_LEAST || result_size > MPL_CHUNK_INLINE) each = MPL_CHUNK_LEAST;
  if (count * each > ROOM_MOST && each > MPL_CHUNK_LEAST) {
    each = ROOM_MOST / count;
    if (each < MPL_CHUNK_LEAST) each = MPL_CHUNK_LEAST;
  }
  return padded(count * each);
}

/*
** Makes a chunk in the caller's hand: `like` says what it is to be (all up to `args_size`, and
** `args`, a message in the caller's hand, too, or 0). Its arguments are to be written at
** mpl_chunk_args_of. Of its results it is expected that they take `result_size` bytes each. MPL_OK,
** MPL_NOMEM, MPL_DAMAGED.
*/
enum mpl_status mpl_chunk_new(const struct mpl_chunk *like, uint64_t result_size, mpl_off *out) {
  uint64_t room = room_for(like->count, result_size);
  enum mpl_status s = mpl_recover_alloc(sizeof *like + own_args(like) + room, out);
  if (s != MPL_OK) return s;
  struct mpl_chunk *c = mpl_chunk_at(*out);
  MPL_POINT();
  *c = *like;
  c->room = room;
  return MPL_OK;
}

/* Where its arguments stand, `args_size` bytes. */
void *mpl_chunk_args_of(struct mpl_chunk *c) {
  mpl_off args = mpl_load64_rlx(&c->args);
  return args != 0 ? mpl_message_data(args)
                   : mpl_arena_at(mpl_arena_off(c) + sizeof *c, c->args_size);
}

/* Goes to the arguments of the first task. */
void mpl_chunk_args_start(struct mpl_chunk_args *a, struct mpl_chunk *c) {
  mpl_off args = mpl_load64_rlx(&c->args);
  a->chunk = c;
  a->at = mpl_chunk_args_of(c);
  a->refs = args == 0 ? NULL : (const uint64_t *)mpl_message_at(args)->ref;
}

/* The arguments of the next task, and goes on. */
const void *mpl_chunk_args_next(struct mpl_chunk_args *a, size_t *size, const uint64_t **refs,
                                size_t *nrefs) {
  struct mpl_chunk_arg head;
  memcpy(&head, a->at, sizeof head);
  const unsigned char *bytes = a->at + sizeof head;
  *size = a->chunk->count == 1 ? a->chunk->args_size - sizeof head : head.size;
  *refs = a->refs;
  *nrefs = head.nrefs;
  a->at = bytes + *size;
  a->refs += head.nrefs;
  return bytes;
}

/*
** By the worker in whose entry the chunk stands
*/

/* The next task is about to be begun: if the process dies from now on it has lost that. */
void mpl_chunk_begin(struct mpl_chunk *c) {
  MPL_POINT();
  mpl_store64_rlx(&c->begun, (mpl_load64_rlx(&c->progress) >> 32) + 1);
  mpl_fence_death();
  MPL_POINT();
}

/* Writes a record where nobody looks yet; returns what `progress` is with it. The size fits. */
static uint64_t write_record(struct mpl_chunk *c, enum mpl_chunk_kind kind,
                             const struct mpl_piece *pieces, size_t npieces, size_t size) {
  uint64_t progress = mpl_load64_rlx(&c->progress);
  unsigned char *to = room_of(c) + (uint32_t)progress;
  uint32_t head = (uint32_t)size << MPL_CHUNK_KIND_BITS | (uint32_t)kind;
  MPL_POINT();
  memcpy(to, &head, sizeof head);
  to += sizeof head;
  for (size_t i = 0; i < npieces; i++) {
    memcpy(to, pieces[i].data, pieces[i].size);
    to += pieces[i].size;
  }
  return progress + ((uint64_t)1 << 32) + sizeof head + size;
}

/* Publishes what came of the task begun: `size` bytes in pieces. False, and nothing has
   happened, if there is no room for them; there always is for sizeof(struct mpl_chunk_loss). */
bool mpl_chunk_publish(struct mpl_chunk *c, enum mpl_chunk_kind kind,
                       const struct mpl_piece *pieces, size_t npieces, size_t size) {
  uint64_t progress = mpl_load64_rlx(&c->progress);
  uint64_t kept = (c->count - (progress >> 32) - 1) * MPL_CHUNK_LEAST;
  if (size > MPL_CHUNK_INLINE) return false;
  if ((uint32_t)progress + sizeof(uint32_t) + size > c->room - kept) return false;
  progress = write_record(c, kind, pieces, npieces, size);
  mpl_fence_death();
  MPL_POINT();
  mpl_store64_rel(&c->progress, progress);
  MPL_POINT();
  return true;
}

/* In a section under the ledger's lock: the same for a message, which leaves the caller's hand. */
void mpl_chunk_tx_chain(struct mpl_chunk *c, enum mpl_chunk_kind kind, mpl_off message) {
  struct mpl_message *m = mpl_message_at(message);
  uint64_t progress = mpl_load64_rlx(&c->progress);
  mpl_off last = mpl_load64_rlx(&c->results_last);
  MPL_POINT();
  mpl_store64_rlx(&m->task, progress >> 32 << MPL_CHUNK_KIND_BITS | (uint64_t)kind);
  mpl_hand_take(mpl_self, message);
  mpl_tx_store(last == 0 ? &c->results : &mpl_message_at(last)->next, message);
  mpl_tx_store(&c->results_last, message);
  mpl_tx_store(&c->progress, progress + ((uint64_t)1 << 32));
}

/*
** By the ledger's owner
*/

/* In a section under the ledger's lock: its worker has died, or has left. A task that was begun is
   tried again if it may be, else there is a record of its loss. */
void mpl_chunk_tx_bereave(struct mpl_chunk *c, uint64_t pid, int code) {
  uint64_t done = mpl_chunk_done(c), attempt = mpl_load64_rlx(&c->attempt);
  if (mpl_load64_rlx(&c->begun) == done) return;
  if (attempt >> 32 != done) attempt = done << 32;
  attempt++;
  enum mpl_chunk_kind kind = (enum mpl_chunk_kind)mpl_load64_rlx(&c->verdict);
  if (mpl_load64_rlx(&c->cancel) != 0) kind = MPL_CHUNK_CANCELLED;
  bool again = kind == MPL_CHUNK_NONE && (uint32_t)attempt <= c->retries;
  mpl_tx_store(&c->attempt, attempt);
  mpl_tx_store(&c->begun, again ? done : done + 1);
  if (again) return;
  if (kind == MPL_CHUNK_NONE) kind = MPL_CHUNK_LOST;
  struct mpl_chunk_loss loss = {(uint32_t)pid, code, (uint32_t)attempt};
  struct mpl_piece piece = {&loss, sizeof loss};
  mpl_tx_store(&c->progress, write_record(c, kind, &piece, 1, sizeof loss));
  mpl_tx_store(&c->verdict, MPL_CHUNK_NONE);
}

/* Goes to the result of the first task. */
void mpl_chunk_results_start(struct mpl_chunk_results *r, struct mpl_chunk *c) {
  *r = (struct mpl_chunk_results){.chunk = c, .message = mpl_load64_rlx(&c->results)};
}

static void read_message(struct mpl_chunk_results *r, struct mpl_chunk_result *out) {
  struct mpl_message *m = mpl_message_at(r->message);
  out->kind = (enum mpl_chunk_kind)(mpl_load64_rlx(&m->task) & ((1u << MPL_CHUNK_KIND_BITS) - 1));
  out->bytes = mpl_message_data(r->message);
  out->size = m->size;
  out->refs = (const uint64_t *)m->ref;
  out->nrefs = mpl_load64_rlx(&m->nrefs);
  r->message = mpl_load64_rlx(&m->next);
}

static bool is_message(const struct mpl_chunk_results *r) {
  return r->message != 0 &&
         mpl_load64_rlx(&mpl_message_at(r->message)->task) >> MPL_CHUNK_KIND_BITS == r->task;
}

/* The result of the next task, and goes on. Tasks that were never begun were cancelled. */
void mpl_chunk_results_next(struct mpl_chunk_results *r, struct mpl_chunk_result *out) {
  const struct mpl_chunk *c = r->chunk;
  uint64_t progress = mpl_load64_rlx(&c->progress);
  out->nrefs = 0;
  out->refs = NULL;
  if (r->task >= progress >> 32) {
    *out = (struct mpl_chunk_result){.kind = MPL_CHUNK_CANCELLED};
  } else if (is_message(r)) {
    read_message(r, out);
  } else {
    uint32_t head;
    const unsigned char *at = room_of(c) + r->at;
    memcpy(&head, at, sizeof head);
    out->kind = (enum mpl_chunk_kind)(head & ((1u << MPL_CHUNK_KIND_BITS) - 1));
    out->size = head >> MPL_CHUNK_KIND_BITS;
    out->bytes = at + sizeof head;
    r->at += sizeof head + out->size;
    MPL_ASSERT(r->at <= (uint32_t)progress);
  }
  r->task++;
}

/* Bytes that its results have taken on the average. */
uint64_t mpl_chunk_result_size(struct mpl_chunk *c) {
  uint64_t progress = mpl_load64_rlx(&c->progress), size = (uint32_t)progress;
  mpl_off m = mpl_load64_rlx(&c->results);
  for (; m != 0; m = mpl_load64_rlx(&mpl_message_at(m)->next)) size += mpl_message_at(m)->size;
  return progress >> 32 == 0 ? 0 : size / (progress >> 32);
}

/* For the checker: what hangs off it, and that its numbers fit together. */
bool mpl_chunk_walk(mpl_off chunk, bool (*visit)(void *arg, mpl_off block),
                    bool (*ref)(void *arg, uint64_t id), void *arg) {
  struct mpl_chunk *c = mpl_chunk_at(chunk);
  mpl_off args = mpl_load64_rlx(&c->args), m = mpl_load64_rlx(&c->results), last = 0;
  if (!visit(arg, chunk) || (args != 0 && !mpl_message_walk(args, visit, ref, arg))) return false;
  for (; m != 0; last = m, m = mpl_load64_rlx(&mpl_message_at(m)->next))
    if (!mpl_message_walk(m, visit, ref, arg)) return false;
  uint64_t done = mpl_chunk_done(c), begun = mpl_load64_rlx(&c->begun);
  bool ends = last == 0 || last == mpl_load64_rlx(&c->results_last); /* 0: dropped, too */
  return ends && done <= c->count && begun >= done &&
         begun <= done + 1;
}
