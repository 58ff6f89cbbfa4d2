/*
** The command line: see options.h. The letters and their meaning are those of `lua`.
*/
#include "host/options.h"

#include <stdio.h>
#include <string.h>

static const char usage[] =
  "usage: %s [options] [script [args]]\n"
  "Available options are:\n"
  "  -e stat   execute string 'stat'\n"
  "  -i        enter interactive mode after executing 'script'\n"
  "  -l mod    require library 'mod' into global 'mod'\n"
  "  -l g=mod  require library 'mod' into global 'g'\n"
  "  -v        show version information\n"
  "  -E        ignore environment variables\n"
  "  -W        turn warnings on\n"
  "  --        stop handling options\n"
  "  -         stop handling options and execute stdin\n"
  "  --help    show this text\n"
  "  --version show version information\n";

static void print_usage(FILE *to, const char *program) {
  fprintf(to, usage, program);
}

/* -e and -l take a value: the rest of the argument or, if that is empty, the next argument. */
static bool takes_value(const char *argument) {
  return argument[1] == 'e' || argument[1] == 'l';
}

/* Enters a flag. False if `argument` is no option that stands alone. */
static bool set_flag(struct mpl_options *options, const char *argument) {
  if (strcmp(argument, "--help") == 0) {
    options->help = true;
  } else if (strcmp(argument, "--version") == 0 || strcmp(argument, "-v") == 0) {
    options->version = true;
  } else if (strcmp(argument, "-i") == 0) {
    options->interactive = options->version = true;
  } else if (strcmp(argument, "-E") == 0) {
    options->no_env = true;
  } else if (strcmp(argument, "-W") != 0) {
    return false;
  }
  return true;
}

/* Index of the argument that ends the options at `i`, or -1 if argv[i] is an option. */
static int script_at(char **argv, int i) {
  if (argv[i] == NULL || argv[i][0] != '-' || argv[i][1] == '\0') return i;
  return strcmp(argv[i], "--") == 0 ? i + 1 : -1;
}

/*
** Reads the command line up to the script's name. What comes after it belongs to the script.
** Nothing is executed or printed here: a wrong option keeps those before it from having an effect.
*/
struct mpl_options mpl_options_read(char **argv) {
  struct mpl_options options = {0};
  int i = argv[0] != NULL ? 1 : 0;
  while ((options.script = script_at(argv, i)) < 0) {
    options.bad = i;
    if (takes_value(argv[i])) {
      const char *value = mpl_options_value(argv, &i);
      if (value == NULL) return options;
      if (argv[options.bad][1] == 'e') options.execute = true;
    } else if (!set_flag(&options, argv[i])) {
      return options;
    }
    i++;
  }
  options.bad = 0;
  return options;
}

/*
** Value of the -e or -l at argv[*i]; *i is moved to the argument that holds it. NULL if the value
** is missing, or looks like an option.
*/
const char *mpl_options_value(char **argv, int *i) {
  if (argv[*i][2] != '\0') return argv[*i] + 2;
  (*i)++;
  if (argv[*i] == NULL || argv[*i][0] == '-') return NULL;
  return argv[*i];
}

/* Says on stderr what is wrong with an argument, and what would be right. */
void mpl_options_complain(const char *program, const char *argument) {
  const char *format = takes_value(argument) ? "%s: '%s' needs argument\n"
                                             : "%s: unrecognized option '%s'\n";
  fprintf(stderr, format, program, argument);
  print_usage(stderr, program);
}

/* The answer to --help, on stdout. */
void mpl_options_help(const char *program) {
  print_usage(stdout, program);
}
