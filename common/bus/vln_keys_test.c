#include "vln_keys.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <czmq.h>
#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "vln_log.h"

#include "valion/v1/common.pb-c.h"

static char folder[] = "/tmp/vln_keys_test_XXXXXX";

static const char *
in_folder(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static int
remove_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status;
    (void)type;
    (void)where;
    return remove(path);
}

static void
setup(void)
{
    vln_log_init("test", "keys", VLN_LOG_OFF);
    cr_assert(mkdtemp(folder) != NULL);
}

static void
teardown(void)
{
    cr_assert(nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0);
}

TestSuite(vln_keys, .init = setup, .fini = teardown, .timeout = 30);

static vln_principal_t
principal_of(const char *name, const char *roles)
{
    vln_principal_t principal = {0};
    snprintf(principal.name, sizeof principal.name, "%s", name);
    cr_assert(vln_roles_parse(roles, &principal.roles));
    return principal;
}

static mode_t
mode_of(const char *name)
{
    struct stat about;
    cr_assert(stat(in_folder(name), &about) == 0);
    return about.st_mode & 0777;
}

Test(vln_keys, makes_a_principal_that_can_be_loaded)
{
    vln_principal_t ann = principal_of("ann", "viewer,publisher");
    ann.kind_count = 2;
    snprintf(ann.kinds[0], sizeof ann.kinds[0], "check:*");
    snprintf(ann.kinds[1], sizeof ann.kinds[1], "exec");
    cr_assert(vln_keys_new_principal(folder, &ann) == VLN_OK);

    vln_principal_t found;
    cr_assert(vln_keys_load_principal(in_folder("public/ann.key"), &found) == VLN_OK);
    cr_expect(eq(str, found.name, "ann"));
    cr_expect(found.roles == ann.roles);
    cr_expect(found.kind_count == 2);
    cr_expect(eq(str, found.kinds[0], "check:*"));
    cr_expect(eq(str, found.public_key, ann.public_key));

    vln_keypair_t pair;
    cr_assert(vln_keys_load_pair(in_folder("secret/ann.key_secret"), &pair) == VLN_OK);
    cr_expect(eq(str, pair.public_key, ann.public_key));
    vln_keypair_wipe(&pair);
    cr_expect(pair.secret_key[0] == '\0');
}

Test(vln_keys, writes_what_czmq_reads)
{
    vln_principal_t ann = principal_of("ann", "viewer");
    cr_assert(vln_keys_new_principal(folder, &ann) == VLN_OK);
    zcert_t *cert = zcert_load(in_folder("public/ann.key"));
    cr_assert(cert != NULL);
    cr_expect(eq(str, (char *)zcert_public_txt(cert), ann.public_key));
    cr_expect(eq(str, (char *)zcert_meta(cert, "roles"), "viewer"));
    zcert_destroy(&cert);
}

Test(vln_keys, reads_what_czmq_writes)
{
    zcert_t *cert = zcert_new();
    zcert_set_meta(cert, "name", "%s", "bob");
    zcert_set_meta(cert, "roles", "%s", "operator");
    cr_assert(zcert_save_public(cert, in_folder("bob.key")) == 0);
    vln_principal_t found;
    cr_assert(vln_keys_load_principal(in_folder("bob.key"), &found) == VLN_OK);
    cr_expect(found.roles == 1U << VALION__V1__ROLE__ROLE_OPERATOR);
    cr_expect(eq(str, found.public_key, (char *)zcert_public_txt(cert)));
    zcert_destroy(&cert);
}

Test(vln_keys, refuses_a_name_twice_and_leaves_its_keys)
{
    vln_principal_t ann = principal_of("ann", "viewer");
    cr_assert(vln_keys_new_principal(folder, &ann) == VLN_OK);
    vln_principal_t again = principal_of("ann", "admin");
    cr_expect(vln_keys_new_principal(folder, &again) == VLN_ALREADY_EXISTS);
    vln_keypair_t pair;
    cr_assert(vln_keys_load_pair(in_folder("secret/ann.key_secret"), &pair) == VLN_OK);
    cr_expect(eq(str, pair.public_key, ann.public_key));
    vln_keypair_wipe(&pair);
}

Test(vln_keys, refuses_names_that_leave_the_folder)
{
    static const char *const names[] = {"", "../ann", "a/b", ".ann", "a b", "a\"b", "a\nb"};
    for (size_t i = 0; i < VLN_COUNT(names); i++) {
        vln_principal_t principal = principal_of(names[i], "viewer");
        cr_expect(vln_keys_new_principal(folder, &principal) == VLN_INVALID_ARGUMENT, "%s",
                  names[i]);
        cr_expect(vln_keys_revoke(folder, names[i]) == VLN_INVALID_ARGUMENT);
    }
}

Test(vln_keys, keeps_secrets_from_others)
{
    cr_assert(vln_keys_init(folder) == VLN_OK);
    cr_expect(mode_of("secret") == 0700);
    cr_expect(mode_of("secret/bus.key_secret") == 0600);
    cr_expect(mode_of("secret/admin.key_secret") == 0600);
    cr_expect(mode_of("secret/ticket.key") == 0600);
    cr_expect(mode_of("public/admin.key") == 0644);
}

