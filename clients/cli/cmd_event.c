/* event: the log of everything that happened. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <valion/v1/registry.pb-c.h>

#include "vln_json.h"
#include "vln_pb.h"
#include "vln_text.h"

#include "cli.h"
#include "cli_export.h"
#include "cli_format.h"

enum {
    BATCH = 400, /* a reply holds at most 4096 fields: VLN_PB_MAX_FIELDS */
    TYPES_MAX = 16,
    TYPE_MAX = 128,
    FOLLOW_WAIT_MS = 20000,
    WAIT_GRACE_MS = 5000, /* for the reply, after the service waited */
    FIRST_PAUSE_MS = 250,
    MAX_PAUSE_MS = 5000,
    FACTS_BUDGET = 1024 * 1024,
    DEFAULT_LAST = 20,
    TYPE_COLUMN = 18,
    EXPORT_CHAIN_BUDGET = 4 * 1024 * 1024,
};

/* What is read, and how far. */
typedef struct reading {
    Valion__V1__ReadEventsRequest request;
    char type_texts[TYPES_MAX][TYPE_MAX];
    char *types[TYPES_MAX];
} reading_t;

static const char hint[] = "valion event list";

/* From --types, --subject; false with a sentence. */
static bool
reading_init(reading_t *self, const cli_t *cli)
{
    memset(self, 0, sizeof *self);
    valion__v1__read_events_request__init(&self->request);
    const char *rest = cli_args_get(&cli->args, "types");
    char type[TYPE_MAX];
    while (rest && vln_text_next(&rest, ',', type, sizeof type)) {
        if (self->request.n_types == TYPES_MAX) {
            cli_fail(CLI_USAGE, "--types: at most %d", TYPES_MAX);
            return false;
        }
        size_t at = self->request.n_types++;
        vln_text_copy(self->type_texts[at], TYPE_MAX, type);
        self->types[at] = self->type_texts[at];
    }
    self->request.types = self->types;
    self->request.subject = cli_text_option(cli, "subject");
    self->request.has_after = self->request.has_limit = 1;
    self->request.limit = BATCH;
    return true;
}

static cli_request_t
request_of(reading_t *self)
{
    int64_t wait_ms = self->request.has_wait_ms ? self->request.wait_ms : 0;
    int64_t patience_ms = wait_ms ? wait_ms + WAIT_GRACE_MS : 0;
    return (cli_request_t){.service = "registry",
                           .method = "ReadEvents",
                           .message = &self->request.base,
                           .timeout_ms = patience_ms,
                           .attempt_ms = patience_ms,
                           .hint = hint};
}

/* "key=value key=value" of the payload. */
static void
describe_facts(const Valion__V1__Event *event, char *out, size_t out_size)
{
    out[0] = '\0';
    vln_arena_t *arena = vln_arena_new(FACTS_BUDGET);
    vln_pb_scan_t scan;
    ProtobufCMessage *message = NULL;
    if (vln_pb_unpack(&valion__v1__event_payload__descriptor, event->payload.data,
                      event->payload.len, arena, &message, &scan) == VLN_OK) {
        const Valion__V1__EventPayload *payload = (const void *)message;
        size_t len = 0;
        for (size_t i = 0; i < payload->n_facts && len + 1 < out_size; i++) {
            char key[CLI_VALUE_MAX];
            char value[CLI_VALUE_MAX];
            len += (size_t)snprintf(
                out + len, out_size - len, "%s%s=%s", i ? " " : "",
                cli_format_field(&payload->facts[i]->base, "key", key, sizeof key),
                cli_format_field(&payload->facts[i]->base, "value", value, sizeof value));
        }
    }
    vln_arena_destroy(&arena);
}

