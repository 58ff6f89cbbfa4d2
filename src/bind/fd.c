/*
** process.fd: file descriptors as values that can be sent; and both kinds of values with a
** descriptor as the codec sees them.
*/
#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bind/args.h"
#include "bind/connection.h"
#include "bind/descriptor.h"
#include "bind/module.h"
#include "ds/parcel.h"

struct fd {
  int number; /* -1: closed or detached */
  bool owned; /* closed with the value: it was received */
};

static const struct mpl_class fd_class;

static struct fd *push_fd(lua_State *L) {
  struct fd *fd = mpl_class_new(L, &fd_class, sizeof *fd, 1);
  fd->number = -1;
  return fd;
}

/* fd(n): a value for an open descriptor, or a file of the io library (written out first), that
   stays the caller's. */
static int fd_new(lua_State *L) {
  mpl_args_end(L, 1);
  luaL_Stream *stream = luaL_testudata(L, 1, LUA_FILEHANDLE);
  int number = -1;
  if (stream != NULL) {
    luaL_argcheck(L, stream->closef != NULL, 1, "the file is closed");
    if (fflush(stream->f) != 0) return luaL_error(L, "fd: %s", strerror(errno));
    number = fileno(stream->f);
  } else {
    lua_Integer n = luaL_checkinteger(L, 1);
    if (n >= 0 && n <= INT32_MAX) number = (int)n;
  }
  luaL_argcheck(L, number >= 0 && fcntl(number, F_GETFD) >= 0, 1, "not an open descriptor");
  push_fd(L)->number = number;
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, 1); /* a file is not collected before */
  return 1;
}

static struct fd *open_self(lua_State *L) {
  struct fd *fd = mpl_class_self(L, 1);
  luaL_argcheck(L, fd->number >= 0, 1, "the descriptor was closed or detached");
  return fd;
}

/* fd:fileno(): its number in this process. */
static int fd_fileno(lua_State *L) {
  lua_pushinteger(L, open_self(L)->number);
  return 1;
}

/* fd:detach(): its number, which the value lets go of: whoever calls this closes it. */
static int fd_detach(lua_State *L) {
  struct fd *fd = open_self(L);
  lua_pushinteger(L, fd->number);
  fd->number = -1;
  return 1;
}

/* fd:close(): closes the descriptor; a second one does nothing. */
static int fd_close(lua_State *L) {
  struct fd *fd = mpl_class_self(L, 1);
  if (fd->number >= 0) close(fd->number);
  fd->number = -1;
  return 0;
}

static int fd_gc(lua_State *L) {
  const struct fd *fd = mpl_class_self(L, 1);
  return fd->owned ? fd_close(L) : 0;
}

static int fd_tostring(lua_State *L) {
  const struct fd *fd = mpl_class_self(L, 1);
  if (fd->number < 0)
    lua_pushliteral(L, "<fd closed>");
  else
    lua_pushfstring(L, "<fd %d>", fd->number);
  return 1;
}

static const luaL_Reg methods[] = {
    {"fileno", fd_fileno}, {"detach", fd_detach}, {"close", fd_close}, {NULL, NULL}};
static const luaL_Reg metamethods[] = {
    {"__gc", fd_gc}, {"__close", fd_close}, {"__tostring", fd_tostring}, {NULL, NULL}};
static const struct mpl_class fd_class = {"fd", methods, metamethods};

/* Registers the class and puts its constructor into the module table on top. */
void mpl_fd_open(lua_State *L) {
  mpl_class_register(L, &fd_class);
  mpl_class_name_methods(L, &fd_class);
  lua_pushcfunction(L, fd_new);
  lua_setfield(L, -2, "fd");
}

/*
** For the codec
*/

static const struct fd *test_fd(lua_State *L, int idx) {
  return mpl_class_is(L, idx, &fd_class) ? lua_touserdata(L, idx) : NULL;
}

/* Whether the value at idx is a Connection or a process.fd value, and open. Does not raise. */
bool mpl_descriptor_get(lua_State *L, int idx, struct mpl_descriptor *out) {
  const struct mpl_connection *c = mpl_connection_test(L, idx);
  const struct fd *fd = c == NULL ? test_fd(L, idx) : NULL;
  *out = (struct mpl_descriptor){.fd = c != NULL ? c->fd : fd != NULL ? fd->number : -1};
  if (out->fd >= 0 && c != NULL) {
    out->flags = c->flags;
    out->pipe = mpl_object_id_of(c->pipe);
  }
  return out->fd >= 0;
}

/* Pushes such a value, with the descriptor that is in a parcel; raises if there is none. */
void mpl_descriptor_push(lua_State *L, const struct mpl_descriptor *descriptor, uint64_t parcel) {
  struct mpl_connection *c = NULL;
  struct fd *fd = NULL;
  int number;
  if (descriptor->pipe != 0)
    c = mpl_connection_new(L, descriptor->pipe, descriptor->flags);
  else
    fd = push_fd(L);
  enum mpl_status s = mpl_parcel_fetch(parcel, &number);
  if (s == MPL_GONE) luaL_error(L, "a descriptor in this message is no more");
  if (s != MPL_OK) luaL_error(L, "cannot receive a descriptor: %s", mpl_args_text(s));
  if (c != NULL)
    mpl_connection_open_fd(c, number);
  else
    *fd = (struct fd){.number = number, .owned = true};
}
