/* version: a model's versions, with their files. */
#include <stdlib.h>
#include <string.h>
#include <valion/v1/registry.pb-c.h>
#include <valion/v1/validator.pb-c.h>

#include "vln_text.h"

#include "cli.h"
#include "cli_change.h"
#include "cli_file.h"
#include "cli_format.h"
#include "cli_job.h"
#include "cli_reference.h"

enum {
    ARTIFACTS_MAX = 32,
    DATASETS_MAX = 32,
    PAIRS_MAX = 256,
    KEY_MAX = 251,
    INLINE_EACH = 64 * 1024,
    INLINE_TOGETHER = 160 * 1024,
};

static const char hint[] = "valion version list --model MODEL";

/* A file that becomes an artifact. */
typedef struct upload {
    cli_file_t file;
    char role[KEY_MAX];
} upload_t;

/* From "role=FILE"; false with a sentence. The file is left open. */
static bool
open_upload(const char *text, upload_t *out)
{
    size_t role_len;
    const char *path;
    if (!cli_pair_parse(text, &role_len, &path) || role_len >= KEY_MAX) {
        cli_fail(CLI_USAGE, "--artifact: \"%.64s\" is not role=FILE, such as model=model.json",
                 text);
        return false;
    }
    memcpy(out->role, text, role_len);
    out->role[role_len] = '\0';
    return cli_file_open(path, &out->file);
}

/* ---- create ---- */

/* A request with room for what it points at. */
typedef struct creation {
    Valion__V1__CreateVersionRequest request;
    Valion__V1__ChangeContext context;
    vln_arena_t *arena;
    size_t inlined;
    size_t upload_count;
    upload_t uploads[ARTIFACTS_MAX];
} creation_t;

/* The bytes of a small file, in the arena. */
static bool
inline_file(creation_t *self, cli_file_t *file, Valion__V1__Artifact *out)
{
    size_t size = (size_t)file->size_bytes;
    out->inline_bytes.data = vln_arena_alloc(self->arena, size + 1);
    out->inline_bytes.len = fread(out->inline_bytes.data, 1, size, file->stream);
    out->has_inline_bytes = 1;
    self->inlined += size;
    return out->inline_bytes.len == size;
}

static cli_exit_t
add_artifact(cli_t *cli, creation_t *self, upload_t *upload)
{
    cli_file_t *file = &upload->file;
    Valion__V1__Artifact *out = vln_arena_alloc(self->arena, sizeof *out);
    valion__v1__artifact__init(out);
    const char *slash = strrchr(file->path, '/');
    out->role = upload->role;
    out->filename = vln_arena_strdup(self->arena, slash ? slash + 1 : file->path);
    out->has_digest = out->has_size_bytes = 1;
    out->digest = (ProtobufCBinaryData){.len = sizeof file->digest, .data = file->digest};
    out->size_bytes = file->size_bytes;
    self->request.artifacts[self->request.n_artifacts++] = out;
    if (file->size_bytes <= INLINE_EACH &&
        self->inlined + (size_t)file->size_bytes <= INLINE_TOGETHER) {
        return inline_file(self, file, out)
                   ? CLI_OK
                   : cli_fail(CLI_FAILED, "%s: changed while it was read", file->path);
    }
    return cli_file_send(cli, file);
}

/* --param and --dataset-info as pairs of text; false with a sentence. */
static bool
take_pairs(cli_t *cli, creation_t *self, const char *name, Valion__V1__KeyValue ***out,
           size_t *count)
{
    size_t at = 0;
    *out = vln_arena_alloc(self->arena, PAIRS_MAX * sizeof **out);
    for (const char *text; (text = cli_args_next(&cli->args, name, &at));) {
        size_t key_len;
        const char *value;
        if (*count == PAIRS_MAX || !cli_pair_parse(text, &key_len, &value)) {
            cli_fail(CLI_USAGE, "--%s: \"%.64s\" is not key=value", name, text);
            return false;
        }
        Valion__V1__KeyValue *pair = vln_arena_alloc(self->arena, sizeof *pair);
        valion__v1__key_value__init(pair);
        pair->key = vln_arena_printf(self->arena, "%.*s", (int)key_len, text);
        pair->value = vln_arena_strdup(self->arena, value);
        (*out)[(*count)++] = pair;
    }
    return true;
}

