/*
** What process.wait (lua/process/wait.lua) is made of: one look at many things, and one sleep for
** all.
*/
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "bind/args.h"
#include "bind/chores.h"
#include "bind/class.h"
#include "bind/connection.h"
#include "bind/handle.h"
#include "bind/interrupt.h"
#include "bind/module.h"
#include "bind/process.h"
#include "ds/event.h"
#include "ds/queue_taken.h"
#include "ds/tasks.h"
#include "proc/child.h"
#include "proc/signal.h"
#include "shm/many.h"
#include "shm/recover.h"
#include "shm/super.h"

/* A script that hears SIGCHLD itself has us look this often. */
#define DEAF_NS (MPL_NS_PER_S / 100)

enum kind { EVENT, QUEUE, CHILD, MEMBER, DESCRIPTOR, CONNECTION, TASKS };

/* One of the things. The Lua value stays in the list, so that it lives as long as the wait. */
struct thing {
  enum kind kind;
  bool ready;
  union {
    struct mpl_event *event;
    struct mpl_queue *queue;
    struct mpl_tasks *tasks;
    struct mpl_child *child;
    uint64_t ident;
    int fd; /* index into the descriptors */
  };
  const struct mpl_connection *connection; /* whose descriptor it is */
};

struct wait {
  struct mpl_many many;
  bool over; /* one of the things belongs to a lifetime that is over */
  int n;
  struct thing thing[];
};

/* Whether one has waited long enough for a shared object, since it must not be used any more. */
static bool is_over(struct wait *w, const void *body) {
  if (mpl_life_is_over(body)) w->over = true;
  return w->over;
}

/* Looks at one thing; descriptors as ppoll has left them. */
static bool is_ready(struct wait *w, const struct thing *t) {
  switch (t->kind) {
    case EVENT: return is_over(w, t->event) || mpl_event_is_set(t->event);
    case TASKS: return mpl_tasks_is_ready(t->tasks);
    case QUEUE:
      if (is_over(w, t->queue)) return true;
      if (t->queue->kind != 0 && mpl_queue_taken_refresh(t->queue))
        return mpl_queue_size(t->queue) > 0;
      return mpl_queue_is_ready(t->queue);
    case CHILD: return mpl_child_ended(t->child);
    case MEMBER: return !mpl_slot_ident_lives(t->ident);
    case CONNECTION:
      if (mpl_connection_has_kept(t->connection)) return true;
      /* fall through */
    default: return w->many.fd[t->fd].revents != 0;
  }
}

/* How many are ready. */
static int look(struct wait *w) {
  int n = 0;
  if (w->many.nfd > 0) mpl_os_poll(w->many.fd, w->many.nfd, 0, NULL);
  for (int i = 0; i < w->n; i++) n += w->thing[i].ready = is_ready(w, &w->thing[i]);
  return n;
}

/* The queue with this id, of whatever kind; NULL if it is none. */
static struct mpl_queue *queue_of(uint64_t id) {
  enum mpl_object_type type = mpl_object_type_of(id);
  switch (type) {
    case MPL_TYPE_QUEUE:
    case MPL_TYPE_JOINABLE_QUEUE:
    case MPL_TYPE_SIMPLE_QUEUE: return mpl_object_body(id, type);
    default: return NULL;
  }
}

static void add(struct wait *w, struct mpl_ec *ec) {
  w->many.ec[w->many.nec++] = ec;
}

static void add_descriptor(struct wait *w, struct thing *t, int fd) {
  t->fd = w->many.nfd++;
  w->many.fd[t->fd] = (struct pollfd){.fd = fd, .events = POLLIN};
}

/* The same for a shared object, the end of whose lifetime counts, too. */
static void add_object(struct wait *w, struct mpl_ec *ec, const void *body) {
  struct mpl_life *life = mpl_life_of(body);
  add(w, ec);
  if (life != NULL) add(w, &life->ended);
}

/* Whether the userdata at idx is the handle of an object that this process has closed. */
static bool is_closed_handle(lua_State *L, int idx) {
  const struct mpl_handle *h = lua_touserdata(L, idx);
  return lua_type(L, idx) == LUA_TUSERDATA && lua_rawlen(L, idx) == sizeof *h &&
         mpl_class_is(L, idx, h->class) && h->closed;
}

/* Why the value on top of the stack cannot be waited for. */
static const char *fault_of(lua_State *L) {
  if (lua_type(L, -1) == LUA_TNUMBER) return "is no open descriptor";
  if (is_closed_handle(L, -1) || mpl_connection_test(L, -1) != NULL) return "is closed";
  return "cannot be waited for";
}

/* Enters the value on top of the stack, an element of the list, and pops it. False if it cannot be
   waited for. */
