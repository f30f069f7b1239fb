/*
 * drift_alarms - how often data_drift raises an alarm where nothing has changed, and how often it
 * finds what has: comparisons of made-up tables, by `auto`, by its tests without the least effect,
 * and by the original's rule.
 *
 * usage: drift_alarms [COMPARISONS [ROWS_MAX [SEED]]]
 *        drift_alarms --short    ends with 1 if auto's share of alarms is too high, or its power low
 *
 * The columns of a table are normal, log-normal, a text of five values, a text with rare ones, and
 * a normal one of which a twentieth is missing, in turn. An alarm is a column that is said to have
 * drifted; the verdict's is a check that does not pass.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vln_draw.h"
#include "vln_text.h"

#include "check.h"
#include "check_say.h"

enum { KINDS = 5, COLUMNS_MAX = 200, ARENA_BYTES = 256 << 20 };

#define ALPHA 0.05

typedef struct setting {
    size_t comparisons;
    size_t rows_max;
    uint64_t seed;
} setting_t;

/* What is done to the first column of its kind in the data that is current. */
typedef struct change {
    const char *text;
    int kind; /* of the column; -1: nothing changes */
    double shift;
    double factor;
    double share; /* more rows of the first text */
    double missing;
    bool must_find; /* at 1000 rows nearly always */
} change_t;

static const change_t none = {"nothing", -1, 0, 1, 0, 0, false};

/* clang-format off */
static const change_t changes[] = {
    /* what                              kind shift factor share missing found */
    {"mean by 0.1 standard deviations",  0,   0.1,  1,     0,    0,     false},
    {"mean by 0.3 standard deviations",  0,   0.3,  1,     0,    0,     true},
    {"mean by 0.5 standard deviations",  0,   0.5,  1,     0,    0,     true},
    {"spread by a half",                 0,   0,    1.5,   0,    0,     true},
    {"a text's share by 0.05",           2,   0,    1,     0.05, 0,     false},
    {"a text's share by 0.15",           2,   0,    1,     0.15, 0,     true},
    {"missing from 0 to 0.03",           0,   0,    1,     0,    0.03,  true},
    {"missing from 0.05 to 0.15",        4,   0,    1,     0,    0.10,  true},
};
/* clang-format on */

/* ---- tables ---- */

static double
draw_normal(vln_draw_t *random)
{
    double radius = sqrt(-2 * log(1 - vln_draw_unit(random)));
    return radius * cos(2 * 3.14159265358979323846 * vln_draw_unit(random));
}

static void
fill_numbers(vln_column_t *column, size_t rows, size_t kind, const change_t *change,
             vln_draw_t *random)
{
    double missing = (kind == 4 ? 0.05 : 0) + change->missing;
    for (size_t row = 0; row < rows; row++) {
        double value = change->shift + change->factor * draw_normal(random);
        bool gone = missing > 0 && vln_draw_unit(random) < missing;
        if (!gone) {
            vln_column_set_f64(column, row, kind == 1 ? exp(value) : value);
        }
    }
}

/* Shares of 0.4, 0.3, 0.2, 0.08, 0.02; or mostly one, and twenty rare ones. */
static void
fill_texts(vln_column_t *column, size_t rows, size_t kind, const change_t *change,
           vln_draw_t *random)
{
    static const double shares[] = {0.4, 0.7, 0.9, 0.98, 1};
    char text[32];
    for (size_t row = 0; row < rows; row++) {
        double at = vln_draw_unit(random) - change->share;
        size_t which = 0;
        if (kind == 2) {
            for (which = 0; at > shares[which]; which++) {
            }
        } else {
            which = at < 0.96 ? 0 : 1 + vln_draw_below(random, 20);
        }
        int size = snprintf(text, sizeof text, "t%zu", which);
        vln_column_set_text(column, row, text, (size_t)size);
    }
}

static vln_table_t *
make_table(size_t rows, size_t columns, const change_t *change, vln_draw_t *random)
{
    vln_table_t *table = vln_table_new();
    char name[32];
    vln_table_set_rows(table, rows);
    for (size_t i = 0; i < columns; i++) {
        size_t kind = i % KINDS;
        bool text = kind == 2 || kind == 3;
        snprintf(name, sizeof name, "c%zu", i);
        vln_column_t *column = vln_table_add(table, name, text ? VLN_TYPE_STRING : VLN_TYPE_F64);
        const change_t *own = (int)i == change->kind ? change : &none;
        if (text) {
            fill_texts(column, rows, kind, own, random);
        } else {
            fill_numbers(column, rows, kind, own, random);
        }
    }
    return table;
}

/* ---- checks ---- */

enum { AUTO, TESTS_ALONE, ORIGINAL, RULES };

typedef struct outcome {
    bool alarm;   /* any column */
    bool verdict; /* the check does not pass */
    bool found;   /* the column that was changed */
} outcome_t;

static outcome_t
ask(check_context_t *context, int rule, const char *changed)
{
    Valion__V1__CheckSpec spec = VALION__V1__CHECK_SPEC__INIT;
    Valion__V1__KeyValue method = VALION__V1__KEY_VALUE__INIT;
    Valion__V1__KeyValue *parameters[] = {&method};
    Valion__V1__KeyNumber effect = VALION__V1__KEY_NUMBER__INIT;
    Valion__V1__KeyNumber *thresholds[] = {&effect};
    char names[][32] = {"data_drift", "method", "auto", "original", "effect_threshold"};
    outcome_t out = {0};
    spec.name = spec.kind = names[0];
    method.key = names[1];
    method.value = rule == ORIGINAL ? names[3] : names[2];
    spec.parameters = parameters;
    spec.n_parameters = 1;
    effect.key = names[4];
    effect.has_value = 1;
    spec.thresholds = thresholds;
    spec.n_thresholds = rule == TESTS_ALONE;
    const Valion__V1__CheckResult *result = check_run(context, &spec);
    out.alarm = result->columns_flagged > 0;
    out.verdict = result->status != CHECK_PASS;
    for (size_t i = 0; i < result->n_columns; i++) {
        const Valion__V1__ColumnResult *column = result->columns[i];
        out.found |= column->status == CHECK_FAIL && strcmp(column->column, changed) == 0;
    }
    return out;
}

