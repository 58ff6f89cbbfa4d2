/*
** See gate_use.h.
*/
#include "bind/gate_use.h"

#include "shm/slot.h"

/* Those that this process has begun and not ended; in a child also its parent's. */
static struct mpl_gate_use *begun;

/* Makes the userdata on top of the stack, with two user values, one that is to use the gate. */
void mpl_gate_use_init(lua_State *L, struct mpl_gate_use *use, const struct mpl_lock *gate) {
  *use = (struct mpl_gate_use){.gate = gate, .runs = L};
  lua_pushthread(L);
  lua_setiuservalue(L, -2, MPL_GATE_USE_VALUE);
}

/* The process has the gate now. */
void mpl_gate_use_begin(struct mpl_gate_use *use) {
  use->holder = mpl_slot_ident(mpl_self);
  use->next = begun;
  begun = use;
}

/* Whether the process has the gate still for this use, which is over: the caller gives the gate
   back. */
bool mpl_gate_use_end(struct mpl_gate_use *use) {
  struct mpl_gate_use **at = &begun;
  while (*at != NULL && *at != use) at = &(*at)->next;
  if (*at != NULL) *at = use->next;
  bool mine = use->holder == mpl_slot_ident(mpl_self);
  use->holder = 0;
  return mine && mpl_lock_is_held_by(use->gate, MPL_GATE_INSIDE);
}

/* Who calls, for this gate: an enum mpl_gate_thread. */
uint32_t mpl_gate_use_thread(const struct mpl_lock *gate) {
  for (const struct mpl_gate_use *use = begun; use != NULL; use = use->next)
    if (use->gate == gate && lua_status(use->runs) == LUA_YIELD) return MPL_GATE_OUTSIDE;
  return MPL_GATE_INSIDE;
}
