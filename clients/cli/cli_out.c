#include "cli_out.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "vln_err.h"
#include "vln_json.h"
#include "vln_mem.h"
#include "vln_reflect.h"

#include "cli_format.h"

enum { NAME_COLUMN = 22, GAP = 2, INDENT = 2 };

struct cli_list {
    cli_form_t form;
    bool bold;
    FILE *out;
    const cli_column_t *columns;
    size_t column_count;
    size_t rows;
    char **cells; /* of a table: column_count a row */
};

bool
cli_form_parse(const char *text, cli_form_t *out)
{
    static const char *const names[] = {
        [CLI_FORM_TABLE] = "table", [CLI_FORM_TEXT] = "text", [CLI_FORM_JSON] = "json"};
    for (size_t i = 0; i < VLN_COUNT(names); i++) {
        if (strcasecmp(text, names[i]) == 0) {
            *out = (cli_form_t)i;
            return true;
        }
    }
    return false;
}

size_t
cli_width(const char *text)
{
    size_t width = 0;
    for (; *text; text++) {
        width += ((unsigned char)*text & 0xc0) != 0x80;
    }
    return width;
}

cli_list_t *
cli_list_new(cli_form_t form, const cli_column_t *columns, bool bold, FILE *out)
{
    cli_list_t *self = vln_calloc(1, sizeof *self);
    self->form = form;
    self->bold = bold;
    self->out = out;
    self->columns = columns;
    while (columns[self->column_count].title) {
        self->column_count++;
    }
    return self;
}

static void
print_text_row(const cli_list_t *self, const char *const *cells)
{
    for (size_t i = 0; i < self->column_count; i++) {
        fprintf(self->out, "%s%s", i ? "\t" : "", cells[i]);
    }
    fputc('\n', self->out);
}

/* A text as a JSON string; bytes of 0x80 and above pass as they are. */
static void
print_json_text(const char *text, FILE *out)
{
    fputc('"', out);
    for (; *text; text++) {
        unsigned char letter = (unsigned char)*text;
        if (letter == '"' || letter == '\\') {
            fprintf(out, "\\%c", letter);
        } else if (letter < 0x20) {
            fprintf(out, "\\u%04x", letter);
        } else {
            fputc(letter, out);
        }
    }
    fputc('"', out);
}

/* A row that is no message: the columns' paths are its names. */
static void
print_json_row(const cli_list_t *self, const char *const *cells)
{
    fputs(self->rows ? ",\n{" : "[\n{", self->out);
    for (size_t i = 0; i < self->column_count; i++) {
        fputs(i ? "," : "", self->out);
        print_json_text(self->columns[i].path, self->out);
        fputc(':', self->out);
        print_json_text(cells[i], self->out);
    }
    fputc('}', self->out);
}

void
cli_list_add_cells(cli_list_t *self, const char *const *cells)
{
    if (self->form == CLI_FORM_TABLE) {
        size_t have = self->rows * self->column_count;
        self->cells = vln_realloc(self->cells, (have + self->column_count) * sizeof *self->cells);
        for (size_t i = 0; i < self->column_count; i++) {
            self->cells[have + i] = vln_strdup(cells[i]);
        }
    } else if (self->form == CLI_FORM_TEXT) {
        print_text_row(self, cells);
    } else {
        print_json_row(self, cells);
    }
    self->rows++;
}

void
cli_list_add(cli_list_t *self, const ProtobufCMessage *message)
{
    if (self->form == CLI_FORM_JSON) {
        char *text = vln_json_print(message, VLN_JSON_COMPACT, NULL);
        fprintf(self->out, "%s%s", self->rows ? ",\n" : "[\n", text);
        free(text);
        self->rows++;
        return;
    }
    char **cells = vln_calloc(self->column_count, sizeof *cells);
    for (size_t i = 0; i < self->column_count; i++) {
        cells[i] = vln_calloc(1, CLI_VALUE_MAX);
        cli_format_field(message, self->columns[i].path, cells[i], CLI_VALUE_MAX);
    }
    cli_list_add_cells(self, (const char *const *)cells);
    for (size_t i = 0; i < self->column_count; i++) {
        free(cells[i]);
    }
    free(cells);
}

static size_t
column_width(const cli_list_t *self, size_t column)
{
    size_t width = cli_width(self->columns[column].title);
    for (size_t row = 0; row < self->rows; row++) {
        size_t cell = cli_width(self->cells[row * self->column_count + column]);
        width = cell > width ? cell : width;
    }
    return width;
}

