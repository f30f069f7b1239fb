#include "trainer_columns.h"

#include <stdlib.h>
#include <string.h>

#include "vln_model.h"
#include "vln_sample.h"

/* One prepared column is left for the target, in the table that is made. */
enum { PREPARED_MAX = VLN_TABLE_COLUMNS_MAX - 1 };

typedef struct columns {
    vln_task_t *task;
    const trainer_fitting_t *from;
    trainer_notes_t *notes;
    trainer_preparation_t *out;
} columns_t;

/* ---- which row of the spec is for a column ---- */

static bool
names_column(const Valion__V1__ColumnTransform *transform, const char *name)
{
    for (size_t i = 0; i < transform->n_columns; i++) {
        if (strcmp(transform->columns[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static bool
is_encoded(const Valion__V1__ColumnTransform *transform)
{
    return transform->encode != VALION__V1__ENCODE__ENCODE_UNSPECIFIED;
}

/* The row that names the column, else the one that names none and takes its type: text, if it encodes,
 * or numbers. NULL: none. */
static const Valion__V1__ColumnTransform *
find_transform(const Valion__V1__TransformSpec *spec, const vln_column_t *column)
{
    const Valion__V1__ColumnTransform *rest = NULL;
    for (size_t i = 0; i < spec->n_columns; i++) {
        const Valion__V1__ColumnTransform *each = spec->columns[i];
        if (names_column(each, column->name)) {
            return each;
        }
        if (each->n_columns == 0 && is_encoded(each) == (column->type == VLN_TYPE_STRING)) {
            rest = each;
        }
    }
    return rest;
}

static const char *
find_unknown(const Valion__V1__ColumnTransform *transform, const vln_table_t *table)
{
    for (size_t at = 0; at < transform->n_columns; at++) {
        if (!vln_table_find(table, transform->columns[at])) {
            return transform->columns[at];
        }
    }
    return NULL;
}

static bool
check_names(const columns_t *self)
{
    const Valion__V1__TransformSpec *spec = self->from->spec;
    const char *unknown = NULL;
    for (size_t i = 0; i < spec->n_columns && !unknown; i++) {
        unknown = find_unknown(spec->columns[i], self->from->table);
    }
    if (unknown) {
        vln_task_fail(self->task, false, "the data has no column '%.128s'", unknown);
    }
    return !unknown;
}

/* ---- numbers ---- */

static bool
add_number(columns_t *self, const vln_column_t *column,
           const Valion__V1__ColumnTransform *transform)
{
    static const Valion__V1__ColumnTransform as_it_is = VALION__V1__COLUMN_TRANSFORM__INIT;
    const trainer_fitting_t *from = self->from;
    if (transform && is_encoded(transform)) {
        vln_task_fail(self->task, false,
                      "column '%.128s' holds numbers, and encode is for text: leave encode out",
                      column->name);
        return false;
    }
    size_t all = vln_table_rows(from->table);
    double *values = vln_calloc(all + 1, sizeof *values);
    double *train = vln_calloc(from->count + 1, sizeof *train);
    vln_column_numbers(column, all, values);
    for (size_t i = 0; i < from->count; i++) {
        train[i] = values[from->rows[i]];
    }
    vln_sample_t sample = vln_sample_make(train, from->count);
    self->out->numbers[self->out->number_count++] =
        trainer_scaling_fit(column->name, &sample, transform ? transform : &as_it_is);
    vln_sample_end(&sample);
    free(train);
    free(values);
    return true;
}

/* ---- text ---- */

static const char *
find_senseless(const Valion__V1__ColumnTransform *transform)
{
    if (transform->scale != VALION__V1__SCALE__SCALE_UNSPECIFIED) {
        return "text cannot be scaled: leave scale out";
    }
    switch (transform->impute) {
    case VALION__V1__IMPUTE__IMPUTE_UNSPECIFIED:
    case VALION__V1__IMPUTE__IMPUTE_MOST_FREQUENT:
    case VALION__V1__IMPUTE__IMPUTE_CONSTANT:
        break;
    default:
        return "text has no mean: impute it by IMPUTE_MOST_FREQUENT, or by IMPUTE_CONSTANT with "
               "constant_text";
    }
    bool known = transform->encode == VALION__V1__ENCODE__ENCODE_ONE_HOT ||
                 transform->encode == VALION__V1__ENCODE__ENCODE_ORDINAL;
    return known ? NULL : "encode is ENCODE_ONE_HOT or ENCODE_ORDINAL";
}

static encoding_terms_t
terms_of(const Valion__V1__ColumnTransform *transform)
{
    encoding_terms_t terms = {.max = transform->max_categories};
    if (transform->impute == VALION__V1__IMPUTE__IMPUTE_MOST_FREQUENT) {
        terms.fill = ENCODING_FILL_MOST_FREQUENT;
    } else if (transform->impute == VALION__V1__IMPUTE__IMPUTE_CONSTANT) {
        terms.fill = ENCODING_FILL_TEXT;
        terms.text = transform->constant_text ? transform->constant_text : "";
    }
    return terms;
}

/* Its texts with their rows, and the missing cells as the empty text at the end. Yours. */
static encoding_word_t *
count_words(const columns_t *self, const vln_column_t *column, size_t *count)
{
    const trainer_fitting_t *from = self->from;
    size_t texts = vln_dict_count(column->words);
    encoding_word_t *words = vln_calloc(texts + 1, sizeof *words);
    for (size_t i = 0; i < texts; i++) {
        words[i].text = vln_dict_text(column->words, (int32_t)i, NULL);
    }
    words[texts].text = "";
    for (size_t i = 0; i < from->count; i++) {
        int32_t code = column->codes[from->rows[i]];
        words[code < 0 ? texts : (size_t)code].rows++;
    }
    *count = texts + 1;
    return words;
}

static bool
fit_encoding(const columns_t *self, const vln_column_t *column,
             const Valion__V1__ColumnTransform *transform, encoding_t *out)
{
    char why[ENCODING_WHY];
    size_t count = 0;
    encoding_word_t *words = count_words(self, column, &count);
    const encoding_terms_t terms = terms_of(transform);
    bool good = encoding_fit(words, count, &terms, self->task->arena, out, why);
    free(words);
    if (!good) {
        vln_task_fail(self->task, false, "column '%.128s': %s", column->name, why);
    } else if (out->has_rest) {
        trainer_note(self->task->arena, self->notes,
                     "column '%.128s': %zu rare texts are one category, and so is what was never "
                     "seen",
                     column->name, out->rest);
    }
    return good;
}

static bool
add_text(columns_t *self, const vln_column_t *column, const Valion__V1__ColumnTransform *transform)
{
    if (!transform || !is_encoded(transform)) {
        vln_task_fail(self->task, false,
                      "column '%.128s' holds text: encode it (\"encode\": \"ENCODE_ONE_HOT\" or "
                      "\"ENCODE_ORDINAL\"), drop it (\"drop\": true), or leave it out of the data "
                      "set",
                      column->name);
        return false;
    }
    const char *senseless = find_senseless(transform);
    if (senseless) {
        vln_task_fail(self->task, false, "column '%.128s': %s", column->name, senseless);
        return false;
    }
    trainer_encoder_t encoder = {
        .column = column->name, .one_hot = transform->encode == VALION__V1__ENCODE__ENCODE_ONE_HOT};
    bool good = fit_encoding(self, column, transform, &encoder.encoding);
    if (good) {
        self->out->texts[self->out->text_count++] = encoder;
    }
    return good;
}

/* ---- all of them ---- */

static bool
add_column(columns_t *self, const vln_column_t *column)
{
    const char *target = self->from->spec->target;
    const Valion__V1__ColumnTransform *transform = find_transform(self->from->spec, column);
    if ((target && strcmp(target, column->name) == 0) || (transform && transform->drop)) {
        return true;
    }
    if (strncmp(column->name, TRAINER_PREPARE_OWN, sizeof TRAINER_PREPARE_OWN - 1) == 0) {
        vln_task_fail(self->task, false,
                      "column '%.128s': names that begin with '%s' are the preprocessor's own",
                      column->name, TRAINER_PREPARE_OWN);
        return false;
    }
    return column->type == VLN_TYPE_STRING ? add_text(self, column, transform)
                                           : add_number(self, column, transform);
}

static bool
check_width(const columns_t *self)
{
    size_t width = trainer_prepare_width(self->out);
    if (width == 0 || width > PREPARED_MAX) {
        vln_task_fail(self->task, false,
                      "%zu columns would be prepared, and there are 1 to %d: drop some, or encode "
                      "them with fewer max_categories or by ENCODE_ORDINAL",
                      width, PREPARED_MAX);
    }
    return width > 0 && width <= PREPARED_MAX;
}

bool
trainer_columns_fit(vln_task_t *task, const trainer_fitting_t *fitting, trainer_notes_t *notes,
                    trainer_preparation_t *out)
{
    columns_t self = {.task = task, .from = fitting, .notes = notes, .out = out};
    size_t columns = vln_table_columns(fitting->table);
    *out = (trainer_preparation_t){
        .numbers = vln_arena_alloc(task->arena, (columns + 1) * sizeof *out->numbers),
        .texts = vln_arena_alloc(task->arena, (columns + 1) * sizeof *out->texts)};
    bool good = check_names(&self);
    for (size_t i = 0; i < columns && good; i++) {
        good = add_column(&self, vln_table_at(fitting->table, i));
    }
    return good && check_width(&self);
}
