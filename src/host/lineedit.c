/*
** Line editing at the prompt: see lineedit.h.
**
** An editor is a Lua object with the methods `read`, `remember` and `set_completer`. libedit calls
** back into this file while it reads; no Lua error crosses it, as it calls Lua code protected.
*/
#include "host/lineedit.h"

#include <dlfcn.h>
#include <errno.h>
#include <lauxlib.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include "host/sigint.h"

#define EDITOR "repl.editor"
#define HISTORY_SIZE 1000

/* The part of <histedit.h> that is used here; libedit keeps it stable as libedit.so.2. */
typedef struct editline EditLine;
typedef struct history History;

struct line_info {
  const char *buffer;
  const char *cursor;
  const char *end;
};

struct history_event {
  int number;
  const char *text;
};

enum { CC_REFRESH = 4, CC_ERROR = 6, CC_REDISPLAY = 8 };
enum {
  EL_PROMPT = 0,
  EL_EDITOR = 2,
  EL_BIND = 4,
  EL_ADDFN = 9,
  EL_HIST = 10,
  EL_GETCFN = 13,
  EL_CLIENTDATA = 14,
  EL_PREP_TERM = 16,
  EL_REFRESH = 20
};
enum { H_SETSIZE = 1, H_ENTER = 10, H_SETUNIQUE = 20 };

static struct {
  EditLine *(*el_init)(const char *, FILE *, FILE *, FILE *);
  void (*el_end)(EditLine *);
  int (*el_set)(EditLine *, int, ...);
  int (*el_get)(EditLine *, int, ...);
  const char *(*el_gets)(EditLine *, int *);
  const struct line_info *(*el_line)(EditLine *);
  int (*el_insertstr)(EditLine *, const char *);
  void (*el_resize)(EditLine *);
  int (*el_source)(EditLine *, const char *);
  History *(*history_init)(void);
  void (*history_end)(History *);
  int (*history)(History *, struct history_event *, int, ...);
} lib;

struct editor {
  EditLine *el;
  History *history;
  locale_t locale;    /* the user's, for the encoding of what is typed; 0 if there is none */
  lua_State *L;       /* the reader, while one reads */
  const char *prompt; /* on the reader's stack */
  sigset_t awake;     /* signals blocked while waiting for a key: those of the reader */
};

static volatile sig_atomic_t resized;
static volatile sig_atomic_t continued;

/* POSIX lets an object pointer from dlsym hold a function; ISO C does not let it be cast to one. */
static bool resolve(void *library, const char *name, void *function) {
  void *address = dlsym(library, name);
  memcpy(function, &address, sizeof address);
  return address != NULL;
}

/* Loads libedit, once. False if it is not there or lacks a function. */
static bool load_library(void) {
  static bool loaded;
  if (loaded) return true;
  void *so = dlopen("libedit.so.2", RTLD_NOW | RTLD_LOCAL);
  if (so == NULL) return false;
  loaded = resolve(so, "el_init", &lib.el_init) && resolve(so, "el_end", &lib.el_end) &&
           resolve(so, "el_set", &lib.el_set) && resolve(so, "el_get", &lib.el_get) &&
           resolve(so, "el_gets", &lib.el_gets) && resolve(so, "el_line", &lib.el_line) &&
           resolve(so, "el_insertstr", &lib.el_insertstr) &&
           resolve(so, "el_resize", &lib.el_resize) && resolve(so, "el_source", &lib.el_source) &&
           resolve(so, "history_init", &lib.history_init) &&
           resolve(so, "history_end", &lib.history_end) && resolve(so, "history", &lib.history);
  return loaded;
}

static struct editor *editor_of(EditLine *el) {
  void *editor = NULL;
  lib.el_get(el, EL_CLIENTDATA, &editor);
  return editor;
}

static char *prompt_of(EditLine *el) {
  return (char *)(uintptr_t)editor_of(el)->prompt;
}

/* Obeys the signals that came while waiting for a key. False if Ctrl-C was among them. */
static bool obey_signals(EditLine *el) {
  if (mpl_sigint_noted()) return false;
  if (resized) {
    resized = 0;
    lib.el_resize(el);
  }
  if (continued) { /* the shell may have changed the terminal while the process was stopped */
    continued = 0;
    lib.el_set(el, EL_PREP_TERM, 1);
    lib.el_set(el, EL_REFRESH);
  }
  return true;
}

