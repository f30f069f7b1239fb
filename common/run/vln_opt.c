#include "vln_opt.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "vln_text.h"

enum { VARIABLE_MAX = 96, TEXT_COLUMN = 34 };

static const vln_opt_t log_level_option = {"log-level",
                                           VLN_OPT_TEXT,
                                           0,
                                           "info",
                                           0,
                                           0,
                                           "MLOPS_LOG_LEVEL",
                                           "debug, info, warn, error or off"};

const char *
vln_version(void)
{
    return VALION_VERSION;
}

static const char *
variable_of(const vln_opt_t *option, char *out)
{
    size_t len = (size_t)snprintf(out, VARIABLE_MAX, "VALION_%s", option->name);
    for (size_t i = 0; i < len && i < VARIABLE_MAX; i++) {
        if (out[i] == '-') {
            out[i] = '_';
        } else if (out[i] >= 'a' && out[i] <= 'z') {
            out[i] -= 'a' - 'A';
        }
    }
    return out;
}

static bool
parse_flag(const char *text, bool *out)
{
    static const char *const yes[] = {"", "1", "true", "yes", "on"};
    static const char *const no[] = {"0", "false", "no", "off"};
    for (size_t i = 0; i < VLN_COUNT(yes); i++) {
        if (strcasecmp(text, yes[i]) == 0) {
            *out = true;
            return true;
        }
    }
    for (size_t i = 0; i < VLN_COUNT(no); i++) {
        if (strcasecmp(text, no[i]) == 0) {
            *out = false;
            return true;
        }
    }
    return false;
}

static bool
parse_int(const vln_opt_t *option, const char *text, int64_t *out)
{
    bool any = option->min == 0 && option->max == 0;
    return vln_text_to_i64(text, any ? INT64_MIN : option->min, any ? INT64_MAX : option->max, out);
}

/* Stores the text in the config's field; false, with a sentence on stderr, if it does not fit. */
static bool
store(const vln_opt_t *option, void *config, const char *text, const char *from)
{
    void *field = (char *)config + option->offset;
    if (option->kind == VLN_OPT_TEXT) {
        *(const char **)field = text;
        return true;
    }
    if (option->kind == VLN_OPT_FLAG) {
        if (parse_flag(text, field)) {
            return true;
        }
        fprintf(stderr, "%s: '%s' is neither true nor false\n", from, text);
        return false;
    }
    if (parse_int(option, text, field)) {
        return true;
    }
    fprintf(stderr, "%s: '%s' is not a number from %" PRId64 " to %" PRId64 "\n", from, text,
            option->min, option->max);
    return false;
}

static const char *
from_environment(const vln_opt_t *option, char *variable)
{
    const char *value = getenv(variable_of(option, variable));
    if (!value && option->also) {
        snprintf(variable, VARIABLE_MAX, "%s", option->also);
        value = getenv(option->also);
    }
    return value;
}

static bool
apply_default(const vln_opt_t *option, void *config)
{
    char variable[VARIABLE_MAX];
    const char *value = from_environment(option, variable);
    if (value && *value) {
        return store(option, config, value, variable);
    }
    return !option->fallback || store(option, config, option->fallback, option->name);
}

static bool
apply_defaults(const vln_opt_t *options, void *config)
{
    for (const vln_opt_t *option = options; option->name; option++) {
        if (!apply_default(option, config)) {
            return false;
        }
    }
    return true;
}

static void
print_option(const vln_opt_t *option)
{
    char variable[VARIABLE_MAX];
    char left[VARIABLE_MAX];
    snprintf(left, sizeof left, "  --%s%s", option->name,
             option->kind == VLN_OPT_TEXT  ? " TEXT"
             : option->kind == VLN_OPT_INT ? " N"
                                           : "");
    printf("%-*s%s", TEXT_COLUMN, left, option->help);
    if (option->fallback && *option->fallback) {
        printf(" [%s]", option->fallback);
    }
    printf("\n%*s%s", TEXT_COLUMN, "", variable_of(option, variable));
    if (option->also) {
        printf(", %s", option->also);
    }
    printf("\n");
}

static void
print_help(const vln_opt_program_t *program)
{
    printf("usage: %s [OPTIONS]\n\n%s\n\n", program->name, program->summary);
    printf("Each option is also the variable below it; the option wins. [default]\n\n");
    for (const vln_opt_t *option = program->options; option->name; option++) {
        print_option(option);
    }
    print_option(&log_level_option);
    printf("%-*s%s\n", TEXT_COLUMN, "  --help", "this text");
    printf("%-*s%s\n", TEXT_COLUMN, "  --version", "the version of the program");
}

static const vln_opt_t *
find_option(const vln_opt_t *options, const char *name, size_t len)
{
    for (const vln_opt_t *option = options; option->name; option++) {
        if (strlen(option->name) == len && memcmp(option->name, name, len) == 0) {
            return option;
        }
    }
    bool is_level =
        strlen(log_level_option.name) == len && memcmp(log_level_option.name, name, len) == 0;
    return is_level ? &log_level_option : NULL;
}

/* One argument, and its value in *at + 1 if it has one there. */
static bool
apply_argument(const vln_opt_program_t *program, void *config, const char **level, char **argv,
               int *at)
{
    const char *argument = argv[*at];
    const char *equals = strchr(argument, '=');
    const vln_opt_t *option = NULL;
    if (strncmp(argument, "--", 2) == 0) {
        size_t len = equals ? (size_t)(equals - argument) - 2 : strlen(argument) - 2;
        option = find_option(program->options, argument + 2, len);
    }
    if (!option) {
        fprintf(stderr, "%s: no option '%s'; see %s --help\n", program->name, argument,
                program->name);
        return false;
    }
    const char *value = equals ? equals + 1 : "";
    if (!equals && option->kind != VLN_OPT_FLAG) {
        value = argv[*at + 1];
        if (!value) {
            fprintf(stderr, "%s: --%s needs a value\n", program->name, option->name);
            return false;
        }
        (*at)++;
    }
    if (option == &log_level_option) {
        *level = value;
        return true;
    }
    return store(option, config, value, argument);
}

vln_err_t
vln_opt_parse(const vln_opt_program_t *program, void *config, vln_log_level_t *level, int argc,
              char **argv)
{
    char variable[VARIABLE_MAX];
    const char *level_text = from_environment(&log_level_option, variable);
    level_text = level_text && *level_text ? level_text : log_level_option.fallback;
    if (!apply_defaults(program->options, config)) {
        return VLN_INVALID_ARGUMENT;
    }
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_help(program);
            return VLN_CANCELLED;
        }
        if (strcmp(argv[i], "--version") == 0) {
            printf("%s %s\n", program->name, vln_version());
            return VLN_CANCELLED;
        }
        if (!apply_argument(program, config, &level_text, argv, &i)) {
            return VLN_INVALID_ARGUMENT;
        }
    }
    if (!vln_log_level_parse(level_text, level)) {
        fprintf(stderr, "%s: log level '%s' is none of debug, info, warn, error, off\n",
                program->name, level_text);
        return VLN_INVALID_ARGUMENT;
    }
    return VLN_OK;
}
