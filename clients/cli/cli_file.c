#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli_file_inside.h"

static bool
hash_file(cli_file_t *self)
{
    uint8_t *block = vln_calloc(1, CLI_CHUNK);
    vln_digest_t *digest = vln_digest_begin();
    self->size_bytes = 0;
    for (size_t got; (got = fread(block, 1, CLI_CHUNK, self->stream)) > 0;) {
        vln_digest_add(digest, block, got);
        self->size_bytes += (int64_t)got;
    }
    vln_digest_end(&digest, self->digest);
    free(block);
    return !ferror(self->stream) && fseek(self->stream, 0, SEEK_SET) == 0;
}

bool
cli_file_open(const char *path, cli_file_t *out)
{
    struct stat about;
    *out = (cli_file_t){.path = path, .stream = fopen(path, "rb")};
    if (!out->stream) {
        cli_fail(CLI_USAGE, "%s: %s", path, strerror(errno));
        return false;
    }
    bool is_file = fstat(fileno(out->stream), &about) == 0 && S_ISREG(about.st_mode);
    if (!is_file || !hash_file(out)) {
        cli_fail(CLI_USAGE, "%s: %s", path, is_file ? strerror(errno) : "is no file");
        return false;
    }
    return true;
}

void
cli_file_close(cli_file_t *self)
{
    if (self->stream) {
        fclose(self->stream);
        self->stream = NULL;
    }
}

void
cli_file_show_progress(const char *path, int64_t done, int64_t total)
{
    if (isatty(STDERR_FILENO) && total > CLI_CHUNK) {
        fprintf(stderr, "\r%s: %d %%%s", path, (int)(done * 100 / total),
                done == total ? "\n" : "");
    }
}
