#include "deployer_act.h"

#include <string.h>

#include "deployer_reference.h"

enum {
    FRESH_US = 60 * 1000 * 1000,
    WATCH_MARGIN_MS = 10 * 1000, /* the watch begins a moment after the switch */
};

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

/* What is warm already is taken; the rest is started where it was placed. */
static vln_err_t
start(deployer_store_t *store, vln_arena_t *arena, deployer_scene_t *scene)
{
    vln_err_t err = VLN_OK;
    for (size_t i = 0; i < scene->taken_count && err == VLN_OK; i++) {
        deployer_instance_t *instance = scene->taken[i];
        instance->part = DEPLOYER_NEW;
        instance->rollout_id = scene->rollout->id;
        instance->warm_until_us = 0;
        err = deployer_store_save_instance(store, instance);
    }
    for (size_t i = 0; i < scene->placed_count && err == VLN_OK; i++) {
        deployer_instance_t *instance = &scene->placed[i];
        err = deployer_reference_give(store, arena, scene->rollout->version, instance);
        if (err == VLN_OK) {
            err = deployer_store_save_instance(store, instance);
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
    int64_t watched_ms = (spec->watch ? spec->watch->duration_ms : 0) + WATCH_MARGIN_MS;
    int64_t ms = spec->keep_warm_ms > watched_ms ? spec->keep_warm_ms : watched_ms;
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
