#include "difference.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vln_err.h"
#include "vln_mem.h"
#include "vln_text.h"

enum { SHOWN = 56 };

static const double LARGEST_CHANGE = 1e9; /* of a metric that was next to nothing */

/* ---- sentences ---- */

/* A name that may be long, for a sentence: cut between two characters. */
typedef struct shown {
    char text[SHOWN];
} shown_t;

static shown_t
shown(const char *name)
{
    shown_t out;
    static const char more[] = "…";
    if (vln_text_copy(out.text, sizeof out.text, name)) {
        return out;
    }
    size_t len = sizeof out.text - sizeof more;
    while (len > 0 && ((unsigned char)out.text[len] & 0xc0) == 0x80) {
        len--;
    }
    vln_text_copy(out.text + len, sizeof out.text - len, more);
    return out;
}

static void __attribute__((format(printf, 3, 4)))
add_fact(difference_t *self, suggest_key_t key, const char *format, ...)
{
    if (self->context.of[key] <= 0) {
        self->context.of[key] = 1;
    }
    if (self->seen[key]++ >= DIFFERENCE_FACTS_OF_KEY || self->fact_count == DIFFERENCE_FACTS_MAX) {
        return;
    }
    suggest_fact_t *fact = &self->facts[self->fact_count++];
    fact->key = key;
    va_list args;
    va_start(args, format);
    vsnprintf(fact->sentence, sizeof fact->sentence, format, args);
    va_end(args);
}

static void __attribute__((format(printf, 2, 3)))
add_obstacle(difference_t *self, const char *format, ...)
{
    if (self->obstacles_seen++ >= DIFFERENCE_OBSTACLES_MAX) {
        return;
    }
    va_list args;
    va_start(args, format);
    vsnprintf(self->obstacles[self->obstacle_count++], SUGGEST_SENTENCE, format, args);
    va_end(args);
}

static void __attribute__((format(printf, 2, 3)))
add_note(difference_t *self, const char *format, ...)
{
    vln_assert(self->note_count < DIFFERENCE_NOTES_MAX);
    va_list args;
    va_start(args, format);
    vsnprintf(self->notes[self->note_count++], SUGGEST_SENTENCE, format, args);
    va_end(args);
}

static void
count_what_was_left_out(difference_t *self)
{
    for (size_t key = 0; key < SUGGEST_KEY_COUNT; key++) {
        if (self->seen[key] > DIFFERENCE_FACTS_OF_KEY && self->fact_count < DIFFERENCE_FACTS_MAX) {
            suggest_fact_t *fact = &self->facts[self->fact_count++];
            fact->key = (suggest_key_t)key;
            snprintf(fact->sentence, sizeof fact->sentence, "and %zu more of this kind",
                     self->seen[key] - DIFFERENCE_FACTS_OF_KEY);
        }
    }
    if (self->obstacles_seen > DIFFERENCE_OBSTACLES_MAX) {
        snprintf(self->obstacles[self->obstacle_count++], SUGGEST_SENTENCE, "and %zu more",
                 self->obstacles_seen - DIFFERENCE_OBSTACLES_MAX);
    }
}

/* ---- names, to be found in ---- */

typedef struct names {
    size_t count;
    struct name {
        const char *text;
        size_t at;
    } *sorted;
} names_t;

static int
compare_entries(const void *left, const void *right)
{
    const struct name *a = left;
    const struct name *b = right;
    int order = strcmp(a->text, b->text);
    return order ? order : (a->at > b->at) - (a->at < b->at);
}

/* Of `count` things of `stride` bytes that each begin with a name. */
static names_t
names_of(const void *things, size_t count, size_t stride)
{
    names_t out = {.sorted = vln_calloc(count + 1, sizeof *out.sorted)};
    for (size_t i = 0; i < count; i++) {
        const char *name = NULL;
        memcpy(&name, (const char *)things + i * stride, sizeof name);
        if (name) {
            out.sorted[out.count++] = (struct name){name, i};
        }
    }
    qsort(out.sorted, out.count, sizeof *out.sorted, compare_entries);
    return out;
}

