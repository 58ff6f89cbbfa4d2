/*
** Parcels: see parcel.h.
**
** The depot is first in, first out, and so are parcels, mostly: the packet that is looked for is
** the first one. Others in front of it are sent to the end again, each before it is taken from the
** front: whoever dies in between leaves two of it. So a packet that was sent again says in which
** turn that was, and a turn ends at the first one of its own.
*/
#include "ds/parcel.h"

#include <errno.h>
#include <unistd.h>

#include "base/packet.h"
#include "shm/reflist.h"
#include "shm/super.h"

/* More packets than the depot has room for. */
#define LOOKS_MOST 4096

static int depot[2] = {-1, -1};

/* Whether anybody refers to the parcel. */
static bool is_awaited(uint64_t id) {
  return mpl_object_type_of(id) == MPL_TYPE_PARCEL;
}

static void drop_first(void) {
  struct mpl_packet_tag tag = {0};
  size_t size;
  mpl_packet_receive(depot[1], &tag, sizeof tag, &size);
}

/* Puts the first packet behind the others. There is room: mpl_parcel_new leaves half of it. */
static enum mpl_status move_first(struct mpl_packet_tag tag) {
  int fd;
  enum mpl_status s = mpl_packet_look_fd(depot[1], &fd);
  if (s != MPL_OK) return s;
  s = mpl_packet_send_fd(depot[0], tag, fd);
  if (s != MPL_OK && s != MPL_ERRNO) errno = ENOBUFS;
  int error = errno;
  close(fd);
  if (s != MPL_OK) return errno = error, MPL_ERRNO;
  drop_first();
  return MPL_OK;
}

/* Drops what nobody waits for and brings the packet of the parcel to the front; 0 for none: goes
   through all. MPL_OK; MPL_GONE: there is none; MPL_ERRNO. The lock is held. */
static enum mpl_status turn(uint64_t wanted) {
  mpl_a64 *turns = &mpl_super()->parcel_turns;
  struct mpl_packet_tag tag;
  uint64_t now = mpl_load64_rlx(turns) + 1;
  mpl_store64_rlx(turns, now);
  for (int i = 0; i < LOOKS_MOST && mpl_packet_look_tag(depot[1], &tag) == MPL_OK; i++) {
    if (!is_awaited(tag.id)) {
      drop_first();
      continue;
    }
    if (tag.id == wanted) return MPL_OK;
    if (tag.turn == now) break;
    tag.turn = now;
    enum mpl_status s = move_first(tag);
    if (s != MPL_OK) return s;
  }
  return wanted == 0 ? MPL_OK : MPL_GONE;
}

/* The parcel is gone already, as far as is_awaited knows, and so is its packet after the turn. */
static void dismantle(void *body) {
  (void)body;
  struct mpl_robust *lock = &mpl_super()->parcel_lock;
  if (mpl_robust_lock(lock) == MPL_DAMAGED) return;
  turn(0);
  mpl_robust_unlock(lock);
}

static const struct mpl_object_ops ops = {.name = "Descriptor", .dismantle = dismantle};

/* Makes the depot; once in a program, before any fork. MPL_OK or MPL_ERRNO. */
enum mpl_status mpl_parcel_open(void) {
  mpl_object_register(MPL_TYPE_PARCEL, &ops);
  return mpl_packet_pair(depot);
}

/*
** Makes a parcel of the descriptor, which stays the caller's, who then holds a reference.
** MPL_NOMEM, MPL_NOPRIVATE, MPL_ERRNO (EBADF; ENOBUFS: too many are on their way).
*/
enum mpl_status mpl_parcel_new(int fd, uint64_t *id) {
  if (mpl_packet_half_full(depot[0])) return errno = ENOBUFS, MPL_ERRNO;
  enum mpl_status s = mpl_object_new(MPL_TYPE_PARCEL, sizeof(uint64_t), NULL, NULL, id);
  if (s != MPL_OK) return s;
  s = mpl_packet_send_fd(depot[0], (struct mpl_packet_tag){.id = *id}, fd);
  if (s == MPL_OK) return MPL_OK;
  int error = s == MPL_ERRNO ? errno : ENOBUFS;
  mpl_parcel_release(id, 1);
  return errno = error, MPL_ERRNO;
}

/* A descriptor of the caller's own for the one in the parcel, to which somebody refers meanwhile.
   MPL_GONE: there is no such parcel; MPL_ERRNO (EMFILE); MPL_DAMAGED. */
enum mpl_status mpl_parcel_fetch(uint64_t id, int *fd) {
  struct mpl_robust *lock = &mpl_super()->parcel_lock;
  if (!is_awaited(id)) return MPL_GONE;
  if (mpl_robust_lock(lock) == MPL_DAMAGED) return MPL_DAMAGED;
  enum mpl_status s = turn(id);
  if (s == MPL_OK) s = mpl_packet_look_fd(depot[1], fd);
  int error = errno;
  mpl_robust_unlock(lock);
  return errno = error, s;
}

/* The caller's references to those among the objects that are parcels are given up: whoever makes a
   message of them holds references of its own by now. */
void mpl_parcel_release(const uint64_t *ids, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (mpl_object_type_of(ids[i]) == MPL_TYPE_PARCEL) mpl_reflist_release(ids[i]);
}
