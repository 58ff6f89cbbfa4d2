/*
** The interactive prompt: see prompt.h. Gives lua/repl the C module `repl.terminal`, which reads
** lines and opens files that only the user may see.
*/
#include "host/prompt.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/lineedit.h"
#include "host/run.h"
#include "host/sigint.h"

/* is_terminal(): true if a person sits at both stdin and stdout. */
static int is_terminal(lua_State *L) {
  lua_pushboolean(L, isatty(STDIN_FILENO) && isatty(STDOUT_FILENO));
  return 1;
}

/*
** read_line(prompt): writes the prompt and reads a line through the C library's stdin, so that code
** run at the prompt reads on where the line ended. Returns the line without its newline, or nil and
** "eof" or "interrupted". A Ctrl-C just before the read starts is noticed by the next one only.
*/
static int read_line(lua_State *L) {
  fputs(luaL_checkstring(L, 1), stdout);
  fflush(stdout);
  luaL_Buffer line;
  luaL_buffinit(L, &line);
  bool complete = false;
  bool any = false;
  mpl_sigint_note();
  while (!complete) {
    char *part = luaL_prepbuffer(&line);
    if (fgets(part, (int)LUAL_BUFFERSIZE, stdin) == NULL) break;
    size_t length = strlen(part);
    any = true;
    complete = length > 0 && part[length - 1] == '\n';
    luaL_addsize(&line, complete ? length - 1 : length);
  }
  bool interrupted = mpl_sigint_noted();
  mpl_sigint_arm();
  clearerr(stdin);
  luaL_pushresult(&line);
  if (any && !interrupted) return 1;
  lua_pushnil(L);
  lua_pushstring(L, interrupted ? "interrupted" : "eof");
  return 2;
}

/* Makes the directories above the file `path`, as far as they are missing, for the user alone. What
   fails here shows when the file is opened. */
static void make_parents(const char *path) {
  char part[PATH_MAX];
  size_t length = strlen(path);
  if (length >= sizeof part) return;
  memcpy(part, path, length + 1);
  for (char *slash = strchr(part + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    mkdir(part, S_IRWXU);
    *slash = '/';
  }
}

static int close_stream(lua_State *L) {
  luaL_Stream *stream = luaL_checkudata(L, 1, LUA_FILEHANDLE);
  return luaL_fileresult(L, fclose(stream->f) == 0, NULL);
}

/*
** open_private(path): opens a file for reading and appending that no other user may read; it and
** the directories above it are made if they are missing. Returns a file, or nil, message, errno.
*/
static int open_private(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  luaL_Stream *stream = lua_newuserdatauv(L, sizeof *stream, 0);
  stream->closef = NULL; /* closed, until there is a FILE to close */
  luaL_setmetatable(L, LUA_FILEHANDLE);
  make_parents(path);
  int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (fd < 0) return luaL_fileresult(L, 0, path);
  stream->f = fdopen(fd, "a+");
  if (stream->f == NULL) {
    int error = errno;
    close(fd);
    errno = error;
    return luaL_fileresult(L, 0, path);
  }
  stream->closef = close_stream;
  return 1;
}

static int open_terminal(lua_State *L) {
  static const luaL_Reg functions[] = {
    {"editor", mpl_lineedit_new},
    {"is_terminal", is_terminal},
    {"open_private", open_private},
    {"read_line", read_line},
    {NULL, NULL},
  };
  luaL_newlib(L, functions);
  return 1;
}

/* Talks with the user until the end of input. False if the prompt itself failed. */
bool mpl_prompt_run(lua_State *L) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, open_terminal);
  lua_setfield(L, -2, "repl.terminal");
  lua_pop(L, 1);
  return mpl_run_string(L, "require('repl.console').run()", "=(prompt)");
}
