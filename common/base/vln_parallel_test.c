#include "vln_parallel.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdatomic.h>

enum { COUNT = 1000 };

static void
mark(void *context, size_t i)
{
    atomic_fetch_add(&((atomic_int *)context)[i], 1);
}

Test(vln_parallel, each_is_done_once_by_any_number_of_threads)
{
    static const size_t threads[] = {0, 1, 2, 7, 64, 1000};
    for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
        static atomic_int done[COUNT];
        for (size_t at = 0; at < COUNT; at++) {
            atomic_init(&done[at], 0);
        }
        vln_parallel(threads[i], COUNT, mark, done);
        for (size_t at = 0; at < COUNT; at++) {
            cr_assert(atomic_load(&done[at]) == 1);
        }
    }
}

Test(vln_parallel, nothing_is_done_where_there_is_nothing)
{
    atomic_int done[1];
    atomic_init(&done[0], 0);
    vln_parallel(4, 0, mark, done);
    cr_expect(atomic_load(&done[0]) == 0);
    vln_parallel(4, 1, mark, done);
    cr_expect(atomic_load(&done[0]) == 1);
}
