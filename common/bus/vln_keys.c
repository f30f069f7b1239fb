#include "vln_keys.h"

#include <czmq.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vln_id.h"
#include "vln_log.h"
#include "vln_mem.h"
#include "vln_text.h"

#include "valion/v1/common.pb-c.h"

/*
 * A certificate is written as text that czmq's own classes read (zcert_load, zconfig_load), but
 * not by zcert_save: that changes the process' umask and can leave half a file behind.
 */
enum { PATH_TEXT = 1024, FILE_MAX = 16 * 1024, TEXT_MAX = 4096, FOLDER_PUBLIC = 0755 };

enum { FILE_PUBLIC = 0644, FILE_SECRET = 0600, FOLDER_SECRET = 0700 };

static const char certificate_end[] = ".key";

/* clang-format off */
static const struct {
    const char *text;
    uint32_t bit;
} roles_known[] = {
    /* as written          role */
    {"viewer",            1U << VALION__V1__ROLE__ROLE_VIEWER},
    {"publisher",         1U << VALION__V1__ROLE__ROLE_PUBLISHER},
    {"deployer",          1U << VALION__V1__ROLE__ROLE_DEPLOYER},
    {"operator",          1U << VALION__V1__ROLE__ROLE_OPERATOR},
    {"approver",          1U << VALION__V1__ROLE__ROLE_APPROVER},
    {"admin",             1U << VALION__V1__ROLE__ROLE_ADMIN},
    {"worker",            1U << VALION__V1__ROLE__ROLE_WORKER},
    {"registry",          1U << VALION__V1__ROLE__ROLE_REGISTRY},
    {"validator",         1U << VALION__V1__ROLE__ROLE_VALIDATOR},
    {"trainer",           1U << VALION__V1__ROLE__ROLE_TRAINER},
    {"deployer-service",  1U << VALION__V1__ROLE__ROLE_DEPLOYER_SERVICE},
    {"runner",            1U << VALION__V1__ROLE__ROLE_RUNNER},
    {"orchestrator",      1U << VALION__V1__ROLE__ROLE_ORCHESTRATOR},
    {"gateway",           1U << VALION__V1__ROLE__ROLE_GATEWAY},
};

/* Who is there after vln_keys_init. */
static const struct {
    const char *name;
    const char *roles;
    const char *kinds;
} principals_first[] = {
    /* name          roles                                                 kinds */
    {"registry",     "registry,worker",                                    "register,promote,suggest_version"},
    {"orchestrator", "orchestrator",                                       ""},
    {"validator",    "validator,worker",                                   "validate,inspect,profile,check:*"},
    {"trainer",      "trainer,worker",                                     "train,transform"},
    {"deployer",     "deployer-service,worker",                            "deploy,rollback,watch"},
    {"runner",       "runner,worker",                                      ""},
    {"gateway",      "gateway",                                            ""},
    {"admin",        "admin,viewer,publisher,deployer,operator,approver",  ""},
    {"worker",       "worker",                                             "test.*,exec,http,user.*"},
};
/* clang-format on */

/* ---- files ---- */

static vln_err_t
fail_with_errno(const char *what, const char *path)
{
    int number = errno;
    vln_error("keys.file_failed", kv_str("what", what), kv_str("path", path),
              kv_str("why", strerror(number)));
    return number == EACCES || number == EPERM ? VLN_PERMISSION_DENIED : VLN_UNAVAILABLE;
}

static void
join(char out[PATH_TEXT], const char *folder, const char *name, const char *end)
{
    vln_assert(snprintf(out, PATH_TEXT, "%s/%s%s", folder, name, end) < PATH_TEXT);
}

static vln_err_t
sync_folder_of(const char *path)
{
    char folder[PATH_TEXT];
    snprintf(folder, sizeof folder, "%s", path);
    *strrchr(folder, '/') = '\0';
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return fail_with_errno("open", folder);
    }
    int status = fsync(fd);
    close(fd);
    return status == 0 ? VLN_OK : fail_with_errno("fsync", folder);
}

static bool
write_all(int fd, const char *text)
{
    size_t len = strlen(text);
    while (len > 0) {
        ssize_t written = write(fd, text, len);
        if (written < 0 && errno != EINTR) {
            return false;
        }
        if (written > 0) {
            text += written;
            len -= (size_t)written;
        }
    }
    return true;
}

