/*
** Packets: messages between processes through a pair of sockets that keeps their bounds (AF_UNIX,
** SOCK_SEQPACKET).
**
** A packet is sent wholly or not at all, and received wholly by one receiver, whatever instruction
** either dies at: so nobody needs a lock to send or to receive, and nothing is ever torn. Packets
** are not empty, because nothing would tell an empty one from the end.
**
** Nothing here waits: MPL_BLOCK means try again when the descriptor polls ready (base/os.h).
** MPL_CLOSED: nobody has the other end any more, and all that was sent has been received.
** MPL_ERRNO: errno says how. Descriptors are closed by exec. SIGPIPE is never raised, EINTR never
** seen.
*/
#ifndef MPL_BASE_PACKET_H
#define MPL_BASE_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/status.h"

enum mpl_status mpl_packet_pair(int fds[2]);
enum mpl_status mpl_packet_send(int fd, const struct iovec *parts, size_t n);
enum mpl_status mpl_packet_receive(int fd, void *bytes, size_t room, size_t *size);
enum mpl_status mpl_packet_look(int fd);

/* What a packet with a descriptor says; the words mean what the sender likes. */
struct mpl_packet_tag {
  uint64_t id, turn;
};

enum mpl_status mpl_packet_send_fd(int fd, struct mpl_packet_tag tag, int passed);
enum mpl_status mpl_packet_look_tag(int fd, struct mpl_packet_tag *tag);
enum mpl_status mpl_packet_look_fd(int fd, int *passed);
bool mpl_packet_half_full(int fd);

#endif
