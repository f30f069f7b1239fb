#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <valion/v1/common.pb-c.h>

#include "vln_contract.h"
#include "vln_json_form.h"
#include "vln_reflect.h"
#include "vln_text.h"
#include "vln_time.h"

#include "cli.h"
#include "cli_format.h"

/* A page is small because a reply holds at most 4096 fields (VLN_PB_MAX_FIELDS). */
enum { PATH_TEXT = 1024, PAGE_MAX = 50, PAUSE_SLICE_MS = 100 };

/* ---- sentences ---- */

cli_exit_t
cli_fail(cli_exit_t code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("valion: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return code;
}

cli_exit_t
cli_exit_of(vln_err_t err)
{
    switch (err) {
    case VLN_OK:
        return CLI_OK;
    case VLN_NOT_FOUND:
        return CLI_NOT_FOUND;
    case VLN_PERMISSION_DENIED:
    case VLN_UNAUTHENTICATED:
        return CLI_DENIED;
    case VLN_UNAVAILABLE:
    case VLN_DEADLINE_EXCEEDED:
        return CLI_UNAVAILABLE;
    default:
        return CLI_FAILED;
    }
}

cli_exit_t
cli_fail_with(const cli_t *cli, vln_err_t err, const char *why, const char *hint)
{
    if (cli->stop && *cli->stop) {
        return CLI_INTERRUPTED;
    }
    bool wants_hint = err == VLN_NOT_FOUND && hint && !strstr(why, "see ");
    const char *text = *why ? why : vln_err_text(err);
    return cli_fail(cli_exit_of(err), "%s: %s%s%s%s", vln_err_name(err), text,
                    wants_hint ? "; see '" : "", wants_hint ? hint : "", wants_hint ? "'" : "");
}

/* ---- the connection ---- */

static bool
load_key(char *bus_key, const char *path, cli_exit_t *code)
{
    vln_err_t err = vln_keys_load_public(path, bus_key);
    if (err == VLN_OK) {
        return true;
    }
    *code = cli_fail(err == VLN_PERMISSION_DENIED ? CLI_DENIED : CLI_NOT_FOUND,
                     "%s: %s is not a public key; 'valion keys init' makes one", vln_err_name(err),
                     path);
    return false;
}

static bool
load_pair(const cli_t *cli, const char *path, vln_keypair_t *out, cli_exit_t *code)
{
    vln_err_t err = vln_keys_load_pair(path, out);
    if (err == VLN_OK) {
        return true;
    }
    *code = err == VLN_PERMISSION_DENIED
                ? cli_fail(CLI_DENIED, "PERMISSION_DENIED: %s may not be read", path)
                : cli_fail(CLI_NOT_FOUND, "%s: %s holds no key of \"%s\"; see 'valion keys list'",
                           vln_err_name(err), path, cli->principal);
    return false;
}

bool
cli_client_config(const cli_t *cli, char *bus_key, vln_client_config_t *out, cli_exit_t *code)
{
    char path[PATH_TEXT];
    struct stat about;
    if (!vln_text_is_name(cli->principal, VLN_PRINCIPAL_MAX, "-_.")) {
        *code = cli_fail(CLI_USAGE, "--as: \"%s\" is no name of a principal", cli->principal);
        return false;
    }
    if (stat(cli->keys, &about) != 0) {
        *code = cli_fail(CLI_NOT_FOUND,
                         "no folder of keys at %s: give --keys FOLDER or VALION_KEYS", cli->keys);
        return false;
    }
    snprintf(path, sizeof path, "%s/bus.key", cli->keys);
    if (!load_key(bus_key, path, code)) {
        return false;
    }
    snprintf(path, sizeof path, "%s/secret/%s.key_secret", cli->keys, cli->principal);
    out->bus = cli->bus;
    out->bus_key = bus_key;
    return load_pair(cli, path, &out->keys, code);
}

cli_exit_t
cli_open(cli_t *cli)
{
    char bus_key[VLN_Z85_TEXT];
    if (cli->client) {
        return CLI_OK;
    }
    vln_client_config_t config = {0};
    cli_exit_t code = CLI_OK;
    if (cli_client_config(cli, bus_key, &config, &code) &&
        vln_client_open(&cli->client, &config) != VLN_OK) {
        code = cli_fail(CLI_USAGE, "--bus: \"%s\" is not HOST:PORT[,HOST:PORT…]", cli->bus);
    }
    vln_keypair_wipe(&config.keys);
    if (cli->client) {
        vln_client_stop_on(cli->client, cli->stop);
    }
    return code;
}

vln_err_t
cli_try(cli_t *cli, const cli_request_t *request, vln_reply_t *reply)
{
    const ProtobufCMethodDescriptor *method =
        vln_contract_find_method(request->service, request->method);
    vln_assert(method && cli->client);
    vln_call_spec_t spec = {
        .service = request->service,
        .method = request->method,
        .request = request->message,
        .reply_type = method->output,
        .timeout_ms = request->timeout_ms ? request->timeout_ms : cli->timeout_ms,
        .attempt_ms = request->attempt_ms,
        .raw = request->raw,
        .raw_size = request->raw_size,
    };
    return vln_client_call(cli->client, &spec, reply);
}

cli_exit_t
cli_call(cli_t *cli, const cli_request_t *request, vln_reply_t *reply)
{
    memset(reply, 0, sizeof *reply);
    cli_exit_t code = cli_open(cli);
    if (code != CLI_OK) {
        return code;
    }
    vln_err_t err = cli_try(cli, request, reply);
    return err == VLN_OK ? CLI_OK : cli_fail_with(cli, err, reply->why, request->hint);
}

static const ProtobufCMessage *
message_in(const ProtobufCMessage *message, const char *name)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(message->descriptor, name);
    vln_assert(field && field->type == PROTOBUF_C_TYPE_MESSAGE);
    return vln_reflect_count(message, field)
               ? *(const ProtobufCMessage *const *)vln_reflect_get(message, field, 0)
               : NULL;
}

