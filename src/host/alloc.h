/*
** The allocator of the host's Lua state.
*/
#ifndef MPL_HOST_ALLOC_H
#define MPL_HOST_ALLOC_H

#include <stddef.h>

void *mpl_alloc(void *unused, void *block, size_t old_size, size_t new_size);

#endif
