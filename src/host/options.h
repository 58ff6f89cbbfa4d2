/*
** The command line: which options there are, and where the script's name stands.
*/
#ifndef MPL_HOST_OPTIONS_H
#define MPL_HOST_OPTIONS_H

#include <stdbool.h>

struct mpl_options {
  bool interactive; /* -i */
  bool version;     /* -v, -i or --version */
  bool help;        /* --help */
  bool no_env;      /* -E */
  bool execute;     /* at least one -e */
  int script;       /* index of the script's name in argv; argc if there is none */
  int bad;          /* index of the first wrong argument, or 0 */
};

struct mpl_options mpl_options_read(char **argv);
const char *mpl_options_value(char **argv, int *i);
void mpl_options_complain(const char *program, const char *argument);
void mpl_options_help(const char *program);

#endif
