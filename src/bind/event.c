/*
** process.Event
*/
#include "ds/event.h"

#include "bind/args.h"
#include "bind/blocking.h"
#include "bind/handle.h"
#include "bind/module.h"

static const struct mpl_class event_class;

static struct mpl_event *self(lua_State *L) {
  return mpl_handle_body(L, &event_class);
}

/* Event([{name=}]): an event that is not set. */
static int event_new(lua_State *L) {
  static const char *const known[] = {"name", NULL};
  mpl_args_end(L, 1);
  mpl_args_options(L, 1, known);
  struct mpl_handle *h = mpl_handle_new(L, MPL_TYPE_EVENT);
  uint64_t id;
  enum mpl_status s = mpl_event_new(&id);
  if (s != MPL_OK) return mpl_args_raise(L, s);
  mpl_handle_own(L, h, MPL_TYPE_EVENT, id);
  mpl_handle_label(L, id, 1);
  return 1;
}

/* event:is_set() */
static int event_is_set(lua_State *L) {
  lua_pushboolean(L, mpl_event_is_set(self(L)));
  return 1;
}

/* event:set(): everybody who waits for it goes on. */
static int event_set(lua_State *L) {
  mpl_event_set(self(L));
  return 0;
}

/* event:clear() */
static int event_clear(lua_State *L) {
  mpl_event_clear(self(L));
  return 0;
}

struct event_wait {
  struct mpl_blocking op;
  struct mpl_event *event;
};

static int wait_attempt(lua_State *L, struct mpl_blocking *op) {
  if (mpl_event_try(((struct event_wait *)op)->event, &op->wait) == MPL_BLOCK)
    return MPL_BLOCKING_AGAIN;
  lua_pushboolean(L, 1);
  return 1;
}

/* event:wait([timeout]): true once it is set; false, "timeout". */
static int event_wait(lua_State *L) {
  struct event_wait w = {.op = {.attempt = wait_attempt,
                                .timed_out = mpl_blocking_late,
                                .does_chores = true},
                         .event = self(L)};
  mpl_args_end(L, 2);
  w.op.deadline = mpl_args_timeout(L, 2);
  return mpl_blocking_run(L, &w.op);
}

static int event_tostring(lua_State *L) {
  struct mpl_event *event = self(L);
  lua_pushfstring(L, "<Event at %p %s>", (void *)event, mpl_event_is_set(event) ? "set" : "unset");
  return 1;
}

static const luaL_Reg methods[] = {{"is_set", event_is_set},
                                   {"set", event_set},
                                   {"clear", event_clear},
                                   {"wait", event_wait},
                                   {NULL, NULL}};
static const luaL_Reg metamethods[] = {
    {"__gc", mpl_handle_gc}, {"__tostring", event_tostring}, {NULL, NULL}};

static const struct mpl_class event_class = {"Event", methods, metamethods};

/* Registers the class and puts its constructor into the module table on top. */
void mpl_event_open(lua_State *L) {
  mpl_event_register();
  mpl_handle_class(L, MPL_TYPE_EVENT, &event_class);
  lua_pushcfunction(L, event_new);
  lua_setfield(L, -2, "Event");
}
