#include "registry_change.h"

#include <math.h>
#include <string.h>

#include "vln_text.h"

#include "registry_wire.h"

/* ---- contexts ---- */

/* Where a key's field is in the message. */
typedef struct place {
    size_t value;
    size_t has;
    bool number;
} place_t;

static place_t
place_of(suggest_key_t key)
{
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field_by_name(
        &valion__v1__change_context__descriptor, suggest_key_name(key));
    bool number = suggest_key_is_number(key);
    vln_assert(field && field->type == (number ? PROTOBUF_C_TYPE_DOUBLE : PROTOBUF_C_TYPE_BOOL));
    return (place_t){field->offset, field->quantifier_offset, number};
}

static double
read_field(const Valion__V1__ChangeContext *wire, suggest_key_t key)
{
    const place_t place = place_of(key);
    const char *base = (const char *)wire;
    protobuf_c_boolean has = 0;
    protobuf_c_boolean flag = 0;
    double number = 0;
    memcpy(&has, base + place.has, sizeof has);
    if (!has) {
        return 0;
    }
    if (place.number) {
        memcpy(&number, base + place.value, sizeof number);
        return number;
    }
    memcpy(&flag, base + place.value, sizeof flag);
    return flag ? 1 : 0;
}

static suggest_context_t
context_of(const Valion__V1__ChangeContext *wire)
{
    suggest_context_t out = {.of = {0}};
    for (size_t key = 0; wire && key < SUGGEST_KEY_COUNT; key++) {
        out.of[key] = read_field(wire, (suggest_key_t)key);
    }
    return out;
}

bool
registry_check_context(vln_call_t *call, const Valion__V1__ChangeContext *context)
{
    const suggest_context_t said = context_of(context);
    for (size_t key = 0; key < SUGGEST_KEY_COUNT; key++) {
        if (!isfinite(said.of[key])) {
            vln_call_refuse_field(call, "context", "%s is a finite number: 0.1 is 10 %%",
                                  suggest_key_name((suggest_key_t)key));
            return false;
        }
    }
    return true;
}

static void
write_field(Valion__V1__ChangeContext *wire, suggest_key_t key, double value)
{
    const place_t place = place_of(key);
    const protobuf_c_boolean yes = 1;
    char *base = (char *)wire;
    memcpy(base + place.has, &yes, sizeof yes);
    if (place.number) {
        memcpy(base + place.value, &value, sizeof value);
    } else {
        memcpy(base + place.value, &yes, sizeof yes);
    }
}

Valion__V1__ChangeContext *
registry_context_to_wire(vln_arena_t *arena, const suggest_context_t *context)
{
    NEW(arena, Valion__V1__ChangeContext, wire, valion__v1__change_context__init);
    for (size_t key = 0; key < SUGGEST_KEY_COUNT; key++) {
        if (context->of[key] > 0 || context->of[key] < 0) {
            write_field(wire, (suggest_key_t)key, context->of[key]);
        }
    }
    return wire;
}

/* ---- versions ---- */

static const difference_column_t *
columns_of(vln_arena_t *arena, Valion__V1__Column *const *wire, size_t count)
{
    difference_column_t *out = vln_arena_alloc(arena, (count + 1) * sizeof *out);
    for (size_t i = 0; i < count; i++) {
        out[i] = (difference_column_t){.name = wire[i]->name,
                                       .type = (difference_type_t)wire[i]->type,
                                       .unit = wire[i]->unit,
                                       .optional = wire[i]->optional_input,
                                       .category_count = wire[i]->n_categories,
                                       .categories = (const char *const *)wire[i]->categories};
    }
    return out;
}

static void
take_signature(vln_arena_t *arena, const Valion__V1__Signature *wire, difference_side_t *out)
{
    out->has_signature = wire != NULL;
    if (!wire) {
        return;
    }
    out->input_count = wire->n_inputs;
    out->inputs = columns_of(arena, wire->inputs, wire->n_inputs);
    out->output_count = wire->n_outputs;
    out->outputs = columns_of(arena, wire->outputs, wire->n_outputs);
    out->task = (int)wire->task;
    out->class_count = wire->n_classes;
    out->classes = (const char *const *)wire->classes;
    out->positive_class = wire->positive_class;
}

