#include "vln_dataset.h"

#include <stdio.h>
#include <string.h>

#include "vln_csv.h"
#include "vln_text.h"
#include "vln_types.h"

enum { MISSING_MAX = 16, WORD_ROOM = 64, NAME_ROOM = 200 };

/* The words of the option "missing", one after the other. */
typedef struct words {
    char text[MISSING_MAX][WORD_ROOM];
    const char *pointers[MISSING_MAX + 1];
    size_t count;
} words_t;

void
vln_dataset_end(vln_dataset_t *self)
{
    if (self->table) {
        vln_shelf_release(self->shelf, self->table);
    }
    vln_reply_wipe(&self->reply);
    *self = (vln_dataset_t){0};
}

static const char *
shown_name(const Valion__V1__DataRef *ref)
{
    return ref->name && ref->name[0] ? ref->name : "named by its digest";
}

static void
fail(vln_task_t *task, vln_err_t err, const char *what, const Valion__V1__DataRef *ref,
     const char *why)
{
    char text[NAME_ROOM];
    snprintf(text, sizeof text, "%s (data set %.128s)", what, shown_name(ref));
    vln_worker_fail(task, err, text, why);
}

static bool
find(vln_worker_t *worker, vln_task_t *task, const char *what, const Valion__V1__DataRef *ref,
     vln_dataset_t *out)
{
    Valion__V1__GetDatasetRequest request = VALION__V1__GET_DATASET_REQUEST__INIT;
    request.name = ref->name;
    request.has_digest = ref->has_digest && ref->digest.len > 0;
    request.digest = ref->digest;
    const vln_call_spec_t spec = {.service = "registry",
                                  .method = "GetDataset",
                                  .request = &request.base,
                                  .reply_type = &valion__v1__get_dataset_reply__descriptor};
    vln_err_t err = vln_worker_call(worker, task, NULL, spec, &out->reply);
    if (err != VLN_OK) {
        fail(task, err, what, ref, out->reply.why);
        return false;
    }
    out->record = ((const Valion__V1__GetDatasetReply *)(const void *)out->reply.message)->dataset;
    if (!out->record || out->record->digest.len != VLN_DIGEST_BYTES) {
        fail(task, VLN_INTERNAL, what, ref, "the registry's answer has no data set");
        return false;
    }
    return true;
}

/* ---- options ---- */

/* Of the reference, else of the record. */
static const char *
find_option(const Valion__V1__DataRef *ref, const Valion__V1__Dataset *record, const char *key)
{
    const char *value = NULL;
    for (size_t i = 0; i < record->n_options; i++) {
        value = strcmp(record->options[i]->key, key) == 0 ? record->options[i]->value : value;
    }
    for (size_t i = 0; i < ref->n_options; i++) {
        value = strcmp(ref->options[i]->key, key) == 0 ? ref->options[i]->value : value;
    }
    return value;
}

static void
read_words(const char *text, words_t *out)
{
    *out = (words_t){0};
    while (out->count < MISSING_MAX &&
           vln_text_next(&text, ',', out->text[out->count], WORD_ROOM)) {
        out->pointers[out->count] = out->text[out->count];
        out->count++;
    }
}

static void
read_options(const Valion__V1__DataRef *ref, const Valion__V1__Dataset *record, words_t *words,
             vln_arena_t *arena, vln_csv_options_t *out)
{
    const char *delimiter = find_option(ref, record, "delimiter");
    const char *missing = find_option(ref, record, "missing");
    const char *bad = find_option(ref, record, "bad_is_missing");
    *out = (vln_csv_options_t){.infer = true, .max_bytes = (size_t)VLN_DATASET_MAX_BYTES};
    if (delimiter) {
        out->delimiter = *(strcmp(delimiter, "tab") == 0 ? "\t" : delimiter);
    }
    if (missing) {
        read_words(missing, words);
        out->missing = words->pointers;
    }
    out->bad_is_missing = bad && strcmp(bad, "true") == 0;
    vln_csv_column_t *columns = vln_arena_alloc(arena, (record->n_columns + 1) * sizeof *columns);
    for (size_t i = 0; i < record->n_columns; i++) {
        const Valion__V1__Column *column = record->columns[i];
        if (column->has_type && column->type != 0) {
            columns[out->column_count++] =
                (vln_csv_column_t){.name = column->name,
                                   .type = vln_type_from_contract(column->type),
                                   .optional = column->optional_input};
        }
    }
    out->columns = columns;
}

/* ---- rows ---- */

