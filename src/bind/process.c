/*
** What the Process class (lua/process/class.lua) is made of: starting a child, and the handle that
** its parent has of it.
*/
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bind/args.h"
#include "bind/chores.h"
#include "bind/class.h"
#include "bind/interrupt.h"
#include "bind/module.h"
#include "bind/process.h"
#include "ds/queue_taken.h"
#include "proc/child.h"
#include "proc/exit.h"
#include "proc/fork.h"
#include "proc/signal.h"
#include "shm/recover.h"
#include "shm/slot.h"

/* The userdata of a child: a pointer to its record in the child table. */
struct child_handle {
  struct mpl_child *child; /* NULL: none yet, or closed */
};

/* The child's record. Callers have made sure that it is a child of this very process. */
static struct mpl_child *self(lua_State *L) {
  struct child_handle *h = mpl_class_self(L, 1);
  luaL_argcheck(L, h->child != NULL && mpl_child_is_mine(h->child), 1,
                "not a child of this process");
  return h->child;
}

/*
** Starting
*/

/* Registry key: whether the last uncaught error was an interrupt. An address, unlike a name, is
   found without memory. */
static const char interrupted_key;

static int message_handler(lua_State *L) {
  /* The original value first: whoever looks for an interrupt needs it. */
  bool interrupt = mpl_interrupt_is(L, 1);
  if (interrupt) mpl_signal_expect_last();
  const char *text = lua_tostring(L, 1);
  if (text == NULL && luaL_callmeta(L, 1, "__tostring")) text = lua_tostring(L, -1);
  if (text == NULL) text = lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, 1));
  /* Below `start` are the frames of the parent, as they were at the fork. */
  mpl_args_traceback(L, text, "'process.core.start'");
  lua_pushboolean(L, interrupt);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &interrupted_key);
  return 1;
}

static bool was_interrupted(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &interrupted_key);
  bool is = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return is;
}

/* Prints an uncaught error of this child. An interrupt that concerns the whole program is reported
   by the main program, once; one sent to this process alone is reported here. */
static void report(lua_State *L) {
  if (was_interrupted(L) && !mpl_interrupt_is_own()) return;
  fflush(stdout);
  fprintf(stderr, "Process %s (pid %d): %s\n", mpl_self->name, (int)getpid(),
          lua_tostring(L, -1) != NULL ? lua_tostring(L, -1) : "(no message)");
  fflush(stderr);
}

/* Positions of the arguments of `start`. */
enum { HANDLE = 1, BODY, FINISH, NAME, DAEMON, FIRST_ARGUMENT };

/* The whole life of a child: the body with its arguments, which may give an exit code, then
   `finish`. An error is reported and gives 1. */
_Noreturn static void live(lua_State *L) {
  int code = 0, top = lua_gettop(L), handler = top + 1;
  bool interrupted = false;
  mpl_interrupt_hold(false); /* that was the parent's, which was in the middle of something */
  lua_pushcfunction(L, message_handler);
  lua_pushvalue(L, BODY);
  for (int i = FIRST_ARGUMENT; i <= top; i++) lua_pushvalue(L, i);
  if (lua_pcall(L, top - FIRST_ARGUMENT + 1, 1, handler) != LUA_OK) {
    interrupted = was_interrupted(L);
    report(L);
    code = 1;
  } else if (lua_isinteger(L, -1)) {
    code = (int)lua_tointeger(L, -1);
  }
  lua_pushvalue(L, FINISH);
  lua_pushboolean(L, interrupted);
  lua_pushboolean(L, code != 0);
  if (lua_pcall(L, 2, 0, handler) != LUA_OK) {
    report(L);
    code = 1;
    mpl_exit_interrupt_children();
  }
  mpl_exit_child(code);
}

/* child(): a handle for a child that `start` is to make. */
static int process_child(lua_State *L) {
  struct child_handle *h = lua_newuserdatauv(L, sizeof *h, 0);
  h->child = NULL;
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_setmetatable(L, -2);
  return 1;
}

/* start(handle, body, finish, name, daemon, ...): forks. In the child body(...) may give an exit
   code, finish(interrupted) ends what it has begun, and nothing returns. In the parent true, and
   the handle is the child's; nil, message. */