static void
print_event(const cli_t *cli, const Valion__V1__Event *event)
{
    if (cli->form == CLI_FORM_JSON) {
        char *text = vln_json_print(&event->base, VLN_JSON_COMPACT, NULL);
        puts(text);
        free(text);
        return;
    }
    char time[CLI_VALUE_MAX];
    char type[CLI_VALUE_MAX];
    char subject[CLI_VALUE_MAX];
    char actor[CLI_VALUE_MAX];
    char facts[2 * CLI_VALUE_MAX];
    const char *tab = cli->form == CLI_FORM_TEXT ? "\t" : "  ";
    describe_facts(event, facts, sizeof facts);
    printf("%" PRIu64 "%s%s%s%s%-*s%s%s%s%s%s%s%s\n", event->position, tab,
           cli_format_field(&event->base, "time_us", time, sizeof time), tab, cli_bold(cli),
           cli->form == CLI_FORM_TEXT ? 0 : TYPE_COLUMN,
           cli_format_field(&event->base, "type", type, sizeof type), cli_plain(cli), tab,
           cli_format_field(&event->base, "subject", subject, sizeof subject), tab,
           cli_format_field(&event->base, "actor", actor, sizeof actor), tab, facts);
}

/* Prints what is new and moves on. Positions only rise: one that was seen is never printed again,
 * whatever a retry brings. *at_end: there is no more now, or a peer that does not say where its log
 * ends has nothing new. */
static bool
take_events(const cli_t *cli, reading_t *self, const Valion__V1__ReadEventsReply *reply,
            bool *at_end)
{
    uint64_t before = self->request.after;
    for (size_t i = 0; i < reply->n_events; i++) {
        if (reply->events[i]->position > self->request.after) {
            print_event(cli, reply->events[i]);
            self->request.after = reply->events[i]->position;
        }
    }
    if (reply->has_last && reply->last > self->request.after) {
        self->request.after = reply->last;
    }
    *at_end =
        self->request.after == before || (reply->has_end && self->request.after >= reply->end);
    return fflush(stdout) == 0;
}

/* After an error that passes: a word the first time, then longer pauses. False: stop. */
static bool
wait_out(const cli_t *cli, vln_err_t err, const char *why, int64_t *pause_ms)
{
    if (*pause_ms == 0) {
        fprintf(stderr, "valion: %s: %s; trying again\n", vln_err_name(err), why);
    }
    *pause_ms = *pause_ms ? 2 * *pause_ms : FIRST_PAUSE_MS;
    *pause_ms = *pause_ms < MAX_PAUSE_MS ? *pause_ms : MAX_PAUSE_MS;
    return cli_pause(cli, *pause_ms);
}

static cli_exit_t
follow(cli_t *cli, reading_t *self, bool for_ever)
{
    int64_t pause_ms = 0;
    self->request.has_wait_ms = for_ever;
    self->request.wait_ms = FOLLOW_WAIT_MS;
    while (!*cli->stop) {
        vln_reply_t reply;
        const cli_request_t request = request_of(self);
        vln_err_t err = cli_try(cli, &request, &reply);
        bool end = false;
        bool written = true;
        if (err == VLN_OK) {
            pause_ms = 0;
            written = take_events(cli, self, (const void *)reply.message, &end);
            end = end && !for_ever;
        }
        bool retry = err != VLN_OK && for_ever && vln_err_is_transient(err) && !*cli->stop &&
                     wait_out(cli, err, reply.why, &pause_ms);
        cli_exit_t code =
            err == VLN_OK || retry ? CLI_OK : cli_fail_with(cli, err, reply.why, NULL);
        vln_reply_wipe(&reply);
        if (code != CLI_OK || end || !written) {
            return written ? code : CLI_FAILED;
        }
    }
    return CLI_INTERRUPTED;
}

cli_exit_t
cmd_event_watch(cli_t *cli)
{
    reading_t reading;
    int64_t after;
    if (!cli_args_number(&cli->args, "after", 0, INT64_MAX, 0, &after)) {
        return cli_fail(CLI_USAGE, "%s", cli->args.why);
    }
    if (!reading_init(&reading, cli)) {
        return CLI_USAGE;
    }
    reading.request.after = (uint64_t)after;
    cli_exit_t code = cli_open(cli);
    return code == CLI_OK ? follow(cli, &reading, cli_args_has(&cli->args, "follow")) : code;
}

/* ---- list ---- */

/* The position of the log's end. */
static cli_exit_t
find_end(cli_t *cli, uint64_t *end)
{
    Valion__V1__ReadEventsRequest message = VALION__V1__READ_EVENTS_REQUEST__INIT;
    message.has_limit = 1;
    message.limit = 1;
    const cli_request_t request = {
        .service = "registry", .method = "ReadEvents", .message = &message.base};
    vln_reply_t reply;
    cli_exit_t code = cli_call(cli, &request, &reply);
    *end = code == CLI_OK ? ((const Valion__V1__ReadEventsReply *)(const void *)reply.message)->end
                          : 0;
    vln_reply_wipe(&reply);
    return code;
}

