/*
 * ONNX Runtime, at one thread, without arenas and files. It is asked for two tensors at most: scores
 * and labels.
 *
 * A batch is never smaller than 8 rows where the model leaves its size open: the product of one row
 * with a matrix goes another way through the library than that of many, and ends in other last bits.
 * So a row served alone is answered as it was validated.
 */
#include <stdio.h>
#include <stdlib.h>

#include "vln_mem.h"
#include "vln_text.h"

#include "onnx_inside.h"

enum { LEAST_ROWS = 8 };

engine_verdict_t
onnx_refuse(const onnx_t *self, OrtStatus *status, char *sentence)
{
    engine_verdict_t verdict =
        engine_say(sentence, ENGINE_REFUSED, "%s", self->api->GetErrorMessage(status));
    self->api->ReleaseStatus(status);
    return verdict;
}

/* ---- in valion-sandbox ---- */

/* ModelProto{ir 8, graph{node Identity X -> Y, name g, input X, output Y: float tensors}, opset 15}:
 * what the library sets up at its first session, a child then has. */
static const uint8_t warm_up[] = {
    0x08, 0x08, 0x3a, 0x33, 0x0a, 0x10, 0x0a, 0x01, 'X',  0x12, 0x01, 'Y',  0x22, 0x08, 'I',  'd',
    'e',  'n',  't',  'i',  't',  'y',  0x12, 0x01, 'g',  0x5a, 0x0d, 0x0a, 0x01, 'X',  0x12, 0x08,
    0x0a, 0x06, 0x08, 0x01, 0x12, 0x02, 0x0a, 0x00, 0x62, 0x0d, 0x0a, 0x01, 'Y',  0x12, 0x08, 0x0a,
    0x06, 0x08, 0x01, 0x12, 0x02, 0x0a, 0x00, 0x42, 0x04, 0x0a, 0x00, 0x10, 0x0f,
};

static OrtStatus *
make_options(const onnx_t *self, OrtSessionOptions **out)
{
    const OrtApi *api = self->api;
    OrtStatus *status = api->CreateSessionOptions(out);
    status = status ? status : api->SetIntraOpNumThreads(*out, 1);
    status = status ? status : api->SetInterOpNumThreads(*out, 1);
    status = status ? status : api->SetSessionExecutionMode(*out, ORT_SEQUENTIAL);
    status = status ? status : api->DisableCpuMemArena(*out); /* a child that lives for one job */
    status = status ? status : api->DisableMemPattern(*out);
    status = status ? status : api->SetSessionLogSeverityLevel(*out, ORT_LOGGING_LEVEL_ERROR);
    /* Else bytes that look like the library's own format are read as that, past every check. */
    status =
        status ? status : api->AddSessionConfigEntry(*out, "session.load_model_format", "ONNX");
    return status;
}

static OrtStatus *
open_session(const onnx_t *self, const uint8_t *bytes, size_t size, OrtSession **out)
{
    OrtSessionOptions *options = NULL;
    OrtStatus *status = make_options(self, &options);
    if (!status) {
        status = self->api->CreateSessionFromArray(self->env, bytes, size, options, out);
    }
    if (options) {
        self->api->ReleaseSessionOptions(options);
    }
    return status;
}

static void *
start(char sentence[ENGINE_SENTENCE])
{
    onnx_t *self = vln_calloc(1, sizeof *self);
    self->api = OrtGetApiBase()->GetApi(ORT_API_VERSION);
    if (!self->api) {
        engine_say(sentence, ENGINE_REFUSED, "this ONNX Runtime is older than the one built with");
        return NULL;
    }
    snprintf(self->version, sizeof self->version, "%s", OrtGetApiBase()->GetVersionString());
    OrtStatus *status = self->api->CreateEnv(ORT_LOGGING_LEVEL_ERROR, "valion", &self->env);
    status = status ? status : self->api->DisableTelemetryEvents(self->env);
    status = status ? status
                    : self->api->CreateCpuMemoryInfo(OrtDeviceAllocator, OrtMemTypeDefault,
                                                     &self->memory);
    OrtSession *session = NULL;
    status = status ? status : open_session(self, warm_up, sizeof warm_up, &session);
    if (status) {
        onnx_refuse(self, status, sentence);
        return NULL;
    }
    self->api->ReleaseSession(session);
    return self;
}

