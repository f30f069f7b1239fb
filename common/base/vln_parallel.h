/*
 * vln_parallel - one loop on several threads: for work on numbers that is long enough to be worth
 * starting threads for, a millisecond or more.
 */
#ifndef VLN_PARALLEL_H
#define VLN_PARALLEL_H

#include <stddef.h>

typedef void vln_parallel_fn(void *context, size_t i);

/*
 * Calls work(context, i) once for each i below `count`, in any order, on up to `threads` threads, one
 * of which is the caller's; returns when all calls have. What each writes must be its own: then the
 * outcome does not depend on how many threads there are. Where no thread can be started, fewer do it.
 */
void vln_parallel(size_t threads, size_t count, vln_parallel_fn *work, void *context);

#endif
