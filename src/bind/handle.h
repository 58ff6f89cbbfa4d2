/*
** Handles: how Lua holds shared objects.
**
** A handle is a userdata with the id of an object; a process has one for each object it knows, so
** that equal objects are the same value. While a handle is reachable its process holds a reference
** to the object. Handles are copied by a fork, as the references are. A class may keep a Lua value
** in the handle's user value.
*/
#ifndef MPL_BIND_HANDLE_H
#define MPL_BIND_HANDLE_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

#include "bind/class.h"
#include "shm/life.h"

struct mpl_handle {
  const struct mpl_class *class; /* first, see mpl_handle_self */
  uint64_t id;  /* 0: the reference is not held (yet, or any more) */
  void *body;
  bool closed;  /* this process is done with it */
};

void mpl_handle_open(lua_State *L);
void mpl_handle_class(lua_State *L, enum mpl_object_type type, const struct mpl_class *class);
struct mpl_handle *mpl_handle_new(lua_State *L, enum mpl_object_type type);
void mpl_handle_own(lua_State *L, struct mpl_handle *handle, enum mpl_object_type type,
                    uint64_t id);
void mpl_handle_part(lua_State *L, uint64_t id);
void mpl_handle_label(lua_State *L, uint64_t id, int options);
int mpl_handle_gc(lua_State *L);
int mpl_handle_dead(lua_State *L);
int mpl_handle_over(lua_State *L);
bool mpl_handle_push_over(lua_State *L, const struct mpl_handle *handle);

/* In a method: the handle at 1, which must be of this class. Quicker than mpl_class_self: a full
   userdata of this size that begins with the address of the class is a handle of the class. */
static inline struct mpl_handle *mpl_handle_self(lua_State *L, const struct mpl_class *class) {
  struct mpl_handle *h = lua_touserdata(L, 1);
  if (h == NULL || lua_rawlen(L, 1) != sizeof *h || h->class != class) mpl_class_wrong_self(L, 1);
  return h;
}

/* The body of the object of the handle at 1; raises if it must not be used. */
static inline void *mpl_handle_use(lua_State *L, const struct mpl_handle *h) {
  if (h->body == NULL) mpl_handle_dead(L);
  if (mpl_life_is_over(h->body)) mpl_handle_over(L);
  return h->body;
}

/* In a method: the body of the object of the handle at 1, which must be of this class. */
static inline void *mpl_handle_body(lua_State *L, const struct mpl_class *class) {
  return mpl_handle_use(L, mpl_handle_self(L, class));
}

/* For the codec. */
uint64_t mpl_handle_id(lua_State *L, int idx);
void mpl_handle_push(lua_State *L, uint64_t id);

#endif
