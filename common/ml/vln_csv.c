#include "vln_csv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vln_csv_inside.h"
#include "vln_log.h"
#include "vln_mem.h"
#include "vln_text.h"

enum {
    CHUNK = 64 * 1024,
    READ_BYTES = 256 * 1024,
    RECORD_MAX = 16 * 1024 * 1024,
};

/* ---- making and ending ---- */

static size_t
bounded(size_t asked, size_t most)
{
    return asked == 0 || asked > most ? most : asked;
}

static void
set_stops(vln_csv_t *self)
{
    for (size_t byte = 0x80; byte < sizeof self->stops; byte++) {
        self->stops[byte] = 2;
    }
    self->stops['\0'] = self->stops['\n'] = self->stops['\r'] = self->stops['"'] = 1;
    self->stops[(unsigned char)self->options.delimiter] = 1;
}

vln_csv_t *
vln_csv_new(const vln_csv_options_t *options)
{
    vln_csv_t *self = vln_calloc(1, sizeof *self);
    self->options = *options;
    if (self->options.delimiter == '\0') {
        self->options.delimiter = ',';
    }
    self->options.max_rows = bounded(options->max_rows, VLN_CSV_ROWS_MAX);
    self->options.max_columns = bounded(options->max_columns, VLN_TABLE_COLUMNS_MAX);
    self->names = vln_dict_new();
    self->scratch = vln_calloc(1, VLN_CSV_FIELD_MAX);
    self->wanted = CHUNK;
    self->line = 1;
    set_stops(self);
    if (!strchr(",;|\t", self->options.delimiter)) {
        csv_refuse(self, VLN_INVALID_ARGUMENT, 0, CSV_NO_PLACE,
                   "the delimiter must be a comma, a semicolon, a bar or a tab");
    }
    return self;
}

void
vln_csv_destroy(vln_csv_t **self_p)
{
    vln_csv_t *self = *self_p;
    if (self) {
        free(self->bytes);
        free(self->scratch);
        free(self->plans);
        free(self->tallies);
        free(self->ignored);
        vln_dict_destroy(&self->names);
        vln_table_destroy(&self->table);
        free(self);
        *self_p = NULL;
    }
}

/* ---- regions ---- */

/* True if the number of quotes is odd. */
static bool
quotes_are_odd(const char *bytes, size_t size)
{
    const uint64_t low = UINT64_C(0x7f7f7f7f7f7f7f7f);
    unsigned odd = 0;
    size_t at = 0;
    for (; at + 8 <= size; at += 8) {
        uint64_t word = 0;
        memcpy(&word, bytes + at, sizeof word);
        word ^= UINT64_C(0x2222222222222222); /* a quote becomes a zero byte */
        odd ^= (unsigned)__builtin_parityll(~(((word & low) + low) | word | low));
    }
    for (; at < size; at++) {
        odd ^= bytes[at] == '"';
    }
    return odd;
}

/* Size of the whole records at the start, up to the last line end that is in no quotes; or 0. */
static size_t
region_size(const char *bytes, size_t size)
{
    bool open = quotes_are_odd(bytes, size);
    for (size_t at = size; at > 0; at--) {
        if (bytes[at - 1] == '\n' && !open) {
            return at;
        }
        open ^= bytes[at - 1] == '"';
    }
    return 0;
}

/* Bytes at the start that say what the file is, if it is no text. */
static const struct {
    const char *bytes;
    size_t size;
    const char *text;
} foreign[] = {
    {"\xff\xfe", 2, "the file is UTF-16, not UTF-8"},
    {"\xfe\xff", 2, "the file is UTF-16, not UTF-8"},
    {"\x1f\x8b", 2, "the file is packed with gzip: unpack it first"},
    {"\x28\xb5\x2f\xfd", 4, "the file is packed with zstd: unpack it first"},
    {"PK\x03\x04", 4, "the file is a ZIP archive or a spreadsheet, not CSV"},
    {"PAR1", 4, "the file is Parquet, not CSV"},
};