cli_exit_t
cli_call_and_show(cli_t *cli, const cli_request_t *request, const char *shows)
{
    vln_reply_t reply;
    cli_exit_t code = cli_call(cli, request, &reply);
    if (code == CLI_OK) {
        const ProtobufCMessage *message = shows ? message_in(reply.message, shows) : reply.message;
        cli_show(cli->form, message ? message : reply.message, stdout);
    }
    vln_reply_wipe(&reply);
    return code;
}

/* ---- pages ---- */

static void *
field_slot(ProtobufCMessage *message, const char *name)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(message->descriptor, name);
    vln_assert(field);
    return (char *)message + field->offset;
}

/* The first repeated field: every reply with pages has its items there. */
static const ProtobufCFieldDescriptor *
items_of(const ProtobufCMessage *reply)
{
    const ProtobufCFieldDescriptor *field = reply->descriptor->fields;
    const ProtobufCFieldDescriptor *end = field + reply->descriptor->n_fields;
    while (field < end && field->label != PROTOBUF_C_LABEL_REPEATED) {
        field++;
    }
    vln_assert(field < end);
    return field;
}

/* Adds what is on the page; false when no page follows or the limit is reached. */
static bool
add_page(cli_list_t *list, ProtobufCMessage *reply, int64_t *left, Valion__V1__Page *page)
{
    const ProtobufCFieldDescriptor *field = items_of(reply);
    size_t count = vln_reflect_count(reply, field);
    for (size_t i = 0; i < count && *left > 0; i++, --*left) {
        cli_list_add(list, *(const ProtobufCMessage *const *)vln_reflect_get(reply, field, i));
    }
    const ProtobufCBinaryData *next = field_slot(reply, "next_token");
    free(page->token.data);
    page->token = (ProtobufCBinaryData){
        .len = next->len, .data = next->len ? vln_memdup(next->data, next->len) : NULL};
    page->has_token = next->len > 0;
    return page->has_token && *left > 0;
}

cli_exit_t
cli_call_pages(cli_t *cli, const cli_pages_t *pages)
{
    int64_t left;
    if (!cli_args_number(&cli->args, "limit", 1, INT32_MAX, 100, &left)) {
        return cli_fail(CLI_USAGE, "%s", cli->args.why);
    }
    Valion__V1__Page page = VALION__V1__PAGE__INIT;
    *(Valion__V1__Page **)field_slot(pages->message, "page") = &page;
    cli_request_t request = {.service = pages->service,
                             .method = pages->method,
                             .message = pages->message,
                             .hint = pages->hint};
    cli_list_t *list = cli_list_new(cli->form, pages->columns, cli->color, stdout);
    cli_exit_t code = CLI_OK;
    for (bool more = true; more && code == CLI_OK;) {
        vln_reply_t reply;
        page.has_size = 1;
        page.size = (uint32_t)(left < PAGE_MAX ? left : PAGE_MAX);
        code = cli_call(cli, &request, &reply);
        more = code == CLI_OK && add_page(list, reply.message, &left, &page);
        vln_reply_wipe(&reply);
    }
    free(page.token.data);
    cli_list_end(&list, code == CLI_OK ? pages->empty : "");
    return code;
}