/*
** Waits for a byte from the keyboard. Returns 1 with the byte, 0 at the end, -1 on an error or
** Ctrl-C. Only ppoll lets signals in: none slips in between the look at its flag and the wait.
*/
static int read_byte(EditLine *el, char *byte) {
  struct pollfd key = {.fd = STDIN_FILENO, .events = POLLIN};
  while (ppoll(&key, 1, NULL, &editor_of(el)->awake) < 0) {
    if (errno != EINTR || !obey_signals(el)) return -1;
  }
  return (int)read(STDIN_FILENO, byte, 1);
}

/* Reads a character in the user's encoding; bytes that belong to no character are passed over. */
static int read_character(EditLine *el, wchar_t *character) {
  mbstate_t state = {0};
  for (;;) {
    char byte;
    int status = read_byte(el, &byte);
    if (status != 1) return status;
    size_t used = mbrtowc(character, &byte, 1, &state);
    if (used == (size_t)-1) memset(&state, 0, sizeof state);
    if (used == 0 || used == 1) return 1;
  }
}

/* Calls the completer with the text before the cursor. Leaves what to insert and what to show, or
   an error message; true for the former. */
static bool call_completer(lua_State *L, const struct line_info *line) {
  lua_getiuservalue(L, 1, 1);
  lua_pushlstring(L, line->buffer, (size_t)(line->cursor - line->buffer));
  return lua_pcall(L, 1, 2, 0) == LUA_OK;
}

/* The Tab key. The editor object is at index 1 of the reader's stack. */
static unsigned char complete(EditLine *el, int key) {
  (void)key;
  lua_State *L = editor_of(el)->L;
  int top = lua_gettop(L);
  unsigned char result = CC_ERROR;
  if (lua_checkstack(L, 4) && call_completer(L, lib.el_line(el))) {
    const char *insertion = lua_tostring(L, -2);
    const char *choices = lua_tostring(L, -1);
    if (insertion != NULL && lib.el_insertstr(el, insertion) == 0) result = CC_REFRESH;
    if (choices != NULL) {
      printf("\n%s\n", choices);
      fflush(stdout);
      result = CC_REDISPLAY;
    }
  }
  lua_settop(L, top);
  return result;
}

static void bind_keys(EditLine *el) {
  static const char *const keys[][2] = {
    {"^I", "mpl-complete"},
    {"^R", "em-inc-search-prev"},
    {"\\e[3~", "ed-delete-next-char"}, /* Delete */
    {"\\e[H", "ed-move-to-beg"},       /* Home and End, in two dialects */
    {"\\e[F", "ed-move-to-end"},
    {"\\e[1~", "ed-move-to-beg"},
    {"\\e[4~", "ed-move-to-end"},
    {"\\e[1;5C", "em-next-word"}, /* Control and an arrow */
    {"\\e[1;5D", "ed-prev-word"},
  };
  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
    lib.el_set(el, EL_BIND, keys[i][0], keys[i][1], (char *)NULL);
  }
}

/* Opens libedit on the terminal, in the user's locale. False if there is no memory for it. */
static bool open_editor(struct editor *editor) {
  struct history_event event;
  editor->history = lib.history_init();
  if (editor->history == NULL) return false;
  lib.history(editor->history, &event, H_SETSIZE, HISTORY_SIZE);
  lib.history(editor->history, &event, H_SETUNIQUE, 1);
  editor->el = lib.el_init("mpl", stdin, stdout, stderr);
  if (editor->el == NULL) return false;
  lib.el_set(editor->el, EL_CLIENTDATA, editor);
  lib.el_set(editor->el, EL_PROMPT, prompt_of);
  lib.el_set(editor->el, EL_GETCFN, read_character);
  lib.el_set(editor->el, EL_HIST, lib.history, editor->history);
  lib.el_set(editor->el, EL_EDITOR, "emacs");
  lib.el_set(editor->el, EL_ADDFN, "mpl-complete", "Complete a Lua name", complete);
  bind_keys(editor->el);
  lib.el_source(editor->el, NULL); /* ~/.editrc has the last word */
  return true;
}

