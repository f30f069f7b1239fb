/* keys: who may call. Edits the folder of keys on this host; no call is made. */
#include <stdlib.h>
#include <string.h>

#include "vln_text.h"

#include "cli.h"

enum { ROLES_TEXT = 256, KINDS_TEXT = VLN_KINDS_MAX * (VLN_KIND_MAX + 2) };

static const cli_column_t key_columns[] = {{"NAME", "name"},
                                           {"ROLES", "roles"},
                                           {"KINDS", "kinds"},
                                           {"PUBLIC KEY", "public_key"},
                                           {NULL, NULL}};

static cli_exit_t
fail_keys(const cli_t *cli, vln_err_t err, const char *name)
{
    switch (err) {
    case VLN_NOT_FOUND:
        return cli_fail(CLI_NOT_FOUND,
                        "NOT_FOUND: no principal \"%s\" in %s; see 'valion keys list'", name,
                        cli->keys);
    case VLN_ALREADY_EXISTS:
        return cli_fail(CLI_FAILED, "ALREADY_EXISTS: \"%s\" has a key; revoke it first", name);
    case VLN_PERMISSION_DENIED:
        return cli_fail(CLI_DENIED, "PERMISSION_DENIED: %s may not be read or written", cli->keys);
    default:
        return cli_fail(cli_exit_of(err), "%s: keys in %s", vln_err_name(err), cli->keys);
    }
}

static void
add_row(cli_list_t *list, const vln_principal_t *principal)
{
    char roles[ROLES_TEXT];
    char kinds[KINDS_TEXT] = "";
    for (size_t i = 0; i < principal->kind_count; i++) {
        size_t len = strlen(kinds);
        snprintf(kinds + len, sizeof kinds - len, "%s%s", i ? "," : "", principal->kinds[i]);
    }
    const char *const cells[] = {principal->name,
                                 vln_roles_format(principal->roles, roles, sizeof roles), kinds,
                                 principal->public_key};
    cli_list_add_cells(list, cells);
}

/* Every principal, or the one of that name; how many were shown. */
static size_t
show(const cli_t *cli, const vln_principal_t *principals, size_t count, const char *name)
{
    cli_list_t *list = cli_list_new(cli->form, key_columns, cli->color, stdout);
    size_t shown = 0;
    for (size_t i = 0; i < count; i++) {
        if (!name || strcmp(principals[i].name, name) == 0) {
            add_row(list, &principals[i]);
            shown++;
        }
    }
    cli_list_end(&list, name ? "" : "no keys");
    return shown;
}

static cli_exit_t
list_keys(const cli_t *cli, const char *name)
{
    vln_principal_t *principals = NULL;
    size_t count = 0;
    vln_err_t err = vln_keys_list(cli->keys, &principals, &count);
    if (err != VLN_OK) {
        return err == VLN_NOT_FOUND
                   ? cli_fail(CLI_NOT_FOUND,
                              "NOT_FOUND: no keys in %s; 'valion keys init' makes them", cli->keys)
                   : fail_keys(cli, err, "");
    }
    bool found = !name;
    for (size_t i = 0; i < count; i++) {
        found = found || strcmp(principals[i].name, name) == 0;
    }
    if (found) {
        show(cli, principals, count, name);
    }
    free(principals);
    return found ? CLI_OK : fail_keys(cli, VLN_NOT_FOUND, name);
}

cli_exit_t
cmd_keys_list(cli_t *cli)
{
    return list_keys(cli, NULL);
}

cli_exit_t
cmd_keys_show(cli_t *cli)
{
    return list_keys(cli, cli_args_word(&cli->args, 0));
}

cli_exit_t
cmd_keys_init(cli_t *cli)
{
    vln_err_t err = vln_keys_init(cli->keys);
    if (err != VLN_OK) {
        return fail_keys(cli, err, "");
    }
    fprintf(stderr, "keys are in %s; each process needs only its own secret file\n", cli->keys);
    return CLI_OK;
}

/* "a,b" into the principal; false with a sentence. */
static bool
take_kinds(const char *text, vln_principal_t *out)
{
    char kind[VLN_KIND_MAX + 2];
    while (text && vln_text_next(&text, ',', kind, sizeof kind)) {
        if (out->kind_count == VLN_KINDS_MAX || strlen(kind) > VLN_KIND_MAX) {
            cli_fail(CLI_USAGE, "--kinds: at most %d kinds of at most %d bytes", VLN_KINDS_MAX,
                     VLN_KIND_MAX);
            return false;
        }
        vln_text_copy(out->kinds[out->kind_count++], VLN_KIND_MAX + 1, kind);
    }
    return true;
}

cli_exit_t
cmd_keys_new(cli_t *cli)
{
    const char *name = cli_args_word(&cli->args, 0);
    const char *roles = cli_args_get(&cli->args, "roles");
    vln_principal_t *principal = vln_calloc(1, sizeof *principal);
    cli_exit_t code = CLI_USAGE;
    if (!vln_text_is_name(name, VLN_PRINCIPAL_MAX, "-_.")) {
        cli_fail(CLI_USAGE, "\"%s\" is no name: letters, digits, - _ . and at most %d", name,
                 VLN_PRINCIPAL_MAX);
    } else if (!roles || !vln_roles_parse(roles, &principal->roles)) {
        cli_fail(CLI_USAGE, "--roles: viewer, publisher, deployer, operator, approver, admin, "
                            "worker, with commas between");
    } else if (take_kinds(cli_args_get(&cli->args, "kinds"), principal)) {
        vln_text_copy(principal->name, sizeof principal->name, name);
        vln_err_t err = vln_keys_new_principal(cli->keys, principal);
        code = err == VLN_OK ? CLI_OK : fail_keys(cli, err, name);
        if (err == VLN_OK) {
            show(cli, principal, 1, NULL);
            fprintf(stderr,
                    "its secret is %s/secret/%s.key_secret; brokers know it within a second\n",
                    cli->keys, name);
        }
    }
    free(principal);
    return code;
}

cli_exit_t
cmd_keys_revoke(cli_t *cli)
{
    const char *name = cli_args_word(&cli->args, 0);
    if (!vln_text_is_name(name, VLN_PRINCIPAL_MAX, "-_.")) {
        return cli_fail(CLI_USAGE, "\"%s\" is no name of a principal", name);
    }
    vln_err_t err = vln_keys_revoke(cli->keys, name);
    if (err != VLN_OK) {
        return fail_keys(cli, err, name);
    }
    fprintf(stderr, "\"%s\" may no longer call; brokers see it within a second\n", name);
    return CLI_OK;
}
