#include "vln_log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "vln_text.h"
#include "vln_time.h"

enum { LINE_BYTES = 4096, FIELD_BYTES = 1024, INSTANCE_ROOM = 129 };

/* Set once by vln_log_init before other threads start, read ever after. */
static struct {
    const char *service;
    char instance[INSTANCE_ROOM];
    vln_log_level_t level;
    bool terminal;
} config = {.service = "valion", .instance = "", .level = VLN_LOG_INFO};

static const char *const level_names[] = {"debug", "info", "warn", "error", "off"};

typedef struct line {
    char text[LINE_BYTES];
    size_t len;
} line_t;

VLN_PRINTF(2, 3) static void
add(line_t *line, const char *format, ...)
{
    size_t room = sizeof line->text - line->len - 4; /* `"}\n` always fits */
    va_list args;
    va_start(args, format);
    int len = vsnprintf(line->text + line->len, room, format, args);
    va_end(args);
    if (len > 0) {
        line->len += (size_t)len < room ? (size_t)len : room - 1;
    }
}

/* JSON's escapes; what is not UTF-8 is shown as '?', so that a line is always valid JSON. */
static void
add_json_text(line_t *line, const char *text)
{
    size_t len = text ? strlen(text) : 0;
    len = len < FIELD_BYTES ? len : FIELD_BYTES;
    bool utf8 = vln_text_is_utf8(text ? text : "", len);
    add(line, "\"");
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\') {
            add(line, "\\%c", c);
        } else if (c < 0x20) {
            add(line, "\\u%04x", c);
        } else if (c >= 0x80 && !utf8) {
            add(line, "?");
        } else {
            add(line, "%c", c);
        }
    }
    add(line, "\"");
}

static void
format_json(line_t *line, vln_log_level_t level, const char *event, const vln_kv_t *fields)
{
    char time[VLN_TIME_TEXT];
    add(line, "{\"time\":\"%s\",\"level\":\"%s\",\"service\":\"%s\",\"instance\":\"%s\"",
        vln_time_format(vln_wall_us(), time), level_names[level], config.service, config.instance);
    add(line, ",\"event\":\"%s\"", event);
    for (const vln_kv_t *field = fields; field->key; field++) {
        add(line, ",\"%s\":", field->key);
        if (field->is_text) {
            add_json_text(line, field->text);
        } else {
            add(line, "%" PRId64, field->number);
        }
    }
    add(line, "}");
}

static void
format_text(line_t *line, vln_log_level_t level, const char *event, const vln_kv_t *fields)
{
    char time[VLN_TIME_TEXT];
    vln_time_format(vln_wall_us(), time);
    add(line, "%.12s %-5s %s %s", time + 11, level_names[level], config.service, event);
    for (const vln_kv_t *field = fields; field->key; field++) {
        if (field->is_text) {
            add(line, " %s=", field->key);
            add_json_text(line, field->text);
        } else {
            add(line, " %s=%" PRId64, field->key, field->number);
        }
    }
}

void
vln_log_init(const char *service, const char *instance, vln_log_level_t level)
{
    config.service = service;
    config.level = level;
    config.terminal = isatty(STDERR_FILENO) == 1;
    vln_log_set_instance(instance ? instance : "");
}

void
vln_log_set_instance(const char *instance)
{
    vln_text_copy(config.instance, sizeof config.instance, instance);
}

bool
vln_log_level_parse(const char *text, vln_log_level_t *out)
{
    for (size_t i = 0; i < VLN_COUNT(level_names); i++) {
        if (strcasecmp(text, level_names[i]) == 0) {
            *out = (vln_log_level_t)i;
            return true;
        }
    }
    return false;
}

bool
vln_log_wants(vln_log_level_t level)
{
    return level >= config.level;
}

void
vln_log_emit(vln_log_level_t level, const char *event, const vln_kv_t *fields)
{
    if (!vln_log_wants(level)) {
        return;
    }
    line_t line;
    line.len = 0;
    if (config.terminal) {
        format_text(&line, level, event, fields);
    } else {
        format_json(&line, level, event, fields);
    }
    line.text[line.len++] = '\n';
    ssize_t written = write(STDERR_FILENO, line.text, line.len);
    (void)written; /* nobody is left to tell */
}
