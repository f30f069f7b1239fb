#include "oip.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static Valion__V1__Signature signature;
static Valion__V1__Column columns[5];
static Valion__V1__Column *inputs[4];
static Valion__V1__Column *outputs[1];
static const oip_model_t model = {"houses", "1.2.3", &signature};
static oip_request_t request;
static char why[OIP_WHY];

static void
add(size_t at, const char *name, Valion__V1__ColumnType type, bool optional)
{
    valion__v1__column__init(&columns[at]);
    columns[at].name = (char *)name;
    columns[at].has_type = 1;
    columns[at].type = type;
    columns[at].has_optional_input = 1;
    columns[at].optional_input = optional;
}

static void
setup(void)
{
    valion__v1__signature__init(&signature);
    add(0, "area", VALION__V1__COLUMN_TYPE__COLUMN_TYPE_FLOAT64, false);
    add(1, "rooms", VALION__V1__COLUMN_TYPE__COLUMN_TYPE_INT64, false);
    add(2, "age", VALION__V1__COLUMN_TYPE__COLUMN_TYPE_FLOAT64, true);
    add(3, "city", VALION__V1__COLUMN_TYPE__COLUMN_TYPE_STRING, false);
    add(4, "price", VALION__V1__COLUMN_TYPE__COLUMN_TYPE_FLOAT32, false);
    for (size_t i = 0; i < 4; i++) {
        inputs[i] = &columns[i];
    }
    outputs[0] = &columns[4];
    signature.inputs = inputs;
    signature.n_inputs = 4;
    signature.outputs = outputs;
    signature.n_outputs = 1;
    signature.task = VALION__V1__TASK_TYPE__TASK_TYPE_REGRESSION;
}

static void
teardown(void)
{
    oip_request_end(&request);
}

TestSuite(oip, .init = setup, .fini = teardown);

static vln_err_t
read_text(const char *text)
{
    return oip_request_read(&model, text, strlen(text), &request, why);
}

#define AREA  "{\"name\":\"area\",\"shape\":[2],\"datatype\":\"FP64\",\"data\":[1.5,2]}"
#define ROOMS "{\"name\":\"rooms\",\"shape\":[2,1],\"datatype\":\"INT32\",\"data\":[[3],[4]]}"
#define AGE   "{\"name\":\"age\",\"shape\":[2],\"datatype\":\"FP32\",\"data\":[null,7]}"
#define CITY \
    "{\"name\":\"city\",\"shape\":[2],\"datatype\":\"BYTES\",\"data\":[\"Rome\",\"\\\"[\"]}"

Test(oip, reads_a_tensor_for_each_input)
{
    cr_assert_eq(read_text("{\"id\":\"42\",\"inputs\":[" CITY "," AREA "," AGE "," ROOMS "]}"),
                 VLN_OK, "%s", why);
    cr_assert_eq(request.rows, 2);
    cr_assert_str_eq(request.id, "42");
    cr_assert_eq(vln_table_at(request.table, 0)->f64[0], 1.5);
    cr_assert_eq(vln_table_at(request.table, 1)->i64[1], 4);
    cr_assert_not(vln_column_has(vln_table_at(request.table, 2), 0));
    cr_assert_eq(vln_table_at(request.table, 2)->f64[1], 7);
    cr_assert_str_eq(vln_column_text(vln_table_at(request.table, 3), 1), "\"[");
}

Test(oip, lets_an_input_be_left_out_if_it_may_be_missing)
{
    cr_assert_eq(read_text("{\"inputs\":[" CITY "," AREA "," ROOMS "]}"), VLN_OK, "%s", why);
    cr_assert_not(vln_column_has(vln_table_at(request.table, 2), 1));
    cr_assert_eq(read_text("{\"inputs\":[" CITY "," AREA "]}"), VLN_INVALID_ARGUMENT);
    cr_assert_str_eq(why, "input \"rooms\" is missing");
}

