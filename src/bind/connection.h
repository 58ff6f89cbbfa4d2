/*
** Connections: the ends of pipes, as this process has them.
**
** A Connection is a userdata with a descriptor and the handle of what both ends share; copies of
** one end, in this or in other processes, have descriptors of their own. The open ones of a process
** stand in a list, so that a child can close those that it does not hold (bind/reach.c).
*/
#ifndef MPL_BIND_CONNECTION_H
#define MPL_BIND_CONNECTION_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

#include "bind/class.h"
#include "bind/descriptor.h"
#include "ds/pipe.h"

enum mpl_connection_flag {
  MPL_CONNECTION_SECOND = 1, /* it is end 1 of its pipe, else end 0 */
  MPL_CONNECTION_READABLE = 2,
  MPL_CONNECTION_WRITABLE = 4
};

struct mpl_connection {
  int fd; /* -1: closed */
  unsigned flags;
  struct mpl_pipe *pipe; /* as long as it is open; its handle is the user value */
  bool reached;          /* for bind/reach.c */
  struct mpl_connection *next, **link; /* in the list, while it is open */
  uint64_t received; /* messages, about: as many as were sent, and there is none to be had */
  unsigned char *kept; /* a packet that was received and could not be delivered; NULL: none */
  size_t kept_size;
  uint64_t kept_by;    /* identity of who received it; not of a child that has it by a fork */
};

struct mpl_connection *mpl_connection_new(lua_State *L, uint64_t pipe, unsigned flags);
void mpl_connection_open_fd(struct mpl_connection *c, int fd);
void mpl_connection_shut(struct mpl_connection *c);
struct mpl_connection *mpl_connection_first(void);

struct mpl_connection *mpl_connection_test(lua_State *L, int idx);
struct mpl_connection *mpl_connection_self(lua_State *L, unsigned flag);
int mpl_connection_fd(lua_State *L, int idx);
bool mpl_connection_has_kept(const struct mpl_connection *c);

int mpl_connection_send(lua_State *L);
int mpl_connection_recv(lua_State *L);
int mpl_connection_send_bytes(lua_State *L);
int mpl_connection_recv_bytes(lua_State *L);
int mpl_connection_poll(lua_State *L);

#endif
