#include "report_plot.h"

#include <math.h>
#include <string.h>

#include "vln_err.h"

#include "report_text.h"

enum {
    WIDTH = 420,
    HEIGHT = 280,
    LEFT = 76,
    RIGHT = 26,
    TOP = 20,
    BOTTOM = 44,
    TICKS = 5,
    POINTS_MAX = 4096,
    MATRIX_MAX = 24,
    LABELS_SHOWN = 12,
    LABEL_CHARS = 10,
    SERIES_MAX = 2,
};

/* From numbers to the picture's points. */
typedef struct frame {
    FILE *out;
    double x_low;
    double x_high;
    double y_low;
    double y_high;
} frame_t;

static double
to_x(const frame_t *self, double x)
{
    return (double)LEFT +
           (x - self->x_low) / (self->x_high - self->x_low) * (double)(WIDTH - LEFT - RIGHT);
}

static double
to_y(const frame_t *self, double y)
{
    return (double)(HEIGHT - BOTTOM) -
           (y - self->y_low) / (self->y_high - self->y_low) * (double)(HEIGHT - TOP - BOTTOM);
}

static bool
all_finite(const double *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(values[i])) {
            return false;
        }
    }
    return true;
}

static void
find_bounds(const double *values, size_t count, double *low, double *high)
{
    for (size_t i = 0; i < count; i++) {
        *low = fmin(*low, values[i]);
        *high = fmax(*high, values[i]);
    }
}

/* A step of 1, 2 or 5 times a power of ten that gives about TICKS of them. */
static double
find_step(double low, double high)
{
    double rough = (high - low) / (double)TICKS;
    double power = pow(10, floor(log10(rough)));
    double digit = rough / power;
    return power * (digit > 5 ? 10 : digit > 2 ? 5 : digit > 1 ? 2 : 1);
}

/* Wider where there is no width, and out to whole steps. */
static void
round_out(double *low, double *high)
{
    if (*high - *low <= 1e-12 * fmax(fabs(*low), fabs(*high)) || *high <= *low) {
        double by = *low == 0 ? 1 : fabs(*low) / 2;
        *low -= by;
        *high += by;
    }
    double step = find_step(*low, *high);
    *low = floor(*low / step) * step;
    *high = ceil(*high / step) * step;
}

static void
begin(const frame_t *self, const Valion__V1__Plot *plot)
{
    fprintf(self->out, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"", WIDTH, HEIGHT);
    report_text_html(self->out, plot->name);
    fputs("\">", self->out);
}

