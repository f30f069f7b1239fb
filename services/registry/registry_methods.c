#include "registry.h"
#include "registry_handlers.h"
#include "valion/v1/registry.pb-c.h"

#define READERS                                                                         \
    (VLN_ROLE(VIEWER) | VLN_ROLE(PUBLISHER) | VLN_ROLE(DEPLOYER) | VLN_ROLE(OPERATOR) | \
     VLN_ROLE(APPROVER) | VLN_ROLE(ADMIN) | SERVICES)
#define SERVICES                                                                                 \
    (VLN_ROLE(REGISTRY) | VLN_ROLE(VALIDATOR) | VLN_ROLE(TRAINER) | VLN_ROLE(DEPLOYER_SERVICE) | \
     VLN_ROLE(RUNNER) | VLN_ROLE(ORCHESTRATOR) | VLN_ROLE(GATEWAY) | VLN_ROLE(WORKER))
#define WRITERS   (VLN_ROLE(PUBLISHER) | VLN_ROLE(ADMIN) | VLN_ROLE(TRAINER))
#define OPERATORS (VLN_ROLE(ADMIN) | VLN_ROLE(OPERATOR))
#define EDITORS   (WRITERS | OPERATORS)
#define DELETERS  (VLN_ROLE(PUBLISHER) | VLN_ROLE(ADMIN))
/* Who opens a model's file says what it takes. */
#define INSPECTORS (VLN_ROLE(VALIDATOR) | VLN_ROLE(TRAINER))
/* Bytes alone change nothing: a version or a report has to name them. */
#define UPLOADERS (WRITERS | VLN_ROLE(VALIDATOR))

/* clang-format off */
const vln_method_t registry_methods[] = {
    /* method          handler                     roles      flags                      body_max */
    {"CreateModel",     registry_create_model,      WRITERS,   VLN_MUTATES | VLN_BATCHES, 65536},
    {"GetModel",        registry_get_model,         READERS,   VLN_BATCHES,               4096},
    {"ListModels",      registry_list_models,       READERS,   0,                         4096},
    {"UpdateModel",     registry_update_model,      EDITORS,   VLN_MUTATES,               65536},
    {"DeleteModel",     registry_delete_model,      DELETERS,  VLN_MUTATES,               1024},
    {"CreateVersion",   registry_create_version,    WRITERS,   VLN_MUTATES | VLN_BATCHES, 262144},
    {"GetVersion",      registry_get_version,       READERS,   VLN_BATCHES,               4096},
    {"ListVersions",    registry_list_versions,     READERS,   0,                         4096},
    {"UpdateVersion",   registry_update_version,    EDITORS,   VLN_MUTATES,               65536},
    {"DeleteVersion",   registry_delete_version,    DELETERS,  VLN_MUTATES,               1024},
    {"SetAlias",        registry_set_alias,         EDITORS,   VLN_MUTATES,               1024},
    {"SetSignature",    registry_set_signature,     INSPECTORS, VLN_MUTATES,              131072},
    {"Promote",         registry_promote,           OPERATORS, VLN_MUTATES,               4096},
    {"GetHistory",      registry_get_history,       READERS,   0,                         1024},
    {"PutReport",       registry_put_report,        VLN_ROLE(VALIDATOR), VLN_MUTATES,     230400},
    {"GetReport",       registry_get_report,        READERS,   0,                         1024},
    {"ListReports",     registry_list_reports,      READERS,   0,                         1024},
    {"PutPolicy",       registry_put_policy,        VLN_ROLE(ADMIN), VLN_MUTATES,         131072},
    {"GetPolicy",       registry_get_policy,        READERS,   0,                         1024},
    {"ListPolicies",    registry_list_policies,     READERS,   0,                         1024},
    {"OpenGrant",       registry_open_grant,        VLN_ROLE(DEPLOYER_SERVICE), VLN_MUTATES, 1024},
    {"CloseGrant",      registry_close_grant,       VLN_ROLE(DEPLOYER_SERVICE), VLN_MUTATES, 1024},
    {"GetServingAt",    registry_get_serving_at,    READERS,   0,                         1024},
    {"GetChunk",        registry_get_chunk,         READERS,   0,                         1024},
    {"GetArtifactInfo", registry_get_artifact_info, READERS,   0,                         1024},
    {"BeginUpload",     registry_begin_upload,      UPLOADERS, 0,                         1024},
    {"PutChunk",        registry_put_chunk,         UPLOADERS, VLN_BATCHES,               1024},
    {"CommitUpload",    registry_commit_upload,     UPLOADERS, 0,                         1024},
    {"CreateDataset",   registry_create_dataset,    WRITERS,   VLN_MUTATES | VLN_BATCHES, 131072},
    {"GetDataset",      registry_get_dataset,       READERS,   0,                         1024},
    {"ListDatasets",    registry_list_datasets,     READERS,   0,                         4096},
    {"SuggestVersion",  registry_suggest_version,   READERS,   0,                         4096},
    {"CompareVersions", registry_compare_versions,  READERS,   0,                         4096},
    {"CheckRange",      registry_check_range,       READERS,   0,                         163840},
    {"PutVersionRule",  registry_put_version_rule,  VLN_ROLE(ADMIN), VLN_MUTATES,         4096},
    {"ListVersionRules", registry_list_version_rules, READERS, 0,                         1024},
    {"GetChangelog",    registry_get_changelog,     READERS,   0,                         1024},
    {"GetModelCard",    registry_get_model_card,    READERS,   0,                         1024},
    {"GetLineage",      registry_get_lineage,       READERS,   0,                         1024},
    {"ReadEvents",      registry_read_events,       READERS,   VLN_PARKS,                 8192},
    {"SignHead",        registry_sign_head,         OPERATORS, 0,                         1024},
    {"ListHeads",       registry_list_heads,        READERS,   0,                         1024},
};
/* clang-format on */
const size_t registry_method_count = VLN_COUNT(registry_methods);

/* All of the contract is there. */
const char *const registry_planned[] = {NULL};
const size_t registry_planned_count = 0;