/* All of it on disk in a new file beside `path`, whose name goes into `temporary`. */
static vln_err_t
write_temporary(const char *path, const char *text, mode_t mode, char temporary[PATH_TEXT])
{
    vln_assert(snprintf(temporary, PATH_TEXT, "%s.%016llx.new", path,
                        (unsigned long long)vln_random_u64()) < PATH_TEXT);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0) {
        return fail_with_errno("create", temporary);
    }
    bool written = write_all(fd, text) && fchmod(fd, mode) == 0 && fsync(fd) == 0;
    if (close(fd) != 0 || !written) {
        vln_err_t err = fail_with_errno("write", temporary);
        unlink(temporary);
        return err;
    }
    return VLN_OK;
}

/* Whole or not at all; what was there is replaced. */
static vln_err_t
replace_file(const char *path, const char *text, mode_t mode)
{
    char temporary[PATH_TEXT];
    vln_err_t err = write_temporary(path, text, mode, temporary);
    if (err) {
        return err;
    }
    if (rename(temporary, path) != 0) {
        err = fail_with_errno("rename", path);
        unlink(temporary);
        return err;
    }
    return sync_folder_of(path);
}

/* The same, but ALREADY_EXISTS if there is one: of two that try at once, one wins. */
static vln_err_t
create_file(const char *path, const char *text, mode_t mode)
{
    char temporary[PATH_TEXT];
    vln_err_t err = write_temporary(path, text, mode, temporary);
    if (err) {
        return err;
    }
    if (link(temporary, path) != 0) {
        err = errno == EEXIST ? VLN_ALREADY_EXISTS : fail_with_errno("link", path);
    }
    unlink(temporary);
    return err ? err : sync_folder_of(path);
}

static bool
exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static vln_err_t
make_folder(const char *path, mode_t mode)
{
    if (mkdir(path, mode) != 0 && errno != EEXIST) {
        return fail_with_errno("mkdir", path);
    }
    return VLN_OK;
}

static vln_err_t
make_folders(const char *folder)
{
    char path[PATH_TEXT];
    vln_err_t err = make_folder(folder, FOLDER_PUBLIC);
    if (!err) {
        join(path, folder, "public", "");
        err = make_folder(path, FOLDER_PUBLIC);
    }
    if (!err) {
        join(path, folder, "secret", "");
        err = make_folder(path, FOLDER_SECRET);
    }
    return err;
}

/* ---- certificates ---- */

static vln_err_t
load_certificate(const char *path, zconfig_t **out)
{
    *out = NULL;
    char *text = NULL;
    size_t size = 0;
    vln_err_t err = vln_text_read_file(path, FILE_MAX, &text, &size);
    if (err) {
        return err;
    }
    if (strlen(text) == size) {
        *out = zconfig_str_load(text);
    }
    sodium_memzero(text, size);
    free(text);
    return *out ? VLN_OK : VLN_INVALID_ARGUMENT;
}

/* Key, as 40 characters of Z85. */
static bool
copy_key(zconfig_t *certificate, const char *path, char out[VLN_Z85_TEXT])
{
    uint8_t raw[32];
    const char *text = zconfig_get(certificate, path, "");
    bool good = strlen(text) == VLN_Z85_TEXT - 1 && zmq_z85_decode(raw, text) != NULL;
    sodium_memzero(raw, sizeof raw);
    if (good) {
        memcpy(out, text, VLN_Z85_TEXT);
    }
    return good;
}

/* czmq's memory with the secret in it, zeroed before it is freed. */
static void
end_certificate(zconfig_t **certificate_p)
{
    zconfig_t *secret = *certificate_p ? zconfig_locate(*certificate_p, "/curve/secret-key") : NULL;
    if (secret) {
        sodium_memzero(zconfig_value(secret), strlen(zconfig_value(secret)));
    }
    zconfig_destroy(certificate_p);
}

vln_err_t
vln_keys_load_pair(const char *path, vln_keypair_t *out)
{
    *out = (vln_keypair_t){0};
    zconfig_t *certificate = NULL;
    vln_err_t err = load_certificate(path, &certificate);
    if (err) {
        return err;
    }
    if (!copy_key(certificate, "/curve/public-key", out->public_key) ||
        !copy_key(certificate, "/curve/secret-key", out->secret_key)) {
        err = VLN_INVALID_ARGUMENT;
    }
    char derived[VLN_Z85_TEXT] = "";
    if (!err && (zmq_curve_public(derived, out->secret_key) != 0 ||
                 memcmp(derived, out->public_key, VLN_Z85_TEXT) != 0)) {
        err = VLN_INVALID_ARGUMENT;
    }
    if (err) {
        vln_keypair_wipe(out);
    }
    end_certificate(&certificate);
    return err;
}

