#include "cli_args.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vln_err.h"
#include "vln_guess.h"
#include "vln_text.h"

VLN_PRINTF(2, 3) static bool
refuse(cli_args_t *self, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(self->why, sizeof self->why, format, args);
    va_end(args);
    return false;
}

static const cli_option_t *
find_long(const cli_option_t *table, const char *name, size_t len)
{
    for (const cli_option_t *option = table; option && option->name; option++) {
        if (strlen(option->name) == len && memcmp(option->name, name, len) == 0) {
            return option;
        }
    }
    return NULL;
}

static const cli_option_t *
find_letter(const cli_option_t *table, char letter)
{
    for (const cli_option_t *option = table; option && option->name; option++) {
        if (letter && option->letter == letter) {
            return option;
        }
    }
    return NULL;
}

/* The tables in which an option is looked for. */
typedef struct tables {
    const cli_option_t *own;
    const cli_option_t *more;
} tables_t;

static bool
refuse_unknown(cli_args_t *self, const tables_t *tables, const char *argument)
{
    const cli_option_t *both[] = {tables->own, tables->more};
    const char *typed = argument + strspn(argument, "-");
    vln_guess_t guess = {.typed = typed};
    for (size_t i = 0; i < VLN_COUNT(both); i++) {
        for (const cli_option_t *option = both[i]; option && option->name; option++) {
            vln_guess_offer(&guess, option->name);
        }
    }
    if (guess.best) {
        return refuse(self, "no option %.64s; did you mean --%s?", argument, guess.best);
    }
    return refuse(self, "no option %.64s", argument);
}

static bool
add(cli_args_t *self, const cli_option_t *option, const char *value)
{
    if (!option->many && cli_args_has(self, option->name)) {
        return refuse(self, "--%s is given twice", option->name);
    }
    if (self->given_count == CLI_GIVEN_MAX) {
        return refuse(self, "more than %d options", CLI_GIVEN_MAX);
    }
    self->given[self->given_count].option = option;
    self->given[self->given_count].value = value;
    self->given_count++;
    return true;
}

static const cli_option_t *
find_option(const tables_t *tables, bool is_long, const char *name, size_t len)
{
    const cli_option_t *option =
        is_long ? find_long(tables->own, name, len) : find_letter(tables->own, name[0]);
    if (option) {
        return option;
    }
    return is_long ? find_long(tables->more, name, len) : find_letter(tables->more, name[0]);
}

/* argv[*at] is an option; its value may be the next argument, which is then taken too. */
static bool
take_option(cli_args_t *self, const tables_t *tables, char **argv, int *at)
{
    const char *argument = argv[*at];
    bool is_long = argument[1] == '-';
    const char *name = argument + (is_long ? 2 : 1);
    const char *equals = is_long ? strchr(name, '=') : NULL;
    size_t len = equals ? (size_t)(equals - name) : strlen(name);
    const cli_option_t *option = find_option(tables, is_long, name, len);
    if (!option) {
        return refuse_unknown(self, tables, argument);
    }
    const char *attached = equals ? equals + 1 : !is_long && name[1] ? name + 1 : NULL;
    if (!option->value) {
        return attached ? refuse(self, "--%s takes no value", option->name) : add(self, option, "");
    }
    if (!attached && !argv[*at + 1]) {
        return refuse(self, "--%s needs a value: %s", option->name, option->value);
    }
    return add(self, option, attached ? attached : argv[++*at]);
}

static bool
take_word(cli_args_t *self, const char *word)
{
    if (self->word_count == CLI_WORDS_MAX) {
        return refuse(self, "more than %d words", CLI_WORDS_MAX);
    }
    self->words[self->word_count++] = word;
    return true;
}

bool
cli_args_parse(cli_args_t *self, const cli_option_t *options, const cli_option_t *more, int argc,
               char **argv, int first)
{
    memset(self, 0, sizeof *self);
    const tables_t tables = {.own = options, .more = more};
    bool only_words = false;
    for (int at = first; at < argc; at++) {
        if (!only_words && strcmp(argv[at], "--") == 0) {
            only_words = true;
            continue;
        }
        bool is_option = !only_words && argv[at][0] == '-' && argv[at][1];
        if (!(is_option ? take_option(self, &tables, argv, &at) : take_word(self, argv[at]))) {
            return false;
        }
    }
    return true;
}

const char *
cli_args_get(const cli_args_t *self, const char *name)
{
    const char *value = NULL;
    size_t at = 0;
    for (const char *next; (next = cli_args_next(self, name, &at));) {
        value = next;
    }
    return value;
}

bool
cli_args_has(const cli_args_t *self, const char *name)
{
    return cli_args_get(self, name) != NULL;
}

const char *
cli_args_next(const cli_args_t *self, const char *name, size_t *at)
{
    for (; *at < self->given_count; ++*at) {
        if (strcmp(self->given[*at].option->name, name) == 0) {
            return self->given[(*at)++].value;
        }
    }
    return NULL;
}

size_t
cli_args_count(const cli_args_t *self, const char *name)
{
    size_t count = 0;
    size_t at = 0;
    while (cli_args_next(self, name, &at)) {
        count++;
    }
    return count;
}

const char *
cli_args_word(const cli_args_t *self, size_t index)
{
    return index < self->word_count ? self->words[index] : NULL;
}

bool
cli_args_number(cli_args_t *self, const char *name, int64_t min, int64_t max, int64_t fallback,
                int64_t *out)
{
    const char *text = cli_args_get(self, name);
    *out = fallback;
    if (!text || vln_text_to_i64(text, min, max, out)) {
        return true;
    }
    return refuse(self, "--%s: \"%.64s\" is not a number from %" PRId64 " to %" PRId64, name, text,
                  min, max);
}

bool
cli_duration_parse(const char *text, int64_t *out_ms)
{
    static const struct {
        const char *unit;
        double ms;
    } units[] = {{"ms", 1}, {"", 1000}, {"s", 1000}, {"m", 60e3}, {"h", 3600e3}, {"d", 86400e3}};
    char *end = NULL;
    if (text[0] < '0' || text[0] > '9' || text[strspn(text, "0123456789.")] == 'x') {
        return false;
    }
    double number = strtod(text, &end);
    for (size_t i = 0; i < VLN_COUNT(units); i++) {
        double ms = number * units[i].ms;
        if (strcmp(end, units[i].unit) == 0 && isfinite(ms) && ms < 1e15) {
            *out_ms = (int64_t)ms;
            return true;
        }
    }
    return false;
}

bool
cli_args_duration(cli_args_t *self, const char *name, int64_t fallback_ms, int64_t *out_ms)
{
    const char *text = cli_args_get(self, name);
    *out_ms = fallback_ms;
    if (!text || cli_duration_parse(text, out_ms)) {
        return true;
    }
    return refuse(self, "--%s: \"%.64s\" is no duration, such as 500ms, 10s, 5m, 2h", name, text);
}

bool
cli_pair_parse(const char *text, size_t *key_len, const char **value)
{
    const char *equals = strchr(text, '=');
    if (!equals || equals == text) {
        return false;
    }
    *key_len = (size_t)(equals - text);
    *value = equals + 1;
    return true;
}