/* Skips the byte order mark; NULL if the file is no text. */
static const char *
start(vln_csv_t *self, const char *at, size_t size)
{
    self->started = true;
    for (size_t i = 0; i < VLN_COUNT(foreign); i++) {
        if (size >= foreign[i].size && memcmp(at, foreign[i].bytes, foreign[i].size) == 0) {
            csv_refuse(self, VLN_INVALID_ARGUMENT, 1, CSV_NO_PLACE, "%s", foreign[i].text);
            return NULL;
        }
    }
    return size >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0 ? at + 3 : at;
}

/* Whole records, the header's among them if it has not been read. */
static bool
parse_region(vln_csv_t *self, const char *bytes, size_t size)
{
    const char *at = bytes;
    const char *end = bytes + size;
    if (!self->started) {
        at = start(self, at, size);
        if (!at) {
            return false;
        }
    }
    if (!self->plans) {
        at = csv_plan_header(self, at, end);
        if (!at) {
            return false;
        }
        self->header_bytes = (size_t)(at - bytes);
        self->header_line = self->line;
    }
    return csv_rows_parse(self, at, end);
}

/* ---- keeping bytes ---- */

static void
keep(vln_csv_t *self, const char *bytes, size_t size)
{
    if (self->room - self->size <= size) { /* always one more, for a last line end */
        self->room = 2 * self->room + size + CHUNK;
        self->bytes = vln_realloc(self->bytes, self->room);
    }
    memcpy(self->bytes + self->size, bytes, size);
    self->size += size;
}

/* Forgets what was parsed, unless it is gone through again. */
static void
forget(vln_csv_t *self)
{
    if (!self->options.infer && self->parsed > 0) {
        self->size -= self->parsed;
        memmove(self->bytes, self->bytes + self->parsed, self->size);
        self->parsed = 0;
    }
    size_t rest = self->size - self->parsed;
    self->wanted = self->size + (rest > CHUNK ? rest : CHUNK); /* twice as much: no second look
                                                                  at every byte for each that comes */
    if (self->wanted - self->parsed > RECORD_MAX) {
        self->wanted = self->parsed + RECORD_MAX + 1;
    }
}

/* The rest as if the file ended here: what is in it is whole records, or wrong. */
static bool
parse_rest(vln_csv_t *self)
{
    size_t rest = self->size - self->parsed;
    if (rest == 0) {
        return true;
    }
    if (self->bytes[self->size - 1] != '\n') {
        keep(self, "\n", 1);
    }
    const char *at = self->bytes + self->parsed;
    self->parsed = self->size;
    return parse_region(self, at, (size_t)(self->bytes + self->size - at));
}

static bool
parse_kept(vln_csv_t *self)
{
    const char *at = self->bytes + self->parsed;
    size_t size = region_size(at, self->size - self->parsed);
    if (size == 0 && self->size - self->parsed > RECORD_MAX) {
        int64_t line = self->line;
        return parse_rest(self) && csv_refuse(self, VLN_OUT_OF_RANGE, line, CSV_NO_PLACE,
                                              "a row of more than %d bytes", RECORD_MAX);
    }
    if (size > 0 && !parse_region(self, at, size)) {
        return false;
    }
    self->parsed += size;
    forget(self);
    return true;
}

/* ---- the interface ---- */

vln_err_t
vln_csv_add(vln_csv_t *self, const void *bytes, size_t size)
{
    if (self->err != VLN_OK || size == 0) {
        return self->err;
    }
    if (size > self->options.max_bytes - self->taken) {
        csv_refuse(self, VLN_OUT_OF_RANGE, 0, CSV_NO_PLACE, "the file has more than %zu bytes",
                   self->options.max_bytes);
        return self->err;
    }
    self->taken += size;
    const char *at = bytes;
    if (self->size == 0 && size >= CHUNK && !self->options.infer) {
        size_t whole = region_size(at, size); /* where it lies: no copy */
        if (whole > 0 && !parse_region(self, at, whole)) {
            return self->err;
        }
        at += whole;
        size -= whole;
    }
    keep(self, at, size);
    if (self->size >= self->wanted) {
        parse_kept(self);
    }
    return self->err;
}

