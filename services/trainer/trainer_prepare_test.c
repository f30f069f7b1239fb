/*
 * What a preprocessor of ours gives, by the native engine; that the library gives the same bits is shown
 * where that is: tests/integration/native_test.c.
 */
#include "trainer_prepare.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vln_native.h"

enum { LIMIT_MS = 60000 };

static vln_arena_t *arena;
static vln_model_t about;
static vln_native_t *native;
static vln_sandbox_result_t result;
static const char **names;

static void
setup(void)
{
    arena = vln_arena_new(VLN_MODEL_ARENA);
}

static void
teardown(void)
{
    vln_native_close(&native);
    vln_sandbox_result_end(&result);
    vln_arena_destroy(&arena);
}

TestSuite(trainer_prepare, .init = setup, .fini = teardown, .timeout = 60);

static void
open_file(const trainer_preparation_t *preparation, const char *reserved)
{
    char why[VLN_MODEL_WHY];
    names = trainer_prepare_names(preparation, reserved, arena);
    vln_part_t file = trainer_prepare_build(preparation, names);
    cr_assert_eq(vln_model_read(file.bytes, file.size, VLN_MODEL_ONNX, arena, &about, why), VLN_OK,
                 "%s", why);
    vln_err_t err = vln_native_open(file.bytes, file.size, &about, arena, &native, why);
    vln_part_end(&file);
    cr_assert_eq(err, VLN_OK, "%s", why);
    cr_assert_eq(about.width, trainer_prepare_width(preparation));
    cr_assert_eq(about.column_count, about.width);
}

static void
expect_names(const char *const *wanted)
{
    for (size_t i = 0; i < about.width; i++) {
        cr_expect_str_eq(names[i], wanted[i], "column %zu", i);
        cr_expect_str_eq(about.columns[i], wanted[i], "column %zu of the file", i);
    }
}

static void
ask(const float *numbers, size_t number_count, const vln_sandbox_text_t *texts, size_t text_count,
    size_t rows)
{
    vln_outcome_t outcome;
    const vln_sandbox_rows_t asked = {.rows = rows,
                                      .numbers = numbers,
                                      .number_count = number_count,
                                      .texts = texts,
                                      .text_count = text_count};
    cr_assert_eq(vln_native_predict(native, &asked, LIMIT_MS, &result, &outcome), VLN_OK, "%s",
                 outcome.sentence);
}

static void
expect_values(const float *wanted, size_t rows)
{
    for (size_t i = 0; i < rows * about.width; i++) {
        bool same = result.values[i] == wanted[i] || (isnan(result.values[i]) && isnan(wanted[i]));
        cr_expect(same, "row %zu, column %zu: %g, not %g", i / about.width, i % about.width,
                  (double)result.values[i], (double)wanted[i]);
    }
}

static const char *const words[] = {"b", "a", "zebra", "", "c"};
static const uint32_t codes[] = {0, 1, 2, 3, 4, UINT32_MAX};
static const vln_sandbox_text_t text = {codes, words};
static const char *abc[] = {"a", "b", "c"};
static const char *with_missing[] = {"", "a", "b"};

Test(trainer_prepare, gives_numbers_and_then_the_texts_in_their_order)
{
    trainer_scaling_t scaling[] = {{.column = "x, y", .fill = 7, .offset = 1, .scale = 2},
                                   {.column = "z", .fill = NAN, .scale = 1}};
    trainer_encoder_t encoders[] = {{"size, in all", true, {.categories = abc, .count = 3}},
                                    {"kind", false, {.categories = abc, .count = 3}}};
    const trainer_preparation_t preparation = {scaling, 2, encoders, 2};
    open_file(&preparation, "y");
    const char *const wanted_names[] = {"x, y",           "z",   "size, in all=a", "size, in all=b",
                                        "size, in all=c", "kind"};
    expect_names(wanted_names);
    cr_assert_eq(about.feature_count, 4);
    cr_expect_str_eq(about.features[2].name, "size, in all");
    const vln_sandbox_text_t both[] = {text, text};
    const float numbers[] = {1, 5, NAN, NAN, 3, 4, 0, 0, 1, 1, 2, 2};
    const float wanted[] = {0,  5, 0, 1, 0, 1,  12, NAN, 1, 0, 0, 0, 4, 4, 0, 0, 0, -1,
                            -2, 0, 0, 0, 0, -1, 0,  1,   0, 0, 1, 2, 2, 2, 0, 0, 0, -1};
    ask(numbers, 2, both, 2, 6);
    expect_values(wanted, 6);
}

Test(trainer_prepare, gives_text_alone_as_well)
{
    trainer_encoder_t encoder = {"t", true, {.categories = with_missing, .count = 3}};
    open_file(&(trainer_preparation_t){.texts = &encoder, .text_count = 1}, NULL);
    const char *const wanted_names[] = {"t=", "t=a", "t=b"};
    expect_names(wanted_names);
    cr_expect_str_eq(about.features[0].name, "t", "its only input has a column's name");
    const float wanted[] = {0, 0, 1, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0};
    ask(NULL, 0, &text, 1, 6);
    expect_values(wanted, 6);
}

