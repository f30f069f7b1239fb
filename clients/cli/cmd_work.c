/* train, validate, data split, data prepare, data profile, version inspect: work that trainer and
 * validator do. */
#include <stdlib.h>
#include <string.h>
#include <valion/v1/trainer.pb-c.h>
#include <valion/v1/validator.pb-c.h>

#include "vln_digest.h"
#include "vln_text.h"

#include "cli.h"
#include "cli_job.h"
#include "cli_reference.h"
#include "cli_search.h"

enum { PAIRS_MAX = 64, KEY_MAX = 251, RANGES_MAX = 32 };

/* ---- options that several have ---- */

/* --name as a data set; NULL if it was not given. */
static Valion__V1__DataRef *
data_option(const cli_t *cli, const char *name, Valion__V1__DataRef *out)
{
    valion__v1__data_ref__init(out);
    out->name = cli_text_option(cli, name);
    return out->name ? out : NULL;
}

static bool
number_option(cli_t *cli, const char *name, int64_t min, int64_t max, protobuf_c_boolean *has,
              uint64_t *out)
{
    int64_t number = 0;
    if (!cli_args_number(&cli->args, name, min, max, 0, &number)) {
        cli_fail(CLI_USAGE, "%s", cli->args.why);
        return false;
    }
    *has = cli_args_has(&cli->args, name);
    *out = (uint64_t)number;
    return true;
}

/* A share between 0 and 1. */
static bool
share_option(const cli_t *cli, const char *name, protobuf_c_boolean *has, double *out)
{
    const char *text = cli_args_get(&cli->args, name);
    char *end = NULL;
    if (!text) {
        return true;
    }
    *out = strtod(text, &end);
    *has = 1;
    if (*end || !(*out > 0 && *out < 1)) {
        cli_fail(CLI_USAGE, "--%s: a number between 0 and 1, such as 0.8", name);
        return false;
    }
    return true;
}

static bool
digest_option(const cli_t *cli, const char *name, uint8_t digest[VLN_DIGEST_BYTES],
              protobuf_c_boolean *has, ProtobufCBinaryData *out)
{
    const char *text = cli_args_get(&cli->args, name);
    if (!text) {
        return true;
    }
    if (!vln_hex_decode(text, digest, VLN_DIGEST_BYTES)) {
        cli_fail(CLI_USAGE, "--%s: a digest is %d hexadecimal digits", name, 2 * VLN_DIGEST_BYTES);
        return false;
    }
    *has = 1;
    *out = (ProtobufCBinaryData){VLN_DIGEST_BYTES, digest};
    return true;
}

static bool
split_options(cli_t *cli, Valion__V1__Split *out)
{
    uint64_t seed = 0;
    valion__v1__split__init(out);
    bool good = share_option(cli, "share", &out->has_train_share, &out->train_share) &&
                number_option(cli, "seed", 0, INT64_MAX, &out->has_seed, &seed);
    out->seed = seed;
    out->stratify = cli_text_option(cli, "stratify");
    out->time_column = cli_text_option(cli, "time");
    return good;
}

/* ---- train ---- */

typedef struct training {
    Valion__V1__TrainSpec spec;
    Valion__V1__DataRef data;
    Valion__V1__DataRef validation;
    Valion__V1__Split split;
    uint8_t preprocessor[VLN_DIGEST_BYTES];
    Valion__V1__KeyValue pairs[PAIRS_MAX];
    Valion__V1__KeyValue *pair_pointers[PAIRS_MAX];
    char keys[PAIRS_MAX][KEY_MAX];
    Valion__V1__Algorithm algorithms[8];
    Valion__V1__Search search;
    cli_search_t ranges[RANGES_MAX];
    Valion__V1__SearchRange *range_pointers[RANGES_MAX];
} training_t;

