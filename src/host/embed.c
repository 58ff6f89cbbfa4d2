/*
** Lua sources inside the binary: see embed.h.
*/
#include "host/embed.h"

#include <lauxlib.h>
#include <lualib.h>
#include <string.h>

static const struct mpl_embed_file *find(const char *module) {
  const struct mpl_embed_file *file = mpl_embed_files;
  while (file->module != NULL && strcmp(file->module, module) != 0) file++;
  return file->module != NULL ? file : NULL;
}

/* Pushes the compiled module and its path, the two values that `require` expects of a searcher. */
static void load(lua_State *L, const struct mpl_embed_file *file) {
  if (luaL_loadbufferx(L, file->text, file->size, file->chunk, "t") != LUA_OK) {
    luaL_error(L, "error loading module '%s':\n\t%s", file->module, lua_tostring(L, -1));
  }
  lua_pushstring(L, file->chunk + 1);
}

/* A package searcher: says nothing about names it does not have, as messages of `require` are to be
   those of a stock Lua. */
static int searcher(lua_State *L) {
  const struct mpl_embed_file *file = find(luaL_checkstring(L, 1));
  if (file == NULL) return 0;
  load(L, file);
  return 2;
}

/*
** Puts the searcher right after that of package.preload, before any file on package.path: what the
** binary was built with is what runs. Expects the package library to be open.
*/
void mpl_embed_install(lua_State *L) {
  lua_getglobal(L, LUA_LOADLIBNAME);
  lua_getfield(L, -1, "searchers");
  for (lua_Integer i = luaL_len(L, -1); i >= 2; i--) {
    lua_rawgeti(L, -1, i);
    lua_rawseti(L, -2, i + 1);
  }
  lua_pushcfunction(L, searcher);
  lua_rawseti(L, -2, 2);
  lua_pop(L, 2);
}

/* The body of a luaopen function: runs the module as `require` would. Returns its value. */
int mpl_embed_open(lua_State *L, const struct mpl_embed_file *file) {
  lua_settop(L, 0);
  load(L, file);
  lua_pushstring(L, file->module);
  lua_insert(L, 2);
  lua_call(L, 2, 1);
  return 1;
}
