/*
 * vln_keys - certificates and signing keys: the folder VALION_KEYS.
 *
 *     bus.key                     public certificate of the brokers (all share it)
 *     public/<principal>.key      one public certificate a principal: who may call, in which roles
 *     ticket.pub, audit.pub       public Ed25519 keys, hex: verify tickets, log heads
 *     secret/bus.key_secret       for the brokers
 *     secret/<principal>.key_secret
 *     secret/ticket.key           for orchestrators: signs tickets
 *     secret/audit.key            for registries: signs log heads
 *
 * Certificates are czmq's (zcert), which pyzmq's zmq.auth.load_certificate reads as well, with the
 * metadata `name`, `roles` (comma-separated, lower case: "viewer,publisher") and `kinds` (task
 * kinds a worker may lease, comma-separated; "x:*" for all that start so). Secret files have mode
 * 0600 and are written whole or not at all (write, fsync, rename). Each process gets only the
 * files it needs. Nothing here is logged.
 */
#ifndef VLN_KEYS_H
#define VLN_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vln_err.h"

enum {
    VLN_PRINCIPAL_MAX = 64,
    VLN_Z85_TEXT = 41,  /* a CURVE key as Z85 text with its end */
    VLN_KINDS_MAX = 32, /* kinds that one certificate names */
    VLN_KIND_MAX = 64,
    VLN_SIGN_PUBLIC = 32,
    VLN_SIGN_SECRET = 64,
    VLN_SIGNATURE = 64,
};

/* A CURVE key pair. Ended with vln_keypair_wipe(), which zeroes it. */
typedef struct vln_keypair {
    char public_key[VLN_Z85_TEXT];
    char secret_key[VLN_Z85_TEXT];
} vln_keypair_t;

/* Who a certificate belongs to and what it may do. A value. */
typedef struct vln_principal {
    char name[VLN_PRINCIPAL_MAX + 1];
    char public_key[VLN_Z85_TEXT];
    uint32_t roles; /* bit 1 << valion.v1.Role */
    size_t kind_count;
    char kinds[VLN_KINDS_MAX][VLN_KIND_MAX + 1];
} vln_principal_t;

/* The pair in a *.key_secret file. NOT_FOUND, PERMISSION_DENIED, INVALID_ARGUMENT. */
VLN_MUST_USE vln_err_t vln_keys_load_pair(const char *path, vln_keypair_t *out);
void vln_keypair_wipe(vln_keypair_t *self);

/* The public key of a *.key file, such as bus.key. */
VLN_MUST_USE vln_err_t vln_keys_load_public(const char *path, char out[VLN_Z85_TEXT]);

/* One public certificate with its metadata. INVALID_ARGUMENT if name, roles or kinds are not. */
VLN_MUST_USE vln_err_t vln_keys_load_principal(const char *path, vln_principal_t *out);

/*
 * Every certificate of folder/public, by name. A file that cannot be read or is wrong is logged
 * and left out. `*out` (count of them in `*count`) is yours; end it with free().
 */
VLN_MUST_USE vln_err_t vln_keys_list(const char *folder, vln_principal_t **out, size_t *count);

/*
 * A new principal: writes public/<name>.key and secret/<name>.key_secret. ALREADY_EXISTS if there
 * is one of that name. public_key of `principal` is filled in.
 */
VLN_MUST_USE vln_err_t vln_keys_new_principal(const char *folder, vln_principal_t *principal);

/* Ends what a name may do: removes public/<name>.key. The brokers see it within a second. */
VLN_MUST_USE vln_err_t vln_keys_revoke(const char *folder, const char *name);

/*
 * Makes what is missing of a whole installation: bus.key, ticket and audit keys, and one principal
 * for each built-in service plus "admin" and "worker" (roles in docs/operations.md). Keys that are
 * there stay; roles and kinds of a built-in service become those of this release. Safe to run twice.
 */
VLN_MUST_USE vln_err_t vln_keys_init(const char *folder);

/* "viewer,publisher" <-> bits. False if a role is not known. */
bool vln_roles_parse(const char *text, uint32_t *out);
/* Into out, comma-separated, cut to fit. Returns out. */
char *vln_roles_format(uint32_t roles, char *out, size_t out_size);

/* True if the kinds (exact, or "prefix*") allow this kind. */
bool vln_kinds_allow(const char *const *kinds, size_t count, const char *kind);

/* Ed25519 keys as hex files. */
VLN_MUST_USE vln_err_t vln_sign_load_public(const char *path, uint8_t out[VLN_SIGN_PUBLIC]);
VLN_MUST_USE vln_err_t vln_sign_load_secret(const char *path, uint8_t out[VLN_SIGN_SECRET]);
void vln_sign_make(const uint8_t secret[VLN_SIGN_SECRET], const void *bytes, size_t size,
                   uint8_t out[VLN_SIGNATURE]);
bool vln_sign_verify(const uint8_t public_key[VLN_SIGN_PUBLIC], const void *bytes, size_t size,
                     const uint8_t signature[VLN_SIGNATURE]);

#endif