static int process_start(lua_State *L) {
  struct child_handle *h = mpl_class_self(L, HANDLE);
  luaL_checktype(L, BODY, LUA_TFUNCTION);
  luaL_checktype(L, FINISH, LUA_TFUNCTION);
  const char *name = luaL_checkstring(L, NAME);
  luaL_checkstack(L, lua_gettop(L) + 4, "no room to start a process");
  struct mpl_child *child;
  enum mpl_status s =
      mpl_fork(name, lua_toboolean(L, DAEMON) ? MPL_FORK_DAEMON : MPL_FORK_CHILD, &child);
  if (s != MPL_OK) {
    lua_pushnil(L);
    lua_pushstring(L, mpl_args_text(s));
    return 2;
  }
  if (child == NULL) live(L);
  h->child = child;
  lua_pushboolean(L, 1);
  return 1;
}

/* fork(): as fork(2): 0 in the child, the pid in the parent; nil, message, errno. */
static int process_fork(lua_State *L) {
  mpl_args_end(L, 0);
  pid_t pid = mpl_fork_raw();
  if (pid < 0) return luaL_fileresult(L, 0, "fork");
  lua_pushinteger(L, pid);
  return 1;
}

/*
** The child's handle
*/

static int child_pid(lua_State *L) {
  struct child_handle *h = mpl_class_self(L, 1);
  if (h->child == NULL) return 0;
  lua_pushinteger(L, h->child->pid);
  return 1;
}

/* child:exitcode(): nil while it runs; its status, or -signal. */
static int child_exitcode(lua_State *L) {
  struct mpl_child *c = self(L);
  if (!mpl_child_ended(c)) return 0;
  lua_pushinteger(L, c->exit_code);
  return 1;
}

/* child:join([timeout]): true, or nil, "timeout". */
static int child_join(lua_State *L) {
  int64_t deadline = mpl_args_timeout(L, 2);
  enum mpl_status s;
  for (;;) {
    int64_t until = mpl_chores_until(deadline);
    s = mpl_child_join(self(L), until, MPL_SIGNAL_INTERRUPT | MPL_SIGNAL_TASK);
    if (s == MPL_SIGNAL)
      mpl_interrupt_attend(L, NULL, NULL);
    else if (s == MPL_TIMEOUT && until < deadline)
      mpl_chores_then(L, 0); /* which may have closed the child */
    else
      break;
  }
  mpl_child_reap();
  if (s == MPL_DEADLOCK) return mpl_args_deadlock(L);
  if (s == MPL_OK) return lua_pushboolean(L, 1), mpl_chores_then(L, 1);
  lua_pushnil(L);
  lua_pushliteral(L, "timeout");
  return mpl_chores_then(L, 2);
}

/* child:signal(number): sends it, if the child has not ended. */
static int child_signal(lua_State *L) {
  struct mpl_child *c = self(L);
  int sig = (int)luaL_checkinteger(L, 2);
  if (mpl_child_ended(c)) return 0;
  struct mpl_slot *slot = mpl_slot_find(c->ident);
  if (sig == SIGINT && slot != NULL)
    mpl_store64_rlx(&slot->interrupt, MPL_SLOT_INTERRUPT_OWN);
  if (mpl_child_signal(c, sig) != 0) return luaL_error(L, "kill: %s", strerror(errno));
  return 0;
}

/* child:sentinel(): a descriptor that polls readable once the child has ended; nil, message,
   errno. */
static int child_sentinel(lua_State *L) {
  int fd = mpl_child_pidfd(self(L));
  if (fd < 0) return luaL_fileresult(L, 0, "sentinel");
  lua_pushinteger(L, fd);
  return 1;
}

static int child_close(lua_State *L) {
  struct child_handle *h = mpl_class_self(L, 1);
  if (h->child != NULL) mpl_child_unwanted(h->child);
  h->child = NULL;
  return 0;
}

static const luaL_Reg methods[] = {{"pid", child_pid},           {"exitcode", child_exitcode},
                                   {"join", child_join},         {"signal", child_signal},
                                   {"sentinel", child_sentinel}, {"close", child_close},
                                   {NULL, NULL}};
static const luaL_Reg metamethods[] = {{"__gc", child_close}, {NULL, NULL}};
static const struct mpl_class child_class = {"Child", methods, metamethods};

/* The record of the child whose handle stands at idx; NULL if that is none, or not of a child of
   this process. */
