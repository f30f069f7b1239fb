#include "vln_sandbox.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vln_frame.h"
#include "vln_model_inside.h"
#include "vln_sandbox_inside.h"
#include "vln_time.h"

enum {
    DEFAULT_MS = 10000,
    DEFAULT_CPU_SECONDS = 10,
};

#define DEFAULT_MEMORY ((size_t)2 * 1024 * 1024 * 1024)

const char *
vln_sandbox_verdict_name(vln_sandbox_verdict_t verdict)
{
    static const char *const names[] = {
        [VLN_VERDICT_OK] = "ok",
        [VLN_VERDICT_REFUSED] = "refused",
        [VLN_VERDICT_ANSWER] = "answer",
        [VLN_VERDICT_CRASHED] = "crashed",
        [VLN_VERDICT_TIME] = "time",
        [VLN_VERDICT_MEMORY] = "memory",
        [VLN_VERDICT_PROTOCOL] = "protocol",
    };
    return names[verdict];
}

/* ---- the sandbox ---- */

/* valion-sandbox in the folder of the running program. Yours. */
static char *
program_beside(void)
{
    static const char name[] = "valion-sandbox";
    char path[4096 + sizeof name];
    ssize_t size = readlink("/proc/self/exe", path, 4096);
    char *slash = size > 0 ? memrchr(path, '/', (size_t)size) : NULL;
    if (!slash) {
        return vln_strdup(name);
    }
    memcpy(slash + 1, name, sizeof name);
    return vln_strdup(path);
}

vln_err_t
vln_sandbox_open(const vln_sandbox_config_t *config, vln_sandbox_t **out)
{
    *out = NULL;
    vln_sandbox_t *self = vln_calloc(1, sizeof *self);
    self->config = *config;
    self->program = config->program ? vln_strdup(config->program) : program_beside();
    self->config.program = self->program;
    self->config.memory_bytes = config->memory_bytes ? config->memory_bytes : DEFAULT_MEMORY;
    self->config.load_ms = config->load_ms ? config->load_ms : DEFAULT_MS;
    self->config.predict_ms = config->predict_ms ? config->predict_ms : DEFAULT_MS;
    self->config.cpu_seconds = config->cpu_seconds ? config->cpu_seconds : DEFAULT_CPU_SECONDS;
    self->orders = -1;
    self->frame = vln_calloc(VLN_FRAME_MAX, 1);
    vln_err_t err = config->when_needed ? VLN_OK : vln_sandbox_start(self);
    if (err != VLN_OK) {
        vln_sandbox_close(&self);
        return err;
    }
    *out = self;
    return VLN_OK;
}

static void
release(vln_sandbox_t *self)
{
    if (self->closed && self->models == 0) {
        free(self->frame);
        free(self->program);
        free(self);
    }
}

void
vln_sandbox_close(vln_sandbox_t **self_p)
{
    vln_sandbox_t *self = *self_p;
    if (self) {
        vln_sandbox_stop(self);
        self->closed = true;
        release(self);
        *self_p = NULL;
    }
}

const char *
vln_sandbox_xgboost(const vln_sandbox_t *self)
{
    return self->xgboost;
}

const char *
vln_sandbox_onnxruntime(const vln_sandbox_t *self)
{
    return self->onnxruntime;
}

int64_t
vln_sandbox_predict_ms(const vln_sandbox_t *self)
{
    return self->config.predict_ms;
}

int
vln_sandbox_starts(const vln_sandbox_t *self)
{
    return self->starts;
}

int
vln_sandbox_pid(const vln_sandbox_t *self)
{
    return self->pid;
}

/* ---- loading ---- */

/* What the library says of a tensor, if it is something that can be. */
static bool
take_tensor(const Valion__V1__SandboxTensor *wire, vln_arena_t *arena, vln_tensor_t *out)
{
    const char *name = wire->name ? wire->name : "";
    vln_span_t span = {.at = (const uint8_t *)name, .size = strlen(name)};
    *out = (vln_tensor_t){.name = vln_model_text(span, VLN_MODEL_MAX_NAME, arena),
                          .type = wire->type,
                          .rank = wire->n_dims};
    if (!out->name || wire->n_dims > VLN_MODEL_MAX_RANK) {
        return false;
    }
    for (size_t i = 0; i < wire->n_dims; i++) {
        out->dims[i] = wire->dims[i] < 0 ? -1 : wire->dims[i];
    }
    return true;
}

static bool
take_tensors(Valion__V1__SandboxTensor *const *wire, size_t count, vln_arena_t *arena,
             vln_tensor_t **out, size_t *out_count)
{
    if (count > VLN_MODEL_MAX_TENSORS) {
        return false;
    }
    *out = vln_arena_alloc(arena, (count + 1) * sizeof **out);
    *out_count = count;
    for (size_t i = 0; i < count; i++) {
        if (!take_tensor(wire[i], arena, &(*out)[i])) {
            return false;
        }
    }
    return true;
}

/* The library knows shapes that the file leaves to be worked out. */
static bool
take_about(vln_sandbox_model_t *self, const Valion__V1__SandboxAnswer *answer, vln_arena_t *arena)
{
    vln_model_t *about = &self->about;
    if (about->kind != VLN_MODEL_ONNX) {
        return answer->features == about->feature_count;
    }
    if (answer->n_inputs == 0 ||
        !take_tensors(answer->inputs, answer->n_inputs, arena, &about->inputs,
                      &about->input_count) ||
        !take_tensors(answer->outputs, answer->n_outputs, arena, &about->outputs,
                      &about->output_count) ||
        !vln_model_settle(about, arena)) {
        return false;
    }
    return true;
}

