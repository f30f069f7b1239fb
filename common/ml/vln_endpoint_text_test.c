#include "vln_endpoint_text.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static vln_arena_t *arena;
static char why[VLN_MODEL_WHY];
static vln_endpoint_form_t form;
static vln_endpoint_answer_t answer;
static Valion__V1__Signature signature;

/* Inputs a (fractions), n (whole numbers) and perhaps t (texts); output y; classes low and high. */
static void
setup(void)
{
    static Valion__V1__Column columns[4];
    static Valion__V1__Column *inputs[] = {&columns[0], &columns[1], &columns[2]};
    static Valion__V1__Column *outputs[] = {&columns[3]};
    static char *names[] = {"a", "n", "t", "y"};
    static char *classes[] = {"low", "high", "7"};
    static const Valion__V1__ColumnType types[] = {
        VALION__V1__COLUMN_TYPE__COLUMN_TYPE_FLOAT64, VALION__V1__COLUMN_TYPE__COLUMN_TYPE_INT64,
        VALION__V1__COLUMN_TYPE__COLUMN_TYPE_STRING, VALION__V1__COLUMN_TYPE__COLUMN_TYPE_FLOAT32};
    for (size_t i = 0; i < 4; i++) {
        valion__v1__column__init(&columns[i]);
        columns[i].name = names[i];
        columns[i].type = types[i];
    }
    valion__v1__signature__init(&signature);
    signature.inputs = inputs;
    signature.n_inputs = 2;
    signature.outputs = outputs;
    signature.n_outputs = 1;
    signature.classes = classes;
    signature.task = VALION__V1__TASK_TYPE__TASK_TYPE_REGRESSION;
    arena = vln_arena_new(1 << 20);
}

static void
teardown(void)
{
    vln_endpoint_answer_end(&answer);
    vln_arena_destroy(&arena);
}

TestSuite(endpoint_text, .init = setup, .fini = teardown);

static vln_err_t
read_model(const char *body)
{
    return vln_endpoint_read_model(body, strlen(body), &signature, arena, &form, why);
}

static vln_err_t
read_answer(const char *body, size_t rows)
{
    vln_endpoint_answer_end(&answer);
    return vln_endpoint_read_answer(body, strlen(body), &signature, rows, &answer, why);
}

/* ---- metadata ---- */

static const char named[] = "{\"inputs\":[{\"name\":\"n\",\"datatype\":\"INT32\",\"shape\":[-1]},"
                            "{\"name\":\"a\",\"datatype\":\"FP32\",\"shape\":[-1,1]},"
                            "{\"name\":\"t\",\"datatype\":\"BYTES\",\"shape\":[-1]}]}";

Test(endpoint_text, of_metadata_takes_a_tensor_for_each_input_by_its_name)
{
    cr_assert_eq(read_model(named), VLN_OK, "%s", why);
    cr_expect(!form.is_matrix && form.count == 2);
    cr_expect_str_eq(form.names[0], "a");
    signature.n_inputs = 3;
    cr_expect_eq(read_model(named), VLN_OK, "%s", why);
}

Test(endpoint_text, of_metadata_takes_one_matrix_of_all_columns)
{
    cr_assert_eq(
        read_model("{\"inputs\":[{\"name\":\"X\",\"datatype\":\"FP32\",\"shape\":[-1,2]}]}"),
        VLN_OK, "%s", why);
    cr_expect(form.is_matrix && form.count == 1);
    cr_expect_str_eq(form.names[0], "X");
    cr_expect_eq(
        read_model("{\"inputs\":[{\"name\":\"X\",\"datatype\":\"FP64\",\"shape\":[-1,-1]}]}"),
        VLN_OK);
}

