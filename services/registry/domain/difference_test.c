#include "difference.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vln_err.h"
#include "vln_mem.h"
#include "vln_text.h"

static const char *const cities[] = {"Rome", "Oslo"};
static const char *const more_cities[] = {"Oslo", "Rome", "Bonn"};
static const char *const classes[] = {"no", "yes"};
static const char *const turned[] = {"yes", "no"};
static const uint8_t one_digest[] = {1, 2, 3};
static const uint8_t other_digest[] = {1, 2, 4};

static const difference_column_t old_inputs[] = {
    {.name = "area", .type = DIFFERENCE_INT64, .unit = "m2"},
    {.name = "age", .type = DIFFERENCE_FLOAT64, .optional = true},
    {.name = "city", .type = DIFFERENCE_STRING, .category_count = 2, .categories = cities},
};
static const difference_column_t old_outputs[] = {
    {.name = "price", .type = DIFFERENCE_FLOAT64, .unit = "BRL"},
    {.name = "error", .type = DIFFERENCE_FLOAT64},
};
static const difference_pair_t old_pairs[] = {{"trees", "100"}, {"depth", "6"}};
static const difference_metric_t old_metrics[] = {{"mae", 10}, {"r2", 0.8}};

static difference_side_t
side(void)
{
    return (difference_side_t){.title = "1.0.0",
                               .has_signature = true,
                               .input_count = VLN_COUNT(old_inputs),
                               .inputs = old_inputs,
                               .output_count = VLN_COUNT(old_outputs),
                               .outputs = old_outputs,
                               .task = 1,
                               .target = "price",
                               .algorithm = "forest",
                               .framework = "valion",
                               .hyperparameter_count = VLN_COUNT(old_pairs),
                               .hyperparameters = old_pairs,
                               .metric_count = VLN_COUNT(old_metrics),
                               .metrics = old_metrics,
                               .digest = one_digest,
                               .digest_size = sizeof one_digest};
}

static difference_t found; /* tests run one by one, each in a process of its own */

static const difference_t *
difference_of(const difference_side_t *old, const difference_side_t *new)
{
    difference_find(old, new, &found);
    return &found;
}

static size_t
keys_of(const difference_t *self)
{
    size_t count = 0;
    for (size_t key = 0; key < SUGGEST_KEY_COUNT; key++) {
        count += self->context.of[key] > 0;
    }
    return count;
}

/* One fact of this key and no other, an obstacle or none, and the names in its sentence. */
static void
expect_one(const difference_t *self, suggest_key_t key, bool fits, const char *word)
{
    cr_assert(keys_of(self) == 1 && self->context.of[key] > 0, "not %s alone",
              suggest_key_name(key));
    cr_expect(self->fact_count == 1 && self->facts[0].key == key);
    cr_expect(strstr(self->facts[0].sentence, word), "%s", self->facts[0].sentence);
    cr_expect(self->callers_fit == fits && (self->obstacle_count == 0) == fits, "%s",
              self->facts[0].sentence);
    if (!fits) {
        cr_expect(strstr(self->obstacles[0], word), "%s", self->obstacles[0]);
    }
}

/* What the new version's input `at` is instead. */
static void
expect_input(size_t at, difference_column_t column, suggest_key_t key, bool fits, const char *word)
{
    difference_column_t inputs[VLN_COUNT(old_inputs)];
    memcpy(inputs, old_inputs, sizeof inputs);
    inputs[at] = column;
    difference_side_t old = side();
    difference_side_t new = side();
    new.inputs = inputs;
    expect_one(difference_of(&old, &new), key, fits, word);
}

Test(difference, the_same_has_none)
{
    difference_side_t one = side();
    const difference_t *none = difference_of(&one, &one);
    cr_expect(keys_of(none) == 0 && none->fact_count == 0 && none->note_count == 0);
    cr_expect(none->callers_fit);
}

