/*
** Connections: sending. A value is encoded before anything is shared; what is small waits for room
** in the socket as bytes, what is large, or has references, as a mail (ds/pipe.h).
*/
#include <errno.h>
#include <lauxlib.h>
#include <poll.h>
#include <string.h>

#include "bind/args.h"
#include "bind/blocking.h"
#include "bind/content.h"
#include "bind/connection.h"
#include "bind/queue.h"

/* Bytes wait for room while Lua runs; then none of them may be a string of Lua's. */
_Static_assert(MPL_PIPE_INLINE < MPL_CODEC_INPLACE, "a waiting message must be a copy");

struct send {
  struct mpl_blocking op;
  struct mpl_connection *connection;
  struct mpl_pipe_way *way;
  struct mpl_pipe_letter letter;
  struct mpl_codec_out out;
};

static void give_up(struct mpl_blocking *op) {
  struct send *s = (struct send *)op;
  mpl_codec_release(&s->out);
  if (s->letter.mail != 0 && mpl_pipe_collect(s->way, s->letter.mail) == MPL_OK)
    mpl_content_drop(s->letter.mail);
}

static int attempt(lua_State *L, struct mpl_blocking *op) {
  struct send *s = (struct send *)op;
  enum mpl_status status = mpl_pipe_send(s->way, s->connection->fd, &s->letter);
  if (status == MPL_BLOCK) {
    op->wait.fd = s->connection->fd;
    op->wait.events = POLLOUT;
    return MPL_BLOCKING_AGAIN;
  }
  mpl_wait_done(&op->wait);
  if (status == MPL_OK) {
    mpl_codec_release(&s->out);
    lua_pushboolean(L, 1);
    return 1;
  }
  int error = errno;
  give_up(op);
  if (status == MPL_CLOSED) return mpl_queue_refused(L, "closed");
  return luaL_error(L, "send: %s", strerror(error));
}

static void start(struct send *s, struct mpl_connection *c, enum mpl_pipe_kind kind) {
  s->op = (struct mpl_blocking){.attempt = attempt, .give_up = give_up, .deadline = MPL_NEVER};
  s->connection = c;
  s->way = &c->pipe->way[(c->flags & MPL_CONNECTION_SECOND) != 0 ? 0 : 1];
  s->letter = (struct mpl_pipe_letter){.kind = kind};
}

/* Makes a mail of pieces and references; raises for lack of memory. */
static void make_mail(lua_State *L, struct send *s, const struct mpl_piece *pieces, size_t npieces,
                      size_t size) {
  enum mpl_status status =
      mpl_content_message(pieces, npieces, size, s->out.refs, s->out.nrefs, &s->letter.mail);
  mpl_codec_release(&s->out);
  if (status == MPL_OK && (status = mpl_pipe_enter(s->way, s->letter.mail)) != MPL_OK)
    mpl_content_drop(s->letter.mail);
  if (status != MPL_OK) mpl_args_raise(L, status);
}

/* c:send(v): true; nil, "closed". Waits while the other end is far behind. */
int mpl_connection_send(lua_State *L) {
  struct mpl_connection *c = mpl_connection_self(L, MPL_CONNECTION_WRITABLE);
  luaL_checkany(L, 2);
  mpl_args_end(L, 2);
  struct send s;
  start(&s, c, MPL_PIPE_VALUE);
  mpl_codec_encode(L, 2, &s.out);
  if (s.out.size <= MPL_PIPE_INLINE && s.out.nrefs == 0)
    s.letter.piece = s.out.pieces[0];
  else
    make_mail(L, &s, s.out.pieces, s.out.npieces, s.out.size);
  return mpl_blocking_run(L, &s.op);
}

/* c:send_bytes(s[, i[, n]]): sends n bytes of the string from the i-th on, by default all from the
   first; as send. */
int mpl_connection_send_bytes(lua_State *L) {
  struct mpl_connection *c = mpl_connection_self(L, MPL_CONNECTION_WRITABLE);
  size_t size;
  const char *bytes = luaL_checklstring(L, 2, &size);
  mpl_args_end(L, 4);
  lua_Integer i = luaL_optinteger(L, 3, 1);
  luaL_argcheck(L, i >= 1 && (lua_Unsigned)i <= size + 1, 3, "the position is not in the string");
  size -= (size_t)i - 1;
  lua_Integer n = luaL_optinteger(L, 4, (lua_Integer)size);
  luaL_argcheck(L, n >= 0 && (lua_Unsigned)n <= size, 4, "the string has not so many bytes");
  struct send s;
  start(&s, c, MPL_PIPE_BYTES);
  s.letter.piece = (struct mpl_piece){bytes + i - 1, (size_t)n};
  mpl_codec_encode_nothing(&s.out);
  if ((size_t)n > MPL_PIPE_INLINE) make_mail(L, &s, &s.letter.piece, 1, (size_t)n);
  return mpl_blocking_run(L, &s.op);
}
