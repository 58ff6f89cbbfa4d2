/*
** The crash sweep of pipes and parcels: see crash.h.
**
** The packets that are on their way are in the kernel. They are kept beside the arena: taken out,
** noted, with the descriptors that they carry, and sent again.
*/
/* Level 2 for one in so many first deaths; CFLAGS=-DCRASH_SAMPLED=1 sweeps all of it. */
#if !defined(CRASH_SAMPLED)
#define CRASH_SAMPLED 6
#endif

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "crash.h"
#include "pipes.h"

#define LARGE 20000

static struct {
  struct pipes pipes;
  uint64_t queue;
  int witness[2];
  mpl_off other; /* a message with a parcel that nobody takes meanwhile */
} s;

/*
** Packets
*/

#define CHANNELS 2 /* the pipe and the depot of a process; both of a trial of two have one depot */
#define PACKETS 8

static int channel[CHANNELS][2]; /* what [0] sends, [1] receives; both 0: there is none */

struct packet {
  unsigned char bytes[MPL_PIPE_PACKET];
  size_t size; /* 0: none */
  int fd;      /* that it carries, or -1 */
};

struct packets {
  struct packet packet[CHANNELS][PACKETS];
};

union control {
  struct cmsghdr head;
  char bytes[CMSG_SPACE(sizeof(int))];
};

/* What a packet has beyond that is weight, which nobody reads. */
static bool take_packet(int socket, struct packet *packet) {
  union control control;
  struct iovec part = {packet->bytes, sizeof packet->bytes};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control,
                           .msg_controllen = sizeof control};
  ssize_t n = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (n < 0) {
    CHECK(errno == EAGAIN);
    return false;
  }
  CHECK(n > 0 && (message.msg_flags & MSG_CTRUNC) == 0);
  struct cmsghdr *head = CMSG_FIRSTHDR(&message);
  packet->size = (size_t)n;
  packet->fd = -1;
  if (head != NULL) memcpy(&packet->fd, CMSG_DATA(head), sizeof packet->fd);
  return true;
}

static void send_packet(int socket, const struct packet *packet) {
  union control control = {.head = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET,
                                    .cmsg_type = SCM_RIGHTS}};
  struct iovec part = {(void *)(uintptr_t)packet->bytes, packet->size};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  if (packet->fd >= 0) {
    memcpy(CMSG_DATA(&control.head), &packet->fd, sizeof packet->fd);
    message.msg_control = &control;
    message.msg_controllen = sizeof control;
  }
  CHECK(sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)packet->size);
}

static void forget_packets(struct packets *p) {
  for (int c = 0; c < CHANNELS; c++)
    for (int i = 0; i < PACKETS && p->packet[c][i].size > 0; i++)
      if (p->packet[c][i].fd >= 0) close(p->packet[c][i].fd);
  memset(p, 0, sizeof *p);
}

static void take_packets(struct packets *p) {
  for (int c = 0; c < CHANNELS; c++)
    for (int i = 0; channel[c][1] != 0 && take_packet(channel[c][1], &p->packet[c][i]); i++)
      CHECK(i < PACKETS - 1);
}

static void send_packets(const struct packets *p) {
  for (int c = 0; c < CHANNELS; c++)
    for (int i = 0; i < PACKETS && p->packet[c][i].size > 0; i++)
      send_packet(channel[c][0], &p->packet[c][i]);
}

static void save_packets(void **copy) {
  if (*copy == NULL) *copy = calloc(1, sizeof(struct packets));
  CHECK(*copy != NULL);
  forget_packets(*copy);
  take_packets(*copy);
  send_packets(*copy);
}

static void restore_packets(const void *copy) {
  static struct packets found;
  take_packets(&found);
  forget_packets(&found);
  send_packets(copy);
}

/* What is queued in each channel, and how the first packet begins. */
static uint64_t number_packets(void) {
  uint64_t h = 0, tag;
  for (int c = 0; c < CHANNELS; c++) {
    int queued = 0;
    if (channel[c][1] == 0) continue;
    CHECK(ioctl(channel[c][0], SIOCOUTQ, &queued) == 0);
    ssize_t n = recv(channel[c][1], &tag, sizeof tag, MSG_PEEK | MSG_DONTWAIT);
    h = state_mix(state_mix(h, (uint64_t)queued), n == sizeof tag ? tag : (uint64_t)n);
  }
  return h;
}

/* Whether a packet on its way carries a descriptor of the writing end of the witness. */
static bool is_on_its_way(void) {
  struct packets *p = calloc(1, sizeof *p);
  struct stat wanted, found;
  bool there = false;
  CHECK(p != NULL && fstat(s.witness[0], &wanted) == 0);
  take_packets(p);
  send_packets(p);
  for (int c = 0; c < CHANNELS; c++)
    for (int i = 0; i < PACKETS && p->packet[c][i].size > 0; i++) {
      if (p->packet[c][i].fd < 0) continue;
      CHECK(fstat(p->packet[c][i].fd, &found) == 0);
      there |= found.st_dev == wanted.st_dev && found.st_ino == wanted.st_ino;
    }
  forget_packets(p);
  free(p);
  return there;
}

/*
** Mails
*/

static void setup_pipe(void) {
  pipes_make(&s.pipes);
  channel[0][0] = s.pipes.ends[1];
  channel[0][1] = s.pipes.ends[0];
  CHECK(mpl_lock_new(&s.pipes.lock) == MPL_OK);
}

static void release_all(void) {
  memset(channel[0], 0, sizeof channel[0]);
  pipes_drop(&s.pipes);
  mpl_reflist_release(s.pipes.lock);
}

static void post(void) {
  CHECK(pipes_send(&s.pipes, LARGE, 5) == MPL_OK);
}