static int
compare_text(const void *key, const void *entry)
{
    return strcmp(key, ((const struct name *)entry)->text);
}

static bool
names_find(const names_t *self, const char *text, size_t *at)
{
    const struct name *found =
        bsearch(text, self->sorted, self->count, sizeof *found, compare_text);
    if (found) {
        *at = found->at;
    }
    return found != NULL;
}

static void
names_end(names_t *self)
{
    free(self->sorted);
    *self = (names_t){0};
}

/* ---- inputs ---- */

static const char *
type_word(difference_type_t type)
{
    static const char *const words[] = {"unknown", "bool", "int64", "float32", "float64", "string"};
    return (size_t)type < VLN_COUNT(words) ? words[type] : "unknown";
}

/* True if each value of `from` is one of `to`, without loss: what a caller sends still fits. */
static bool
takes_all(difference_type_t from, difference_type_t to)
{
    switch (from) {
    case DIFFERENCE_BOOL:
        return to == DIFFERENCE_INT64 || to == DIFFERENCE_FLOAT32 || to == DIFFERENCE_FLOAT64;
    case DIFFERENCE_INT64: /* as far as a double counts them one by one */
    case DIFFERENCE_FLOAT32:
        return to == DIFFERENCE_FLOAT64;
    default:
        return false;
    }
}

static void
compare_type(difference_t *self, const difference_column_t *old, const difference_column_t *new)
{
    if (old->type == new->type || !old->type || !new->type) {
        return;
    }
    const char *before = type_word(old->type);
    const char *now = type_word(new->type);
    shown_t name = shown(new->name);
    if (takes_all(old->type, new->type)) {
        add_fact(self, SUGGEST_INPUT_WIDENED, "the input '%s' takes %s, it took %s", name.text, now,
                 before);
        return;
    }
    add_fact(self, SUGGEST_INPUT_RETYPED, "the input '%s' takes %s, it took %s", name.text, now,
             before);
    add_obstacle(self, "the input '%s' takes %s: a caller gives %s", name.text, now, before);
}

static void
compare_presence(difference_t *self, const difference_column_t *old, const difference_column_t *new)
{
    shown_t name = shown(new->name);
    if (old->optional && !new->optional) {
        add_fact(self, SUGGEST_INPUT_ADDED, "the input '%s' may no longer be missing", name.text);
        add_obstacle(self, "the input '%s' may no longer be missing", name.text);
    }
    if (!old->optional && new->optional) {
        add_fact(self, SUGGEST_INPUT_WIDENED, "the input '%s' may be missing", name.text);
    }
}

static void
compare_units(difference_t *self, const char *what, const difference_column_t *old,
              const difference_column_t *new)
{
    bool both = old->unit && *old->unit && new->unit && *new->unit;
    if (!both || strcmp(old->unit, new->unit) == 0) {
        return;
    }
    shown_t name = shown(new->name);
    shown_t before = shown(old->unit);
    shown_t now = shown(new->unit);
    add_fact(self, SUGGEST_UNIT_CHANGED, "the %s '%s' is in %s, it was in %s", what, name.text,
             now.text, before.text);
    add_obstacle(self, "the %s '%s' is in %s: a caller means %s", what, name.text, now.text,
                 before.text);
}

static void
category_gone(difference_t *self, const char *column, const char *category)
{
    shown_t name = shown(column);
    shown_t gone = shown(category);
    add_fact(self, SUGGEST_CATEGORY_REMOVED, "the input '%s' no longer knows '%s'", name.text,
             gone.text);
    add_obstacle(self, "the input '%s' no longer knows '%s'", name.text, gone.text);
}