static bool
take_params(const cli_t *cli, training_t *self)
{
    size_t at = 0;
    for (const char *text; (text = cli_args_next(&cli->args, "param", &at));) {
        size_t len = 0;
        const char *value = NULL;
        size_t n = self->spec.n_hyperparameters;
        if (n == PAIRS_MAX || !cli_pair_parse(text, &len, &value) || len >= KEY_MAX) {
            cli_fail(CLI_USAGE, "--param: at most %d, as max_depth=6", PAIRS_MAX);
            return false;
        }
        valion__v1__key_value__init(&self->pairs[n]);
        memcpy(self->keys[n], text, len);
        self->pairs[n].key = self->keys[n];
        self->pairs[n].value = (char *)(uintptr_t)value;
        self->pair_pointers[n] = &self->pairs[n];
        self->spec.n_hyperparameters++;
    }
    self->spec.hyperparameters = self->pair_pointers;
    return true;
}

static bool
take_search(cli_t *cli, training_t *self)
{
    size_t at = 0;
    uint64_t trials = 0;
    Valion__V1__Search *search = &self->search;
    valion__v1__search__init(search);
    for (const char *text; (text = cli_args_next(&cli->args, "search", &at));) {
        size_t n = search->n_ranges;
        if (n == RANGES_MAX || !cli_search_parse(text, &self->ranges[n])) {
            cli_fail(CLI_USAGE,
                     "--search: at most %d, as max_depth=2..8, learning_rate=0.01..0.5:log or "
                     "subsample=0.6,0.8,1",
                     RANGES_MAX);
            return false;
        }
        self->range_pointers[n] = &self->ranges[n].range;
        search->n_ranges++;
    }
    if (!number_option(cli, "trials", 1, 1000, &search->has_trials, &trials)) {
        return false;
    }
    search->metric = cli_text_option(cli, "metric");
    if ((search->has_trials || search->metric) && search->n_ranges == 0) {
        cli_fail(CLI_USAGE, "--trials and --metric are of a search: say --search, too");
        return false;
    }
    search->trials = (uint32_t)trials;
    search->ranges = self->range_pointers;
    self->spec.search = search->n_ranges > 0 ? search : NULL;
    return true;
}

static bool
take_algorithms(const cli_t *cli, training_t *self)
{
    static const struct {
        const char *name;
        Valion__V1__Algorithm algorithm;
    } known[] = {
        {"gradient_boosting", VALION__V1__ALGORITHM__ALGORITHM_GRADIENT_BOOSTING},
        {"random_forest", VALION__V1__ALGORITHM__ALGORITHM_RANDOM_FOREST},
        {"elastic_net", VALION__V1__ALGORITHM__ALGORITHM_ELASTIC_NET},
    };
    size_t at = 0;
    for (const char *text; (text = cli_args_next(&cli->args, "algorithm", &at));) {
        size_t i = 0;
        while (i < VLN_COUNT(known) && strcmp(known[i].name, text) != 0) {
            i++;
        }
        if (i == VLN_COUNT(known) || self->spec.n_algorithms == VLN_COUNT(self->algorithms)) {
            cli_fail(CLI_USAGE,
                     "--algorithm: gradient_boosting, random_forest or elastic_net; of several the "
                     "best is kept");
            return false;
        }
        self->algorithms[self->spec.n_algorithms++] = known[i].algorithm;
    }
    self->spec.algorithms = self->algorithms;
    return true;
}

