/*
 * Bytes as an expression: refused with a sentence that says where, or a condition that is so, is not,
 * or cannot be computed, and always the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vln_err.h"
#include "vln_expression.h"
#include "vln_mem.h"

/* Names of even length are numbers. */
static bool
find(const void *context, const char *name, double *out)
{
    size_t size = strlen(name);
    (void)context;
    *out = (double)size - 4;
    return size % 2 == 0;
}

static void
must_be_told(const char *why)
{
    vln_assert(strncmp(why, "at character ", 13) == 0 && strlen(why) < VLN_EXPRESSION_WHY);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = vln_calloc(1, size + 1);
    memcpy(text, data, size);
    vln_expression_t expression;
    char why[VLN_EXPRESSION_WHY] = "";
    bool first = false;
    bool second = true;
    if (!vln_expression_parse(text, &expression, why)) {
        must_be_told(why);
    } else if (!vln_expression_eval(&expression, find, NULL, &first, why)) {
        must_be_told(why);
    } else {
        vln_assert(vln_expression_eval(&expression, find, NULL, &second, why) && first == second);
    }
    free(text);
    return 0;
}
