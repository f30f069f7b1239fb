/*
 * budget: is the model small and quick enough? Its size is of its files; its time is of the answers of
 * this validation, on this machine, so a report whose policy asks for it is not the same bit for bit.
 */
#include "check_say.h"

static const double US_PER_MS = 1000;
static const double ROWS = 1000;

void
check_budget(const check_context_t *context, const Valion__V1__CheckSpec *spec,
             Valion__V1__CheckResult *out)
{
    const check_cost_t *cost = context->cost;
    double most_bytes = check_threshold(spec, "size_bytes", INFINITY);
    double most_ms = check_threshold(spec, "ms_per_1000_rows", INFINITY);
    if (!cost || (isinf(most_bytes) && isinf(most_ms))) {
        check_break(context, spec, out,
                    cost ? "The check names no limit: size_bytes or ms_per_1000_rows"
                         : "No model was asked");
        return;
    }
    double bytes = (double)cost->bytes;
    double ms =
        cost->rows > 0 ? (double)cost->predict_us / US_PER_MS * ROWS / (double)cost->rows : 0;
    bool large = bytes > most_bytes;
    bool slow = ms > most_ms;
    if (isfinite(most_ms) && (slow || !large)) {
        check_set(out, "ms_per_1000_rows", ms, most_ms, cost->rows);
    } else {
        check_set(out, "size_bytes", bytes, most_bytes, 1);
    }
    check_add(context, out, "size_bytes", bytes);
    if (isfinite(most_ms)) {
        check_add(context, out, "ms_per_1000_rows", ms);
    }
    if (isinf(most_ms)) {
        check_end(context, out, large ? CHECK_FAIL : CHECK_PASS,
                  "The model's files have %.0f bytes and may have %g.", bytes, most_bytes);
    } else {
        check_end(context, out, large || slow ? CHECK_FAIL : CHECK_PASS,
                  "The model answers 1,000 rows in %.3g ms here and may take %g; its files have "
                  "%.0f bytes and may have %g.",
                  ms, most_ms, bytes, most_bytes);
    }
}