static bool
take_training(cli_t *cli, training_t *self)
{
    Valion__V1__TrainSpec *spec = &self->spec;
    uint64_t threads = 0;
    uint64_t folds = 0;
    int task = 0;
    int bump = 0;
    valion__v1__train_spec__init(spec);
    spec->model = cli_text_word(cli, 0);
    spec->version = cli_text_option(cli, "version");
    spec->data = data_option(cli, "data", &self->data);
    spec->validation = data_option(cli, "validation", &self->validation);
    spec->target = cli_text_option(cli, "target");
    spec->features = cli_text_options(cli, "feature", &spec->n_features);
    spec->tags = cli_text_options(cli, "tag", &spec->n_tags);
    spec->description = cli_text_option(cli, "description");
    spec->positive_class = cli_text_option(cli, "positive");
    spec->weight_column = cli_text_option(cli, "weight");
    spec->split = spec->validation ? NULL : &self->split;
    spec->dry_run = spec->has_dry_run = cli_args_has(&cli->args, "dry-run");
    if (!spec->data || !spec->target) {
        cli_fail(CLI_USAGE, "--data DATASET and --target COLUMN are wanted");
        return false;
    }
    bool good = split_options(cli, &self->split) && take_params(cli, self) &&
                take_algorithms(cli, self) && take_search(cli, self) &&
                number_option(cli, "folds", 2, 20, &spec->has_cv_folds, &folds) &&
                number_option(cli, "threads", 1, 64, &spec->has_threads, &threads) &&
                number_option(cli, "seed", 0, INT64_MAX, &spec->has_seed, &spec->seed) &&
                cli_enum_option(cli, "task", &valion__v1__task_type__descriptor, &task) &&
                cli_enum_option(cli, "bump", &valion__v1__bump__descriptor, &bump) &&
                digest_option(cli, "preprocessor", self->preprocessor,
                              &spec->has_preprocessor_digest, &spec->preprocessor_digest);
    spec->threads = (uint32_t)threads;
    spec->cv_folds = (uint32_t)folds;
    spec->has_task = task != 0;
    spec->task = (Valion__V1__TaskType)task;
    spec->has_bump = bump != 0;
    spec->bump = (Valion__V1__Bump)bump;
    return good;
}

cli_exit_t
cmd_train(cli_t *cli)
{
    training_t *self = vln_calloc(1, sizeof *self);
    cli_exit_t code =
        take_training(cli, self) ? cli_job_run(cli, "train", &self->spec.base) : CLI_USAGE;
    free(self->spec.features);
    free(self->spec.tags);
    free(self);
    return code;
}

/* ---- data split, data prepare ---- */

cli_exit_t
cmd_data_split(cli_t *cli)
{
    Valion__V1__TransformSpec spec = VALION__V1__TRANSFORM_SPEC__INIT;
    Valion__V1__DataRef data = VALION__V1__DATA_REF__INIT;
    Valion__V1__Split split;
    if (!split_options(cli, &split)) {
        return CLI_USAGE;
    }
    data.name = cli_text_word(cli, 0);
    split.has_shuffle = cli_args_has(&cli->args, "in-order");
    split.shuffle = !split.has_shuffle;
    spec.data = &data;
    spec.split = &split;
    spec.output = cli_text_option(cli, "name");
    spec.output = spec.output ? spec.output : data.name;
    return cli_job_run(cli, "transform", &spec.base);
}

/* Rows of a preparation, each for the columns that it names; the first two name none. */
typedef struct preparation {
    Valion__V1__TransformSpec spec;
    Valion__V1__DataRef data;
    Valion__V1__ColumnTransform numbers;
    Valion__V1__ColumnTransform texts;
    Valion__V1__ColumnTransform ordinal;
    Valion__V1__ColumnTransform dropped;
    Valion__V1__ColumnTransform *rows[4];
} preparation_t;

static void
fill_texts(Valion__V1__ColumnTransform *row, int impute, Valion__V1__Encode encode,
           const Valion__V1__ColumnTransform *like)
{
    row->has_impute = impute == VALION__V1__IMPUTE__IMPUTE_MOST_FREQUENT;
    row->impute = row->has_impute ? (Valion__V1__Impute)impute : row->impute;
    row->has_encode = 1;
    row->encode = encode;
    row->has_max_categories = like->has_max_categories;
    row->max_categories = like->max_categories;
}

