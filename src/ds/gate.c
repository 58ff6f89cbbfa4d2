/*
** See gate.h.
*/
#include "ds/gate.h"

/* The rest of mpl_gate_pass. */
enum mpl_status mpl_gate_pass_held(struct mpl_lock *gate, uint32_t thread, struct mpl_wait *w) {
  if (mpl_lock_is_held_by(gate, thread)) return MPL_OK;
  return mpl_lock_look(gate, w);
}
