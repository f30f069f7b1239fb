#include <math.h>
#include <string.h>

#include "report_page.h"
#include "report_plot.h"
#include "report_text.h"

enum { HEX_ALL = 64, COLUMNS_SHOWN = 200, BAR_SHOWN = 100 };

/* Light and dark as the reader's system has it; prints in black and white. */
static const char style[] =
    ":root{--ink:#1c2330;--soft:#5c6675;--line:#dfe3ea;--page:#f5f6f9;--card:#fff;--pass:#18794e;"
    "--warn:#9a6700;--fail:#c0342c;--unsure:#56617a;--accent:#3563c9;--faint:#a9b4c8}"
    "@media(prefers-color-scheme:dark){:root{--ink:#e7eaf0;--soft:#9aa5b8;--line:#313949;"
    "--page:#12161e;--card:#1a2029;--pass:#4cc38a;--warn:#e2a63b;--fail:#ff7a70;--unsure:#9aa5b8;"
    "--accent:#7ea6ff;--faint:#55617a}}"
    "*{box-sizing:border-box}body{margin:0;background:var(--page);color:var(--ink);"
    "font:15px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}"
    "main{max-width:1040px;margin:0 auto;padding:28px 20px 48px}h1{font-size:26px;margin:0}"
    "h2{font-size:17px;margin:32px 0 12px}h3{font-size:15px;margin:0 0 4px}"
    "p{margin:6px 0}.soft{color:var(--soft)}.small{font-size:13px}"
    "code{font:12.5px/1.4 ui-monospace,'DejaVu Sans Mono',monospace;overflow-wrap:anywhere}"
    ".card{background:var(--card);border:1px solid var(--line);border-radius:10px;"
    "padding:16px 18px;margin:0 0 12px}"
    ".head{display:flex;gap:16px;align-items:center;flex-wrap:wrap;margin-bottom:8px}"
    ".pill{display:inline-block;border-radius:99px;padding:1px 10px;font-size:12.5px;"
    "font-weight:600;border:1px solid currentColor;white-space:nowrap}.head .pill{font-size:16px;"
    "padding:3px 16px}"
    ".PASS{color:var(--pass)}.WARN{color:var(--warn)}.FAIL{color:var(--fail)}"
    ".INCONCLUSIVE{color:var(--unsure)}"
    ".check{border-left:4px solid var(--edge)}.check.PASS{--edge:var(--pass)}"
    ".check.WARN{--edge:var(--warn)}.check.FAIL{--edge:var(--fail)}"
    ".check.INCONCLUSIVE{--edge:var(--unsure)}.check>*{color:var(--ink)}.check .soft{"
    "color:var(--soft)}.check .top{display:flex;gap:10px;align-items:baseline;flex-wrap:wrap}"
    ".check .top .pill{color:var(--edge)}"
    ".grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(150px,1fr));gap:10px}"
    ".metric{background:var(--card);border:1px solid var(--line);border-radius:10px;"
    "padding:10px 14px}.metric b{display:block;font-size:19px;font-variant-numeric:tabular-nums}"
    ".plots{display:grid;grid-template-columns:repeat(auto-fill,minmax(330px,1fr));gap:12px}"
    "table{border-collapse:collapse;width:100%;font-size:13.5px}"
    "th{text-align:left;font-weight:600;color:var(--soft)}"
    "th,td{padding:5px 10px 5px 0;border-bottom:1px solid var(--line);vertical-align:top}"
    "td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}"
    ".scroll{overflow-x:auto}details{margin-top:8px}summary{cursor:pointer;color:var(--accent);"
    "font-size:13.5px}ul{margin:6px 0;padding-left:20px}"
    "svg{width:100%;height:auto;display:block}.grid line,.grid{stroke:none}"
    "svg .grid{stroke:var(--line);stroke-width:1}.tick{font-size:11px;fill:var(--soft)}"
    ".axis{font-size:12px;fill:var(--soft)}.line{fill:none;stroke:var(--accent);stroke-width:2}"
    ".ideal{stroke:var(--faint);stroke-dasharray:4 4}.bar1{fill:var(--accent)}"
    ".bar2{fill:var(--faint)}"
    "table.matrix{width:auto}table.matrix td,table.matrix th{text-align:right;padding:6px 12px;"
    "border:1px solid var(--line);font-variant-numeric:tabular-nums}"
    "table.matrix .corner{font-weight:400;font-size:12px}"
    "td.right{background:color-mix(in srgb,var(--pass) calc(var(--share)*45%),transparent)}"
    "td.wrong{background:color-mix(in srgb,var(--fail) calc(var(--share)*45%),transparent)}"
    ".importance td:last-child{width:55%}.importance i{display:block;height:12px;"
    "border-radius:3px;background:var(--accent)}"
    "@media print{body{background:#fff}.card,.metric{break-inside:avoid}}";