Test(difference, an_input_that_is_gone_is_left_aside)
{
    difference_side_t old = side();
    difference_side_t new = side();
    new.input_count = 2;
    expect_one(difference_of(&old, &new), SUGGEST_INPUT_REMOVED, true, "'city'");
}

Test(difference, an_input_that_is_new_has_to_be_given_or_not)
{
    difference_side_t old = side();
    difference_side_t new = side();
    old.input_count = 2;
    expect_one(difference_of(&old, &new), SUGGEST_INPUT_ADDED, false, "'city'");
    old.inputs = &old_inputs[2];
    old.input_count = 1;
    new.inputs = &old_inputs[1];
    new.input_count = 2;
    expect_one(difference_of(&old, &new), SUGGEST_OPTIONAL_INPUT_ADDED, true, "'age'");
}

Test(difference, an_input_changes)
{
    expect_input(0, (difference_column_t){.name = "area", .type = DIFFERENCE_FLOAT64, .unit = "m2"},
                 SUGGEST_INPUT_WIDENED, true, "float64");
    expect_input(0, (difference_column_t){.name = "area", .type = DIFFERENCE_FLOAT32},
                 SUGGEST_INPUT_RETYPED, false, "'area'");
    expect_input(0, (difference_column_t){.name = "area", .type = DIFFERENCE_STRING},
                 SUGGEST_INPUT_RETYPED, false, "string");
    expect_input(1,
                 (difference_column_t){.name = "age", .type = DIFFERENCE_INT64, .optional = true},
                 SUGGEST_INPUT_RETYPED, false, "int64");
    expect_input(1, (difference_column_t){.name = "age", .type = DIFFERENCE_FLOAT64},
                 SUGGEST_INPUT_ADDED, false, "may no longer be missing");
    expect_input(0,
                 (difference_column_t){
                     .name = "area", .type = DIFFERENCE_INT64, .unit = "m2", .optional = true},
                 SUGGEST_INPUT_WIDENED, true, "may be missing");
    expect_input(0, (difference_column_t){.name = "area", .type = DIFFERENCE_INT64, .unit = "ft2"},
                 SUGGEST_UNIT_CHANGED, false, "ft2");
    expect_input(
        2,
        (difference_column_t){
            .name = "city", .type = DIFFERENCE_STRING, .category_count = 1, .categories = cities},
        SUGGEST_CATEGORY_REMOVED, false, "'Oslo'");
    expect_input(2,
                 (difference_column_t){.name = "city",
                                       .type = DIFFERENCE_STRING,
                                       .category_count = 3,
                                       .categories = more_cities},
                 SUGGEST_CATEGORY_ADDED, true, "'Bonn'");
    expect_input(2, (difference_column_t){.name = "city", .type = DIFFERENCE_STRING},
                 SUGGEST_CATEGORY_ADDED, true, "any text");
}

Test(difference, from_any_text_to_some_categories_is_less)
{
    const difference_column_t any = {.name = "city", .type = DIFFERENCE_STRING};
    difference_side_t old = side();
    difference_side_t new = side();
    old.inputs = &any;
    new.inputs = &old_inputs[2];
    old.input_count = new.input_count = 1;
    expect_one(difference_of(&old, &new), SUGGEST_CATEGORY_REMOVED, false, "any text");
}

Test(difference, types_take_what_fits_into_them_without_loss)
{
    /* Rows: before; columns: now. '=' the same, 'w' wider, 'n' narrower. */
    static const char *const table[] = {
        /*          bool int f32 f64 text */
        /* bool */ "=wwwn",
        /* int  */ "n=nwn",
        /* f32  */ "nn=wn",
        /* f64  */ "nnn=n",
        /* text */ "nnnn=",
    };
    for (int before = DIFFERENCE_BOOL; before <= DIFFERENCE_STRING; before++) {
        for (int now = DIFFERENCE_BOOL; now <= DIFFERENCE_STRING; now++) {
            const difference_column_t old_input = {.name = "x", .type = before};
            const difference_column_t new_input = {.name = "x", .type = now};
            difference_side_t old = side();
            difference_side_t new = side();
            old.inputs = &old_input;
            new.inputs = &new_input;
            old.input_count = new.input_count = 1;
            const difference_t *self = difference_of(&old, &new);
            char wanted = table[before - 1][now - 1];
            cr_expect((self->context.of[SUGGEST_INPUT_WIDENED] > 0) == (wanted == 'w'), "%d %d",
                      before, now);
            cr_expect((self->context.of[SUGGEST_INPUT_RETYPED] > 0) == (wanted == 'n'), "%d %d",
                      before, now);
            cr_expect(self->callers_fit == (wanted != 'n'));
        }
    }
}