static const char *
version(const void *state)
{
    const onnx_t *self = state;
    return self->version;
}

/* ---- what a session takes and gives ---- */

static OrtStatus *
read_tensor(const onnx_t *self, bool is_input, size_t i, vln_tensor_t *out)
{
    const OrtApi *api = self->api;
    OrtAllocator *allocator = NULL;
    OrtTypeInfo *info = NULL;
    const OrtTensorTypeAndShapeInfo *shape = NULL;
    char *name = NULL;
    OrtStatus *status = api->GetAllocatorWithDefaultOptions(&allocator);
    if (is_input) {
        status = status ? status : api->SessionGetInputName(self->session, i, allocator, &name);
        status = status ? status : api->SessionGetInputTypeInfo(self->session, i, &info);
    } else {
        status = status ? status : api->SessionGetOutputName(self->session, i, allocator, &name);
        status = status ? status : api->SessionGetOutputTypeInfo(self->session, i, &info);
    }
    status = status ? status : api->CastTypeInfoToTensorInfo(info, &shape);
    if (!status && shape) { /* NULL: a map or a sequence */
        status = onnx_read_shape(self, shape, out);
    }
    out->name = name; /* the session's, for as long as this process */
    if (info) {
        api->ReleaseTypeInfo(info);
    }
    return status;
}

static OrtStatus *
read_tensors(onnx_t *self, bool is_input, vln_tensor_t **out, size_t *count)
{
    OrtStatus *status = is_input ? self->api->SessionGetInputCount(self->session, count)
                                 : self->api->SessionGetOutputCount(self->session, count);
    *count = *count > VLN_MODEL_MAX_TENSORS ? VLN_MODEL_MAX_TENSORS : *count;
    *out = vln_calloc(*count + 1, sizeof **out);
    for (size_t i = 0; !status && i < *count; i++) {
        status = read_tensor(self, is_input, i, &(*out)[i]);
    }
    return status;
}

/* ---- terms that we can meet ---- */

static bool
is_known_input(int32_t type)
{
    return type == VLN_TENSOR_FLOAT || type == VLN_TENSOR_DOUBLE || type == VLN_TENSOR_INT64 ||
           type == VLN_TENSOR_INT32 || type == VLN_TENSOR_BOOL || type == VLN_TENSOR_STRING;
}

static engine_verdict_t
check_input(onnx_t *self, const vln_tensor_t *input, char *sentence)
{
    if (!is_known_input(input->type)) {
        return engine_say(sentence, ENGINE_REFUSED,
                          "the model's input %s is of an element type (%d) that is not taken: it "
                          "must be float, double, int64, int32, bool or string",
                          input->name, (int)input->type);
    }
    if (input->rank == 0 || input->rank > VLN_MODEL_MAX_RANK) {
        return engine_say(sentence, ENGINE_REFUSED,
                          "the model's input %s has rank %zu, not 1 to %d", input->name,
                          input->rank, (int)VLN_MODEL_MAX_RANK);
    }
    bool any_columns = onnx_columns_of(input) == 0;
    if (any_columns && (self->input_count > 1 || input->rank > 2)) {
        return engine_say(sentence, ENGINE_REFUSED,
                          "the model's input %s leaves open how many columns it takes",
                          input->name);
    }
    if (input->dims[0] > 0) {
        size_t batch = (size_t)input->dims[0];
        if (batch > 1024 || (self->batch != 0 && self->batch != batch)) {
            return engine_say(sentence, ENGINE_REFUSED, "the model insists on %zu rows at once",
                              batch);
        }
        self->batch = batch;
    }
    return ENGINE_OK;
}

static engine_verdict_t
check_inputs(onnx_t *self, char *sentence)
{
    engine_verdict_t verdict = ENGINE_OK;
    for (size_t i = 0; verdict == ENGINE_OK && i < self->input_count; i++) {
        verdict = check_input(self, &self->inputs[i], sentence);
    }
    return verdict;
}

/* Labels that are numbers mean the class of that name; where names are words, the class in that
 * place. */
