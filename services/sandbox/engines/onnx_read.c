#include <stdlib.h>
#include <string.h>

#include "vln_mem.h"

#include "onnx_inside.h"

OrtStatus *
onnx_read_shape(const onnx_t *self, const OrtTensorTypeAndShapeInfo *info, vln_tensor_t *out)
{
    enum ONNXTensorElementDataType type = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
    OrtStatus *status = self->api->GetTensorElementType(info, &type);
    status = status ? status : self->api->GetDimensionsCount(info, &out->rank);
    out->type = (int32_t)type;
    if (!status && out->rank > 0 && out->rank <= VLN_MODEL_MAX_RANK) {
        status = self->api->GetDimensions(info, out->dims, out->rank);
    }
    return status;
}

/* Type, and shape as rows x width; false if it is no such tensor. */
static bool
shape_rows(const onnx_t *self, const OrtValue *value, size_t rows, int32_t *type, size_t *width)
{
    OrtTensorTypeAndShapeInfo *info = NULL;
    vln_tensor_t tensor = {0};
    int is_tensor = 0;
    OrtStatus *status = self->api->IsTensor(value, &is_tensor);
    if (!status && is_tensor) {
        status = self->api->GetTensorTypeAndShape(value, &info);
        status = status ? status : onnx_read_shape(self, info, &tensor);
    }
    if (info) {
        self->api->ReleaseTensorTypeAndShapeInfo(info);
    }
    if (status) {
        self->api->ReleaseStatus(status);
        return false;
    }
    *type = tensor.type;
    *width = tensor.rank == 2 && tensor.dims[1] > 0 ? (size_t)tensor.dims[1] : 1;
    return is_tensor && (tensor.rank == 1 || (tensor.rank == 2 && tensor.dims[1] > 0)) &&
           tensor.dims[0] == (int64_t)rows;
}

static engine_verdict_t
no_prediction(const char *output, size_t rows, char *sentence)
{
    return engine_say(sentence, ENGINE_ANSWER,
                      "the model's output %s has not one prediction for each of %zu rows", output,
                      rows);
}

engine_verdict_t
onnx_read_scores(onnx_t *self, OrtValue *value, const onnx_part_t *part, engine_scores_t *out,
                 char *sentence)
{
    int32_t type = 0;
    size_t width = 0;
    if (!shape_rows(self, value, part->padded, &type, &width)) {
        return no_prediction(self->score_output, part->padded, sentence);
    }
    if (type != VLN_TENSOR_FLOAT && type != VLN_TENSOR_DOUBLE) {
        return engine_say(sentence, ENGINE_ANSWER, "the model's output %s holds no numbers",
                          self->score_output);
    }
    if ((out->width != 0 && out->width != width) ||
        width > out->room / sizeof *out->scores / part->rows->rows) {
        return engine_say(sentence, ENGINE_ANSWER, "the model gives %zu numbers a row", width);
    }
    out->width = width;
    void *data = NULL;
    OrtStatus *status = self->api->GetTensorMutableData(value, &data);
    if (status) {
        return onnx_refuse(self, status, sentence);
    }
    float *scores = out->scores + part->first * width;
    const float *narrow = data;
    const double *wide = data;
    for (size_t i = 0; i < part->count * width; i++) {
        scores[i] = type == VLN_TENSOR_FLOAT ? narrow[i] : (float)wide[i];
    }
    return ENGINE_OK;
}

static bool
label_of_number(const onnx_t *self, int64_t number, int32_t *out)
{
    for (size_t i = 0; i < self->class_count; i++) {
        if (self->numbers[i] == number) {
            *out = (int32_t)i;
            return true;
        }
    }
    *out = (int32_t)number;
    return self->class_count == 0 && number >= 0 && number <= INT32_MAX;
}

static bool
label_of_text(const onnx_t *self, const char *text, size_t size, int32_t *out)
{
    for (size_t i = 0; i < self->class_count; i++) {
        if (strlen(self->classes[i]) == size && memcmp(self->classes[i], text, size) == 0) {
            *out = (int32_t)i;
            return true;
        }
    }
    return false;
}

static bool
read_text_labels(onnx_t *self, const OrtValue *value, const onnx_part_t *part, int32_t *labels)
{
    size_t size = 0;
    OrtStatus *status = self->api->GetStringTensorDataLength(value, &size);
    char *texts = vln_calloc(size + 1, 1);
    size_t *begins = vln_calloc(part->padded + 1, sizeof *begins);
    status = status ? status
                    : self->api->GetStringTensorContent(value, texts, size, begins, part->padded);
    begins[part->padded] = size;
    bool good = !status;
    for (size_t i = 0; good && i < part->count; i++) {
        good = label_of_text(self, texts + begins[i], begins[i + 1] - begins[i], &labels[i]);
    }
    if (status) {
        self->api->ReleaseStatus(status);
    }
    free(begins);
    free(texts);
    return good;
}

static bool
read_number_labels(onnx_t *self, OrtValue *value, int32_t type, const onnx_part_t *part,
                   int32_t *labels)
{
    void *data = NULL;
    OrtStatus *status = self->api->GetTensorMutableData(value, &data);
    if (status) {
        self->api->ReleaseStatus(status);
        return false;
    }
    const int64_t *wide = data;
    const int32_t *narrow = data;
    const uint8_t *bits = data;
    bool good = true;
    for (size_t i = 0; good && i < part->count; i++) {
        int64_t number = type == VLN_TENSOR_INT64   ? wide[i]
                         : type == VLN_TENSOR_INT32 ? narrow[i]
                                                    : bits[i];
        good = label_of_number(self, number, &labels[i]);
    }
    return good;
}

engine_verdict_t
onnx_read_labels(onnx_t *self, OrtValue *value, const onnx_part_t *part, engine_scores_t *out,
                 char *sentence)
{
    int32_t type = 0;
    size_t width = 0;
    if (!shape_rows(self, value, part->padded, &type, &width) || width != 1) {
        return no_prediction(self->label_output, part->padded, sentence);
    }
    int32_t *labels = out->labels + part->first;
    bool is_number =
        type == VLN_TENSOR_INT64 || type == VLN_TENSOR_INT32 || type == VLN_TENSOR_BOOL;
    bool good = type == VLN_TENSOR_STRING
                    ? read_text_labels(self, value, part, labels)
                    : is_number && read_number_labels(self, value, type, part, labels);
    if (!good) {
        return engine_say(sentence, ENGINE_ANSWER,
                          "the model's output %s gives labels that are none of its classes",
                          self->label_output);
    }
    out->labelled = true;
    return ENGINE_OK;
}
