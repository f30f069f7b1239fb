#include "vln_digest.h"

#include <openssl/evp.h>

#include "vln_err.h"

/* The struct is OpenSSL's context under our name: there is nothing of ours to keep beside it. */
struct vln_digest;

vln_digest_t *
vln_digest_begin(void)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    vln_assert(context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1);
    return (vln_digest_t *)context;
}

void
vln_digest_add(vln_digest_t *self, const void *bytes, size_t size)
{
    if (size) {
        vln_assert(EVP_DigestUpdate((EVP_MD_CTX *)self, bytes, size) == 1);
    }
}

void
vln_digest_end(vln_digest_t **self_p, uint8_t out[VLN_DIGEST_BYTES])
{
    EVP_MD_CTX *context = (EVP_MD_CTX *)*self_p;
    vln_assert(EVP_DigestFinal_ex(context, out, NULL) == 1);
    EVP_MD_CTX_free(context);
    *self_p = NULL;
}

void
vln_digest(const void *bytes, size_t size, uint8_t out[VLN_DIGEST_BYTES])
{
    vln_digest_t *digest = vln_digest_begin();
    vln_digest_add(digest, bytes, size);
    vln_digest_end(&digest, out);
}
