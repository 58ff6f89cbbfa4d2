/*
** Connections: receiving.
**
** A packet that was received is this process's alone. If what is in it cannot be delivered now (it
** is too long, or there is no memory) the packet is kept and is the next one to be received, by
** this process.
*/
#include <errno.h>
#include <lauxlib.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/packet.h"
#include "bind/args.h"
#include "bind/blocking.h"
#include "bind/content.h"
#include "bind/connection.h"
#include "bind/queue.h"
#include "shm/message.h"

struct receive {
  struct mpl_blocking op;
  struct mpl_connection *connection;
  struct mpl_pipe_way *way;
  bool bytes;      /* recv_bytes */
  lua_Unsigned max; /* longest message that it takes */
  bool too_long;   /* this one is longer */
  bool looked;     /* at the socket, or it was waited for */
  struct mpl_pipe_letter letter;
};

/* Keeps the packet. It is lost if there is no memory even for that. */
static void keep(struct receive *r, const unsigned char *packet, size_t size) {
  struct mpl_connection *c = r->connection;
  unsigned char *copy = malloc(size);
  if (r->letter.mail != 0 && (copy == NULL || mpl_pipe_enter(r->way, r->letter.mail) != MPL_OK)) {
    mpl_content_drop(r->letter.mail);
    free(copy);
    copy = NULL;
  }
  if (copy == NULL) return;
  memcpy(copy, packet, size);
  c->kept = copy;
  c->kept_size = size;
  c->kept_by = mpl_slot_ident(mpl_self);
}

/* Takes the packet that was kept. */
static void take_kept(struct mpl_connection *c, unsigned char *packet, size_t *size) {
  memcpy(packet, c->kept, c->kept_size);
  *size = c->kept_size;
  free(c->kept);
  c->kept = NULL;
}

/* Pushes f(value on top), which is popped. */
static void convert(lua_State *L, lua_CFunction f) {
  lua_pushcfunction(L, f);
  lua_insert(L, -2);
  lua_call(L, 1, 1);
}

/* Argument: a struct receive, as light userdata. Pushes what the letter says, whose mail is in
   hand: `send` is send_bytes of `dumps`, and recv is `loads` of recv_bytes. */
static int open_protected(lua_State *L) {
  struct receive *r = lua_touserdata(L, 1);
  const struct mpl_pipe_letter *letter = &r->letter;
  struct mpl_message *mail = letter->mail == 0 ? NULL : mpl_message_at(letter->mail);
  const void *data = mail == NULL ? letter->piece.data : mpl_message_data(letter->mail);
  size_t size = mail == NULL ? letter->piece.size : mail->size;
  if (letter->kind == MPL_PIPE_VALUE) {
    mpl_codec_decode(L, data, size, mail == NULL ? NULL : (const uint64_t *)mail->ref,
                     mail == NULL ? 0 : mpl_load64_rlx(&mail->nrefs));
    if (!r->bytes) return 1;
    convert(L, mpl_codec_dumps);
    size = (size_t)lua_rawlen(L, -1);
  }
  r->too_long = r->bytes && size > r->max;
  if (r->too_long)
    return luaL_error(L, "recv_bytes: the message has %I bytes, more than the %I allowed; it stays",
                      (LUAI_UACINT)size, (LUAI_UACINT)r->max);
  if (letter->kind == MPL_PIPE_BYTES) {
    lua_pushlstring(L, data, size);
    if (!r->bytes) convert(L, mpl_codec_loads);
  }
  return 1;
}

/* Pushes what is in the packet. */
static int open_packet(lua_State *L, struct receive *r, const unsigned char *packet, size_t size) {
  if (!mpl_pipe_read(packet, size, &r->letter) ||
      (r->letter.mail != 0 && mpl_pipe_collect(r->way, r->letter.mail) != MPL_OK))
    return luaL_error(L, "damaged message: somebody else has written to the pipe's descriptor");
  lua_pushcfunction(L, open_protected);
  lua_pushlightuserdata(L, r);
  int status = lua_pcall(L, 1, 1, 0);
  if (r->too_long || mpl_queue_fault_is_ours(L, status))
    keep(r, packet, size);
  else if (r->letter.mail != 0)
    mpl_content_drop(r->letter.mail);
  return status == LUA_OK ? 1 : lua_error(L);
}