static void
number_classes(onnx_t *self)
{
    self->numbers = vln_calloc(self->class_count + 1, sizeof *self->numbers);
    bool all = true;
    for (size_t i = 0; all && i < self->class_count; i++) {
        all = vln_text_to_i64(self->classes[i], INT64_MIN, INT64_MAX, &self->numbers[i]);
    }
    for (size_t i = 0; !all && i < self->class_count; i++) {
        self->numbers[i] = (int64_t)i;
    }
}

static engine_verdict_t
load(void *state, const engine_model_t *model, engine_about_t *about,
     char sentence[ENGINE_SENTENCE])
{
    onnx_t *self = state;
    self->score_output = model->score_output;
    self->label_output = model->label_output;
    self->classes = model->classes;
    self->class_count = model->class_count;
    number_classes(self);
    OrtStatus *status = open_session(self, model->bytes, model->size, &self->session);
    status = status ? status : read_tensors(self, true, &self->inputs, &self->input_count);
    status = status ? status : read_tensors(self, false, &self->outputs, &self->output_count);
    if (status) {
        return onnx_refuse(self, status, sentence);
    }
    about->inputs = self->inputs;
    about->input_count = self->input_count;
    about->outputs = self->outputs;
    about->output_count = self->output_count;
    return check_inputs(self, sentence);
}

/* ---- running ---- */

static engine_verdict_t
run(onnx_t *self, const onnx_part_t *part, const onnx_feed_t *feeds, engine_scores_t *out,
    char *sentence)
{
    const char *output_names[2];
    OrtValue *outputs[2] = {NULL, NULL};
    size_t output_count = 0;
    if (self->score_output) {
        output_names[output_count++] = self->score_output;
    }
    if (self->label_output) {
        output_names[output_count++] = self->label_output;
    }
    const char **names = vln_calloc(self->input_count + 1, sizeof *names);
    const OrtValue **values = vln_calloc(self->input_count + 1, sizeof *values);
    for (size_t i = 0; i < self->input_count; i++) {
        names[i] = self->inputs[i].name;
        values[i] = feeds[i].value;
    }
    OrtStatus *status = self->api->Run(self->session, NULL, names, values, self->input_count,
                                       output_names, output_count, outputs);
    free(names);
    free(values);
    engine_verdict_t verdict = status ? onnx_refuse(self, status, sentence) : ENGINE_OK;
    if (verdict == ENGINE_OK && self->score_output) {
        verdict = onnx_read_scores(self, outputs[0], part, out, sentence);
    }
    if (verdict == ENGINE_OK && self->label_output) {
        verdict = onnx_read_labels(self, outputs[output_count - 1], part, out, sentence);
    }
    for (size_t i = 0; i < output_count; i++) {
        if (outputs[i]) {
            self->api->ReleaseValue(outputs[i]);
        }
    }
    return verdict;
}

static engine_verdict_t
predict_part(onnx_t *self, const onnx_part_t *part, engine_scores_t *out, char *sentence)
{
    onnx_feed_t *feeds = vln_calloc(self->input_count + 1, sizeof *feeds);
    engine_verdict_t verdict = onnx_feed(self, part, feeds, sentence);
    if (verdict == ENGINE_OK) {
        verdict = run(self, part, feeds, out, sentence);
    }
    for (size_t i = 0; i < self->input_count; i++) {
        if (feeds[i].value) {
            self->api->ReleaseValue(feeds[i].value);
        }
        free(feeds[i].numbers);
    }
    free(feeds);
    return verdict;
}

static engine_verdict_t
predict(void *state, const engine_rows_t *rows, engine_scores_t *out,
        char sentence[ENGINE_SENTENCE])
{
    onnx_t *self = state;
    size_t step = self->batch > 0 ? self->batch : rows->rows;
    engine_verdict_t verdict = ENGINE_OK;
    for (size_t first = 0; verdict == ENGINE_OK && first < rows->rows; first += step) {
        size_t left = rows->rows - first;
        onnx_part_t part = {.rows = rows, .first = first, .count = left < step ? left : step};
        part.padded = self->batch > 0           ? self->batch
                      : part.count < LEAST_ROWS ? LEAST_ROWS
                                                : part.count;
        verdict = predict_part(self, &part, out, sentence);
    }
    return verdict;
}

const engine_t engine_onnx = {.start = start, .version = version, .load = load, .predict = predict};