void
vln_keypair_wipe(vln_keypair_t *self)
{
    sodium_memzero(self, sizeof *self);
}

vln_err_t
vln_keys_load_public(const char *path, char out[VLN_Z85_TEXT])
{
    out[0] = '\0';
    zconfig_t *certificate = NULL;
    vln_err_t err = load_certificate(path, &certificate);
    if (!err && !copy_key(certificate, "/curve/public-key", out)) {
        err = VLN_INVALID_ARGUMENT;
    }
    end_certificate(&certificate);
    return err;
}

static bool
is_principal_name(const char *name)
{
    return vln_text_is_name(name, VLN_PRINCIPAL_MAX, "-_.@");
}

/* Letters, digits and what kinds are made of; a star at the end alone. */
static bool
is_kind(const char *kind)
{
    size_t len = strlen(kind);
    if (strcmp(kind, "*") == 0) {
        return true;
    }
    char body[VLN_KIND_MAX + 1];
    vln_text_copy(body, sizeof body, kind);
    if (len > 0 && len <= VLN_KIND_MAX && body[len - 1] == '*') {
        body[len - 1] = '\0';
    }
    return vln_text_is_name(body, VLN_KIND_MAX, "-_.:") && len <= VLN_KIND_MAX;
}

static bool
parse_kinds(const char *text, vln_principal_t *out)
{
    char kind[VLN_KIND_MAX + 2]; /* one more, so that a longer one is seen */
    out->kind_count = 0;
    while (vln_text_next(&text, ',', kind, sizeof kind)) {
        if (out->kind_count == VLN_KINDS_MAX || !is_kind(kind)) {
            return false;
        }
        vln_text_copy(out->kinds[out->kind_count++], sizeof out->kinds[0], kind);
    }
    return true;
}

vln_err_t
vln_keys_load_principal(const char *path, vln_principal_t *out)
{
    *out = (vln_principal_t){0};
    zconfig_t *certificate = NULL;
    vln_err_t err = load_certificate(path, &certificate);
    if (err) {
        return err;
    }
    const char *name = zconfig_get(certificate, "/metadata/name", "");
    bool good = copy_key(certificate, "/curve/public-key", out->public_key) &&
                is_principal_name(name) &&
                vln_roles_parse(zconfig_get(certificate, "/metadata/roles", ""), &out->roles) &&
                parse_kinds(zconfig_get(certificate, "/metadata/kinds", ""), out);
    vln_text_copy(out->name, sizeof out->name, name);
    end_certificate(&certificate);
    if (!good) {
        *out = (vln_principal_t){0};
        return VLN_INVALID_ARGUMENT;
    }
    return VLN_OK;
}

/* The file's name is the principal's, so that a name cannot have two certificates. */
static bool
name_is_of_file(const vln_principal_t *principal, const char *file)
{
    size_t len = strlen(principal->name);
    return strncmp(file, principal->name, len) == 0 && strcmp(file + len, certificate_end) == 0;
}

static bool
is_certificate_file(const char *file)
{
    size_t len = strlen(file);
    size_t end = sizeof certificate_end - 1;
    return file[0] != '.' && len > end && strcmp(file + len - end, certificate_end) == 0;
}

static int
compare_names(const void *left, const void *right)
{
    return strcmp(((const vln_principal_t *)left)->name, ((const vln_principal_t *)right)->name);
}

static void
add_certificate(const char *folder, const char *file, vln_principal_t **list, size_t *count)
{
    char path[PATH_TEXT];
    vln_principal_t principal;
    join(path, folder, file, "");
    vln_err_t err = vln_keys_load_principal(path, &principal);
    if (err == VLN_NOT_FOUND) {
        return; /* removed since the folder was read */
    }
    if (err || !name_is_of_file(&principal, file)) {
        vln_warn("keys.certificate_left_out", kv_str("file", file),
                 kv_err(err ? err : VLN_INVALID_ARGUMENT));
        return;
    }
    /* Doubled when it is full: at every power of two. */
    if ((*count & (*count - 1)) == 0) {
        size_t room = *count ? *count * 2 : 1;
        *list = vln_realloc(*list, room * sizeof **list);
    }
    (*list)[(*count)++] = principal;
}

