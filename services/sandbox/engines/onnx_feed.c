#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vln_mem.h"

#include "onnx_inside.h"

size_t
onnx_columns_of(const vln_tensor_t *input)
{
    size_t columns = 1;
    for (size_t i = 1; i < input->rank; i++) {
        columns *= input->dims[i] > 0 ? (size_t)input->dims[i] : 0;
    }
    return columns;
}

static size_t
row_of(const onnx_part_t *part, size_t i)
{
    return part->first + (i < part->count ? i : part->count - 1);
}

static size_t
size_of_type(int32_t type)
{
    switch (type) {
    case VLN_TENSOR_DOUBLE:
    case VLN_TENSOR_INT64:
        return 8;
    case VLN_TENSOR_BOOL:
        return 1;
    default:
        return 4;
    }
}

/* One number as the input has it; false if it is none that the input can have. A float32 holds
 * whole numbers up to 2^24 exactly; beyond, the one that was meant is lost. */
static bool
put_number(int32_t type, float number, uint8_t *out)
{
    double wide = number;
    int64_t whole = 0;
    if (type == VLN_TENSOR_FLOAT) {
        memcpy(out, &number, sizeof number);
        return true;
    }
    if (type == VLN_TENSOR_DOUBLE) {
        memcpy(out, &wide, sizeof wide);
        return true;
    }
    if (!(fabs(wide) <= 16777216.0) || wide != floor(wide)) {
        return false;
    }
    whole = (int64_t)wide;
    if (type == VLN_TENSOR_INT64) {
        memcpy(out, &whole, sizeof whole);
        return true;
    }
    if (type == VLN_TENSOR_INT32) {
        int32_t narrow = (int32_t)whole;
        memcpy(out, &narrow, sizeof narrow);
        return true;
    }
    *out = whole != 0;
    return whole == 0 || whole == 1;
}

/* Where in a row an input finds its columns. */
typedef struct slot {
    const vln_tensor_t *input;
    size_t first;
    size_t columns;
} slot_t;

static bool
put_numbers(const onnx_part_t *part, const slot_t *slot, uint8_t *out)
{
    const engine_rows_t *rows = part->rows;
    size_t size = size_of_type(slot->input->type);
    for (size_t i = 0; i < part->padded; i++) {
        const float *row = rows->numbers + row_of(part, i) * rows->number_count + slot->first;
        for (size_t j = 0; j < slot->columns; j++, out += size) {
            if (!put_number(slot->input->type, row[j], out)) {
                return false;
            }
        }
    }
    return true;
}

static size_t
shape_of(const onnx_part_t *part, const slot_t *slot, int64_t *shape)
{
    const vln_tensor_t *input = slot->input;
    shape[0] = (int64_t)part->padded;
    for (size_t i = 1; i < input->rank; i++) {
        shape[i] = input->dims[i] > 0 ? input->dims[i] : (int64_t)slot->columns;
    }
    return input->rank;
}

static engine_verdict_t
feed_numbers(onnx_t *self, const onnx_part_t *part, const slot_t *slot, onnx_feed_t *out,
             char *sentence)
{
    int64_t shape[VLN_MODEL_MAX_RANK];
    size_t rank = shape_of(part, slot, shape);
    size_t size = part->padded * slot->columns * size_of_type(slot->input->type);
    out->numbers = vln_calloc(size + 1, 1);
    if (!put_numbers(part, slot, out->numbers)) {
        return engine_say(
            sentence, ENGINE_REFUSED,
            "a row has a number for the model's input %s that is not whole, is missing "
            "or is beyond what 32 bits of float hold exactly",
            slot->input->name);
    }
    OrtStatus *status = self->api->CreateTensorWithDataAsOrtValue(
        self->memory, out->numbers, size, shape, rank, (ONNXTensorElementDataType)slot->input->type,
        &out->value);
    return status ? onnx_refuse(self, status, sentence) : ENGINE_OK;
}

static engine_verdict_t
feed_texts(onnx_t *self, const onnx_part_t *part, const slot_t *slot, onnx_feed_t *out,
           char *sentence)
{
    int64_t shape[VLN_MODEL_MAX_RANK];
    size_t rank = shape_of(part, slot, shape);
    const engine_rows_t *rows = part->rows;
    size_t count = part->padded * slot->columns;
    const char **texts = vln_calloc(count + 1, sizeof *texts);
    for (size_t i = 0; i < part->padded; i++) {
        memcpy(texts + i * slot->columns,
               rows->texts + row_of(part, i) * rows->text_count + slot->first,
               slot->columns * sizeof *texts);
    }
    OrtAllocator *allocator = NULL;
    OrtStatus *status = self->api->GetAllocatorWithDefaultOptions(&allocator);
    status = status ? status
                    : self->api->CreateTensorAsOrtValue(allocator, shape, rank,
                                                        ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING,
                                                        &out->value);
    status = status ? status : self->api->FillStringTensor(out->value, texts, count);
    free(texts);
    return status ? onnx_refuse(self, status, sentence) : ENGINE_OK;
}

/* One input; `*taken` columns of its sort are taken by those before it. */
static engine_verdict_t
feed_input(onnx_t *self, const onnx_part_t *part, size_t i, size_t *taken, onnx_feed_t *out,
           char *sentence)
{
    const vln_tensor_t *input = &self->inputs[i];
    bool is_text = input->type == VLN_TENSOR_STRING;
    size_t there = is_text ? part->rows->text_count : part->rows->number_count;
    size_t columns = onnx_columns_of(input);
    slot_t slot = {.input = input, .first = *taken, .columns = columns > 0 ? columns : there};
    if (slot.columns == 0 || slot.columns > there - *taken) {
        return engine_say(sentence, ENGINE_REFUSED, "the model takes more columns than a row has");
    }
    *taken += slot.columns;
    return is_text ? feed_texts(self, part, &slot, out, sentence)
                   : feed_numbers(self, part, &slot, out, sentence);
}

engine_verdict_t
onnx_feed(onnx_t *self, const onnx_part_t *part, onnx_feed_t *feeds, char *sentence)
{
    size_t numbers = 0;
    size_t texts = 0;
    for (size_t i = 0; i < self->input_count; i++) {
        size_t *taken = self->inputs[i].type == VLN_TENSOR_STRING ? &texts : &numbers;
        engine_verdict_t verdict = feed_input(self, part, i, taken, &feeds[i], sentence);
        if (verdict != ENGINE_OK) {
            return verdict;
        }
    }
    if (numbers != part->rows->number_count || texts != part->rows->text_count) {
        return engine_say(sentence, ENGINE_REFUSED, "the model takes fewer columns than a row has");
    }
    return ENGINE_OK;
}