Test(difference, inputs_without_names_are_counted)
{
    static const difference_column_t unnamed[] = {{.name = "input[0]"}, {.name = "input[1]"}};
    difference_side_t old = side();
    difference_side_t new = side();
    old.inputs = new.inputs = unnamed;
    old.input_count = 2;
    new.input_count = 1;
    expect_one(difference_of(&old, &new), SUGGEST_INPUT_REMOVED, false, "in");
}

static void
expect_outputs(const difference_column_t *outputs, size_t count, suggest_key_t key, bool fits,
               const char *word)
{
    difference_side_t old = side();
    difference_side_t new = side();
    new.outputs = outputs;
    new.output_count = count;
    expect_one(difference_of(&old, &new), key, fits, word);
}

Test(difference, outputs_are_what_callers_read)
{
    const difference_column_t price = old_outputs[0];
    const difference_column_t error = old_outputs[1];
    expect_outputs((difference_column_t[]){price}, 1, SUGGEST_OUTPUT_CHANGED, false, "'error'");
    expect_outputs((difference_column_t[]){error, price}, 2, SUGGEST_OUTPUT_CHANGED, false,
                   "'price'");
    expect_outputs((difference_column_t[]){price, error, {.name = "low"}}, 3,
                   SUGGEST_OUTPUT_CHANGED, true, "'low'");
    expect_outputs((difference_column_t[]){price, {.name = "error", .type = DIFFERENCE_FLOAT32}}, 2,
                   SUGGEST_OUTPUT_CHANGED, true, "float32");
    expect_outputs((difference_column_t[]){price, {.name = "error", .type = DIFFERENCE_INT64}}, 2,
                   SUGGEST_OUTPUT_CHANGED, false, "int64");
    expect_outputs((difference_column_t[]){{.name = "price", .unit = "EUR"}, error}, 2,
                   SUGGEST_UNIT_CHANGED, false, "EUR");
}

Test(difference, task_and_classes_are_part_of_the_answer)
{
    difference_side_t old = side();
    difference_side_t new = side();
    new.task = 2;
    expect_one(difference_of(&old, &new), SUGGEST_OUTPUT_CHANGED, false, "binary");
    new.task = 0; /* not said */
    cr_expect(difference_of(&old, &new)->fact_count == 0);
    new = old;
    old.classes = classes;
    new.classes = turned;
    old.class_count = new.class_count = 2;
    expect_one(difference_of(&old, &new), SUGGEST_OUTPUT_CHANGED, false, "order");
    new.classes = classes;
    old.positive_class = "yes";
    new.positive_class = "no";
    expect_one(difference_of(&old, &new), SUGGEST_OUTPUT_CHANGED, false, "'no'");
}

Test(difference, words_of_the_record)
{
    difference_side_t old = side();
    difference_side_t new = side();
    new.target = "rent";
    expect_one(difference_of(&old, &new), SUGGEST_TARGET_CHANGED, false, "'rent'");
    new = side();
    new.algorithm = "boost";
    expect_one(difference_of(&old, &new), SUGGEST_ALGORITHM_CHANGED, true, "'boost'");
    new = side();
    new.framework = "xgboost";
    expect_one(difference_of(&old, &new), SUGGEST_ALGORITHM_CHANGED, true, "'xgboost'");
    new = side();
    new.digest = other_digest;
    expect_one(difference_of(&old, &new), SUGGEST_ARTIFACT_CHANGED, true, "bytes");
}

