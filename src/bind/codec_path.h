/*
** Why an encoding failed: "cannot send a thread: at value.jobs[3].co". The path is built in a fixed
** buffer without Lua's memory, so that everything can be released before anything is raised.
*/
#ifndef MPL_BIND_CODEC_PATH_H
#define MPL_BIND_CODEC_PATH_H

#include <lua.h>
#include <stddef.h>

/* Steps that a path shows; of a longer one it shows the beginning and the end. */
enum { MPL_CODEC_PATH_HEAD = 8, MPL_CODEC_PATH_TAIL = 8 };

enum mpl_codec_failure {
  FAILURE_MEMORY,
  FAILURE_DEPTH,
  FAILURE_KIND,      /* the value on top cannot be sent */
  FAILURE_METATABLE, /* nor can the table on top, for its metatable */
  FAILURE_DESCRIPTOR, /* nor can the one on top, for a reason of the system's */
  FAILURE_NAMES,     /* the cache of names may be out of date; never raised */
  FAILURE_ENVIRONMENT /* a foreign environment is to be asked first; never raised */
};

struct mpl_codec_path {
  const char *reason; /* of FAILURE_DESCRIPTOR */
  size_t size;
  char text[1200]; /* ends in a zero; cut off if the steps are very long */
};

void mpl_codec_path_start(struct mpl_codec_path *p);
void mpl_codec_path_gap(struct mpl_codec_path *p);
void mpl_codec_path_value(struct mpl_codec_path *p, lua_State *L, int key);
void mpl_codec_path_key(struct mpl_codec_path *p);
void mpl_codec_path_upvalue(struct mpl_codec_path *p, const char *name, int n);

void mpl_codec_path_raise(lua_State *L, enum mpl_codec_failure failure,
                          const struct mpl_codec_path *p);

#endif
