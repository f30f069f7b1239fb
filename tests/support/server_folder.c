/*
 * server_folder - makes a folder that valion-server serves, as the runner would: a model trained here
 * and now, sample rows with its answers, instance.pb. Prints, for 16 rows, the row and the answer of
 * the library that trained it.
 *
 *   server_folder FOLDER SANDBOX regression|binary|multiclass|linear|large
 *
 * linear is one that the native engine does not cover, large one that takes it a while.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <valion/v1/deployer.pb-c.h>

#include "vln_digest.h"
#include "vln_log.h"
#include "vln_samples.h"

#include "sandbox_models.h"

enum { FEATURES = 4, ROWS = 400, SHOWN = 16, SAMPLES = 4, PATH_ROOM = 1024 };

static char name_texts[][16] = {"area", "rooms", "age", "distance"};
static char *names[] = {name_texts[0], name_texts[1], name_texts[2], name_texts[3]};

typedef struct kind {
    const char *name;
    const char *objective;
    Valion__V1__TaskType task;
    size_t classes;
    const char *booster; /* NULL: gbtree */
    int rounds;          /* 0: 20 */
} kind_t;

static const kind_t kinds[] = {
    {"regression", "reg:squarederror", VALION__V1__TASK_TYPE__TASK_TYPE_REGRESSION, 0, NULL, 0},
    {"binary", "binary:logistic", VALION__V1__TASK_TYPE__TASK_TYPE_BINARY, 2, NULL, 0},
    {"multiclass", "multi:softprob", VALION__V1__TASK_TYPE__TASK_TYPE_MULTICLASS, 3, NULL, 0},
    {"linear", "reg:squarederror", VALION__V1__TASK_TYPE__TASK_TYPE_REGRESSION, 0, "gblinear", 0},
    {"large", "reg:squarederror", VALION__V1__TASK_TYPE__TASK_TYPE_REGRESSION, 0, NULL, 2000},
};

static void
save(const char *folder, const char *name, const void *bytes, size_t size)
{
    char path[PATH_ROOM];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    vln_assert(file && fwrite(bytes, 1, size, file) == size && fclose(file) == 0);
}

static void
save_message(const char *folder, const char *name, const ProtobufCMessage *message, uint8_t *digest)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = vln_calloc(1, size + 1);
    protobuf_c_message_pack(message, bytes);
    save(folder, name, bytes, size);
    vln_digest(bytes, size, digest);
    free(bytes);
}

static Valion__V1__Signature *
make_signature(const kind_t *kind, vln_arena_t *arena)
{
    static char texts[][8] = {"low", "middle", "high"};
    static char *classes[] = {texts[0], texts[1], texts[2]};
    Valion__V1__Signature *self = vln_arena_alloc(arena, sizeof *self);
    valion__v1__signature__init(self);
    self->inputs = vln_arena_alloc(arena, FEATURES * sizeof(void *));
    for (size_t i = 0; i < FEATURES; i++) {
        self->inputs[i] = vln_arena_alloc(arena, sizeof **self->inputs);
        valion__v1__column__init(self->inputs[i]);
        self->inputs[i]->name = names[i];
        self->inputs[i]->has_type = 1;
        self->inputs[i]->type = VALION__V1__COLUMN_TYPE__COLUMN_TYPE_FLOAT64;
        self->inputs[i]->has_optional_input = 1;
        self->inputs[i]->optional_input = i == 2;
    }
    self->n_inputs = FEATURES;
    self->has_task = 1;
    self->task = kind->task;
    self->classes = classes;
    self->n_classes = kind->classes;
    return self;
}

static vln_table_t *
make_table(const float *rows)
{
    vln_table_t *table = vln_table_new();
    for (size_t i = 0; i < FEATURES; i++) {
        vln_table_add(table, names[i], VLN_TYPE_F64);
    }
    vln_table_set_rows(table, SHOWN);
    for (size_t cell = 0; cell < SHOWN * FEATURES; cell++) {
        if (!isnan(rows[cell])) {
            vln_column_set_f64(vln_table_edit(table, cell % FEATURES), cell / FEATURES,
                               (double)rows[cell]);
        }
    }
    return table;
}