Test(difference, hyperparameters_are_compared_by_their_text)
{
    static const difference_pair_t other[] = {{"depth", "6"}, {"trees", "200"}};
    static const difference_pair_t added[] = {{"depth", "6"}, {"rate", "0.1"}, {"trees", "100"}};
    difference_side_t old = side();
    difference_side_t new = side();
    new.hyperparameters = other;
    expect_one(difference_of(&old, &new), SUGGEST_HYPERPARAMETER_CHANGED, true,
               "trees is 200, it was 100");
    new.hyperparameters = added;
    new.hyperparameter_count = 3;
    expect_one(difference_of(&old, &new), SUGGEST_HYPERPARAMETER_CHANGED, true, "rate is 0.1");
    new.hyperparameter_count = 1;
    expect_one(difference_of(&old, &new), SUGGEST_HYPERPARAMETER_CHANGED, true, "trees");
}

Test(difference, what_is_not_said_is_not_compared)
{
    difference_side_t old = side();
    difference_side_t new = {.title = "the new version"};
    const difference_t *self = difference_of(&old, &new);
    cr_expect(keys_of(self) == 0 && self->fact_count == 0);
    cr_assert(self->note_count == 1 && self->obstacle_count == 1 && !self->callers_fit);
    cr_expect(strstr(self->notes[0], "the new version is not known"), "%s", self->notes[0]);
    self = difference_of(&new, &old);
    cr_expect(keys_of(self) == 0 && strstr(self->notes[0], "the new version is not known"));
}

static const difference_t *
metrics_of(const char *name, double before, double now)
{
    const difference_metric_t old_one[] = {{"seconds", 1}, {name, before}};
    const difference_metric_t new_one[] = {{name, now}, {"seconds", 9}};
    difference_side_t old = side();
    difference_side_t new = side();
    old.metrics = old_one;
    new.metrics = new_one;
    return difference_of(&old, &new);
}

static void
expect_metric(const char *name, double before, double now, double improvement, double regression)
{
    const difference_t *self = metrics_of(name, before, now);
    double better = self->context.of[SUGGEST_PERFORMANCE_IMPROVEMENT];
    double worse = self->context.of[SUGGEST_PERFORMANCE_REGRESSION];
    cr_expect(fabs(better - improvement) < 1e-12 && fabs(worse - regression) < 1e-12,
              "%s %g -> %g: %g %g", name, before, now, better, worse);
}

Test(difference, a_metric_is_better_or_worse_by_its_own_direction)
{
    expect_metric("r2", 0.8, 0.9, 0.125, 0);
    expect_metric("accuracy", 0.8, 0.6, 0, 0.25);
    expect_metric("rmse", 10, 8, 0.2, 0);
    expect_metric("log_loss", 0.5, 0.75, 0, 0.5);
    expect_metric("r2", -0.5, 0.5, 2, 0);
    expect_metric("r2", 0.5, 0.5, 0, 0);
    expect_metric("seconds", 1, 9, 0, 0); /* nobody knows which way is better */
    expect_metric("r2", 0.5, NAN, 0, 0);
    expect_metric("r2", INFINITY, 1, 0, 0);
}

Test(difference, a_change_from_next_to_nothing_is_a_number)
{
    const difference_t *self = metrics_of("r2", 1e-300, 1e300);
    cr_expect(isfinite(self->context.of[SUGGEST_PERFORMANCE_IMPROVEMENT]));
    cr_expect(self->context.of[SUGGEST_PERFORMANCE_IMPROVEMENT] > 1e6);
    self = metrics_of("mae", -1.7e308, 1.7e308);
    cr_expect(fabs(self->context.of[SUGGEST_PERFORMANCE_REGRESSION] - 2) < 1e-12);
    self = metrics_of("r2", 0, 0.5);
    cr_expect(keys_of(self) == 0 && self->note_count == 1 && strstr(self->notes[0], "r2 was 0"));
    self = metrics_of("r2", 0, 0);
    cr_expect(keys_of(self) == 0 && self->note_count == 0);
}

