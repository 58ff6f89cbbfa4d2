/*
** Packets, pipes and parcels, and deaths at every point of sending and receiving them.
*/
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/packet.h"
#include "crash_trial.h"
#include "ds/parcel.h"
#include "ds/pipe.h"

/*
** What the cases have
*/

static uint64_t pipe_id, lock_id, queue_id;
static int ends[2];

static struct mpl_pipe_way *way(void) {
  struct mpl_pipe *pipe = mpl_object_body(pipe_id, MPL_TYPE_PIPE);
  CHECK(pipe != NULL);
  return &pipe->way[0];
}

/* What ends[1] sends, ends[0] receives, by way 0. */
static void make_pipe(void) {
  mpl_pipe_register();
  CHECK(mpl_pipe_new(&pipe_id) == MPL_OK && mpl_packet_pair(ends) == MPL_OK);
}

static void drop_pipe(void) {
  mpl_reflist_release(pipe_id);
  CHECK(close(ends[0]) == 0 && close(ends[1]) == 0);
}

/* A message of `size` times the byte, which refers to an object. */
static mpl_off make_message(size_t size, int byte, uint64_t ref) {
  mpl_off message;
  CHECK(mpl_message_new(size, 1, &message) == MPL_OK);
  memset(mpl_message_data(message), byte, size);
  CHECK(mpl_message_add_ref(message, ref) == MPL_OK);
  return message;
}

static void drop_message(mpl_off message) {
  mpl_message_drop(mpl_self, message);
  mpl_object_bury();
}

static enum mpl_status send_mail(size_t size, int byte) {
  struct mpl_pipe_letter letter = {.mail = make_message(size, byte, lock_id)};
  CHECK(mpl_pipe_enter(way(), letter.mail) == MPL_OK);
  return mpl_pipe_send(way(), ends[1], &letter);
}

static enum mpl_status send_bytes(const char *bytes, size_t size) {
  struct mpl_pipe_letter letter = {.kind = MPL_PIPE_BYTES, .piece = {bytes, size}};
  return mpl_pipe_send(way(), ends[1], &letter);
}

/* Receives a mail, if there is one, which must be whole, into the hand. */
static enum mpl_status receive_mail(size_t size, int byte, mpl_off *mail) {
  unsigned char packet[MPL_PIPE_PACKET];
  struct mpl_pipe_letter letter;
  size_t n;
  enum mpl_status s = mpl_pipe_receive(ends[0], packet, &n);
  if (s != MPL_OK) return s;
  CHECK(mpl_pipe_read(packet, n, &letter) && letter.mail != 0);
  s = mpl_pipe_collect(way(), letter.mail);
  if (s != MPL_OK) return s;
  const struct mpl_message *m = mpl_message_at(letter.mail);
  const unsigned char *bytes = mpl_message_data(letter.mail);
  CHECK(m->size == size && mpl_load64_rlx(&m->nrefs) == 1);
  for (size_t i = 0; i < size; i++) CHECK(bytes[i] == byte);
  *mail = letter.mail;
  return MPL_OK;
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
  CHECK(mpl_lock_new(&lock_id) == MPL_OK);
  struct world_sum before = world_sum();
  CHECK(send_bytes("", 0) == MPL_OK && send_bytes("ab", 2) == MPL_OK);
  CHECK(mpl_pipe_receive(ends[0], packet, &size) == MPL_OK && mpl_pipe_read(packet, size, &letter));
  CHECK(letter.kind == MPL_PIPE_BYTES && letter.mail == 0 && letter.piece.size == 0);
  CHECK(mpl_pipe_receive(ends[0], packet, &size) == MPL_OK && mpl_pipe_read(packet, size, &letter));
  CHECK(letter.piece.size == 2 && memcmp(letter.piece.data, "ab", 2) == 0);
  CHECK(send_mail(100000, 7) == MPL_OK && send_mail(3, 8) == MPL_OK && send_mail(10, 9) == MPL_OK);
  WORLD_WHOLE();
  mpl_off mail;
  for (int i = 0; i < 3; i++) {
    CHECK(receive_mail(i == 0 ? 100000 : i == 1 ? 3 : 10, 7 + i, &mail) == MPL_OK);
    CHECK(mpl_pipe_collect(way(), mail) == MPL_GONE);
    WORLD_WHOLE();
    drop_message(mail);
  }
  CHECK(receive_mail(0, 0, &mail) == MPL_BLOCK);
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
  CHECK(mpl_lock_new(&lock_id) == MPL_OK);
  int small = 0, large = 0;
  while (send_bytes("x", 1) == MPL_OK && small < 100000) small++;
  CHECK(small > 50 && small < 100000);
  unsigned char packet[MPL_PIPE_PACKET];
  size_t size;
  while (mpl_pipe_receive(ends[0], packet, &size) == MPL_OK) small--;
  CHECK(small == 0 && send_bytes("x", 1) == MPL_OK);
  CHECK(mpl_pipe_receive(ends[0], packet, &size) == MPL_OK);
  while (send_mail(1 << 20, 1) == MPL_OK) CHECK(++large < 100);
  CHECK(large > 2);
  WORLD_WHOLE();
  for (int i = 0; i < large; i++) {
    CHECK(receive_mail(1 << 20, 1, &mail) == MPL_OK);
    drop_message(mail);
  }
  CHECK(receive_mail(0, 0, &mail) == MPL_BLOCK);
}