Test(oip, ignores_tensors_that_the_model_does_not_take)
{
    cr_assert_eq(read_text("{\"inputs\":[" CITY "," AREA "," ROOMS ",{\"name\":\"x\",\"shape\":[1],"
                           "\"datatype\":\"FP64\",\"data\":[1]}]}"),
                 VLN_OK, "%s", why);
}

static void
read_matrix(const char *shape, const char *data, vln_err_t wanted)
{
    char text[512];
    signature.n_inputs = 2;
    snprintf(text, sizeof text,
             "{\"inputs\":[{\"name\":\"rows\",\"shape\":%s,\"datatype\":\"FP64\",\"data\":%s}]}",
             shape, data);
    cr_assert_eq(read_text(text), wanted, "%s %s: %s", shape, data, why);
}

Test(oip, reads_all_inputs_from_one_tensor_nested_or_flat)
{
    read_matrix("[2,2]", "[[1,2],[3,4]]", VLN_OK);
    cr_assert_eq(vln_table_at(request.table, 1)->i64[1], 4);
    oip_request_end(&request);
    read_matrix("[2,2]", "[1,2,3,4]", VLN_OK);
    cr_assert_eq(vln_table_at(request.table, 0)->f64[1], 3);
}

Test(oip, refuses_data_that_is_not_of_its_shape)
{
    static const char *const wrong[][2] = {{"[2,2]", "[1,2,3]"},       {"[2,2]", "[[1,2],[3]]"},
                                           {"[2,2]", "[[1,2],3]"},     {"[2,2]", "[[1,2]]"},
                                           {"[2,3]", "[1,2,3,4,5,6]"}, {"[0,2]", "[]"},
                                           {"[2,2,1]", "[1,2,3,4]"},   {"[-1,2]", "[1,2]"},
                                           {"[20000,2]", "[1,2]"},     {"[2,2]", "[[1,2],[3,[4]]]"},
                                           {"\"2\"", "[1,2]"},         {"[]", "[1]"},
                                           {"[1e1,2]", "[1,2]"},       {"[2,2]", "{}"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        read_matrix(wrong[i][0], wrong[i][1], VLN_INVALID_ARGUMENT);
        cr_assert_gt(strlen(why), 10);
        cr_assert_null(request.table);
    }
}

static void
refuse_tensor(const char *name, const char *datatype, const char *data)
{
    char text[512];
    snprintf(text, sizeof text,
             "{\"inputs\":[{\"name\":\"%s\",\"shape\":[1],\"datatype\":\"%s\",\"data\":[%s]}," CITY
             "]}",
             name, datatype, data);
    cr_assert_eq(read_text(text), VLN_INVALID_ARGUMENT, "%s %s %s", name, datatype, data);
    cr_assert(strstr(why, name) || strstr(why, "JSON"), "%s", why);
}

Test(oip, refuses_values_that_are_not_of_their_datatype)
{
    refuse_tensor("area", "FP64", "\"1\"");
    refuse_tensor("area", "FP64", "true");
    refuse_tensor("area", "FP64", "null");
    refuse_tensor("area", "FP64", "NaN");
    refuse_tensor("area", "FP64", "1e999");
    refuse_tensor("area", "FP32", "1e39");
    refuse_tensor("area", "BYTES", "\"1\"");
    refuse_tensor("area", "FP16", "1");
    refuse_tensor("rooms", "FP64", "1.5");
    refuse_tensor("rooms", "INT8", "128");
    refuse_tensor("rooms", "INT64", "1.0");
    refuse_tensor("rooms", "INT64", "9007199254740994");
    refuse_tensor("rooms", "UINT8", "-1");
    refuse_tensor("city", "INT64", "1");
    refuse_tensor("city", "BYTES", "\"a\\u0000b\"");
}

Test(oip, refuses_bodies_that_are_no_request)
{
    static const char *const wrong[] = {
        "",
        "{",
        "[]",
        "null",
        "{}",
        "{\"inputs\":{}}",
        "{\"inputs\":[]}",
        "{\"inputs\":[1,2]}",
        "{\"inputs\":[{}]}",
        ("{\"id\":1,\"inputs\":[" CITY "]}"),
        ("{\"inputs\":[" AREA "," AREA "]}"),
        ("{\"inputs\":[],\"inputs\":[" AREA "]}"),
        ("{\"inputs\":[" AREA "],}"),
        ("{\"inputs\":[{\"name\":\"area\",\"shape\":[1],\"shape\":[2],"
         "\"datatype\":\"FP64\",\"data\":[1,2]}]}"),
        "\xff\xfe",
        "{\"inputs\":[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]}",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cr_assert_eq(read_text(wrong[i]), VLN_INVALID_ARGUMENT, "%s", wrong[i]);
        cr_assert_gt(strlen(why), 5, "%s", wrong[i]);
        cr_assert_null(request.table);
    }
}

Test(oip, does_not_take_brackets_in_texts_for_depth)
{
    cr_assert_eq(read_text("{\"inputs\":[{\"name\":\"city\",\"shape\":[1],\"datatype\":\"BYTES\","
                           "\"data\":[\"[[[[[[[[[[[[[[[[[[[\\\\\\\"[\"]}]}"),
                 VLN_INVALID_ARGUMENT);
    cr_assert_str_eq(why, "input \"area\" is missing");
}

static void
write_and_compare(const vln_sandbox_result_t *result, const char *wanted)
{
    size_t size = 0;
    char *text = oip_response_write(&model, "7", result, &size);
    cr_assert_str_eq(text, wanted);
    cr_assert_eq(strlen(text), size);
    free(text);
}

Test(oip, writes_floats_in_the_fewest_digits_that_give_them_back)
{
    float values[] = {0.1F, 217394.53F, NAN, 16777216.0F};
    const vln_sandbox_result_t result = {.rows = 4, .width = 1, .values = values};
    write_and_compare(&result,
                      "{\"model_name\":\"houses\",\"model_version\":\"1.2.3\",\"id\":\"7\","
                      "\"outputs\":[{\"name\":\"price\",\"shape\":[4],\"datatype\":\"FP32\","
                      "\"data\":[0.1,217394.53,null,16777216]}]}");
}

Test(oip, writes_probabilities_and_labels_of_classes)
{
    static char *classes[] = {"no", "maybe", "yes"};
    float values[] = {0.5F, 0.25F, 0.25F, 0, 0, 1};
    const vln_sandbox_result_t result = {.rows = 2, .width = 3, .values = values};
    signature.task = VALION__V1__TASK_TYPE__TASK_TYPE_MULTICLASS;
    signature.classes = classes;
    signature.n_classes = 3;
    write_and_compare(&result,
                      "{\"model_name\":\"houses\",\"model_version\":\"1.2.3\",\"id\":\"7\","
                      "\"outputs\":[{\"name\":\"probability\",\"shape\":[2,3],\"datatype\":"
                      "\"FP32\",\"data\":[0.5,0.25,0.25,0,0,1]},{\"name\":\"label\",\"shape\":[2],"
                      "\"datatype\":\"BYTES\",\"data\":[\"no\",\"yes\"]}]}");
}

Test(oip, describes_the_model)
{
    size_t size = 0;
    char *text = oip_metadata_write(&model, "xgboost_ubj", &size);
    cr_assert_str_eq(text,
                     "{\"name\":\"houses\",\"versions\":[\"1.2.3\"],\"platform\":\"xgboost_ubj\","
                     "\"inputs\":[{\"name\":\"area\",\"datatype\":\"FP64\",\"shape\":[-1]},"
                     "{\"name\":\"rooms\",\"datatype\":\"INT64\",\"shape\":[-1]},"
                     "{\"name\":\"age\",\"datatype\":\"FP64\",\"shape\":[-1]},"
                     "{\"name\":\"city\",\"datatype\":\"BYTES\",\"shape\":[-1]}],"
                     "\"outputs\":[{\"name\":\"price\",\"datatype\":\"FP32\",\"shape\":[-1]}]}");
    free(text);
}
