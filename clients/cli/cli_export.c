#include "cli_export.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "vln_chain.h"
#include "vln_json.h"
#include "vln_pb.h"

enum { LINE_BUDGET = 4 * 1024 * 1024, FIRST_CAPACITY = 1024 };

static const char format_line[] = "{\"valion_log\":1}";
static const char event_key[] = "{\"event\":";
static const char head_key[] = "{\"head\":";

/* ---- the chain ---- */

void
cli_chain_init(cli_chain_t *self)
{
    memset(self, 0, sizeof *self);
    vln_chain_start(self->hash);
}

void
cli_chain_wipe(cli_chain_t *self)
{
    free(self->hashes);
    self->hashes = NULL;
    self->capacity = 0;
}

VLN_PRINTF(2, 3) static bool
chain_refuse(cli_chain_t *self, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(self->why, sizeof self->why, format, args);
    va_end(args);
    return false;
}

/* Keeps the hash for heads that come later. */
static void
remember(cli_chain_t *self)
{
    size_t count = (size_t)self->position;
    if (count > self->capacity) {
        self->capacity = self->capacity ? 2 * self->capacity : FIRST_CAPACITY;
        self->hashes = vln_realloc(self->hashes, self->capacity * VLN_DIGEST_BYTES);
    }
    memcpy(self->hashes + (count - 1) * VLN_DIGEST_BYTES, self->hash, VLN_DIGEST_BYTES);
}

/* What the hash covers: the same fields as in the event, present where they are there. */
static uint8_t *
pack_entry(const Valion__V1__Event *event, vln_arena_t *arena, size_t *size)
{
    Valion__V1__LogEntry entry = VALION__V1__LOG_ENTRY__INIT;
    entry.type = event->type;
    entry.subject = event->subject;
    entry.actor = event->actor;
    entry.has_time_us = event->has_time_us;
    entry.time_us = event->time_us;
    entry.has_payload = event->has_payload;
    entry.payload = event->payload;
    return vln_pb_pack(&entry.base, arena, size);
}

bool
cli_chain_add(cli_chain_t *self, const Valion__V1__Event *event, vln_arena_t *arena)
{
    uint64_t expected = self->position + 1;
    if (event->position != expected) {
        return chain_refuse(self, "entry %" PRIu64 " is missing: %" PRIu64 " comes in its place",
                            expected, event->position);
    }
    size_t size = 0;
    uint8_t hash[VLN_DIGEST_BYTES];
    const uint8_t *entry = pack_entry(event, arena, &size);
    vln_chain_next(self->hash, expected, entry, size, hash);
    if (!event->has_hash || event->hash.len != sizeof hash ||
        memcmp(event->hash.data, hash, sizeof hash) != 0) {
        return chain_refuse(self,
                            "entry %" PRIu64 " is not what was logged: its hash does not follow "
                            "from its content and the entry before",
                            expected);
    }
    self->position = expected;
    memcpy(self->hash, hash, sizeof hash);
    remember(self);
    return true;
}

bool
cli_chain_check_head(cli_chain_t *self, const Valion__V1__LogHead *head,
                     const uint8_t public_key[VLN_SIGN_PUBLIC], const char *source)
{
    uint8_t signed_bytes[VLN_CHAIN_HEAD_BYTES];
    if (!head->has_position || head->position == 0 || head->hash.len != VLN_DIGEST_BYTES ||
        head->signature.len != VLN_SIGNATURE) {
        return chain_refuse(self, "%s: a head lacks position, hash or signature", source);
    }
    vln_chain_head_bytes(head->position, head->time_us, head->hash.data, signed_bytes);
    if (!vln_sign_verify(public_key, signed_bytes, sizeof signed_bytes, head->signature.data)) {
        return chain_refuse(self, "%s: the head at %" PRIu64 " is not signed by this key", source,
                            head->position);
    }
    if (head->position > self->position) {
        return chain_refuse(self,
                            "%s: a head was signed at %" PRIu64 ", but the log ends at %" PRIu64
                            ": its tail is missing",
                            source, head->position, self->position);
    }
    const uint8_t *hash = self->hashes + (size_t)(head->position - 1) * VLN_DIGEST_BYTES;
    if (memcmp(hash, head->hash.data, VLN_DIGEST_BYTES) != 0) {
        return chain_refuse(self,
                            "%s: the head signed at %" PRIu64 " is of another log: entries up to "
                            "there were changed and the chain was made again",
                            source, head->position);
    }
    return true;
}

/* ---- writing ---- */

void
cli_export_write_start(FILE *out)
{
    fprintf(out, "%s\n", format_line);
}

static void
write_line(FILE *out, const char *key, const ProtobufCMessage *message)
{
    char *text = vln_json_print(message, VLN_JSON_COMPACT, NULL);
    fprintf(out, "%s%s}\n", key, text);
    free(text);
}

void
cli_export_write_event(FILE *out, const Valion__V1__Event *event)
{
    write_line(out, event_key, &event->base);
}

void
cli_export_write_head(FILE *out, const Valion__V1__LogHead *head)
{
    write_line(out, head_key, &head->base);
}

