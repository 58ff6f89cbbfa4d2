/*
** A Lua state for programs that test the codec without the rest of mpl, with memory that is counted
** and can fail, and a stand-in for shared objects: a userdata with an id, which implements what
** bind/handle.h declares; ids from 1 to 999 exist. To be included once in a program.
*/
#ifndef MPL_TEST_CODEC_STUB_H
#define MPL_TEST_CODEC_STUB_H

#include <lauxlib.h>
#include <lualib.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "bind/codec.h"
#include "bind/descriptor.h"
#include "bind/handle.h"

#define STUB_TYPE "stub.object"

/* A program that wraps malloc and free may take Lua's memory out of it. */
#ifndef STUB_FREE
#define STUB_MALLOC malloc
#define STUB_FREE free
#endif

/* Memory of Lua. */
static size_t stub_bytes, stub_calls;
static size_t stub_limit = SIZE_MAX;      /* bytes that there are */
static size_t stub_calls_left = SIZE_MAX; /* calls until memory is used up */

static void *stub_alloc(void *ud, void *block, size_t old, size_t size) {
  (void)ud;
  if (block == NULL) old = 0;
  if (size == 0) {
    STUB_FREE(block);
    stub_bytes -= old;
    return NULL;
  }
  if (size > old) {
    stub_calls++;
    if (stub_calls_left == 0 || stub_bytes - old + size > stub_limit) return NULL;
    if (stub_calls_left != SIZE_MAX) stub_calls_left--;
  }
  /* malloc and not realloc: every move shows who kept an old address. */
  void *place = STUB_MALLOC(size);
  if (place == NULL) return NULL;
  for (size_t i = 0; i < old && i < size; i++) ((char *)place)[i] = ((char *)block)[i];
  STUB_FREE(block);
  stub_bytes += size - old;
  return place;
}

uint64_t mpl_handle_id(lua_State *L, int idx) {
  const uint64_t *id = luaL_testudata(L, idx, STUB_TYPE);
  return id != NULL ? *id : 0;
}

void mpl_handle_push(lua_State *L, uint64_t id) {
  if (id < 1 || id > 999) luaL_error(L, "no shared object has this id");
  uint64_t *object = lua_newuserdatauv(L, sizeof *object, 0);
  *object = id;
  luaL_setmetatable(L, STUB_TYPE);
}

/* There are no descriptors. */
bool mpl_descriptor_get(lua_State *L, int idx, struct mpl_descriptor *out) {
  (void)L, (void)idx, (void)out;
  return false;
}

void mpl_descriptor_push(lua_State *L, const struct mpl_descriptor *descriptor, uint64_t parcel) {
  (void)descriptor, (void)parcel;
  luaL_error(L, "there are no descriptors");
}

/* process.object(id): a handle. */
static int stub_object(lua_State *L) {
  mpl_handle_push(L, (uint64_t)luaL_checkinteger(L, 1));
  return 1;
}

/* process.id(handle): its id. */
static int stub_id(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)mpl_handle_id(L, 1));
  return 1;
}

static int stub_open(lua_State *L) {
  static const luaL_Reg functions[] = {
    {"dumps", mpl_codec_dumps}, {"loads", mpl_codec_loads}, {"register", mpl_codec_register},
    {"object", stub_object},    {"id", stub_id},            {NULL, NULL}};
  luaL_newmetatable(L, STUB_TYPE);
  luaL_newlib(L, functions);
  return 1;
}

/* Makes a state with the standard libraries and `process`, also as a global. */
static lua_State *stub_state(void) {
  lua_State *L = lua_newstate(stub_alloc, NULL);
  if (L == NULL) abort();
  luaL_openlibs(L);
  luaL_requiref(L, "process", stub_open, 1);
  lua_settop(L, 0);
  return L;
}

#endif
