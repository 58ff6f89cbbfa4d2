/*
** Values that travel by name: registered metatables, loaded modules, C functions in them, and all
** that is in the module `process`.
**
** Invariant: everything here is found by the value itself, in tables of the Lua state. `require`
** may add a module at any time, and C functions may appear in one later; so the reverse maps (value
** to name) are a cache. It is complete for modules unless mpl_codec_names_stale says otherwise; a C
** function that it lacks may be found after a rebuild; and each hit is compared with what the name
** stands for now.
*/
#ifndef MPL_BIND_CODEC_NAMES_H
#define MPL_BIND_CODEC_NAMES_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mpl_codec_names {
  uint64_t changes; /* how often a module was added to package.loaded */
  uint64_t built;   /* value of `changes` that the cache knows of */
  uint64_t filter[16];
};

/* Outcome of a search for a name. */
enum mpl_codec_names_found {
  NAMES_NONE,
  NAMES_MODULE, /* pushed: name */
  NAMES_MEMBER, /* pushed: module, field */
  NAMES_STALE   /* the cache is wrong: rebuild it and ask again */
};

struct mpl_codec_names *mpl_codec_names_push(lua_State *L);
void mpl_codec_names_rebuild(lua_State *L, int names);
enum mpl_codec_names_found mpl_codec_names_find(lua_State *L, int names, int idx);
bool mpl_codec_names_resolve(lua_State *L, int names);

bool mpl_codec_names_standard(const char *bytes, size_t size);
int mpl_codec_names_class(lua_State *L, int names);

static inline bool mpl_codec_names_stale(const struct mpl_codec_names *n) {
  return n->built != n->changes;
}

/* The bit of an address in the filter (Fibonacci hashing, as addresses differ in few low bits). */
static inline unsigned mpl_codec_names_bit(const void *object) {
  return (unsigned)(((uint64_t)(uintptr_t)object * UINT64_C(0x9e3779b97f4a7c15)) >> 54);
}

/* Whether a table or function may be the globals table or a module: false is certain, and quick, as
   it has to be for each table of a message. */
static inline bool mpl_codec_names_maybe(const struct mpl_codec_names *n, const void *object) {
  unsigned bit = mpl_codec_names_bit(object);
  return (n->filter[bit / 64] >> (bit % 64) & 1) != 0;
}

#endif
