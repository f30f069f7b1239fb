/*
 * validator_models - writes model files of the kinds that people bring, into a folder:
 *
 *   validator_models FOLDER
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vln_err.h"
#include "vln_log.h"

#include "sandbox_models.h"
#include "test_onnx.h"

enum { FEATURES = 4, ROWS = 400, PATH_ROOM = 1024 };

static const char *const names[] = {"area", "rooms", "age", "distance"};

static void
save(const char *folder, const char *name, const void *bytes, size_t size)
{
    char path[PATH_ROOM];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    vln_assert(file && fwrite(bytes, 1, size, file) == size && fclose(file) == 0);
}

static void
save_part(const char *folder, const char *name, vln_part_t part)
{
    save(folder, name, part.bytes, part.size);
    vln_part_end(&part);
}

static void
save_xgboost(const char *folder, const char *name, const sandbox_recipe_t *terms)
{
    sandbox_recipe_t recipe = *terms;
    recipe.features = FEATURES;
    recipe.rows = ROWS;
    recipe.rounds = 10;
    recipe.depth = 3;
    sandbox_file_t file = sandbox_train(&recipe);
    save(folder, name, file.bytes, file.size);
    free(file.bytes);
}

int
main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: validator_models FOLDER\n");
        return 2;
    }
    vln_log_init("test", "", VLN_LOG_WARN);
    save_xgboost(
        argv[1], "named.json",
        &(sandbox_recipe_t){.objective = "reg:squarederror", .format = "json", .names = names});
    save_xgboost(argv[1], "unnamed.ubj",
                 &(sandbox_recipe_t){.objective = "binary:logistic", .format = "ubj"});
    save_xgboost(argv[1], "classes.ubj",
                 &(sandbox_recipe_t){
                     .objective = "multi:softprob", .format = "ubj", .classes = 3, .names = names});
    save_part(argv[1], "linear.onnx", test_onnx_linear(FEATURES));
    save_part(argv[1], "columns.onnx", test_onnx_columns());
    save_part(argv[1], "zipmap.onnx", test_onnx_zipmap());
    return 0;
}