/* Counts of `comparisons`, by rule. */
typedef struct tally {
    size_t alarms[RULES];
    size_t verdicts[RULES];
    size_t found[RULES];
} tally_t;

static tally_t
compare(const setting_t *setting, size_t rows, size_t columns, const change_t *change)
{
    tally_t tally = {0};
    char changed[32];
    snprintf(changed, sizeof changed, "c%d", change->kind);
    vln_arena_t *arena = vln_arena_new(ARENA_BYTES);
    for (size_t i = 0; i < setting->comparisons; i++) {
        vln_draw_t random = vln_draw_of(setting->seed + i, rows * 1000 + columns);
        vln_table_t *then = make_table(rows, columns, &none, &random);
        vln_table_t *now = make_table(rows, columns, change, &random);
        check_context_t context = {.arena = arena, .table = now, .seed = setting->seed + i};
        context.reference.table = then;
        for (int rule = 0; rule < RULES; rule++) {
            outcome_t outcome = ask(&context, rule, changed);
            tally.alarms[rule] += outcome.alarm;
            tally.verdicts[rule] += outcome.verdict;
            tally.found[rule] += outcome.found;
        }
        vln_arena_reset(arena);
        vln_table_destroy(&then);
        vln_table_destroy(&now);
    }
    vln_arena_destroy(&arena);
    return tally;
}

/* ---- what is shown ---- */

static double
share(const setting_t *setting, size_t count)
{
    return (double)count / (double)setting->comparisons;
}

/* Beyond it, alpha is not kept: three standard errors above. */
static double
most_alarms(const setting_t *setting)
{
    return ALPHA + 3 * sqrt(ALPHA * (1 - ALPHA) / (double)setting->comparisons);
}

static bool
show_alarms(const setting_t *setting, size_t rows, size_t columns)
{
    tally_t tally = compare(setting, rows, columns, &none);
    printf("%7zu %7zu %11zu | %8.4f %8.4f | %8.4f | %8.4f %8.4f\n", rows, columns,
           setting->comparisons, share(setting, tally.alarms[AUTO]),
           share(setting, tally.verdicts[AUTO]), share(setting, tally.alarms[TESTS_ALONE]),
           share(setting, tally.alarms[ORIGINAL]), share(setting, tally.verdicts[ORIGINAL]));
    fflush(stdout);
    return share(setting, tally.alarms[AUTO]) <= most_alarms(setting) &&
           share(setting, tally.alarms[TESTS_ALONE]) <= most_alarms(setting);
}

static bool
show_power(const setting_t *setting, size_t rows, size_t columns, const change_t *change)
{
    tally_t tally = compare(setting, rows, columns, change);
    double found = share(setting, tally.found[AUTO]);
    printf("%7zu %7zu %-34s | %8.4f | %8.4f | %8.4f\n", rows, columns, change->text, found,
           share(setting, tally.found[TESTS_ALONE]), share(setting, tally.found[ORIGINAL]));
    fflush(stdout);
    return !change->must_find || rows < 1000 || found >= 0.95;
}

static bool
show_all(const setting_t *setting, bool brief)
{
    static const size_t columns[] = {10, COLUMNS_MAX};
    bool good = true;
    printf("Nothing has changed: share of comparisons with an alarm (alpha %g)\n", ALPHA);
    printf("%7s %7s %11s | %8s %8s | %8s | %8s %8s\n", "rows", "columns", "comparisons", "auto",
           "verdict", "no floor", "original", "verdict");
    for (size_t rows = 100; rows <= setting->rows_max; rows *= 10) {
        for (size_t i = 0; i < (brief ? 1 : VLN_COUNT(columns)); i++) {
            good = show_alarms(setting, rows, columns[i]) && good;
        }
    }
    printf("\nOne column has changed: share of comparisons that say so of it\n");
    printf("%7s %7s %-34s | %8s | %8s | %8s\n", "rows", "columns", "what", "auto", "no floor",
           "original");
    for (size_t rows = brief ? 1000 : 100; rows <= 1000 && rows <= setting->rows_max; rows *= 10) {
        for (size_t i = 0; i < VLN_COUNT(changes); i++) {
            good = show_power(setting, rows, 10, &changes[i]) && good;
        }
    }
    return good;
}

static uint64_t
number(int count, char **words, int at, uint64_t otherwise)
{
    uint64_t value = count > at ? strtoull(words[at], NULL, 10) : 0;
    return value > 0 ? value : otherwise;
}

int
main(int count, char **words)
{
    bool brief = count > 1 && strcmp(words[1], "--short") == 0;
    setting_t setting = {.comparisons = number(count, words, 1, 2000),
                         .rows_max = number(count, words, 2, 10000),
                         .seed = number(count, words, 3, 1)};
    if (brief) {
        setting = (setting_t){.comparisons = 60, .rows_max = 1000, .seed = 1};
    }
    return show_all(&setting, brief) || !brief ? 0 : 1;
}
