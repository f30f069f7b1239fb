/*
 * Data sets: a name whose content changes over time; each content is an artifact and stays.
 */
#include <string.h>

#include "vln_event.h"
#include "vln_page.h"
#include "vln_pb.h"
#include "vln_text.h"

#include "registry.h"
#include "registry_datasets_store.h"
#include "registry_handlers.h"
#include "registry_record.h"
#include "registry_wire.h"
#include "valion/v1/registry.pb-c.h"

enum {
    DESCRIPTION_MAX = 5000,
    WORD_MAX = 250,
    COLUMNS_MAX = 500, /* with their names and types a reply still holds them */
    OPTIONS_MAX = 16,
    RECORD_MAX = 64 * 1024,
    RECORDS_MAX = 1024 * 1024,
};

/* ---- create ---- */

static bool
check_columns(vln_call_t *call, const Valion__V1__Dataset *dataset)
{
    if (dataset->n_columns > COLUMNS_MAX) {
        vln_call_refuse_field(call, "dataset.columns", "%zu columns; at most %d are recorded",
                              dataset->n_columns, COLUMNS_MAX);
        return false;
    }
    for (size_t i = 0; i < dataset->n_columns; i++) {
        const char *name = dataset->columns[i]->name;
        if (!name || !*name || strlen(name) > WORD_MAX) {
            vln_call_refuse_field(call, "dataset.columns.name",
                                  "a column has a name of 1 to %d "
                                  "bytes",
                                  WORD_MAX);
            return false;
        }
    }
    return true;
}

static bool
check_dataset(vln_call_t *call, const Valion__V1__Dataset *dataset)
{
    if (!dataset) {
        vln_call_refuse_field(call, "dataset", "say which: a name and the digest of its bytes");
        return false;
    }
    if (dataset->digest.len != VLN_DIGEST_BYTES) {
        vln_call_refuse_field(call, "dataset.digest", "a digest is the %d bytes of a SHA-256",
                              VLN_DIGEST_BYTES);
        return false;
    }
    if (dataset->format && strcmp(dataset->format, "csv") != 0) {
        vln_call_refuse_field(call, "dataset.format", "'%.32s' is not read here: csv is",
                              dataset->format);
        return false;
    }
    if (dataset->rows < 0 || dataset->n_options > OPTIONS_MAX) {
        vln_call_refuse_field(call, "dataset", "rows are not below 0, options at most %d",
                              OPTIONS_MAX);
        return false;
    }
    return registry_check_model_name(call, dataset->name) &&
           registry_check_text(call, "dataset.description", dataset->description,
                               DESCRIPTION_MAX) &&
           check_columns(call, dataset);
}

/* What is stored: as given, with what the registry knows itself. NULL, and the call refused, if it
 * is too large to be read back. */
static const uint8_t *
pack_record(vln_call_t *call, const Valion__V1__Dataset *given, int64_t size_bytes, size_t *size)
{
    Valion__V1__Dataset record = *given;
    const char *tags = registry_join_tags(call, given->tags, given->n_tags);
    if (!tags) {
        return NULL;
    }
    registry_split_lines(call->arena, tags, &record.tags, &record.n_tags);
    record.has_size_bytes = 1;
    record.size_bytes = size_bytes;
    record.format = registry_borrowed(given->format ? given->format : "csv");
    record.author = registry_borrowed(call->ticket ? call->ticket->submitter : call->principal);
    record.has_created_us = 0;
    record.base.n_unknown_fields = 0;
    const uint8_t *bytes = vln_pb_pack(&record.base, call->arena, size);
    vln_pb_scan_t scan;
    if (*size > RECORD_MAX ||
        vln_pb_scan(&valion__v1__dataset__descriptor, bytes, *size, &scan) != VLN_OK) {
        vln_call_refuse_field(call, "dataset",
                              "what is said of it is too long: %zu bytes; at most "
                              "%d are kept",
                              *size, RECORD_MAX);
        return NULL;
    }
    return bytes;
}

/* As a message; NULL, and the call refused, if the record cannot be read. */
Valion__V1__Dataset *
registry_dataset_to_wire(vln_call_t *call, const registry_dataset_t *dataset)
{
    vln_pb_scan_t scan;
    ProtobufCMessage *message = NULL;
    if (vln_pb_unpack(&valion__v1__dataset__descriptor, dataset->record, dataset->record_size,
                      call->arena, &message, &scan) != VLN_OK) {
        vln_call_refuse(call, VLN_DATA_LOSS, VALION__V1__REASON__REASON_CORRUPT,
                        "the record of this data set cannot be read: %s", scan.why);
        return NULL;
    }
    Valion__V1__Dataset *wire = (Valion__V1__Dataset *)message;
    wire->has_created_us = 1;
    wire->created_us = dataset->created_us;
    return wire;
}

static void
add_event(vln_events_t *events, vln_call_t *call, const Valion__V1__Dataset *dataset)
{
    char hex[2 * VLN_DIGEST_BYTES + 1];
    const vln_fact_t facts[] = {
        {"dataset", dataset->name},
        {"digest", vln_hex_encode(dataset->digest.data, VLN_DIGEST_BYTES, hex)},
        {NULL, NULL}};
    vln_events_add(events, "dataset.created", dataset->name, vln_call_actor(call), facts);
}