/* ---- checking ---- */

typedef struct check {
    cli_chain_t chain;
    const uint8_t *public_key;
    vln_arena_t *arena;
    cli_verdict_t *verdict;
    char source[64]; /* "log line 7", for sentences */
} check_t;

VLN_PRINTF(2, 3) static bool
refuse(check_t *self, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(self->verdict->why, sizeof self->verdict->why, format, args);
    va_end(args);
    return false;
}

/* The object behind the key of a line, as a message; NULL with why said. */
static void *
read_object(check_t *self, const ProtobufCMessageDescriptor *type, const char *text, size_t size)
{
    vln_json_error_t error;
    ProtobufCMessage *message = NULL;
    vln_err_t err = vln_json_parse(type, text, size, self->arena, &message, &error);
    if (err != VLN_OK) {
        refuse(self, "%s: %.400s", self->source, error.why);
    }
    return message;
}

static bool
check_event(check_t *self, const char *text, size_t size)
{
    const Valion__V1__Event *event = read_object(self, &valion__v1__event__descriptor, text, size);
    if (!event) {
        return false;
    }
    if (!cli_chain_add(&self->chain, event, self->arena)) {
        return refuse(self, "%s: %.400s", self->source, self->chain.why);
    }
    self->verdict->entries = self->chain.position;
    return true;
}

static bool
check_head(check_t *self, const char *text, size_t size)
{
    const Valion__V1__LogHead *head =
        read_object(self, &valion__v1__log_head__descriptor, text, size);
    if (!head) {
        return false;
    }
    if (!cli_chain_check_head(&self->chain, head, self->public_key, self->source)) {
        return refuse(self, "%s", self->chain.why);
    }
    self->verdict->heads++;
    if (head->position > self->verdict->covered) {
        self->verdict->covered = head->position;
        self->verdict->covered_us = head->time_us;
    }
    return true;
}

/* True, with the object's place, if the line is `key` object "}". */
static bool
is_line_of(const char *key, const char *line, size_t size, const char **text, size_t *text_size)
{
    size_t len = strlen(key);
    if (size <= len || strncmp(line, key, len) != 0 || line[size - 1] != '}') {
        return false;
    }
    *text = line + len;
    *text_size = size - len - 1;
    return true;
}

static bool
check_line(check_t *self, const char *line, size_t size, bool heads_only)
{
    const char *text;
    size_t text_size;
    if (is_line_of(head_key, line, size, &text, &text_size)) {
        return check_head(self, text, text_size);
    }
    if (heads_only) {
        return check_head(self, line, size);
    }
    if (is_line_of(event_key, line, size, &text, &text_size)) {
        return check_event(self, text, text_size);
    }
    return refuse(self, "%s: neither an event nor a head", self->source);
}

/* What a crash amid an append leaves. Whoever may cut lines may take whole ones out as well, so that
 * to pass over it gives nothing away; the report says it. */
static bool
is_cut(const char *line, ssize_t size)
{
    return size > 0 && line[size - 1] != '}';
}

/* Each line of the file in turn. */
static bool
check_lines(check_t *self, FILE *file, const char *what, bool heads_only)
{
    char *line = NULL;
    size_t capacity = 0;
    bool good = true;
    uint64_t number = heads_only ? 0 : 1;
    for (ssize_t size; good && (size = getline(&line, &capacity, file)) >= 0;) {
        snprintf(self->source, sizeof self->source, "%s line %" PRIu64, what, ++number);
        while (size && (line[size - 1] == '\n' || line[size - 1] == '\r')) {
            size--;
        }
        vln_arena_reset(self->arena);
        if (size > CLI_EXPORT_LINE_MAX) {
            good = refuse(self, "%s is longer than %d bytes", self->source, CLI_EXPORT_LINE_MAX);
        } else if (heads_only && is_cut(line, size)) {
            self->verdict->cut++;
        } else if (size) {
            good = check_line(self, line, (size_t)size, heads_only);
        }
    }
    free(line);
    return good && (!ferror(file) || refuse(self, "%s cannot be read", what));
}

static bool
check_format(check_t *self, FILE *file)
{
    char line[64];
    bool is_ours = fgets(line, sizeof line, file) &&
                   strncmp(line, format_line, sizeof format_line - 1) == 0 &&
                   (line[sizeof format_line - 1] == '\n' || line[sizeof format_line - 1] == '\r');
    return is_ours ||
           refuse(self, "no export of a Valion log: the first line is not %s", format_line);
}

bool
cli_export_verify(FILE *log, FILE *heads, const uint8_t public_key[VLN_SIGN_PUBLIC],
                  cli_verdict_t *out)
{
    memset(out, 0, sizeof *out);
    check_t check = {.public_key = public_key, .verdict = out};
    check.arena = vln_arena_new(LINE_BUDGET);
    cli_chain_init(&check.chain);
    bool good = check_format(&check, log) && check_lines(&check, log, "log", false) &&
                (!heads || check_lines(&check, heads, "heads", true));
    cli_chain_wipe(&check.chain);
    vln_arena_destroy(&check.arena);
    return good;
}
