/*
** Packets, pipes and parcels.
*/
#include <poll.h>
#include <sys/socket.h>

#include "pipes.h"

static struct pipes pipes;
static uint64_t queue_id;

static void make_pipe(void) {
  mpl_pipe_register();
  pipes_make(&pipes);
}

static enum mpl_status send_bytes(const char *bytes, size_t size) {
  struct mpl_pipe_letter letter = {.kind = MPL_PIPE_BYTES, .piece = {bytes, size}};
  return mpl_pipe_send(pipes_way(&pipes), pipes.ends[1], &letter);
}

/*
** Packets
*/

static bool readable(int fd) {
  struct pollfd p = {.fd = fd, .events = POLLIN};
  return poll(&p, 1, 0) == 1;
}

static void packets(void) {
  int pair[2];
  char bytes[64];
  size_t size;
  CHECK(mpl_packet_pair(pair) == MPL_OK);
  CHECK((fcntl(pair[0], F_GETFD) & FD_CLOEXEC) != 0 && (fcntl(pair[1], F_GETFD) & FD_CLOEXEC) != 0);
  CHECK(mpl_packet_receive(pair[0], bytes, sizeof bytes, &size) == MPL_BLOCK);
  CHECK(mpl_packet_look(pair[0]) == MPL_BLOCK);
  char text[] = "onetwo two";
  struct iovec one = {text, 3}, two[2] = {{text + 3, 2}, {text + 5, 5}};
  CHECK(mpl_packet_send(pair[1], &one, 1) == MPL_OK && mpl_packet_send(pair[1], two, 2) == MPL_OK);
  CHECK(mpl_packet_look(pair[0]) == MPL_OK && mpl_packet_look(pair[0]) == MPL_OK);
  CHECK(mpl_packet_receive(pair[0], bytes, sizeof bytes, &size) == MPL_OK);
  CHECK(size == 3 && memcmp(bytes, "one", 3) == 0);
  CHECK(mpl_packet_receive(pair[0], bytes, 4, &size) == MPL_OK);
  CHECK(size == 4 && memcmp(bytes, "two ", 4) == 0);
  CHECK(mpl_packet_receive(pair[0], bytes, 4, &size) == MPL_BLOCK);
  close(pair[0]);
  close(pair[1]);
}

/* What was sent before a close is received after it, also if the sender left something unread. */
static void closed_ends(void) {
  int pair[2];
  char bytes[8];
  size_t size;
  char text[] = "x";
  struct iovec part = {text, 1};
  CHECK(mpl_packet_pair(pair) == MPL_OK);
  for (int i = 0; i < 2; i++) CHECK(mpl_packet_send(pair[i], &part, 1) == MPL_OK);
  close(pair[1]);
  CHECK(mpl_packet_look(pair[0]) == MPL_OK);
  CHECK(mpl_packet_send(pair[0], &part, 1) == MPL_CLOSED);
  CHECK(mpl_packet_receive(pair[0], bytes, sizeof bytes, &size) == MPL_OK && size == 1);
  CHECK(mpl_packet_look(pair[0]) == MPL_CLOSED);
  CHECK(mpl_packet_receive(pair[0], bytes, sizeof bytes, &size) == MPL_CLOSED);
  CHECK(mpl_packet_receive(pair[0], bytes, sizeof bytes, &size) == MPL_CLOSED);
  CHECK(mpl_packet_send(pair[0], &part, 1) == MPL_CLOSED);
  close(pair[0]);
  CHECK(mpl_packet_send(pair[0], &part, 1) == MPL_ERRNO && errno == EBADF);
}

/*
** Pipes
*/

