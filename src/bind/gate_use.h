/*
** Which coroutine uses a gate (ds/gate.h) of this process. The gate is the process's; but when the
** coroutine that took it has left off with a yield, what runs meanwhile is outside, and waits for
** it as other processes do.
*/
#ifndef MPL_BIND_GATE_USE_H
#define MPL_BIND_GATE_USE_H

#include <lua.h>
#include <stdbool.h>

#include "ds/gate.h"

/* Threads of the process, as gates know them. */
enum mpl_gate_thread { MPL_GATE_INSIDE, MPL_GATE_OUTSIDE };

/* In a userdata whose user value MPL_GATE_USE_VALUE keeps the coroutine. */
struct mpl_gate_use {
  const struct mpl_lock *gate;
  lua_State *runs;  /* the coroutine that is to take it */
  uint64_t holder;  /* identity of the process that has taken it; 0: not taken, or ended */
  struct mpl_gate_use *next;
};

#define MPL_GATE_USE_VALUE 2

void mpl_gate_use_init(lua_State *L, struct mpl_gate_use *use, const struct mpl_lock *gate);
void mpl_gate_use_begin(struct mpl_gate_use *use);
bool mpl_gate_use_end(struct mpl_gate_use *use);
uint32_t mpl_gate_use_thread(const struct mpl_lock *gate);

#endif
