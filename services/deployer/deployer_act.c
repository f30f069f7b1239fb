#include "deployer_act.h"

#include <string.h>

#include "vln_digest.h"

#include "deployer_reference.h"
#include "quantity.h"

enum { FRESH_US = 60 * 1000 * 1000 };

/* ---- reading ---- */

static bool
offers(const deployer_host_t *host, const char *environment)
{
    for (size_t i = 0; i < host->environment_count; i++) {
        if (strcmp(host->environments[i]->name, environment) == 0) {
            return host->now_us - host->seen_us < FRESH_US;
        }
    }
    return false;
}

static bool
is_wanted(const Valion__V1__RolloutSpec *spec, const char *host)
{
    for (size_t i = 0; i < spec->n_hosts; i++) {
        if (strcmp(spec->hosts[i], host) == 0) {
            return true;
        }
    }
    return spec->n_hosts == 0;
}

vln_err_t
deployer_scene_read(deployer_store_t *store, vln_arena_t *arena, deployer_rollout_t *rollout,
                    deployer_scene_t *out)
{
    const Valion__V1__RolloutSpec *spec = rollout->record->spec;
    deployer_host_t *hosts = NULL;
    size_t count = 0;
    *out = (deployer_scene_t){.rollout = rollout};
    vln_err_t err =
        deployer_store_get_endpoint(store, arena, spec->environment, spec->model, &out->endpoint);
    if (err == VLN_OK) {
        err = deployer_store_list_instances(
            store, arena,
            &(deployer_place_t){.environment = spec->environment, .model = spec->model},
            &out->instances, &out->instance_count);
    }
    if (err == VLN_OK) {
        err = deployer_store_list_hosts(store, arena, &hosts, &count);
    }
    out->hosts = vln_arena_alloc(arena, (count + 1) * sizeof *out->hosts);
    for (size_t i = 0; i < count && err == VLN_OK; i++) {
        if (offers(&hosts[i], spec->environment) && is_wanted(spec, hosts[i].name)) {
            out->hosts[out->host_count++] = hosts[i];
        }
    }
    return err;
}

bool
deployer_scene_owns(const deployer_scene_t *self, const deployer_instance_t *instance)
{
    return memcmp(instance->rollout_id.bytes, self->rollout->id.bytes, VLN_ID_BYTES) == 0;
}

/* ---- instances ---- */

static void
add_artifacts(const Valion__V1__Version *version, Valion__V1__WantedInstance *wanted,
              vln_arena_t *arena)
{
    wanted->artifacts = vln_arena_alloc(arena, (version->n_artifacts + 1) * sizeof(void *));
    for (size_t i = 0; i < version->n_artifacts; i++) {
        const Valion__V1__Artifact *artifact = version->artifacts[i];
        Valion__V1__HostArtifact *host = vln_arena_alloc(arena, sizeof *host);
        valion__v1__host_artifact__init(host);
        host->role = artifact->role;
        host->has_digest = host->has_size_bytes = 1;
        host->digest = artifact->digest;
        host->size_bytes = artifact->size_bytes;
        host->filename = artifact->filename;
        wanted->artifacts[wanted->n_artifacts++] = host;
    }
}

/* Sample rows that were established after the version was made are no artifact of it. */
static void
add_samples(const Valion__V1__Version *version, Valion__V1__WantedInstance *wanted,
            vln_arena_t *arena)
{
    bool there = false;
    for (size_t i = 0; i < wanted->n_artifacts; i++) {
        there = there || strcmp(wanted->artifacts[i]->role, "samples") == 0;
    }
    if (!there && version->samples_digest.len == VLN_DIGEST_BYTES) {
        Valion__V1__HostArtifact *host = vln_arena_alloc(arena, sizeof *host);
        valion__v1__host_artifact__init(host);
        host->role = vln_arena_strdup(arena, "samples");
        host->has_digest = 1;
        host->digest = version->samples_digest;
        wanted->artifacts[wanted->n_artifacts++] = host;
        there = true;
    }
    wanted->has_smoke = 1;
    wanted->smoke = there;
}

