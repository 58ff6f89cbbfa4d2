/*
** Which ends of pipes a new child holds.
**
** A fork copies all open ends, but a child that keeps an end which it does not use hides the death
** of those who do: there is no end of file as long as anybody has it. So a child of Process:start
** closes the ends that nothing which it can ever run reaches. What it can reach begins with its
** Process object, its target and arguments, the globals and the loaded modules; it does not include
** the calls of its parent that were under way at the fork, which never return in it.
**
** The walk follows what the garbage collector follows, weak tables included, with a list of its own
** of what it has seen: the collector's marks stand in the objects, and to set them would copy every
** page. It ends as soon as all ends are found. If memory runs out nothing is closed.
*/
#include <lauxlib.h>
#include <stdbool.h>
#include <string.h>

#include "bind/codec_seen.h"
#include "bind/connection.h"
#include "bind/module.h"

struct walk {
  lua_State *L;
  int todo;          /* stack index of a list: seen, to be visited */
  lua_Integer ntodo;
  int ephemerons;    /* of a list: tables with weak keys */
  lua_Integer nephemerons;
  size_t missing;    /* open Connections that were not reached yet */
  struct mpl_codec_seen seen; /* addresses */
};

static bool has_parts(int type) {
  return type == LUA_TTABLE || type == LUA_TFUNCTION || type == LUA_TUSERDATA ||
         type == LUA_TTHREAD;
}

static bool was_seen(const struct walk *w, int idx) {
  return mpl_codec_seen_find(&w->seen, (uintptr_t)lua_topointer(w->L, idx)) != NULL;
}

/* The value on top, which is popped, can be reached. */
static void reach(struct walk *w) {
  lua_State *L = w->L;
  if (!has_parts(lua_type(L, -1)) || was_seen(w, -1)) {
    lua_pop(L, 1);
    return;
  }
  if (!mpl_codec_seen_add(&w->seen, (uintptr_t)lua_topointer(L, -1), 0)) lua_error(L);
  lua_rawseti(L, w->todo, ++w->ntodo);
}

/*
** Tables
*/

/* Weakness of the table at idx, whose metatable is reached, too. */
static void reach_metatable(struct walk *w, int idx, bool *weak_keys, bool *weak_values) {
  lua_State *L = w->L;
  *weak_keys = *weak_values = false;
  if (!lua_getmetatable(L, idx)) return;
  lua_pushliteral(L, "__mode");
  if (lua_rawget(L, -2) == LUA_TSTRING) {
    *weak_keys = strchr(lua_tostring(L, -1), 'k') != NULL;
    *weak_values = strchr(lua_tostring(L, -1), 'v') != NULL;
  }
  lua_pop(L, 1);
  reach(w);
}

/* Reaches the entries of the table on top. */
static void visit_entries(struct walk *w, bool keys, bool values) {
  lua_State *L = w->L;
  lua_pushnil(L);
  while (lua_next(L, -2) != 0) {
    if (values && has_parts(lua_type(L, -1)))
      reach(w);
    else
      lua_pop(L, 1);
    if (keys && has_parts(lua_type(L, -1))) {
      lua_pushvalue(L, -1);
      reach(w);
    }
  }
}

/* Reaches the values of the table on top whose keys are reached. */
static void visit_ephemeron(struct walk *w) {
  lua_State *L = w->L;
  lua_pushnil(L);
  while (lua_next(L, -2) != 0) {
    if (!has_parts(lua_type(L, -2)) || was_seen(w, -2))
      reach(w);
    else
      lua_pop(L, 1);
  }
}

static void visit_table(struct walk *w) {
  bool weak_keys, weak_values;
  reach_metatable(w, lua_gettop(w->L), &weak_keys, &weak_values);
  if (weak_keys && !weak_values) {
    lua_pushvalue(w->L, -1);
    lua_rawseti(w->L, w->ephemerons, ++w->nephemerons);
  } else {
    visit_entries(w, !weak_keys, !weak_values);
  }
}

/*
** The rest
*/

static void visit_function(struct walk *w) {
  for (int i = 1; lua_getupvalue(w->L, -1, i) != NULL; i++) reach(w);
}

static void visit_userdata(struct walk *w) {
  lua_State *L = w->L;
  struct mpl_connection *c = mpl_connection_test(L, -1);
  if (c != NULL && c->fd >= 0 && !c->reached) {
    c->reached = true;
    w->missing--;
  }
  if (lua_getmetatable(L, -1)) reach(w);
  for (int i = 1; lua_getiuservalue(L, -1, i) != LUA_TNONE; i++) reach(w);
  lua_pop(L, 1); /* the nil beyond the last */
}

