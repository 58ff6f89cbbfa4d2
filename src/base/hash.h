/*
** A fast 64-bit hash of bytes, the same on every machine: it tells damaged bytes from whole ones
** and names equal ones. It is no defence against somebody who wants a collision.
*/
#ifndef MPL_BASE_HASH_H
#define MPL_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t mpl_hash(const void *bytes, size_t n, uint64_t seed);

#endif