static void
write_titles(const frame_t *self, const Valion__V1__Plot *plot)
{
    fprintf(self->out, "<text class=\"axis\" x=\"%d\" y=\"%d\" text-anchor=\"middle\">",
            (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6);
    report_text_html(self->out, plot->x_title);
    fprintf(self->out,
            "</text><text class=\"axis\" transform=\"translate(12 %d) rotate(-90)\" "
            "text-anchor=\"middle\">",
            (TOP + HEIGHT - BOTTOM) / 2);
    report_text_html(self->out, plot->y_title);
    fputs("</text></svg>", self->out);
}

static void
write_y_axis(const frame_t *self)
{
    char number[REPORT_NUMBER];
    double step = find_step(self->y_low, self->y_high);
    for (int i = 0; self->y_low + i * step <= self->y_high + step / 2; i++) {
        double value = self->y_low + i * step;
        double at = to_y(self, value);
        fprintf(self->out,
                "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>"
                "<text class=\"tick\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>",
                LEFT, WIDTH - RIGHT, at, at, LEFT - 6, at + 4,
                report_text_number(fabs(value) < step / 1e6 ? 0 : value, number));
    }
}

static void
write_x_axis(const frame_t *self)
{
    char number[REPORT_NUMBER];
    double step = find_step(self->x_low, self->x_high);
    for (int i = 0; self->x_low + i * step <= self->x_high + step / 2; i++) {
        double value = self->x_low + i * step;
        fprintf(self->out,
                "<text class=\"tick\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>",
                to_x(self, value), HEIGHT - BOTTOM + 16,
                report_text_number(fabs(value) < step / 1e6 ? 0 : value, number));
    }
}

/* ---- lines ---- */

static bool
write_line(const Valion__V1__Plot *plot, FILE *out)
{
    size_t count = plot->n_x;
    if (count < 2 || count > POINTS_MAX || plot->n_y != count || !all_finite(plot->x, count) ||
        !all_finite(plot->y, count)) {
        return false;
    }
    frame_t frame = {.out = out,
                     .x_low = plot->x[0],
                     .x_high = plot->x[0],
                     .y_low = plot->y[0],
                     .y_high = plot->y[0]};
    find_bounds(plot->x, count, &frame.x_low, &frame.x_high);
    find_bounds(plot->y, count, &frame.y_low, &frame.y_high);
    const char *name = plot->name ? plot->name : "";
    bool shares = strncmp(name, "roc", 3) == 0 || strcmp(name, "calibration") == 0;
    bool diagonal = shares || strcmp(name, "predicted_vs_actual") == 0;
    if (shares) {
        frame.x_low = frame.y_low = 0;
        frame.x_high = frame.y_high = 1;
    }
    if (diagonal) { /* of what should be the same */
        frame.x_low = frame.y_low = fmin(frame.x_low, frame.y_low);
        frame.x_high = frame.y_high = fmax(frame.x_high, frame.y_high);
    }
    round_out(&frame.x_low, &frame.x_high);
    round_out(&frame.y_low, &frame.y_high);
    begin(&frame, plot);
    write_y_axis(&frame);
    write_x_axis(&frame);
    if (diagonal) {
        fprintf(out, "<line class=\"ideal\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>",
                to_x(&frame, frame.x_low), to_y(&frame, frame.y_low), to_x(&frame, frame.x_high),
                to_y(&frame, frame.y_high));
    }
    fputs("<polyline class=\"line\" points=\"", out);
    for (size_t i = 0; i < count; i++) {
        fprintf(out, "%.1f,%.1f ", to_x(&frame, plot->x[i]), to_y(&frame, plot->y[i]));
    }
    fputs("\"/>", out);
    write_titles(&frame, plot);
    return true;
}

/* ---- bars ---- */

/* Bars side by side for each of `count` places, from `left` to `right`; series after series in y. */
typedef struct bars {
    size_t count;
    size_t series;
    const double *edges;        /* count + 1; NULL: places are 0, 1, 2 … */
    char *const *labels;        /* of the places; NULL: the edges tell */
    char *const *series_labels; /* NULL: there is but one */
} bars_t;

static double
edge_of(const bars_t *self, size_t index)
{
    return self->edges ? self->edges[index] : (double)index - 0.5;
}

/* Places by edges in x, or by labels. */
static bool
read_bars(const Valion__V1__Plot *plot, bars_t *out)
{
    bool by_edges = plot->n_x > 1;
    *out = (bars_t){.count = by_edges ? plot->n_x - 1 : plot->n_labels};
    if (out->count == 0 || out->count > POINTS_MAX) {
        return false;
    }
    out->series = plot->n_y / out->count;
    out->edges = by_edges ? plot->x : NULL;
    out->labels = by_edges ? NULL : plot->labels;
    out->series_labels = by_edges && plot->n_labels == out->series ? plot->labels : NULL;
    return out->series >= 1 && out->series <= SERIES_MAX && plot->n_y == out->series * out->count &&
           all_finite(plot->y, plot->n_y) && (!by_edges || all_finite(plot->x, plot->n_x));
}

/* Some of many labels, so that they can be read; a longer one is cut. */
static void
write_labels(const frame_t *self, const bars_t *bars)
{
    size_t every = (bars->count + LABELS_SHOWN - 1) / LABELS_SHOWN;
    for (size_t i = 0; i < bars->count; i += every) {
        const char *label = bars->labels[i];
        char cut[4 * LABEL_CHARS + 4];
        size_t chars = 0;
        size_t at = 0;
        for (; label[at] && chars < LABEL_CHARS && at + 1 < sizeof cut; at++) {
            cut[at] = label[at];
            chars += ((unsigned char)label[at + 1] & 0xC0) != 0x80;
        }
        cut[at] = '\0';
        fprintf(self->out, "<text class=\"tick\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">",
                to_x(self, (double)i), HEIGHT - BOTTOM + 16);
        report_text_html(self->out, cut);
        fputs(label[at] ? "…</text>" : "</text>", self->out);
    }
}

static void
write_series(const frame_t *self, const bars_t *bars, const double *values, size_t series)
{
    for (size_t i = 0; i < bars->count; i++) {
        double low = edge_of(bars, i);
        double width = (edge_of(bars, i + 1) - low) * (bars->edges ? 1 : 0.8);
        double margin = bars->edges ? 0 : 0.1;
        double part = width / (double)bars->series;
        double left = to_x(self, low + margin + part * (double)series);
        double right = to_x(self, low + margin + part * (double)(series + 1));
        double top = to_y(self, fmax(values[i], 0));
        double bottom = to_y(self, fmin(values[i], 0));
        fprintf(self->out,
                "<rect class=\"bar%zu\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>",
                bars->series - series, left, top, fmax(right - left - 0.5, 0.5), bottom - top);
    }
}

static void
write_legend(const frame_t *self, const bars_t *bars)
{
    static const char *const usual[SERIES_MAX] = {"reference", "current"};
    for (size_t i = 0; i < bars->series && bars->series > 1; i++) {
        int x = WIDTH - 170 + (int)i * 85;
        fprintf(self->out,
                "<rect class=\"bar%zu\" x=\"%d\" y=\"2\" width=\"9\" height=\"9\"/>"
                "<text class=\"tick\" x=\"%d\" y=\"11\">",
                bars->series - i, x, x + 13);
        report_text_html(self->out, bars->series_labels ? bars->series_labels[i] : usual[i]);
        fputs("</text>", self->out);
    }
}

static bool
write_bars(const Valion__V1__Plot *plot, FILE *out)
{
    bars_t bars;
    if (!read_bars(plot, &bars)) {
        return false;
    }
    frame_t frame = {.out = out, .x_low = edge_of(&bars, 0), .x_high = edge_of(&bars, bars.count)};
    if (bars.edges) {
        find_bounds(bars.edges, bars.count + 1, &frame.x_low, &frame.x_high);
        round_out(&frame.x_low, &frame.x_high);
    }
    find_bounds(plot->y, plot->n_y, &frame.y_low, &frame.y_high);
    round_out(&frame.y_low, &frame.y_high);
    begin(&frame, plot);
    write_y_axis(&frame);
    if (bars.labels) {
        write_labels(&frame, &bars);
    } else {
        write_x_axis(&frame);
    }
    for (size_t i = 0; i < bars.series; i++) {
        write_series(&frame, &bars, plot->y + i * bars.count, i);
    }
    write_legend(&frame, &bars);
    write_titles(&frame, plot);
    return true;
}

/* ---- matrices ---- */

static double
find_row_sum(const Valion__V1__Plot *plot, size_t row)
{
    double sum = 0;
    for (size_t i = 0; i < plot->n_labels; i++) {
        sum += plot->y[row * plot->n_labels + i];
    }
    return sum;
}

/* A table, because people copy numbers out of it; its shade is the share of the row. */
static bool
write_matrix(const Valion__V1__Plot *plot, FILE *out)
{
    char number[REPORT_NUMBER];
    size_t count = plot->n_labels;
    if (count == 0 || count > MATRIX_MAX || plot->n_y != count * count ||
        !all_finite(plot->y, plot->n_y)) {
        return false;
    }
    fputs("<table class=\"matrix\"><tr><th class=\"corner\">", out);
    report_text_html(out, plot->y_title);
    fputs(" \\ ", out);
    report_text_html(out, plot->x_title);
    fputs("</th>", out);
    for (size_t i = 0; i < count; i++) {
        fputs("<th>", out);
        report_text_html(out, plot->labels[i]);
        fputs("</th>", out);
    }
    for (size_t row = 0; row < count; row++) {
        double sum = find_row_sum(plot, row);
        fputs("</tr><tr><th>", out);
        report_text_html(out, plot->labels[row]);
        fputs("</th>", out);
        for (size_t i = 0; i < count; i++) {
            double value = plot->y[row * count + i];
            double share = sum > 0 ? fmin(fmax(value / sum, 0), 1) : 0;
            fprintf(out, "<td class=\"%s\" style=\"--share:%.3f\">%s</td>",
                    i == row ? "right" : "wrong", share, report_text_number(value, number));
        }
    }
    fputs("</tr></table>", out);
    return true;
}

bool
report_plot_svg(const Valion__V1__Plot *plot, FILE *out)
{
    static const struct {
        const char *kind;
        bool (*write)(const Valion__V1__Plot *plot, FILE *out);
    } kinds[] = {{"line", write_line}, {"bars", write_bars}, {"matrix", write_matrix}};
    for (size_t i = 0; plot->kind && i < VLN_COUNT(kinds); i++) {
        if (strcmp(plot->kind, kinds[i].kind) == 0) {
            return kinds[i].write(plot, out);
        }
    }
    return false;
}
