/*
** The arena: see arena.h.
*/
#include "shm/arena.h"

#include <sys/mman.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/os.h"

/* Address space costs nothing, so reserve plenty; try less where the system refuses. */
#define RESERVE_MAX ((uint64_t)256 << 30)
#define RESERVE_MIN ((uint64_t)8 << 20)

struct mpl_arena_view mpl_arena = {.fd = -1};

/* What to try first: all, but at most a quarter of a limited address space. */
static uint64_t first_reserve(void) {
  uint64_t limit = mpl_limits_address_space();
  uint64_t size = RESERVE_MAX;
  while (size > RESERVE_MIN && size > limit / 4) size /= 2;
  return size;
}

/*
** Makes the arena with its first `size` bytes populated and zero. `populated_of` says where in it
** the number of populated bytes is kept. MPL_OK, or MPL_ERRNO and nothing is left behind.
*/
enum mpl_status mpl_arena_create(uint64_t size, mpl_a64 *(*populated_of)(void *base)) {
  int fd = mpl_os_memfd("mpl");
  if (fd < 0) return MPL_ERRNO;
  unsigned char *base = NULL;
  uint64_t reserve = first_reserve();
  while (reserve >= RESERVE_MIN && (base = mpl_os_reserve(fd, reserve)) == NULL) reserve /= 2;
  if (base == NULL || mpl_os_populate(fd, 0, size) != 0) {
    if (base != NULL) munmap(base, reserve);
    close(fd);
    return MPL_ERRNO;
  }
  mpl_arena = (struct mpl_arena_view){
      .base = base, .populated = populated_of(base), .reserve = reserve, .fd = fd};
  mpl_store64_rlx(mpl_arena.populated, size);
  return MPL_OK;
}

/* Gives memory to a range of the arena; MPL_NOMEM if there is none or it lies beyond the reserve.
   The caller counts it in `populated` afterwards. */
enum mpl_status mpl_arena_populate(uint64_t offset, uint64_t size) {
  if (offset > mpl_arena.reserve || size > mpl_arena.reserve - offset) return MPL_NOMEM;
  return mpl_os_populate(mpl_arena.fd, offset, size) == 0 ? MPL_OK : MPL_NOMEM;
}

/* Takes back what mpl_arena_create made, when making the rest of the arena has failed. */
void mpl_arena_destroy(void) {
  munmap(mpl_arena.base, mpl_arena.reserve);
  close(mpl_arena.fd);
  mpl_arena = (struct mpl_arena_view){.fd = -1};
}
