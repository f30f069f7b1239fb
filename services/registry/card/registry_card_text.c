/*
 * A model card's text: sections in a fixed order, each only if the record has something for it.
 */
#include <inttypes.h>
#include <string.h>

#include "vln_digest.h"
#include "vln_id.h"
#include "vln_time.h"

#include "registry_card.h"
#include "registry_text.h"

enum { CARD_BYTES = 192 * 1024, CUT_ROOM = 128, SHORT_DIGEST = 6 };

/* ---- parts ---- */

/* "VERSION_STATUS_READY" as "ready". */
static void
put_enum(registry_text_t *out, const ProtobufCEnumDescriptor *type, int value)
{
    const ProtobufCEnumValue *found = protobuf_c_enum_descriptor_get_value(type, value);
    const char *name = found ? found->name : "";
    size_t skip = 0;
    if (type->n_values > 0) { /* what all names of the enum begin with ends before UNSPECIFIED */
        size_t prefix = strlen(type->values[0].name);
        size_t tail = strlen("UNSPECIFIED");
        skip = prefix > tail ? prefix - tail : 0;
    }
    for (name += strlen(name) > skip ? skip : 0; *name; name++) {
        registry_text_put(out, "%c", *name >= 'A' && *name <= 'Z' ? *name - 'A' + 'a' : *name);
    }
}

static void
put_hex(registry_text_t *out, const ProtobufCBinaryData *bytes, size_t most)
{
    for (size_t i = 0; i < bytes->len && i < most; i++) {
        registry_text_put(out, "%02x", bytes->data[i]);
    }
}

static void
put_time(registry_text_t *out, int64_t time_us)
{
    char text[VLN_TIME_TEXT];
    registry_text_put(out, "%s", vln_time_format(time_us, text));
}

static void
put_fact(registry_text_t *out, const char *name, const char *value)
{
    if (value && *value) {
        registry_text_put(out, "| %s | ", name);
        registry_text_put_cell(out, value);
        registry_text_put(out, " |\n");
    }
}

static void
put_number(registry_text_t *out, double value)
{
    registry_text_put(out, "%.6g", value);
}

/* ---- sections ---- */

static void
put_head(registry_text_t *out, const Valion__V1__Version *version)
{
    registry_text_put(out, "# ");
    registry_text_put_cell(out, version->model);
    registry_text_put(out, " %s\n\n", version->version);
    if (version->description && *version->description) {
        registry_text_put_cell(out, version->description);
        registry_text_put(out, "\n\n");
    }
    registry_text_put(out, "| | |\n|---|---|\n| stage | ");
    put_enum(out, &valion__v1__stage__descriptor, (int)version->stage);
    registry_text_put(out, " |\n| status | ");
    put_enum(out, &valion__v1__version_status__descriptor, (int)version->status);
    registry_text_put(out, " |\n");
    put_fact(out, "why", version->status_reason);
    put_fact(out, "algorithm", version->algorithm);
    put_fact(out, "framework", version->framework);
    put_fact(out, "author", version->author);
    put_fact(out, "target", version->target);
    registry_text_put(out, "| created | ");
    put_time(out, version->created_us);
    registry_text_put(out, " |\n| digest | ");
    put_hex(out, &version->digest, VLN_DIGEST_BYTES);
    registry_text_put(out, " |\n| size | %" PRId64 " bytes |\n", version->size_bytes);
    for (size_t i = 0; i < version->n_tags; i++) {
        put_fact(out, "tag", version->tags[i]);
    }
    for (size_t i = 0; i < version->n_aliases; i++) {
        put_fact(out, "alias", version->aliases[i]);
    }
    registry_text_put(out, "\n");
}

static void
put_columns(registry_text_t *out, const char *title, Valion__V1__Column *const *columns,
            size_t count)
{
    if (count == 0) {
        return;
    }
    registry_text_put(
        out, "## %s\n\n| column | type | unit | categories | |\n|---|---|---|---|---|\n", title);
    for (size_t i = 0; i < count; i++) {
        registry_text_put(out, "| ");
        registry_text_put_cell(out, columns[i]->name);
        registry_text_put(out, " | ");
        put_enum(out, &valion__v1__column_type__descriptor, (int)columns[i]->type);
        registry_text_put(out, " | ");
        registry_text_put_cell(out, columns[i]->unit);
        registry_text_put(out, " | ");
        for (size_t c = 0; c < columns[i]->n_categories; c++) {
            registry_text_put(out, "%s", c ? ", " : "");
            registry_text_put_cell(out, columns[i]->categories[c]);
        }
        registry_text_put(out, " | %s |\n", columns[i]->optional_input ? "optional" : "");
    }
    registry_text_put(out, "\n");
}