static bool enter(lua_State *L, struct wait *w) {
  struct thing *t = &w->thing[w->n];
  uint64_t id = mpl_handle_id(L, -1);
  if (lua_type(L, -1) == LUA_TNUMBER) {
    lua_Integer fd = lua_tointeger(L, -1);
    if (fd < 0 || fd > INT_MAX || fcntl((int)fd, F_GETFD) < 0) return false;
    t->kind = DESCRIPTOR;
    add_descriptor(w, t, (int)fd);
  } else if (lua_type(L, -1) == LUA_TSTRING) { /* an identity, made distinct from a descriptor */
    t->kind = MEMBER;
    t->ident = w->many.mortal = strtoull(lua_tostring(L, -1), NULL, 10);
    add(w, &mpl_super()->died);
  } else if ((t->event = mpl_object_body(id, MPL_TYPE_EVENT)) != NULL) {
    t->kind = EVENT;
    add_object(w, &t->event->changed, t->event);
  } else if ((t->queue = queue_of(id)) != NULL) {
    t->kind = QUEUE;
    add_object(w, &t->queue->not_empty, t->queue);
    if (t->queue->kind != 0) add(w, &mpl_super()->died); /* a dead taker's items come back */
  } else if ((t->tasks = mpl_object_body(id, MPL_TYPE_TASKS)) != NULL) {
    t->kind = TASKS;
    add(w, &t->tasks->ready);
  } else if ((t->child = mpl_process_child(L, -1)) != NULL) {
    t->kind = CHILD;
  } else if (mpl_connection_fd(L, -1) >= 0) {
    t->kind = CONNECTION;
    t->connection = mpl_connection_test(L, -1);
    add_descriptor(w, t, mpl_connection_fd(L, -1));
  } else {
    return false;
  }
  lua_pop(L, 1);
  w->n++;
  return true;
}

/* Makes the wait for the elements of the list at 1, up to the first that cannot be waited for, as
   userdata on the stack; that element is above it. */
static struct wait *enter_all(lua_State *L) {
  lua_Integer n = luaL_len(L, 1);
  size_t things = (size_t)n * sizeof(struct thing), fds = (size_t)n * sizeof(struct pollfd);
  size_t ecs = (size_t)n * 3 * sizeof(struct mpl_ec *); /* three at most for each */
  char *memory = lua_newuserdatauv(L, sizeof(struct wait) + things + ecs + fds, 0);
  struct wait *w = (struct wait *)(void *)memory;
  memory += sizeof(struct wait) + things;
  memset(w, 0, sizeof *w);
  w->many.ec = (struct mpl_ec **)(void *)memory;
  w->many.fd = (struct pollfd *)(void *)(memory + ecs);
  for (lua_Integer i = 1; i <= n; i++) {
    lua_rawgeti(L, 1, i);
    if (!enter(L, w)) break;
  }
  return w;
}

/* Pushes the list of the indices of those that are ready. */
static int push_ready(lua_State *L, const struct wait *w) {
  lua_Integer n = 0;
  lua_newtable(L);
  for (int i = 0; i < w->n; i++) {
    if (!w->thing[i].ready) continue;
    lua_pushinteger(L, i + 1);
    lua_rawseti(L, -2, ++n);
  }
  return 1;
}

/* wait(list[, timeout]): the indices of the elements that are ready, none at the timeout; nil, the
   index of one that cannot be waited for, and why; nil and text if one must not be used any more.
   Elements: events, queues, connections, children (handles of core.child), descriptors (integers),
   identities of other processes (as strings). */
static int wait(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  int64_t deadline = mpl_chores_until(mpl_args_timeout(L, 2));
  struct wait *w = enter_all(L);
  if (w->n < luaL_len(L, 1)) {
    const char *fault = fault_of(L);
    lua_pushnil(L);
    lua_pushinteger(L, w->n + 1);
    lua_pushstring(L, fault);
    return 3;
  }
  enum mpl_status s = MPL_OK;
  while (look(w) == 0) {
    if (deadline <= 0) break;
    mpl_many_arm(&w->many);
    if (look(w) > 0) {
      mpl_many_disarm(&w->many);
      break;
    }
    int64_t now = mpl_os_now(), end = deadline;
    if (!mpl_signal_hears_children() && end - now > DEAF_NS) end = now + DEAF_NS;
    s = mpl_many_sleep(&w->many, end);
    if (s == MPL_SIGNAL) mpl_interrupt_attend(L, NULL, NULL);
    if (s == MPL_ERRNO) return mpl_args_raise(L, s);
    if (s == MPL_TIMEOUT && mpl_os_now() >= deadline) break;
  }
  mpl_child_reap();
  if (w->over) return lua_pushnil(L), lua_pushstring(L, mpl_args_text(MPL_ENDED)), 2;
  return mpl_chores_then(L, push_ready(L, w));
}

static const luaL_Reg functions[] = {{"wait", wait}, {NULL, NULL}};

/* Puts the function into the module table on top. */
void mpl_wait_open(lua_State *L) {
  luaL_setfuncs(L, functions, 0);
}