Test(endpoint_text, refuses_metadata_of_another_model)
{
    static const char *const wrong[] = {
        "",
        "[]",
        "{",
        "{}",
        "{\"inputs\":[]}",
        "{\"inputs\":{}}",
        "{\"inputs\":[1,2]}",
        "{\"inputs\":[{\"name\":\"X\",\"datatype\":\"FP32\",\"shape\":[-1,3]}]}",
        "{\"inputs\":[{\"name\":\"X\",\"datatype\":\"FP32\",\"shape\":[-1]}]}",
        "{\"inputs\":[{\"name\":\"X\",\"datatype\":\"FP16\",\"shape\":[-1,2]}]}",
        "{\"inputs\":[{\"name\":\"X\",\"datatype\":\"BYTES\",\"shape\":[-1,2]}]}",
        "{\"inputs\":[{\"datatype\":\"FP32\",\"shape\":[-1,2]}]}",
        "{\"inputs\":[{\"name\":\"a\",\"datatype\":\"FP32\"},{\"name\":\"b\",\"datatype\":\"FP32\"}]}",
        "{\"inputs\":[{\"name\":\"a\",\"datatype\":\"FP32\"},{\"name\":\"n\",\"datatype\":\"BYTES\"}]}",
        "{\"inputs\":[{\"name\":\"a\",\"datatype\":\"FP32\"},{\"name\":\"n\"}]}",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        why[0] = '\0';
        cr_expect_eq(read_model(wrong[i]), VLN_FAILED_PRECONDITION, "%s", wrong[i]);
        cr_expect_neq(why[0], '\0');
    }
    for (int more = 29; more <= 30; more++) {
        char keys[512] = "{\"inputs\":[{\"name\":\"X\",\"datatype\":\"FP32\",\"shape\":[-1,2]";
        size_t len = strlen(keys);
        for (int i = 0; i < more; i++) {
            len += (size_t)snprintf(keys + len, sizeof keys - len, ",\"k\":0");
        }
        snprintf(keys + len, sizeof keys - len, "}]}");
        cr_expect_eq(read_model(keys), more == 29 ? VLN_OK : VLN_FAILED_PRECONDITION,
                     "%d keys more; no endless ones are looked at", more);
    }
    signature.n_inputs = 3; /* with a text, which no matrix of numbers has */
    cr_expect_eq(
        read_model("{\"inputs\":[{\"name\":\"X\",\"datatype\":\"FP32\",\"shape\":[-1,3]}]}"),
        VLN_FAILED_PRECONDITION);
}

/* ---- rows ---- */

static vln_table_t *
make_table(void)
{
    vln_table_t *table = vln_table_new();
    vln_table_add(table, "t", VLN_TYPE_STRING);
    vln_table_add(table, "n", VLN_TYPE_I64);
    vln_table_add(table, "a", VLN_TYPE_F64);
    vln_table_set_rows(table, 3);
    vln_column_set_text(vln_table_edit(table, 0), 1, "\"O\n", 3);
    vln_column_set_i64(vln_table_edit(table, 1), 1, 9007199254740993);
    vln_column_set_i64(vln_table_edit(table, 1), 2, -2);
    vln_column_set_f64(vln_table_edit(table, 2), 1, 0.1);
    return table;
}

/* Rows 1 and 2 of it. */
static char *
write_rows(const vln_table_t *table)
{
    static size_t order[] = {2, 1, 0};
    const vln_model_binding_t binding = {.columns = order, .count = signature.n_inputs};
    const vln_predictor_rows_t rows = {table, &binding, 1, 2};
    size_t size = 0;
    char *text = vln_endpoint_write_rows(&form, &rows, &size, why);
    cr_expect(!text || strlen(text) == size);
    return text;
}

Test(endpoint_text, says_rows_as_the_server_wants_them)
{
    vln_table_t *table = make_table();
    signature.n_inputs = 3;
    cr_assert_eq(read_model(named), VLN_OK);
    char *text = write_rows(table);
    cr_expect_str_eq(text,
                     "{\"inputs\":[{\"name\":\"a\",\"shape\":[2],\"datatype\":\"FP32\","
                     "\"data\":[0.1,null]},{\"name\":\"n\",\"shape\":[2],\"datatype\":\"INT32\","
                     "\"data\":[9007199254740993,-2]},{\"name\":\"t\",\"shape\":[2],"
                     "\"datatype\":\"BYTES\",\"data\":[\"\\\"O\\n\",null]}]}");
    free(text);
    signature.n_inputs = 2;
    cr_assert_eq(
        read_model("{\"inputs\":[{\"name\":\"X\",\"datatype\":\"FP64\",\"shape\":[-1,2]}]}"),
        VLN_OK);
    text = write_rows(table);
    cr_expect_str_eq(text, "{\"inputs\":[{\"name\":\"X\",\"shape\":[2,2],\"datatype\":\"FP64\","
                           "\"data\":[0.1,9007199254740992.0,null,-2.0]}]}");
    free(text);
    vln_table_destroy(&table);
}

