#include "report_page.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report_compare.h"
#include "report_plot.h"
#include "report_text.h"

#define NAME(text) ((char *)(uintptr_t)(text))

static Valion__V1__CheckResult check;
static Valion__V1__ColumnResult column;
static Valion__V1__KeyNumber metric;
static Valion__V1__Report report;
static Valion__V1__Plot plot;
static Valion__V1__Appendix appendix;

/* A report whose every text wants to be markup. */
static void
setup(void)
{
    static Valion__V1__CheckResult *checks[] = {&check};
    static Valion__V1__ColumnResult *columns[] = {&column};
    static Valion__V1__KeyNumber *metrics[] = {&metric};
    static Valion__V1__Plot *plots[] = {&plot};
    static double x[] = {0, 0.25, 1};
    static double y[] = {0, 0.75, 1};
    static char *warnings[] = {(char *)"<img src=x onerror=alert(1)>"};
    valion__v1__report__init(&report);
    valion__v1__check_result__init(&check);
    valion__v1__column_result__init(&column);
    valion__v1__key_number__init(&metric);
    valion__v1__plot__init(&plot);
    valion__v1__appendix__init(&appendix);
    column.column = NAME("</td><script>alert('c')</script>");
    column.method = NAME("ks");
    column.has_statistic = 1;
    column.statistic = 0.25;
    check.name = NAME("drift & co");
    check.status = VALION__V1__CHECK_STATUS__CHECK_STATUS_FAIL;
    check.sentence = NAME("1 < 2 | \"three\"");
    check.statistic_name = NAME("share");
    check.has_statistic = 1;
    check.statistic = 0.5;
    check.columns = columns;
    check.n_columns = 1;
    check.columns_flagged = 1;
    metric.key = NAME("r2");
    metric.value = 0.5;
    report.model = NAME("<b>houses</b>");
    report.version = NAME("1.0.0");
    report.verdict = VALION__V1__CHECK_STATUS__CHECK_STATUS_FAIL;
    report.checks = checks;
    report.n_checks = 1;
    report.metrics = metrics;
    report.n_metrics = 1;
    report.warnings = warnings;
    report.n_warnings = 1;
    plot.name = NAME("roc");
    plot.kind = NAME("line");
    plot.x = x;
    plot.y = y;
    plot.n_x = plot.n_y = 3;
    plot.x_title = NAME("<x>");
    appendix.plots = plots;
    appendix.n_plots = 1;
}

TestSuite(report_page, .init = setup);

static char *
write_page(void (*write)(const report_page_t *, FILE *), const Valion__V1__Appendix *with)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    write(&(report_page_t){&report, with}, out);
    fclose(out);
    return text;
}

Test(report_page, html_escapes_whatever_came_from_outside)
{
    char *page = write_page(report_page_html, &appendix);
    cr_expect_null(strstr(page, "<script"));
    cr_expect_null(strstr(page, "<img"));
    cr_expect_null(strstr(page, "<b>houses"));
    cr_expect(strstr(page, "&lt;script&gt;alert(&#39;c&#39;)"));
    cr_expect(strstr(page, "&lt;b&gt;houses&lt;/b&gt;"));
    cr_expect(strstr(page, "default-src 'none'"));
    cr_expect(strstr(page, "<polyline"));
    cr_expect(strstr(page, "class=\"ideal\""));
    free(page);
    page = write_page(report_page_html, NULL);
    cr_expect_null(strstr(page, "<polyline"));
    free(page);
}

Test(report_page, html_shows_every_column_of_the_appendix)
{
    static Valion__V1__CheckResult whole;
    static Valion__V1__ColumnResult more[2];
    static Valion__V1__ColumnResult *list[] = {&more[0], &more[1]};
    static Valion__V1__CheckResult *checks[] = {&whole};
    whole = check;
    more[0] = more[1] = column;
    more[1].column = NAME("only there");
    whole.columns = list;
    whole.n_columns = 2;
    appendix.checks = checks;
    appendix.n_checks = 1;
    char *page = write_page(report_page_html, &appendix);
    cr_expect(strstr(page, "only there"));
    free(page);
}

Test(report_page, markdown_escapes_cells_and_keeps_lines)
{
    check.sentence = NAME("a | b\nc *d*");
    char *page = write_page(report_page_markdown, NULL);
    cr_expect(strstr(page, "a \\| b c \\*d\\*"));
    cr_expect(strstr(page, "\\<b\\>houses"));
    cr_expect(strstr(page, "| r2 | 0.5 |"));
    free(page);
}