static Valion__V1__WantedInstance *
make_wanted(const deployer_scene_t *scene, const vln_id_t *id, vln_arena_t *arena)
{
    const Valion__V1__RolloutSpec *spec = scene->rollout->record->spec;
    const Valion__V1__Version *version = scene->rollout->version;
    Valion__V1__WantedInstance *wanted = vln_arena_alloc(arena, sizeof *wanted);
    valion__v1__wanted_instance__init(wanted);
    wanted->has_instance_id = wanted->has_rollout_id = wanted->has_digest = 1;
    wanted->instance_id =
        (ProtobufCBinaryData){VLN_ID_BYTES, vln_arena_memdup(arena, id->bytes, VLN_ID_BYTES)};
    wanted->rollout_id = scene->rollout->record->rollout_id;
    wanted->environment = spec->environment;
    wanted->model = spec->model;
    wanted->version = version->version;
    wanted->digest = version->digest;
    wanted->signature = version->signature;
    wanted->environment_variables = spec->environment_variables;
    wanted->n_environment_variables = spec->n_environment_variables;
    wanted->has_cpu_millis = wanted->has_memory_bytes = 1;
    wanted->has_ready_timeout_ms = wanted->has_drain_ms = 1;
    wanted->ready_timeout_ms = spec->health_check_timeout_ms;
    wanted->drain_ms = spec->drain_ms;
    wanted->min_isolation = spec->min_isolation;
    vln_assert(quantity_read_cpu(spec->cpu_limit, &wanted->cpu_millis) &&
               quantity_read_memory(spec->memory_limit, &wanted->memory_bytes));
    add_artifacts(version, wanted, arena);
    add_samples(version, wanted, arena);
    wanted->smoke = wanted->smoke && !spec->skip_smoke;
    return wanted;
}

static bool
is_version(const deployer_scene_t *scene, const deployer_instance_t *instance)
{
    const ProtobufCBinaryData *digest = &scene->rollout->version->digest;
    return strcmp(instance->wanted->version, scene->rollout->version->version) == 0 &&
           instance->wanted->digest.len == digest->len &&
           memcmp(instance->wanted->digest.data, digest->data, digest->len) == 0;
}

/* What is warm already is taken; the rest is started, spread over the hosts. */
static vln_err_t
start(deployer_store_t *store, vln_arena_t *arena, deployer_scene_t *scene)
{
    uint32_t left = scene->rollout->record->spec->min_replicas;
    vln_err_t err = VLN_OK;
    for (size_t i = 0; i < scene->instance_count && left > 0 && err == VLN_OK; i++) {
        deployer_instance_t *instance = &scene->instances[i];
        if (instance->part == DEPLOYER_WARM && is_version(scene, instance)) {
            instance->part = DEPLOYER_NEW;
            instance->rollout_id = scene->rollout->id;
            instance->warm_until_us = 0;
            err = deployer_store_save_instance(store, instance);
            left--;
        }
    }
    for (uint32_t i = 0; i < left && err == VLN_OK; i++) {
        deployer_instance_t instance = {.id = vln_id_new(),
                                        .rollout_id = scene->rollout->id,
                                        .host = scene->hosts[i % scene->host_count].name,
                                        .part = DEPLOYER_NEW};
        instance.wanted = make_wanted(scene, &instance.id, arena);
        err = deployer_reference_give(store, arena, scene->rollout->version, &instance);
        if (err == VLN_OK) {
            err = deployer_store_save_instance(store, &instance);
        }
    }
    return err;
}

/* What never came to life on its host is gone at once, the rest is told to stop. */
static vln_err_t
discard(deployer_store_t *store, deployer_scene_t *scene)
{
    vln_err_t err = VLN_OK;
    for (size_t i = 0; i < scene->instance_count && err == VLN_OK; i++) {
        deployer_instance_t *instance = &scene->instances[i];
        if (deployer_scene_owns(scene, instance) && instance->part != DEPLOYER_STOPPING) {
            instance->part = DEPLOYER_STOPPING;
            err = deployer_store_save_instance(store, instance);
        }
    }
    return err;
}

/* ---- the endpoint ---- */