Test(vln_keys, makes_an_installation_once)
{
    cr_assert(vln_keys_init(folder) == VLN_OK);
    char before[VLN_Z85_TEXT];
    cr_assert(vln_keys_load_public(in_folder("bus.key"), before) == VLN_OK);
    uint8_t ticket_before[VLN_SIGN_PUBLIC];
    cr_assert(vln_sign_load_public(in_folder("ticket.pub"), ticket_before) == VLN_OK);

    cr_assert(unlink(in_folder("bus.key")) == 0);
    cr_assert(unlink(in_folder("ticket.pub")) == 0);
    cr_assert(vln_keys_init(folder) == VLN_OK);
    char after[VLN_Z85_TEXT];
    cr_assert(vln_keys_load_public(in_folder("bus.key"), after) == VLN_OK);
    cr_expect(eq(str, before, after));
    uint8_t ticket_after[VLN_SIGN_PUBLIC];
    cr_assert(vln_sign_load_public(in_folder("ticket.pub"), ticket_after) == VLN_OK);
    cr_expect(memcmp(ticket_before, ticket_after, sizeof ticket_before) == 0);
}

Test(vln_keys, lists_the_built_in_principals_by_name)
{
    cr_assert(vln_keys_init(folder) == VLN_OK);
    vln_principal_t *list = NULL;
    size_t count = 0;
    cr_assert(vln_keys_list(folder, &list, &count) == VLN_OK);
    cr_assert(count == 9);
    cr_expect(eq(str, list[0].name, "admin"));
    cr_expect(eq(str, list[1].name, "deployer"));
    cr_expect(list[1].roles == (1U << VALION__V1__ROLE__ROLE_DEPLOYER_SERVICE |
                                1U << VALION__V1__ROLE__ROLE_WORKER));
    cr_expect(list[1].kind_count == 3);
    cr_expect(eq(str, list[8].name, "worker"));
    free(list);
}

/* The certificate of an older release, with its key. */
static void
give_kinds(const char *name, const char *kinds)
{
    vln_principal_t principal;
    char file[64];
    snprintf(file, sizeof file, "public/%s.key", name);
    cr_assert(vln_keys_load_principal(in_folder(file), &principal) == VLN_OK);
    cr_assert(vln_keys_revoke(folder, name) == VLN_OK);
    principal.kind_count = 1;
    snprintf(principal.kinds[0], sizeof principal.kinds[0], "%s", kinds);
    cr_assert(vln_keys_new_principal(folder, &principal) == VLN_OK);
}

Test(vln_keys, brings_what_services_may_do_up_to_date_and_leaves_people_alone)
{
    vln_principal_t before;
    vln_principal_t after;
    cr_assert(vln_keys_init(folder) == VLN_OK);
    give_kinds("validator", "validate");
    give_kinds("worker", "mine");
    cr_assert(vln_keys_load_principal(in_folder("public/validator.key"), &before) == VLN_OK);
    cr_assert(vln_keys_init(folder) == VLN_OK);
    cr_assert(vln_keys_load_principal(in_folder("public/validator.key"), &after) == VLN_OK);
    cr_expect(eq(str, before.public_key, after.public_key));
    cr_expect(before.kind_count == 1);
    cr_expect(after.kind_count == 4);
    cr_assert(vln_keys_load_principal(in_folder("public/worker.key"), &after) == VLN_OK);
    cr_expect(after.kind_count == 1);
    cr_expect(eq(str, after.kinds[0], "mine"));
}

static void
write_file(const char *name, const char *text)
{
    FILE *file = fopen(in_folder(name), "w");
    cr_assert(file != NULL);
    fputs(text, file);
    fclose(file);
}

Test(vln_keys, leaves_out_certificates_that_are_wrong)
{
    vln_principal_t ann = principal_of("ann", "viewer");
    cr_assert(vln_keys_new_principal(folder, &ann) == VLN_OK);
    char text[512];
    snprintf(
        text, sizeof text,
        "metadata\n    name = \"ann\"\n    roles = \"admin\"\ncurve\n    public-key = \"%s\"\n",
        ann.public_key);
    write_file("public/other.key", text); /* another's name */
    write_file("public/noise.key", "\x01\x02\xff garbage = = \"\n\t\tx\n");
    write_file("public/empty.key", "");
    write_file("public/short.key",
               "metadata\n    name = \"short\"\ncurve\n    public-key = \"x\"\n");
    write_file("public/notes.txt", "nothing");

    vln_principal_t *list = NULL;
    size_t count = 0;
    cr_assert(vln_keys_list(folder, &list, &count) == VLN_OK);
    cr_assert(count == 1);
    cr_expect(eq(str, list[0].name, "ann"));
    free(list);
}

