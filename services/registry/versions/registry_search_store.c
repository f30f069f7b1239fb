#include "registry_search_store.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "registry_store_inside.h"
#include "registry_words.h"

enum { WORDS_WEIGHED = 64, IN_RANGE_AT_ONCE = 16, RECORDS_BYTES = 1024 * 1024, SQL_MAX = 6144 };

/* A statement in the making: its text, and its parameters in the order in which they stand there. */
typedef struct query {
    char sql[SQL_MAX];
    size_t len;
    bool has_where;
    vln_pg_args_t args;
} query_t;

/* Constant texts only: values are parameters. `%d` is the number of the next one. */
static void __attribute__((format(printf, 2, 3)))
put(query_t *self, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    int len = vsnprintf(self->sql + self->len, sizeof self->sql - self->len, format, list);
    va_end(list);
    vln_assert(len >= 0 && (size_t)len < sizeof self->sql - self->len);
    self->len += (size_t)len;
}

static void
put_and(query_t *self)
{
    put(self, self->has_where ? " AND " : " WHERE ");
    self->has_where = true;
}

static int
next_arg(const query_t *self)
{
    return self->args.count + 1;
}

/* ---- words ---- */

/* Words that so large a share of the rows has are looked for in the rows that the others find: an
 * index would give all of theirs first. */
static const double COMMON_SHARE = 0.02;

/* Which of the words of `text` are common, by place; never all of them. */
static vln_err_t
find_common(registry_store_t *self, vln_arena_t *arena, const char *table, const char *text,
            uint64_t *common)
{
    const char *words = "";
    size_t count = 0;
    size_t len = 0;
    *common = 0;
    while (text && count < WORDS_WEIGHED && (len = registry_words_next(&text)) > 0) {
        words = vln_arena_printf(arena, "%s%s%.*s", words, count > 0 ? " " : "", (int)len, text);
        text += len;
        count++;
    }
    if (count < 2) {
        return VLN_OK;
    }
    vln_pg_args_t args = {0};
    vln_pg_text(&args, table);
    vln_pg_text(&args, words);
    PGresult *result = NULL;
    vln_err_t err = vln_pg_run(self->pg, WEIGH_WORDS, &args, &result);
    for (int i = 1; err == VLN_OK && i < PQntuples(result); i++) { /* the first is the rarest */
        int64_t at = vln_pg_get_i64(result, i, 0);
        if (vln_pg_get_double(result, i, 1) >= COMMON_SHARE && at >= 1 && at <= WORDS_WEIGHED) {
            *common |= UINT64_C(1) << (at - 1);
        }
    }
    PQclear(result);
    return err;
}

/* Those words of `text` that are common, or those that are not, as a tsquery: 'word':* & 'other':*.
 * NULL: there is none. */
static const char *
words_query(vln_arena_t *arena, const char *text, uint64_t common, bool wanted)
{
    const char *query = NULL;
    size_t len = 0;
    for (size_t at = 0; text && (len = registry_words_next(&text)) > 0; at++, text += len) {
        bool is_common = at < WORDS_WEIGHED && (common >> at & 1) != 0;
        if (is_common == wanted) {
            query = vln_arena_printf(arena, "%s%s'%.*s':*", query ? query : "", query ? " & " : "",
                                     (int)len, text);
        }
    }
    return query;
}

/* The lexeme of a facet, quoted for a tsquery. */
static const char *
quote_facet(vln_arena_t *arena, const char *prefix, const char *value)
{
    size_t len = strlen(value);
    char *out = vln_arena_alloc(arena, 2 * len + strlen(prefix) + 3);
    char *at = out;
    *at++ = '\'';
    memcpy(at, prefix, strlen(prefix));
    at += strlen(prefix);
    for (size_t i = 0; i < len; i++) {
        if (value[i] == '\'' || value[i] == '\\') {
            *at++ = value[i];
        }
        *at++ = value[i];
    }
    *at++ = '\'';
    *at = '\0';
    return out;
}

static void
put_facet(query_t *self, vln_arena_t *arena, const char *prefix, const char *value)
{
    if (value) {
        put_and(self);
        put(self, "words @@ $%d::text::tsquery", next_arg(self));
        vln_pg_text(&self->args, quote_facet(arena, prefix, value));
    }
}

