/*
** A manager: keeps objects that belong to one lifetime (shm/life.h), its own, until that is over.
**
** What it keeps stands as references in messages, newest first; they, the count and the end are
** guarded by the object lock, as the references are: a manager has no lock of its own.
**
** Invariant: what it keeps belongs to its lifetime, and so does the manager; so its lifetime is
** mpl_life_of(manager).
*/
#ifndef MPL_DS_MANAGER_H
#define MPL_DS_MANAGER_H

#include "shm/life.h"

struct mpl_manager {
  mpl_a64 kept;  /* the newest message; older ones by `next` */
  mpl_a64 count; /* objects kept; read by anyone */
};

void mpl_manager_register(void);
enum mpl_status mpl_manager_new(uint64_t *id);
enum mpl_status mpl_manager_keep(struct mpl_manager *manager, uint64_t id, uint64_t part);
enum mpl_status mpl_manager_shutdown(struct mpl_manager *manager);
uint64_t mpl_manager_count(const struct mpl_manager *manager);

#endif