static void
compare_category_lists(difference_t *self, const difference_column_t *old,
                       const difference_column_t *new)
{
    size_t at = 0;
    names_t before = names_of(old->categories, old->category_count, sizeof *old->categories);
    names_t now = names_of(new->categories, new->category_count, sizeof *new->categories);
    for (size_t i = 0; i < old->category_count; i++) {
        if (!names_find(&now, old->categories[i], &at)) {
            category_gone(self, new->name, old->categories[i]);
        }
    }
    for (size_t i = 0; i < new->category_count; i++) {
        if (!names_find(&before, new->categories[i], &at)) {
            add_fact(self, SUGGEST_CATEGORY_ADDED, "the input '%s' knows '%s'",
                     shown(new->name).text, shown(new->categories[i]).text);
        }
    }
    names_end(&before);
    names_end(&now);
}

/* No list of categories: any text is taken. */
static void
compare_categories(difference_t *self, const difference_column_t *old,
                   const difference_column_t *new)
{
    shown_t name = shown(new->name);
    if (old->category_count && new->category_count) {
        compare_category_lists(self, old, new);
    } else if (new->category_count) {
        add_fact(self, SUGGEST_CATEGORY_REMOVED,
                 "the input '%s' knows %zu categories, it took any text", name.text,
                 new->category_count);
        add_obstacle(self, "the input '%s' knows %zu categories: a caller may give any text",
                     name.text, new->category_count);
    } else if (old->category_count) {
        add_fact(self, SUGGEST_CATEGORY_ADDED,
                 "the input '%s' takes any text, it knew %zu categories", name.text,
                 old->category_count);
    }
}

static void
compare_input(difference_t *self, const difference_column_t *old, const difference_column_t *new)
{
    compare_type(self, old, new);
    compare_presence(self, old, new);
    compare_units(self, "input", old, new);
    if (old->type == new->type) {
        compare_categories(self, old, new);
    }
}

static void
input_is_new(difference_t *self, const difference_column_t *input)
{
    shown_t name = shown(input->name);
    if (input->optional) {
        add_fact(self, SUGGEST_OPTIONAL_INPUT_ADDED, "the input '%s' is new, and may be missing",
                 name.text);
        return;
    }
    add_fact(self, SUGGEST_INPUT_ADDED, "the input '%s' is new, and has to be given", name.text);
    add_obstacle(self, "the input '%s' has to be given", name.text);
}

/* Inputs of a model that names none are called "…[0]", "…[1]" and on. */
static bool
are_taken_by_order(const difference_side_t *side)
{
    for (size_t i = 0; i < side->input_count; i++) {
        char end[24];
        const char *name = side->inputs[i].name ? side->inputs[i].name : "";
        size_t len = strlen(name);
        size_t end_len = (size_t)snprintf(end, sizeof end, "[%zu]", i);
        if (len <= end_len || strcmp(name + len - end_len, end) != 0) {
            return false;
        }
    }
    return side->input_count > 0;
}

/* An input that is gone is in nobody's way: what a caller gives beyond the inputs is left aside. */
static void
compare_inputs(difference_t *self, const difference_side_t *old, const difference_side_t *new)
{
    size_t at = 0;
    names_t before = names_of(old->inputs, old->input_count, sizeof *old->inputs);
    names_t now = names_of(new->inputs, new->input_count, sizeof *new->inputs);
    for (size_t i = 0; i < old->input_count; i++) {
        const char *name = old->inputs[i].name;
        if (name && !names_find(&now, name, &at)) {
            add_fact(self, SUGGEST_INPUT_REMOVED, "the input '%s' is gone", shown(name).text);
        }
    }
    for (size_t i = 0; i < new->input_count; i++) {
        const difference_column_t *input = &new->inputs[i];
        if (input->name && names_find(&before, input->name, &at)) {
            compare_input(self, &old->inputs[at], input);
        } else if (input->name) {
            input_is_new(self, input);
        }
    }
    if (are_taken_by_order(new) && new->input_count < old->input_count) {
        add_obstacle(self,
                     "columns are taken in order, and there are %zu inputs: a caller gives "
                     "%zu",
                     new->input_count, old->input_count);
    }
    names_end(&before);
    names_end(&now);
}