static vln_err_t
create_one(registry_worker_t *self, vln_call_t *call, vln_events_t *events)
{
    const Valion__V1__CreateDatasetRequest *request = (const void *)call->request;
    const Valion__V1__Dataset *given = request->dataset;
    registry_blob_t blob;
    if (!check_dataset(call, given)) {
        return VLN_OK;
    }
    vln_err_t err = registry_store_find_blob(self->store, call->arena, given->digest.data, &blob);
    if (err == VLN_NOT_FOUND) {
        vln_call_refuse(call, err, VALION__V1__REASON__REASON_FIELD,
                        "no bytes of this digest are stored here: upload them first");
        return VLN_OK;
    }
    if (err != VLN_OK) {
        return err;
    }
    registry_dataset_t dataset = {.name = given->name};
    bool created = false;
    dataset.record = pack_record(call, given, blob.size_bytes, &dataset.record_size);
    if (!dataset.record) {
        return VLN_OK;
    }
    err =
        registry_datasets_create(self->store, call->arena, given->digest.data, &dataset, &created);
    if (err != VLN_OK) {
        return err;
    }
    if (created) {
        add_event(events, call, given);
    }
    NEW(call->arena, Valion__V1__CreateDatasetReply, reply, valion__v1__create_dataset_reply__init);
    reply->dataset = registry_dataset_to_wire(call, &dataset);
    if (reply->dataset) {
        vln_call_reply(call, &reply->base);
    }
    return VLN_OK;
}

static vln_err_t
work_create(void *context, vln_call_t **calls, size_t count)
{
    registry_worker_t *self = context;
    vln_events_t *events = vln_events_new(calls[0]->arena);
    for (size_t i = 0; i < count; i++) {
        vln_err_t err = create_one(self, calls[i], events);
        if (err != VLN_OK) {
            return err;
        }
    }
    return registry_store_write_events(self->store, events);
}

void
registry_create_dataset(void *worker, vln_call_t **calls, size_t count)
{
    registry_run_once(worker, calls, count, work_create);
}

/* ---- read ---- */

void
registry_get_dataset(void *worker, vln_call_t **calls, size_t count)
{
    registry_worker_t *self = worker;
    vln_call_t *call = calls[0];
    vln_assert(count == 1);
    const Valion__V1__GetDatasetRequest *request = (const void *)call->request;
    registry_dataset_t dataset;
    if (request->digest.len != 0 && request->digest.len != VLN_DIGEST_BYTES) {
        vln_call_refuse_field(call, "digest", "a digest is the %d bytes of a SHA-256",
                              VLN_DIGEST_BYTES);
        return;
    }
    if (!registry_check_model_name(call, request->name)) {
        return;
    }
    vln_err_t err =
        registry_datasets_find(self->store, call->arena, request->name,
                               request->digest.len ? request->digest.data : NULL, &dataset);
    if (err == VLN_NOT_FOUND) {
        vln_call_refuse(call, err, VALION__V1__REASON__REASON_UNSPECIFIED,
                        "there is no data set '%s'%s; ListDatasets lists them", request->name,
                        request->digest.len ? " of this digest" : "");
        return;
    }
    if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
        return;
    }
    NEW(call->arena, Valion__V1__GetDatasetReply, reply, valion__v1__get_dataset_reply__init);
    reply->dataset = registry_dataset_to_wire(call, &dataset);
    if (reply->dataset) {
        vln_call_reply(call, &reply->base);
    }
}

void
registry_list_datasets(void *worker, vln_call_t **calls, size_t count)
{
    registry_worker_t *self = worker;
    vln_call_t *call = calls[0];
    vln_assert(count == 1);
    const Valion__V1__ListDatasetsRequest *request = (const void *)call->request;
    registry_dataset_filter_t filter = {.text = request->text, .bytes_max = RECORDS_MAX};
    if (!registry_page_size(call, request->page, &filter.limit) ||
        !registry_page_token(call, request->page, &filter.after) ||
        !registry_check_text(call, "text", request->text, WORD_MAX)) {
        return;
    }
    registry_dataset_t *datasets = NULL;
    size_t found = 0;
    vln_err_t err = registry_datasets_list(self->store, call->arena, &filter, &datasets, &found);
    if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
        return;
    }
    NEW(call->arena, Valion__V1__ListDatasetsReply, reply, valion__v1__list_datasets_reply__init);
    reply->datasets = vln_arena_alloc(call->arena, (found + 1) * sizeof *reply->datasets);
    vln_page_t page = {0};
    for (size_t i = 0; i < found; i++) {
        Valion__V1__Dataset *wire = registry_dataset_to_wire(call, &datasets[i]);
        if (!wire) {
            return;
        }
        if (!vln_page_take(&page, call->arena, &wire->base)) {
            break;
        }
        reply->datasets[reply->n_datasets++] = wire;
    }
    if (reply->n_datasets && ((int)found == filter.limit || reply->n_datasets < found)) {
        reply->has_next_token = 1;
        reply->next_token = registry_token_of(datasets[reply->n_datasets - 1].name);
    }
    vln_call_reply(call, &reply->base);
}
