/*
 * Runs a fuzz target over the files of folders, where no fuzzer is linked in: what a fuzzer once
 * found stays found. Without a corpus it runs the empty input and a few bytes, and says so.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 1 << 20 };

static int
replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        return 0;
    }
    uint8_t *bytes = malloc(INPUT_MAX);
    if (!bytes) {
        abort();
    }
    size_t size = fread(bytes, 1, INPUT_MAX, file);
    fclose(file);
    LLVMFuzzerTestOneInput(bytes, size);
    free(bytes);
    return 1;
}

static int
replay_folder(const char *path)
{
    DIR *folder = opendir(path);
    if (!folder) {
        return 0;
    }
    int count = 0;
    for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        char name[4096];
        struct stat about;
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (stat(name, &about) == 0 && S_ISREG(about.st_mode)) {
            count += replay_file(name);
        }
    }
    closedir(folder);
    return count;
}

int
main(int argc, char **argv)
{
    static const uint8_t few[] = {0, 1, 0x0a, 0x80, 0xff, 0xff, 0xff, 0xff, 0x0f};
    for (size_t size = 0; size <= sizeof few; size++) {
        LLVMFuzzerTestOneInput(few, size);
    }
    int count = 0;
    for (int i = 1; i < argc; i++) {
        count += replay_folder(argv[i]);
    }
    printf("replayed %d inputs of the corpus\n", count);
    return 0;
}
