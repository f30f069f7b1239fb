#include "vln_recipe.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static const vln_recipe_terms_t terms = {
    .algorithm = VLN_RECIPE_RANDOM_FOREST, .task = VLN_RECIPE_REGRESSION, .seed = 42, .threads = 1};

static const char *
value(const vln_recipe_t *self, const char *name)
{
    for (size_t i = 0; i < self->count; i++) {
        if (strcmp(self->parameters[i].name, name) == 0) {
            return self->parameters[i].value;
        }
    }
    return NULL;
}

Test(recipe, makes_a_forest_of_one_round)
{
    vln_recipe_t recipe;
    vln_recipe_begin(&recipe, &terms);
    cr_assert_eq(recipe.rounds, 1);
    cr_assert_str_eq(value(&recipe, "num_parallel_tree"), "100");
    cr_assert_str_eq(value(&recipe, "objective"), "reg:squarederror");
    cr_assert_str_eq(value(&recipe, "seed"), "42");
    cr_assert_not(recipe.stops_early);
}

Test(recipe, counts_trees_as_rounds_where_they_follow_each_other)
{
    vln_recipe_t recipe;
    char why[VLN_RECIPE_WHY];
    vln_recipe_terms_t boosting = terms;
    boosting.algorithm = VLN_RECIPE_GRADIENT_BOOSTING;
    vln_recipe_begin(&recipe, &boosting);
    cr_assert(vln_recipe_set(&recipe, boosting.algorithm, "n_estimators", "50", why));
    cr_assert_eq(recipe.rounds, 50);
    vln_recipe_begin(&recipe, &terms);
    cr_assert(vln_recipe_set(&recipe, terms.algorithm, "n_estimators", "50", why));
    cr_assert_eq(recipe.rounds, 1);
    cr_assert_str_eq(value(&recipe, "num_parallel_tree"), "50");
}

Test(recipe, knows_a_parameter_by_both_of_its_names)
{
    vln_recipe_t recipe;
    char why[VLN_RECIPE_WHY];
    vln_recipe_terms_t boosting = terms;
    boosting.algorithm = VLN_RECIPE_GRADIENT_BOOSTING;
    vln_recipe_begin(&recipe, &boosting);
    cr_assert(vln_recipe_set(&recipe, boosting.algorithm, "eta", "0.3", why));
    cr_assert_str_eq(value(&recipe, "learning_rate"), "0.29999999999999999");
    cr_assert_null(value(&recipe, "eta"));
}

Test(recipe, refuses_what_the_algorithm_has_not)
{
    vln_recipe_t recipe;
    char why[VLN_RECIPE_WHY];
    vln_recipe_begin(&recipe, &terms);
    cr_assert_not(vln_recipe_set(&recipe, VLN_RECIPE_ELASTIC_NET, "max_depth", "3", why));
    cr_assert(strstr(why, "has no hyperparameter 'max_depth'"), "%s", why);
    cr_assert(strstr(why, "alpha"), "%s", why);
    cr_assert_not(vln_recipe_set(&recipe, VLN_RECIPE_RANDOM_FOREST, "objective", "reg:gamma", why));
}

Test(recipe, refuses_values_that_make_no_sense)
{
    static const char *const pairs[][2] = {
        {"max_depth", "0"},  {"max_depth", "2.5"}, {"max_depth", ""},      {"max_depth", "nan"},
        {"max_depth", "33"}, {"subsample", "1.5"}, {"subsample", "0.5 x"}, {"n_estimators", "1e9"}};
    vln_recipe_t recipe;
    char why[VLN_RECIPE_WHY];
    vln_recipe_begin(&recipe, &terms);
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        cr_assert_not(
            vln_recipe_set(&recipe, VLN_RECIPE_RANDOM_FOREST, pairs[i][0], pairs[i][1], why),
            "%s=%s", pairs[i][0], pairs[i][1]);
        cr_assert(strstr(why, pairs[i][0]), "%s", why);
    }
}

Test(recipe, tells_the_library_how_many_classes_there_are)
{
    vln_recipe_t recipe;
    vln_recipe_terms_t many = terms;
    many.task = VLN_RECIPE_MULTICLASS;
    many.classes = 5;
    vln_recipe_begin(&recipe, &many);
    cr_assert_str_eq(value(&recipe, "num_class"), "5");
    cr_assert_str_eq(recipe.metric, "mlogloss");
}

/* Whatever a fit was done with can be read back from what was recorded of it. */
Test(recipe, recalls_what_was_recorded)
{
    static const char *const names[] = {"gradient_boosting", "random_forest", "elastic_net"};
    char why[VLN_RECIPE_WHY];
    for (int i = 0; i < VLN_RECIPE_ALGORITHMS; i++) {
        vln_recipe_algorithm_t algorithm;
        vln_recipe_t made;
        vln_recipe_t again;
        vln_recipe_terms_t mine = {.algorithm = (vln_recipe_algorithm_t)i,
                                   .task = VLN_RECIPE_REGRESSION,
                                   .seed = 7,
                                   .threads = 4};
        cr_assert(vln_recipe_find(names[i], &algorithm));
        cr_assert_eq(algorithm, (vln_recipe_algorithm_t)i);
        vln_recipe_begin(&made, &mine);
        cr_assert(vln_recipe_set(&made, algorithm, "reg_lambda", "0.25", why));
        if (algorithm == VLN_RECIPE_RANDOM_FOREST) {
            cr_assert(vln_recipe_set(&made, algorithm, "n_estimators", "30", why));
        }
        mine.seed = 42;
        mine.threads = 1;
        vln_recipe_begin(&again, &mine);
        for (size_t at = 0; at < made.count; at++) {
            cr_assert(vln_recipe_recall(&again, algorithm, made.parameters[at].name,
                                        made.parameters[at].value, why),
                      "%s", why);
        }
        cr_assert_eq(again.count, made.count);
        for (size_t at = 0; at < made.count; at++) {
            bool threads = strcmp(made.parameters[at].name, "nthread") == 0;
            cr_expect_str_eq(again.parameters[at].name, made.parameters[at].name);
            cr_expect(threads || strtod(again.parameters[at].value, NULL) ==
                                     strtod(made.parameters[at].value, NULL));
        }
        cr_expect_not(vln_recipe_recall(&again, algorithm, "objective", "reg:gamma", why));
        cr_expect_not(vln_recipe_recall(&again, algorithm, "process_type", "update", why));
        cr_expect_not(vln_recipe_recall(&again, algorithm, "seed", "many", why));
        cr_expect_not(vln_recipe_recall(&again, algorithm, "rounds", "0", why));
    }
    vln_recipe_algorithm_t algorithm;
    cr_expect_not(vln_recipe_find("xgbregressor", &algorithm));
}
