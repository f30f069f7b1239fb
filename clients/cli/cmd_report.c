/* report: what was found, for people and for programs. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <valion/v1/registry.pb-c.h>

#include "vln_id.h"
#include "vln_pb.h"

#include "cli.h"
#include "cli_file.h"
#include "cli_reference.h"
#include "report_compare.h"
#include "report_page.h"

enum {
    APPENDIX_MAX = 64 * 1024 * 1024,
    APPENDIX_BUDGET = 256 * 1024 * 1024,
    PAGE_SIZE = 100,
    SUMMARY_MAX = 1000, /* reports that a summary looks at, the newest */
};

static const cli_column_t report_columns[] = {
    {"REPORT", "report_id"}, {"MODEL", "model"},       {"VERSION", "version"},
    {"VERDICT", "verdict"},  {"POLICY", "policy"},     {"ROWS", "rows"},
    {"WHEN", "finished_us"}, {"SENTENCE", "sentence"}, {NULL, NULL}};

static const char none_yet[] = "no reports; 'valion validate' makes one";

cli_exit_t
cmd_report_list(cli_t *cli)
{
    Valion__V1__ListReportsRequest message = VALION__V1__LIST_REPORTS_REQUEST__INIT;
    cli_reference_t version;
    cli_reference_parse(cli_args_word(&cli->args, 0), &version);
    message.model = version.model;
    message.version = version.version;
    const cli_pages_t pages = {.service = "registry",
                               .method = "ListReports",
                               .message = &message.base,
                               .columns = report_columns,
                               .empty = none_yet};
    return cli_call_pages(cli, &pages);
}

/* ---- one report ---- */

/* The newest of MODEL or MODEL@VERSION. */
static cli_exit_t
find_newest(cli_t *cli, const char *text, uint8_t id[VLN_ID_BYTES])
{
    Valion__V1__ListReportsRequest message = VALION__V1__LIST_REPORTS_REQUEST__INIT;
    Valion__V1__Page page = VALION__V1__PAGE__INIT;
    cli_reference_t version;
    cli_reference_parse(text, &version);
    if (version.alias) {
        return cli_fail(CLI_USAGE, "\"%.64s\": a report's id, MODEL or MODEL@VERSION is wanted",
                        text);
    }
    page.has_size = 1;
    page.size = 1;
    message.model = version.model;
    message.version = version.version;
    message.page = &page;
    const cli_request_t request = {.service = "registry",
                                   .method = "ListReports",
                                   .message = &message.base,
                                   .hint = "valion model list"};
    vln_reply_t reply;
    cli_exit_t code = cli_call(cli, &request, &reply);
    if (code == CLI_OK) {
        const Valion__V1__ListReportsReply *list = (const void *)reply.message;
        bool there = list->n_reports > 0 && list->reports[0]->report_id.len == VLN_ID_BYTES;
        if (there) {
            memcpy(id, list->reports[0]->report_id.data, VLN_ID_BYTES);
        } else {
            code = cli_fail(CLI_NOT_FOUND, "%.300s has %s", text, none_yet);
        }
    }
    vln_reply_wipe(&reply);
    return code;
}

/* The report in the reply; wipe that in every case. */
static cli_exit_t
fetch_report(cli_t *cli, const char *text, vln_reply_t *reply, const Valion__V1__Report **out)
{
    Valion__V1__GetReportRequest message = VALION__V1__GET_REPORT_REQUEST__INIT;
    vln_id_t id;
    *reply = (vln_reply_t){0};
    if (!vln_id_parse(text, &id)) {
        cli_exit_t code = find_newest(cli, text, id.bytes);
        if (code != CLI_OK) {
            return code;
        }
    }
    message.has_report_id = 1;
    message.report_id = (ProtobufCBinaryData){sizeof id.bytes, id.bytes};
    const cli_request_t request = {.service = "registry",
                                   .method = "GetReport",
                                   .message = &message.base,
                                   .hint = "valion report list MODEL"};
    cli_exit_t code = cli_call(cli, &request, reply);
    if (code == CLI_OK) {
        *out = ((const Valion__V1__GetReportReply *)(const void *)reply->message)->report;
        code = *out ? CLI_OK : cli_fail(CLI_FAILED, "the registry gave no report");
    }
    return code;
}

static const cli_column_t check_columns[] = {{"CHECK", "name"},
                                             {"STATUS", "status"},
                                             {"STATISTIC", "statistic_name"},
                                             {"VALUE", "statistic"},
                                             {"LIMIT", "threshold"},
                                             {"N", "n"},
                                             {"SENTENCE", "sentence"},
                                             {NULL, NULL}};

/* For people: the verdict, then a line for each check. */
static void
show_report(const cli_t *cli, const Valion__V1__Report *report)
{
    printf("%s%s@%s%s: %s\n\n", cli_bold(cli), report->model, report->version, cli_plain(cli),
           report->sentence ? report->sentence : "");
    cli_list_t *list = cli_list_new(cli->form, check_columns, cli->color, stdout);
    for (size_t i = 0; i < report->n_checks; i++) {
        cli_list_add(list, &report->checks[i]->base);
    }
    cli_list_end(&list, "no checks");
    printf("\n");
    for (size_t i = 0; i < report->n_metrics; i++) {
        printf("%-20s %.6g\n", report->metrics[i]->key, report->metrics[i]->value);
    }
    for (size_t i = 0; i < report->n_recommendations; i++) {
        printf("- %s\n", report->recommendations[i]);
    }
}