vln_err_t
vln_keys_list(const char *folder, vln_principal_t **out, size_t *count)
{
    *out = NULL;
    *count = 0;
    char path[PATH_TEXT];
    join(path, folder, "public", "");
    DIR *directory = opendir(path);
    if (!directory) {
        if (errno == ENOENT) {
            return VLN_NOT_FOUND;
        }
        return fail_with_errno("open", path);
    }
    for (struct dirent *entry = readdir(directory); entry; entry = readdir(directory)) {
        if (is_certificate_file(entry->d_name)) {
            add_certificate(path, entry->d_name, out, count);
        }
    }
    closedir(directory);
    if (*count > 1) {
        qsort(*out, *count, sizeof **out, compare_names);
    }
    return VLN_OK;
}

/* The text of a certificate; yours, end it with wipe_text(). `principal`, `secret` may be NULL. */
static char *
certificate_text(const char *public_key, const char *secret_key, const vln_principal_t *principal)
{
    zconfig_t *root = zconfig_new("root", NULL);
    if (principal) {
        char roles[TEXT_MAX];
        char kinds[VLN_KINDS_MAX * (VLN_KIND_MAX + 1) + 1] = "";
        size_t len = 0;
        for (size_t i = 0; i < principal->kind_count; i++) {
            len += (size_t)snprintf(kinds + len, sizeof kinds - len, "%s%s", i ? "," : "",
                                    principal->kinds[i]);
        }
        zconfig_put(root, "/metadata/name", principal->name);
        zconfig_put(root, "/metadata/roles",
                    vln_roles_format(principal->roles, roles, sizeof roles));
        zconfig_put(root, "/metadata/kinds", kinds);
    }
    zconfig_put(root, "/curve/public-key", public_key);
    if (secret_key) {
        zconfig_put(root, "/curve/secret-key", secret_key);
    }
    char *text = zconfig_str_save(root);
    vln_assert(text);
    end_certificate(&root);
    return text;
}

static void
wipe_text(char **text_p)
{
    sodium_memzero(*text_p, strlen(*text_p));
    zstr_free(text_p);
}

static vln_err_t
save_secret(const char *path, const vln_keypair_t *keys, const vln_principal_t *principal)
{
    char *text = certificate_text(keys->public_key, keys->secret_key, principal);
    vln_err_t err = replace_file(path, text, FILE_SECRET);
    wipe_text(&text);
    return err;
}

static bool
principal_is_valid(const vln_principal_t *principal)
{
    for (size_t i = 0; i < principal->kind_count; i++) {
        if (i == VLN_KINDS_MAX || !is_kind(principal->kinds[i])) {
            return false;
        }
    }
    return is_principal_name(principal->name);
}

/*
 * The secret is stored first: the public file is what makes the brokers accept it, so that a
 * principal whose making was interrupted is not there rather than half there.
 */
vln_err_t
vln_keys_new_principal(const char *folder, vln_principal_t *principal)
{
    char public_path[PATH_TEXT];
    char secret_path[PATH_TEXT];
    char public_folder[PATH_TEXT];
    char secret_folder[PATH_TEXT];
    if (!principal_is_valid(principal)) {
        return VLN_INVALID_ARGUMENT;
    }
    vln_err_t err = make_folders(folder);
    if (err) {
        return err;
    }
    join(public_folder, folder, "public", "");
    join(secret_folder, folder, "secret", "");
    join(public_path, public_folder, principal->name, certificate_end);
    join(secret_path, secret_folder, principal->name, ".key_secret");
    if (exists(public_path)) {
        return VLN_ALREADY_EXISTS;
    }
    vln_keypair_t keys;
    vln_assert(zmq_curve_keypair(keys.public_key, keys.secret_key) == 0);
    err = save_secret(secret_path, &keys, principal);
    if (!err) {
        char *text = certificate_text(keys.public_key, NULL, principal);
        err = create_file(public_path, text, FILE_PUBLIC);
        wipe_text(&text);
    }
    if (!err) {
        memcpy(principal->public_key, keys.public_key, sizeof principal->public_key);
    }
    vln_keypair_wipe(&keys);
    return err;
}

