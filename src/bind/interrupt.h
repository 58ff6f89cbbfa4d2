/*
** Ctrl-C in running Lua code.
**
** SIGINT becomes the error "interrupted!" in the code that runs: at the next instruction, by a
** hook that the signal handler sets (and again at each tick, proc/signal.h), or out of a wait of
** this module. The end of a pool's task, which has a limit of time or was cancelled, is one in the
** same way. Hooks belong to a coroutine, so the coroutine that runs is kept track of by wrapping
** coroutine.resume and coroutine.wrap.
*/
#ifndef MPL_BIND_INTERRUPT_H
#define MPL_BIND_INTERRUPT_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

void mpl_interrupt_open(lua_State *L);
void mpl_interrupt_attend(lua_State *L, void (*before_error)(void *arg), void *arg);
bool mpl_interrupt_is(lua_State *L, int idx);
bool mpl_interrupt_is_own(void);
void mpl_interrupt_again(void);
uint64_t mpl_interrupt_count(void);
bool mpl_interrupt_hold(bool hold);
bool mpl_interrupt_held(void);

#endif
