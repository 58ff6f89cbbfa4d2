/*
** What the two ends of a pipe share, beside their sockets.
**
** Every message is one packet (base/packet.h): what is small lies in it; what is large, or has
** references to shared objects, is a message in shared memory (shm/message.h), a *mail*, and the
** packet says which. So a message is received by one process, wholly, or by nobody; the ends need
** no lock, and no death can tear a message apart. The packet of a mail is made heavy, so that the
** limit of the socket holds back a sender who is far ahead of the receiver, whatever the size of
** his messages.
**
** A mail is entered before its packet is sent, and taken out by whoever received the packet. If
** either dies in between, the mail stays until the pipe is no more.
**
** Guards: the way's lock for its list of mails. `sent` and `sender` are hints without a lock: a
** receiver who spins watches the first.
*/
#ifndef MPL_DS_PIPE_H
#define MPL_DS_PIPE_H

#include <stdbool.h>

#include "base/buf.h"
#include "shm/object.h"
#include "shm/wait.h"
#include "sync/robust.h"

/* Longer messages are mails. */
#define MPL_PIPE_INLINE 4000

/* A packet as its receiver needs it: what it is, and bytes of a message or the offset of a mail. */
#define MPL_PIPE_PACKET (1 + MPL_PIPE_INLINE)

/* One direction. */
struct mpl_pipe_way {
  MPL_ALIGNED mpl_a64 sent; /* messages, about */
  mpl_a64 sender;           /* identity of who sent last */
  MPL_ALIGNED struct mpl_robust lock;
  mpl_a64 first, last; /* mails, in the order in which they were entered; 0: none */
};

/* An end receives by the way of its own number and sends by the other. */
struct mpl_pipe {
  struct mpl_pipe_way way[2];
};

enum mpl_pipe_kind { MPL_PIPE_VALUE = 0, MPL_PIPE_BYTES = 1 };

/* A message to send: bytes in one piece, at most MPL_PIPE_INLINE, or a mail that was entered. */
struct mpl_pipe_letter {
  enum mpl_pipe_kind kind;
  struct mpl_piece piece;
  mpl_off mail; /* 0: the piece */
};

void mpl_pipe_register(void);
enum mpl_status mpl_pipe_new(uint64_t *id);
enum mpl_status mpl_pipe_send(struct mpl_pipe_way *way, int fd,
                              const struct mpl_pipe_letter *letter);
enum mpl_status mpl_pipe_receive(int fd, unsigned char packet[MPL_PIPE_PACKET], size_t *size);
bool mpl_pipe_read(const unsigned char *packet, size_t size, struct mpl_pipe_letter *letter);
enum mpl_status mpl_pipe_enter(struct mpl_pipe_way *way, mpl_off mail);
enum mpl_status mpl_pipe_collect(struct mpl_pipe_way *way, mpl_off mail);

#endif