/* ---- pieces ---- */

static void
write_pill(FILE *out, Valion__V1__CheckStatus status)
{
    const char *text = report_text_status(status);
    fprintf(out, "<span class=\"pill %s\">%s</span>", text, text);
}

static void
write_cell(FILE *out, bool has, double value)
{
    char number[REPORT_NUMBER];
    fprintf(out, "<td class=\"n\">%s</td>", has ? report_text_number(value, number) : "");
}

static void
write_list(FILE *out, const char *title, char *const *texts, size_t count)
{
    if (count == 0) {
        return;
    }
    fprintf(out, "<h2>%s</h2><div class=\"card\"><ul>", title);
    for (size_t i = 0; i < count; i++) {
        fputs("<li>", out);
        report_text_html(out, texts[i]);
        fputs("</li>", out);
    }
    fputs("</ul></div>", out);
}

static void
write_fact(FILE *out, const char *name, const char *value)
{
    if (value && value[0]) {
        fprintf(out, "<tr><th>%s</th><td>", name);
        report_text_html(out, value);
        fputs("</td></tr>", out);
    }
}

static void
write_digest(FILE *out, const char *name, const ProtobufCBinaryData *digest)
{
    char hex[REPORT_HEX];
    if (digest->len > 0) {
        fprintf(out, "<tr><th>%s</th><td><code>%s</code></td></tr>", name,
                report_text_hex(digest, HEX_ALL, hex));
    }
}

/* ---- the head ---- */

static void
write_head(const Valion__V1__Report *report, FILE *out)
{
    char number[REPORT_NUMBER];
    fputs("<header><p class=\"soft small\">Validation report</p><div class=\"head\"><h1>", out);
    report_text_html(out, report->model);
    fputs(" ", out);
    report_text_html(out, report->version);
    fputs("</h1>", out);
    write_pill(out, report->verdict);
    fputs("</div><p>", out);
    report_text_html(out, report->sentence);
    fputs("</p><p class=\"soft small\">", out);
    if (report->has_rows) {
        fprintf(out, "%lld rows of ", (long long)report->rows);
    }
    for (size_t i = 0; i < report->n_data; i++) {
        fputs(i > 0 ? " and " : "", out);
        report_text_html(out, report->data[i]->name);
    }
    if (report->policy) {
        fputs(" under the policy ", out);
        report_text_html(out, report->policy);
        fprintf(out, " version %llu", (unsigned long long)report->policy_version);
    }
    if (report->has_finished_us) {
        fprintf(out, ", %s", report_text_time(report->finished_us, number));
    }
    fputs("</p></header>", out);
}

static void
write_metrics(const Valion__V1__Report *report, FILE *out)
{
    char number[REPORT_NUMBER];
    if (report->n_metrics == 0) {
        return;
    }
    fputs("<h2>Metrics</h2><div class=\"grid\">", out);
    for (size_t i = 0; i < report->n_metrics; i++) {
        fputs("<div class=\"metric\"><span class=\"soft small\">", out);
        report_text_html(out, report->metrics[i]->key);
        fprintf(out, "</span><b>%s</b></div>",
                report_text_number(report->metrics[i]->value, number));
    }
    fputs("</div>", out);
}

/* ---- checks ---- */