static void
put_pairs(registry_text_t *out, const char *title, Valion__V1__KeyValue *const *pairs, size_t count)
{
    if (count == 0) {
        return;
    }
    registry_text_put(out, "## %s\n\n| | |\n|---|---|\n", title);
    for (size_t i = 0; i < count; i++) {
        registry_text_put(out, "| ");
        registry_text_put_cell(out, pairs[i]->key);
        registry_text_put(out, " | ");
        registry_text_put_cell(out, pairs[i]->value);
        registry_text_put(out, " |\n");
    }
    registry_text_put(out, "\n");
}

static void
put_metrics(registry_text_t *out, const Valion__V1__Version *version)
{
    if (version->n_metrics == 0) {
        return;
    }
    registry_text_put(out, "## Metrics\n\n| metric | value |\n|---|---|\n");
    for (size_t i = 0; i < version->n_metrics; i++) {
        registry_text_put(out, "| ");
        registry_text_put_cell(out, version->metrics[i]->key);
        registry_text_put(out, " | ");
        put_number(out, version->metrics[i]->value);
        registry_text_put(out, " |\n");
    }
    registry_text_put(out, "\n");
}

static void
put_artifacts(registry_text_t *out, const Valion__V1__Version *version)
{
    if (version->n_artifacts == 0) {
        return;
    }
    registry_text_put(out, "## Artifacts\n\n| role | bytes | SHA-256 |\n|---|---|---|\n");
    for (size_t i = 0; i < version->n_artifacts; i++) {
        const Valion__V1__Artifact *artifact = version->artifacts[i];
        registry_text_put(out, "| ");
        registry_text_put_cell(out, artifact->role);
        registry_text_put(out, " | %" PRId64 " | ", artifact->size_bytes);
        put_hex(out, &artifact->digest, VLN_DIGEST_BYTES);
        registry_text_put(out, " |\n");
    }
    registry_text_put(out, "\n");
}

static void
put_origin(registry_text_t *out, const Valion__V1__ModelCard *card)
{
    const Valion__V1__Lineage *lineage = card->version->lineage;
    bool has_any = lineage || card->n_datasets || card->n_children;
    if (!has_any) {
        return;
    }
    registry_text_put(out, "## Origin\n\n| | |\n|---|---|\n");
    put_fact(out, "parent", lineage ? lineage->parent_version : NULL);
    put_fact(out, "source", lineage ? lineage->source : NULL);
    for (size_t i = 0; lineage && i < lineage->n_dataset_digests; i++) {
        registry_text_put(out, "| trained on | ");
        put_hex(out, &lineage->dataset_digests[i], VLN_DIGEST_BYTES);
        registry_text_put(out, " |\n");
    }
    for (size_t i = 0; i < card->n_datasets; i++) {
        const Valion__V1__Dataset *dataset = card->datasets[i];
        registry_text_put(out, "| data set | ");
        registry_text_put_cell(out, dataset->name);
        registry_text_put(out, " (");
        put_hex(out, &dataset->digest, SHORT_DIGEST);
        registry_text_put(out, ", %" PRId64 " rows) |\n", dataset->rows);
    }
    for (size_t i = 0; i < card->n_children; i++) {
        put_fact(out, "child", card->children[i]);
    }
    registry_text_put(out, "\n");
}

static void
put_differences(registry_text_t *out, const Valion__V1__ModelCard *card)
{
    if (!card->compared_with) {
        return;
    }
    registry_text_put(out, "## Changes since %s\n\n", card->compared_with);
    for (size_t i = 0; i < card->n_differences; i++) {
        registry_text_put(out, "- ");
        registry_text_put_cell(out, card->differences[i]);
        registry_text_put(out, "\n");
    }
    registry_text_put(out, "%s\n", card->n_differences ? "" : "None that is recorded.\n");
}

