/*
 * Dijkstra's shunting yard: operators wait on a stack until one comes that binds less tightly; what
 * leaves the stack becomes a step. The steps are checked for their types before any is done.
 */
#include "vln_expression.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vln_err.h"

typedef enum what {
    NUMBER,
    NAME,
    OR,
    AND,
    NOT,
    LESS,
    LESS_EQUAL,
    MORE,
    MORE_EQUAL,
    EQUAL,
    UNEQUAL,
    PLUS,
    MINUS,
    TIMES,
    OVER,
    NEGATIVE,
    ABS,
    OPEN,
    CLOSE,
    END,
} what_t;

typedef enum type { OF_NUMBERS, OF_CONDITIONS } type_t;

/* clang-format off */
static const struct operation {
    const char *sign; /* as it is written; NULL: no operation */
    int tightness;
    int operands;
    type_t takes;
    type_t gives;
} operations[] = {
    /*                sign   tight operands takes          gives */
    [OR]         = {"or",   1,    2,       OF_CONDITIONS, OF_CONDITIONS},
    [AND]        = {"and",  2,    2,       OF_CONDITIONS, OF_CONDITIONS},
    [NOT]        = {"not",  3,    1,       OF_CONDITIONS, OF_CONDITIONS},
    [LESS]       = {"<",    4,    2,       OF_NUMBERS,    OF_CONDITIONS},
    [LESS_EQUAL] = {"<=",   4,    2,       OF_NUMBERS,    OF_CONDITIONS},
    [MORE]       = {">",    4,    2,       OF_NUMBERS,    OF_CONDITIONS},
    [MORE_EQUAL] = {">=",   4,    2,       OF_NUMBERS,    OF_CONDITIONS},
    [EQUAL]      = {"==",   4,    2,       OF_NUMBERS,    OF_CONDITIONS},
    [UNEQUAL]    = {"!=",   4,    2,       OF_NUMBERS,    OF_CONDITIONS},
    [PLUS]       = {"+",    5,    2,       OF_NUMBERS,    OF_NUMBERS},
    [MINUS]      = {"-",    5,    2,       OF_NUMBERS,    OF_NUMBERS},
    [TIMES]      = {"*",    6,    2,       OF_NUMBERS,    OF_NUMBERS},
    [OVER]       = {"/",    6,    2,       OF_NUMBERS,    OF_NUMBERS},
    [NEGATIVE]   = {"-",    7,    1,       OF_NUMBERS,    OF_NUMBERS},
    [ABS]        = {"abs",  8,    1,       OF_NUMBERS,    OF_NUMBERS},
    [OPEN]       = {"(",    0,    0,       OF_NUMBERS,    OF_NUMBERS},
};
/* clang-format on */

typedef struct parser {
    vln_expression_t *out;
    vln_expression_step_t waiting[VLN_EXPRESSION_STEPS];
    size_t waiting_count;
    size_t at;
    bool wants_operand;
    char *why;
} parser_t;

/* Always false. */
static bool __attribute__((format(printf, 3, 4)))
refuse(char *why, size_t at, const char *format, ...)
{
    va_list args;
    int size = snprintf(why, VLN_EXPRESSION_WHY, "at character %zu: ", at + 1);
    va_start(args, format);
    vsnprintf(why + size, VLN_EXPRESSION_WHY - (size_t)size, format, args);
    va_end(args);
    return false;
}

/* ---- words ---- */

static bool
is_word(char byte)
{
    return isalnum((unsigned char)byte) || byte == '_' || byte == '.';
}

static vln_expression_step_t
take_word(parser_t *self)
{
    static const what_t words[] = {OR, AND, NOT, ABS};
    const char *start = self->out->text + self->at;
    vln_expression_step_t step = {.what = NAME, .at = self->at};
    while (is_word(start[step.size])) {
        step.size++;
    }
    for (size_t i = 0; i < VLN_COUNT(words); i++) {
        const char *sign = operations[words[i]].sign;
        if (strlen(sign) == step.size && strncmp(sign, start, step.size) == 0) {
            step.what = (int)words[i];
        }
    }
    self->at += step.size;
    return step;
}

/* Between single quotes, which a name cannot hold. */
static bool
take_quoted(parser_t *self, vln_expression_step_t *out)
{
    const char *start = self->out->text + self->at + 1;
    size_t size = strcspn(start, "'");
    if (start[size] == '\0') {
        return refuse(self->why, self->at, "the quote does not end");
    }
    *out = (vln_expression_step_t){.what = NAME, .at = self->at + 1, .size = size};
    self->at += size + 2;
    return true;
}

