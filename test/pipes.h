/*
** What the tests of pipes and parcels have in common: a pipe with mails, and messages with parcels.
*/
#ifndef MPL_TEST_PIPES_H
#define MPL_TEST_PIPES_H

#include <fcntl.h>

#include "base/packet.h"
#include "ds/parcel.h"
#include "ds/pipe.h"
#include "world.h"

/* What ends[1] sends, ends[0] receives, by way 0. */
struct pipes {
  uint64_t id;
  uint64_t lock; /* to which the mails refer */
  int ends[2];
};

static inline struct mpl_pipe_way *pipes_way(const struct pipes *p) {
  struct mpl_pipe *pipe = mpl_object_body(p->id, MPL_TYPE_PIPE);
  CHECK(pipe != NULL);
  return &pipe->way[0];
}

static inline void pipes_make(struct pipes *p) {
  CHECK(mpl_pipe_new(&p->id) == MPL_OK && mpl_packet_pair(p->ends) == MPL_OK);
}

static inline void pipes_drop(const struct pipes *p) {
  mpl_reflist_release(p->id);
  CHECK(close(p->ends[0]) == 0 && close(p->ends[1]) == 0);
}

/* A message of `size` times the byte, which refers to an object. */
static inline mpl_off pipes_message(size_t size, int byte, uint64_t ref) {
  mpl_off message;
  CHECK(mpl_message_new(size, 1, &message) == MPL_OK);
  memset(mpl_message_data(message), byte, size);
  CHECK(mpl_message_add_ref(message, ref) == MPL_OK);
  return message;
}

static inline void pipes_drop_message(mpl_off message) {
  mpl_message_drop(mpl_self, message);
  mpl_object_bury();
}

static inline enum mpl_status pipes_send(const struct pipes *p, size_t size, int byte) {
  struct mpl_pipe_letter letter = {.mail = pipes_message(size, byte, p->lock)};
  CHECK(mpl_pipe_enter(pipes_way(p), letter.mail) == MPL_OK);
  return mpl_pipe_send(pipes_way(p), p->ends[1], &letter);
}

/* Receives a mail, if there is one, which must be whole, into the hand. */
static inline enum mpl_status pipes_receive(const struct pipes *p, size_t size, int byte,
                                            mpl_off *mail) {
  unsigned char packet[MPL_PIPE_PACKET];
  struct mpl_pipe_letter letter;
  size_t n;
  enum mpl_status s = mpl_pipe_receive(p->ends[0], packet, &n);
  if (s != MPL_OK) return s;
  CHECK(mpl_pipe_read(packet, n, &letter) && letter.mail != 0);
  s = mpl_pipe_collect(pipes_way(p), letter.mail);
  if (s != MPL_OK) return s;
  const struct mpl_message *m = mpl_message_at(letter.mail);
  const unsigned char *bytes = mpl_message_data(letter.mail);
  CHECK(m->size == size && mpl_load64_rlx(&m->nrefs) == 1);
  for (size_t i = 0; i < size; i++) CHECK(bytes[i] == byte);
  *mail = letter.mail;
  return MPL_OK;
}

/* Makes a message with a new parcel in it, which only the message refers to. */
static inline mpl_off pipes_parcel(int fd, uint64_t *id) {
  CHECK(mpl_parcel_new(fd, id) == MPL_OK);
  mpl_off message = pipes_message(1, 0, *id);
  mpl_parcel_release(id, 1);
  return message;
}

static inline uint64_t pipes_parcel_of(mpl_off message) {
  return mpl_load64_rlx(&mpl_message_at(message)->ref[0]);
}

/* The descriptor is one for the writing end of this pipe(2). */
static inline void pipes_check(int fd, const int witness[2]) {
  char byte = 0;
  CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
  CHECK(write(fd, "w", 1) == 1 && read(witness[0], &byte, 1) == 1 && byte == 'w');
}

#endif