Test(endpoint_text, refuses_cells_that_the_datatype_cannot_say)
{
    static const struct {
        const char *datatype;
        double value;
        const char *says;
    } cases[] = {
        {"INT64", 0.5, "fraction"},
        {"INT64", 1e300, "fraction"},
        {"BOOL", 2, "neither"},
        {"FP64", INFINITY, "infinite"},
    };
    vln_table_t *table = make_table();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char body[200];
        snprintf(body, sizeof body,
                 "{\"inputs\":[{\"name\":\"X\",\"datatype\":\"%s\",\"shape\":[-1,2]}]}",
                 cases[i].datatype);
        cr_assert_eq(read_model(body), VLN_OK, "%s", why);
        vln_column_set_f64(vln_table_edit(table, 2), 1, cases[i].value);
        cr_expect_null(write_rows(table));
        cr_expect(strstr(why, cases[i].says) && strstr(why, "row 2 of \"a\""), "%s", why);
    }
    vln_table_destroy(&table);
}

/* ---- answers ---- */

Test(endpoint_text, takes_flat_and_nested_numbers)
{
    cr_assert_eq(read_answer("{\"model_name\":\"m\",\"model_version\":\"1.0.0\",\"outputs\":["
                             "{\"name\":\"y\",\"shape\":[3],\"datatype\":\"FP32\","
                             "\"data\":[1,null,2.5]}]}",
                             3),
                 VLN_OK, "%s", why);
    cr_expect(answer.width == 1 && answer.scores[0] == 1 && answer.scores[2] == 2.5f);
    cr_expect(isnan(answer.scores[1]));
    cr_expect_str_eq(answer.version, "1.0.0");
    cr_assert_eq(read_answer("{\"outputs\":[{\"name\":\"y\",\"shape\":[2,2],\"datatype\":\"FP64\","
                             "\"data\":[[1,2],[3,4]]}]}",
                             2),
                 VLN_OK, "%s", why);
    cr_expect(answer.width == 2 && answer.scores[3] == 4 && answer.version[0] == '\0');
    cr_assert_eq(read_answer("{\"outputs\":[{\"name\":\"z\",\"shape\":[1],\"datatype\":\"INT64\","
                             "\"data\":[7]},{\"name\":\"y\",\"shape\":[1],\"datatype\":\"FP64\","
                             "\"data\":[8]}]}",
                             1),
                 VLN_OK, "%s", why);
    cr_expect_eq(answer.scores[0], 8, "by the signature's name");
}

Test(endpoint_text, takes_probabilities_and_labels_of_classes)
{
    signature.task = VALION__V1__TASK_TYPE__TASK_TYPE_MULTICLASS;
    signature.n_classes = 3;
    cr_assert_eq(read_answer("{\"outputs\":[{\"name\":\"label\",\"shape\":[2],\"datatype\":"
                             "\"BYTES\",\"data\":[\"high\",\"low\"]},{\"name\":\"p\",\"shape\":[2,"
                             "3],\"datatype\":\"FP32\",\"data\":[0,1,0,1,0,0]}]}",
                             2),
                 VLN_OK, "%s", why);
    cr_expect(answer.labels[0] == 1 && answer.labels[1] == 0 && answer.width == 3);
    cr_assert_eq(read_answer("{\"outputs\":[{\"name\":\"predict\",\"shape\":[2,1],\"datatype\":"
                             "\"INT64\",\"data\":[7,7]}]}",
                             2),
                 VLN_OK, "%s", why);
    cr_expect(answer.labels[1] == 2 && answer.width == 0 && !answer.scores);
}

#define OUTPUT(shape, datatype, data)                                            \
    "{\"outputs\":[{\"name\":\"y\",\"shape\":" shape ",\"datatype\":\"" datatype \
    "\",\"data\":" data "}]}"