static bool
take_columns(cli_t *cli, preparation_t *self)
{
    uint64_t most = 0;
    int impute = 0;
    int scale = 0;
    int encode = 0;
    Valion__V1__ColumnTransform *texts = &self->texts;
    if (!cli_enum_option(cli, "impute", &valion__v1__impute__descriptor, &impute) ||
        !cli_enum_option(cli, "scale", &valion__v1__scale__descriptor, &scale) ||
        !cli_enum_option(cli, "encode", &valion__v1__encode__descriptor, &encode) ||
        !number_option(cli, "max-categories", 2, 256, &texts->has_max_categories, &most)) {
        return false;
    }
    texts->max_categories = (uint32_t)most;
    self->numbers.has_impute = impute != 0;
    self->numbers.impute = (Valion__V1__Impute)impute;
    self->numbers.has_scale = 1;
    self->numbers.scale = scale ? (Valion__V1__Scale)scale : VALION__V1__SCALE__SCALE_STANDARD;
    self->ordinal.columns = cli_text_options(cli, "ordinal", &self->ordinal.n_columns);
    self->dropped.columns = cli_text_options(cli, "drop", &self->dropped.n_columns);
    self->dropped.has_drop = self->dropped.drop = 1;
    fill_texts(&self->ordinal, impute, VALION__V1__ENCODE__ENCODE_ORDINAL, texts);
    if (encode) {
        fill_texts(texts, impute, (Valion__V1__Encode)encode, texts);
    }
    if (texts->has_max_categories && !encode && self->ordinal.n_columns == 0) {
        cli_fail(CLI_USAGE, "--max-categories is of an encoding: say --encode, too");
        return false;
    }
    return true;
}

static void
list_rows(preparation_t *self)
{
    Valion__V1__TransformSpec *spec = &self->spec;
    spec->columns = self->rows;
    self->rows[spec->n_columns++] = &self->numbers;
    if (self->texts.has_encode) {
        self->rows[spec->n_columns++] = &self->texts;
    }
    if (self->ordinal.n_columns > 0) {
        self->rows[spec->n_columns++] = &self->ordinal;
    }
    if (self->dropped.n_columns > 0) {
        self->rows[spec->n_columns++] = &self->dropped;
    }
}

cli_exit_t
cmd_data_prepare(cli_t *cli)
{
    preparation_t self;
    valion__v1__transform_spec__init(&self.spec);
    valion__v1__data_ref__init(&self.data);
    valion__v1__column_transform__init(&self.numbers);
    valion__v1__column_transform__init(&self.texts);
    valion__v1__column_transform__init(&self.ordinal);
    valion__v1__column_transform__init(&self.dropped);
    cli_exit_t code = CLI_USAGE;
    if (take_columns(cli, &self)) {
        list_rows(&self);
        self.data.name = cli_text_word(cli, 0);
        self.spec.data = &self.data;
        self.spec.target = cli_text_option(cli, "target");
        self.spec.output = cli_text_option(cli, "name");
        code = cli_job_run(cli, "transform", &self.spec.base);
    }
    free(self.ordinal.columns);
    free(self.dropped.columns);
    return code;
}

/* ---- data profile ---- */

enum { PROFILED_MAX = 64 };

typedef struct profiling {
    Valion__V1__ProfileSpec spec;
    Valion__V1__DataRef data;
    Valion__V1__DataRef more[PROFILED_MAX];
    Valion__V1__DataRef *more_pointers[PROFILED_MAX];
    uint8_t digests[PROFILED_MAX][VLN_DIGEST_BYTES];
    ProtobufCBinaryData digest_list[PROFILED_MAX];
} profiling_t;

static bool
take_more(const cli_t *cli, profiling_t *self)
{
    size_t at = 0;
    for (const char *text; (text = cli_args_next(&cli->args, "more", &at));) {
        size_t n = self->spec.n_more_data;
        if (n == PROFILED_MAX) {
            cli_fail(CLI_USAGE, "--more: at most %d", PROFILED_MAX);
            return false;
        }
        valion__v1__data_ref__init(&self->more[n]);
        self->more[n].name = (char *)(uintptr_t)text;
        self->more_pointers[n] = &self->more[n];
        self->spec.n_more_data++;
    }
    self->spec.more_data = self->more_pointers;
    return true;
}

