#include "truth.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static vln_arena_t *arena;
static vln_table_t *table;
static Valion__V1__Signature signature;
static truth_t truth;
static char why[TRUTH_WHY];

static void
setup(void)
{
    arena = vln_arena_new(1 << 20);
    table = vln_table_new();
    vln_table_set_rows(table, 4);
    valion__v1__signature__init(&signature);
    signature.task = VALION__V1__TASK_TYPE__TASK_TYPE_REGRESSION;
}

static void
teardown(void)
{
    vln_table_destroy(&table);
    vln_arena_destroy(&arena);
}

TestSuite(truth, .init = setup, .fini = teardown);

static void
add_numbers(const char *name, const double *values)
{
    vln_column_t *column = vln_table_add(table, name, VLN_TYPE_F64);
    for (size_t row = 0; row < 4; row++) {
        if (!isnan(values[row])) {
            vln_column_set_f64(column, row, values[row]);
        }
    }
}

static void
add_texts(const char *name, const char *const *texts)
{
    vln_column_t *column = vln_table_add(table, name, VLN_TYPE_STRING);
    for (size_t row = 0; row < 4; row++) {
        vln_column_set_text(column, row, texts[row], strlen(texts[row]));
    }
}

static vln_err_t
read_target(const char *name)
{
    return truth_read(table, name, &signature, arena, &truth, why);
}

Test(truth, rows_without_a_target_or_a_number_are_left_out)
{
    static const double target[] = {1, NAN, 3, 4};
    static float answers[] = {1, 2, NAN, 5};
    const vln_sandbox_result_t result = {.rows = 4, .width = 1, .values = answers};
    add_numbers("y", target);
    cr_assert_eq(read_target("y"), VLN_OK, "%s", why);
    check_predictions_t judged = truth_judge(&truth, &result, NULL, arena);
    cr_expect_eq(judged.rows, 4);
    cr_expect_eq(judged.untold, 1);
    cr_expect_eq(judged.unusable, 1);
    cr_assert_eq(judged.result.rows, 2);
    cr_expect(judged.truth.values[0] == 1 && judged.truth.values[1] == 4);
    cr_expect(judged.result.values[0] == 1 && judged.result.values[1] == 5);
    cr_expect(vln_scores_get(&judged.scores, "mae", -1) == 0.5);
}

Test(truth, others_can_leave_rows_out)
{
    static const double target[] = {1, 2, 3, 4};
    static const bool others[] = {true, false, true, false};
    static float answers[] = {1, 2, 3, 4};
    const vln_sandbox_result_t result = {.rows = 4, .width = 1, .values = answers};
    add_numbers("y", target);
    cr_assert_eq(read_target("y"), VLN_OK, "%s", why);
    check_predictions_t judged = truth_judge(&truth, &result, others, arena);
    cr_expect_eq(judged.result.rows, 2);
    cr_expect(judged.result.values[1] == 3);
}

Test(truth, without_any_row_left_there_are_no_scores)
{
    static const double target[] = {1, 2, 3, 4};
    static float answers[] = {NAN, INFINITY, NAN, -INFINITY};
    const vln_sandbox_result_t result = {.rows = 4, .width = 1, .values = answers};
    add_numbers("y", target);
    cr_assert_eq(read_target("y"), VLN_OK, "%s", why);
    check_predictions_t judged = truth_judge(&truth, &result, NULL, arena);
    cr_expect_eq(judged.unusable, 4);
    cr_expect_eq(judged.result.rows, 0);
    cr_expect_eq(judged.scores.count, 0);
}

static char low[] = "low";
static char high[] = "high";
static char one[] = "1";
static char two[] = "2";

static void
classify(char **classes)
{
    signature.task = VALION__V1__TASK_TYPE__TASK_TYPE_BINARY;
    signature.classes = classes;
    signature.n_classes = 2;
}

Test(truth, texts_are_classes_by_what_they_say)
{
    static char *classes[] = {low, high};
    static const char *const texts[] = {"high", "low", "high", "high"};
    static const int32_t codes[] = {1, 0, 1, 1};
    classify(classes);
    add_texts("y", texts);
    cr_assert_eq(read_target("y"), VLN_OK, "%s", why);
    cr_expect_arr_eq(truth.all.codes, codes, sizeof codes);
}

