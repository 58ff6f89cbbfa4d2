/*
** The mpl program: a Lua host like `lua`, with the process module and the prompt built in.
**
** Everything that can raise runs inside one protected call (`protected_main`), so that an error
** anywhere ends as a message and exit status 1.
*/
#include <lauxlib.h>
#include <lualib.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bind/finish.h"
#include "bind/interrupt.h"
#include "bind/module.h"
#include "host/embed.h"
#include "host/options.h"
#include "host/prompt.h"
#include "host/run.h"
#include "host/sigint.h"
#include "host/state.h"
#include "host/version.h"

#define MIB (1024 * 1024)

/*
** A long string is one block of memory. By default the C library maps and unmaps fresh pages for
** each such block, and a message of 1 MiB then costs 256 page faults; freed blocks are kept
** instead. 32 MiB is the most that the C library accepts as threshold.
*/
static void keep_large_blocks(void) {
  mallopt(M_MMAP_THRESHOLD, 32 * MIB);
  mallopt(M_TRIM_THRESHOLD, 64 * MIB);
}

static void print_version(void) {
  puts(MPL_BANNER);
  fflush(stdout);
}

static void open_libraries(lua_State *L, const struct mpl_options *options) {
  if (options->no_env) {
    lua_pushboolean(L, 1); /* what the package library looks for */
    lua_setfield(L, LUA_REGISTRYINDEX, "LUA_NOENV");
  }
  luaL_openlibs(L);
  mpl_module_preload(L);
  mpl_embed_install(L);
  mpl_interrupt_open(L);
  mpl_sigint_arm();
}

/* Makes the global `arg`: the script's name at 0, its arguments from 1 on, what stood before it
   below. With no script it is the program that stands at 0. */
static void create_arg(lua_State *L, char **argv, int argc, int script) {
  if (script >= argc) script = 0;
  lua_createtable(L, argc - script, script + 1);
  for (int i = 0; i < argc; i++) {
    lua_pushstring(L, argv[i]);
    lua_rawseti(L, -2, i - script);
  }
  lua_setglobal(L, "arg");
}

/* Obeys -e, -l and -W in their order, up to the first that fails. */
static bool run_options(lua_State *L, char **argv, int script) {
  for (int i = 1; i < script; i++) {
    bool ok = true;
    switch (argv[i][1]) {
      case 'e': ok = mpl_run_string(L, mpl_options_value(argv, &i), "=(command line)"); break;
      case 'l': ok = mpl_run_library(L, mpl_options_value(argv, &i)); break;
      case 'W': lua_warning(L, "@on", 0); break;
      default: break;
    }
    if (!ok) return false;
  }
  return true;
}

/* "-" is stdin, unless it comes after "--", where it is a file of that name. */
static bool run_script(lua_State *L, char **argv, int script) {
  bool is_stdin = strcmp(argv[script], "-") == 0 && strcmp(argv[script - 1], "--") != 0;
  return mpl_run_script(L, is_stdin ? NULL : argv[script]);
}

/* With neither script nor -e nor -v: a terminal gets the prompt, anything else is a script. As with
   `lua`, the exit status does not tell whether such a script failed; that of `mpl -` does. */
static bool run_stdin(lua_State *L) {
  if (!isatty(STDIN_FILENO)) {
    mpl_run_file(L, NULL);
    return true;
  }
  print_version();
  return mpl_prompt_run(L);
}

static bool run(lua_State *L, char **argv, int argc, const struct mpl_options *options) {
  bool has_script = options->script < argc;
  if (options->version) print_version();
  open_libraries(L, options);
  create_arg(L, argv, argc, options->script);
  lua_gc(L, LUA_GCGEN, 0, 0);
  if (!options->no_env && !mpl_run_init(L)) return false;
  if (!run_options(L, argv, options->script)) return false;
  if (has_script && !run_script(L, argv, options->script)) return false;
  if (options->interactive) return mpl_prompt_run(L);
  if (!has_script && !options->execute && !options->version) return run_stdin(L);
  return true;
}

/* Waits for the children and runs exit handlers, whatever became of the script. */
static bool finish(lua_State *L, bool interrupted, bool failed) {
  lua_pushcfunction(L, mpl_finish_run);
  lua_pushboolean(L, interrupted);
  lua_pushboolean(L, failed);
  return mpl_run_call(L, 2);
}

/* Arguments: argc and argv. Returns whether all went well, and whether it was interrupted. */
static int protected_main(lua_State *L) {
  int argc = (int)lua_tointeger(L, 1);
  char **argv = lua_touserdata(L, 2);
  luaL_checkversion(L);
  if (argc > 0 && argv[0][0] != '\0') mpl_run_set_program(argv[0]);
  struct mpl_options options = mpl_options_read(argv);
  bool ok = options.bad == 0, interrupted = false;
  if (!ok) {
    mpl_options_complain(mpl_run_program(), argv[options.bad]);
  } else if (options.help) {
    mpl_options_help(mpl_run_program());
  } else {
    ok = run(L, argv, argc, &options);
    interrupted = !ok && mpl_run_interrupted(); /* the prompt goes on after an interrupt */
    if (interrupted) mpl_sigint_expect_last();
    ok = finish(L, interrupted, !ok) && ok;
    interrupted = interrupted || mpl_run_interrupted();
  }
  lua_pushboolean(L, ok);
  lua_pushboolean(L, interrupted);
  return 2;
}

int main(int argc, char **argv) {
  keep_large_blocks();
  lua_State *L = mpl_state_new();
  if (L == NULL) {
    fprintf(stderr, "%s: cannot create state: not enough memory\n", mpl_run_program());
    return EXIT_FAILURE;
  }
  lua_pushcfunction(L, protected_main);
  lua_pushinteger(L, argc);
  lua_pushlightuserdata(L, argv);
  int status = lua_pcall(L, 2, 2, 0);
  bool ok = status == LUA_OK && lua_toboolean(L, -2);
  if (status == LUA_OK && lua_toboolean(L, -1)) mpl_finish_interrupted();
  mpl_run_report(L, status);
  lua_close(L);
  return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