/* With the pipe go its mails, and what they refer to. */
static void abandoned(void) {
  world_make();
  CHECK(mpl_lock_new(&lock_id) == MPL_OK);
  struct world_sum before = world_sum();
  uint64_t id;
  CHECK(mpl_lock_new(&id) == MPL_OK);
  uint64_t kept = lock_id;
  make_pipe();
  lock_id = id;
  CHECK(send_mail(10, 1) == MPL_OK && send_mail(100000, 2) == MPL_OK);
  mpl_reflist_release(id);
  lock_id = kept;
  CHECK(mpl_object_type_of(id) == MPL_TYPE_LOCK);
  drop_pipe();
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

/* Makes a message with a new parcel in it, which only the message refers to. */
static mpl_off make_parcel(int fd, uint64_t *id) {
  CHECK(mpl_parcel_new(fd, id) == MPL_OK);
  mpl_off message = make_message(1, 0, *id);
  mpl_parcel_release(id, 1);
  return message;
}

static uint64_t parcel_of(mpl_off message) {
  return mpl_load64_rlx(&mpl_message_at(message)->ref[0]);
}

/* The descriptor is one for the witness. */
static void check_witness(int fd) {
  char byte = 0;
  CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
  CHECK(write(fd, "w", 1) == 1 && read(witness[0], &byte, 1) == 1 && byte == 'w');
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
  CHECK(mpl_lock_new(&lock_id) == MPL_OK && pipe2(witness, O_CLOEXEC) == 0);
  struct world_sum before = world_sum();
  mpl_off first = make_parcel(STDIN_FILENO, &a), second = make_parcel(witness[1], &b);
  close(witness[1]);
  CHECK(mpl_parcel_fetch(b, &fd) == MPL_OK);
  check_witness(fd);
  close(fd);
  CHECK(mpl_parcel_fetch(a, &fd) == MPL_OK && close(fd) == 0);
  CHECK(mpl_parcel_fetch(b, &fd) == MPL_OK); /* it is there as long as the message */
  WORLD_WHOLE();
  drop_message(second);
  CHECK(!readable(witness[0]));
  close(fd);
  check_gone();
  CHECK(mpl_parcel_fetch(b, &fd) == MPL_GONE && mpl_parcel_fetch(a, &fd) == MPL_OK);
  close(fd);
  drop_message(first);
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
    CHECK(world_put_message(world_queue(queue_id), make_message(1, 0, id[n])) == MPL_OK);
    mpl_parcel_release(&id[n++], 1);
  }
  CHECK(n > 20 && n < MOST && errno == ENOBUFS);
  for (int i = n - 1; i >= 0; i--) CHECK(mpl_parcel_fetch(id[i], &fd) == MPL_OK && close(fd) == 0);
  for (int i = 0; i < n; i++) {
    CHECK(mpl_parcel_fetch(id[i], &fd) == MPL_OK && close(fd) == 0);
    drop_message(get_message());
    CHECK(mpl_parcel_fetch(id[i], &fd) == MPL_GONE);
  }
  CHECK(world_sum().objects == before.objects);
  WORLD_WHOLE();
}

/*
** Deaths
*/

#define LARGE 20000

static void set_pipe(void) {
  make_pipe();
  CHECK(mpl_lock_new(&lock_id) == MPL_OK);
}

static void release_all(void) {
  drop_pipe();
  mpl_reflist_release(lock_id);
}

static void op_send(void) {
  CHECK(send_mail(LARGE, 5) == MPL_OK);
}

/* A message is there wholly or not at all. */
static void verify_sent(bool finished) {
  mpl_off mail;
  enum mpl_status s = receive_mail(LARGE, 5, &mail);
  CHECK(s == MPL_OK || (!finished && s == MPL_BLOCK));
  if (s == MPL_OK) drop_message(mail);
  release_all();
}

