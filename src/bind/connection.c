/*
** process.Pipe, and of Connections all but sending and receiving (pipe_send.c, pipe_receive.c).
*/
#include "bind/connection.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/packet.h"
#include "bind/args.h"
#include "bind/handle.h"
#include "bind/module.h"
#include "shm/slot.h"

/* What both ends share has a handle that no script sees. */
static const luaL_Reg no_methods[] = {{NULL, NULL}};
static const luaL_Reg pipe_metamethods[] = {{"__gc", mpl_handle_gc}, {NULL, NULL}};
static const struct mpl_class pipe_class = {"Pipe", no_methods, pipe_metamethods};

static const struct mpl_class connection_class;

static struct mpl_connection *first;

/* The open Connections of this process, those too that its parent had open when it forked; next by
   `next`. */
struct mpl_connection *mpl_connection_first(void) {
  return first;
}

/*
** Life
*/

/* Pushes a Connection that is closed as yet, with a reference to what it shares with the other end.
   Raises if that is no more. */
struct mpl_connection *mpl_connection_new(lua_State *L, uint64_t pipe, unsigned flags) {
  if (mpl_object_type_of(pipe) != MPL_TYPE_PIPE) mpl_args_raise(L, MPL_GONE);
  mpl_handle_push(L, pipe);
  struct mpl_handle *h = lua_touserdata(L, -1);
  struct mpl_connection *c = mpl_class_new(L, &connection_class, sizeof *c, 1);
  *c = (struct mpl_connection){.fd = -1, .flags = flags, .pipe = h->body};
  lua_insert(L, -2);
  lua_setiuservalue(L, -2, 1);
  return c;
}

/* It gets its descriptor. */
void mpl_connection_open_fd(struct mpl_connection *c, int fd) {
  c->fd = fd;
  c->next = first;
  c->link = &first;
  if (first != NULL) first->link = &c->next;
  first = c;
}

/* Closes it, if it is open. */
void mpl_connection_shut(struct mpl_connection *c) {
  free(c->kept);
  c->kept = NULL;
  if (c->fd < 0) return;
  close(c->fd);
  c->fd = -1;
  *c->link = c->next;
  if (c->next != NULL) c->next->link = c->link;
}

/* Pipe([duplex=true]): two Connections, each of which sends to the other; with false the first only
   receives and the second only sends. */
static int pipe_new(lua_State *L) {
  if (!lua_isnoneornil(L, 1)) luaL_checktype(L, 1, LUA_TBOOLEAN);
  mpl_args_end(L, 1);
  bool duplex = lua_isnoneornil(L, 1) || lua_toboolean(L, 1);
  unsigned both = MPL_CONNECTION_READABLE | MPL_CONNECTION_WRITABLE;
  struct mpl_handle *h = mpl_handle_new(L, MPL_TYPE_PIPE);
  uint64_t id;
  enum mpl_status s = mpl_pipe_new(&id);
  if (s != MPL_OK) return mpl_args_raise(L, s);
  mpl_handle_own(L, h, MPL_TYPE_PIPE, id);
  mpl_handle_label(L, id, 1);
  struct mpl_connection *a =
      mpl_connection_new(L, id, duplex ? both : (unsigned)MPL_CONNECTION_READABLE);
  struct mpl_connection *b = mpl_connection_new(
      L, id, MPL_CONNECTION_SECOND | (duplex ? both : (unsigned)MPL_CONNECTION_WRITABLE));
  int fds[2];
  if (mpl_packet_pair(fds) != MPL_OK) return luaL_error(L, "Pipe: %s", strerror(errno));
  mpl_connection_open_fd(a, fds[0]);
  mpl_connection_open_fd(b, fds[1]);
  return 2;
}

/*
** Checks
*/

/* The Connection at idx, open or not; NULL if the value is none. */
struct mpl_connection *mpl_connection_test(lua_State *L, int idx) {
  return mpl_class_is(L, idx, &connection_class) ? lua_touserdata(L, idx) : NULL;
}

/* Its descriptor; -1 if the value at idx is no open Connection. */
int mpl_connection_fd(lua_State *L, int idx) {
  struct mpl_connection *c = mpl_connection_test(L, idx);
  return c == NULL ? -1 : c->fd;
}