static void
put_words(query_t *self, vln_arena_t *arena, const registry_words_t *words, uint64_t common)
{
    const char *rare = words_query(arena, words->text, common, false);
    const char *filter = words_query(arena, words->text, common, true);
    if (rare) {
        put_and(self);
        put(self, "words @@ lower($%d::text)::tsquery", next_arg(self));
        vln_pg_text(&self->args, rare);
    }
    if (filter) {
        put_and(self); /* so said, it is no condition of an index */
        put(self, "(words @@ lower($%d::text)::tsquery) IS TRUE", next_arg(self));
        vln_pg_text(&self->args, filter);
    }
    put_facet(self, arena, "t:", words->tag);
    put_facet(self, arena, "a:", words->author);
    put_facet(self, arena, "l:", words->algorithm);
    put_facet(self, arena, "f:", words->framework);
}

static void
put_number(query_t *self, const char *condition, int64_t number)
{
    put_and(self);
    put(self, "%s $%d::bigint", condition, next_arg(self));
    vln_pg_i64(&self->args, number);
}

/* ---- models ---- */

/* Upwards, downwards. */
static const char *const model_orders[][2] = {
    [REGISTRY_BY_NAME] = {"name", "name DESC"},
    [REGISTRY_BY_CREATED] = {"seq", "seq DESC"},
    [REGISTRY_BY_UPDATED] = {"updated, name", "updated DESC, name DESC"},
};

static void
put_models_after(query_t *self, const registry_model_filter_t *filter)
{
    const char *sign = filter->descending ? "<" : ">";
    if (!filter->after_name) {
        return;
    }
    put_and(self);
    if (filter->order == REGISTRY_BY_CREATED) {
        put(self, "seq %s $%d::bigint", sign, next_arg(self));
        vln_pg_i64(&self->args, filter->after_number);
        return;
    }
    if (filter->order == REGISTRY_BY_UPDATED) {
        put(self,
            "(updated, name) %s (to_timestamp(0) + $%d::bigint * interval '1 microsecond',"
            " $%d::text)",
            sign, next_arg(self), next_arg(self) + 1);
        vln_pg_i64(&self->args, filter->after_number);
    } else {
        put(self, "name %s $%d::text", sign, next_arg(self));
    }
    vln_pg_text(&self->args, filter->after_name);
}

vln_err_t
registry_search_models(registry_store_t *self, vln_arena_t *arena,
                       const registry_model_filter_t *filter, registry_model_t **out, size_t *count)
{
    uint64_t common = 0;
    *count = 0;
    vln_err_t err = find_common(self, arena, "model", filter->words.text, &common);
    if (err != VLN_OK) {
        return err;
    }
    query_t *query = vln_arena_alloc(arena, sizeof *query);
    put(query, "SELECT " REGISTRY_MODEL_COLUMNS " FROM model m");
    put_models_after(query, filter);
    put_words(query, arena, &filter->words, common);
    if (filter->stage) {
        put_and(query);
        put(query,
            "EXISTS (SELECT FROM version v WHERE v.model = m.name AND v.stage = $%d::integer)",
            next_arg(query));
        vln_pg_i32(&query->args, filter->stage);
    }
    put(query, " ORDER BY %s LIMIT $%d::bigint", model_orders[filter->order][filter->descending],
        next_arg(query));
    vln_pg_i64(&query->args, filter->limit);
    PGresult *result = NULL;
    err = vln_pg_run_planned(self->pg, "search_models", query->sql, &query->args, &result);
    if (err == VLN_OK) {
        *count = (size_t)PQntuples(result);
        *out = vln_arena_alloc(arena, (*count + 1) * sizeof **out);
        for (size_t i = 0; i < *count; i++) {
            (*out)[i] = registry_store_read_model(result, (int)i, arena);
        }
    }
    PQclear(result);
    return err;
}

/* ---- versions ---- */

#define PRECEDENCE      "major, minor, patch, prerelease"
#define PRECEDENCE_DOWN "major DESC, minor DESC, patch DESC, prerelease DESC"

