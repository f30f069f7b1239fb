#include "vln_digest.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

#include "vln_err.h"
#include "vln_mem.h"
#include "vln_text.h"

enum { MILLION = 1000000, BLOCK = 64 };

/* FIPS 180-4 and the vectors that go with it. */
static const struct {
    const char *text;
    const char *hex;
} vectors[] = {
    {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnop"
     "qrsmnopqrstnopqrstu",
     "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
};

static void
expect_hex(const uint8_t digest[VLN_DIGEST_BYTES], const char *hex)
{
    char text[2 * VLN_DIGEST_BYTES + 1];
    cr_expect(eq(str, vln_hex_encode(digest, VLN_DIGEST_BYTES, text), (char *)hex));
}

Test(vln_digest, is_sha_256)
{
    for (size_t i = 0; i < VLN_COUNT(vectors); i++) {
        uint8_t digest[VLN_DIGEST_BYTES];
        vln_digest(vectors[i].text, strlen(vectors[i].text), digest);
        expect_hex(digest, vectors[i].hex);
    }
}

Test(vln_digest, a_million_letters_in_pieces_of_any_size)
{
    static const size_t sizes[] = {1000, 1, BLOCK - 1, BLOCK, BLOCK + 1, 7919};
    char letters[7919];
    memset(letters, 'a', sizeof letters);
    for (size_t i = 0; i < VLN_COUNT(sizes); i++) {
        uint8_t digest[VLN_DIGEST_BYTES];
        vln_digest_t *made = vln_digest_begin();
        for (size_t left = MILLION; left > 0;) {
            size_t size = sizes[i] < left ? sizes[i] : left;
            vln_digest_add(made, letters, size);
            left -= size;
        }
        vln_digest_end(&made, digest);
        expect_hex(digest, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
        cr_expect(eq(ptr, made, NULL));
    }
}

Test(vln_digest, nothing_adds_nothing)
{
    uint8_t digest[VLN_DIGEST_BYTES];
    vln_digest_t *made = vln_digest_begin();
    vln_digest_add(made, NULL, 0);
    vln_digest_add(made, "abc", 3);
    vln_digest_add(made, NULL, 0);
    vln_digest_end(&made, digest);
    expect_hex(digest, vectors[1].hex);
    vln_digest(NULL, 0, digest);
    expect_hex(digest, vectors[0].hex);
}

Test(vln_digest, two_at_a_time_do_not_mix)
{
    uint8_t one[VLN_DIGEST_BYTES];
    uint8_t two[VLN_DIGEST_BYTES];
    vln_digest_t *first = vln_digest_begin();
    vln_digest_t *second = vln_digest_begin();
    vln_digest_add(first, "a", 1);
    vln_digest_add(second, "x", 1);
    vln_digest_add(first, "bc", 2);
    vln_digest_end(&second, two);
    vln_digest_end(&first, one);
    expect_hex(one, vectors[1].hex);
    expect_hex(two, "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881");
}