/* Digits, a point, an exponent: strtod alone would take hexadecimal and "inf". */
static bool
take_number(parser_t *self, vln_expression_step_t *out)
{
    const char *start = self->out->text + self->at;
    size_t size = strspn(start, "0123456789.");
    size_t digits = 0;
    if (size > 0 && (start[size] == 'e' || start[size] == 'E')) {
        size_t sign = start[size + 1] == '+' || start[size + 1] == '-';
        digits = strspn(start + size + 1 + sign, "0123456789");
        size += digits > 0 ? 1 + sign + digits : 0;
    }
    char *end = NULL;
    double value = strtod(start, &end);
    if (end != start + size || !isfinite(value) || is_word(start[size])) {
        return refuse(self->why, self->at, "this is no number");
    }
    *out = (vln_expression_step_t){.what = NUMBER, .number = value, .at = self->at};
    self->at += size;
    return true;
}

static bool
take_sign(parser_t *self, vln_expression_step_t *out)
{
    static const what_t signs[] = {LESS_EQUAL, MORE_EQUAL, EQUAL, UNEQUAL, LESS, MORE,
                                   PLUS,       MINUS,      TIMES, OVER,    OPEN};
    const char *start = self->out->text + self->at;
    *out = (vln_expression_step_t){.what = CLOSE, .at = self->at};
    if (*start == ')') {
        self->at++;
        return true;
    }
    for (size_t i = 0; i < VLN_COUNT(signs); i++) {
        const char *sign = operations[signs[i]].sign;
        if (strncmp(start, sign, strlen(sign)) == 0) {
            out->what = (int)signs[i];
            self->at += strlen(sign);
            return true;
        }
    }
    return refuse(self->why, self->at, "nothing begins like this");
}

static bool
take(parser_t *self, vln_expression_step_t *out)
{
    self->at += strspn(self->out->text + self->at, " \t\r\n");
    char first = self->out->text[self->at];
    if (first == '\0') {
        *out = (vln_expression_step_t){.what = END, .at = self->at};
        return true;
    }
    if (isdigit((unsigned char)first) || first == '.') {
        return take_number(self, out);
    }
    if (first == '\'') {
        return take_quoted(self, out);
    }
    if (is_word(first)) {
        *out = take_word(self);
        return true;
    }
    return take_sign(self, out);
}

/* ---- the yard ---- */

static bool
emit(parser_t *self, const vln_expression_step_t *step)
{
    if (self->out->count == VLN_EXPRESSION_STEPS) {
        return refuse(self->why, step->at, "there are more than %d parts", VLN_EXPRESSION_STEPS);
    }
    self->out->steps[self->out->count++] = *step;
    return true;
}

static bool
wait_for(parser_t *self, const vln_expression_step_t *step)
{
    if (self->waiting_count == VLN_EXPRESSION_STEPS) {
        return refuse(self->why, step->at, "there are more than %d parts", VLN_EXPRESSION_STEPS);
    }
    self->waiting[self->waiting_count++] = *step;
    return true;
}

/* What binds at least as tightly goes before. */
static bool
release(parser_t *self, int tightness)
{
    while (self->waiting_count > 0) {
        const vln_expression_step_t *top = &self->waiting[self->waiting_count - 1];
        if (top->what == OPEN || operations[top->what].tightness < tightness) {
            return true;
        }
        self->waiting_count--;
        if (!emit(self, top)) {
            return false;
        }
    }
    return true;
}

static bool
close_bracket(parser_t *self, const vln_expression_step_t *step)
{
    if (!release(self, 0)) {
        return false;
    }
    if (self->waiting_count == 0) {
        return refuse(self->why, step->at, "a bracket closes that was not opened");
    }
    self->waiting_count--;
    return true;
}

static bool
put_operand(parser_t *self, vln_expression_step_t *step)
{
    switch (step->what) {
    case NUMBER:
    case NAME:
        self->wants_operand = false;
        return emit(self, step);
    case MINUS:
        step->what = NEGATIVE;
        return wait_for(self, step);
    case NOT:
    case ABS:
    case OPEN:
        return wait_for(self, step);
    case END:
        return refuse(self->why, step->at, "something is missing at the end");
    default:
        return refuse(self->why, step->at, "a number, a name or a bracket should stand here");
    }
}

static bool
put_operation(parser_t *self, const vln_expression_step_t *step)
{
    if (step->what == CLOSE) {
        return close_bracket(self, step);
    }
    bool joins = step->what >= OR && step->what <= OVER && step->what != NOT;
    if (!joins) {
        return refuse(self->why, step->at, "an operation should stand here");
    }
    self->wants_operand = true;
    return release(self, operations[step->what].tightness) && wait_for(self, step);
}

