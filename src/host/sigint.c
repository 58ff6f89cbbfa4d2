/*
** What Ctrl-C does while the host is in charge: see sigint.h.
*/
#include "host/sigint.h"

#include <lauxlib.h>
#include <signal.h>
#include <stddef.h>

static lua_State *running; /* whose code a signal stops; set before the handler that reads it */
static volatile sig_atomic_t noted;

static void set_action(void (*handler)(int), int flags) {
  struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, NULL);
}

static void raise_interrupted(lua_State *L, lua_Debug *where) {
  (void)where;
  lua_sethook(L, NULL, 0, 0);
  luaL_error(L, "interrupted!");
}

/* lua_sethook is the one function of Lua's that a signal handler may call. */
static void stop_running(int signal) {
  (void)signal;
  set_action(SIG_DFL, 0);
  lua_sethook(running, raise_interrupted,
              LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}

static void note(int signal) {
  (void)signal;
  noted = 1;
}

/* From now on Ctrl-C raises an error in the code that L runs. */
void mpl_sigint_arm(lua_State *L) {
  running = L;
  set_action(stop_running, SA_RESTART);
}

/* From now on Ctrl-C ends the process. */
void mpl_sigint_disarm(void) {
  set_action(SIG_DFL, 0);
}

/* From now on Ctrl-C makes a system call that waits return with EINTR, and mpl_sigint_noted true. */
void mpl_sigint_note(void) {
  noted = 0;
  set_action(note, 0);
}

/* True if Ctrl-C came since mpl_sigint_note. */
bool mpl_sigint_noted(void) {
  return noted != 0;
}