/* ---- arguments ---- */

static char *
read_stream(FILE *file, size_t max, size_t *size)
{
    char *text = vln_calloc(1, max + 2);
    *size = fread(text, 1, max + 1, file);
    if (*size <= max && !ferror(file)) {
        return text;
    }
    free(text);
    return NULL;
}

char *
cli_read_value(const char *value, size_t max, size_t *size)
{
    char *text = NULL;
    if (strcmp(value, "-") == 0) {
        text = read_stream(stdin, max, size);
    } else if (value[0] == '@') {
        FILE *file = fopen(value + 1, "rb");
        if (!file) {
            cli_fail(CLI_USAGE, "%s: %s", value + 1, strerror(errno));
            return NULL;
        }
        text = read_stream(file, max, size);
        fclose(file);
    } else {
        *size = strlen(value);
        text = *size <= max ? vln_strdup(value) : NULL;
    }
    if (!text) {
        cli_fail(CLI_USAGE, "%.64s cannot be read, or is more than %zu bytes", value, max);
    }
    return text;
}

bool
cli_parse_id(const char *text, uint8_t out[VLN_ID_BYTES])
{
    vln_id_t id;
    if (!vln_id_parse(text, &id)) {
        cli_fail(CLI_USAGE, "\"%.64s\" is no id, such as 01932a4b-5c6d-7e8f-9012-3456789abcde",
                 text);
        return false;
    }
    memcpy(out, id.bytes, VLN_ID_BYTES);
    return true;
}

bool
cli_pause(const cli_t *cli, int64_t ms)
{
    int64_t until = vln_mono_ms() + ms;
    for (int64_t left = ms; left > 0 && !*cli->stop; left = until - vln_mono_ms()) {
        vln_sleep_ms(left < PAUSE_SLICE_MS ? left : PAUSE_SLICE_MS);
    }
    return !*cli->stop;
}

/* protobuf-c's structs have `char *` for text that is only read. */
static char *
as_field(const char *text)
{
    return (char *)(uintptr_t)text;
}

char *
cli_text_option(const cli_t *cli, const char *name)
{
    return as_field(cli_args_get(&cli->args, name));
}

char *
cli_text_word(const cli_t *cli, size_t index)
{
    return as_field(cli_args_word(&cli->args, index));
}

char **
cli_text_options(const cli_t *cli, const char *name, size_t *count)
{
    *count = cli_args_count(&cli->args, name);
    char **texts = vln_calloc(*count + 1, sizeof *texts);
    size_t at = 0;
    for (size_t i = 0; i < *count; i++) {
        texts[i] = as_field(cli_args_next(&cli->args, name, &at));
    }
    return texts;
}

bool
cli_enum_option(const cli_t *cli, const char *name, const ProtobufCEnumDescriptor *type, int *out)
{
    const char *text = cli_args_get(&cli->args, name);
    *out = 0;
    if (!text || vln_form_enum_parse(type, text, out)) {
        return true;
    }
    fprintf(stderr, "valion: --%s: \"%.64s\" is none of", name, text);
    for (unsigned i = 1; i < type->n_values; i++) {
        char value[CLI_VALUE_MAX];
        ProtobufCFieldDescriptor field = {.type = PROTOBUF_C_TYPE_ENUM, .descriptor = type};
        fprintf(stderr, "%s %s", i > 1 ? "," : "",
                cli_format_value(&field, &type->values[i].value, value, sizeof value));
    }
    fputc('\n', stderr);
    return false;
}

const char *
cli_bold(const cli_t *cli)
{
    return cli->color ? "\033[1m" : "";
}

const char *
cli_plain(const cli_t *cli)
{
    return cli->color ? "\033[0m" : "";
}
