/*
 * What the record says of one version: as a model card, for people and for programs.
 */
#include "registry_card.h"

#include "vln_page.h"

#include "registry.h"
#include "registry_differences.h"
#include "registry_evidence_store.h"
#include "registry_handlers.h"
#include "registry_models.h"
#include "registry_record.h"
#include "registry_search_store.h"
#include "registry_versions.h"
#include "registry_wire.h"

enum {
    REPORTS_MAX = 20,
    ROWS_MAX = 50,         /* of changes, grants, children */
    RESERVED_FIELDS = 400, /* of the texts that a card lists, and of what is around it */
    RECORD_BYTES = 64 * 1024,
};

/* One GetModelCard on its way. What does not fit the reply any more is left out. */
typedef struct gathering {
    registry_worker_t *worker;
    vln_call_t *call;
    vln_page_t page;
    Valion__V1__ModelCard *card;
} gathering_t;

static bool
fits(gathering_t *self, const ProtobufCMessage *item)
{
    return vln_page_take(&self->page, self->call->arena, item);
}

static registry_version_key_t
key_of(const gathering_t *self)
{
    return (registry_version_key_t){.model = self->card->version->model,
                                    .version = self->card->version->version};
}

static vln_err_t
take_reports(gathering_t *self)
{
    registry_summary_t *reports = NULL;
    size_t found = 0;
    const registry_report_filter_t filter = {.model = self->card->version->model,
                                             .version = self->card->version->version,
                                             .limit = REPORTS_MAX};
    vln_arena_t *arena = self->call->arena;
    vln_err_t err = registry_reports_list(self->worker->store, arena, &filter, &reports, &found);
    self->card->reports = vln_arena_alloc(arena, (found + 1) * sizeof *self->card->reports);
    for (size_t i = 0; i < found; i++) {
        Valion__V1__Report *wire =
            registry_report_to_wire(self->call, reports[i].summary, reports[i].size);
        if (!wire || !fits(self, &wire->base)) {
            break;
        }
        self->card->reports[self->card->n_reports++] = wire;
    }
    return err;
}

static vln_err_t
take_changes(gathering_t *self)
{
    registry_stage_change_t *changes = NULL;
    size_t found = 0;
    const registry_version_key_t key = key_of(self);
    const registry_change_filter_t filter = {
        .model = key.model, .version = key.version, .limit = ROWS_MAX};
    vln_arena_t *arena = self->call->arena;
    vln_err_t err =
        registry_stages_list_changes(self->worker->store, arena, &filter, &changes, &found);
    self->card->changes = vln_arena_alloc(arena, (found + 1) * sizeof *self->card->changes);
    for (size_t i = 0; i < found; i++) {
        Valion__V1__StageChange *wire = registry_change_to_wire(arena, key.model, &changes[i]);
        if (!fits(self, &wire->base)) {
            break;
        }
        self->card->changes[self->card->n_changes++] = wire;
    }
    return err;
}

static vln_err_t
take_grants(gathering_t *self)
{
    registry_grant_t *grants = NULL;
    size_t found = 0;
    const registry_version_key_t key = key_of(self);
    vln_arena_t *arena = self->call->arena;
    vln_err_t err = registry_grants_of(self->worker->store, arena, &key, ROWS_MAX, &grants, &found);
    self->card->grants = vln_arena_alloc(arena, (found + 1) * sizeof *self->card->grants);
    for (size_t i = 0; i < found; i++) {
        Valion__V1__Grant *wire = registry_grant_to_wire(arena, &grants[i]);
        if (!fits(self, &wire->base)) {
            break;
        }
        self->card->grants[self->card->n_grants++] = wire;
    }
    return err;
}

size_t
registry_data_of(const Valion__V1__Lineage *lineage, const uint8_t *out[REGISTRY_DATA_MAX])
{
    size_t count = 0;
    for (size_t i = 0; lineage && i < lineage->n_dataset_digests && count < REGISTRY_DATA_MAX;
         i++) {
        if (lineage->dataset_digests[i].len == VLN_DIGEST_BYTES) {
            out[count++] = lineage->dataset_digests[i].data;
        }
    }
    return count;
}

static vln_err_t
take_datasets(gathering_t *self)
{
    const uint8_t *digests[REGISTRY_DATA_MAX];
    size_t digest_count = registry_data_of(self->card->version->lineage, digests);
    if (digest_count == 0) {
        return VLN_OK;
    }
    registry_dataset_t *datasets = NULL;
    size_t found = 0;
    vln_arena_t *arena = self->call->arena;
    vln_err_t err =
        registry_datasets_of(self->worker->store, arena, digests, digest_count, &datasets, &found);
    self->card->datasets = vln_arena_alloc(arena, (found + 1) * sizeof *self->card->datasets);
    for (size_t i = 0; i < found; i++) {
        Valion__V1__Dataset *wire = registry_dataset_to_wire(self->call, &datasets[i]);
        if (!wire || !fits(self, &wire->base)) {
            break;
        }
        self->card->datasets[self->card->n_datasets++] = wire;
    }
    return err;
}