/* Switches to the locale of the user's terminal, or back. Only while reading: scripts see "C". */
static locale_t enter_locale(locale_t locale) {
  return locale != (locale_t)0 ? uselocale(locale) : (locale_t)0;
}

static void note_signal(int signal) {
  if (signal == SIGWINCH) resized = 1;
  if (signal == SIGCONT) continued = 1;
}

/* The state of signals before a line is read. */
struct signals {
  struct sigaction resize;
  struct sigaction resume;
  sigset_t mask;
};

static void hold_signals(struct signals *before) {
  struct sigaction action = {.sa_handler = note_signal};
  sigset_t held;
  sigemptyset(&action.sa_mask);
  sigemptyset(&held);
  sigaddset(&held, SIGINT);
  sigaddset(&held, SIGWINCH);
  sigaddset(&held, SIGCONT);
  pthread_sigmask(SIG_BLOCK, &held, &before->mask);
  mpl_sigint_note();
  sigaction(SIGWINCH, &action, &before->resize);
  sigaction(SIGCONT, &action, &before->resume);
}

static void release_signals(const struct signals *before) {
  sigaction(SIGWINCH, &before->resize, NULL);
  sigaction(SIGCONT, &before->resume, NULL);
  mpl_sigint_arm();
  pthread_sigmask(SIG_SETMASK, &before->mask, NULL);
}

/*
** editor:read(prompt): lets the user edit a line. Returns it without its newline, or nil and "eof"
** or "interrupted".
*/
static int editor_read(lua_State *L) {
  struct editor *editor = luaL_checkudata(L, 1, EDITOR);
  editor->prompt = luaL_checkstring(L, 2);
  editor->L = L;
  luaL_argcheck(L, editor->el != NULL, 1, "closed editor");
  struct signals before;
  int length = 0;
  hold_signals(&before);
  editor->awake = before.mask;
  locale_t outer = enter_locale(editor->locale);
  const char *line = lib.el_gets(editor->el, &length);
  enter_locale(outer);
  bool interrupted = mpl_sigint_noted();
  release_signals(&before);
  if (line == NULL || length <= 0 || interrupted) {
    lua_pushnil(L);
    lua_pushstring(L, interrupted ? "interrupted" : "eof");
    return 2;
  }
  lua_pushlstring(L, line, (size_t)(line[length - 1] == '\n' ? length - 1 : length));
  return 1;
}

/* editor:remember(line): makes a line the newest of those that the arrow keys bring back. */
static int editor_remember(lua_State *L) {
  struct editor *editor = luaL_checkudata(L, 1, EDITOR);
  const char *line = luaL_checkstring(L, 2);
  struct history_event event;
  if (editor->history != NULL) lib.history(editor->history, &event, H_ENTER, line);
  return 0;
}

/*
** editor:set_completer(f): at the Tab key f gets the text before the cursor and returns what to
** insert, or nil, and what to show below the line, or nil.
*/
static int editor_set_completer(lua_State *L) {
  luaL_checkudata(L, 1, EDITOR);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_settop(L, 2);
  lua_setiuservalue(L, 1, 1);
  return 0;
}

static int editor_close(lua_State *L) {
  struct editor *editor = luaL_checkudata(L, 1, EDITOR);
  if (editor->el != NULL) lib.el_end(editor->el);
  if (editor->history != NULL) lib.history_end(editor->history);
  if (editor->locale != (locale_t)0) freelocale(editor->locale);
  *editor = (struct editor){0};
  return 0;
}

static void push_metatable(lua_State *L) {
  static const luaL_Reg methods[] = {
    {"read", editor_read},
    {"remember", editor_remember},
    {"set_completer", editor_set_completer},
    {NULL, NULL},
  };
  if (!luaL_newmetatable(L, EDITOR)) return;
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, editor_close);
  lua_setfield(L, -2, "__gc");
}

/* editor(): an editor on the terminal, or nil if there is no libedit. */
int mpl_lineedit_new(lua_State *L) {
  if (!load_library()) return 0;
  struct editor *editor = lua_newuserdatauv(L, sizeof *editor, 1);
  *editor = (struct editor){0}; /* closed, until it is open */
  push_metatable(L);
  lua_setmetatable(L, -2);
  editor->locale = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
  locale_t outer = enter_locale(editor->locale);
  bool opened = open_editor(editor);
  enter_locale(outer);
  return opened ? 1 : 0;
}