/* There is nothing now: what to wait for. */
static int wait_for_more(struct receive *r) {
  r->op.wait.fd = r->connection->fd;
  r->op.wait.events = POLLIN;
  r->op.wait.peer = mpl_load64_rlx(&r->way->sender);
  return MPL_BLOCKING_AGAIN;
}

/* Whether it is likely that there is nothing yet: then the first look is saved. Whoever waits is
   woken at once if there is something all the same. */
static bool expects_nothing(const struct receive *r) {
  return !r->looked && r->connection->received == r->op.wait.seen;
}

/* Before a look at the socket: a message that comes after it is noticed by whoever spins. */
static void watch(struct receive *r) {
  r->op.wait.watch = &r->way->sent;
  r->op.wait.seen = mpl_load64_acq(&r->way->sent);
}

static int receive_attempt(lua_State *L, struct mpl_blocking *op) {
  struct receive *r = (struct receive *)op;
  unsigned char packet[MPL_PIPE_PACKET];
  size_t size;
  enum mpl_status s = MPL_OK;
  watch(r);
  if (mpl_connection_has_kept(r->connection))
    take_kept(r->connection, packet, &size);
  else if (expects_nothing(r))
    s = MPL_BLOCK;
  else if ((s = mpl_pipe_receive(r->connection->fd, packet, &size)) == MPL_BLOCK)
    r->connection->received = op->wait.seen;
  else
    r->connection->received++;
  r->looked = true;
  if (s == MPL_BLOCK) return wait_for_more(r);
  mpl_wait_done(&op->wait);
  if (s == MPL_OK) return open_packet(L, r, packet, size);
  if (s == MPL_CLOSED) return mpl_queue_refused(L, "eof");
  return luaL_error(L, "recv: %s", strerror(errno));
}

static int poll_attempt(lua_State *L, struct mpl_blocking *op) {
  struct receive *r = (struct receive *)op;
  watch(r);
  enum mpl_status s = MPL_OK;
  if (!mpl_connection_has_kept(r->connection)) s = mpl_packet_look(r->connection->fd);
  if (s == MPL_BLOCK) return wait_for_more(r);
  mpl_wait_done(&op->wait);
  if (s == MPL_ERRNO) return luaL_error(L, "poll: %s", strerror(errno));
  lua_pushboolean(L, 1);
  return 1;
}

static int timed_out(lua_State *L, struct mpl_blocking *op) {
  (void)op;
  lua_pushboolean(L, 0);
  return 1;
}

static struct receive start(lua_State *L) {
  struct mpl_connection *c = mpl_connection_self(L, MPL_CONNECTION_READABLE);
  return (struct receive){
      .op = {.attempt = receive_attempt,
             .timed_out = timed_out,
             .deadline = MPL_NEVER,
             .does_chores = true},
      .connection = c,
      .way = &c->pipe->way[(c->flags & MPL_CONNECTION_SECOND) != 0 ? 1 : 0]};
}

/* c:recv(): the value, exactly one result; nil, "eof" once nobody has the other end any more. */
int mpl_connection_recv(lua_State *L) {
  struct receive r = start(L);
  mpl_args_end(L, 1);
  return mpl_blocking_run(L, &r.op);
}

/* c:recv_bytes([max]): the bytes of a message; nil, "eof". An error if they are more than max; then
   the message stays. */
int mpl_connection_recv_bytes(lua_State *L) {
  struct receive r = start(L);
  mpl_args_end(L, 2);
  lua_Integer max = luaL_optinteger(L, 2, LUA_MAXINTEGER);
  luaL_argcheck(L, max >= 0, 2, "a length is not negative");
  r.bytes = true;
  r.max = (lua_Unsigned)max;
  return mpl_blocking_run(L, &r.op);
}

/* c:poll([timeout]): whether a receive would not wait: a message is there, or the end; takes
   nothing. Without an argument it does not wait, with nil it waits for ever. */
int mpl_connection_poll(lua_State *L) {
  struct receive r = start(L);
  mpl_args_end(L, 2);
  r.op.attempt = poll_attempt;
  r.op.deadline = lua_isnone(L, 2) ? 0 : mpl_args_timeout(L, 2);
  return mpl_blocking_run(L, &r.op);
}