static bool
take_profiles(const cli_t *cli, profiling_t *self)
{
    size_t at = 0;
    for (const char *text; (text = cli_args_next(&cli->args, "profile", &at));) {
        size_t n = self->spec.n_profile_digests;
        if (n == PROFILED_MAX || !vln_hex_decode(text, self->digests[n], VLN_DIGEST_BYTES)) {
            cli_fail(CLI_USAGE, "--profile: at most %d, each a digest of %d hexadecimal digits",
                     PROFILED_MAX, 2 * VLN_DIGEST_BYTES);
            return false;
        }
        self->digest_list[n] = (ProtobufCBinaryData){VLN_DIGEST_BYTES, self->digests[n]};
        self->spec.n_profile_digests++;
    }
    self->spec.profile_digests = self->digest_list;
    return true;
}

cli_exit_t
cmd_data_profile(cli_t *cli)
{
    profiling_t *self = vln_calloc(1, sizeof *self);
    cli_exit_t code = CLI_USAGE;
    valion__v1__profile_spec__init(&self->spec);
    valion__v1__data_ref__init(&self->data);
    self->data.name = cli_text_word(cli, 0);
    self->spec.data = self->data.name ? &self->data : NULL;
    if (!take_more(cli, self) || !take_profiles(cli, self)) {
        code = CLI_USAGE;
    } else if (!self->spec.data && self->spec.n_more_data + self->spec.n_profile_digests == 0) {
        cli_fail(CLI_USAGE, "NAME is wanted: the data set to profile (or --profile)");
    } else {
        code = cli_job_run(cli, "profile", &self->spec.base);
    }
    free(self);
    return code;
}

/* ---- validate, inspect ---- */

cli_exit_t
cmd_validate(cli_t *cli)
{
    Valion__V1__ValidateSpec spec = VALION__V1__VALIDATE_SPEC__INIT;
    Valion__V1__DataRef data;
    Valion__V1__DataRef reference;
    Valion__V1__DataRef *list[] = {&data};
    cli_reference_t version;
    if (!data_option(cli, "data", &data)) {
        return cli_fail(CLI_USAGE, "--data DATASET is wanted: rows to judge the version on");
    }
    cli_reference_parse(cli_args_word(&cli->args, 0), &version);
    spec.model = version.model;
    spec.version = version.version;
    spec.alias = version.alias;
    spec.data = list;
    spec.n_data = 1;
    spec.reference = data_option(cli, "reference", &reference);
    spec.target = cli_text_option(cli, "target");
    spec.policy = cli_text_option(cli, "policy");
    spec.baseline = cli_text_option(cli, "baseline");
    spec.environment = cli_text_option(cli, "environment");
    spec.stage = cli_text_option(cli, "stage");
    spec.endpoint_url = cli_text_option(cli, "endpoint-url");
    uint64_t threads = 0;
    int engine = 0;
    if (!number_option(cli, "seed", 0, INT64_MAX, &spec.has_seed, &spec.seed) ||
        !number_option(cli, "threads", 1, 64, &spec.has_threads, &threads) ||
        !cli_enum_option(cli, "engine", &valion__v1__engine__descriptor, &engine)) {
        return CLI_USAGE;
    }
    if (spec.endpoint_url && engine == 0) {
        engine = VALION__V1__ENGINE__ENGINE_ENDPOINT;
    }
    spec.threads = (uint32_t)threads;
    spec.has_engine = engine != 0;
    spec.engine = (Valion__V1__Engine)engine;
    if ((engine == VALION__V1__ENGINE__ENGINE_ENDPOINT) != (spec.endpoint_url != NULL)) {
        return cli_fail(CLI_USAGE, "--engine endpoint and --endpoint-url go together");
    }
    return cli_job_run(cli, "validate", &spec.base);
}

cli_exit_t
cmd_version_inspect(cli_t *cli)
{
    Valion__V1__InspectSpec spec = VALION__V1__INSPECT_SPEC__INIT;
    Valion__V1__DataRef data;
    cli_reference_t version;
    cli_reference_parse(cli_args_word(&cli->args, 0), &version);
    if (!version.version) {
        return cli_fail(CLI_USAGE, "MODEL@VERSION is wanted, such as houses@1.0.0");
    }
    spec.model = version.model;
    spec.version = version.version;
    spec.data = data_option(cli, "data", &data);
    spec.target = cli_text_option(cli, "target");
    return cli_job_run(cli, "inspect", &spec.base);
}
