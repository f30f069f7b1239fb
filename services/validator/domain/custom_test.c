#include "custom.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>
#include <valion/v1/validator.pb-c.h>

#include "vln_pb.h"

static vln_arena_t *arena;
static Valion__V1__CheckSpec spec;
static Valion__V1__CheckResult result;
static char why[CUSTOM_WHY];

static void
setup(void)
{
    arena = vln_arena_new(1 << 20);
    valion__v1__check_spec__init(&spec);
    valion__v1__check_result__init(&result);
    spec.name = (char *)"fairness";
    spec.kind = (char *)"check:fairness";
    spec.blocking = 1;
    result.name = (char *)"another";
    result.severity = VALION__V1__SEVERITY__SEVERITY_LOW;
    result.has_severity = result.has_status = result.has_statistic = 1;
    result.status = VALION__V1__CHECK_STATUS__CHECK_STATUS_PASS;
    result.statistic = 0.5;
    result.sentence = (char *)"Fair enough.";
}

static void
teardown(void)
{
    vln_arena_destroy(&arena);
}

TestSuite(custom, .init = setup, .fini = teardown);

static Valion__V1__CheckResult *
read_back(void)
{
    Valion__V1__CustomCheckResult message = VALION__V1__CUSTOM_CHECK_RESULT__INIT;
    Valion__V1__CheckResult *out = NULL;
    size_t size = 0;
    message.result = &result;
    const uint8_t *bytes = vln_pb_pack(&message.base, arena, &size);
    vln_err_t err = custom_read(&spec, bytes, size, arena, &out, why);
    cr_assert_eq(err == VLN_OK, out != NULL);
    return out;
}

Test(custom, takes_the_finding_and_not_the_rest)
{
    const Valion__V1__CheckResult *out = read_back();
    cr_assert(out, "%s", why);
    cr_expect_str_eq(out->name, "fairness");
    cr_expect_str_eq(out->kind, "check:fairness");
    cr_expect(out->blocking);
    cr_expect_eq(out->severity, VALION__V1__SEVERITY__SEVERITY_MEDIUM);
    cr_expect_eq(out->status, VALION__V1__CHECK_STATUS__CHECK_STATUS_PASS);
    cr_expect_eq(out->statistic, 0.5);
}

Test(custom, leaves_out_numbers_that_are_none)
{
    Valion__V1__KeyNumber numbers[2] = {VALION__V1__KEY_NUMBER__INIT, VALION__V1__KEY_NUMBER__INIT};
    Valion__V1__KeyNumber *list[] = {&numbers[0], &numbers[1]};
    numbers[0].key = (char *)"bad";
    numbers[1].key = (char *)"good";
    numbers[0].has_value = numbers[1].has_value = 1;
    numbers[0].value = NAN;
    result.numbers = list;
    result.n_numbers = 2;
    result.statistic = INFINITY;
    const Valion__V1__CheckResult *out = read_back();
    cr_assert(out, "%s", why);
    cr_expect_not(out->has_statistic);
    cr_assert_eq(out->n_numbers, 1);
    cr_expect_str_eq(out->numbers[0]->key, "good");
}

Test(custom, refuses_what_a_report_cannot_hold)
{
    static char text[1002];
    Valion__V1__ColumnResult column = VALION__V1__COLUMN_RESULT__INIT;
    Valion__V1__ColumnResult *columns[65];
    memset(text, 'a', sizeof text - 1);
    result.sentence = text;
    cr_expect_null(read_back());
    cr_expect(strstr(why, "1000 bytes"));
    result.sentence = NULL;
    cr_expect_null(read_back());
    result.sentence = (char *)"Fair.";
    result.status = VALION__V1__CHECK_STATUS__CHECK_STATUS_UNSPECIFIED;
    cr_expect_null(read_back());
    result.status = (Valion__V1__CheckStatus)77;
    cr_expect_null(read_back());
    result.status = VALION__V1__CHECK_STATUS__CHECK_STATUS_FAIL;
    for (size_t i = 0; i < 65; i++) {
        columns[i] = &column;
    }
    result.columns = columns;
    result.n_columns = 65;
    cr_expect_null(read_back());
    result.n_columns = 1;
    cr_expect_null(read_back(), "it has no name");
    column.column = (char *)"age";
    column.has_status = 1;
    column.status = VALION__V1__CHECK_STATUS__CHECK_STATUS_FAIL;
    cr_expect_not_null(read_back());
}

Test(custom, refuses_bytes_that_are_none)
{
    Valion__V1__CheckResult *out = NULL;
    cr_expect_eq(custom_read(&spec, (const uint8_t *)"\x0a\xff", 2, arena, &out, why),
                 VLN_INVALID_ARGUMENT);
    cr_expect_eq(custom_read(&spec, NULL, 0, arena, &out, why), VLN_INVALID_ARGUMENT);
    cr_expect_null(out);
    cr_expect(strstr(why, "no result"));
}

Test(custom, a_check_that_was_not_answered_cannot_pass)
{
    const Valion__V1__CheckResult *out = custom_break(&spec, "It slept.", arena);
    cr_expect_eq(out->status, VALION__V1__CHECK_STATUS__CHECK_STATUS_FAIL);
    cr_expect_str_eq(out->error, "It slept.");
    spec.blocking = 0;
    cr_expect_eq(custom_break(&spec, "It slept.", arena)->status,
                 VALION__V1__CHECK_STATUS__CHECK_STATUS_INCONCLUSIVE);
}
