/*
 * importance: which columns does the model live on? Each is permuted among the rows, and the model is
 * asked again; what its metric loses is the column's importance. Tells, and judges only where the policy
 * says how much one column may carry.
 */
#include "check_say.h"

static double
positive(double loss)
{
    return loss > 0 ? loss : 0;
}

static void
add_columns(const check_context_t *context, const check_importance_t *importance,
            Valion__V1__CheckResult *out)
{
    double *weights = vln_arena_alloc(context->arena, (importance->count + 1) * sizeof *weights);
    for (size_t i = 0; i < importance->count; i++) {
        const check_loss_t *loss = &importance->losses[i];
        Valion__V1__ColumnResult *column =
            check_add_column(context, out, loss->column, importance->count);
        column->has_status = column->has_effect = column->has_n_current = 1;
        column->status = CHECK_PASS;
        column->method = (char *)(uintptr_t)"permutation";
        column->effect = loss->loss;
        column->n_current = (int64_t)importance->rows;
        weights[i] = loss->loss;
    }
    check_sort_columns(context, out, weights);
}

void
check_importance(const check_context_t *context, const Valion__V1__CheckSpec *spec,
                 Valion__V1__CheckResult *out)
{
    const check_importance_t *importance = context->importance;
    double most = check_threshold(spec, "share_max", 1);
    double sum = 0;
    size_t first = 0;
    if (!importance || importance->count == 0) {
        check_break(context, spec, out, "The model was not asked about permuted columns");
        return;
    }
    for (size_t i = 0; i < importance->count; i++) {
        sum += positive(importance->losses[i].loss);
        first = importance->losses[i].loss > importance->losses[first].loss ? i : first;
    }
    double share = sum > 0 ? positive(importance->losses[first].loss) / sum : 0;
    check_set(out, "largest_share", share, most, importance->count);
    check_add(context, out, "metric", importance->metric);
    add_columns(context, importance, out);
    check_end(context, out, share <= most ? CHECK_PASS : CHECK_WARN,
              "On %zu rows, permuting '%.200s' costs the model most: %.3g of what all %zu columns "
              "together cost it in %s; one column may carry up to %g.",
              importance->rows, importance->losses[first].column, share, importance->count,
              importance->metric_name, most);
}