/* ---- outputs ---- */

static bool
is_fraction(difference_type_t type)
{
    return type == DIFFERENCE_FLOAT32 || type == DIFFERENCE_FLOAT64;
}

static void
compare_output(difference_t *self, const difference_column_t *old, const difference_column_t *new)
{
    compare_units(self, "output", old, new);
    if (old->type == new->type || !old->type || !new->type) {
        return;
    }
    shown_t name = shown(new->name);
    add_fact(self, SUGGEST_OUTPUT_CHANGED, "the output '%s' is %s, it was %s", name.text,
             type_word(new->type), type_word(old->type));
    if (!is_fraction(old->type) || !is_fraction(new->type)) {
        add_obstacle(self, "the output '%s' is %s: a caller reads %s", name.text,
                     type_word(new->type), type_word(old->type));
    }
}

static void
compare_prediction(difference_t *self, const difference_side_t *old, const names_t *now)
{
    size_t at = 0;
    const char *before = old->output_count ? old->outputs[0].name : NULL;
    if (before && names_find(now, before, &at) && at != 0) {
        shown_t name = shown(before);
        add_fact(self, SUGGEST_OUTPUT_CHANGED, "the prediction is no longer '%s'", name.text);
        add_obstacle(self, "the prediction is no longer '%s'", name.text);
    }
}

static void
compare_outputs(difference_t *self, const difference_side_t *old, const difference_side_t *new)
{
    size_t at = 0;
    names_t before = names_of(old->outputs, old->output_count, sizeof *old->outputs);
    names_t now = names_of(new->outputs, new->output_count, sizeof *new->outputs);
    for (size_t i = 0; i < old->output_count; i++) {
        const difference_column_t *output = &old->outputs[i];
        if (output->name && names_find(&now, output->name, &at)) {
            compare_output(self, output, &new->outputs[at]);
        } else if (output->name) {
            shown_t name = shown(output->name);
            add_fact(self, SUGGEST_OUTPUT_CHANGED, "the output '%s' is gone", name.text);
            add_obstacle(self, "the output '%s' is gone", name.text);
        }
    }
    for (size_t i = 0; i < new->output_count; i++) {
        const char *name = new->outputs[i].name;
        if (name && !names_find(&before, name, &at)) {
            add_fact(self, SUGGEST_OUTPUT_CHANGED, "the output '%s' is new", shown(name).text);
        }
    }
    compare_prediction(self, old, &now);
    names_end(&before);
    names_end(&now);
}

static bool
has_same_classes(const difference_side_t *old, const difference_side_t *new)
{
    bool same = old->class_count == new->class_count;
    for (size_t i = 0; same && i < old->class_count; i++) {
        same = strcmp(old->classes[i], new->classes[i]) == 0;
    }
    return same;
}

static void
compare_classes(difference_t *self, const difference_side_t *old, const difference_side_t *new)
{
    if (old->class_count && new->class_count && !has_same_classes(old, new)) {
        add_fact(self, SUGGEST_OUTPUT_CHANGED, "it has other classes, or in another order");
        add_obstacle(self, "it has other classes, or in another order");
    }
    const char *before = old->positive_class;
    const char *now = new->positive_class;
    if (before && *before && now && *now && strcmp(before, now) != 0) {
        add_fact(self, SUGGEST_OUTPUT_CHANGED, "the positive class is '%s', it was '%s'",
                 shown(now).text, shown(before).text);
        add_obstacle(self, "the positive class is '%s', it was '%s'", shown(now).text,
                     shown(before).text);
    }
}

static const char *
task_word(int task)
{
    static const char *const words[] = {"nothing known", "regression", "binary", "multiclass"};
    return task >= 0 && (size_t)task < VLN_COUNT(words) ? words[task] : words[0];
}

