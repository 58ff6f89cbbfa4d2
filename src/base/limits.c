/*
** See limits.h. A control group (version 2) is a folder under /sys/fs/cgroup; the limits of all
** folders from the process's own up to the root hold.
*/
#include "base/limits.h"

#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define ROOT "/sys/fs/cgroup"

/* The folder of the process's own group; the root's if it is not known. */
static void own_group(char *path, size_t size) {
  char line[512] = "";
  FILE *f = fopen("/proc/self/cgroup", "re");
  bool found = false;
  while (f != NULL && !found && fgets(line, sizeof line, f) != NULL)
    found = strncmp(line, "0::", 3) == 0;
  if (f != NULL) fclose(f);
  line[strcspn(line, "\n")] = '\0';
  snprintf(path, size, ROOT "%s", found ? line + 3 : "");
}

/* Calls `read` with each file of this name from the process's group upwards. */
static void for_each_group(const char *name, void (*read)(FILE *f, uint64_t *least),
                           uint64_t *least) {
  char path[600], file[700];
  own_group(path, sizeof path);
  for (;;) {
    snprintf(file, sizeof file, "%s/%s", path, name);
    FILE *f = fopen(file, "re");
    if (f != NULL) {
      read(f, least);
      fclose(f);
    }
    char *slash = strrchr(path + sizeof ROOT - 1, '/');
    if (slash == NULL) return;
    *slash = '\0';
  }
}

static void read_quota(FILE *f, uint64_t *least) {
  unsigned long long time, period;
  if (fscanf(f, "%llu %llu", &time, &period) == 2 && time > 0 && period > 0 &&
      (time + period - 1) / period < *least)
    *least = (time + period - 1) / period;
}

static void read_bytes(FILE *f, uint64_t *least) {
  unsigned long long bytes;
  if (fscanf(f, "%llu", &bytes) == 1 && bytes > 0 && bytes < *least) *least = bytes;
}

/* CPUs that the caller may use, at least 1: its affinity, and quotas rounded up to whole CPUs. */
int mpl_limits_cpus(void) {
  cpu_set_t set;
  long n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set)
                                                       : sysconf(_SC_NPROCESSORS_ONLN);
  uint64_t least = n < 1 ? 1 : (uint64_t)n;
  for_each_group("cpu.max", read_quota, &least);
  return (int)least;
}

/* Bytes of memory: the machine's, or the smallest limit of a group. */
uint64_t mpl_limits_memory(void) {
  long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
  uint64_t least = pages < 1 || page < 1 ? UINT64_MAX : (uint64_t)pages * (uint64_t)page;
  for_each_group("memory.max", read_bytes, &least);
  return least;
}

/* Bytes of address space; SIZE_MAX if that is not limited. */
size_t mpl_limits_address_space(void) {
  struct rlimit r;
  if (getrlimit(RLIMIT_AS, &r) != 0 || r.rlim_cur == RLIM_INFINITY) return SIZE_MAX;
  return (size_t)r.rlim_cur;
}
