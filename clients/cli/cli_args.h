/*
 * cli_args - a command's words and options, by a table that is parser and help.
 *
 * `--name VALUE`, `--name=VALUE`, `-o VALUE`; a flag takes none; `--` ends options, `-` alone is a
 * word (standard input). Options may stand before, between and after words. Pure.
 */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CLI_WORDS_MAX = 16, CLI_GIVEN_MAX = 128, CLI_WHY = 256 };

typedef struct cli_option {
    const char *name;  /* without dashes; NULL ends a table */
    char letter;       /* `-o`; 0: none */
    const char *value; /* what it takes, for help: "FILE"; NULL: nothing, it is a flag */
    bool many;         /* may be given more than once */
    const char *help;
} cli_option_t;

/* What was given. Everything is borrowed from argv and the tables. */
typedef struct cli_args {
    size_t word_count;
    const char *words[CLI_WORDS_MAX];
    size_t given_count;
    struct {
        const cli_option_t *option;
        const char *value; /* "" of a flag */
    } given[CLI_GIVEN_MAX];
    char why[CLI_WHY]; /* what is wrong */
} cli_args_t;

/* False, with self->why said, if argv[first] and on do not fit either table. NULL is no table. */
bool cli_args_parse(cli_args_t *self, const cli_option_t *options, const cli_option_t *more,
                    int argc, char **argv, int first);

/* The value given last; NULL if none was. */
const char *cli_args_get(const cli_args_t *self, const char *name);
bool cli_args_has(const cli_args_t *self, const char *name);

/* Each value in turn: `*at` starts as 0. NULL at the end. */
const char *cli_args_next(const cli_args_t *self, const char *name, size_t *at);
size_t cli_args_count(const cli_args_t *self, const char *name);

/* The word at `index`, NULL if there are fewer. */
const char *cli_args_word(const cli_args_t *self, size_t index);

/* A number, or `fallback` when the option is not given; false, with why said, if it is none. */
bool cli_args_number(cli_args_t *self, const char *name, int64_t min, int64_t max, int64_t fallback,
                     int64_t *out);

/* The same for a duration: "500ms", "10s", "5m", "2h", "1d", and seconds when there is no unit. */
bool cli_args_duration(cli_args_t *self, const char *name, int64_t fallback_ms, int64_t *out_ms);

/* "10s" and so on; false if it is no duration. */
bool cli_duration_parse(const char *text, int64_t *out_ms);

/* "key=value" cut in two: `*key_len` bytes of key, `*value` behind the sign. False without one. */
bool cli_pair_parse(const char *text, size_t *key_len, const char **value);

#endif