vln_err_t
vln_keys_revoke(const char *folder, const char *name)
{
    char public_folder[PATH_TEXT];
    char path[PATH_TEXT];
    if (!is_principal_name(name)) {
        return VLN_INVALID_ARGUMENT;
    }
    join(public_folder, folder, "public", "");
    join(path, public_folder, name, certificate_end);
    if (unlink(path) != 0) {
        return errno == ENOENT ? VLN_NOT_FOUND : fail_with_errno("unlink", path);
    }
    return sync_folder_of(path);
}

/* ---- a whole installation ---- */

static vln_err_t
init_bus(const char *folder)
{
    char secret_path[PATH_TEXT];
    char public_path[PATH_TEXT];
    join(secret_path, folder, "secret/bus", ".key_secret");
    join(public_path, folder, "bus", certificate_end);
    vln_keypair_t keys;
    vln_err_t err = vln_keys_load_pair(secret_path, &keys);
    if (err == VLN_NOT_FOUND) {
        vln_assert(zmq_curve_keypair(keys.public_key, keys.secret_key) == 0);
        err = save_secret(secret_path, &keys, NULL);
    } else if (!err && exists(public_path)) {
        vln_keypair_wipe(&keys);
        return VLN_OK;
    }
    if (!err) {
        char *text = certificate_text(keys.public_key, NULL, NULL);
        err = replace_file(public_path, text, FILE_PUBLIC);
        wipe_text(&text);
    }
    vln_keypair_wipe(&keys);
    return err;
}

static vln_err_t
save_hex(const char *path, const uint8_t *bytes, size_t size, mode_t mode)
{
    char text[2 * VLN_SIGN_SECRET + 2];
    vln_assert(size <= VLN_SIGN_SECRET);
    vln_hex_encode(bytes, size, text);
    text[2 * size] = '\n';
    text[2 * size + 1] = '\0';
    vln_err_t err = replace_file(path, text, mode);
    sodium_memzero(text, sizeof text);
    return err;
}

/* One pair of Ed25519 keys: secret/<name>.key, and <name>.pub that follows from it. */
static vln_err_t
init_signing(const char *folder, const char *secret_name, const char *public_name)
{
    char secret_path[PATH_TEXT];
    char public_path[PATH_TEXT];
    join(secret_path, folder, secret_name, certificate_end);
    join(public_path, folder, public_name, ".pub");
    uint8_t secret_key[VLN_SIGN_SECRET];
    uint8_t public_key[VLN_SIGN_PUBLIC];
    vln_err_t err = vln_sign_load_secret(secret_path, secret_key);
    if (err == VLN_NOT_FOUND) {
        vln_assert(crypto_sign_keypair(public_key, secret_key) == 0);
        err = save_hex(secret_path, secret_key, sizeof secret_key, FILE_SECRET);
    } else if (!err && exists(public_path)) {
        sodium_memzero(secret_key, sizeof secret_key);
        return VLN_OK;
    }
    if (!err) {
        crypto_sign_ed25519_sk_to_pk(public_key, secret_key);
        err = save_hex(public_path, public_key, sizeof public_key, FILE_PUBLIC);
    }
    sodium_memzero(secret_key, sizeof secret_key);
    return err;
}

/* Rows of principals_first that people may change: what the others may do comes with the program. */
static bool
is_of_people(const char *name)
{
    return strcmp(name, "admin") == 0 || strcmp(name, "worker") == 0;
}

static bool
may_the_same(const vln_principal_t *left, const vln_principal_t *right)
{
    bool same = left->roles == right->roles && left->kind_count == right->kind_count;
    for (size_t i = 0; same && i < left->kind_count; i++) {
        same = strcmp(left->kinds[i], right->kinds[i]) == 0;
    }
    return same;
}

/* An installation of an older release: its key stays, what it may do becomes as it is today. Else a
 * validator, say, would ask for tasks of a kind that its certificate does not name, and get none. */
static vln_err_t
update_service(const char *folder, vln_principal_t *wanted)
{
    char public_folder[PATH_TEXT];
    char path[PATH_TEXT];
    vln_principal_t found;
    join(public_folder, folder, "public", "");
    join(path, public_folder, wanted->name, certificate_end);
    vln_err_t err = vln_keys_load_principal(path, &found);
    if (err || may_the_same(&found, wanted)) {
        return err;
    }
    vln_info("keys.updated", kv_str("name", wanted->name));
    char *text = certificate_text(found.public_key, NULL, wanted);
    err = replace_file(path, text, FILE_PUBLIC);
    wipe_text(&text);
    return err;
}

