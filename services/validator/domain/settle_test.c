#include "settle.h"

#include <criterion/criterion.h>
#include <string.h>

#include "test_onnx.h"

static vln_arena_t *arena;
static vln_model_t model;
static settle_question_t question;
static settle_notes_t notes;
static Valion__V1__Signature *signature;
static Valion__V1__Signature said;
static Valion__V1__Column columns[4];
static Valion__V1__Column *list[4];
static vln_table_t *data;
static char why[SETTLE_WHY];

static void
setup(void)
{
    arena = vln_arena_new(VLN_MODEL_ARENA);
    valion__v1__signature__init(&said);
    for (size_t i = 0; i < 4; i++) {
        valion__v1__column__init(&columns[i]);
        list[i] = &columns[i];
    }
    said.inputs = list;
    data = NULL;
    notes.count = 0;
}

static void
teardown(void)
{
    vln_table_destroy(&data);
    vln_arena_destroy(&arena);
}

TestSuite(settle, .init = setup, .fini = teardown);

static void
open_model(vln_part_t part)
{
    char sentence[VLN_MODEL_WHY];
    cr_assert_eq(vln_model_read(part.bytes, part.size, VLN_MODEL_AUTO, arena, &model, sentence),
                 VLN_OK, "%s", sentence);
    vln_part_end(&part);
    question = (settle_question_t){.first = &model, .model = &model};
}

static void
say(const char *const *names, size_t count)
{
    said.n_inputs = count;
    for (size_t i = 0; i < count; i++) {
        columns[i].name = (char *)(uintptr_t)names[i];
    }
    question.expected = &said;
}

static void
add(const char *name, vln_type_t type)
{
    data = data ? data : vln_table_new();
    vln_table_set_rows(data, 2);
    vln_column_t *column = vln_table_add(data, name, type);
    if (type == VLN_TYPE_F64) {
        vln_column_set_f64(column, 0, 1); /* the second row has none */
    } else {
        vln_column_set_text(column, 0, "Rome", 4);
        vln_column_set_text(column, 1, "Oslo", 4);
    }
    question.data = data;
}

static vln_err_t
settle(void)
{
    return settle_signature(&question, arena, &signature, &notes, why);
}

Test(settle, unnamed_columns_without_data_are_the_askers_to_name)
{
    open_model(test_onnx_linear(2));
    cr_expect_eq(settle(), VLN_INVALID_ARGUMENT);
    cr_expect(strstr(why, "names none of its 2 columns"), "%s", why);
}

Test(settle, unnamed_columns_are_those_of_the_data_without_the_target)
{
    open_model(test_onnx_linear(2));
    add("a", VLN_TYPE_F64);
    add("price", VLN_TYPE_F64);
    add("b", VLN_TYPE_F64);
    cr_expect_eq(settle(), VLN_INVALID_ARGUMENT);
    cr_expect(strstr(why, "say which column is the target"), "%s", why);
    question.target = "price";
    cr_assert_eq(settle(), VLN_OK, "%s", why);
    cr_expect_str_eq(signature->inputs[0]->name, "a");
    cr_expect_str_eq(signature->inputs[1]->name, "b");
    cr_expect(signature->inputs[0]->optional_input); /* a cell of it is missing */
    cr_expect(strstr(notes.texts[0], "order assumed"));
    cr_expect_eq(signature->task, VALION__V1__TASK_TYPE__TASK_TYPE_REGRESSION);
}

Test(settle, unnamed_columns_take_the_expected_names)
{
    static const char *const names[] = {"x", "y"};
    open_model(test_onnx_linear(2));
    say(names, 2);
    cr_assert_eq(settle(), VLN_OK, "%s", why);
    cr_expect_str_eq(signature->inputs[1]->name, "y");
    cr_expect_eq(signature->inputs[1]->type, VALION__V1__COLUMN_TYPE__COLUMN_TYPE_FLOAT32);
    cr_expect_not(signature->inputs[1]->optional_input);
}

Test(settle, another_number_of_columns_is_the_versions_fault)
{
    static const char *const names[] = {"x", "y", "z"};
    open_model(test_onnx_linear(2));
    say(names, 3);
    cr_expect_eq(settle(), VLN_FAILED_PRECONDITION);
    cr_expect(strstr(why, "takes 2 columns, and the expected signature has 3"), "%s", why);
}

Test(settle, names_of_the_data_stand_for_those_that_a_converter_made)
{
    open_model(test_onnx_columns());
    add("city (home)", VLN_TYPE_STRING);
    add("age", VLN_TYPE_F64);
    cr_assert_eq(settle(), VLN_OK, "%s", why);
    cr_expect_str_eq(signature->inputs[0]->name, "age");
    cr_expect_str_eq(signature->inputs[1]->name, "city (home)");
    cr_assert_eq(notes.count, 1);
    cr_expect(strstr(notes.texts[0], "city__home_"), "%s", notes.texts[0]);
}

Test(settle, data_of_the_wrong_type_is_the_askers_to_change)
{
    open_model(test_onnx_columns());
    add("city (home)", VLN_TYPE_F64);
    add("age", VLN_TYPE_F64);
    cr_expect_eq(settle(), VLN_INVALID_ARGUMENT);
    cr_expect(strstr(why, "takes text"), "%s", why);
}

Test(settle, classes_of_an_onnx_file_are_its_own)
{
    static const char *const names[] = {"a", "b", "c", "d"};
    static char *others[] = {(char *)(uintptr_t)"x", (char *)(uintptr_t)"y",
                             (char *)(uintptr_t)"z"};
    open_model(test_onnx_zipmap());
    say(names, 4);
    cr_assert_eq(settle(), VLN_OK, "%s", why);
    cr_assert_eq(signature->n_classes, 3);
    cr_expect_str_eq(signature->classes[1], "maybe");
    said.classes = others;
    said.n_classes = 2;
    cr_expect_eq(settle(), VLN_FAILED_PRECONDITION);
    said.n_classes = 3;
    cr_expect_eq(settle(), VLN_FAILED_PRECONDITION);
    cr_expect(strstr(why, "its first is 'no'"), "%s", why);
}

Test(settle, another_task_is_the_versions_fault)
{
    open_model(test_onnx_linear(2));
    said.task = VALION__V1__TASK_TYPE__TASK_TYPE_BINARY;
    question.recorded = &said;
    cr_expect_eq(settle(), VLN_FAILED_PRECONDITION);
    cr_expect(strstr(why, "for the task regression, and binary was expected"), "%s", why);
}

Test(settle, names_that_no_table_can_have_are_refused)
{
    static const char *const twice[] = {"x", "x"};
    static char longer[VLN_TABLE_NAME_MAX + 2];
    static const char *const lengthy[] = {"x", longer};
    open_model(test_onnx_linear(2));
    say(twice, 2);
    cr_expect_eq(settle(), VLN_INVALID_ARGUMENT);
    cr_expect(strstr(why, "two columns are called 'x'"), "%s", why);
    memset(longer, 'y', VLN_TABLE_NAME_MAX + 1);
    open_model(test_onnx_linear(2));
    say(lengthy, 2);
    cr_expect_eq(settle(), VLN_INVALID_ARGUMENT);
    cr_expect(strstr(why, "1 to 250 bytes"), "%s", why);
}