Test(trainer_prepare, gives_what_fills_a_missing_text)
{
    encoding_t filled = {.categories = abc, .count = 2, .fill = "b"};
    trainer_encoder_t encoders[] = {{"t", true, filled}, {"u", false, filled}};
    open_file(&(trainer_preparation_t){.texts = encoders, .text_count = 2}, NULL);
    const vln_sandbox_text_t both[] = {text, text};
    const float wanted[] = {0, 1, 1, 1, 0, 0, 0, 0, -1, 0, 1, 1, 0, 0, -1, 0, 1, 1};
    ask(NULL, 0, both, 2, 6);
    expect_values(wanted, 6);
}

Test(trainer_prepare, gives_the_rest_to_whatever_is_no_category)
{
    encoding_t rest = {.categories = abc, .count = 2, .has_rest = true, .fill = "a"};
    trainer_encoder_t encoders[] = {{"t", true, rest}, {"u", false, rest}};
    open_file(&(trainer_preparation_t){.texts = encoders, .text_count = 2}, NULL);
    const char *const wanted_names[] = {"t=a", "t=b", "t=(rest)", "u"};
    expect_names(wanted_names);
    const vln_sandbox_text_t both[] = {text, text};
    const float wanted[] = {0, 1, 0, 1, 1, 0, 0, 0, 0, 0, 1, 2, 1, 0, 0, 0, 0, 0, 1, 2, 1, 0, 0, 0};
    ask(NULL, 0, both, 2, 6);
    expect_values(wanted, 6);
}

Test(trainer_prepare, gives_as_many_columns_as_a_model_takes)
{
    enum { COLUMNS = VLN_MODEL_MAX_FEATURES / 4 };
    static const char *four[] = {"a", "b", "c", "d"};
    trainer_encoder_t *encoders = vln_calloc(COLUMNS, sizeof *encoders);
    for (size_t i = 0; i < COLUMNS; i++) {
        encoders[i] = (trainer_encoder_t){
            vln_arena_printf(arena, "t%zu", i), true, {.categories = four, .count = 4}};
    }
    char why[VLN_MODEL_WHY];
    const trainer_preparation_t preparation = {.texts = encoders, .text_count = COLUMNS};
    names = trainer_prepare_names(&preparation, NULL, arena);
    vln_part_t file = trainer_prepare_build(&preparation, names);
    cr_assert_eq(vln_model_read(file.bytes, file.size, VLN_MODEL_ONNX, arena, &about, why), VLN_OK,
                 "%s", why);
    cr_expect_eq(about.width, VLN_MODEL_MAX_FEATURES);
    cr_expect_eq(about.column_count, VLN_MODEL_MAX_FEATURES);
    vln_part_end(&file);
    free(encoders);
}

Test(trainer_prepare, gives_no_name_twice_and_none_that_is_too_long)
{
    static char longest[VLN_MODEL_MAX_NAME + 1];
    static char texts[2][600];
    const char *same[] = {"b", "b=c", "c"};
    const char *large[] = {texts[0], texts[1], "line\nend"};
    memset(longest, 'n', VLN_MODEL_MAX_NAME);
    for (size_t i = 0; i < 2; i++) {
        for (size_t at = 0; at + 2 < sizeof texts[i]; at += 2) {
            memcpy(texts[i] + at, "\xc3\xa9", 2);
        }
        texts[i][598] = (char)('x' + i);
    }
    trainer_scaling_t scaling = {.column = "a=b=c", .fill = NAN, .scale = 1};
    trainer_encoder_t encoders[] = {{"a", true, {.categories = same, .count = 3}},
                                    {"a=b", true, {.categories = same, .count = 3}},
                                    {"l", true, {.categories = large, .count = 3}},
                                    {longest, true, {.categories = abc, .count = 2}}};
    open_file(&(trainer_preparation_t){&scaling, 1, encoders, 4}, "a=c");
    const char *const wanted[] = {"a=b=c", "a=b",     "a=b=c#2", "a=c#2",
                                  "a=b=b", "a=b=b=c", "a=b=c#3"};
    for (size_t i = 0; i < 7; i++) {
        cr_expect_str_eq(names[i], wanted[i]);
    }
    cr_expect_eq(strlen(names[7]), 250, "cut between characters");
    cr_expect_eq(strlen(names[8]), 236);
    cr_expect(strstr(names[8], "#2"), "%s", names[8]);
    cr_expect_str_eq(names[9], "l=line_end");
    cr_expect_str_eq(names[10], longest);
    cr_expect_eq(strlen(names[11]), 236);
    for (size_t i = 0; i < about.width; i++) {
        cr_expect_str_eq(about.columns[i], names[i]);
    }
}