struct mpl_child *mpl_process_child(lua_State *L, int idx) {
  if (!mpl_class_is(L, idx, &child_class)) return NULL;
  struct child_handle *h = lua_touserdata(L, idx);
  return h->child != NULL && mpl_child_is_mine(h->child) ? h->child : NULL;
}

/*
** Processes that are not children
*/

/* reap(): looks which children have ended. */
static int process_reap(lua_State *L) {
  (void)L;
  mpl_signal_take(MPL_SIGNAL_CHILD);
  mpl_child_reap();
  return 0;
}

/* identity(): of this process and of its parent, 0 for none. Never used twice, unlike a pid. */
static int process_identity(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)mpl_slot_ident(mpl_self));
  lua_pushinteger(L, (lua_Integer)mpl_load64_rlx(&mpl_self->parent));
  return 2;
}

/* name(): of this process. */
static int process_name(lua_State *L) {
  lua_pushstring(L, mpl_self->name);
  return 1;
}

/* rename(name): of this process, as others see it. */
static int process_rename(lua_State *L) {
  mpl_slot_set_name(mpl_self, luaL_checkstring(L, 1));
  return 0;
}

/* member(identity): name and pid of a living process of the program; nothing if it has ended. */
static int process_member(lua_State *L) {
  uint64_t ident = (uint64_t)luaL_checkinteger(L, 1);
  struct mpl_slot *slot = mpl_slot_find(ident);
  if (slot == NULL) return 0;
  char name[MPL_SLOT_NAME];
  mpl_slot_get_name(slot, name);
  pid_t pid = (pid_t)mpl_load64_rlx(&slot->pid);
  if (!mpl_slot_ident_lives(ident)) return 0;
  lua_pushstring(L, name);
  lua_pushinteger(L, pid);
  return 2;
}

/* join(identity[, timeout]): waits for the end of any process of the program. true; nil,
   "timeout". */
static int process_join(lua_State *L) {
  uint64_t ident = (uint64_t)luaL_checkinteger(L, 1);
  int64_t deadline = mpl_args_timeout(L, 2);
  enum mpl_status s;
  while ((s = mpl_child_join_stranger(ident, deadline)) == MPL_SIGNAL)
    mpl_interrupt_attend(L, NULL, NULL);
  if (s == MPL_DEADLOCK) return mpl_args_deadlock(L);
  if (s == MPL_OK) return lua_pushboolean(L, 1), 1;
  lua_pushnil(L);
  lua_pushliteral(L, "timeout");
  return 2;
}

/*
** Ending
*/

/* join_children([failed]): lets go of items in progress, flushes what was written, ends the daemons
   and waits for the others; an interrupt raises. So does a deadlock, after the children were
   interrupted: nobody else can end it. */
static int process_join_children(lua_State *L) {
  mpl_queue_taken_leave(!lua_toboolean(L, 1));
  fflush(NULL);
  enum mpl_status s;
  while ((s = mpl_exit_join_children()) == MPL_SIGNAL) mpl_interrupt_attend(L, NULL, NULL);
  if (s != MPL_DEADLOCK) return 0;
  mpl_exit_interrupt_children();
  return mpl_args_deadlock_at_end(L);
}

/* interrupt_children(): SIGINT to all children; those that take too long are killed. */
static int process_interrupt_children(lua_State *L) {
  (void)L;
  fflush(NULL);
  mpl_exit_interrupt_children();
  return 0;
}

/* exit_child(code): the last thing that a child does. */
static int process_exit_child(lua_State *L) {
  mpl_exit_child((int)luaL_checkinteger(L, 1));
}

static const luaL_Reg functions[] = {{"fork", process_fork},
                                     {"reap", process_reap},
                                     {"identity", process_identity},
                                     {"name", process_name},
                                     {"rename", process_rename},
                                     {"member", process_member},
                                     {"join", process_join},
                                     {"join_children", process_join_children},
                                     {"interrupt_children", process_interrupt_children},
                                     {"exit_child", process_exit_child},
                                     {NULL, NULL}};

/* Registers the class of children and puts the functions into the module table on top. */
void mpl_process_open(lua_State *L) {
  mpl_class_register(L, &child_class);
  luaL_setfuncs(L, functions, 0);
  static const luaL_Reg starting[] = {
      {"child", process_child}, {"start", process_start}, {NULL, NULL}};
  mpl_class_push_metatable(L, &child_class);
  luaL_setfuncs(L, starting, 1);
}