static void
print_cell(const cli_list_t *self, const char *cell, size_t column, const size_t *widths)
{
    bool is_last = column + 1 == self->column_count;
    int padding = is_last ? 0 : (int)(widths[column] - cli_width(cell)) + GAP;
    fprintf(self->out, "%s%*s", cell, padding, "");
}

static void
print_table(const cli_list_t *self)
{
    size_t *widths = vln_calloc(self->column_count, sizeof *widths);
    for (size_t i = 0; i < self->column_count; i++) {
        widths[i] = column_width(self, i);
    }
    fputs(self->bold ? "\033[1m" : "", self->out);
    for (size_t i = 0; i < self->column_count; i++) {
        print_cell(self, self->columns[i].title, i, widths);
    }
    fputs(self->bold ? "\033[0m\n" : "\n", self->out);
    for (size_t i = 0; i < self->rows * self->column_count; i++) {
        size_t column = i % self->column_count;
        print_cell(self, self->cells[i], column, widths);
        fputs(column + 1 == self->column_count ? "\n" : "", self->out);
    }
    free(widths);
}

void
cli_list_end(cli_list_t **self_p, const char *empty)
{
    cli_list_t *self = *self_p;
    if (!self) {
        return;
    }
    if (self->form == CLI_FORM_JSON) {
        fputs(self->rows ? "\n]\n" : "[]\n", self->out);
    } else if (self->rows == 0) {
        fprintf(stderr, "%s%s", empty, *empty ? "\n" : "");
    } else if (self->form == CLI_FORM_TABLE) {
        print_table(self);
    }
    for (size_t i = 0; self->cells && i < self->rows * self->column_count; i++) {
        free(self->cells[i]);
    }
    free(self->cells);
    free(self);
    *self_p = NULL;
}

static void show_fields(const ProtobufCMessage *message, int indent, FILE *out);

/* A value on the field's line, or a message on the lines below it. */
static void
show_value(const ProtobufCFieldDescriptor *field, const void *slot, int indent, FILE *out)
{
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        fprintf(out, "%*s%s\n", indent, "", field->name);
        show_fields(*(const ProtobufCMessage *const *)slot, indent + INDENT, out);
        return;
    }
    char text[CLI_VALUE_MAX];
    cli_format_value(field, slot, text, sizeof text);
    if (*text) { /* an empty text says nothing */
        fprintf(out, "%*s%-*s  %s\n", indent, "", NAME_COLUMN - indent, field->name, text);
    }
}

/* A pair of the contract's maps, on one line. */
static bool
show_pair(const ProtobufCFieldDescriptor *field, const void *slot, int indent, FILE *out)
{
    const ProtobufCMessage *pair = *(const ProtobufCMessage *const *)slot;
    const char *type = pair->descriptor->short_name;
    if (strcmp(type, "KeyValue") != 0 && strcmp(type, "KeyNumber") != 0) {
        return false;
    }
    char key[CLI_VALUE_MAX];
    char value[CLI_VALUE_MAX];
    fprintf(out, "%*s%-*s  %s = %s\n", indent, "", NAME_COLUMN - indent, field->name,
            cli_format_field(pair, "key", key, sizeof key),
            cli_format_field(pair, "value", value, sizeof value));
    return true;
}

/* As deep as the contract's types nest. */
static void
show_fields(const ProtobufCMessage *message, int indent, FILE *out)
{
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        size_t count = vln_reflect_count(message, field);
        for (size_t n = 0; n < count; n++) {
            const void *slot = vln_reflect_get(message, field, n);
            if (field->type != PROTOBUF_C_TYPE_MESSAGE || !show_pair(field, slot, indent, out)) {
                show_value(field, slot, indent, out);
            }
        }
    }
}

void
cli_show(cli_form_t form, const ProtobufCMessage *message, FILE *out)
{
    if (form != CLI_FORM_JSON) {
        show_fields(message, 0, out);
        return;
    }
    char *text = vln_json_print(message, VLN_JSON_PRETTY, NULL);
    fprintf(out, "%s\n", text);
    free(text);
}

void
cli_show_below(const char *title, const ProtobufCMessage *message, FILE *out)
{
    fprintf(out, "%s\n", title);
    show_fields(message, INDENT, out);
}