static void
write_column(const Valion__V1__ColumnResult *column, FILE *out)
{
    fputs("<tr><td>", out);
    report_text_html(out, column->column);
    fputs("</td><td>", out);
    write_pill(out, column->status);
    fputs("</td><td>", out);
    report_text_html(out, column->method);
    fputs("</td>", out);
    write_cell(out, column->has_statistic, column->statistic);
    write_cell(out, column->has_p_value, column->p_value);
    write_cell(out, column->has_p_adjusted, column->p_adjusted);
    write_cell(out, column->has_effect, column->effect);
    write_cell(out, column->has_missing_reference, 100 * column->missing_reference);
    write_cell(out, column->has_missing_current, 100 * column->missing_current);
    fputs("<td>", out);
    report_text_html(out, column->note);
    for (size_t i = 0; i < column->n_new_categories; i++) {
        fputs(i == 0 ? " new: " : ", ", out);
        report_text_html(out, column->new_categories[i]);
    }
    fputs("</td></tr>", out);
}

static void
write_columns(const Valion__V1__CheckResult *check, FILE *out)
{
    if (check->n_columns == 0) {
        return;
    }
    fprintf(out,
            "<details%s><summary>%zu columns, the worst first</summary><div class=\"scroll\">"
            "<table><tr><th>column</th><th></th><th>method</th><th class=\"n\">statistic</th>"
            "<th class=\"n\">p</th><th class=\"n\">p, adjusted</th><th class=\"n\">effect</th>"
            "<th class=\"n\">missing then, %%</th><th class=\"n\">now, %%</th><th></th></tr>",
            check->columns_flagged > 0 ? " open" : "", check->n_columns);
    for (size_t i = 0; i < check->n_columns && i < COLUMNS_SHOWN; i++) {
        write_column(check->columns[i], out);
    }
    fputs("</table></div></details>", out);
}

static void
write_numbers(const Valion__V1__CheckResult *check, FILE *out)
{
    char number[REPORT_NUMBER];
    if (check->n_numbers + check->n_details == 0) {
        return;
    }
    fputs("<details><summary>all numbers</summary><table>", out);
    for (size_t i = 0; i < check->n_numbers; i++) {
        fputs("<tr><td>", out);
        report_text_html(out, check->numbers[i]->key);
        fprintf(out, "</td><td class=\"n\">%s</td></tr>",
                report_text_number(check->numbers[i]->value, number));
    }
    for (size_t i = 0; i < check->n_details; i++) {
        fputs("<tr><td>", out);
        report_text_html(out, check->details[i]->key);
        fputs("</td><td>", out);
        report_text_html(out, check->details[i]->value);
        fputs("</td></tr>", out);
    }
    fputs("</table></details>", out);
}

static void
write_compared(const Valion__V1__CheckResult *check, FILE *out)
{
    char value[REPORT_NUMBER];
    char limit[REPORT_NUMBER];
    fputs("<p class=\"soft small\">", out);
    if (check->has_statistic) {
        report_text_html(out, check->statistic_name ? check->statistic_name : "statistic");
        fprintf(out, " %s", report_text_number(check->statistic, value));
        if (check->has_threshold) {
            fprintf(out, ", threshold %s", report_text_number(check->threshold, limit));
        }
        fputs(" · ", out);
    }
    if (check->has_ci_low && check->has_ci_high) {
        fprintf(out, "interval %s to %s · ", report_text_number(check->ci_low, value),
                report_text_number(check->ci_high, limit));
    }
    if (check->has_p_value) {
        fprintf(out, "p %s · ", report_text_number(check->p_value, value));
    }
    if (check->has_n) {
        fprintf(out, "n %lld · ", (long long)check->n);
    }
    fprintf(out, "severity %s%s%s · ", report_text_severity(check->severity),
            check->blocking ? ", blocking" : "", check->required ? ", required" : "");
    report_text_html(out, check->kind);
    fputs("</p>", out);
}

