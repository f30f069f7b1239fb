#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vln_digest.h"
#include "vln_log.h"
#include "vln_samples.h"
#include "vln_text.h"

#include "server.h"

enum { PATH_ROOM = 4096, INSTANCE_MAX = 1024 * 1024, INSTANCE_BUDGET = 16 * 1024 * 1024 };

/* ---- files ---- */

static vln_err_t
complain(const char *path, vln_err_t err, const char *what)
{
    vln_error("server.file", kv_str("file", path), kv_err(err), kv_str("detail", what));
    return err;
}

/* An allocator of protobuf-c that gives pieces of an arena, and fails when it is full. */
static void *
take_piece(void *arena, size_t size)
{
    return vln_arena_try_alloc(arena, size);
}

static void
leave_piece(void *arena, void *piece)
{
    (void)arena;
    (void)piece;
}

/* A message of the runner's, in the server's arena. The runner checked what it got over the bus. */
static vln_err_t
read_message(server_t *self, const char *path, size_t max, const ProtobufCMessageDescriptor *type,
             ProtobufCMessage **out)
{
    char *bytes = NULL;
    size_t size = 0;
    ProtobufCAllocator allocator = {take_piece, leave_piece, self->arena};
    vln_err_t err = vln_text_read_file(path, max, &bytes, &size);
    if (err != VLN_OK) {
        return complain(path, err, "it cannot be read; the runner writes it");
    }
    *out = protobuf_c_message_unpack(type, &allocator, size, (uint8_t *)bytes);
    free(bytes);
    return *out ? VLN_OK : complain(path, VLN_DATA_LOSS, "it is not what the runner wrote");
}

/* NULL, and VLN_OK, if the version has none. */
static const Valion__V1__HostArtifact *
find_artifact(const server_t *self, const char *role)
{
    for (size_t i = 0; i < self->instance->n_artifacts; i++) {
        const Valion__V1__HostArtifact *artifact = self->instance->artifacts[i];
        if (artifact->role && strcmp(artifact->role, role) == 0) {
            return artifact;
        }
    }
    return NULL;
}

/* The role's bytes, checked against their digest; none, where the version has no such role. */
static vln_err_t
read_artifact(const server_t *self, const char *folder, const char *role, uint8_t **bytes,
              size_t *size)
{
    char path[PATH_ROOM];
    uint8_t digest[VLN_DIGEST_BYTES];
    const Valion__V1__HostArtifact *artifact = find_artifact(self, role);
    *bytes = NULL;
    *size = 0;
    if (!artifact) {
        return VLN_OK;
    }
    snprintf(path, sizeof path, "%s/%s", folder, role);
    vln_err_t err = vln_text_read_file(path, VLN_MODEL_MAX_BYTES, (char **)bytes, size);
    if (err != VLN_OK) {
        return complain(path, err, "it cannot be read; the runner fetches it");
    }
    vln_digest(*bytes, *size, digest);
    if (artifact->digest.len == sizeof digest &&
        memcmp(artifact->digest.data, digest, sizeof digest) == 0) {
        return VLN_OK;
    }
    free(*bytes);
    *bytes = NULL;
    return complain(
        path, VLN_DATA_LOSS,
        "its bytes do not have their digest: delete it, and the runner fetches it anew");
}

/* ---- the version ---- */

static vln_err_t
read_instance(server_t *self, const char *folder)
{
    char path[PATH_ROOM];
    ProtobufCMessage *message = NULL;
    snprintf(path, sizeof path, "%s/instance.pb", folder);
    vln_err_t err =
        read_message(self, path, INSTANCE_MAX, &valion__v1__wanted_instance__descriptor, &message);
    if (err != VLN_OK) {
        return err;
    }
    self->instance = (const void *)message;
    const Valion__V1__WantedInstance *instance = self->instance;
    if (!instance->model || !instance->version || !instance->signature ||
        instance->signature->n_inputs == 0 || !find_artifact(self, "model")) {
        return complain(path, VLN_FAILED_PRECONDITION,
                        "it names no model, version, signature or model file");
    }
    self->about = (oip_model_t){instance->model, instance->version, instance->signature};
    return VLN_OK;
}

