#include "vln_stop.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <time.h>

#include "vln_err.h"
#include "vln_mem.h"

struct vln_stop {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool stopped;
    bool nudged;
};

vln_stop_t *
vln_stop_new(void)
{
    vln_stop_t *self = vln_calloc(1, sizeof *self);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&self->mutex, NULL);
    pthread_cond_init(&self->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    return self;
}

void
vln_stop_destroy(vln_stop_t **self_p)
{
    vln_stop_t *self = *self_p;
    if (self) {
        pthread_cond_destroy(&self->changed);
        pthread_mutex_destroy(&self->mutex);
        free(self);
        *self_p = NULL;
    }
}

static void
wake(vln_stop_t *self, bool *flag)
{
    pthread_mutex_lock(&self->mutex);
    *flag = true;
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->mutex);
}

void
vln_stop_set(vln_stop_t *self)
{
    wake(self, &self->stopped);
}

void
vln_stop_nudge(vln_stop_t *self)
{
    wake(self, &self->nudged);
}

bool
vln_stop_wait(vln_stop_t *self, int64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + (ms % 1000) * 1000000;
    until.tv_sec += (time_t)(ms / 1000 + ns / 1000000000);
    until.tv_nsec = (long)(ns % 1000000000);

    pthread_mutex_lock(&self->mutex);
    int rc = 0;
    while (!self->stopped && !self->nudged && rc != ETIMEDOUT) {
        rc = pthread_cond_timedwait(&self->changed, &self->mutex, &until);
    }
    self->nudged = false;
    bool stopped = self->stopped;
    pthread_mutex_unlock(&self->mutex);
    return stopped;
}

int
vln_signals_open(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    vln_assert(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
    signal(SIGPIPE, SIG_IGN);
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    vln_assert(fd >= 0);
    return fd;
}
