#include "deployer.h"

#define READERS                                                                         \
    (VLN_ROLE(VIEWER) | VLN_ROLE(PUBLISHER) | VLN_ROLE(DEPLOYER) | VLN_ROLE(OPERATOR) | \
     VLN_ROLE(APPROVER) | VLN_ROLE(ADMIN) | VLN_ROLE(GATEWAY) | VLN_ROLE(DEPLOYER_SERVICE))
/* The service itself is among them: a task's calls show a ticket, whose submitter had the role. */
#define DEPLOYERS (VLN_ROLE(DEPLOYER) | VLN_ROLE(ADMIN) | VLN_ROLE(DEPLOYER_SERVICE))
#define RUNNERS   VLN_ROLE(RUNNER)

/* clang-format off */
const vln_method_t deployer_methods[] = {
    /* method             handler                      roles      flags        body_max */
    {"CreateRollout",    deployer_create_rollout,     DEPLOYERS, VLN_MUTATES, 65536},
    {"GetRollout",       deployer_get_rollout,        READERS,   0,           1024},
    {"ListRollouts",     deployer_list_rollouts,      READERS,   0,           4096},
    {"ChangeRollout",    deployer_change_rollout,     DEPLOYERS, VLN_MUTATES, 4096},
    {"Rollback",         deployer_rollback,           DEPLOYERS, VLN_MUTATES, 4096},
    {"WatchRollout",     deployer_watch_rollout,      READERS,   VLN_PARKS,   1024},
    {"ListDecisions",    deployer_list_decisions,     READERS,   0,           1024},
    {"ListEndpoints",    deployer_list_endpoints,     READERS,   0,           4096},
    {"ListRevisions",    deployer_list_revisions,     READERS,   0,           4096},
    {"ListEnvironments", deployer_list_environments,  READERS,   0,           1024},
    {"StopServing",      deployer_stop_serving,       DEPLOYERS, VLN_MUTATES, 4096},
    {"SetWatchRule",     deployer_set_watch_rule,     DEPLOYERS, VLN_MUTATES, 8192},
    {"ListWatchRules",   deployer_list_watch_rules,   READERS,   0,           4096},
    {"GetHostState",     deployer_get_host_state,     RUNNERS,   VLN_PARKS,   16384},
    {"ReportHostState",  deployer_report_host_state,  RUNNERS,   0,           262144},
    {"ListHosts",        deployer_list_hosts,         READERS,   0,           1024},
};
/* clang-format on */
const size_t deployer_method_count = VLN_COUNT(deployer_methods);