static vln_err_t
open_predictor(server_t *self, const char *folder)
{
    vln_predictor_files_t files = {0};
    vln_outcome_t outcome;
    vln_err_t err = read_artifact(self, folder, "model", &self->model, &files.model_size);
    if (err == VLN_OK) {
        err = read_artifact(self, folder, "preprocessor", &self->preprocessor,
                            &files.preprocessor_size);
    }
    if (err != VLN_OK) {
        return err;
    }
    files.model = self->model;
    files.preprocessor = self->preprocessor;
    err = vln_predictor_open(self->sandbox, &files, self->instance->signature, &self->predictor,
                             &outcome);
    if (err != VLN_OK) {
        vln_error("server.model", kv_err(err), kv_str("why", outcome.sentence),
                  kv_str("detail", outcome.detail));
        return err;
    }
    self->platform = vln_model_kind_name(vln_predictor_model(self->predictor)->kind);
    return VLN_OK;
}

static vln_err_t
smoke(server_t *self, const char *folder)
{
    char path[PATH_ROOM];
    uint8_t *bytes = NULL;
    size_t size = 0;
    ProtobufCMessage *samples = NULL;
    vln_outcome_t outcome;
    vln_err_t err = read_artifact(self, folder, "samples", &bytes, &size);
    free(bytes);
    if (err != VLN_OK || size == 0) {
        return err == VLN_OK ? complain(folder, VLN_FAILED_PRECONDITION,
                                        "the version has no sample rows to be tested with")
                             : err;
    }
    snprintf(path, sizeof path, "%s/samples", folder);
    err =
        read_message(self, path, VLN_SAMPLES_BYTES_MAX, &valion__v1__samples__descriptor, &samples);
    if (err != VLN_OK) {
        return err;
    }
    err = vln_samples_check((const void *)samples, self->predictor, &outcome);
    if (err != VLN_OK) {
        vln_error("server.smoke", kv_err(err), kv_str("why", outcome.sentence));
    } else {
        vln_info("server.smoke_ok", kv_i64("rows", ((const Valion__V1__Samples *)samples)->rows));
    }
    return err;
}

vln_err_t
server_load(server_t *self, const char *folder, const char *sandbox)
{
    vln_sandbox_config_t config = {.program = sandbox, .load_ms = 30000, .when_needed = true};
    self->arena = vln_arena_new(INSTANCE_BUDGET);
    vln_err_t err = read_instance(self, folder);
    if (err == VLN_OK) {
        config.memory_bytes =
            (size_t)(self->instance->memory_bytes > 0 ? self->instance->memory_bytes : 0);
        err = vln_sandbox_open(&config, &self->sandbox);
    }
    if (err == VLN_OK) {
        err = open_predictor(self, folder);
    }
    if (err == VLN_OK && self->instance->smoke) {
        err = smoke(self, folder);
    }
    if (err == VLN_OK) {
        pthread_mutex_init(&self->counting, NULL);
        self->telemetry = telemetry_new(self->instance);
    }
    return err;
}

/* ---- counting ---- */

void
server_count(server_t *self, const vln_table_t *rows, const vln_sandbox_result_t *result,
             int64_t us)
{
    pthread_mutex_lock(&self->counting);
    telemetry_add(self->telemetry, rows, result, us);
    pthread_mutex_unlock(&self->counting);
}

void
server_count_error(server_t *self, telemetry_error_t error, int64_t us)
{
    pthread_mutex_lock(&self->counting);
    telemetry_add_error(self->telemetry, error, us);
    pthread_mutex_unlock(&self->counting);
}

Valion__V1__Telemetry *
server_report(server_t *self, vln_arena_t *arena)
{
    pthread_mutex_lock(&self->counting);
    Valion__V1__Telemetry *report = telemetry_report(self->telemetry, arena);
    pthread_mutex_unlock(&self->counting);
    return report;
}

/* ---- */

void
server_unload(server_t *self)
{
    vln_predictor_close(&self->predictor);
    vln_sandbox_close(&self->sandbox);
    if (self->telemetry) {
        pthread_mutex_destroy(&self->counting);
    }
    telemetry_destroy(&self->telemetry);
    free(self->model);
    free(self->preprocessor);
    vln_arena_destroy(&self->arena);
    *self = (server_t){0};
}
