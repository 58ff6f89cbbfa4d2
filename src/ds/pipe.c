/*
** Pipes: see pipe.h.
*/
#include "ds/pipe.h"

#include <string.h>

#include "base/packet.h"
#include "shm/message.h"
#include "shm/super.h"

/* Bytes of a mail that its packet has along for their weight: a socket holds some 200 KiB. */
#define WEIGHT ((size_t)16 << 10)

#define MAIL 2 /* bit of a packet's first byte; the bit below is the kind */

/*
** Packets
*/

/* Sends a message by a way, through the socket. MPL_OK; MPL_BLOCK: there is no room now;
   MPL_CLOSED: nobody can receive it any more; MPL_ERRNO. */
enum mpl_status mpl_pipe_send(struct mpl_pipe_way *way, int fd,
                              const struct mpl_pipe_letter *letter) {
  unsigned char first = (unsigned char)letter->kind;
  mpl_off mail = letter->mail;
  struct iovec parts[3] = {{&first, 1}};
  size_t n = 1;
  if (mail == 0) {
    parts[n++] = (struct iovec){(void *)(uintptr_t)letter->piece.data, letter->piece.size};
  } else {
    size_t size = mpl_message_at(mail)->size;
    first |= MAIL;
    parts[n++] = (struct iovec){&mail, sizeof mail};
    parts[n++] = (struct iovec){mpl_message_data(mail), size < WEIGHT ? size : WEIGHT};
  }
  enum mpl_status s = mpl_packet_send(fd, parts, n);
  if (s != MPL_OK) return s;
  uint64_t self = mpl_slot_ident(mpl_self);
  if (mpl_load64_rlx(&way->sender) != self) mpl_store64_rlx(&way->sender, self);
  mpl_add64_ar(&way->sent, 1);
  return MPL_OK;
}

/* Receives a packet. MPL_OK; MPL_BLOCK: there is none now; MPL_CLOSED: nor will there be one;
   MPL_ERRNO. */
enum mpl_status mpl_pipe_receive(int fd, unsigned char packet[MPL_PIPE_PACKET], size_t *size) {
  return mpl_packet_receive(fd, packet, MPL_PIPE_PACKET, size);
}

/* What a packet says; false if it is none of ours. */
bool mpl_pipe_read(const unsigned char *packet, size_t size, struct mpl_pipe_letter *letter) {
  if (size < 1 || packet[0] > (MAIL | MPL_PIPE_BYTES)) return false;
  letter->kind = (enum mpl_pipe_kind)(packet[0] & MPL_PIPE_BYTES);
  letter->piece = (struct mpl_piece){packet + 1, size - 1};
  letter->mail = 0;
  if ((packet[0] & MAIL) == 0) return true;
  if (letter->piece.size < sizeof letter->mail) return false;
  memcpy(&letter->mail, packet + 1, sizeof letter->mail);
  return true;
}

/*
** Mails
*/

/* Moves a message from the caller's hand to the end of the list. MPL_OK or MPL_DAMAGED. */
enum mpl_status mpl_pipe_enter(struct mpl_pipe_way *way, mpl_off mail) {
  if (mpl_robust_lock(&way->lock) == MPL_DAMAGED) return MPL_DAMAGED;
  mpl_off last = mpl_load64_rlx(&way->last);
  mpl_store64_rlx(&mpl_message_at(mail)->next, 0);
  mpl_hand_take(mpl_self, mail);
  mpl_tx_store(last == 0 ? &way->first : &mpl_message_at(last)->next, mail);
  mpl_tx_store(&way->last, mail);
  mpl_tx_commit();
  mpl_robust_unlock(&way->lock);
  return MPL_OK;
}

/* In a section: moves the mail behind `before` (0: the first) into the caller's hand. */
static void tx_take(struct mpl_pipe_way *way, mpl_off before, mpl_off mail) {
  mpl_off next = mpl_load64_rlx(&mpl_message_at(mail)->next);
  mpl_tx_store(before == 0 ? &way->first : &mpl_message_at(before)->next, next);
  if (next == 0) mpl_tx_store(&way->last, before);
  mpl_hand_put(mpl_self, mail, MPL_HAND_MESSAGE);
  mpl_tx_commit();
}

/* Moves a mail from the list into the caller's hand. MPL_OK; MPL_GONE: it is not in the list;
   MPL_DAMAGED. */
enum mpl_status mpl_pipe_collect(struct mpl_pipe_way *way, mpl_off mail) {
  if (mpl_robust_lock(&way->lock) == MPL_DAMAGED) return MPL_DAMAGED;
  mpl_off before = 0, at = mpl_load64_rlx(&way->first);
  while (at != 0 && at != mail) {
    before = at;
    at = mpl_load64_rlx(&mpl_message_at(at)->next);
  }
  if (at != 0) tx_take(way, before, at);
  mpl_robust_unlock(&way->lock);
  return at != 0 ? MPL_OK : MPL_GONE;
}

/*
** The object
*/

static void drop_mails(struct mpl_pipe_way *way) {
  for (;;) {
    if (mpl_robust_lock(&way->lock) == MPL_DAMAGED) return;
    mpl_off mail = mpl_load64_rlx(&way->first);
    if (mail != 0) tx_take(way, 0, mail);
    mpl_robust_unlock(&way->lock);
    if (mail == 0) return;
    mpl_message_drop(mpl_self, mail);
  }
}

static void dismantle(void *body) {
  struct mpl_pipe *pipe = body;
  drop_mails(&pipe->way[0]);
  drop_mails(&pipe->way[1]);
}

static bool walk(void *body, bool (*visit)(void *arg, mpl_off block),
                 bool (*ref)(void *arg, uint64_t id), void *arg) {
  struct mpl_pipe *pipe = body;
  for (int i = 0; i < 2; i++) {
    mpl_off last = 0;
    for (mpl_off m = mpl_load64_rlx(&pipe->way[i].first); m != 0;
         m = mpl_load64_rlx(&mpl_message_at(m)->next)) {
      if (!mpl_message_walk(m, visit, ref, arg)) return false;
      last = m;
    }
    if (last != mpl_load64_rlx(&pipe->way[i].last)) return false;
  }
  return true;
}

static const struct mpl_object_ops ops = {.name = "Pipe", .dismantle = dismantle, .walk = walk};

void mpl_pipe_register(void) {
  mpl_object_register(MPL_TYPE_PIPE, &ops);
}

static enum mpl_status init(void *body, const void *arg) {
  struct mpl_pipe *pipe = body;
  (void)arg;
  enum mpl_status s = mpl_robust_init(&pipe->way[0].lock, MPL_RANK_STRUCTURE);
  return s == MPL_OK ? mpl_robust_init(&pipe->way[1].lock, MPL_RANK_STRUCTURE) : s;
}

/* What a new pair of ends shares; the caller then holds a reference. MPL_NOMEM, MPL_NOPRIVATE,
   MPL_ERRNO. */
enum mpl_status mpl_pipe_new(uint64_t *id) {
  return mpl_object_new(MPL_TYPE_PIPE, sizeof(struct mpl_pipe), init, NULL, id);
}