static vln_err_t
serve(deployer_store_t *store, deployer_scene_t *scene, const vln_id_t *rollout,
      const char *version, ProtobufCBinaryData digest)
{
    deployer_endpoint_t *endpoint = &scene->endpoint;
    Valion__V1__Revision revision = VALION__V1__REVISION__INIT;
    endpoint->stable = *rollout;
    endpoint->has_stable = true;
    revision.number = (uint64_t)++endpoint->revision;
    revision.version = (char *)(uintptr_t)version;
    revision.digest = digest;
    revision.rollout_id = (ProtobufCBinaryData){VLN_ID_BYTES, (uint8_t *)(uintptr_t)rollout->bytes};
    revision.actor = scene->rollout->record->actor;
    revision.why = (char *)(uintptr_t)scene->why;
    vln_err_t err =
        deployer_store_add_revision(store, endpoint->environment, endpoint->model, &revision);
    return err == VLN_OK ? deployer_store_save_endpoint(store, endpoint) : err;
}

/* Kept warm at least as long as the new version is watched: a rollback goes there. */
static int64_t
warm_until(const deployer_scene_t *scene)
{
    const Valion__V1__RolloutSpec *spec = scene->rollout->record->spec;
    int64_t ms = spec->keep_warm_ms;
    int64_t watched = spec->watch ? spec->watch->duration_ms : 0;
    ms = ms > watched + 60000 ? ms : watched + 60000;
    return scene->rollout->now_us + ms * 1000;
}

static vln_err_t
switch_over(deployer_store_t *store, deployer_scene_t *scene)
{
    vln_err_t err = VLN_OK;
    for (size_t i = 0; i < scene->instance_count && err == VLN_OK; i++) {
        deployer_instance_t *instance = &scene->instances[i];
        if (deployer_scene_owns(scene, instance)) {
            instance->part = DEPLOYER_STABLE;
            err = deployer_store_save_instance(store, instance);
        } else if (instance->part == DEPLOYER_STABLE) {
            instance->part = DEPLOYER_WARM;
            instance->warm_until_us = warm_until(scene);
            err = deployer_store_save_instance(store, instance);
        }
    }
    scene->rollout->promoted = true;
    if (err == VLN_OK) {
        err = serve(store, scene, &scene->rollout->id, scene->rollout->version->version,
                    scene->rollout->version->digest);
    }
    scene->rollout->record->has_revision = 1;
    scene->rollout->record->revision = (uint64_t)scene->endpoint.revision;
    return err;
}

/* True if it is one of those that served before this rollout. */
static bool
is_previous(const deployer_scene_t *scene, const deployer_instance_t *instance)
{
    const Valion__V1__Rollout *record = scene->rollout->record;
    return instance->part == DEPLOYER_WARM && !deployer_scene_owns(scene, instance) &&
           record->previous_version &&
           strcmp(instance->wanted->version, record->previous_version) == 0 &&
           instance->wanted->digest.len == record->previous_digest.len &&
           memcmp(instance->wanted->digest.data, record->previous_digest.data,
                  record->previous_digest.len) == 0;
}

static vln_err_t
restore(deployer_store_t *store, deployer_scene_t *scene)
{
    const deployer_instance_t *restored = NULL;
    vln_err_t err = VLN_OK;
    for (size_t i = 0; i < scene->instance_count && err == VLN_OK; i++) {
        deployer_instance_t *instance = &scene->instances[i];
        if (is_previous(scene, instance)) {
            instance->part = DEPLOYER_STABLE;
            instance->warm_until_us = 0;
            restored = instance;
            err = deployer_store_save_instance(store, instance);
        }
    }
    if (err == VLN_OK && restored) {
        err = serve(store, scene, &restored->rollout_id, restored->wanted->version,
                    restored->wanted->digest);
    } else if (err == VLN_OK) {
        scene->endpoint.has_stable = false;
        err = deployer_store_save_endpoint(store, &scene->endpoint);
    }
    return err == VLN_OK ? discard(store, scene) : err;
}

vln_err_t
deployer_act(deployer_store_t *store, vln_arena_t *arena, deployer_scene_t *scene,
             rollout_action_t action)
{
    switch (action) {
    case ROLLOUT_START:
        return start(store, arena, scene);
    case ROLLOUT_SWITCH:
        return switch_over(store, scene);
    case ROLLOUT_DISCARD:
        return discard(store, scene);
    case ROLLOUT_RESTORE:
        return restore(store, scene);
    default:
        return VLN_OK;
    }
}