static void letters(void) {
  unsigned char packet[MPL_PIPE_PACKET];
  struct mpl_pipe_letter letter;
  size_t size;
  world_make();
  make_pipe();
  CHECK(mpl_lock_new(&pipes.lock) == MPL_OK);
  struct world_sum before = world_sum();
  CHECK(send_bytes("", 0) == MPL_OK && send_bytes("ab", 2) == MPL_OK);
  CHECK(mpl_pipe_receive(pipes.ends[0], packet, &size) == MPL_OK);
  CHECK(mpl_pipe_read(packet, size, &letter));
  CHECK(letter.kind == MPL_PIPE_BYTES && letter.mail == 0 && letter.piece.size == 0);
  CHECK(mpl_pipe_receive(pipes.ends[0], packet, &size) == MPL_OK);
  CHECK(mpl_pipe_read(packet, size, &letter));
  CHECK(letter.piece.size == 2 && memcmp(letter.piece.data, "ab", 2) == 0);
  CHECK(pipes_send(&pipes, 100000, 7) == MPL_OK && pipes_send(&pipes, 3, 8) == MPL_OK);
  CHECK(pipes_send(&pipes, 10, 9) == MPL_OK);
  WORLD_WHOLE();
  mpl_off mail;
  for (int i = 0; i < 3; i++) {
    CHECK(pipes_receive(&pipes, i == 0 ? 100000 : i == 1 ? 3 : 10, 7 + i, &mail) == MPL_OK);
    CHECK(mpl_pipe_collect(pipes_way(&pipes), mail) == MPL_GONE);
    WORLD_WHOLE();
    pipes_drop_message(mail);
  }
  CHECK(pipes_receive(&pipes, 0, 0, &mail) == MPL_BLOCK);
  WORLD_SAME(before);
}

/* A packet of nobody's is recognised. */
static void strange_packets(void) {
  struct mpl_pipe_letter letter;
  unsigned char packet[16] = {4};
  CHECK(!mpl_pipe_read(packet, 1, &letter) && !mpl_pipe_read(packet, 0, &letter));
  packet[0] = 2;
  CHECK(!mpl_pipe_read(packet, 8, &letter) && mpl_pipe_read(packet, 9, &letter));
  packet[0] = 255;
  CHECK(!mpl_pipe_read(packet, 16, &letter));
}

/* Who is far ahead is held back, whatever the size of the messages, until there is room. */
static void back_pressure(void) {
  mpl_off mail;
  world_make();
  make_pipe();
  CHECK(mpl_lock_new(&pipes.lock) == MPL_OK);
  int small = 0, large = 0;
  while (send_bytes("x", 1) == MPL_OK && small < 100000) small++;
  CHECK(small > 50 && small < 100000);
  unsigned char packet[MPL_PIPE_PACKET];
  size_t size;
  while (mpl_pipe_receive(pipes.ends[0], packet, &size) == MPL_OK) small--;
  CHECK(small == 0 && send_bytes("x", 1) == MPL_OK);
  CHECK(mpl_pipe_receive(pipes.ends[0], packet, &size) == MPL_OK);
  while (pipes_send(&pipes, 1 << 20, 1) == MPL_OK) CHECK(++large < 100);
  CHECK(large > 2);
  WORLD_WHOLE();
  for (int i = 0; i < large; i++) {
    CHECK(pipes_receive(&pipes, 1 << 20, 1, &mail) == MPL_OK);
    pipes_drop_message(mail);
  }
  CHECK(pipes_receive(&pipes, 0, 0, &mail) == MPL_BLOCK);
}

/* With the pipe go its mails, and what they refer to. */
static void abandoned(void) {
  world_make();
  CHECK(mpl_lock_new(&pipes.lock) == MPL_OK);
  struct world_sum before = world_sum();
  uint64_t id;
  CHECK(mpl_lock_new(&id) == MPL_OK);
  uint64_t kept = pipes.lock;
  make_pipe();
  pipes.lock = id;
  CHECK(pipes_send(&pipes, 10, 1) == MPL_OK && pipes_send(&pipes, 100000, 2) == MPL_OK);
  mpl_reflist_release(id);
  pipes.lock = kept;
  CHECK(mpl_object_type_of(id) == MPL_TYPE_LOCK);
  pipes_drop(&pipes);
  CHECK(mpl_object_type_of(id) == MPL_TYPE_NONE);
  WORLD_SAME(before);
  WORLD_WHOLE();
}