Test(difference, the_first_known_metric_that_both_have_counts)
{
    const difference_metric_t before[] = {{"mae", 10}, {"f1", 0.5}, {"r2", 0.5}};
    const difference_metric_t now[] = {{"mae", 5}, {"f1", 0.6}};
    difference_side_t old = side();
    difference_side_t new = side();
    old.metrics = before;
    old.metric_count = 3;
    new.metrics = now;
    new.metric_count = 2;
    expect_one(difference_of(&old, &new), SUGGEST_PERFORMANCE_IMPROVEMENT, true,
               "f1 went from 0.5 to 0.6: 20 % better");
}

Test(difference, many_of_a_kind_are_told_in_short)
{
    enum { MANY = 3000 };
    difference_column_t *many = vln_calloc(MANY, sizeof *many);
    char(*names)[16] = vln_calloc(MANY, sizeof *names);
    for (int i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof *names, "column %d", i);
        many[i] = (difference_column_t){.name = names[i]};
    }
    difference_side_t old = side();
    difference_side_t new = side();
    old.input_count = 0;
    new.inputs = many;
    new.input_count = MANY;
    const difference_t *self = difference_of(&old, &new);
    cr_expect(self->fact_count == DIFFERENCE_FACTS_OF_KEY + 1);
    cr_expect_str_eq(self->facts[DIFFERENCE_FACTS_OF_KEY].sentence, "and 2992 more of this kind");
    cr_expect(self->obstacle_count == DIFFERENCE_OBSTACLES_MAX + 1);
    cr_expect_str_eq(self->obstacles[DIFFERENCE_OBSTACLES_MAX], "and 2984 more");
    free(names);
    free(many);
}

/* A name of two-byte letters, at every shift: what is cut must stay text. */
Test(difference, long_names_are_cut_between_letters)
{
    for (size_t shift = 0; shift < 4; shift++) {
        char name[250] = "abc";
        name[shift] = '\0';
        for (size_t len = shift; len < sizeof name - 3; len += 2) {
            memcpy(name + len, "é", 3);
        }
        const difference_column_t input = {.name = name, .unit = name};
        const difference_column_t other = {.name = name, .unit = "m"};
        difference_side_t old = side();
        difference_side_t new = side();
        old.inputs = &input;
        new.inputs = &other;
        old.input_count = new.input_count = 1;
        const difference_t *self = difference_of(&old, &new);
        cr_assert(self->fact_count == 1);
        cr_expect(vln_text_is_utf8(self->facts[0].sentence, strlen(self->facts[0].sentence)));
        cr_expect(strstr(self->facts[0].sentence, "é…'"), "%s", self->facts[0].sentence);
    }
}

Test(difference, said_and_computed_are_taken_together)
{
    const suggest_context_t said = {
        .of = {[SUGGEST_BUG_FIX] = 1, [SUGGEST_PERFORMANCE_IMPROVEMENT] = 0.5}};
    suggest_context_t computed = {.of = {[SUGGEST_INPUT_ADDED] = 1}};
    suggest_context_t both = difference_merge(&said, &computed);
    cr_expect(both.of[SUGGEST_BUG_FIX] > 0 && both.of[SUGGEST_INPUT_ADDED] > 0);
    cr_expect(fabs(both.of[SUGGEST_PERFORMANCE_IMPROVEMENT] - 0.5) < 1e-12);
    computed.of[SUGGEST_PERFORMANCE_REGRESSION] = 0.2;
    both = difference_merge(&said, &computed);
    cr_expect(both.of[SUGGEST_PERFORMANCE_IMPROVEMENT] <= 0, "what was measured goes first");
}