static vln_err_t
init_principals(const char *folder)
{
    for (size_t i = 0; i < VLN_COUNT(principals_first); i++) {
        vln_principal_t principal = {0};
        vln_text_copy(principal.name, sizeof principal.name, principals_first[i].name);
        vln_assert(vln_roles_parse(principals_first[i].roles, &principal.roles));
        vln_assert(parse_kinds(principals_first[i].kinds, &principal));
        vln_err_t err = vln_keys_new_principal(folder, &principal);
        if (err == VLN_ALREADY_EXISTS) {
            err = is_of_people(principal.name) ? VLN_OK : update_service(folder, &principal);
        }
        if (err) {
            return err;
        }
    }
    return VLN_OK;
}

vln_err_t
vln_keys_init(const char *folder)
{
    vln_assert(sodium_init() >= 0);
    vln_err_t err = make_folders(folder);
    if (!err) {
        err = init_bus(folder);
    }
    if (!err) {
        err = init_signing(folder, "secret/ticket", "ticket");
    }
    if (!err) {
        err = init_signing(folder, "secret/audit", "audit");
    }
    return err ? err : init_principals(folder);
}

/* ---- roles and kinds ---- */

bool
vln_roles_parse(const char *text, uint32_t *out)
{
    char role[VLN_PRINCIPAL_MAX];
    *out = 0;
    while (vln_text_next(&text, ',', role, sizeof role)) {
        uint32_t bit = 0;
        for (size_t i = 0; i < VLN_COUNT(roles_known); i++) {
            if (strcmp(role, roles_known[i].text) == 0) {
                bit = roles_known[i].bit;
            }
        }
        if (bit == 0) {
            *out = 0;
            return false;
        }
        *out |= bit;
    }
    return true;
}

char *
vln_roles_format(uint32_t roles, char *out, size_t out_size)
{
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; i < VLN_COUNT(roles_known) && len < out_size; i++) {
        if (roles & roles_known[i].bit) {
            len += (size_t)snprintf(out + len, out_size - len, "%s%s", len ? "," : "",
                                    roles_known[i].text);
        }
    }
    return out;
}

bool
vln_kinds_allow(const char *const *kinds, size_t count, const char *kind)
{
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(kinds[i]);
        bool is_prefix = len > 0 && kinds[i][len - 1] == '*';
        if (is_prefix ? strncmp(kinds[i], kind, len - 1) == 0 : strcmp(kinds[i], kind) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- signatures ---- */

static vln_err_t
load_hex(const char *path, uint8_t *out, size_t size)
{
    char *text = NULL;
    size_t len = 0;
    vln_err_t err = vln_text_read_file(path, FILE_MAX, &text, &len);
    if (err) {
        return err;
    }
    const char *rest = text;
    char hex[2 * VLN_SIGN_SECRET + 2]; /* one more, so that a longer one is seen */
    bool good = vln_text_next(&rest, '\n', hex, sizeof hex) && vln_hex_decode(hex, out, size);
    sodium_memzero(hex, sizeof hex);
    sodium_memzero(text, len);
    free(text);
    return good ? VLN_OK : VLN_INVALID_ARGUMENT;
}

vln_err_t
vln_sign_load_public(const char *path, uint8_t out[VLN_SIGN_PUBLIC])
{
    return load_hex(path, out, VLN_SIGN_PUBLIC);
}

vln_err_t
vln_sign_load_secret(const char *path, uint8_t out[VLN_SIGN_SECRET])
{
    return load_hex(path, out, VLN_SIGN_SECRET);
}

void
vln_sign_make(const uint8_t secret[VLN_SIGN_SECRET], const void *bytes, size_t size,
              uint8_t out[VLN_SIGNATURE])
{
    vln_assert(crypto_sign_detached(out, NULL, bytes, size, secret) == 0);
}

bool
vln_sign_verify(const uint8_t public_key[VLN_SIGN_PUBLIC], const void *bytes, size_t size,
                const uint8_t signature[VLN_SIGNATURE])
{
    return crypto_sign_verify_detached(signature, bytes, size, public_key) == 0;
}