/* The appendix has every column of it. */
static const Valion__V1__CheckResult *
find_whole(const report_page_t *self, const Valion__V1__CheckResult *check)
{
    for (size_t i = 0; self->appendix && i < self->appendix->n_checks; i++) {
        const Valion__V1__CheckResult *whole = self->appendix->checks[i];
        if (whole->name && check->name && strcmp(whole->name, check->name) == 0) {
            return whole;
        }
    }
    return check;
}

static void
write_check(const report_page_t *self, const Valion__V1__CheckResult *check, FILE *out)
{
    fprintf(out, "<div class=\"card check %s\"><div class=\"top\">",
            report_text_status(check->status));
    write_pill(out, check->status);
    fputs("<h3>", out);
    report_text_html(out, check->name);
    fputs("</h3></div><p>", out);
    report_text_html(out, check->sentence);
    fputs("</p>", out);
    if (check->error) {
        fputs("<p class=\"FAIL\">", out);
        report_text_html(out, check->error);
        fputs("</p>", out);
    }
    write_compared(check, out);
    if (check->recommendation) {
        fputs("<p class=\"small\">→ ", out);
        report_text_html(out, check->recommendation);
        fputs("</p>", out);
    }
    write_columns(find_whole(self, check), out);
    write_numbers(check, out);
    fputs("</div>", out);
}

/* ---- what else there is ---- */

static void
write_baselines(const Valion__V1__Report *report, FILE *out)
{
    if (report->n_baselines == 0) {
        return;
    }
    fputs("<h2>Compared with other versions</h2><div class=\"card scroll\"><table><tr>"
          "<th>version</th><th>metric</th><th class=\"n\">this</th><th class=\"n\">that</th>"
          "<th class=\"n\">difference</th><th class=\"n\">low</th><th class=\"n\">high</th>"
          "<th class=\"n\">p</th></tr>",
          out);
    for (size_t i = 0; i < report->n_baselines; i++) {
        const Valion__V1__BaselineResult *other = report->baselines[i];
        fputs("<tr><td>", out);
        report_text_html(out, other->version);
        fputs("</td><td>", out);
        report_text_html(out, other->metric);
        fputs("</td>", out);
        write_cell(out, other->has_candidate, other->candidate);
        write_cell(out, other->has_baseline, other->baseline);
        write_cell(out, other->has_difference, other->difference);
        write_cell(out, other->has_ci_low, other->ci_low);
        write_cell(out, other->has_ci_high, other->ci_high);
        write_cell(out, other->has_p_value, other->p_value);
        fputs("</tr>", out);
    }
    fputs("</table></div>", out);
}

/* "column:area" is about the column alone. */
static const char *
title_of(const Valion__V1__Plot *plot)
{
    static const char column[] = "column:";
    static const struct {
        const char *name;
        const char *title;
    } known[] = {
        {"residuals", "Residuals"},
        {"predicted_vs_actual", "Predicted and actual"},
        {"confusion", "Confusion"},
        {"calibration", "Calibration"},
        {"roc", "ROC"},
    };
    const char *name = plot->name ? plot->name : "";
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(name, known[i].name) == 0) {
            return known[i].title;
        }
    }
    return strncmp(name, column, sizeof column - 1) == 0 ? name + sizeof column - 1 : name;
}

static void
write_plots(const report_page_t *self, FILE *out)
{
    if (!self->appendix || self->appendix->n_plots == 0) {
        return;
    }
    fputs("<h2>Plots</h2><div class=\"plots\">", out);
    for (size_t i = 0; i < self->appendix->n_plots; i++) {
        const Valion__V1__Plot *plot = self->appendix->plots[i];
        fputs("<figure class=\"card\" style=\"margin:0\"><h3>", out);
        report_text_html(out, title_of(plot));
        fputs("</h3>", out);
        if (!report_plot_svg(plot, out)) {
            fputs("<p class=\"soft\">cannot be drawn</p>", out);
        }
        fputs("</figure>", out);
    }
    fputs("</div>", out);
}

