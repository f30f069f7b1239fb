#include "vln_id.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

#include "vln_err.h"
#include "vln_time.h"

enum { MANY = 20000, VARIANT_BITS = 0xc0, VARIANT = 0x80 };

static const uint8_t sample[VLN_ID_BYTES] = {0x01, 0x93, 0x2a, 0x4b, 0x5c, 0x6d, 0x7e, 0x8f,
                                             0x90, 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde};
static const char sample_text[] = "01932a4b-5c6d-7e8f-9012-3456789abcde";

/* RFC 9562, 5.7: 48 bits of milliseconds, version 7, 12 bits, variant 10, 62 bits. */
Test(vln_id, a_new_one_is_a_uuid_of_version_7)
{
    int64_t before = vln_wall_us() / 1000;
    vln_id_t id = vln_id_new();
    int64_t after = vln_wall_us() / 1000;
    int64_t ms = 0;
    for (int i = 0; i < 6; i++) {
        ms = ms << 8 | id.bytes[i];
    }
    cr_expect(ge(i64, ms, before));
    cr_expect(le(i64, ms, after));
    cr_expect(eq(int, id.bytes[6] >> 4, 7));
    cr_expect(eq(int, id.bytes[8] & VARIANT_BITS, VARIANT));
}

Test(vln_id, they_differ)
{
    static vln_id_t ids[MANY];
    for (size_t i = 0; i < MANY; i++) {
        ids[i] = vln_id_new();
    }
    /* Those of one millisecond are neighbours: it is enough to compare near ones. */
    for (size_t i = 0; i < MANY; i++) {
        for (size_t other = i + 1; other < MANY && other < i + 50; other++) {
            cr_assert(memcmp(&ids[i], &ids[other], sizeof ids[i]) != 0);
        }
    }
}

Test(vln_id, every_bit_that_is_free_is_random)
{
    uint8_t ones[VLN_ID_BYTES] = {0};
    uint8_t zeros[VLN_ID_BYTES] = {0};
    for (int i = 0; i < 200; i++) {
        vln_id_t id = vln_id_new();
        for (int at = 0; at < VLN_ID_BYTES; at++) {
            ones[at] |= id.bytes[at];
            zeros[at] |= (uint8_t)~id.bytes[at];
        }
    }
    cr_expect(eq(int, ones[6] & zeros[6], 0x0f));
    cr_expect(eq(int, ones[8] & zeros[8], 0x3f));
    for (int at = 7; at < VLN_ID_BYTES; at++) {
        cr_expect(at == 8 || (ones[at] & zeros[at]) == 0xff, "byte %d", at);
    }
}

Test(vln_id, they_sort_by_the_time_they_were_made)
{
    vln_id_t first = vln_id_new();
    int64_t ms = vln_wall_us() / 1000;
    while (vln_wall_us() / 1000 == ms) {
    }
    vln_id_t second = vln_id_new();
    cr_expect(lt(int, memcmp(first.bytes, second.bytes, VLN_ID_BYTES), 0));
}

/* A rerun of a task by another release must make the same calls: the bytes are an interface. They
 * are the first 16 of SHA-256("task" "purpose"), stamped as version 8. */
Test(vln_id, a_derived_one_is_always_the_same)
{
    vln_id_t id = vln_id_derive((const uint8_t *)"task", 4, "purpose");
    char text[VLN_ID_TEXT];
    cr_expect(eq(str, vln_id_format(id.bytes, text), "b1ce2278-8432-80fe-8f79-3d8abadbfd54"));
    cr_expect(eq(int, id.bytes[6] >> 4, 8));
    cr_expect(eq(int, id.bytes[8] & VARIANT_BITS, VARIANT));
}

Test(vln_id, task_and_purpose_tell_derived_ones_apart)
{
    vln_id_t one = vln_id_derive(sample, VLN_ID_BYTES, "report");
    vln_id_t again = vln_id_derive(sample, VLN_ID_BYTES, "report");
    vln_id_t other = vln_id_derive(sample, VLN_ID_BYTES, "version");
    vln_id_t task = vln_id_derive(sample, VLN_ID_BYTES - 1, "report");
    cr_expect(memcmp(&one, &again, sizeof one) == 0);
    cr_expect(memcmp(&one, &other, sizeof one) != 0);
    cr_expect(memcmp(&one, &task, sizeof one) != 0);
}

/* ---- text ---- */

Test(vln_id, is_written_as_uuids_are)
{
    char text[VLN_ID_TEXT];
    cr_expect(eq(str, vln_id_format(sample, text), (char *)sample_text));
}

Test(vln_id, is_read_with_and_without_dashes_in_any_case)
{
    static const char *const texts[] = {sample_text, "01932a4b5c6d7e8f90123456789abcde",
                                        "01932A4B-5C6D-7E8F-9012-3456789ABCDE"};
    for (size_t i = 0; i < VLN_COUNT(texts); i++) {
        vln_id_t id = {{0}};
        cr_expect(vln_id_parse(texts[i], &id), "%s", texts[i]);
        cr_expect(memcmp(id.bytes, sample, VLN_ID_BYTES) == 0, "%s", texts[i]);
    }
}

Test(vln_id, what_is_no_uuid_is_refused)
{
    static const char *const texts[] = {
        "",
        "-",
        "01932a4b-5c6d-7e8f-9012-3456789abcd",
        "01932a4b-5c6d-7e8f-9012-3456789abcdef",
        "01932a4b-5c6d-7e8f-9012-3456789abcd ",
        " 01932a4b5c6d7e8f90123456789abcde",
        "01932a4g-5c6d-7e8f-9012-3456789abcde",
        "0193-2a4b5c6d7e8f90123456789abcde",
        "{01932a4b-5c6d-7e8f-9012-3456789abcde}",
        "01932a4b-5c6d-7e8f-9012-3456789abcde-",
    };
    for (size_t i = 0; i < VLN_COUNT(texts); i++) {
        vln_id_t id = {{0}};
        cr_expect(not(vln_id_parse(texts[i], &id)), "%s", texts[i]);
    }
}

/* ---- chance ---- */

Test(vln_id, chance_stays_below_its_bound_and_reaches_it)
{
    unsigned seen = 0;
    for (int i = 0; i < 500; i++) {
        uint32_t value = vln_random_below(4);
        cr_assert(value < 4);
        seen |= 1u << value;
    }
    cr_expect(eq(uint, seen, 0xf));
    cr_expect(eq(uint, vln_random_below(1), 0));
    cr_expect(eq(uint, vln_random_below(0), 0));
}

Test(vln_id, chance_fills_all_bits)
{
    uint64_t ones = 0;
    uint64_t zeros = 0;
    for (int i = 0; i < 200; i++) {
        uint64_t value = vln_random_u64();
        ones |= value;
        zeros |= ~value;
    }
    cr_expect(ones == UINT64_MAX && zeros == UINT64_MAX);
}