Test(truth, numbers_are_classes_however_they_are_written)
{
    static char *classes[] = {one, two};
    static const double target[] = {1, 2, 2, 1};
    classify(classes);
    add_numbers("floats", target);
    vln_column_t *whole = vln_table_add(table, "whole", VLN_TYPE_I64);
    for (size_t row = 0; row < 4; row++) {
        vln_column_set_i64(whole, row, (int64_t)target[row]);
    }
    static const char *const names[] = {"floats", "whole"};
    static const int32_t codes[] = {0, 1, 1, 0};
    for (size_t i = 0; i < 2; i++) {
        cr_assert_eq(read_target(names[i]), VLN_OK, "%s", why);
        cr_expect_arr_eq(truth.all.codes, codes, sizeof codes);
    }
}

Test(truth, truth_values_fit_classes_of_digits)
{
    vln_column_t *column = vln_table_add(table, "y", VLN_TYPE_BOOL);
    for (size_t row = 0; row < 4; row++) {
        vln_column_set_bool(column, row, row == 2);
    }
    static const int32_t codes[] = {0, 0, 1, 0};
    classify(NULL);
    signature.n_classes = 0; /* a binary model whose classes nobody named */
    cr_assert_eq(read_target("y"), VLN_OK, "%s", why);
    cr_expect_arr_eq(truth.all.codes, codes, sizeof codes);
}

Test(truth, a_class_that_the_version_does_not_know_is_named)
{
    static char *classes[] = {low, high};
    static const char *const texts[] = {"high", "low", "middle", "high"};
    classify(classes);
    add_texts("y", texts);
    cr_assert_eq(read_target("y"), VLN_INVALID_ARGUMENT);
    cr_expect(strstr(why, "row 3: 'middle'"), "%s", why);
    cr_expect(strstr(why, "(low, high)"), "%s", why);
}

Test(truth, columns_that_cannot_be_the_target_are_refused)
{
    static const char *const texts[] = {"1", "2", "3", "4"};
    static const double none[] = {NAN, NAN, NAN, NAN};
    add_texts("text", texts);
    add_numbers("none", none);
    cr_expect_eq(read_target("text"), VLN_INVALID_ARGUMENT);
    cr_expect(strstr(why, "holds text"), "%s", why);
    cr_expect_eq(read_target("none"), VLN_INVALID_ARGUMENT);
    cr_expect(strstr(why, "no value in any row"), "%s", why);
    cr_expect_eq(read_target("other"), VLN_INVALID_ARGUMENT);
}

Test(truth, answers_that_do_not_fit_are_refused)
{
    static char *classes[] = {low, high};
    static const char *const texts[] = {"high", "low", "high", "high"};
    int32_t labels[] = {0, 1, 2, 0};
    vln_sandbox_result_t result = {.rows = 4, .width = 0, .labels = labels};
    classify(classes);
    add_texts("y", texts);
    cr_assert_eq(read_target("y"), VLN_OK, "%s", why);
    cr_expect_eq(truth_fits(&truth, &result, why), VLN_INVALID_ARGUMENT);
    cr_expect(strstr(why, "row 3"), "%s", why);
    labels[2] = 1;
    cr_expect_eq(truth_fits(&truth, &result, why), VLN_OK);
    result.width = 3;
    cr_expect_eq(truth_fits(&truth, &result, why), VLN_INVALID_ARGUMENT);
}

Test(truth, numbers_that_are_no_probabilities_are_not_used)
{
    static char *classes[] = {low, high};
    static const char *const texts[] = {"high", "low", "high", "high"};
    static float answers[] = {0.5F, 1.5F, 0, 1};
    size_t unusable = 0;
    vln_sandbox_result_t result = {.rows = 4, .width = 1, .values = answers, .not_probability = 1};
    classify(classes);
    add_texts("y", texts);
    cr_assert_eq(read_target("y"), VLN_OK, "%s", why);
    const bool *usable = truth_usable(&truth, &result, arena, &unusable);
    cr_expect_eq(unusable, 1);
    cr_expect_not(usable[1]);
    result.not_probability = 0; /* a score that is meant as one, such as a margin */
    truth_usable(&truth, &result, arena, &unusable);
    cr_expect_eq(unusable, 0);
}
