/*
** Entering the section of a structure from an operation that has a deadline.
*/
#ifndef MPL_DS_SECTION_H
#define MPL_DS_SECTION_H

#include "shm/wait.h"
#include "sync/robust.h"

enum mpl_status mpl_section_enter(struct mpl_robust *lock, int64_t deadline);

#endif
