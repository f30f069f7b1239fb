/* at; version card, version lineage: what the record says. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <valion/v1/deployer.pb-c.h>
#include <valion/v1/registry.pb-c.h>

#include "vln_text.h"
#include "vln_time.h"

#include "cli.h"
#include "cli_format.h"
#include "cli_reference.h"
#include "cli_time.h"

enum { PAGE_SIZE = 100, REVISIONS_AT_ONCE = 1000, HEX_ROOM = 72, DEPLOYER_MS = 3000 };

static const char hint[] = "valion version list --model MODEL";

/* ---- card, lineage ---- */

cli_exit_t
cmd_version_card(cli_t *cli)
{
    Valion__V1__GetModelCardRequest message = VALION__V1__GET_MODEL_CARD_REQUEST__INIT;
    cli_reference_t version;
    cli_reference_parse(cli_args_word(&cli->args, 0), &version);
    message.model = version.model;
    message.version = version.version;
    message.alias = version.alias;
    const cli_request_t request = {
        .service = "registry", .method = "GetModelCard", .message = &message.base, .hint = hint};
    if (cli_args_get(&cli->args, "output")) {
        return cli_call_and_show(cli, &request, "card");
    }
    vln_reply_t reply;
    cli_exit_t code = cli_call(cli, &request, &reply);
    if (code == CLI_OK) {
        const Valion__V1__GetModelCardReply *card = (const void *)reply.message;
        fputs(card->markdown ? card->markdown : "", stdout);
    }
    vln_reply_wipe(&reply);
    return code;
}

cli_exit_t
cmd_version_lineage(cli_t *cli)
{
    Valion__V1__GetLineageRequest message = VALION__V1__GET_LINEAGE_REQUEST__INIT;
    cli_reference_t version;
    int64_t depth = 0;
    cli_reference_parse(cli_args_word(&cli->args, 0), &version);
    if (version.alias && strcmp(version.alias, "latest") != 0) {
        return cli_fail(CLI_USAGE, "MODEL or MODEL@VERSION is wanted, such as houses@1.0.0");
    }
    if (!cli_args_number(&cli->args, "depth", 1, 20, 5, &depth)) {
        return cli_fail(CLI_USAGE, "%s", cli->args.why);
    }
    message.model = version.model;
    message.version = version.version;
    message.has_depth = 1;
    message.depth = (uint32_t)depth;
    const cli_request_t request = {
        .service = "registry", .method = "GetLineage", .message = &message.base, .hint = hint};
    if (cli_args_get(&cli->args, "output")) {
        return cli_call_and_show(cli, &request, NULL);
    }
    vln_reply_t reply;
    cli_exit_t code = cli_call(cli, &request, &reply);
    if (code == CLI_OK) {
        const Valion__V1__GetLineageReply *graph = (const void *)reply.message;
        fputs(graph->dot ? graph->dot : "", stdout);
        if (graph->truncated) {
            fprintf(stderr, "valion: the graph is larger than one reply: the rest is left out\n");
        }
    }
    vln_reply_wipe(&reply);
    return code;
}

/* ---- at ---- */

static const cli_column_t at_columns[] = {
    {"MODEL", "model"},   {"VERSION", "version"},   {"TRAFFIC", "traffic"},
    {"DIGEST", "digest"}, {"FROM", "from"},         {"UNTIL", "until"},
    {"BY", "actor"},      {"EVIDENCE", "evidence"}, {NULL, NULL}};

/* What is asked. */
typedef struct moment {
    cli_t *cli;
    int64_t time_us;
    char *environment;
    char *model;
    cli_list_t *list;
    bool deployer_away;
} moment_t;

static bool
covers(const Valion__V1__Revision *revision, int64_t time_us)
{
    return revision->from_us <= time_us &&
           (!revision->has_until_us || time_us < revision->until_us);
}

static bool
is_live(const Valion__V1__ListRevisionsReply *list, const char *version, int64_t time_us)
{
    for (size_t i = 0; i < list->n_revisions; i++) {
        if (covers(list->revisions[i], time_us) &&
            strcmp(list->revisions[i]->version, version) == 0) {
            return true;
        }
    }
    return false;
}

/* The version that had the endpoint's traffic is live, a canary or one that is kept warm beside it;
 * "?" if the deployer does not say. */