Test(vln_keys, refuses_roles_that_are_not_known)
{
    uint32_t roles = 7;
    cr_expect(not(vln_roles_parse("viewer,root", &roles)));
    cr_expect(roles == 0);
    char text[64];
    cr_assert(vln_roles_parse(" gateway , viewer", &roles));
    cr_expect(eq(str, vln_roles_format(roles, text, sizeof text), "viewer,gateway"));
    cr_expect(eq(str, vln_roles_format(roles, text, 9), "viewer,g"));
}

Test(vln_keys, revokes_a_name)
{
    vln_principal_t ann = principal_of("ann", "viewer");
    cr_assert(vln_keys_new_principal(folder, &ann) == VLN_OK);
    cr_expect(vln_keys_revoke(folder, "ann") == VLN_OK);
    cr_expect(vln_keys_revoke(folder, "ann") == VLN_NOT_FOUND);
    vln_principal_t again = principal_of("ann", "viewer");
    cr_assert(vln_keys_new_principal(folder, &again) == VLN_OK);
    cr_expect(ne(str, again.public_key, ann.public_key));
}

/* A reader beside a process that makes and revokes: whole certificates, or none. */
Test(vln_keys, lists_while_files_are_replaced)
{
    vln_principal_t ann = principal_of("ann", "viewer");
    cr_assert(vln_keys_new_principal(folder, &ann) == VLN_OK);
    pid_t writer = fork();
    cr_assert(writer >= 0);
    if (writer == 0) {
        for (int i = 0; i < 150; i++) {
            vln_principal_t bob = principal_of("bob", "viewer");
            if (vln_keys_new_principal(folder, &bob) || vln_keys_revoke(folder, "bob")) {
                _exit(1);
            }
        }
        _exit(0);
    }
    int status = 0;
    while (waitpid(writer, &status, WNOHANG) == 0) {
        vln_principal_t *list = NULL;
        size_t count = 0;
        cr_assert(vln_keys_list(folder, &list, &count) == VLN_OK);
        cr_assert(count == 1 || count == 2);
        cr_assert(eq(str, list[0].name, "ann"));
        free(list);
    }
    cr_expect(status == 0);
}

Test(vln_keys, says_what_is_wrong_with_a_pair)
{
    vln_keypair_t pair;
    cr_expect(vln_keys_load_pair(in_folder("none.key_secret"), &pair) == VLN_NOT_FOUND);
    vln_principal_t ann = principal_of("ann", "viewer");
    cr_assert(vln_keys_new_principal(folder, &ann) == VLN_OK);
    cr_expect(vln_keys_load_pair(in_folder("public/ann.key"), &pair) == VLN_INVALID_ARGUMENT);
    cr_expect(pair.public_key[0] == '\0');

    vln_principal_t bob = principal_of("bob", "viewer");
    cr_assert(vln_keys_new_principal(folder, &bob) == VLN_OK);
    cr_assert(vln_keys_load_pair(in_folder("secret/bob.key_secret"), &pair) == VLN_OK);
    char text[512];
    snprintf(text, sizeof text, "curve\n    public-key = \"%s\"\n    secret-key = \"%s\"\n",
             ann.public_key, pair.secret_key);
    write_file("mixed.key_secret", text);
    cr_expect(vln_keys_load_pair(in_folder("mixed.key_secret"), &pair) == VLN_INVALID_ARGUMENT);
}

Test(vln_keys, allows_kinds_by_name_and_by_prefix)
{
    static const char *const kinds[] = {"validate", "check:*", "user.*"};
    cr_expect(vln_kinds_allow(kinds, 3, "validate"));
    cr_expect(vln_kinds_allow(kinds, 3, "check:drift"));
    cr_expect(vln_kinds_allow(kinds, 3, "user.mine"));
    cr_expect(not(vln_kinds_allow(kinds, 3, "validate2")));
    cr_expect(not(vln_kinds_allow(kinds, 3, "check")));
    cr_expect(not(vln_kinds_allow(kinds, 0, "validate")));
    static const char *const all[] = {"*"};
    cr_expect(vln_kinds_allow(all, 1, "anything"));
}

Test(vln_keys, verifies_what_it_signed_and_nothing_else)
{
    cr_assert(vln_keys_init(folder) == VLN_OK);
    uint8_t secret[VLN_SIGN_SECRET];
    uint8_t public_key[VLN_SIGN_PUBLIC];
    uint8_t other[VLN_SIGN_PUBLIC];
    uint8_t signature[VLN_SIGNATURE];
    cr_assert(vln_sign_load_secret(in_folder("secret/ticket.key"), secret) == VLN_OK);
    cr_assert(vln_sign_load_public(in_folder("ticket.pub"), public_key) == VLN_OK);
    cr_assert(vln_sign_load_public(in_folder("audit.pub"), other) == VLN_OK);
    vln_sign_make(secret, "ticket", 6, signature);
    cr_expect(vln_sign_verify(public_key, "ticket", 6, signature));
    cr_expect(not(vln_sign_verify(public_key, "tickeT", 6, signature)));
    cr_expect(not(vln_sign_verify(other, "ticket", 6, signature)));
    cr_expect(vln_sign_load_public(in_folder("secret/ticket.key"), other) == VLN_INVALID_ARGUMENT);
}
