/*
** Little-endian numbers at any address. Written with shifts, which compilers turn into single
** loads and stores where the machine is little-endian and takes unaligned addresses.
*/
#ifndef MPL_BASE_ENDIAN_H
#define MPL_BASE_ENDIAN_H

#include <stdint.h>

static inline void mpl_endian_put16(void *at, uint16_t x) {
  unsigned char *p = at;
  p[0] = (unsigned char)x;
  p[1] = (unsigned char)(x >> 8);
}

static inline void mpl_endian_put32(void *at, uint32_t x) {
  unsigned char *p = at;
  p[0] = (unsigned char)x;
  p[1] = (unsigned char)(x >> 8);
  p[2] = (unsigned char)(x >> 16);
  p[3] = (unsigned char)(x >> 24);
}

static inline void mpl_endian_put64(void *at, uint64_t x) {
  unsigned char *p = at;
  p[0] = (unsigned char)x;
  p[1] = (unsigned char)(x >> 8);
  p[2] = (unsigned char)(x >> 16);
  p[3] = (unsigned char)(x >> 24);
  p[4] = (unsigned char)(x >> 32);
  p[5] = (unsigned char)(x >> 40);
  p[6] = (unsigned char)(x >> 48);
  p[7] = (unsigned char)(x >> 56);
}

static inline uint16_t mpl_endian_get16(const void *at) {
  const unsigned char *p = at;
  return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t mpl_endian_get32(const void *at) {
  const unsigned char *p = at;
  return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t mpl_endian_get64(const void *at) {
  const unsigned char *p = at;
  return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24 |
         (uint64_t)p[4] << 32 | (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 |
         (uint64_t)p[7] << 56;
}

#endif