/* What was pushed on the coroutine's stack is reached. */
static void reach_from(struct walk *w, lua_State *co) {
  lua_xmove(co, w->L, 1);
  reach(w);
}

/* The function and the locals, also those without names, of one call of a coroutine. */
static void visit_call(struct walk *w, lua_State *co, lua_Debug *call) {
  lua_getinfo(co, "f", call);
  reach_from(w, co);
  for (int i = 1; lua_getlocal(co, call, i) != NULL; i++) reach_from(w, co);
  for (int i = -1; lua_getlocal(co, call, i) != NULL; i--) reach_from(w, co);
}

/* A coroutine that runs, or has resumed the one that does, never goes on in the child. */
static void visit_coroutine(struct walk *w) {
  lua_State *co = lua_tothread(w->L, -1);
  lua_Debug call;
  bool under_way = lua_getstack(co, 0, &call) != 0;
  if (co == w->L || (under_way && lua_status(co) == LUA_OK)) return;
  luaL_checkstack(co, 2, "to look at a coroutine");
  for (int i = lua_gettop(co); i > 0; i--) {
    lua_pushvalue(co, i);
    reach_from(w, co);
  }
  for (int level = 0; lua_getstack(co, level, &call) != 0; level++) visit_call(w, co, &call);
}

/* Visits what is to be visited until all ends are found. */
static void visit_all(struct walk *w) {
  lua_State *L = w->L;
  while (w->ntodo > 0 && w->missing > 0) {
    lua_rawgeti(L, w->todo, w->ntodo--);
    switch (lua_type(L, -1)) {
      case LUA_TTABLE: visit_table(w); break;
      case LUA_TFUNCTION: visit_function(w); break;
      case LUA_TUSERDATA: visit_userdata(w); break;
      default: visit_coroutine(w); break;
    }
    lua_pop(L, 1);
  }
}

/* Arguments: a struct walk, as light userdata, then values from which the walk begins, beside the
   registry, in which the globals and the loaded modules stand. */
static int walk_protected(lua_State *L) {
  struct walk *w = lua_touserdata(L, 1);
  int top = lua_gettop(L);
  luaL_checkstack(L, 20, "to look for connections");
  w->L = L;
  lua_newtable(L);
  lua_newtable(L);
  w->todo = top + 1;
  w->ephemerons = top + 2;
  for (int i = 2; i <= top; i++) {
    lua_pushvalue(L, i);
    reach(w);
  }
  lua_pushvalue(L, LUA_REGISTRYINDEX);
  reach(w);
  visit_all(w);
  lua_Integer before = -1;
  while (w->missing > 0 && (lua_Integer)w->seen.count != before) {
    before = (lua_Integer)w->seen.count;
    for (lua_Integer i = 1; i <= w->nephemerons; i++) {
      lua_rawgeti(L, w->ephemerons, i);
      visit_ephemeron(w);
      lua_pop(L, 1);
    }
    visit_all(w);
  }
  return 0;
}

/* close_unreached(...): in a new child: closes the Connections that were its parent's and can be
   reached neither from the arguments nor from the globals and the loaded modules. */
static int close_unreached(lua_State *L) {
  struct walk w = {.L = L};
  for (struct mpl_connection *c = mpl_connection_first(); c != NULL; c = c->next) {
    c->reached = false;
    w.missing++;
  }
  if (w.missing == 0) return 0;
  mpl_codec_seen_init(&w.seen);
  int top = lua_gettop(L);
  luaL_checkstack(L, top + 2, "to look for connections");
  lua_pushcfunction(L, walk_protected);
  lua_pushlightuserdata(L, &w);
  for (int i = 1; i <= top; i++) lua_pushvalue(L, i);
  int collects = lua_gc(L, LUA_GCISRUNNING);
  lua_gc(L, LUA_GCSTOP); /* its marks would copy every page */
  int status = lua_pcall(L, top + 1, 0, 0);
  if (collects) lua_gc(L, LUA_GCRESTART);
  mpl_codec_seen_free(&w.seen);
  if (status != LUA_OK) return 0;
  for (struct mpl_connection *c = mpl_connection_first(), *next; c != NULL; c = next) {
    next = c->next;
    if (!c->reached) mpl_connection_shut(c);
  }
  return 0;
}

/* Puts the function into the module table on top. */
void mpl_reach_open(lua_State *L) {
  lua_pushcfunction(L, close_unreached);
  lua_setfield(L, -2, "close_unreached");
}