/* The version that this one is compared with: its parent, else the one below it. VLN_OK, and
 * out->version NULL, if there is none. */
static vln_err_t
find_before(gathering_t *self, registry_version_t *out)
{
    const Valion__V1__Version *version = self->card->version;
    registry_store_t *store = self->worker->store;
    vln_arena_t *arena = self->call->arena;
    semver_t semver;
    *out = (registry_version_t){0};
    if (version->lineage && version->lineage->parent_version) {
        const registry_version_key_t key = {version->model, version->lineage->parent_version, NULL};
        vln_err_t err = registry_store_find_versions(store, arena, &key, 1, out);
        if (err != VLN_OK || out->version) {
            return err;
        }
    }
    vln_assert(semver_parse(version->version, &semver));
    const registry_version_filter_t filter = {.model = version->model,
                                              .after = &semver,
                                              .prereleases = true,
                                              .order = REGISTRY_BY_PRECEDENCE,
                                              .limit = 1,
                                              .bytes_max = RECORD_BYTES};
    registry_version_t *found = NULL;
    size_t count = 0;
    vln_err_t err = registry_search_versions(store, arena, &filter, &found, &count);
    if (err == VLN_OK && count == 1) {
        *out = found[0];
    }
    return err;
}

static vln_err_t
take_differences(gathering_t *self)
{
    registry_version_t before;
    vln_err_t err = find_before(self, &before);
    if (err != VLN_OK || !before.version) {
        return err;
    }
    const Valion__V1__Version *wire = registry_version_to_wire(self->call, &before);
    if (wire) {
        self->card->compared_with = registry_borrowed(before.version);
        self->card->differences = registry_differences(self->call->arena, wire, self->card->version,
                                                       &self->card->n_differences);
    }
    return VLN_OK;
}

static vln_err_t
take_children(gathering_t *self)
{
    const char **children = NULL;
    size_t count = 0;
    const registry_version_key_t key = key_of(self);
    vln_err_t err = registry_search_children(self->worker->store, self->call->arena, key.model,
                                             key.version, &children, &count);
    self->card->children =
        vln_arena_alloc(self->call->arena, (count + 1) * sizeof *self->card->children);
    for (size_t i = 0; i < count; i++) {
        self->card->children[self->card->n_children++] = registry_borrowed(children[i]);
    }
    return err;
}

static vln_err_t
take_model(gathering_t *self)
{
    registry_model_t model;
    vln_err_t err = registry_store_find_model(self->worker->store, self->call->arena,
                                              self->card->version->model, &model);
    if (err == VLN_OK) {
        Valion__V1__Model *wire = registry_model_to_wire(self->call->arena, &model);
        self->card->model = fits(self, &wire->base) ? wire : NULL;
    }
    return err;
}

static vln_err_t
gather(gathering_t *self)
{
    static vln_err_t (*const parts[])(gathering_t *) = {
        take_model,  take_datasets, take_children, take_differences,
        take_grants, take_changes,  take_reports};
    vln_err_t err = VLN_OK;
    for (size_t i = 0; i < VLN_COUNT(parts) && err == VLN_OK; i++) {
        err = parts[i](self);
    }
    return err;
}

bool
registry_find_named(registry_worker_t *self, vln_call_t *call, const registry_version_key_t *named,
                    Valion__V1__Version **out)
{
    registry_version_t found;
    vln_err_t err = registry_store_find_versions(self->store, call->arena, named, 1, &found);
    if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
        return false;
    }
    if (!found.version) {
        vln_call_refuse(call, VLN_NOT_FOUND, VALION__V1__REASON__REASON_UNSPECIFIED,
                        "there is no such version of a model '%s'; ListVersions lists them",
                        named->model);
        return false;
    }
    *out = registry_version_to_wire(call, &found);
    return *out != NULL;
}

void
registry_get_model_card(void *worker, vln_call_t **calls, size_t count)
{
    vln_call_t *call = calls[0];
    vln_assert(count == 1);
    const Valion__V1__GetModelCardRequest *request = (const void *)call->request;
    const registry_version_key_t key =
        registry_version_key(request->model, request->version, request->alias);
    NEW(call->arena, Valion__V1__ModelCard, card, valion__v1__model_card__init);
    gathering_t self = {
        .worker = worker, .call = call, .page = {.fields = RESERVED_FIELDS}, .card = card};
    if (!registry_check_model_name(call, request->model) ||
        !registry_find_named(worker, call, &key, &card->version)) {
        return;
    }
    vln_err_t err = fits(&self, &card->version->base) ? gather(&self) : VLN_INTERNAL;
    if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
    } else if (!vln_call_is_refused(call)) {
        NEW(call->arena, Valion__V1__GetModelCardReply, reply,
            valion__v1__get_model_card_reply__init);
        reply->card = card;
        reply->markdown = registry_card_to_markdown(call->arena, card);
        vln_call_reply(call, &reply->base);
    }
}