/* Whether this process has a message for it already, so that its descriptor need not be readable
   for the next one to be received. */
bool mpl_connection_has_kept(const struct mpl_connection *c) {
  return c->kept != NULL && c->kept_by == mpl_slot_ident(mpl_self);
}

/* In a method: the Connection at 1, which must be open, and have the flag (0: whatever it has). */
struct mpl_connection *mpl_connection_self(lua_State *L, unsigned flag) {
  struct mpl_connection *c = mpl_class_self(L, 1);
  if (c->fd >= 0 && (flag & ~c->flags) == 0) return c;
  lua_Debug d = {.name = NULL};
  if (lua_getstack(L, 0, &d)) lua_getinfo(L, "n", &d);
  const char *name = d.name != NULL ? d.name : "Connection";
  if (c->fd < 0)
    luaL_error(L, "%s: the connection is closed (this process has closed it, or did not hold it "
                  "when it was started)", name);
  if (flag == MPL_CONNECTION_READABLE)
    luaL_error(L, "%s: this connection only sends: it is the second end of a one-way pipe", name);
  luaL_error(L, "%s: this connection only receives: it is the first end of a one-way pipe", name);
  return NULL;
}

/*
** Methods
*/

/* c:fileno(): its descriptor. */
static int connection_fileno(lua_State *L) {
  lua_pushinteger(L, mpl_connection_self(L, 0)->fd);
  return 1;
}

/* c:close(): this process is done with this end; a second one does nothing. Also __gc, __close. */
static int connection_close(lua_State *L) {
  mpl_connection_shut(mpl_class_self(L, 1));
  lua_pushnil(L);
  lua_setiuservalue(L, 1, 1);
  return 0;
}

static int connection_tostring(lua_State *L) {
  const struct mpl_connection *c = mpl_class_self(L, 1);
  const char *way = (c->flags & MPL_CONNECTION_READABLE) == 0   ? "writable"
                    : (c->flags & MPL_CONNECTION_WRITABLE) == 0 ? "readable"
                                                                : "duplex";
  if (c->fd < 0)
    lua_pushfstring(L, "<Connection at %p closed>", (const void *)c);
  else
    lua_pushfstring(L, "<Connection at %p fd=%d %s>", (const void *)c, c->fd, way);
  return 1;
}

/* Upvalues: the class, its methods. */
static int connection_index(lua_State *L) {
  const struct mpl_connection *c = mpl_class_self(L, 1);
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(2)) != LUA_TNIL || lua_type(L, 2) != LUA_TSTRING) return 1;
  const char *key = lua_tostring(L, 2);
  if (strcmp(key, "closed") == 0)
    lua_pushboolean(L, c->fd < 0);
  else if (strcmp(key, "readable") == 0)
    lua_pushboolean(L, (c->flags & MPL_CONNECTION_READABLE) != 0);
  else if (strcmp(key, "writable") == 0)
    lua_pushboolean(L, (c->flags & MPL_CONNECTION_WRITABLE) != 0);
  return 1;
}

static const luaL_Reg methods[] = {{"send", mpl_connection_send},
                                   {"recv", mpl_connection_recv},
                                   {"send_bytes", mpl_connection_send_bytes},
                                   {"recv_bytes", mpl_connection_recv_bytes},
                                   {"poll", mpl_connection_poll},
                                   {"fileno", connection_fileno},
                                   {"close", connection_close},
                                   {NULL, NULL}};
static const luaL_Reg metamethods[] = {{"__gc", connection_close},
                                       {"__close", connection_close},
                                       {"__tostring", connection_tostring},
                                       {NULL, NULL}};

static const struct mpl_class connection_class = {"Connection", methods, metamethods};

/* Registers the classes and puts the constructor into the module table on top. */
void mpl_connection_open(lua_State *L) {
  mpl_pipe_register();
  mpl_handle_class(L, MPL_TYPE_PIPE, &pipe_class);
  mpl_class_register(L, &connection_class);
  mpl_class_name_methods(L, &connection_class);
  mpl_class_set_index(L, &connection_class, connection_index);
  lua_pushcfunction(L, pipe_new);
  lua_setfield(L, -2, "Pipe");
}