static bool
choose_rows(vln_task_t *task, const char *what, const Valion__V1__DataRef *ref, vln_dataset_t *out)
{
    int64_t there = (int64_t)vln_table_rows(out->table);
    int64_t rows = ref->has_rows ? ref->rows : there - ref->first_row;
    if (ref->first_row < 0 || ref->first_row >= there || rows < 1) {
        char why[128];
        snprintf(why, sizeof why, "it has %lld rows; row %lld is past its end", (long long)there,
                 (long long)ref->first_row);
        fail(task, VLN_INVALID_ARGUMENT, what, ref, why);
        return false;
    }
    out->first = (size_t)ref->first_row;
    out->rows = (size_t)(rows < there - ref->first_row ? rows : there - ref->first_row);
    return true;
}

static void
end_table(void *value)
{
    vln_table_t *table = value;
    vln_table_destroy(&table);
}

static void
add_text(vln_digest_t *sum, const char *text)
{
    vln_digest_add(sum, text ? text : "", text ? strlen(text) + 1 : 1);
}

static void
add_byte(vln_digest_t *sum, int value)
{
    const uint8_t byte = (uint8_t)value;
    vln_digest_add(sum, &byte, 1);
}

/* What a table follows from: bytes and how they are read. */
static void
make_key(const Valion__V1__Dataset *record, const vln_csv_options_t *options,
         uint8_t key[VLN_DIGEST_BYTES])
{
    vln_digest_t *sum = vln_digest_begin();
    vln_digest_add(sum, record->digest.data, VLN_DIGEST_BYTES);
    vln_digest_add(sum, &options->delimiter, 1);
    add_byte(sum, options->bad_is_missing);
    for (size_t i = 0; options->missing && options->missing[i]; i++) {
        add_text(sum, options->missing[i]);
    }
    add_text(sum, options->missing ? "given" : "own");
    for (size_t i = 0; i < options->column_count; i++) {
        const vln_csv_column_t *column = &options->columns[i];
        add_text(sum, column->name);
        add_byte(sum, (int)column->type);
        add_byte(sum, column->optional);
    }
    vln_digest_end(&sum, key);
}

/* VLN_OK, or a sentence. */
static vln_err_t
parse(vln_worker_t *worker, const Valion__V1__Dataset *record, const vln_csv_options_t *options,
      vln_table_t **out, char why[VLN_DATASET_WHY])
{
    vln_bytes_t bytes = {0};
    char unread[VLN_ARTIFACTS_WHY];
    vln_csv_refusal_t refusal = {0};
    vln_err_t err = vln_artifacts_get(worker->artifacts, record->digest.data, VLN_DATASET_MAX_BYTES,
                                      &bytes, unread);
    if (err != VLN_OK) {
        vln_text_copy(why, VLN_DATASET_WHY, unread);
        return err;
    }
    if (vln_csv_read(options, bytes.data, bytes.size, out, &refusal) != VLN_OK) {
        vln_csv_refusal_format(&refusal, why, VLN_DATASET_WHY);
        err = VLN_INVALID_ARGUMENT;
    }
    vln_bytes_end(&bytes);
    return err;
}

/* From the shelf, where another task may have put it. */
static bool
take_table(vln_worker_t *worker, vln_task_t *task, const char *what, const Valion__V1__DataRef *ref,
           vln_dataset_t *out)
{
    words_t words;
    vln_csv_options_t options;
    uint8_t key[VLN_DIGEST_BYTES];
    read_options(ref, out->record, &words, task->arena, &options);
    make_key(out->record, &options, key);
    out->shelf = worker->tables;
    out->table = vln_shelf_take(out->shelf, key);
    if (!out->table) {
        vln_table_t *table = NULL;
        char why[VLN_DATASET_WHY];
        vln_err_t err = parse(worker, out->record, &options, &table, why);
        if (err != VLN_OK) {
            fail(task, err, what, ref, why);
            return false;
        }
        const vln_shelf_value_t value = {table, vln_table_bytes(table), end_table};
        out->table = vln_shelf_put(out->shelf, key, &value);
    }
    return choose_rows(task, what, ref, out);
}

bool
vln_dataset_read(vln_worker_t *worker, vln_task_t *task, const char *what,
                 const Valion__V1__DataRef *ref, vln_dataset_t *out)
{
    *out = (vln_dataset_t){0};
    if (!ref || ((!ref->name || !ref->name[0]) && ref->digest.len != VLN_DIGEST_BYTES)) {
        vln_task_fail(task, false, "%s: say which data set, by name or digest", what);
        return false;
    }
    bool ok = find(worker, task, what, ref, out) && take_table(worker, task, what, ref, out);
    if (!ok) {
        vln_dataset_end(out);
    }
    return ok;
}
