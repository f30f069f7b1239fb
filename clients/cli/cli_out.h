/*
 * cli_out - what a command prints on standard output: JSON, tables, or plain text.
 *
 * JSON: one document, as docs/wire-protocol.md has it; a list is an array. Table: aligned columns,
 * the title in bold on a terminal. Text: the same cells parted by tabs, without colour, for other
 * programs.
 */
#ifndef CLI_OUT_H
#define CLI_OUT_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdio.h>

typedef enum cli_form {
    CLI_FORM_TABLE,
    CLI_FORM_TEXT,
    CLI_FORM_JSON,
} cli_form_t;

/* "json", "table", "text"; false if it is none of them. */
bool cli_form_parse(const char *text, cli_form_t *out);

/* A column of a list: title, and a path of cli_format_field. */
typedef struct cli_column {
    const char *title; /* NULL ends a table */
    const char *path;
} cli_column_t;

/* A list that grows by rows and is printed at its end. */
typedef struct cli_list cli_list_t;

/* `columns` must outlive the list. */
cli_list_t *cli_list_new(cli_form_t form, const cli_column_t *columns, bool bold, FILE *out);
void cli_list_add(cli_list_t *self, const ProtobufCMessage *message);
void cli_list_add_cells(cli_list_t *self, const char *const *cells);

/* Prints what is not printed yet, and ends the list. `empty` is said on stderr when there is no
 * row, and not in JSON. */
void cli_list_end(cli_list_t **self_p, const char *empty);

/* One message: a line a field in table and text. */
void cli_show(cli_form_t form, const ProtobufCMessage *message, FILE *out);

/* The same as lines below a title. */
void cli_show_below(const char *title, const ProtobufCMessage *message, FILE *out);

/* Columns that the text takes on a terminal, more or less: characters, not bytes. */
size_t cli_width(const char *text);

#endif