static bool
take_metrics(cli_t *cli, creation_t *self)
{
    size_t at = 0;
    self->request.metrics = vln_arena_alloc(self->arena, PAIRS_MAX * sizeof *self->request.metrics);
    for (const char *text; (text = cli_args_next(&cli->args, "metric", &at));) {
        size_t key_len;
        const char *value = NULL;
        char *end = NULL;
        bool is_pair = cli_pair_parse(text, &key_len, &value);
        double number = is_pair ? strtod(value, &end) : 0;
        if (self->request.n_metrics == PAIRS_MAX || !is_pair || end == value || *end != '\0' ||
            number - number != 0) {
            cli_fail(CLI_USAGE, "--metric: \"%.64s\" is not name=NUMBER, such as r2=0.93", text);
            return false;
        }
        Valion__V1__KeyNumber *pair = vln_arena_alloc(self->arena, sizeof *pair);
        valion__v1__key_number__init(pair);
        pair->key = vln_arena_printf(self->arena, "%.*s", (int)key_len, text);
        pair->has_value = 1;
        pair->value = number;
        self->request.metrics[self->request.n_metrics++] = pair;
    }
    return true;
}

/* What is said of the change goes with --bump auto, where it is asked for. */
static bool
take_change(cli_t *cli, creation_t *self)
{
    bool any = false;
    bool automatic = self->request.bump == VALION__V1__BUMP__BUMP_AUTO;
    valion__v1__change_context__init(&self->context);
    if (!cli_change_take(cli, &self->context, &any)) {
        return false;
    }
    if (any && !automatic) {
        cli_fail(CLI_USAGE, "--breaking, --feature and their like go with --bump auto");
        return false;
    }
    self->request.context = any ? &self->context : NULL;
    return true;
}

/* Where it comes from, if anything is said of it. */
static bool
take_lineage(cli_t *cli, creation_t *self)
{
    Valion__V1__Lineage *lineage = vln_arena_alloc(self->arena, sizeof *lineage);
    valion__v1__lineage__init(lineage);
    lineage->parent_version = cli_text_option(cli, "parent");
    lineage->source = cli_text_option(cli, "source");
    lineage->dataset_digests =
        vln_arena_alloc(self->arena, DATASETS_MAX * sizeof *lineage->dataset_digests);
    size_t at = 0;
    for (const char *text; (text = cli_args_next(&cli->args, "trained-on", &at));) {
        uint8_t *digest = vln_arena_alloc(self->arena, VLN_DIGEST_BYTES);
        if (lineage->n_dataset_digests == DATASETS_MAX ||
            strlen(text) != 2 * (size_t)VLN_DIGEST_BYTES ||
            !vln_hex_decode(text, digest, VLN_DIGEST_BYTES)) {
            cli_fail(CLI_USAGE, "--trained-on: at most %d digests, each of %d hex digits",
                     DATASETS_MAX, 2 * VLN_DIGEST_BYTES);
            return false;
        }
        lineage->dataset_digests[lineage->n_dataset_digests++] =
            (ProtobufCBinaryData){VLN_DIGEST_BYTES, digest};
    }
    bool any = lineage->parent_version || lineage->source || lineage->n_dataset_digests;
    self->request.lineage = any ? lineage : NULL;
    return true;
}

static bool
take_options(cli_t *cli, creation_t *self)
{
    Valion__V1__CreateVersionRequest *out = &self->request;
    int bump;
    if (!cli_enum_option(cli, "bump", &valion__v1__bump__descriptor, &bump)) {
        return false;
    }
    out->model = cli_text_option(cli, "model");
    out->version = cli_text_option(cli, "version");
    out->has_bump = bump != 0;
    out->bump = (Valion__V1__Bump)bump;
    out->has_backport = out->backport = cli_args_has(&cli->args, "backport");
    out->algorithm = cli_text_option(cli, "algorithm");
    out->framework = cli_text_option(cli, "framework");
    out->description = cli_text_option(cli, "description");
    out->target = cli_text_option(cli, "target");
    return take_change(cli, self) && take_lineage(cli, self) &&
           take_pairs(cli, self, "param", &out->hyperparameters, &out->n_hyperparameters) &&
           take_pairs(cli, self, "dataset-info", &out->dataset_info, &out->n_dataset_info) &&
           take_metrics(cli, self);
}

