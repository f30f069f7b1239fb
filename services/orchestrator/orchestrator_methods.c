#include "orchestrator.h"

#define SERVICES                                                                                 \
    (VLN_ROLE(REGISTRY) | VLN_ROLE(VALIDATOR) | VLN_ROLE(TRAINER) | VLN_ROLE(DEPLOYER_SERVICE) | \
     VLN_ROLE(RUNNER) | VLN_ROLE(GATEWAY))
#define PEOPLE                                                                            \
    (VLN_ROLE(PUBLISHER) | VLN_ROLE(DEPLOYER) | VLN_ROLE(OPERATOR) | VLN_ROLE(APPROVER) | \
     VLN_ROLE(ADMIN))
#define OPERATORS (VLN_ROLE(OPERATOR) | VLN_ROLE(ADMIN))
#define READERS   (PEOPLE | SERVICES | VLN_ROLE(VIEWER) | VLN_ROLE(WORKER))

/* clang-format off */
const vln_method_t orchestrator_methods[] = {
    /* method         handler                     roles              flags                       body_max */
    {"SubmitJob",    orchestrator_submit_job,    PEOPLE | SERVICES, VLN_MUTATES | VLN_BATCHES, 131072},
    {"GetJob",       orchestrator_get_job,       READERS,           VLN_BATCHES | VLN_PARKS,   1024},
    {"ListJobs",     orchestrator_list_jobs,     READERS,           0,                         4096},
    {"CancelJob",    orchestrator_cancel_job,    PEOPLE | SERVICES, VLN_MUTATES,               4096},
    {"RequeueJob",   orchestrator_requeue_job,   PEOPLE,            VLN_MUTATES,               1024},
    {"LeaseTasks",   orchestrator_lease_tasks,   VLN_ROLE(WORKER),  VLN_BATCHES | VLN_PARKS,   8192},
    {"Heartbeat",    orchestrator_heartbeat,     VLN_ROLE(WORKER),  0,                         131072},
    {"CompleteTask", orchestrator_complete_task, VLN_ROLE(WORKER),  VLN_BATCHES,               65536},
    {"CompleteTasks", orchestrator_complete_tasks, VLN_ROLE(WORKER), VLN_BATCHES,              262144},
    {"ApplyPipeline", orchestrator_apply_pipeline, OPERATORS,        VLN_MUTATES,              327680},
    {"GetPipeline",   orchestrator_get_pipeline,   READERS,          0,                        1024},
    {"ListPipelines", orchestrator_list_pipelines, READERS,          0,                        4096},
    {"SubmitRun",     orchestrator_submit_run,     PEOPLE | SERVICES, VLN_MUTATES,             131072},
    {"GetRun",        orchestrator_get_run,        READERS,          VLN_PARKS,                1024},
    {"ListRuns",      orchestrator_list_runs,      READERS,          0,                        4096},
    {"ChangeRun",     orchestrator_change_run,     PEOPLE | SERVICES, VLN_MUTATES,             4096},
    {"AppendLog",     orchestrator_append_log,     VLN_ROLE(WORKER), VLN_MUTATES,              262144},
    {"ReadLog",       orchestrator_read_log,       READERS,          VLN_PARKS,                1024},
};
/* clang-format on */
const size_t orchestrator_method_count = VLN_COUNT(orchestrator_methods);

const char *const orchestrator_planned[] = {
    "ApplySchedule",
    "ListSchedules",
    "DeleteSchedule",
    "Backfill",
};
const size_t orchestrator_planned_count = VLN_COUNT(orchestrator_planned);
