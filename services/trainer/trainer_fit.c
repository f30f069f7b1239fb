#include "trainer_fit.h"

static bool
is_stopped(const void *task)
{
    return vln_task_is_stopped(task);
}

bool
trainer_fit_run(vln_worker_t *worker, vln_task_t *task, vln_fit_t *fit, vln_fitted_t *out)
{
    const trainer_slot_t *slot = worker->own;
    const trainer_config_t *config = slot->trainer->config;
    const vln_fit_config_t limits = {config->fit, (uint64_t)config->memory_mib * 1024 * 1024};
    char why[VLN_FIT_WHY];
    fit->is_stopped = is_stopped;
    fit->context = task;
    vln_fit_ending_t ending = vln_fit_run(&limits, fit, out, why);
    switch (ending) {
    case VLN_FIT_CRASHED:
    case VLN_FIT_TIME:
        trainer_count(worker, TRAINER_CRASHES, 1);
        vln_task_crash(task, "%s", why);
        break;
    case VLN_FIT_REFUSED:
    case VLN_FIT_ABSENT:
        vln_task_fail(task, ending == VLN_FIT_ABSENT, "%s", why);
        break;
    case VLN_FIT_DONE:
    case VLN_FIT_STOPPED:
        break;
    }
    return ending == VLN_FIT_DONE;
}