/* Every file is opened and hashed before anything is sent. */
static bool
open_uploads(cli_t *cli, creation_t *self)
{
    size_t at = 0;
    for (const char *text; (text = cli_args_next(&cli->args, "artifact", &at));) {
        if (self->upload_count == ARTIFACTS_MAX) {
            cli_fail(CLI_USAGE, "--artifact: at most %d", ARTIFACTS_MAX);
            return false;
        }
        if (!open_upload(text, &self->uploads[self->upload_count++])) {
            return false;
        }
    }
    return true;
}

/* Until somebody has opened its files, an imported version can be neither promoted nor deployed. */
static cli_exit_t
inspect(cli_t *cli, const Valion__V1__Version *version)
{
    Valion__V1__InspectSpec spec = VALION__V1__INSPECT_SPEC__INIT;
    Valion__V1__DataRef data = VALION__V1__DATA_REF__INIT;
    spec.model = version->model;
    spec.version = version->version;
    spec.target = version->target;
    data.name = cli_text_option(cli, "data");
    spec.data = data.name ? &data : NULL;
    fprintf(stderr, "%s@%s is registered; its files are looked at\n", version->model,
            version->version);
    return cli_job_run(cli, "inspect", &spec.base);
}

static cli_exit_t
create_and_inspect(cli_t *cli, const cli_request_t *request)
{
    vln_reply_t reply;
    cli_exit_t code = cli_call(cli, request, &reply);
    const Valion__V1__CreateVersionReply *made =
        code == CLI_OK ? (const void *)reply.message : NULL;
    const Valion__V1__Version *version = made ? made->version : NULL;
    for (size_t i = 0; made && i < made->n_reasons; i++) {
        fprintf(stderr, "%s: %s\n", version ? version->version : "", made->reasons[i]);
    }
    if (version && version->status == VALION__V1__VERSION_STATUS__VERSION_STATUS_TRAINING &&
        !cli_args_has(&cli->args, "no-inspect")) {
        code = inspect(cli, version);
    } else if (version) {
        cli_show(cli->form, &version->base, stdout);
    }
    vln_reply_wipe(&reply);
    return code;
}

static cli_exit_t
create(cli_t *cli, creation_t *self)
{
    self->request.artifacts =
        vln_arena_alloc(self->arena, ARTIFACTS_MAX * sizeof *self->request.artifacts);
    cli_exit_t code = CLI_OK;
    for (size_t i = 0; i < self->upload_count && code == CLI_OK; i++) {
        code = add_artifact(cli, self, &self->uploads[i]);
    }
    const cli_request_t request = {.service = "registry",
                                   .method = "CreateVersion",
                                   .message = &self->request.base,
                                   .hint = "valion model list"};
    return code == CLI_OK ? create_and_inspect(cli, &request) : code;
}

cli_exit_t
cmd_version_create(cli_t *cli)
{
    if (!cli_args_has(&cli->args, "model")) {
        return cli_fail(CLI_USAGE, "--model MODEL is wanted");
    }
    creation_t *creation = vln_calloc(1, sizeof *creation);
    valion__v1__create_version_request__init(&creation->request);
    creation->arena = vln_arena_new(INLINE_TOGETHER);
    creation->request.tags = cli_text_options(cli, "tag", &creation->request.n_tags);
    bool good = take_options(cli, creation) && open_uploads(cli, creation);
    cli_exit_t code = good ? create(cli, creation) : CLI_USAGE;
    for (size_t i = 0; i < creation->upload_count; i++) {
        cli_file_close(&creation->uploads[i].file);
    }
    free(creation->request.tags);
    vln_arena_destroy(&creation->arena);
    free(creation);
    return code;
}

/* ---- list and show ---- */

static const cli_column_t version_columns[] = {{"VERSION", "version"},
                                               {"STAGE", "stage"},
                                               {"STATUS", "status"},
                                               {"ALIASES", "aliases"},
                                               {"SIZE", "size_bytes"},
                                               {"AUTHOR", "author"},
                                               {"CREATED", "created_us"},
                                               {"DESCRIPTION", "description"},
                                               {NULL, NULL}};

/* Of several models. */
static const cli_column_t found_columns[] = {
    {"MODEL", "model"},   {"VERSION", "version"},         {"STAGE", "stage"},
    {"STATUS", "status"}, {"AUTHOR", "author"},           {"CREATED", "created_us"},
    {"TAGS", "tags"},     {"DESCRIPTION", "description"}, {NULL, NULL}};