cli_exit_t
cmd_event_list(cli_t *cli)
{
    reading_t reading;
    int64_t last;
    uint64_t end = 0;
    if (!cli_args_number(&cli->args, "last", 1, INT32_MAX, DEFAULT_LAST, &last)) {
        return cli_fail(CLI_USAGE, "%s", cli->args.why);
    }
    if (!reading_init(&reading, cli)) {
        return CLI_USAGE;
    }
    cli_exit_t code = find_end(cli, &end);
    reading.request.after = end > (uint64_t)last ? end - (uint64_t)last : 0;
    return code == CLI_OK ? follow(cli, &reading, false) : code;
}

/* ---- export ---- */

/*
 * The log is written as the registry gives it, also where the chain is broken: a file that shows
 * what is wrong is what 'audit verify' and whoever looks into it need. The fault is said, and the
 * exit code tells of it.
 */
typedef struct exporting {
    FILE *file;
    cli_chain_t chain; /* checked while it is written, up to the first fault */
    vln_arena_t *arena;
    uint64_t last;  /* position that was written last */
    uint64_t until; /* highest that a head was signed at: must be reached */
    bool is_broken;
} exporting_t;

static cli_exit_t
sign_head(cli_t *cli, uint64_t *position)
{
    Valion__V1__SignHeadRequest message = VALION__V1__SIGN_HEAD_REQUEST__INIT;
    const cli_request_t request = {
        .service = "registry", .method = "SignHead", .message = &message.base};
    vln_reply_t reply;
    cli_exit_t code = cli_call(cli, &request, &reply);
    if (code == CLI_OK) {
        const Valion__V1__SignHeadReply *signed_head = (const void *)reply.message;
        *position = signed_head->head ? signed_head->head->position : 0;
    }
    vln_reply_wipe(&reply);
    return code;
}

/* The newest head may be above the end that was just signed: then a tail of the log is gone. */
static cli_exit_t
find_newest_head(cli_t *cli, uint64_t *position)
{
    Valion__V1__ListHeadsRequest message = VALION__V1__LIST_HEADS_REQUEST__INIT;
    const cli_request_t request = {
        .service = "registry", .method = "ListHeads", .message = &message.base};
    vln_reply_t reply;
    cli_exit_t code = cli_call(cli, &request, &reply);
    if (code == CLI_OK) {
        const Valion__V1__ListHeadsReply *heads = (const void *)reply.message;
        if (heads->n_heads && heads->heads[0]->position > *position) {
            *position = heads->heads[0]->position;
        }
    }
    vln_reply_wipe(&reply);
    return code;
}

static void
export_page(exporting_t *self, const Valion__V1__ReadEventsReply *reply)
{
    for (size_t i = 0; i < reply->n_events; i++) {
        vln_arena_reset(self->arena);
        self->is_broken =
            self->is_broken || !cli_chain_add(&self->chain, reply->events[i], self->arena);
        cli_export_write_event(self->file, reply->events[i]);
        self->last = reply->events[i]->position;
    }
}

/* Up to the head that was signed at the start: a log that grows all the time has no end. */
static cli_exit_t
export_events(cli_t *cli, exporting_t *self)
{
    Valion__V1__ReadEventsRequest message = VALION__V1__READ_EVENTS_REQUEST__INIT;
    message.has_after = message.has_limit = 1;
    message.limit = BATCH;
    const cli_request_t request = {
        .service = "registry", .method = "ReadEvents", .message = &message.base};
    cli_exit_t code = CLI_OK;
    for (bool more = true; more && code == CLI_OK;) {
        vln_reply_t reply;
        code = cli_call(cli, &request, &reply);
        if (code == CLI_OK) {
            export_page(self, (const void *)reply.message);
            more = self->last > message.after && self->last < self->until;
            message.after = self->last;
        }
        vln_reply_wipe(&reply);
    }
    return code;
}

/* Heads above all that is here were signed meanwhile, for a log that went on. */
static void
write_heads(const exporting_t *self, const Valion__V1__ListHeadsReply *heads)
{
    for (size_t i = 0; i < heads->n_heads; i++) {
        uint64_t position = heads->heads[i]->position;
        if (position <= self->last || position <= self->until) {
            cli_export_write_head(self->file, heads->heads[i]);
        }
    }
}

