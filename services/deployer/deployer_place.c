#include "deployer_place.h"

#include <string.h>

#include "vln_digest.h"

#include "quantity.h"
#include "room.h"

/* ---- what an instance is to be ---- */

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
    wanted->startup = spec->startup;
    wanted->readiness = spec->readiness;
    wanted->liveness = spec->liveness;
    wanted->has_batch_max = spec->has_batch_max;
    wanted->batch_max = spec->batch_max;
    wanted->has_batch_wait_micros = spec->has_batch_wait_micros;
    wanted->batch_wait_micros = spec->batch_wait_micros;
    vln_assert(quantity_read_cpu(spec->cpu_limit, &wanted->cpu_millis) &&
               quantity_read_memory(spec->memory_limit, &wanted->memory_bytes));
    add_artifacts(version, wanted, arena);
    add_samples(version, wanted, arena);
    wanted->smoke = wanted->smoke && !spec->skip_smoke;
    return wanted;
}

/* ---- where it goes ---- */

static bool
is_version(const deployer_scene_t *scene, const deployer_instance_t *instance)
{
    const ProtobufCBinaryData *digest = &scene->rollout->version->digest;
    return strcmp(instance->wanted->version, scene->rollout->version->version) == 0 &&
           instance->wanted->digest.len == digest->len &&
           memcmp(instance->wanted->digest.data, digest->data, digest->len) == 0;
}

static void
take_warm(deployer_scene_t *scene, size_t wanted, vln_arena_t *arena)
{
    scene->taken = vln_arena_alloc(arena, (wanted + 1) * sizeof(void *));
    for (size_t i = 0; i < scene->instance_count && scene->taken_count < wanted; i++) {
        deployer_instance_t *instance = &scene->instances[i];
        if (instance->part == DEPLOYER_WARM && is_version(scene, instance)) {
            scene->taken[scene->taken_count++] = instance;
        }
    }
}

/* What each host's instances need already; columns give way to a new instance, so without them. */
static vln_err_t
read_rooms(deployer_store_t *store, const deployer_scene_t *scene, room_t *rooms,
           vln_arena_t *arena)
{
    vln_err_t err = VLN_OK;
    for (size_t i = 0; i < scene->host_count && err == VLN_OK; i++) {
        deployer_instance_t *there = NULL;
        size_t count = 0;
        err = deployer_store_list_instances(
            store, arena, &(deployer_place_t){.host = scene->hosts[i].name}, &there, &count);
        for (size_t j = 0; j < count && err == VLN_OK; j++) {
            room_add_bare(&rooms[i], there[j].wanted, arena);
        }
    }
    return err;
}

/* The next host in turn that has room; host_count: none. */
static size_t
find_host(const deployer_scene_t *scene, size_t turn, room_t *rooms,
          const Valion__V1__WantedInstance *wanted, vln_arena_t *arena)
{
    for (size_t i = 0; i < scene->host_count; i++) {
        size_t at = (turn + i) % scene->host_count;
        if (room_take(&rooms[at], wanted, arena)) {
            return at;
        }
    }
    return scene->host_count;
}

vln_err_t
deployer_place(deployer_store_t *store, vln_arena_t *arena, deployer_scene_t *scene)
{
    uint32_t replicas = scene->rollout->record->spec->min_replicas;
    room_t *rooms = vln_arena_alloc(arena, (scene->host_count + 1) * sizeof *rooms);
    take_warm(scene, replicas, arena);
    size_t wanted = replicas - scene->taken_count;
    scene->placed = vln_arena_alloc(arena, (wanted + 1) * sizeof *scene->placed);
    vln_err_t err = read_rooms(store, scene, rooms, arena);
    size_t turn = 0;
    while (err == VLN_OK && scene->host_count > 0 && scene->placed_count < wanted) {
        deployer_instance_t *instance = &scene->placed[scene->placed_count];
        instance->id = vln_id_new();
        instance->rollout_id = scene->rollout->id;
        instance->part = DEPLOYER_NEW;
        instance->wanted = make_wanted(scene, &instance->id, arena);
        size_t at = find_host(scene, turn, rooms, instance->wanted, arena);
        if (at == scene->host_count) {
            scene->no_room = vln_arena_printf(
                arena,
                "%zu host%s can be told of %zu of %zu instances more: at most 256 a host, fewer of "
                "models with many columns; want fewer replicas, stop what need not serve, or run "
                "another host",
                scene->host_count, scene->host_count == 1 ? "" : "s", scene->placed_count, wanted);
            break;
        }
        instance->host = scene->hosts[at].name;
        scene->placed_count++;
        turn = at + 1;
    }
    return err;
}
