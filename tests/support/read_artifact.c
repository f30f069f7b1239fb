/*
 * read_artifact - reads an artifact as validators, trainers and runners do: by way of the cache,
 * then from the registry. Prints the SHA-256 of what it got and how often the cache had a chunk.
 *
 *     read_artifact BUS KEYS PRINCIPAL REDIS USER PASSWORD-FILE DIGEST
 */
#include <stdio.h>
#include <stdlib.h>

#include "vln_artifacts.h"
#include "vln_keys.h"
#include "vln_log.h"
#include "vln_text.h"

enum { PATH_ROOM = 512 };
static const int64_t MAX_BYTES = 256LL * 1024 * 1024;

static vln_client_t *
open_client(char **words)
{
    char path[PATH_ROOM];
    char bus_key[VLN_Z85_TEXT];
    vln_client_t *client = NULL;
    vln_client_config_t config = {.bus = words[0], .bus_key = bus_key};
    snprintf(path, sizeof path, "%s/bus.key", words[1]);
    vln_err_t err = vln_keys_load_public(path, bus_key);
    snprintf(path, sizeof path, "%s/secret/%s.key_secret", words[1], words[2]);
    err = err == VLN_OK ? vln_keys_load_pair(path, &config.keys) : err;
    err = err == VLN_OK ? vln_client_open(&client, &config) : err;
    vln_keypair_wipe(&config.keys);
    return err == VLN_OK ? client : NULL;
}

int
main(int argc, char **argv)
{
    uint8_t digest[VLN_DIGEST_BYTES];
    char hex[2 * VLN_DIGEST_BYTES + 1];
    char why[VLN_ARTIFACTS_WHY];
    vln_bytes_t bytes = {0};
    if (argc != 8 || !vln_hex_decode(argv[7], digest, sizeof digest)) {
        return 2;
    }
    vln_log_init("read_artifact", NULL, VLN_LOG_WARN);
    const vln_cache_options_t cache = {
        .address = argv[4], .user = argv[5], .password_file = argv[6]};
    vln_client_t *client = open_client(argv + 1);
    if (!client) {
        return 2;
    }
    vln_artifacts_t *artifacts = vln_artifacts_open(client, &cache);
    vln_err_t err = vln_artifacts_get(artifacts, digest, MAX_BYTES, &bytes, why);
    if (err == VLN_OK) {
        vln_digest(bytes.data, bytes.size, digest);
        printf("%s %lld\n", vln_hex_encode(digest, sizeof digest, hex),
               (long long)vln_artifacts_counts(artifacts).hits);
    } else {
        fprintf(stderr, "%s: %s\n", vln_err_name(err), why);
    }
    vln_bytes_end(&bytes);
    vln_artifacts_close(&artifacts);
    vln_client_close(&client);
    return err == VLN_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