vln_err_t
vln_csv_add_fd(vln_csv_t *self, int fd)
{
    char *block = vln_calloc(1, READ_BYTES);
    while (self->err == VLN_OK) {
        ssize_t size = read(fd, block, READ_BYTES);
        if (size < 0 && errno == EINTR) {
            continue;
        }
        if (size < 0) {
            vln_error("csv.read_failed", kv_i64("errno", errno));
            csv_refuse(self, VLN_INTERNAL, 0, CSV_NO_PLACE, "the file cannot be read");
        }
        if (size <= 0) {
            break;
        }
        if (vln_csv_add(self, block, (size_t)size) != VLN_OK) {
            break;
        }
    }
    free(block);
    return self->err;
}

/* The second time through, now with types. */
static bool
read_again(vln_csv_t *self)
{
    if (!csv_plan_settle(self)) {
        return false;
    }
    self->rows = 0;
    self->blank_lines = 0;
    self->line = self->header_line;
    const char *at = self->bytes + self->header_bytes;
    return csv_rows_parse(self, at, self->bytes + self->size);
}

static bool
finish(vln_csv_t *self)
{
    if (self->taken == 0) {
        return csv_refuse(self, VLN_INVALID_ARGUMENT, 0, CSV_NO_PLACE, "the file is empty");
    }
    if (!parse_rest(self)) {
        return false;
    }
    if (self->rows == 0) {
        return csv_refuse(self, VLN_INVALID_ARGUMENT, 0, CSV_NO_PLACE,
                          "the file has a header and no rows");
    }
    if (self->options.infer && !read_again(self)) {
        return false;
    }
    vln_table_set_rows(self->table, self->rows);
    return true;
}

vln_err_t
vln_csv_end(vln_csv_t *self, vln_table_t **out)
{
    *out = NULL;
    if (self->err == VLN_OK && finish(self)) {
        *out = self->table;
        self->table = NULL;
    }
    return self->err;
}

const vln_csv_refusal_t *
vln_csv_refusal(const vln_csv_t *self)
{
    return &self->refusal;
}

char *
vln_csv_refusal_format(const vln_csv_refusal_t *refusal, char *out, size_t out_size)
{
    char column[VLN_TABLE_NAME_MAX + 32] = "";
    char line[32] = "";
    if (refusal->name[0]) {
        snprintf(column, sizeof column, "column \"%s\"", refusal->name);
    } else if (refusal->column > 0) {
        snprintf(column, sizeof column, "column %zu", refusal->column);
    }
    if (refusal->line > 0) {
        snprintf(line, sizeof line, "line %lld", (long long)refusal->line);
    }
    snprintf(out, out_size, "%s%s%s%s%s", line, line[0] && column[0] ? ", " : "", column,
             line[0] || column[0] ? ": " : "", refusal->text);
    return out;
}

size_t
vln_csv_ignored_count(const vln_csv_t *self)
{
    return self->ignored_count;
}

const char *
vln_csv_ignored(const vln_csv_t *self, size_t index)
{
    vln_assert(index < self->ignored_count);
    return vln_dict_text(self->names, (int32_t)self->ignored[index], NULL);
}

size_t
vln_csv_blank_lines(const vln_csv_t *self)
{
    return self->blank_lines;
}

vln_err_t
vln_csv_read(const vln_csv_options_t *options, const void *bytes, size_t size, vln_table_t **out,
             vln_csv_refusal_t *refusal)
{
    vln_csv_t *self = vln_csv_new(options);
    *out = NULL;
    vln_err_t err = vln_csv_add(self, bytes, size);
    if (err == VLN_OK) {
        err = vln_csv_end(self, out);
    }
    if (refusal) {
        *refusal = *vln_csv_refusal(self);
    }
    vln_csv_destroy(&self);
    return err;
}
