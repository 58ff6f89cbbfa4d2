/*
** Lua sources inside the binary. The table is made by tools/embed.sh at build time from every file
** under lua/; a module is compiled when it is first required.
*/
#ifndef MPL_HOST_EMBED_H
#define MPL_HOST_EMBED_H

#include <lua.h>
#include <stddef.h>

struct mpl_embed_file {
  const char *module; /* name for `require`; NULL ends the table */
  const char *chunk;  /* name for error messages: '@' and the path below lua/ */
  const char *text;
  size_t size;
};

extern const struct mpl_embed_file mpl_embed_files[];

void mpl_embed_install(lua_State *L);
int mpl_embed_open(lua_State *L, const struct mpl_embed_file *file);

/*
** In process.so each embedded module has an open function of its own, by which a stock Lua finds
** it. The binary has the searcher instead, and the macro only ends in a declaration.
*/
#if defined(MPL_SHARED)
#define MPL_EMBED_OPENER(symbol, i)              \
  int luaopen_##symbol(lua_State *L);            \
  int luaopen_##symbol(lua_State *L) {           \
    return mpl_embed_open(L, &mpl_embed_files[i]); \
  }
#else
#define MPL_EMBED_OPENER(symbol, i) struct mpl_embed_file;
#endif

#endif
