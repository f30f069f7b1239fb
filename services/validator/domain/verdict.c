#include "verdict.h"

#include <string.h>

#include "vln_report.h"
#include "vln_stat.h"

enum { SENTENCE_MAX = 1000, LISTED_MAX = 64 };

static bool
is_dry_run(const Valion__V1__CheckResult *check)
{
    return check->n_details > 0 && strcmp(check->details[0]->key, "dry_run") == 0;
}

verdict_counts_t
verdict_count(const Valion__V1__Report *report)
{
    verdict_counts_t counts = {0};
    for (size_t i = 0; i < report->n_checks; i++) {
        Valion__V1__CheckStatus status = report->checks[i]->status;
        if (is_dry_run(report->checks[i])) {
            continue;
        }
        counts.checks++;
        counts.warned += status == VALION__V1__CHECK_STATUS__CHECK_STATUS_WARN;
        counts.failed += status == VALION__V1__CHECK_STATUS__CHECK_STATUS_FAIL;
        counts.inconclusive += status == VALION__V1__CHECK_STATUS__CHECK_STATUS_INCONCLUSIVE;
    }
    return counts;
}

/* ---- numbers ---- */

static double
share(size_t count, size_t of)
{
    return of > 0 ? (double)count / (double)of : 0;
}

static void
set_rates(const vln_verdict_t *found, Valion__V1__Report *report)
{
    vln_sum_t scores = {0};
    size_t scored = 0;
    for (size_t i = 0; i < report->n_checks; i++) {
        if (report->checks[i]->has_score && !is_dry_run(report->checks[i])) {
            vln_sum_add(&scores, report->checks[i]->score);
            scored++;
        }
    }
    report->has_pass_rate = report->has_warning_rate = 1;
    report->has_failure_rate = report->has_inconclusive_rate = 1;
    report->pass_rate = share(found->passed, found->counted);
    report->warning_rate = share(found->warned, found->counted);
    report->failure_rate = share(found->failed, found->counted);
    report->inconclusive_rate = share(found->inconclusive, found->counted);
    report->has_average_score = scored > 0;
    report->average_score = scored > 0 ? vln_sum_total(&scores) / (double)scored : 0;
}

static void
collect(Valion__V1__Report *report, vln_arena_t *arena)
{
    report->recommendations = vln_arena_alloc(arena, LISTED_MAX * sizeof(char *));
    report->errors = vln_arena_alloc(arena, LISTED_MAX * sizeof(char *));
    for (size_t i = 0; i < report->n_checks; i++) {
        const Valion__V1__CheckResult *check = report->checks[i];
        if (check->recommendation && report->n_recommendations < LISTED_MAX) {
            report->recommendations[report->n_recommendations++] = check->recommendation;
        }
        if (check->error && report->n_errors < LISTED_MAX) {
            report->errors[report->n_errors++] =
                vln_arena_printf(arena, "%s: %s", check->name, check->error);
        }
    }
}

/* ---- the sentence ---- */

static const char *
verb(vln_check_status_t status)
{
    switch (status) {
    case VLN_CHECK_PASS:
        return "passes";
    case VLN_CHECK_WARN:
        return "passes with a warning under";
    case VLN_CHECK_FAIL:
        return "fails";
    default:
        return "cannot be judged under";
    }
}

/* " of houses", " of houses and 2 more" */
static const char *
name_data(const Valion__V1__Report *report, vln_arena_t *arena)
{
    if (report->n_data == 0 || !report->data[0]->name) {
        return "";
    }
    return report->n_data == 1 ? vln_arena_printf(arena, " of %s", report->data[0]->name)
                               : vln_arena_printf(arena, " of %s and %zu more",
                                                  report->data[0]->name, report->n_data - 1);
}

/* At a character's end. */
static void
cut(char *text)
{
    size_t size = strlen(text);
    if (size <= SENTENCE_MAX) {
        return;
    }
    size = SENTENCE_MAX;
    while (size > 0 && ((unsigned char)text[size] & 0xc0) == 0x80) {
        size--;
    }
    text[size] = '\0';
}

static char *
make_sentence(const Valion__V1__Policy *policy, const Valion__V1__Report *report,
              const vln_verdict_t *found, vln_arena_t *arena)
{
    bool by_check = found->decided_by < report->n_checks;
    const Valion__V1__CheckResult *check = by_check ? report->checks[found->decided_by] : NULL;
    char *text = vln_arena_printf(
        arena, "%s@%s %s the policy '%s' version %llu on %lld rows%s: %s%s%s%s%s", report->model,
        report->version, verb(found->status), policy->name, (unsigned long long)policy->version,
        (long long)report->rows, name_data(report, arena), found->why, check ? ", '" : ".",
        check ? check->name : "", check ? "'. " : "", check ? check->sentence : "");
    cut(text);
    return text;
}

void
verdict_conclude(const Valion__V1__Policy *policy, Valion__V1__Report *report, vln_arena_t *arena)
{
    vln_verdict_t found = vln_report_verdict(policy, report, arena);
    report->has_verdict = 1;
    report->verdict = (Valion__V1__CheckStatus)found.status;
    set_rates(&found, report);
    collect(report, arena);
    report->sentence = make_sentence(policy, report, &found, arena);
}