static const char *
traffic_of(moment_t *self, const Valion__V1__Grant *grant)
{
    Valion__V1__ListRevisionsRequest message = VALION__V1__LIST_REVISIONS_REQUEST__INIT;
    Valion__V1__Page page = VALION__V1__PAGE__INIT;
    page.has_size = 1;
    page.size = REVISIONS_AT_ONCE;
    message.environment = grant->environment;
    message.model = grant->model;
    message.page = &page;
    const cli_request_t request = {.service = "deployer",
                                   .method = "ListRevisions",
                                   .message = &message.base,
                                   .timeout_ms = DEPLOYER_MS};
    const char *traffic = "?";
    vln_reply_t reply = {0};
    self->deployer_away = self->deployer_away || cli_try(self->cli, &request, &reply) != VLN_OK;
    if (!self->deployer_away) {
        const Valion__V1__ListRevisionsReply *list = (const void *)reply.message;
        traffic = is_live(list, grant->version, self->time_us) ? "live" : "beside";
    }
    vln_reply_wipe(&reply);
    return traffic;
}

static void
add_grant(moment_t *self, const Valion__V1__Grant *grant, const char *actor)
{
    char from[VLN_TIME_TEXT];
    char until[VLN_TIME_TEXT] = "";
    char digest[HEX_ROOM] = "";
    if (grant->digest.len * 2 < sizeof digest) {
        vln_hex_encode(grant->digest.data, grant->digest.len, digest);
    }
    if (grant->has_closed_us) {
        vln_time_format(grant->closed_us, until);
    }
    const char *const cells[] = {grant->model,
                                 grant->version,
                                 traffic_of(self, grant),
                                 digest,
                                 vln_time_format(grant->opened_us, from),
                                 until,
                                 actor,
                                 grant->evidence ? grant->evidence : ""};
    cli_list_add_cells(self->list, cells);
}

static cli_exit_t
add_page(moment_t *self, ProtobufCBinaryData *token, vln_reply_t *reply)
{
    Valion__V1__GetServingAtRequest message = VALION__V1__GET_SERVING_AT_REQUEST__INIT;
    Valion__V1__Page page = VALION__V1__PAGE__INIT;
    page.has_size = page.has_token = 1;
    page.size = PAGE_SIZE;
    page.token = *token;
    message.environment = self->environment;
    message.model = self->model;
    message.has_time_us = 1;
    message.time_us = self->time_us;
    message.page = &page;
    const cli_request_t request = {
        .service = "registry", .method = "GetServingAt", .message = &message.base};
    cli_exit_t code = cli_call(self->cli, &request, reply);
    if (code == CLI_OK) {
        const Valion__V1__GetServingAtReply *serving = (const void *)reply->message;
        for (size_t i = 0; i < serving->n_grants; i++) {
            add_grant(self, serving->grants[i], i < serving->n_actors ? serving->actors[i] : "");
        }
        *token = serving->next_token;
    }
    return code;
}

/* Page after page; a page's token lives in the reply before it. */
static cli_exit_t
add_all(moment_t *self)
{
    ProtobufCBinaryData token = {0};
    vln_reply_t replies[2] = {{0}, {0}};
    size_t turn = 0;
    cli_exit_t code = CLI_OK;
    do {
        vln_reply_t *reply = &replies[turn++ % 2];
        vln_reply_wipe(reply);
        code = add_page(self, &token, reply);
    } while (code == CLI_OK && token.len > 0);
    vln_reply_wipe(&replies[0]);
    vln_reply_wipe(&replies[1]);
    return code;
}

cli_exit_t
cmd_at(cli_t *cli)
{
    static char production[] = "production";
    const char *text = cli_args_word(&cli->args, 0);
    char *environment = cli_text_option(cli, "env");
    moment_t self = {.cli = cli,
                     .environment = environment ? environment : production,
                     .model = cli_text_option(cli, "model")};
    if (!cli_time_parse(text ? text : "now", vln_wall_us(), &self.time_us)) {
        return cli_fail(CLI_USAGE,
                        "\"%.40s\" is no time: now, 2026-11-23, 2026-11-23T10:00Z, \"90m ago\"",
                        text);
    }
    cli_exit_t code = cli_open(cli);
    if (code != CLI_OK) {
        return code;
    }
    self.list = cli_list_new(cli->form, at_columns, cli->color, stdout);
    code = add_all(&self);
    cli_list_end(&self.list, code == CLI_OK ? "nothing served there then" : "");
    if (self.deployer_away) {
        fprintf(stderr, "valion: the deployer does not answer: which of them had the traffic is "
                        "not known; ask again when it does\n");
    }
    return code;
}