/* Filters that are enums; false, and said, if one is none. */
static bool
take_filters(const cli_t *cli, Valion__V1__ListVersionsRequest *message)
{
    int stage;
    int status;
    int order;
    if (!cli_enum_option(cli, "stage", &valion__v1__stage__descriptor, &stage) ||
        !cli_enum_option(cli, "status", &valion__v1__version_status__descriptor, &status) ||
        !cli_enum_option(cli, "order", &valion__v1__list_order__descriptor, &order)) {
        return false;
    }
    message->has_stage = stage != 0;
    message->stage = (Valion__V1__Stage)stage;
    message->has_status = status != 0;
    message->status = (Valion__V1__VersionStatus)status;
    message->has_order = order != 0;
    message->order = (Valion__V1__ListOrder)order;
    return true;
}

cli_exit_t
cmd_version_list(cli_t *cli)
{
    Valion__V1__ListVersionsRequest message = VALION__V1__LIST_VERSIONS_REQUEST__INIT;
    if (!take_filters(cli, &message)) {
        return CLI_USAGE;
    }
    message.model = cli_text_option(cli, "model");
    message.text = cli_text_option(cli, "text");
    message.tag = cli_text_option(cli, "tag");
    message.author = cli_text_option(cli, "author");
    message.algorithm = cli_text_option(cli, "algorithm");
    message.framework = cli_text_option(cli, "framework");
    message.range = cli_text_option(cli, "range");
    message.minimum = cli_text_option(cli, "minimum");
    message.maximum = cli_text_option(cli, "maximum");
    message.has_ascending = message.ascending = cli_args_has(&cli->args, "ascending");
    message.has_include_prerelease = 1;
    message.include_prerelease = !cli_args_has(&cli->args, "no-prerelease");
    const cli_pages_t pages = {.service = "registry",
                               .method = "ListVersions",
                               .message = &message.base,
                               .columns = message.model ? version_columns : found_columns,
                               .empty = "no versions",
                               .hint = "valion model list"};
    return cli_call_pages(cli, &pages);
}

cli_exit_t
cmd_version_show(cli_t *cli)
{
    Valion__V1__GetVersionRequest message = VALION__V1__GET_VERSION_REQUEST__INIT;
    cli_reference_t version;
    cli_reference_parse(cli_args_word(&cli->args, 0), &version);
    message.model = version.model;
    message.range = cli_reference_range(&version);
    message.version = message.range ? NULL : version.version;
    message.alias = message.range ? NULL : version.alias;
    const cli_request_t request = {
        .service = "registry", .method = "GetVersion", .message = &message.base, .hint = hint};
    return cli_call_and_show(cli, &request, "version");
}

cli_exit_t
cmd_version_update(cli_t *cli)
{
    Valion__V1__UpdateVersionRequest message = VALION__V1__UPDATE_VERSION_REQUEST__INIT;
    cli_reference_t version;
    int status;
    int64_t revision = 0;
    if (!cli_enum_option(cli, "status", &valion__v1__version_status__descriptor, &status)) {
        return CLI_USAGE;
    }
    if (!cli_args_number(&cli->args, "revision", 0, INT64_MAX, 0, &revision)) {
        return cli_fail(CLI_USAGE, "%s", cli->args.why);
    }
    message.has_expected_revision = cli_args_has(&cli->args, "revision");
    message.expected_revision = (uint64_t)revision;
    cli_reference_parse(cli_args_word(&cli->args, 0), &version);
    if (!version.version) {
        return cli_fail(CLI_USAGE, "MODEL@VERSION is wanted, such as houses@1.0.0");
    }
    message.model = version.model;
    message.version = version.version;
    message.description = cli_text_option(cli, "description");
    message.has_status = status != 0;
    message.status = (Valion__V1__VersionStatus)status;
    message.add_tags = cli_text_options(cli, "add-tag", &message.n_add_tags);
    message.remove_tags = cli_text_options(cli, "remove-tag", &message.n_remove_tags);
    const cli_request_t request = {
        .service = "registry", .method = "UpdateVersion", .message = &message.base, .hint = hint};
    cli_exit_t code = cli_call_and_show(cli, &request, "version");
    free(message.add_tags);
    free(message.remove_tags);
    return code;
}