static void set_sent(void) {
  set_pipe();
  CHECK(send_mail(3, 4) == MPL_OK && send_mail(LARGE, 5) == MPL_OK);
}

static void op_receive(void) {
  mpl_off mail;
  CHECK(receive_mail(3, 4, &mail) == MPL_OK);
  drop_message(mail);
}

/* A message goes with its receiver, and no other one does. */
static void verify_received(bool finished) {
  unsigned char packet[MPL_PIPE_PACKET];
  struct mpl_pipe_letter letter;
  size_t n;
  CHECK(mpl_pipe_receive(ends[0], packet, &n) == MPL_OK && mpl_pipe_read(packet, n, &letter));
  CHECK(mpl_pipe_collect(way(), letter.mail) == MPL_OK);
  if (mpl_message_at(letter.mail)->size == 3) {
    CHECK(!finished);
    drop_message(letter.mail);
    CHECK(receive_mail(LARGE, 5, &letter.mail) == MPL_OK);
  }
  CHECK(mpl_message_at(letter.mail)->size == LARGE);
  drop_message(letter.mail);
  CHECK(mpl_packet_look(ends[0]) == MPL_BLOCK);
  release_all();
}

static void op_whole_life(void) {
  make_pipe();
  CHECK(mpl_lock_new(&lock_id) == MPL_OK);
  CHECK(send_mail(10, 1) == MPL_OK && send_mail(LARGE, 2) == MPL_OK);
  mpl_reflist_release(lock_id);
  drop_pipe();
}

static void set_life(void) {
  mpl_pipe_register();
}

static void set_parcel(void) {
  make_depot();
  CHECK(mpl_queue_new(0, &queue_id) == MPL_OK && pipe2(witness, O_CLOEXEC) == 0);
}

static void op_post_parcel(void) {
  uint64_t id;
  mpl_off message = make_parcel(witness[1], &id);
  close(witness[1]);
  CHECK(world_put_message(world_queue(queue_id), message) == MPL_OK);
}

/* Has the descriptor out of the queue. */
static void op_take_parcel(void) {
  int fd;
  mpl_off message = get_message();
  CHECK(mpl_parcel_fetch(parcel_of(message), &fd) == MPL_OK);
  drop_message(message);
  check_witness(fd);
  close(fd);
}

/* The same, if it is still there; then nobody has the descriptor. */
static void take_parcel(bool expected) {
  if (mpl_queue_size(world_queue(queue_id)) > 0)
    op_take_parcel();
  else
    CHECK(!expected);
  mpl_object_bury();
  close(witness[1]);
  check_gone();
}

static void verify_posted(bool finished) {
  take_parcel(finished);
  mpl_reflist_release(queue_id);
}

static mpl_off other; /* with a parcel that nobody takes meanwhile */

static void set_posted(void) {
  uint64_t id;
  set_parcel();
  other = make_parcel(STDIN_FILENO, &id);
  CHECK(world_put_message(world_queue(queue_id), make_parcel(witness[1], &id)) == MPL_OK);
}

static void verify_taken(bool finished) {
  int fd;
  take_parcel(false);
  CHECK(!finished || mpl_queue_size(world_queue(queue_id)) == 0);
  CHECK(mpl_parcel_fetch(parcel_of(other), &fd) == MPL_OK && close(fd) == 0);
  drop_message(other);
  mpl_reflist_release(queue_id);
}

static const struct crash_op ops[] = {
    {.name = "send a mail", .setup = set_pipe, .operate = op_send, .verify = verify_sent,
     .grows = true, .twice = true},
    {.name = "receive a mail", .setup = set_sent, .operate = op_receive,
     .verify = verify_received, .grows = true, .twice = true},
    {.name = "life of a pipe", .setup = set_life, .operate = op_whole_life, .grows = true},
    {.name = "post a parcel", .setup = set_parcel, .operate = op_post_parcel,
     .verify = verify_posted, .grows = true},
    {.name = "take a parcel", .setup = set_posted, .operate = op_take_parcel,
     .verify = verify_taken, .grows = true, .twice = true},
};

static const struct crash_op *op;

static void deaths(void) {
  unsigned long points = crash_sweep(op), again = 0;
  CHECK(points > 10);
  if (op->twice) again = crash_sweep_recovery(op, points, 6);
  printf("%-28s %4lu points, %5lu of recovery\n", op->name, points, again);
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
  for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
    op = &ops[i];
    unit_run(op->name, deaths);
  }
  return unit_end("pipe_test");
}
