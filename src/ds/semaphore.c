/*
** Semaphores: see semaphore.h.
*/
#include "ds/semaphore.h"

void mpl_semaphore_register(void) {
  static const struct mpl_object_ops plain = {.name = "Semaphore"},
                                     bounded = {.name = "BoundedSemaphore"};
  mpl_object_register(MPL_TYPE_SEMAPHORE, &plain);
  mpl_object_register(MPL_TYPE_BOUNDED_SEMAPHORE, &bounded);
}

struct wanted {
  uint64_t tokens, most;
};

static enum mpl_status init(void *body, const void *arg) {
  struct mpl_semaphore *s = body;
  const struct wanted *wanted = arg;
  mpl_store64_rlx(&s->tokens, wanted->tokens);
  mpl_store64_rlx(&s->most, wanted->most);
  return MPL_OK;
}

/* A semaphore with so many tokens, and a bounded one never with more, to which the caller holds a
   reference. MPL_NOMEM, MPL_NOPRIVATE. */
enum mpl_status mpl_semaphore_new(uint64_t tokens, bool bounded, uint64_t *id) {
  struct wanted wanted = {tokens, bounded ? tokens : MPL_SEMAPHORE_MOST};
  enum mpl_object_type type = bounded ? MPL_TYPE_BOUNDED_SEMAPHORE : MPL_TYPE_SEMAPHORE;
  return mpl_object_new(type, sizeof(struct mpl_semaphore), init, &wanted, id);
}

/* Takes a token: MPL_OK, or MPL_BLOCK with w filled. */
enum mpl_status mpl_semaphore_try(struct mpl_semaphore *s, struct mpl_wait *w) {
  uint64_t tokens = mpl_load64_rlx(&s->tokens);
  while (tokens > 0) {
    MPL_POINT();
    if (mpl_cas64_ar(&s->tokens, &tokens, tokens - 1)) return MPL_OK;
  }
  w->kind = MPL_WAIT_OBJECT;
  w->body = s;
  w->ec = &s->released;
  w->watch = &s->tokens;
  w->seen = 0;
  w->peer = mpl_load64_rlx(&s->releaser);
  return MPL_BLOCK;
}

/* Gives a token back and wakes a waiter. MPL_MISUSE if a bounded one has all of its tokens. */
enum mpl_status mpl_semaphore_release(struct mpl_semaphore *s) {
  uint64_t tokens = mpl_load64_rlx(&s->tokens);
  enum mpl_status result = MPL_MISUSE;
  mpl_tx_wake(&s->released, 1);
  mpl_store64_rlx(&s->releaser, mpl_slot_ident(mpl_self));
  while (result != MPL_OK && tokens < mpl_load64_rlx(&s->most)) {
    MPL_POINT();
    if (mpl_cas64_ar(&s->tokens, &tokens, tokens + 1)) result = MPL_OK;
  }
  mpl_tx_wake_flush();
  return result;
}

/* A waiter gives up. A wake-up that was meant for it goes to the next one. */
void mpl_semaphore_pass_on(struct mpl_semaphore *s) {
  if (mpl_semaphore_tokens(s) > 0 && mpl_ec_awaited(&s->released)) mpl_ec_wake(&s->released, 1);
}
