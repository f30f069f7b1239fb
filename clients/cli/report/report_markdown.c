#include "report_page.h"
#include "report_text.h"

enum { HEX_ALL = 64, COLUMNS_SHOWN = 16 };

static void
write_list(FILE *out, const char *title, char *const *texts, size_t count)
{
    if (count > 0) {
        fprintf(out, "\n## %s\n\n", title);
    }
    for (size_t i = 0; i < count; i++) {
        fputs("- ", out);
        report_text_markdown(out, texts[i]);
        fputc('\n', out);
    }
}

static void
write_checks(const Valion__V1__Report *report, FILE *out)
{
    char value[REPORT_NUMBER];
    char limit[REPORT_NUMBER];
    fputs("\n## Checks\n\n| check | status | statistic | value | threshold | n | |\n"
          "|---|---|---|---:|---:|---:|---|\n",
          out);
    for (size_t i = 0; i < report->n_checks; i++) {
        const Valion__V1__CheckResult *check = report->checks[i];
        fputs("| ", out);
        report_text_markdown(out, check->name);
        fprintf(out, " | %s | ", report_text_status(check->status));
        report_text_markdown(out, check->statistic_name);
        fprintf(out, " | %s | %s | %lld | ",
                check->has_statistic ? report_text_number(check->statistic, value) : "",
                check->has_threshold ? report_text_number(check->threshold, limit) : "",
                (long long)check->n);
        report_text_markdown(out, check->error ? check->error : check->sentence);
        fputs(" |\n", out);
    }
}

/* Of the checks that flag some. */
static void
write_columns(const Valion__V1__CheckResult *check, FILE *out)
{
    char value[REPORT_NUMBER];
    char p[REPORT_NUMBER];
    if (check->columns_flagged == 0) {
        return;
    }
    fputs("\n### ", out);
    report_text_markdown(out, check->name);
    fputs(
        "\n\n| column | status | method | statistic | p, adjusted | |\n|---|---|---|---:|---:|---|\n",
        out);
    for (size_t i = 0; i < check->n_columns && i < COLUMNS_SHOWN; i++) {
        const Valion__V1__ColumnResult *column = check->columns[i];
        fputs("| ", out);
        report_text_markdown(out, column->column);
        fprintf(out, " | %s | ", report_text_status(column->status));
        report_text_markdown(out, column->method);
        fprintf(out, " | %s | %s | ",
                column->has_statistic ? report_text_number(column->statistic, value) : "",
                column->has_p_adjusted ? report_text_number(column->p_adjusted, p) : "");
        report_text_markdown(out, column->note);
        fputs(" |\n", out);
    }
}

static void
write_digest(FILE *out, const char *name, const ProtobufCBinaryData *digest)
{
    char hex[REPORT_HEX];
    if (digest->len > 0) {
        fprintf(out, "- %s `%s`\n", name, report_text_hex(digest, HEX_ALL, hex));
    }
}

void
report_page_markdown(const report_page_t *self, FILE *out)
{
    const Valion__V1__Report *report = self->report;
    char number[REPORT_NUMBER];
    fputs("# ", out);
    report_text_markdown(out, report->model);
    fputc(' ', out);
    report_text_markdown(out, report->version);
    fprintf(out, ": %s\n\n", report_text_status(report->verdict));
    report_text_markdown(out, report->sentence);
    fputc('\n', out);
    write_list(out, "Errors", report->errors, report->n_errors);
    write_list(out, "Warnings", report->warnings, report->n_warnings);
    write_checks(report, out);
    for (size_t i = 0; i < report->n_checks; i++) {
        write_columns(report->checks[i], out);
    }
    if (report->n_metrics > 0) {
        fputs("\n## Metrics\n\n| metric | value |\n|---|---:|\n", out);
    }
    for (size_t i = 0; i < report->n_metrics; i++) {
        fputs("| ", out);
        report_text_markdown(out, report->metrics[i]->key);
        fprintf(out, " | %s |\n", report_text_number(report->metrics[i]->value, number));
    }
    write_list(out, "Recommendations", report->recommendations, report->n_recommendations);
    fputs("\n## Provenance\n\n", out);
    write_digest(out, "version", &report->artifact_digest);
    for (size_t i = 0; i < report->n_data; i++) {
        fputs("- data ", out);
        report_text_data(out, report->data[i], report_text_markdown);
        fputc('\n', out);
        write_digest(out, "  of", &report->data[i]->digest);
    }
    write_digest(out, "reference profile", &report->reference_profile_digest);
    fputs("- policy ", out);
    report_text_markdown(out, report->policy);
    fprintf(out, " version %llu\n", (unsigned long long)report->policy_version);
    write_digest(out, "policy's digest", &report->policy_digest);
    fprintf(out, "- engine %s ", report_text_engine(report->engine));
    report_text_markdown(out, report->engine_version);
    fprintf(out, ", seed %llu\n", (unsigned long long)report->seed);
    write_digest(out, "report", &report->digest);
}
