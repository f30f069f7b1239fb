#include "vln_parallel.h"

#include <pthread.h>
#include <stdatomic.h>

enum { THREADS_MAX = 64 };

typedef struct loop {
    vln_parallel_fn *work;
    void *context;
    size_t count;
    atomic_size_t next;
} loop_t;

static void *
run(void *argument)
{
    loop_t *self = argument;
    for (size_t i = atomic_fetch_add(&self->next, 1); i < self->count;
         i = atomic_fetch_add(&self->next, 1)) {
        self->work(self->context, i);
    }
    return NULL;
}

void
vln_parallel(size_t threads, size_t count, vln_parallel_fn *work, void *context)
{
    loop_t self = {.work = work, .context = context, .count = count};
    pthread_t others[THREADS_MAX];
    size_t started = 0;
    size_t wanted = threads < count ? threads : count;
    atomic_init(&self.next, 0);
    while (started + 1 < wanted && started < THREADS_MAX &&
           pthread_create(&others[started], NULL, run, &self) == 0) {
        started++;
    }
    run(&self);
    while (started > 0) {
        pthread_join(others[--started], NULL);
    }
}