static void
fill_load(const vln_model_t *about, Valion__V1__SandboxJob *job)
{
    bool is_onnx = about->kind == VLN_MODEL_ONNX;
    job->has_kind = true;
    job->kind = VALION__V1__SANDBOX_JOB_KIND__SANDBOX_JOB_KIND_LOAD;
    job->has_engine = true;
    job->engine = is_onnx ? VALION__V1__SANDBOX_ENGINE__SANDBOX_ENGINE_ONNXRUNTIME
                          : VALION__V1__SANDBOX_ENGINE__SANDBOX_ENGINE_XGBOOST;
    job->has_by_matrix = !is_onnx;
    job->by_matrix = !is_onnx && strcmp(about->booster, "gbtree") != 0;
    if (is_onnx) { /* protobuf-c only reads what it packs */
        job->score_output = (char *)(uintptr_t)about->score_output;
        job->label_output = (char *)(uintptr_t)about->label_output;
        job->n_classes = about->class_count;
        job->classes = (char **)(uintptr_t)about->classes;
    }
}

static vln_err_t
load_in_child(vln_sandbox_model_t *self, vln_arena_t *arena, vln_outcome_t *outcome)
{
    Valion__V1__SandboxJob job = VALION__V1__SANDBOX_JOB__INIT;
    vln_err_t err = VLN_OK;
    fill_load(&self->about, &job);
    Valion__V1__SandboxAnswer *answer =
        vln_sandbox_ask(self, &job, vln_mono_ms() + self->sandbox->config.load_ms, outcome, &err);
    if (!answer) {
        return err;
    }
    if (answer->verdict != VALION__V1__SANDBOX_VERDICT__SANDBOX_VERDICT_OK) {
        err = vln_sandbox_take_refusal(self, answer, outcome);
    } else if (take_about(self, answer, arena)) {
        err = vln_sandbox_end_with(self, outcome, VLN_VERDICT_OK);
    } else {
        snprintf(outcome->sentence, sizeof outcome->sentence,
                 "the library finds other inputs in the file than the file states");
        err = vln_sandbox_end_with(self, outcome, VLN_VERDICT_REFUSED);
    }
    valion__v1__sandbox_answer__free_unpacked(answer, NULL);
    return err;
}

static vln_sandbox_model_t *
new_model(vln_sandbox_t *sandbox)
{
    vln_sandbox_model_t *self = vln_calloc(1, sizeof *self);
    self->sandbox = sandbox;
    self->job = self->texts = -1;
    sandbox->models++;
    return self;
}

static vln_err_t
load_model(vln_sandbox_model_t *self, const vln_sandbox_file_t *file, vln_arena_t *arena,
           vln_outcome_t *outcome)
{
    vln_sandbox_begin(self, outcome);
    if (vln_model_read(file->bytes, file->size, file->kind, arena, &self->about,
                       outcome->sentence) != VLN_OK) {
        return vln_sandbox_end_with(self, outcome, VLN_VERDICT_REFUSED);
    }
    if (vln_sandbox_start_child(self, file->bytes, file->size) != VLN_OK) {
        snprintf(outcome->sentence, sizeof outcome->sentence,
                 "valion-sandbox cannot be started here; its log says why");
        return VLN_UNAVAILABLE;
    }
    return load_in_child(self, arena, outcome);
}

vln_err_t
vln_sandbox_load(vln_sandbox_t *self, const vln_sandbox_file_t *file, vln_sandbox_model_t **out,
                 vln_outcome_t *outcome)
{
    *out = NULL;
    vln_sandbox_model_t *model = new_model(self);
    model->arena = vln_arena_new(VLN_MODEL_ARENA);
    vln_err_t err = load_model(model, file, model->arena, outcome);
    if (err != VLN_OK) {
        vln_sandbox_unload(&model);
        return err;
    }
    *out = model;
    return VLN_OK;
}

vln_err_t
vln_sandbox_inspect(vln_sandbox_t *self, const vln_sandbox_file_t *file, vln_arena_t *arena,
                    vln_model_t *out, vln_outcome_t *outcome)
{
    vln_sandbox_model_t *model = new_model(self);
    vln_err_t err = load_model(model, file, arena, outcome);
    *out = err == VLN_OK ? model->about : (vln_model_t){0};
    if (err == VLN_OK) {
        vln_outcome_t end = {0};
        (void)!vln_sandbox_bury(model, VLN_VERDICT_OK, &end); /* only to know what it took */
        outcome->cpu_us = end.cpu_us;
        outcome->peak_kib = end.peak_kib;
        outcome->wall_us = vln_mono_us() - model->begun_us;
    }
    vln_sandbox_unload(&model);
    return err;
}

void
vln_sandbox_unload(vln_sandbox_model_t **self_p)
{
    vln_sandbox_model_t *self = *self_p;
    if (!self) {
        return;
    }
    vln_outcome_t end = {0};
    if (!vln_sandbox_is_lost(self)) {
        (void)!vln_sandbox_bury(self, VLN_VERDICT_OK, &end); /* how it ends is no news any more */
    }
    vln_sandbox_end_ends(self);
    vln_arena_destroy(&self->arena);
    self->sandbox->models--;
    release(self->sandbox);
    free(self);
    *self_p = NULL;
}

const vln_model_t *
vln_sandbox_about(const vln_sandbox_model_t *self)
{
    return &self->about;
}