static bool
can_draw(void)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    bool drawn = report_plot_svg(&plot, out);
    fclose(out);
    cr_expect_eq(size > 0, drawn);
    free(text);
    return drawn;
}

Test(report_page, a_plot_that_makes_no_sense_is_left_out)
{
    static double bad[] = {0, NAN, 1};
    static double flat[] = {5, 5, 5};
    static char *labels[] = {(char *)"no", (char *)"yes"};
    static double cells[] = {1, 2, 3, 4};
    cr_expect(can_draw());
    plot.n_y = 2;
    cr_expect_not(can_draw());
    plot.n_y = 3;
    plot.y = bad;
    cr_expect_not(can_draw());
    plot.y = flat;
    cr_expect(can_draw());
    plot.kind = NAME("bars");
    cr_expect_not(can_draw(), "three edges are two places");
    plot.n_y = 2;
    cr_expect(can_draw());
    plot.n_y = 3;
    plot.kind = NAME("pie");
    cr_expect_not(can_draw());
    plot.kind = NAME("matrix");
    cr_expect_not(can_draw());
    plot.labels = labels;
    plot.n_labels = 2;
    plot.y = cells;
    plot.n_y = 4;
    cr_expect(can_draw());
    plot.kind = NAME("bars");
    plot.n_x = 0;
    cr_expect(can_draw());
    plot.n_y = 3;
    cr_expect_not(can_draw());
    plot.kind = NULL;
    cr_expect_not(can_draw());
}

/* ---- rows ---- */

enum { ROWS_ROOM = 4096 };

typedef struct rows {
    char text[ROWS_ROOM];
    size_t len;
} rows_t;

static void
put(rows_t *self, const char *text)
{
    self->len += (size_t)snprintf(self->text + self->len, ROWS_ROOM - self->len, "%s", text);
    cr_assert_lt(self->len, ROWS_ROOM);
}

static void
keep_row(void *context, const char *const cells[REPORT_COMPARE_CELLS])
{
    for (size_t i = 0; i < REPORT_COMPARE_CELLS && cells[i]; i++) {
        put(context, cells[i]);
        put(context, "\t");
    }
    put(context, "\n");
}

Test(report_page, compares_two_reports)
{
    static Valion__V1__CheckResult other_check;
    static Valion__V1__KeyNumber other_metric;
    static Valion__V1__CheckResult *checks[] = {&other_check};
    static Valion__V1__KeyNumber *metrics[] = {&other_metric};
    rows_t rows = {0};
    Valion__V1__Report other = report;
    report_compare(&report, &other, keep_row, &rows);
    cr_expect_str_eq(rows.text, "");
    other_check = check;
    other_check.status = VALION__V1__CHECK_STATUS__CHECK_STATUS_PASS;
    other_check.statistic = 0.25;
    other_metric = metric;
    other_metric.key = NAME("mae");
    other.checks = checks;
    other.metrics = metrics;
    other.verdict = VALION__V1__CHECK_STATUS__CHECK_STATUS_PASS;
    report_compare(&report, &other, keep_row, &rows);
    cr_expect_str_eq(rows.text, "verdict\tFAIL\tPASS\t\t\ncheck drift & co\tFAIL\tPASS\t\t\n"
                                "check drift & co, share\t0.5\t0.25\t-0.25\t\nr2\t0.5\t\t\t\n"
                                "mae\t\t0.5\t\t\n");
}

Test(report_page, sums_many_reports_up)
{
    rows_t rows = {0};
    vln_arena_t *arena = vln_arena_new(1 << 20);
    report_summary_t *summary = report_summary_new(arena);
    report.policy = NAME("strict");
    report_summary_add(summary, &report);
    report.verdict = VALION__V1__CHECK_STATUS__CHECK_STATUS_PASS;
    report_summary_add(summary, &report);
    report_summary_end(summary, keep_row, &rows);
    cr_expect_str_eq(rows.text, "policy strict\t2\t1\t0\t1\t0\tFAIL\t50 %\t\n"
                                "check drift & co\t2\t0\t0\t2\t0\tFAIL\t0 %\t\n");
    vln_arena_destroy(&arena);
}
