/*
** Making the host's Lua state: as luaL_newstate does, but with an allocator of its own, which
** cannot be put into a state that has blocks already.
*/
#include "host/state.h"

#include <lauxlib.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "host/alloc.h"

static struct {
  bool on;
  bool continued; /* the next piece belongs to a message that was begun */
} warnings;

/* "@on" and "@off" switch warnings; other messages beginning with '@' are for others. */
static bool is_control(const char *message, bool to_be_continued) {
  if (warnings.continued || to_be_continued || message[0] != '@') return false;
  if (strcmp(message + 1, "on") == 0) warnings.on = true;
  if (strcmp(message + 1, "off") == 0) warnings.on = false;
  return true;
}

/* A lua_WarnFunction. */
static void warn(void *unused, const char *message, int to_be_continued) {
  (void)unused;
  if (is_control(message, to_be_continued != 0)) return;
  if (warnings.on) {
    if (!warnings.continued) fputs("Lua warning: ", stderr);
    fputs(message, stderr);
    if (!to_be_continued) fputc('\n', stderr);
    fflush(stderr);
  }
  warnings.continued = to_be_continued != 0;
}

/* An error outside of any protected call; the process aborts when this returns. */
static int panic(lua_State *L) {
  const char *message = lua_tostring(L, -1);
  fprintf(stderr, "PANIC: unprotected error in call to Lua API (%s)\n",
          message != NULL ? message : "error object is not a string");
  fflush(stderr);
  return 0;
}

/* A new state, without libraries and with warnings off; NULL if there is no memory. */
lua_State *mpl_state_new(void) {
  lua_State *L = lua_newstate(mpl_alloc, NULL);
  if (L == NULL) return NULL;
  lua_atpanic(L, panic);
  lua_setwarnf(L, warn, NULL);
  return L;
}