/* Every column and the plots; a report without an appendix has its page all the same. */
static cli_exit_t
write_page(cli_t *cli, const Valion__V1__Report *report)
{
    report_page_t page = {.report = report};
    vln_arena_t *arena = vln_arena_new(APPENDIX_BUDGET);
    ProtobufCAllocator allocator = vln_pb_allocator(arena);
    cli_exit_t code = CLI_OK;
    if (report->appendix_digest.len == VLN_DIGEST_BYTES) {
        size_t size = 0;
        uint8_t *bytes = NULL;
        code = cli_file_read(cli, report->appendix_digest.data, APPENDIX_MAX, &bytes, &size);
        if (code == CLI_OK) {
            page.appendix = valion__v1__appendix__unpack(&allocator, size, bytes);
            code = page.appendix
                       ? CLI_OK
                       : cli_fail(CLI_FAILED, "the report's appendix cannot be understood");
        }
        free(bytes);
    }
    if (code == CLI_OK && cli_args_has(&cli->args, "markdown")) {
        report_page_markdown(&page, stdout);
    } else if (code == CLI_OK) {
        report_page_html(&page, stdout);
    }
    vln_arena_destroy(&arena);
    return code;
}

cli_exit_t
cmd_report_show(cli_t *cli)
{
    const Valion__V1__Report *report = NULL;
    vln_reply_t reply;
    cli_exit_t code = fetch_report(cli, cli_args_word(&cli->args, 0), &reply, &report);
    if (code == CLI_OK &&
        (cli_args_has(&cli->args, "html") || cli_args_has(&cli->args, "markdown"))) {
        code = write_page(cli, report);
    } else if (code == CLI_OK && cli->form == CLI_FORM_TABLE) {
        show_report(cli, report);
    } else if (code == CLI_OK) {
        cli_show(cli->form, &report->base, stdout);
    }
    vln_reply_wipe(&reply);
    return code;
}

/* ---- two reports ---- */

static const cli_column_t compare_columns[] = {
    {"WHAT", "what"}, {"FIRST", "first"}, {"SECOND", "second"}, {"CHANGE", "change"}, {NULL, NULL}};

static void
add_row(void *context, const char *const cells[REPORT_COMPARE_CELLS])
{
    cli_list_add_cells(context, cells);
}

cli_exit_t
cmd_report_diff(cli_t *cli)
{
    const Valion__V1__Report *reports[2] = {NULL, NULL};
    vln_reply_t replies[2] = {{0}};
    cli_exit_t code = CLI_OK;
    for (size_t i = 0; i < 2 && code == CLI_OK; i++) {
        code = fetch_report(cli, cli_args_word(&cli->args, i), &replies[i], &reports[i]);
    }
    if (code == CLI_OK) {
        cli_list_t *list = cli_list_new(cli->form, compare_columns, cli->color, stdout);
        report_compare(reports[0], reports[1], add_row, list);
        cli_list_end(&list, "the reports say the same");
    }
    vln_reply_wipe(&replies[0]);
    vln_reply_wipe(&replies[1]);
    return code;
}

/* ---- many reports ---- */

static const cli_column_t summary_columns[] = {
    {"WHAT", "what"}, {"REPORTS", "reports"},     {"PASS", "pass"},
    {"WARN", "warn"}, {"FAIL", "fail"},           {"INCONCLUSIVE", "inconclusive"},
    {"LAST", "last"}, {"PASS RATE", "pass_rate"}, {NULL, NULL}};

cli_exit_t
cmd_report_summary(cli_t *cli)
{
    Valion__V1__ListReportsRequest message = VALION__V1__LIST_REPORTS_REQUEST__INIT;
    Valion__V1__Page page = VALION__V1__PAGE__INIT;
    cli_reference_t version;
    cli_reference_parse(cli_args_word(&cli->args, 0), &version);
    page.has_size = 1;
    page.size = PAGE_SIZE;
    message.model = version.model;
    message.version = version.version;
    message.page = &page;
    vln_arena_t *arena = vln_arena_new(APPENDIX_BUDGET);
    report_summary_t *summary = report_summary_new(arena);
    cli_exit_t code = CLI_OK;
    bool more = true;
    for (size_t seen = 0; more && code == CLI_OK && seen < SUMMARY_MAX;) {
        const cli_request_t request = {
            .service = "registry", .method = "ListReports", .message = &message.base};
        vln_reply_t reply;
        code = cli_call(cli, &request, &reply);
        const Valion__V1__ListReportsReply *list = (const void *)reply.message;
        more = code == CLI_OK && list->n_reports > 0 && list->next_token.len > 0;
        for (size_t i = 0; code == CLI_OK && i < list->n_reports; i++, seen++) {
            report_summary_add(summary, list->reports[i]);
        }
        if (more) {
            page.has_token = 1;
            page.token.data = vln_arena_memdup(arena, list->next_token.data, list->next_token.len);
            page.token.len = list->next_token.len;
        }
        vln_reply_wipe(&reply);
    }
    if (code == CLI_OK) {
        cli_list_t *rows = cli_list_new(cli->form, summary_columns, cli->color, stdout);
        report_summary_end(summary, add_row, rows);
        cli_list_end(&rows, none_yet);
    }
    vln_arena_destroy(&arena);
    return code;
}