static void
save_samples(const char *folder, const char *program, const sandbox_file_t *model,
             const Valion__V1__Signature *signature, const float *rows, uint8_t *digest)
{
    static const size_t chosen[SAMPLES] = {0, 3, 7, 11};
    const vln_sandbox_config_t config = {.program = program, .load_ms = 30000};
    const vln_predictor_files_t files = {.model = model->bytes, .model_size = model->size};
    vln_arena_t *arena = vln_arena_new(1 << 20);
    vln_table_t *table = make_table(rows);
    vln_sandbox_t *sandbox = NULL;
    vln_predictor_t *predictor = NULL;
    vln_outcome_t outcome;
    vln_assert(vln_sandbox_open(&config, &sandbox) == VLN_OK);
    vln_assert(vln_predictor_open(sandbox, &files, signature, &predictor, &outcome) == VLN_OK);
    Valion__V1__Samples *samples = vln_samples_take(signature, table, chosen, SAMPLES, arena);
    vln_assert(vln_samples_answer(samples, predictor, arena, &outcome) == VLN_OK);
    save_message(folder, "samples", &samples->base, digest);
    vln_predictor_close(&predictor);
    vln_sandbox_close(&sandbox);
    vln_table_destroy(&table);
    vln_arena_destroy(&arena);
}

static void
save_instance(const char *folder, const Valion__V1__Signature *signature, uint8_t *model,
              uint8_t *samples)
{
    static char texts[][8] = {"model", "samples"};
    static char *roles[] = {texts[0], texts[1]};
    uint8_t *digests[] = {model, samples};
    Valion__V1__HostArtifact artifacts[2];
    Valion__V1__HostArtifact *pointers[2];
    Valion__V1__TelemetryBins bins = VALION__V1__TELEMETRY_BINS__INIT;
    Valion__V1__TelemetryBins *list[] = {&bins};
    double edges[] = {-1, 0, 1};
    uint8_t unused[VLN_DIGEST_BYTES];
    Valion__V1__WantedInstance instance = VALION__V1__WANTED_INSTANCE__INIT;
    for (size_t i = 0; i < 2; i++) {
        valion__v1__host_artifact__init(&artifacts[i]);
        artifacts[i].role = roles[i];
        artifacts[i].has_digest = 1;
        artifacts[i].digest = (ProtobufCBinaryData){VLN_DIGEST_BYTES, digests[i]};
        pointers[i] = &artifacts[i];
    }
    bins.edges = edges;
    bins.n_edges = 3;
    instance.environment = (char *)(uintptr_t)"staging";
    instance.model = (char *)(uintptr_t)"houses";
    instance.version = (char *)(uintptr_t)"1.0.0";
    instance.signature = (Valion__V1__Signature *)(uintptr_t)signature;
    instance.artifacts = pointers;
    instance.n_artifacts = 2;
    instance.bins = list;
    instance.n_bins = 1;
    instance.has_smoke = 1;
    instance.smoke = 1;
    save_message(folder, "instance.pb", &instance.base, unused);
}

static void
show(const sandbox_file_t *model, const float *rows)
{
    size_t width = 0;
    float *answers = sandbox_direct(model, rows, SHOWN, FEATURES, &width);
    for (size_t row = 0; row < SHOWN; row++) {
        for (size_t i = 0; i < FEATURES; i++) {
            printf("%.9g ", (double)rows[row * FEATURES + i]);
        }
        for (size_t i = 0; i < width; i++) {
            printf("%.9g%c", (double)answers[row * width + i], i + 1 < width ? ' ' : '\n');
        }
    }
    free(answers);
}

int
main(int argc, char **argv)
{
    const kind_t *kind = NULL;
    for (size_t i = 0; argc == 4 && i < VLN_COUNT(kinds); i++) {
        kind = strcmp(kinds[i].name, argv[3]) == 0 ? &kinds[i] : kind;
    }
    if (!kind) {
        fprintf(stderr,
                "usage: server_folder FOLDER SANDBOX regression|binary|multiclass|linear|large\n");
        return 2;
    }
    const sandbox_recipe_t recipe = {.objective = kind->objective,
                                     .format = "ubj",
                                     .classes = kind->classes > 2 ? kind->classes : 0,
                                     .features = FEATURES,
                                     .rows = ROWS,
                                     .rounds = kind->rounds > 0 ? kind->rounds : 20,
                                     .booster = kind->booster,
                                     .depth = 4};
    uint8_t model_digest[VLN_DIGEST_BYTES];
    uint8_t samples_digest[VLN_DIGEST_BYTES];
    vln_arena_t *arena = vln_arena_new(1 << 16);
    vln_log_init("test", "", VLN_LOG_WARN);
    sandbox_file_t model = sandbox_train(&recipe);
    float *rows = sandbox_rows(SHOWN, FEATURES);
    const Valion__V1__Signature *signature = make_signature(kind, arena);
    save(argv[1], "model", model.bytes, model.size);
    vln_digest(model.bytes, model.size, model_digest);
    save_samples(argv[1], argv[2], &model, signature, rows, samples_digest);
    save_instance(argv[1], signature, model_digest, samples_digest);
    show(&model, rows);
    free(rows);
    free(model.bytes);
    vln_arena_destroy(&arena);
    return 0;
}