/* A message is there wholly or not at all. */
static void verify_sent(bool finished) {
  mpl_off mail;
  enum mpl_status received = pipes_receive(&s.pipes, LARGE, 5, &mail);
  CHECK(received == MPL_OK || (!finished && received == MPL_BLOCK));
  if (received == MPL_OK) pipes_drop_message(mail);
  CHECK(mpl_packet_look(s.pipes.ends[0]) == MPL_BLOCK);
  release_all();
}

static void setup_sent(void) {
  setup_pipe();
  CHECK(pipes_send(&s.pipes, 3, 4) == MPL_OK && pipes_send(&s.pipes, LARGE, 5) == MPL_OK);
}

static void receive(void) {
  mpl_off mail;
  CHECK(pipes_receive(&s.pipes, 3, 4, &mail) == MPL_OK);
  pipes_drop_message(mail);
}

/* A message goes with its receiver, and no other one does. */
static void verify_received(bool finished) {
  unsigned char packet[MPL_PIPE_PACKET];
  struct mpl_pipe_letter letter;
  size_t n;
  CHECK(mpl_pipe_receive(s.pipes.ends[0], packet, &n) == MPL_OK);
  CHECK(mpl_pipe_read(packet, n, &letter));
  CHECK(mpl_pipe_collect(pipes_way(&s.pipes), letter.mail) == MPL_OK);
  if (mpl_message_at(letter.mail)->size == 3) {
    CHECK(!finished);
    pipes_drop_message(letter.mail);
    CHECK(pipes_receive(&s.pipes, LARGE, 5, &letter.mail) == MPL_OK);
  }
  CHECK(mpl_message_at(letter.mail)->size == LARGE);
  pipes_drop_message(letter.mail);
  CHECK(mpl_packet_look(s.pipes.ends[0]) == MPL_BLOCK);
  release_all();
}

static void make_pipe(void) {
  CHECK(mpl_pipe_new(&s.pipes.id) == MPL_OK);
}

/* With the pipe go its mails. */
static void prepare_life(void) {
  setup_sent();
  mpl_reflist_release(s.pipes.lock);
}

static void drop_pipe(void) {
  pipes_drop(&s.pipes);
}

/*
** Parcels
*/

static bool is_socket(int fd) {
  struct stat found;
  return fstat(fd, &found) == 0 && S_ISSOCK(found.st_mode);
}

/* Opens the depot, once in a process, and finds it among the descriptors. */
static void open_depot(void) {
  enum { MOST = 64 };
  bool before[MOST];
  if (channel[1][1] != 0) return;
  for (int fd = 0; fd < MOST; fd++) before[fd] = is_socket(fd);
  CHECK(mpl_parcel_open() == MPL_OK);
  for (int fd = 0, n = 0; fd < MOST; fd++)
    if (!before[fd] && is_socket(fd)) channel[1][n++] = fd;
  CHECK(channel[1][1] != 0);
}

static void setup_parcel(void) {
  open_depot();
  CHECK(mpl_queue_new(0, &s.queue) == MPL_OK && pipe2(s.witness, O_CLOEXEC) == 0);
}

static void post_parcel(void) {
  uint64_t id;
  mpl_off message = pipes_parcel(s.witness[1], &id);
  close(s.witness[1]);
  CHECK(world_put_message(world_queue(s.queue), message) == MPL_OK);
}

/* Has the descriptor out of the queue. */
static void take_parcel(void) {
  static struct world_batch got;
  int fd;
  CHECK(world_get(world_queue(s.queue), 1, &got, 0) == MPL_OK);
  CHECK(mpl_parcel_fetch(pipes_parcel_of(got.batch.item[0].message), &fd) == MPL_OK);
  pipes_drop_message(got.batch.item[0].message);
  pipes_check(fd, s.witness);
  close(fd);
}

/* The same, if it is still there; then nobody has the descriptor. */
static void take_if_there(bool expected) {
  if (mpl_queue_size(world_queue(s.queue)) > 0)
    take_parcel();
  else
    CHECK(!expected);
  mpl_object_bury();
  CHECK(!is_on_its_way());
}

static void verify_posted(bool finished) {
  take_if_there(finished);
  mpl_reflist_release(s.queue);
}

static void setup_posted(void) {
  uint64_t id;
  setup_parcel();
  s.other = pipes_parcel(STDIN_FILENO, &id);
  CHECK(world_put_message(world_queue(s.queue), pipes_parcel(s.witness[1], &id)) == MPL_OK);
}

static void verify_taken(bool finished) {
  int fd;
  CHECK(!finished || mpl_queue_size(world_queue(s.queue)) == 0);
  take_if_there(false);
  CHECK(mpl_parcel_fetch(pipes_parcel_of(s.other), &fd) == MPL_OK && close(fd) == 0);
  pipes_drop_message(s.other);
  mpl_reflist_release(s.queue);
}

static const struct crash_op ops[] = {
    {.name = "send a mail", .setup = setup_pipe, .operate = post, .verify = verify_sent},
    {.name = "receive a mail", .setup = setup_sent, .operate = receive,
     .verify = verify_received},
    {.name = "new pipe", .operate = make_pipe},
    {.name = "release of a pipe", .prepare = prepare_life, .operate = drop_pipe},
    {.name = "post a parcel", .setup = setup_parcel, .operate = post_parcel,
     .verify = verify_posted},
    {.name = "take a parcel", .setup = setup_posted, .operate = take_parcel,
     .verify = verify_taken},
};

int main(int argc, char **argv) {
  mpl_pipe_register();
  crash_beside = (struct crash_beside){save_packets, restore_packets, number_packets};
  return crash_main(ops, sizeof ops / sizeof *ops, &s, sizeof s, argc, argv);
}
