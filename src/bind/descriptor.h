/*
** Values that stand for a file descriptor of this process: Connections and process.fd values. For
** the codec, which sends the descriptor as a parcel (ds/parcel.h).
*/
#ifndef MPL_BIND_DESCRIPTOR_H
#define MPL_BIND_DESCRIPTOR_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

struct mpl_descriptor {
  int fd;
  uint64_t pipe;  /* id of the object that a Connection belongs to; 0: a process.fd value */
  unsigned flags; /* of the Connection */
};

bool mpl_descriptor_get(lua_State *L, int idx, struct mpl_descriptor *out);
void mpl_descriptor_push(lua_State *L, const struct mpl_descriptor *descriptor, uint64_t parcel);

#endif