static void
put_bound(query_t *self, vln_arena_t *arena, const char *sign, const semver_t *version)
{
    if (!version) {
        return;
    }
    int at = next_arg(self);
    put_and(self);
    put(self, "(" PRECEDENCE ") %s ($%d::bigint, $%d::bigint, $%d::bigint, $%d::text)", sign, at,
        at + 1, at + 2, at + 3);
    vln_pg_i64(&self->args, version->major);
    vln_pg_i64(&self->args, version->minor);
    vln_pg_i64(&self->args, version->patch);
    vln_pg_text(&self->args, semver_prerelease_key(version, vln_arena_alloc(arena, SEMVER_KEY)));
}

/* As SHOWN_STATUS says it, but so that the partial indexes are found. */
static void
put_status(query_t *self, int status)
{
    enum { READY = 2, DEPLOYED = 3 };
    if (status == 0) {
        return;
    }
    put_and(self);
    if (status == DEPLOYED) {
        put(self, "open_grants > 0 AND status = 2");
    } else {
        put(self, "status = %d%s", status, status == READY ? " AND open_grants = 0" : "");
    }
}

static void
put_version_filter(query_t *self, vln_arena_t *arena, const registry_version_filter_t *filter,
                   uint64_t common)
{
    const char *after = filter->ascending ? ">" : "<";
    if (filter->model) {
        put_and(self);
        put(self, "model = $%d::text", next_arg(self));
        vln_pg_text(&self->args, filter->model);
    }
    put_bound(self, arena, after, filter->after);
    put_bound(self, arena, ">=", filter->minimum);
    put_bound(self, arena, "<=", filter->maximum);
    if (filter->after_seq > 0) {
        put_number(self, filter->ascending ? "seq >" : "seq <", filter->after_seq);
    }
    put_words(self, arena, &filter->words, common);
    put_facet(self, arena, "", filter->facet);
    if (!filter->prereleases) {
        put_and(self);
        put(self, "prerelease = '2'");
    }
    if (filter->stage) {
        put_and(self);
        put(self, "stage = %d", filter->stage); /* a constant, for the partial index */
    }
    put_status(self, filter->status);
}

static void
read_versions(const PGresult *result, vln_arena_t *arena, registry_version_t **out, size_t *count)
{
    *count = (size_t)PQntuples(result);
    *out = vln_arena_alloc(arena, (*count + 1) * sizeof **out);
    for (size_t i = 0; i < *count; i++) {
        (*out)[i] = registry_store_read_version(result, (int)i, arena);
        (*out)[i].seq = vln_pg_get_i64(result, (int)i, REGISTRY_VERSION_COLUMN_COUNT);
    }
}

vln_err_t
registry_search_versions(registry_store_t *self, vln_arena_t *arena,
                         const registry_version_filter_t *filter, registry_version_t **out,
                         size_t *count)
{
    bool by_created = filter->order == REGISTRY_BY_CREATED;
    const char *order = by_created ? (filter->ascending ? "seq" : "seq DESC")
                                   : (filter->ascending ? PRECEDENCE : PRECEDENCE_DOWN);
    uint64_t common = 0;
    *count = 0;
    vln_err_t err = find_common(self, arena, "version", filter->words.text, &common);
    if (err != VLN_OK) {
        return err;
    }
    query_t *query = vln_arena_alloc(arena, sizeof *query);
    put(query,
        "SELECT " REGISTRY_VERSION_COLUMNS ", v.seq FROM (SELECT *, sum(" REGISTRY_RECORD_BYTES
        ") OVER (ORDER BY %s ROWS UNBOUNDED PRECEDING) AS total FROM (SELECT * FROM version",
        order);
    put_version_filter(query, arena, filter, common);
    put(query,
        " ORDER BY %s LIMIT $%d::bigint) AS found) AS v WHERE total - " REGISTRY_RECORD_BYTES
        " < $%d::bigint ORDER BY %s",
        order, next_arg(query), next_arg(query) + 1, order);
    vln_pg_i64(&query->args, filter->limit);
    vln_pg_i64(&query->args, filter->bytes_max);
    PGresult *result = NULL;
    err = vln_pg_run_planned(self->pg, "search_versions", query->sql, &query->args, &result);
    if (err == VLN_OK) {
        read_versions(result, arena, out, count);
    }
    PQclear(result);
    return err;
}

/* ---- by range ---- */

