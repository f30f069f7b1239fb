/* artifact: bytes by their digest. */
#include <string.h>
#include <valion/v1/registry.pb-c.h>

#include "vln_text.h"

#include "cli.h"
#include "cli_file.h"

static const char hint[] = "valion version show MODEL@VERSION";

static bool
parse_digest(const char *text, uint8_t out[VLN_DIGEST_BYTES])
{
    if (strlen(text) == (size_t)2 * VLN_DIGEST_BYTES &&
        vln_hex_decode(text, out, VLN_DIGEST_BYTES)) {
        return true;
    }
    cli_fail(CLI_USAGE,
             "\"%.80s\" is not a digest: 64 hexadecimal digits, as 'valion version show' prints "
             "them",
             text);
    return false;
}

cli_exit_t
cmd_artifact_put(cli_t *cli)
{
    cli_file_t file;
    cli_exit_t code = CLI_USAGE;
    if (cli_file_open(cli_args_word(&cli->args, 0), &file)) {
        char hex[2 * VLN_DIGEST_BYTES + 1];
        file.media_type = cli_args_get(&cli->args, "media-type");
        code = cli_file_send(cli, &file);
        if (code == CLI_OK) {
            puts(vln_hex_encode(file.digest, sizeof file.digest, hex));
        }
    }
    cli_file_close(&file);
    return code;
}

cli_exit_t
cmd_artifact_get(cli_t *cli)
{
    uint8_t digest[VLN_DIGEST_BYTES];
    if (!parse_digest(cli_args_word(&cli->args, 0), digest)) {
        return CLI_USAGE;
    }
    return cli_file_fetch(cli, digest, cli_args_word(&cli->args, 1));
}

cli_exit_t
cmd_artifact_show(cli_t *cli)
{
    uint8_t digest[VLN_DIGEST_BYTES];
    if (!parse_digest(cli_args_word(&cli->args, 0), digest)) {
        return CLI_USAGE;
    }
    Valion__V1__GetArtifactInfoRequest message = VALION__V1__GET_ARTIFACT_INFO_REQUEST__INIT;
    message.has_digest = 1;
    message.digest = (ProtobufCBinaryData){sizeof digest, digest};
    const cli_request_t request = {
        .service = "registry", .method = "GetArtifactInfo", .message = &message.base, .hint = hint};
    return cli_call_and_show(cli, &request, NULL);
}
