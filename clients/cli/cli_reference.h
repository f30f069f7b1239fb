/*
 * cli_reference - a version as people name it: MODEL, MODEL@1.2.3, MODEL@alias or MODEL@^1.2.
 */
#ifndef CLI_REFERENCE_H
#define CLI_REFERENCE_H

typedef struct cli_reference {
    char model[251];
    char *version; /* NULL unless one was named; both are parts of `text` */
    char *alias;
    char text[600];
} cli_reference_t;

/* A version starts with a digit, an alias never does. */
void cli_reference_parse(const char *text, cli_reference_t *out);

/* What was named, if it is a range: ^1.2, 1.x, >=1 <2, 1.2 (docs/versions.md). NULL if it is a version
 * or an alias. A part of `self`. */
char *cli_reference_range(const cli_reference_t *self);

#endif