static void
compare_tasks(difference_t *self, const difference_side_t *old, const difference_side_t *new)
{
    if (old->task && new->task && old->task != new->task) {
        add_fact(self, SUGGEST_OUTPUT_CHANGED, "its task is %s, it was %s", task_word(new->task),
                 task_word(old->task));
        add_obstacle(self, "its task is %s, it was %s", task_word(new->task), task_word(old->task));
    }
}

static void
compare_signatures(difference_t *self, const difference_side_t *old, const difference_side_t *new)
{
    if (!old->has_signature || !new->has_signature) {
        const char *unknown = old->has_signature ? new->title : old->title;
        add_note(self, "the signature of %s is not known: inputs and outputs are not compared",
                 shown(unknown).text);
        add_obstacle(self, "the signature of %s is not known", shown(unknown).text);
        return;
    }
    compare_inputs(self, old, new);
    compare_outputs(self, old, new);
    compare_tasks(self, old, new);
    compare_classes(self, old, new);
}

/* ---- the rest of the record ---- */

static bool
are_said_and_differ(const char *old, const char *new)
{
    return old && *old && new && *new && strcmp(old, new) != 0;
}

static void
compare_words(difference_t *self, const difference_side_t *old, const difference_side_t *new)
{
    if (are_said_and_differ(old->target, new->target)) {
        add_fact(self, SUGGEST_TARGET_CHANGED, "it predicts '%s', it predicted '%s'",
                 shown(new->target).text, shown(old->target).text);
        add_obstacle(self, "it predicts '%s': a caller means '%s'", shown(new->target).text,
                     shown(old->target).text);
    }
    if (are_said_and_differ(old->algorithm, new->algorithm)) {
        add_fact(self, SUGGEST_ALGORITHM_CHANGED, "the algorithm is '%s', it was '%s'",
                 shown(new->algorithm).text, shown(old->algorithm).text);
    }
    if (are_said_and_differ(old->framework, new->framework)) {
        add_fact(self, SUGGEST_ALGORITHM_CHANGED, "the framework is '%s', it was '%s'",
                 shown(new->framework).text, shown(old->framework).text);
    }
}

static void
compare_hyperparameter(difference_t *self, const difference_side_t *old,
                       const difference_pair_t *new, const names_t *before)
{
    size_t at = 0;
    if (!names_find(before, new->name, &at)) {
        add_fact(self, SUGGEST_HYPERPARAMETER_CHANGED, "%s is %s, it was not said",
                 shown(new->name).text, shown(new->value).text);
        return;
    }
    const char *value = old->hyperparameters[at].value;
    if (strcmp(value ? value : "", new->value ? new->value : "") != 0) {
        add_fact(self, SUGGEST_HYPERPARAMETER_CHANGED, "%s is %s, it was %s", shown(new->name).text,
                 shown(new->value).text, shown(value).text);
    }
}

static void
compare_hyperparameters(difference_t *self, const difference_side_t *old,
                        const difference_side_t *new)
{
    if (!old->hyperparameter_count || !new->hyperparameter_count) {
        return;
    }
    size_t at = 0;
    names_t before =
        names_of(old->hyperparameters, old->hyperparameter_count, sizeof *old->hyperparameters);
    names_t now =
        names_of(new->hyperparameters, new->hyperparameter_count, sizeof *new->hyperparameters);
    for (size_t i = 0; i < new->hyperparameter_count; i++) {
        if (new->hyperparameters[i].name) {
            compare_hyperparameter(self, old, &new->hyperparameters[i], &before);
        }
    }
    for (size_t i = 0; i < old->hyperparameter_count; i++) {
        const char *name = old->hyperparameters[i].name;
        if (name && !names_find(&now, name, &at)) {
            add_fact(self, SUGGEST_HYPERPARAMETER_CHANGED, "%s is no longer said",
                     shown(name).text);
        }
    }
    names_end(&before);
    names_end(&now);
}

