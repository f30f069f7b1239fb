#include "deployer_reference.h"

#include <string.h>

#include "vln_log.h"
#include "vln_pb.h"

#include "reference.h"
#include "room.h"

bool
deployer_reference_id(const Valion__V1__Version *version, vln_arena_t *arena,
                      uint8_t out[VLN_DIGEST_BYTES])
{
    size_t size = 0;
    if (version->profile_digest.len != VLN_DIGEST_BYTES || !version->signature) {
        return false;
    }
    const uint8_t *signature = vln_pb_pack(&version->signature->base, arena, &size);
    vln_digest_t *digest = vln_digest_begin();
    vln_digest_add(digest, version->profile_digest.data, VLN_DIGEST_BYTES);
    vln_digest_add(digest, signature, size);
    vln_digest_end(&digest, out);
    return true;
}

/* ---- fetching ---- */

/* As the version's record says; an inspected version's profile is no artifact of its own, and is as
 * large as the validator makes one. */
static bool
is_too_large(const Valion__V1__Version *version)
{
    for (size_t i = 0; i < version->n_artifacts; i++) {
        const Valion__V1__Artifact *artifact = version->artifacts[i];
        if (artifact->role && strcmp(artifact->role, "profile") == 0) {
            return artifact->size_bytes > REFERENCE_PROFILE_MAX;
        }
    }
    return false;
}

static vln_err_t
fetch(vln_artifacts_t *artifacts, const Valion__V1__Version *version, vln_arena_t *arena,
      Valion__V1__Profile **out)
{
    vln_bytes_t bytes = {0};
    char why[VLN_ARTIFACTS_WHY] = "it is no profile, or too large for one";
    vln_err_t err = is_too_large(version)
                        ? VLN_OUT_OF_RANGE
                        : vln_artifacts_get(artifacts, version->profile_digest.data,
                                            REFERENCE_PROFILE_MAX, &bytes, why);
    if (vln_err_is_transient(err)) {
        return err;
    }
    *out = err == VLN_OK ? reference_read(bytes.data, bytes.size, version->signature, arena) : NULL;
    vln_bytes_end(&bytes);
    if (!*out) {
        vln_warn("profile.unusable", kv_str("model", version->model),
                 kv_str("version", version->version), kv_str("why", why));
        *out = vln_arena_alloc(arena, sizeof **out);
        valion__v1__profile__init(*out);
    }
    return VLN_OK;
}

vln_err_t
deployer_reference_fetch(deployer_store_t *store, vln_artifacts_t *artifacts,
                         const Valion__V1__Version *version)
{
    vln_arena_t *arena = vln_arena_new(REFERENCE_BUDGET);
    uint8_t id[VLN_DIGEST_BYTES];
    Valion__V1__Profile *reference = NULL;
    vln_err_t err = VLN_OK;
    if (deployer_reference_id(version, arena, id)) {
        err = deployer_store_find_reference(store, arena, id, &reference);
        if (err == VLN_NOT_FOUND) {
            err = fetch(artifacts, version, arena, &reference);
        }
        /* One that was there is young again: what is about to start needs it. */
        if (err == VLN_OK) {
            err = deployer_store_save_reference(store, id, reference);
        }
    }
    vln_arena_destroy(&arena);
    return err;
}

/* ---- bins ---- */

vln_err_t
deployer_reference_give(deployer_store_t *store, vln_arena_t *arena,
                        const Valion__V1__Version *version, deployer_instance_t *instance)
{
    uint8_t id[VLN_DIGEST_BYTES];
    Valion__V1__Profile *reference = NULL;
    deployer_instance_t *others = NULL;
    size_t count = 0;
    room_t room = {0};
    if (!deployer_reference_id(version, arena, id)) {
        return VLN_OK;
    }
    vln_err_t err = deployer_store_find_reference(store, arena, id, &reference);
    if (err != VLN_OK) {
        return err == VLN_NOT_FOUND ? VLN_OK : err;
    }
    err = deployer_store_list_instances(store, arena, &(deployer_place_t){.host = instance->host},
                                        &others, &count);
    for (size_t i = 0; i < count; i++) {
        room_add(&room, others[i].wanted, arena);
    }
    reference_make_bins(reference, instance->wanted, arena);
    size_t columns = instance->wanted->n_bins;
    if (!room_fit(&room, instance->wanted, arena)) {
        vln_warn("instance.columns_cut", kv_str("model", version->model),
                 kv_str("version", version->version), kv_i64("columns", (int64_t)columns),
                 kv_i64("counted", (int64_t)instance->wanted->n_bins));
    }
    instance->reference = (ProtobufCBinaryData){sizeof id, vln_arena_memdup(arena, id, sizeof id)};
    return err;
}
