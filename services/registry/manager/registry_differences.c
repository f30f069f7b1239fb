#include "registry_differences.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { DIFFERENCES_MAX = 256 };

/* Sentences on how two records differ. */
typedef struct differences {
    vln_arena_t *arena;
    size_t count;
    char *lines[DIFFERENCES_MAX];
} differences_t;

static void __attribute__((format(printf, 2, 3)))
add_difference(differences_t *self, const char *format, ...)
{
    char line[512];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (self->count < DIFFERENCES_MAX) {
        self->lines[self->count++] = vln_arena_strdup(self->arena, line);
    }
}

static const Valion__V1__KeyNumber *
find_number(Valion__V1__KeyNumber *const *list, size_t count, const char *key)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i]->key, key) == 0) {
            return list[i];
        }
    }
    return NULL;
}

static void
compare_metrics(differences_t *out, const Valion__V1__Version *old, const Valion__V1__Version *new)
{
    for (size_t i = 0; i < new->n_metrics; i++) {
        const Valion__V1__KeyNumber *now = new->metrics[i];
        const Valion__V1__KeyNumber *before = find_number(old->metrics, old->n_metrics, now->key);
        if (!before) {
            add_difference(out, "metric %s: new, %.6g", now->key, now->value);
        } else if (before->value < now->value || before->value > now->value) {
            add_difference(out, "metric %s: %.6g -> %.6g", now->key, before->value, now->value);
        }
    }
    for (size_t i = 0; i < old->n_metrics; i++) {
        if (!find_number(new->metrics, new->n_metrics, old->metrics[i]->key)) {
            add_difference(out, "metric %s: gone", old->metrics[i]->key);
        }
    }
}

static const char *
find_value(Valion__V1__KeyValue *const *list, size_t count, const char *key)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i]->key, key) == 0) {
            return list[i]->value ? list[i]->value : "";
        }
    }
    return NULL;
}

static void
compare_hyperparameters(differences_t *out, const Valion__V1__Version *old,
                        const Valion__V1__Version *new)
{
    for (size_t i = 0; i < new->n_hyperparameters; i++) {
        const char *key = new->hyperparameters[i]->key;
        const char *now = find_value(new->hyperparameters, new->n_hyperparameters, key);
        const char *before = find_value(old->hyperparameters, old->n_hyperparameters, key);
        if (!before || strcmp(before, now) != 0) {
            add_difference(out, "hyperparameter %s: %s -> %s", key, before ? before : "(none)",
                           now);
        }
    }
    for (size_t i = 0; i < old->n_hyperparameters; i++) {
        const char *key = old->hyperparameters[i]->key;
        if (!find_value(new->hyperparameters, new->n_hyperparameters, key)) {
            add_difference(out, "hyperparameter %s: gone", key);
        }
    }
}

static const Valion__V1__Column *
find_input(const Valion__V1__Version *version, const char *name)
{
    const Valion__V1__Signature *signature = version->signature;
    for (size_t i = 0; signature && i < signature->n_inputs; i++) {
        if (signature->inputs[i]->name && strcmp(signature->inputs[i]->name, name) == 0) {
            return signature->inputs[i];
        }
    }
    return NULL;
}

static void
compare_input(differences_t *out, const Valion__V1__Version *old, const Valion__V1__Column *now)
{
    const Valion__V1__Column *before = find_input(old, now->name);
    if (!before) {
        add_difference(out, "feature %s: new%s", now->name,
                       now->optional_input ? ", optional" : "");
    } else if (before->type != now->type) {
        add_difference(out, "feature %s: another type", now->name);
    }
}

static void
compare_inputs(differences_t *out, const Valion__V1__Version *old, const Valion__V1__Version *new)
{
    for (size_t i = 0; new->signature &&i < new->signature->n_inputs; i++) {
        if (new->signature->inputs[i]->name) {
            compare_input(out, old, new->signature->inputs[i]);
        }
    }
    for (size_t i = 0; old->signature && i < old->signature->n_inputs; i++) {
        const char *name = old->signature->inputs[i]->name;
        if (name && !find_input(new, name)) {
            add_difference(out, "feature %s: gone", name);
        }
    }
}

static const char *
text_or_none(const char *text)
{
    return text && *text ? text : "(none)";
}

static void
compare_text_field(differences_t *out, const char *what, const char *old, const char *new)
{
    if (strcmp(text_or_none(old), text_or_none(new)) != 0) {
        add_difference(out, "%s: %.200s -> %.200s", what, text_or_none(old), text_or_none(new));
    }
}

/* From `old` to `new`. */
static void
compare_records(differences_t *out, const Valion__V1__Version *old, const Valion__V1__Version *new)
{
    compare_text_field(out, "algorithm", old->algorithm, new->algorithm);
    compare_text_field(out, "framework", old->framework, new->framework);
    compare_text_field(out, "target", old->target, new->target);
    compare_inputs(out, old, new);
    compare_hyperparameters(out, old, new);
    compare_metrics(out, old, new);
    bool same_bytes =
        old->digest.len ==
        new->digest.len &&memcmp(old->digest.data, new->digest.data, old->digest.len) == 0;
    if (!same_bytes) {
        add_difference(out, "artifacts: other bytes (%lld -> %lld)", (long long)old->size_bytes,
                       (long long)new->size_bytes);
    }
}

char **
registry_differences(vln_arena_t *arena, const Valion__V1__Version *old,
                     const Valion__V1__Version *new, size_t *count)
{
    differences_t *self = vln_arena_alloc(arena, sizeof *self);
    self->arena = arena;
    compare_records(self, old, new);
    *count = self->count;
    return self->lines;
}