static void
compare_artifacts(difference_t *self, const difference_side_t *old, const difference_side_t *new)
{
    bool both = old->digest && new->digest;
    if (both && (old->digest_size != new->digest_size ||
                 memcmp(old->digest, new->digest, old->digest_size) != 0)) {
        add_fact(self, SUGGEST_ARTIFACT_CHANGED, "its files have other bytes");
    }
}

/* ---- metrics ---- */

/* The first one that both versions have is the one they are judged by. */
static const struct {
    const char *name;
    int better; /* 1: up, -1: down */
} primary_metrics[] = {
    {"r2_score", 1},  {"r2", 1},           {"accuracy", 1},
    {"roc_auc", 1},   {"auc", 1},          {"f1", 1},
    {"f1_score", 1},  {"macro_f1", 1},     {"average_precision", 1},
    {"precision", 1}, {"recall", 1},       {"mae", -1},
    {"rmse", -1},     {"mse", -1},         {"log_loss", -1},
    {"mape", -1},     {"median_ae", -1},   {"max_error", -1},
    {"brier", -1},    {"brier_score", -1}, {"loss", -1},
};

static bool
find_metric(const difference_side_t *side, const char *name, double *out)
{
    for (size_t i = 0; i < side->metric_count; i++) {
        if (side->metrics[i].name && strcmp(side->metrics[i].name, name) == 0) {
            *out = side->metrics[i].value;
            return isfinite(*out);
        }
    }
    return false;
}

static void
add_change(difference_t *self, const char *metric, int better, double before, double now)
{
    double change = (now / fabs(before) - before / fabs(before)) * better;
    double size = fabs(change) < LARGEST_CHANGE ? fabs(change) : LARGEST_CHANGE;
    if (size <= 0) {
        return;
    }
    suggest_key_t key =
        change > 0 ? SUGGEST_PERFORMANCE_IMPROVEMENT : SUGGEST_PERFORMANCE_REGRESSION;
    self->context.of[key] = size;
    add_fact(self, key, "%s went from %.6g to %.6g: %.4g %% %s", metric, before, now, size * 100,
             change > 0 ? "better" : "worse");
}

static void
compare_metrics(difference_t *self, const difference_side_t *old, const difference_side_t *new)
{
    for (size_t i = 0; i < VLN_COUNT(primary_metrics); i++) {
        const char *name = primary_metrics[i].name;
        double before = 0;
        double now = 0;
        if (!find_metric(old, name, &before) || !find_metric(new, name, &now)) {
            continue;
        }
        if (fabs(before) > 0) {
            add_change(self, name, primary_metrics[i].better, before, now);
        } else if (fabs(now) > 0) {
            add_note(self, "%s was 0: how much better %.6g is cannot be said", name, now);
        }
        return;
    }
}

void
difference_find(const difference_side_t *old, const difference_side_t *new, difference_t *out)
{
    *out = (difference_t){.fact_count = 0};
    compare_signatures(out, old, new);
    compare_words(out, old, new);
    compare_hyperparameters(out, old, new);
    compare_artifacts(out, old, new);
    compare_metrics(out, old, new);
    count_what_was_left_out(out);
    out->callers_fit = out->obstacle_count == 0;
}

suggest_context_t
difference_merge(const suggest_context_t *said, const suggest_context_t *computed)
{
    suggest_context_t out = *computed;
    bool measured = computed->of[SUGGEST_PERFORMANCE_IMPROVEMENT] > 0 ||
                    computed->of[SUGGEST_PERFORMANCE_REGRESSION] > 0;
    for (size_t key = 0; key < SUGGEST_KEY_COUNT; key++) {
        bool known = out.of[key] > 0 || (measured && suggest_key_is_number((suggest_key_t)key));
        out.of[key] = known ? out.of[key] : said->of[key];
    }
    return out;
}