static void
write_importance(const report_page_t *self, FILE *out)
{
    double most = 0;
    size_t count = self->appendix ? self->appendix->n_importance : 0;
    for (size_t i = 0; i < count; i++) {
        most = fmax(most, self->appendix->importance[i]->value);
    }
    if (count == 0) {
        return;
    }
    fputs("<h2>Importance by permutation</h2><div class=\"card\"><table class=\"importance\">"
          "<tr><th>column</th><th class=\"n\">loss</th><th></th></tr>",
          out);
    for (size_t i = 0; i < count && i < BAR_SHOWN; i++) {
        char number[REPORT_NUMBER];
        const Valion__V1__KeyNumber *column = self->appendix->importance[i];
        double share = most > 0 && column->value > 0 ? 100 * column->value / most : 0;
        fputs("<tr><td>", out);
        report_text_html(out, column->key);
        fprintf(out, "</td><td class=\"n\">%s</td><td><i style=\"width:%.1f%%\"></i></td></tr>",
                report_text_number(column->value, number), share);
    }
    fputs("</table></div>", out);
}

static void
write_data(FILE *out, const char *name, const Valion__V1__DataRef *data)
{
    char hex[REPORT_HEX];
    fprintf(out, "<tr><th>%s</th><td>", name);
    report_text_html(out, data->name);
    if (data->has_rows) {
        fprintf(out, ", rows %lld to %lld", (long long)data->first_row,
                (long long)(data->first_row + data->rows - 1));
    }
    fprintf(out, " <code>%s</code></td></tr>", report_text_hex(&data->digest, HEX_ALL, hex));
}

/* What the report is about, to the byte. */
static void
write_provenance(const Valion__V1__Report *report, FILE *out)
{
    char text[REPORT_NUMBER];
    fputs("<h2>Provenance</h2><div class=\"card scroll\"><table>", out);
    write_digest(out, "version's digest", &report->artifact_digest);
    for (size_t i = 0; i < report->n_data; i++) {
        write_data(out, "data", report->data[i]);
    }
    if (report->reference) {
        write_data(out, "reference", report->reference);
    }
    write_digest(out, "reference profile", &report->reference_profile_digest);
    write_digest(out, "policy's digest", &report->policy_digest);
    if (report->has_engine) {
        fprintf(out, "<tr><th>engine</th><td>%s ", report_text_engine(report->engine));
        report_text_html(out, report->engine_version);
        fputs("</td></tr>", out);
    }
    if (report->has_seed) {
        fprintf(out, "<tr><th>seed</th><td>%llu</td></tr>", (unsigned long long)report->seed);
    }
    if (report->has_finished_us) {
        write_fact(out, "finished", report_text_time(report->finished_us, text));
    }
    if (report->has_duration_ms) {
        fprintf(out, "<tr><th>took</th><td>%lld ms</td></tr>", (long long)report->duration_ms);
    }
    write_fact(out, "submitter", report->submitter);
    write_fact(out, "validator", report->validator);
    write_digest(out, "report's digest", &report->digest);
    fputs("</table><p class=\"soft small\">The same bytes of version, data, reference and policy "
          "give the same report digest.</p></div>",
          out);
}

void
report_page_html(const report_page_t *self, FILE *out)
{
    const Valion__V1__Report *report = self->report;
    fputs("<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">"
          "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
          "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
          "style-src 'unsafe-inline'\"><title>",
          out);
    report_text_html(out, report->model);
    fputs(" ", out);
    report_text_html(out, report->version);
    fprintf(out, ": %s</title><style>%s</style></head><body><main>",
            report_text_status(report->verdict), style);
    write_head(report, out);
    write_list(out, "Errors", report->errors, report->n_errors);
    write_list(out, "Warnings", report->warnings, report->n_warnings);
    write_metrics(report, out);
    fputs("<h2>Checks</h2>", out);
    for (size_t i = 0; i < report->n_checks; i++) {
        write_check(self, report->checks[i], out);
    }
    write_list(out, "Recommendations", report->recommendations, report->n_recommendations);
    write_baselines(report, out);
    write_plots(self, out);
    write_importance(self, out);
    write_provenance(report, out);
    fputs("</main></body></html>\n", out);
}
