/*
** Parcels: file descriptors on their way to another process.
**
** A parcel is a shared object without contents, to which messages refer as to others. The
** descriptor is kept by the system: in a packet with the parcel's id as its tag, in a pair of
** sockets that every process of the program has, the depot. So it is there even if its sender is
** gone, and nobody holds it open but whoever has received it, once the parcel is.
**
** Whenever the depot's lock is free, it has at least one packet for each parcel that is referred
** to. (A death in the middle of a turn may leave two.) Packets of parcels that are no more are
** dropped when a parcel is dismantled.
*/
#ifndef MPL_DS_PARCEL_H
#define MPL_DS_PARCEL_H

#include <stddef.h>
#include <stdint.h>

#include "shm/object.h"

enum mpl_status mpl_parcel_open(void);
enum mpl_status mpl_parcel_new(int fd, uint64_t *id);
enum mpl_status mpl_parcel_fetch(uint64_t id, int *fd);
void mpl_parcel_release(const uint64_t *ids, size_t n);

#endif
