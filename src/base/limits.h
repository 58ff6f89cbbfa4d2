/*
** How much of the machine this process may use: affinity and the quotas of control groups counted.
*/
#ifndef MPL_BASE_LIMITS_H
#define MPL_BASE_LIMITS_H

#include <stddef.h>
#include <stdint.h>

int mpl_limits_cpus(void);
uint64_t mpl_limits_memory(void);
size_t mpl_limits_address_space(void);

#endif