Test(endpoint_text, refuses_what_is_no_answer_for_two_rows)
{
    static const char *const wrong[] = {
        "",
        "null",
        "{\"outputs\":[]}",
        "{\"outputs\":{\"name\":1}}",
        "{\"outputs\":[7]}",
        "{\"outputs\":[{\"name\":\"y\",\"shape\":[2],\"datatype\":\"FP32\"}]}",
        OUTPUT("[1]", "FP32", "[1]"),
        OUTPUT("[3]", "FP32", "[1,2,3]"),
        OUTPUT("[2]", "FP32", "[1]"),
        OUTPUT("[2]", "FP32", "[1,2,3]"),
        OUTPUT("[2]", "FP32", "[1,\"2\"]"),
        OUTPUT("[2]", "FP32", "[1,true]"),
        OUTPUT("[2]", "FP32", "[1,[2]]"),
        OUTPUT("[2]", "FP32", "[[1],2]"),
        OUTPUT("[2]", "FP32", "[[1],[]]"),
        OUTPUT("[2]", "FP32", "[[1],[2,3]]"),
        OUTPUT("[2]", "FP32", "{}"),
        OUTPUT("[2]", "FP32", "[1,2"),
        OUTPUT("[2]", "FP16", "[1,2]"),
        OUTPUT("[2]", "BYTES", "[\"1\",\"2\"]"),
        OUTPUT("[2]", "BOOL", "[true,false]"),
        OUTPUT("[]", "FP32", "[1,2]"),
        OUTPUT("[2,0]", "FP32", "[]"),
        OUTPUT("[2,1025]", "FP32", "[]"),
        OUTPUT("[2,1,1]", "FP32", "[1,2]"),
        OUTPUT("[-2]", "FP32", "[1,2]"),
        OUTPUT("[2.0]", "FP32", "[1,2]"),
        OUTPUT("[2]", "FP32", "[1e999,2]"),
        "{\"model_version\":\"a b\",\"outputs\":[{\"name\":\"y\",\"shape\":[2],\"datatype\":"
        "\"FP32\",\"data\":[1,2]}]}",
        "{\"model_name\":7,\"outputs\":[{\"name\":\"y\",\"shape\":[2],\"datatype\":\"FP32\","
        "\"data\":[1,2]}]}",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        why[0] = '\0';
        cr_expect_eq(read_answer(wrong[i], 2), VLN_FAILED_PRECONDITION, "%s", wrong[i]);
        cr_expect_neq(why[0], '\0');
        cr_expect(!answer.scores && !answer.labels && answer.rows == 0);
    }
    cr_expect_eq(read_answer(OUTPUT("[2]", "FP32", "[1,2]"), 2), VLN_OK, "%s", why);
}

Test(endpoint_text, refuses_classes_that_the_version_does_not_have)
{
    signature.task = VALION__V1__TASK_TYPE__TASK_TYPE_BINARY;
    signature.n_classes = 2;
    cr_expect_eq(read_answer(OUTPUT("[2]", "BYTES", "[\"low\",\"mid\"]"), 2),
                 VLN_FAILED_PRECONDITION);
    cr_expect(strstr(why, "row 2"), "%s", why);
    cr_expect_eq(read_answer(OUTPUT("[2]", "BYTES", "[\"low\",null]"), 2), VLN_FAILED_PRECONDITION);
    cr_expect_eq(read_answer(OUTPUT("[2,3]", "FP32", "[0,0,1,0,0,1]"), 2), VLN_FAILED_PRECONDITION);
    cr_expect(strstr(why, "3 columns for 2 classes"), "%s", why);
}

Test(endpoint_text, cleans_what_a_server_says_is_wrong)
{
    char out[VLN_ENDPOINT_ERROR];
    static const char body[] = "{\"error\":\"no \\u001b[31m model \\u00e4\"}";
    vln_endpoint_read_error(body, strlen(body), out);
    cr_expect_str_eq(out, "no ?[31m model ??");
    vln_endpoint_read_error("<html>", 6, out);
    cr_expect_str_eq(out, "");
    vln_endpoint_read_error(NULL, 0, out);
    cr_expect_str_eq(out, "");
}
