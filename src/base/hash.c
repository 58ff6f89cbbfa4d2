/*
** MurmurHash64A by Austin Appleby (public domain), reading little-endian words on every machine.
*/
#include "base/hash.h"

#include <string.h>

#include "base/endian.h"

/* Returns the hash of n bytes. The seed may be the hash of what came before. */
uint64_t mpl_hash(const void *bytes, size_t n, uint64_t seed) {
  const uint64_t m = UINT64_C(0xc6a4a7935bd1e995);
  const unsigned char *p = bytes;
  uint64_t h = seed ^ (n * m);
  for (; n >= 8; p += 8, n -= 8) {
    uint64_t k = mpl_endian_get64(p) * m;
    h = (h ^ ((k ^ (k >> 47)) * m)) * m;
  }
  if (n > 0) {
    unsigned char rest[8] = {0};
    memcpy(rest, p, n);
    h = (h ^ mpl_endian_get64(rest)) * m;
  }
  h = (h ^ (h >> 47)) * m;
  return h ^ (h >> 47);
}
