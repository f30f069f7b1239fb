/*
 * vln_opt - one table is parser, environment, default and --help.
 *
 * An option `--some-name VALUE` is also the variable VALION_SOME_NAME; the flag wins. Every program
 * also knows --help and --version, and --log-level. Secrets are never options: their files are.
 */
#ifndef VLN_OPT_H
#define VLN_OPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vln_err.h"
#include "vln_log.h"

typedef enum vln_opt_kind {
    VLN_OPT_TEXT, /* const char *; the default, the variable or argv: not owned */
    VLN_OPT_INT,  /* int64_t within min..max */
    VLN_OPT_FLAG, /* bool; `--name` or `--name=false`, 1/0/true/false/yes/no in the variable */
} vln_opt_kind_t;

typedef struct vln_opt {
    const char *name; /* NULL ends the table */
    vln_opt_kind_t kind;
    size_t offset;        /* of the field in the config */
    const char *fallback; /* default, as text; NULL: stays NULL (TEXT), 0, false */
    int64_t min;          /* INT; both 0: any */
    int64_t max;
    const char *also; /* another variable that is understood, such as MLOPS_LOG_LEVEL */
    const char *help; /* meaning, one line */
} vln_opt_t;

/* clang-format off */
#define VLN_OPT_ROW_TEXT(type, field, name, fallback, help) \
    {name, VLN_OPT_TEXT, offsetof(type, field), fallback, 0, 0, NULL, help}
#define VLN_OPT_ROW_INT(type, field, name, fallback, min, max, help) \
    {name, VLN_OPT_INT, offsetof(type, field), fallback, min, max, NULL, help}
#define VLN_OPT_ROW_FLAG(type, field, name, help) \
    {name, VLN_OPT_FLAG, offsetof(type, field), NULL, 0, 0, NULL, help}
/* clang-format on */

typedef struct vln_opt_program {
    const char *name;    /* "valion-bus" */
    const char *summary; /* what it is, one line, for --help */
    const vln_opt_t *options;
} vln_opt_program_t;

/*
 * Fill `config` (zeroed by the caller) from defaults, variables, arguments. VLN_OK: go on.
 * VLN_CANCELLED: --help or --version was printed, exit 0. VLN_INVALID_ARGUMENT: a sentence was
 * printed on stderr, exit 2. `*level` is what --log-level says.
 */
VLN_MUST_USE vln_err_t vln_opt_parse(const vln_opt_program_t *program, void *config,
                                     vln_log_level_t *level, int argc, char **argv);

/* The program's version, "0.1.0". */
const char *vln_version(void);

#endif
