/*
** process.SimpleQueue: a Queue without limit, with the four methods of Python's.
*/
#include "bind/args.h"
#include "bind/handle.h"
#include "bind/module.h"
#include "bind/queue.h"

/* SimpleQueue([{name=}]): an empty queue. */
static int simple_new(lua_State *L) {
  static const char *const known[] = {"name", NULL};
  mpl_args_end(L, 1);
  mpl_args_options(L, 1, known);
  struct mpl_handle *h = mpl_handle_new(L, MPL_TYPE_SIMPLE_QUEUE);
  uint64_t id;
  enum mpl_status s = mpl_queue_new_as(MPL_TYPE_SIMPLE_QUEUE, 0, 0, &id);
  if (s != MPL_OK) return mpl_args_raise(L, s);
  mpl_handle_own(L, h, MPL_TYPE_SIMPLE_QUEUE, id);
  mpl_handle_label(L, id, 1);
  return 1;
}

/* q:put(v): true. */
static int simple_put(lua_State *L) {
  struct mpl_queue *q = mpl_queue_self(L);
  luaL_checkany(L, 2);
  mpl_args_end(L, 2);
  return mpl_queue_put_value(L, q, MPL_NEVER);
}

/* q:get(): the value, exactly one result; waits for it. */
static int simple_get(lua_State *L) {
  struct mpl_queue *q = mpl_queue_self(L);
  mpl_args_end(L, 1);
  return mpl_queue_get_value(L, q, MPL_NEVER);
}

static const luaL_Reg methods[] = {{"put", simple_put},
                                   {"get", simple_get},
                                   {"empty", mpl_queue_empty},
                                   {"close", mpl_queue_close},
                                   {NULL, NULL}};
static const luaL_Reg metamethods[] = {{"__gc", mpl_handle_gc},
                                       {"__close", mpl_queue_close},
                                       {"__tostring", mpl_queue_tostring},
                                       {NULL, NULL}};

const struct mpl_class mpl_queue_simple_class = {"SimpleQueue", methods, metamethods};

/* Registers the class and puts its constructor into the module table on top. */
void mpl_queue_simple_open(lua_State *L) {
  mpl_handle_class(L, MPL_TYPE_SIMPLE_QUEUE, &mpl_queue_simple_class);
  lua_pushcfunction(L, simple_new);
  lua_setfield(L, -2, "SimpleQueue");
}