static void
take_pairs(vln_arena_t *arena, const Valion__V1__Version *wire, difference_side_t *out)
{
    size_t pairs = wire->n_hyperparameters;
    difference_pair_t *hyperparameters =
        vln_arena_alloc(arena, (pairs + 1) * sizeof *hyperparameters);
    for (size_t i = 0; i < pairs; i++) {
        hyperparameters[i] =
            (difference_pair_t){wire->hyperparameters[i]->key, wire->hyperparameters[i]->value};
    }
    out->hyperparameters = hyperparameters;
    out->hyperparameter_count = pairs;
    difference_metric_t *metrics = vln_arena_alloc(arena, (wire->n_metrics + 1) * sizeof *metrics);
    for (size_t i = 0; i < wire->n_metrics; i++) {
        metrics[i] = (difference_metric_t){wire->metrics[i]->key, wire->metrics[i]->value};
    }
    out->metrics = metrics;
    out->metric_count = wire->n_metrics;
}

static difference_side_t
side_of(vln_arena_t *arena, const Valion__V1__Version *wire, const char *title)
{
    difference_side_t out = {.title = title ? title : wire->version,
                             .target = wire->target,
                             .algorithm = wire->algorithm,
                             .framework = wire->framework,
                             .digest = wire->has_digest ? wire->digest.data : NULL,
                             .digest_size = wire->digest.len};
    take_signature(arena, wire->signature, &out);
    take_pairs(arena, wire, &out);
    return out;
}

const difference_t *
registry_change_find(vln_arena_t *arena, const Valion__V1__Version *old,
                     const Valion__V1__Version *new, const char *title)
{
    difference_t *out = vln_arena_alloc(arena, sizeof *out);
    const difference_side_t before = side_of(arena, old, NULL);
    const difference_side_t now = side_of(arena, new, title);
    difference_find(&before, &now, out);
    return out;
}

/* ---- rules ---- */

vln_err_t
registry_rules_load(registry_store_t *store, vln_arena_t *arena, const registry_rules_t **out)
{
    registry_rules_t *rules = vln_arena_alloc(arena, sizeof *rules);
    registry_rule_t *rows = NULL;
    size_t count = 0;
    *out = NULL;
    vln_err_t err = registry_rules_list(store, arena, &rows, &count);
    if (err != VLN_OK) {
        return err;
    }
    for (size_t i = 0; i < count && rules->count < SUGGEST_RULES_MAX; i++) {
        suggest_rule_t *rule = &rules->rules[rules->count];
        *rule = (suggest_rule_t){.threshold = rows[i].threshold,
                                 /* the contract's bumps are in the same order, one up */
                                 .bump = (semver_bump_t)(rows[i].bump - 1),
                                 .order = rows[i].order};
        vln_text_copy(rule->name, sizeof rule->name, rows[i].name);
        rules->count += suggest_key_parse(rows[i].key, &rule->key) ? 1 : 0;
    }
    *out = rules;
    return VLN_OK;
}

const registry_verdict_t *
registry_change_judge(vln_arena_t *arena, const registry_rules_t *rules,
                      const Valion__V1__ChangeContext *said, const difference_t *difference)
{
    static const suggest_context_t nothing;
    registry_verdict_t *out = vln_arena_alloc(arena, sizeof *out);
    const suggest_context_t given = context_of(said);
    out->context = difference_merge(&given, difference ? &difference->context : &nothing);
    const suggest_question_t question = {.context = &out->context,
                                         .facts = difference ? difference->facts : NULL,
                                         .fact_count = difference ? difference->fact_count : 0,
                                         .rules = rules->rules,
                                         .rule_count = rules->count};
    suggest_bump(&question, &out->suggestion);
    for (size_t i = 0; difference && i < difference->note_count; i++) {
        suggest_add_reason(&out->suggestion, difference->notes[i]);
    }
    return out;
}

char **
registry_change_reasons(vln_arena_t *arena, const suggestion_t *suggestion, size_t *count)
{
    char **out = vln_arena_alloc(arena, SUGGEST_REASONS_MAX * sizeof *out);
    *count = suggestion->reason_count;
    for (size_t i = 0; i < *count; i++) {
        out[i] = vln_arena_strdup(arena, suggestion->reasons[i]);
    }
    return out;
}
