#include "judge.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static judge_t judge;
static char why[JUDGE_WHY];

Test(judge, is_by_default_what_a_fit_makes_small)
{
    static const char *const defaults[] = {"rmse", "log_loss", "log_loss"};
    for (int task = 0; task < 3; task++) {
        cr_assert(judge_find(NULL, (vln_recipe_task_t)task, &judge, why));
        cr_expect_str_eq(judge.name, defaults[task]);
        cr_assert(judge_find("", (vln_recipe_task_t)task, &judge, why));
        cr_expect_str_eq(judge.name, defaults[task]);
        cr_expect_not(judge.higher);
        vln_recipe_t recipe;
        const vln_recipe_terms_t terms = {.task = (vln_recipe_task_t)task, .classes = 3};
        vln_recipe_begin(&recipe, &terms);
        cr_expect_str_eq(judge.library, recipe.metric);
    }
}

Test(judge, knows_which_way_is_better)
{
    cr_assert(judge_find("mae", VLN_RECIPE_REGRESSION, &judge, why));
    cr_expect(judge_is_better(&judge, 1, 2));
    cr_expect_not(judge_is_better(&judge, 2, 1));
    cr_assert(judge_find("roc_auc", VLN_RECIPE_BINARY, &judge, why));
    cr_expect(judge_is_better(&judge, 2, 1));
    cr_expect(judge_library_higher(&judge));
    cr_assert(judge_find("accuracy", VLN_RECIPE_MULTICLASS, &judge, why));
    cr_expect(judge_is_better(&judge, 2, 1));
    cr_expect_not(judge_library_higher(&judge), "the library counts errors");
    cr_expect_not(judge_is_better(&judge, 1, 1));
    cr_expect_not(judge_is_better(&judge, NAN, 1));
}

Test(judge, tells_what_the_librarys_number_says)
{
    const float labels[] = {1, 2, 3, 4};
    const float same[] = {7, 7};
    cr_assert(judge_find("r2", VLN_RECIPE_REGRESSION, &judge, why));
    cr_expect_float_eq(judge_value(&judge, 0.5, labels, 4), 1 - 0.25 / 1.25, 1e-15);
    cr_expect_eq(judge_value(&judge, 0, labels, 4), 1);
    cr_expect(isnan(judge_value(&judge, 0.5, same, 2)), "of one value it is not defined");
    cr_assert(judge_find("accuracy", VLN_RECIPE_BINARY, &judge, why));
    cr_expect_eq(judge_value(&judge, 0.25, labels, 4), 0.75);
    cr_assert(judge_find("rmse", VLN_RECIPE_REGRESSION, &judge, why));
    cr_expect_eq(judge_value(&judge, 0.25, labels, 4), 0.25);
}

Test(judge, refuses_what_the_task_does_not_have)
{
    cr_expect_not(judge_find("r2", VLN_RECIPE_BINARY, &judge, why));
    cr_expect_str_eq(why, "'r2' is no metric of this task; there are log_loss, roc_auc, accuracy");
    cr_expect_not(judge_find("roc_auc", VLN_RECIPE_MULTICLASS, &judge, why));
    cr_expect_not(judge_find("auc", VLN_RECIPE_BINARY, &judge, why));
}