static bool
end_yard(parser_t *self)
{
    if (!release(self, 0)) {
        return false;
    }
    return self->waiting_count == 0 || refuse(self->why, self->waiting[self->waiting_count - 1].at,
                                              "the bracket does not close");
}

/* ---- types ---- */

/* Off the stack, each of the type that the operation takes. */
static bool
take_operands(const vln_expression_step_t *step, const type_t *stack, size_t *depth, char *why)
{
    const struct operation *operation = &operations[step->what];
    for (int taken = 0; taken < operation->operands; taken++) {
        vln_assert(*depth > 0);
        --*depth;
        if (stack[*depth] != operation->takes) {
            return refuse(why, step->at, "'%s' is of %s", operation->sign,
                          operation->takes == OF_NUMBERS ? "numbers, not of conditions"
                                                         : "conditions, not of numbers");
        }
    }
    return true;
}

static bool
check_types(const vln_expression_t *self, char *why)
{
    type_t stack[VLN_EXPRESSION_STEPS + 1] = {0};
    size_t depth = 0;
    for (size_t i = 0; i < self->count; i++) {
        const vln_expression_step_t *step = &self->steps[i];
        bool operand = step->what == NUMBER || step->what == NAME;
        if (!operand && !take_operands(step, stack, &depth, why)) {
            return false;
        }
        stack[depth++] = operand ? OF_NUMBERS : operations[step->what].gives;
    }
    vln_assert(depth == 1);
    return stack[0] == OF_CONDITIONS ||
           refuse(why, 0, "this is a number, and should be a condition such as 'r2 > 0.8'");
}

bool
vln_expression_parse(const char *text, vln_expression_t *out, char why[VLN_EXPRESSION_WHY])
{
    parser_t self = {.out = out, .wants_operand = true, .why = why};
    vln_expression_step_t step = {0};
    out->text = text;
    out->count = 0;
    if (strlen(text) > VLN_EXPRESSION_MAX) {
        return refuse(why, VLN_EXPRESSION_MAX, "it is longer than %d bytes", VLN_EXPRESSION_MAX);
    }
    do {
        if (!take(&self, &step)) {
            return false;
        }
        bool ended = step.what == END && !self.wants_operand;
        if (!ended &&
            !(self.wants_operand ? put_operand(&self, &step) : put_operation(&self, &step))) {
            return false;
        }
    } while (step.what != END);
    return end_yard(&self) && check_types(out, why);
}

/* ---- evaluation ---- */

static double
apply(what_t what, double left, double right)
{
    switch (what) {
    case OR:
        return left != 0 || right != 0;
    case AND:
        return left != 0 && right != 0;
    case NOT:
        return left == 0;
    case LESS:
        return left < right;
    case LESS_EQUAL:
        return left <= right;
    case MORE:
        return left > right;
    case MORE_EQUAL:
        return left >= right;
    case EQUAL:
        return left == right;
    case UNEQUAL:
        return left != right;
    case PLUS:
        return left + right;
    case MINUS:
        return left - right;
    case TIMES:
        return left * right;
    case OVER:
        return left / right;
    case NEGATIVE:
        return -left;
    case ABS:
        return fabs(left);
    default:
        vln_assert(false);
        return 0;
    }
}

static bool
find_name(const vln_expression_t *self, const vln_expression_step_t *step,
          vln_expression_find_fn *find, const void *context, double *out)
{
    char name[VLN_EXPRESSION_MAX + 1];
    memcpy(name, self->text + step->at, step->size);
    name[step->size] = '\0';
    return find(context, name, out) && isfinite(*out);
}

bool
vln_expression_eval(const vln_expression_t *self, vln_expression_find_fn *find, const void *context,
                    bool *result, char why[VLN_EXPRESSION_WHY])
{
    double stack[VLN_EXPRESSION_STEPS + 1] = {0};
    size_t depth = 0;
    for (size_t i = 0; i < self->count; i++) {
        const vln_expression_step_t *step = &self->steps[i];
        double value = step->number;
        if (step->what == NAME && !find_name(self, step, find, context, &value)) {
            return refuse(why, step->at, "there is no number '%.*s'", (int)step->size,
                          self->text + step->at);
        }
        if (step->what != NAME && step->what != NUMBER) {
            depth -= (size_t)operations[step->what].operands;
            bool two = operations[step->what].operands == 2;
            value = apply((what_t)step->what, stack[depth], two ? stack[depth + 1] : 0);
        }
        if (!isfinite(value)) {
            return refuse(why, step->at, "what comes out here is not finite");
        }
        stack[depth++] = value;
    }
    *result = stack[0] != 0;
    return true;
}
