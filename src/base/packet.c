/*
** Packets: see packet.h.
*/
#include "base/packet.h"

#include <errno.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/point.h"

/* A pair of ends, each of which sends to the other. MPL_OK or MPL_ERRNO. */
enum mpl_status mpl_packet_pair(int fds[2]) {
  return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == 0 ? MPL_OK : MPL_ERRNO;
}

static enum mpl_status send_message(int fd, const struct msghdr *message) {
  ssize_t n;
  MPL_POINT();
  do {
    n = sendmsg(fd, message, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (n < 0 && errno == EINTR);
  if (n >= 0) return MPL_OK;
  switch (errno) {
    case EAGAIN: return MPL_BLOCK;
    case EPIPE:
    case ECONNRESET:
    case ENOTCONN:
    case ECONNREFUSED: return MPL_CLOSED;
    default: return MPL_ERRNO;
  }
}

/* Sends one packet made of parts, not all of them empty. */
enum mpl_status mpl_packet_send(int fd, const struct iovec *parts, size_t n) {
  return send_message(fd, &(struct msghdr){.msg_iov = (struct iovec *)(uintptr_t)parts,
                                           .msg_iovlen = n});
}

/* ECONNRESET says, once, that the other end was closed with something unread in it; what it had
   sent before can still be received. */
static enum mpl_status receive_message(int fd, struct msghdr *message, int flags, size_t *size) {
  ssize_t n;
  MPL_POINT();
  do {
    n = recvmsg(fd, message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC | flags);
  } while (n < 0 && (errno == EINTR || errno == ECONNRESET));
  if (n < 0) return errno == EAGAIN ? MPL_BLOCK : MPL_ERRNO;
  *size = (size_t)n;
  return n == 0 ? MPL_CLOSED : MPL_OK;
}

static enum mpl_status receive(int fd, void *bytes, size_t room, int flags, size_t *size) {
  struct iovec part = {bytes, room};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  return receive_message(fd, &message, flags, size);
}

/* Receives one packet. What it has beyond `room` bytes, or a descriptor in it, is dropped. */
enum mpl_status mpl_packet_receive(int fd, void *bytes, size_t room, size_t *size) {
  return receive(fd, bytes, room, 0, size);
}

/* Whether a receive would not have to wait: MPL_OK, MPL_CLOSED, MPL_BLOCK. Takes nothing. */
enum mpl_status mpl_packet_look(int fd) {
  char byte = 0;
  size_t size;
  return receive(fd, &byte, 1, MSG_PEEK, &size);
}

/*
** Packets that carry a descriptor: the system holds a copy of it as long as it holds the packet,
** whatever becomes of the sender.
*/

union control {
  struct cmsghdr head;
  char bytes[CMSG_SPACE(sizeof(int))];
};

/* Sends a tag with a descriptor, which stays open for the caller. */
enum mpl_status mpl_packet_send_fd(int fd, struct mpl_packet_tag tag, int passed) {
  union control control = {.head = {.cmsg_len = CMSG_LEN(sizeof passed),
                                    .cmsg_level = SOL_SOCKET,
                                    .cmsg_type = SCM_RIGHTS}};
  memcpy(CMSG_DATA(&control.head), &passed, sizeof passed);
  struct iovec part = {&tag, sizeof tag};
  return send_message(fd, &(struct msghdr){.msg_iov = &part,
                                           .msg_iovlen = 1,
                                           .msg_control = &control,
                                           .msg_controllen = sizeof control});
}

/* The tag of the next packet, which stays where it is. */
enum mpl_status mpl_packet_look_tag(int fd, struct mpl_packet_tag *tag) {
  size_t size;
  *tag = (struct mpl_packet_tag){0};
  return receive(fd, tag, sizeof *tag, MSG_PEEK, &size);
}

/* A descriptor of the caller's own for the one that the next packet carries; the packet stays where
   it is. MPL_ERRNO with EMFILE if the caller has too many. */
enum mpl_status mpl_packet_look_fd(int fd, int *passed) {
  union control control = {.head = {0}};
  struct mpl_packet_tag tag;
  struct iovec part = {&tag, sizeof tag};
  struct msghdr message = {.msg_iov = &part,
                           .msg_iovlen = 1,
                           .msg_control = &control,
                           .msg_controllen = sizeof control};
  size_t size;
  enum mpl_status s = receive_message(fd, &message, MSG_PEEK, &size);
  if (s != MPL_OK) return s;
  struct cmsghdr *head = CMSG_FIRSTHDR(&message);
  if (head == NULL || head->cmsg_len != CMSG_LEN(sizeof *passed)) return errno = EMFILE, MPL_ERRNO;
  memcpy(passed, CMSG_DATA(head), sizeof *passed);
  return MPL_OK;
}

/* Whether what was sent from this end and has not been received fills half of the room for it. */
bool mpl_packet_half_full(int fd) {
  int used, room;
  socklen_t size = sizeof room;
  if (ioctl(fd, SIOCOUTQ, &used) != 0 || getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, &size) != 0)
    return true;
  return used >= room / 2;
}