/* The page asks for what comes after the reply. False: that was all. */
static bool
turn_page(Valion__V1__Page *page, const ProtobufCBinaryData *next)
{
    free(page->token.data);
    page->token = (ProtobufCBinaryData){0};
    page->has_token = next->len > 0;
    if (page->has_token) {
        page->token.data = vln_memdup(next->data, next->len);
        page->token.len = next->len;
    }
    return page->has_token;
}

static cli_exit_t
export_heads(cli_t *cli, const exporting_t *self)
{
    Valion__V1__ListHeadsRequest message = VALION__V1__LIST_HEADS_REQUEST__INIT;
    Valion__V1__Page page = VALION__V1__PAGE__INIT;
    message.page = &page;
    const cli_request_t request = {
        .service = "registry", .method = "ListHeads", .message = &message.base};
    cli_exit_t code = CLI_OK;
    for (bool more = true; more && code == CLI_OK;) {
        vln_reply_t reply;
        code = cli_call(cli, &request, &reply);
        more = false;
        if (code == CLI_OK) {
            const Valion__V1__ListHeadsReply *heads = (const void *)reply.message;
            write_heads(self, heads);
            more = turn_page(&page, &heads->next_token);
        }
        vln_reply_wipe(&reply);
    }
    free(page.token.data);
    return code;
}

static cli_exit_t
export_parts(cli_t *cli, exporting_t *self)
{
    cli_exit_t code = sign_head(cli, &self->until);
    cli_export_write_start(self->file);
    if (code == CLI_OK) {
        code = find_newest_head(cli, &self->until);
    }
    if (code == CLI_OK) {
        code = export_events(cli, self);
    }
    return code == CLI_OK ? export_heads(cli, self) : code;
}

static cli_exit_t
judge(const exporting_t *self)
{
    fprintf(stderr, "%" PRIu64 " entries exported, signed up to %" PRIu64 "\n", self->last,
            self->until);
    if (self->is_broken) {
        return cli_fail(CLI_FAILED, "DATA_LOSS: %s; the file shows the log as it is",
                        self->chain.why);
    }
    if (self->last < self->until) {
        return cli_fail(CLI_FAILED,
                        "DATA_LOSS: a head was signed at %" PRIu64 ", but the log ends at %" PRIu64
                        "; the file shows the log as it is",
                        self->until, self->last);
    }
    return CLI_OK;
}

/* *complete: all was written, whatever is wrong with it. */
static cli_exit_t
export_all(cli_t *cli, FILE *file, bool *complete)
{
    exporting_t exporting = {.file = file};
    exporting.arena = vln_arena_new(EXPORT_CHAIN_BUDGET);
    cli_chain_init(&exporting.chain);
    cli_exit_t code = export_parts(cli, &exporting);
    *complete = code == CLI_OK;
    if (*complete) {
        code = judge(&exporting);
    }
    cli_chain_wipe(&exporting.chain);
    vln_arena_destroy(&exporting.arena);
    return code;
}

/* Whole or not at all: written beside, then renamed. */
cli_exit_t
cmd_event_export(cli_t *cli)
{
    const char *path = cli_args_get(&cli->args, "file");
    char temporary[1024];
    bool complete = false;
    if (!path) {
        return cli_fail(CLI_USAGE, "--file FILE is wanted; - is standard output");
    }
    if (strcmp(path, "-") == 0) {
        return export_all(cli, stdout, &complete);
    }
    snprintf(temporary, sizeof temporary, "%s.part", path);
    FILE *file = fopen(temporary, "wb");
    if (!file) {
        return cli_fail(CLI_FAILED, "%s: %s", temporary, strerror(errno));
    }
    cli_exit_t code = export_all(cli, file, &complete);
    bool written = fflush(file) == 0 && fsync(fileno(file)) == 0;
    written = fclose(file) == 0 && written;
    if (complete && (!written || rename(temporary, path) != 0)) {
        code = cli_fail(CLI_FAILED, "%s: %s", path, strerror(errno));
        complete = false;
    }
    if (!complete) {
        unlink(temporary);
    }
    return code;
}