/* The first that is in the range; else where the list ended, and false. */
static bool
find_in_list(const registry_version_t *versions, size_t count, const range_t *range, semver_t *out)
{
    for (size_t i = 0; i < count; i++) {
        vln_assert(semver_parse(versions[i].version, out));
        if (range_contains(range, out)) {
            return true;
        }
    }
    return false;
}

/* The highest of one set; within it only prereleases of other cores are passed over. */
static vln_err_t
find_in_set(registry_store_t *self, vln_arena_t *arena, const char *model, const range_hull_t *hull,
            const range_t *range, semver_t *out)
{
    registry_version_filter_t filter = {.model = model,
                                        .minimum = hull->low,
                                        .maximum = hull->high,
                                        .prereleases = hull->prereleases,
                                        .order = REGISTRY_BY_PRECEDENCE,
                                        .limit = IN_RANGE_AT_ONCE,
                                        .bytes_max = RECORDS_BYTES};
    size_t count = 0;
    do {
        registry_version_t *versions = NULL;
        vln_err_t err = registry_search_versions(self, arena, &filter, &versions, &count);
        if (err != VLN_OK || (count > 0 && find_in_list(versions, count, range, out))) {
            return err;
        }
        filter.after = out;
    } while (count == IN_RANGE_AT_ONCE);
    return VLN_NOT_FOUND;
}

vln_err_t
registry_search_in_range(registry_store_t *self, vln_arena_t *arena, const char *model,
                         const range_t *range, const char **out)
{
    semver_t best = {0};
    bool any = false;
    for (size_t set = 0; set < range->set_count; set++) {
        semver_t found;
        const range_hull_t hull = range_set_bounds(range, set);
        vln_err_t err = find_in_set(self, arena, model, &hull, range, &found);
        if (err != VLN_OK && err != VLN_NOT_FOUND) {
            return err;
        }
        if (err == VLN_OK && (!any || semver_compare(&found, &best) > 0)) {
            best = found;
            any = true;
        }
    }
    char text[SEMVER_TEXT];
    *out = any ? vln_arena_strdup(arena, semver_format(&best, text)) : NULL;
    return any ? VLN_OK : VLN_NOT_FOUND;
}

/* ---- children ---- */

vln_err_t
registry_search_children(registry_store_t *self, vln_arena_t *arena, const char *model,
                         const char *version, const char ***out, size_t *count)
{
    vln_pg_args_t args = {0};
    vln_pg_text(&args, model);
    vln_pg_text(&args, quote_facet(arena, "p:", version));
    vln_pg_i32(&args, REGISTRY_CHILDREN_MAX);
    PGresult *result = NULL;
    *count = 0;
    vln_err_t err = vln_pg_run(self->pg, FIND_CHILDREN, &args, &result);
    if (err == VLN_OK) {
        *count = (size_t)PQntuples(result);
        *out = vln_arena_alloc(arena, (*count + 1) * sizeof **out);
        for (size_t i = 0; i < *count; i++) {
            (*out)[i] = registry_store_text(result, (int)i, 0, arena);
        }
    }
    PQclear(result);
    return err;
}

/* ---- rows of an older release ---- */

vln_err_t
registry_search_without_words(registry_store_t *self, vln_arena_t *arena, int limit,
                              const char ***models, registry_version_t **out, size_t *count)
{
    vln_pg_args_t args = {0};
    vln_pg_i32(&args, limit);
    PGresult *result = NULL;
    *count = 0;
    vln_err_t err = vln_pg_run(self->pg, FIND_WITHOUT_WORDS, &args, &result);
    if (err == VLN_OK) {
        read_versions(result, arena, out, count);
        *models = vln_arena_alloc(arena, (*count + 1) * sizeof **models);
        for (size_t i = 0; i < *count; i++) {
            (*models)[i] =
                registry_store_text(result, (int)i, REGISTRY_VERSION_COLUMN_COUNT + 1, arena);
        }
    }
    PQclear(result);
    return err;
}

vln_err_t
registry_search_set_words(registry_store_t *self, const char *model, const char *version,
                          const char *words, const char *facets)
{
    vln_pg_args_t args = {0};
    vln_pg_text(&args, model);
    vln_pg_text(&args, version);
    vln_pg_text(&args, words);
    vln_pg_text(&args, facets);
    return vln_pg_run(self->pg, SET_WORDS, &args, NULL);
}
