/*
** The allocator of the host's Lua state: small blocks by size class, last in first out.
**
** After a fork every page that either process writes is copied once. Lua writes to small objects
** all over its heap; kept together by size, the few that are in use at a time lie on few pages, and
** starting a process costs half as many page faults as with the C library's allocator. Lua tells
** the size of what it frees, so blocks carry no headers. Memory of small blocks is used again for
** blocks of its class and never given back.
**
** One state, one thread: no lock.
*/
#include "host/alloc.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define STEP 16
#define LARGEST 256
#define CLASSES (LARGEST / STEP)
#define CHUNK 8192

/* AddressSanitizer can say more about the C library's blocks. */
#if defined(__has_feature)
#define SANITIZED __has_feature(address_sanitizer)
#elif defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

static bool is_small(size_t size) {
  return !SANITIZED && size - 1 < LARGEST;
}

struct block {
  struct block *next;
};

static struct block *free_blocks[CLASSES];
static char *fresh[CLASSES], *fresh_end[CLASSES]; /* what is left of the class's newest chunk */

static size_t class_of(size_t size) {
  return (size - 1) / STEP;
}

/* Of a small size. NULL if there is no memory. */
static void *take(size_t size) {
  size_t c = class_of(size), step = (c + 1) * STEP;
  struct block *b = free_blocks[c];
  if (b != NULL) {
    free_blocks[c] = b->next;
    return b;
  }
  if ((size_t)(fresh_end[c] - fresh[c]) < step) {
    char *chunk = malloc(CHUNK);
    if (chunk == NULL) return NULL;
    fresh[c] = chunk;
    fresh_end[c] = chunk + CHUNK;
  }
  char *p = fresh[c];
  fresh[c] += step;
  return p;
}

static void give_back(void *block, size_t size) {
  struct block *b = block;
  size_t c = class_of(size);
  b->next = free_blocks[c];
  free_blocks[c] = b;
}

static void release(void *block, size_t size) {
  if (block == NULL) return;
  if (is_small(size))
    give_back(block, size);
  else
    free(block);
}

/* A lua_Alloc: see the reference manual. */
void *mpl_alloc(void *unused, void *block, size_t old_size, size_t new_size) {
  (void)unused;
  if (block == NULL) old_size = 0; /* Lua passes the kind of object then */
  if (new_size == 0) {
    release(block, old_size);
    return NULL;
  }
  bool old_small = is_small(old_size), new_small = is_small(new_size);
  if (block != NULL && !old_small && !new_small) return realloc(block, new_size);
  if (old_small && new_small && class_of(old_size) == class_of(new_size)) return block;
  void *p = new_small ? take(new_size) : malloc(new_size);
  if (p == NULL) return NULL;
  if (block != NULL) {
    memcpy(p, block, old_size < new_size ? old_size : new_size);
    release(block, old_size);
  }
  return p;
}