/*
** Parcels. The descriptor is the writing end of a pipe(2): at its reading end is seen whether
** anybody has it.
*/

static int witness[2];

static void make_depot(void) {
  CHECK(mpl_parcel_open() == MPL_OK);
}

/* Nobody has the writing end. */
static void check_gone(void) {
  char byte;
  CHECK(readable(witness[0]) && read(witness[0], &byte, 1) == 0);
}

static void parcels(void) {
  uint64_t a, b, gone;
  int fd;
  world_make();
  make_depot();
  CHECK(mpl_lock_new(&pipes.lock) == MPL_OK && pipe2(witness, O_CLOEXEC) == 0);
  struct world_sum before = world_sum();
  mpl_off first = pipes_parcel(STDIN_FILENO, &a), second = pipes_parcel(witness[1], &b);
  close(witness[1]);
  CHECK(mpl_parcel_fetch(b, &fd) == MPL_OK);
  pipes_check(fd, witness);
  close(fd);
  CHECK(mpl_parcel_fetch(a, &fd) == MPL_OK && close(fd) == 0);
  CHECK(mpl_parcel_fetch(b, &fd) == MPL_OK); /* it is there as long as the message */
  WORLD_WHOLE();
  pipes_drop_message(second);
  CHECK(!readable(witness[0]));
  close(fd);
  check_gone();
  CHECK(mpl_parcel_fetch(b, &fd) == MPL_GONE && mpl_parcel_fetch(a, &fd) == MPL_OK);
  close(fd);
  pipes_drop_message(first);
  CHECK(mpl_parcel_fetch(a, &fd) == MPL_GONE);
  CHECK(mpl_parcel_new(-1, &gone) == MPL_ERRNO && errno == EBADF);
  WORLD_SAME(before);
  WORLD_WHOLE();
}

/* Takes the next message out of the queue, into the hand. */
static mpl_off get_message(void) {
  static struct world_batch got;
  CHECK(world_get(world_queue(queue_id), 1, &got, 0) == MPL_OK);
  return got.batch.item[0].message;
}

/* There is a limit, which is an error of whoever goes beyond it; then all can still be had,
   whatever the order. */
static void many_parcels(void) {
  enum { MOST = 4000 };
  static uint64_t id[MOST];
  int n = 0, fd;
  world_make();
  make_depot();
  CHECK(mpl_queue_new(0, &queue_id) == MPL_OK);
  struct world_sum before = world_sum();
  while (n < MOST && mpl_parcel_new(STDIN_FILENO, &id[n]) == MPL_OK) {
    CHECK(world_put_message(world_queue(queue_id), pipes_message(1, 0, id[n])) == MPL_OK);
    mpl_parcel_release(&id[n++], 1);
  }
  CHECK(n > 20 && n < MOST && errno == ENOBUFS);
  for (int i = n - 1; i >= 0; i--) CHECK(mpl_parcel_fetch(id[i], &fd) == MPL_OK && close(fd) == 0);
  for (int i = 0; i < n; i++) {
    CHECK(mpl_parcel_fetch(id[i], &fd) == MPL_OK && close(fd) == 0);
    pipes_drop_message(get_message());
    CHECK(mpl_parcel_fetch(id[i], &fd) == MPL_GONE);
  }
  CHECK(world_sum().objects == before.objects);
  WORLD_WHOLE();
}

int main(void) {
  unit_run("packets", packets);
  unit_run("closed ends", closed_ends);
  unit_run("letters", letters);
  unit_run("strange packets", strange_packets);
  unit_run("back pressure", back_pressure);
  unit_run("an abandoned pipe", abandoned);
  unit_run("parcels", parcels);
  unit_run("many parcels", many_parcels);
  return unit_end("pipe_test");
}
