/*
 * vln_processors - how many processors this process may use: what decides how many threads are of use.
 */
#ifndef VLN_PROCESSORS_H
#define VLN_PROCESSORS_H

#include <stddef.h>

/* By its affinity and by its cgroup's quota, rounded up; at least 1. */
size_t vln_processors(void);

/* By the quota of the cgroup that is mounted at this folder (version 2: cpu.max; version 1:
 * cpu/cpu.cfs_quota_us), rounded up; 0: it has none. */
size_t vln_processors_of_cgroup(const char *folder);

#endif