static void
put_report(registry_text_t *out, const Valion__V1__Report *report)
{
    char id[VLN_ID_TEXT];
    registry_text_put(out, "| ");
    put_enum(out, &valion__v1__check_status__descriptor, (int)report->verdict);
    registry_text_put(out, " | ");
    registry_text_put_cell(out, report->policy);
    registry_text_put(out, " %" PRIu64 " | ", report->policy_version);
    for (size_t i = 0; i < report->n_data; i++) {
        registry_text_put(out, "%s", i ? ", " : "");
        registry_text_put_cell(out, report->data[i]->name);
        registry_text_put(out, " (");
        put_hex(out, &report->data[i]->digest, SHORT_DIGEST);
        registry_text_put(out, ")");
    }
    registry_text_put(out, " | ");
    registry_text_put_cell(out, report->sentence);
    registry_text_put(
        out, " | %s |\n",
        report->report_id.len == VLN_ID_BYTES ? vln_id_format(report->report_id.data, id) : "");
}

static void
put_evidence(registry_text_t *out, const Valion__V1__ModelCard *card)
{
    registry_text_put(out, "## Evidence\n\n");
    if (card->n_reports == 0) {
        registry_text_put(out, "It was never judged.\n\n");
        return;
    }
    registry_text_put(out, "| verdict | policy | on | why | report |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < card->n_reports; i++) {
        put_report(out, card->reports[i]);
    }
    registry_text_put(out, "\n");
}

static void
put_stages(registry_text_t *out, const Valion__V1__ModelCard *card)
{
    if (card->n_changes == 0) {
        return;
    }
    registry_text_put(out, "## Stages\n\n| when | from | to | by | why | evidence |\n"
                           "|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < card->n_changes; i++) {
        const Valion__V1__StageChange *change = card->changes[i];
        registry_text_put(out, "| ");
        put_time(out, change->time_us);
        registry_text_put(out, " | ");
        put_enum(out, &valion__v1__stage__descriptor, (int)change->from);
        registry_text_put(out, " | ");
        put_enum(out, &valion__v1__stage__descriptor, (int)change->to);
        registry_text_put(out, " | ");
        registry_text_put_cell(out, change->actor);
        registry_text_put(out, " | ");
        registry_text_put_cell(out, change->reason);
        registry_text_put(out, " | ");
        registry_text_put_cell(out, change->evidence);
        registry_text_put(out, " |\n");
    }
    registry_text_put(out, "\n");
}

static void
put_serving(registry_text_t *out, const Valion__V1__ModelCard *card)
{
    if (card->n_grants == 0) {
        return;
    }
    registry_text_put(out, "## Served\n\n| environment | from | until | evidence |\n"
                           "|---|---|---|---|\n");
    for (size_t i = 0; i < card->n_grants; i++) {
        const Valion__V1__Grant *grant = card->grants[i];
        registry_text_put(out, "| ");
        registry_text_put_cell(out, grant->environment);
        registry_text_put(out, " | ");
        put_time(out, grant->opened_us);
        registry_text_put(out, " | ");
        if (grant->has_closed_us) {
            put_time(out, grant->closed_us);
        }
        registry_text_put(out, " | ");
        registry_text_put_cell(out, grant->evidence);
        registry_text_put(out, " |\n");
    }
    registry_text_put(out, "\n");
}

char *
registry_card_to_markdown(vln_arena_t *arena, const Valion__V1__ModelCard *card)
{
    registry_text_t out = registry_text_new(arena, CARD_BYTES);
    const Valion__V1__Version *version = card->version;
    out.room -= CUT_ROOM;
    put_head(&out, version);
    if (version->signature) {
        put_columns(&out, "Inputs", version->signature->inputs, version->signature->n_inputs);
        put_columns(&out, "Outputs", version->signature->outputs, version->signature->n_outputs);
    }
    put_metrics(&out, version);
    put_pairs(&out, "Hyperparameters", version->hyperparameters, version->n_hyperparameters);
    put_pairs(&out, "About the data", version->dataset_info, version->n_dataset_info);
    put_origin(&out, card);
    put_differences(&out, card);
    put_evidence(&out, card);
    put_stages(&out, card);
    put_serving(&out, card);
    put_artifacts(&out, version);
    if (out.full) {
        out.room += CUT_ROOM;
        registry_text_put(&out, "\n\nThe rest is left out: the record is larger than a card.\n");
    }
    return out.text;
}
