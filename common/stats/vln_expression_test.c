#include "vln_expression.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "vln_err.h"

static bool
find(const void *context, const char *name, double *out)
{
    static const struct {
        const char *name;
        double value;
    } numbers[] = {{"auc", 0.9}, {"drift.share", 0.1}, {"my-check.p", 0.5},
                   {"rmse", 12}, {"bad", NAN},         {"zero", 0}};
    (void)context;
    for (size_t i = 0; i < VLN_COUNT(numbers); i++) {
        if (strcmp(numbers[i].name, name) == 0) {
            *out = numbers[i].value;
            return true;
        }
    }
    return false;
}

static bool
is_so(const char *text)
{
    vln_expression_t expression;
    char why[VLN_EXPRESSION_WHY] = "";
    bool result = false;
    cr_assert(vln_expression_parse(text, &expression, why), "%s: %s", text, why);
    cr_assert(vln_expression_eval(&expression, find, NULL, &result, why), "%s: %s", text, why);
    return result;
}

Test(vln_expression, says_what_is_so)
{
    static const char *const so[] = {
        "auc > 0.8 and drift.share < 0.2",
        "not auc < 0.8",
        "not (auc < 0.8 or drift.share > .5)",
        "auc>=0.9 and rmse<=1.2e1",
        "1 + 2 * 3 == 7",
        "(1 + 2) * 3 == 9",
        "10 - 2 - 3 == 5",
        "12 / 2 / 3 == 2",
        "-rmse < -11 and - -1 == 1",
        "abs(-2) * 2 == 4 and abs(1 - 3) == 2",
        "1 < 2 or 1 < 0 and 1 < 0",
        "not 1 < 0 and 2 > 1",
        "'my-check.p' == 0.5",
        "auc != 1e-3",
    };
    static const char *const not_so[] = {"auc > 0.8 and drift.share < 0.05", "not auc > 0.8",
                                         "(1 < 2 or 1 < 0) and 1 < 0", "2 - 3 - 4 == 3",
                                         "-2 * -2 < 0"};
    for (size_t i = 0; i < VLN_COUNT(so); i++) {
        cr_expect(is_so(so[i]), "%s", so[i]);
    }
    for (size_t i = 0; i < VLN_COUNT(not_so); i++) {
        cr_expect(!is_so(not_so[i]), "%s", not_so[i]);
    }
}

Test(vln_expression, says_where_it_is_wrong)
{
    static const struct {
        const char *text;
        const char *why;
    } rows[] = {
        {"", "at character 1: something is missing"},
        {"auc >", "at character 6: something is missing"},
        {"auc > 0.8 and", "at character 14: something is missing"},
        {"auc 0.8", "at character 5: an operation"},
        {"auc > (0.8", "at character 7: the bracket does not close"},
        {"auc > 0.8)", "at character 10: a bracket closes"},
        {"auc > * 2", "at character 7: a number, a name"},
        {"auc > 0x10", "at character 7: this is no number"},
        {"auc > 1..2", "at character 7: this is no number"},
        {"auc > 1e999", "at character 7: this is no number"},
        {"auc > inf; drop", "at character 10: nothing begins"},
        {"auc = 1", "at character 5: nothing begins"},
        {"'auc > 1", "at character 1: the quote"},
        {"auc", "at character 1: this is a number"},
        {"auc and rmse > 1", "at character 5: 'and' is of conditions"},
        {"(auc > 1) + 1 > 2", "at character 11: '+' is of numbers"},
        {"0 < auc < 1", "at character 9: '<' is of numbers"},
        {"not auc", "at character 1: 'not' is of conditions"},
        {"auc() > 1", "at character 4: an operation"},
        {"auc > 1\x01", "at character 8: nothing begins"},
    };
    for (size_t i = 0; i < VLN_COUNT(rows); i++) {
        vln_expression_t expression;
        char why[VLN_EXPRESSION_WHY] = "";
        cr_expect(!vln_expression_parse(rows[i].text, &expression, why), "%s", rows[i].text);
        cr_expect(strncmp(why, rows[i].why, strlen(rows[i].why)) == 0, "%s: %s", rows[i].text, why);
    }
}

Test(vln_expression, says_what_cannot_be_computed)
{
    static const struct {
        const char *text;
        const char *why;
    } rows[] = {{"1 < 2 or f2 > 1", "at character 10: there is no number 'f2'"},
                {"bad > 1", "at character 1: there is no number 'bad'"},
                {"auc / zero > 1", "at character 5: what comes out"},
                {"1e300 * 1e300 > 1", "at character 7: what comes out"}};
    for (size_t i = 0; i < VLN_COUNT(rows); i++) {
        vln_expression_t expression;
        char why[VLN_EXPRESSION_WHY] = "";
        bool result = false;
        cr_assert(vln_expression_parse(rows[i].text, &expression, why));
        cr_expect(!vln_expression_eval(&expression, find, NULL, &result, why));
        cr_expect(strncmp(why, rows[i].why, strlen(rows[i].why)) == 0, "%s", why);
    }
}

Test(vln_expression, what_is_long_or_deep_ends)
{
    vln_expression_t expression;
    char why[VLN_EXPRESSION_WHY] = "";
    char text[VLN_EXPRESSION_MAX + 2];
    static const char *const parts[] = {"(", "-", "not ", "1+", "abs "};
    for (size_t i = 0; i < VLN_COUNT(parts); i++) {
        size_t size = strlen(parts[i]);
        size_t at = 0;
        while (at + size <= VLN_EXPRESSION_MAX) {
            memcpy(text + at, parts[i], size);
            at += size;
        }
        text[at] = '\0';
        cr_expect(!vln_expression_parse(text, &expression, why));
    }
    memset(text, ' ', sizeof text);
    text[VLN_EXPRESSION_MAX + 1] = '\0';
    cr_expect(!vln_expression_parse(text, &expression, why));
    cr_expect(strstr(why, "longer than"));
}
