/*
** Recovery: what the living do about the dead.
**
** Two parts, because one may have to happen under a lock and the other may not:
**  - rolling back: the dead process's open section is undone or completed. Plain stores; done by
**    whoever gets a lock that the dead process held, before it uses what the lock guards.
**  - cleaning up: wake-ups that the dead process owed, what lay in its hand, its references, its
**    slot. Done without any lock held, by whoever notices the death first; the others wait for that
**    or go on where it stopped.
*/
#ifndef MPL_SHM_RECOVER_H
#define MPL_SHM_RECOVER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "shm/arena.h"

struct mpl_slot;

void mpl_recover_install(void);
void mpl_recover(uint64_t ident);
void mpl_recover_unclaimed(struct mpl_slot *slot, uint64_t ident);
void mpl_recover_at(uint64_t index);
void mpl_recover_some(uint64_t n);
int64_t mpl_recover_watch(int64_t slept);
bool mpl_recover_all(void);
enum mpl_status mpl_recover_alloc(uint64_t size, mpl_off *out);

#endif
