#include "cli_export.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "vln_chain.h"
#include "vln_pb.h"

enum { ENTRIES = 5, BUDGET = 1024 * 1024 };

static uint8_t public_key[VLN_SIGN_PUBLIC];
static uint8_t secret_key[VLN_SIGN_SECRET];
static vln_arena_t *arena;
static Valion__V1__Event events[ENTRIES];
static uint8_t hashes[ENTRIES][VLN_DIGEST_BYTES];
static char types[ENTRIES][32];
static uint8_t payload[] = {0x0a, 0x00};
static cli_verdict_t verdict;

/* The log of five entries that the tests spoil. Hashes are made here from what event.proto says. */
static void
setup(void)
{
    cr_assert(sodium_init() >= 0);
    crypto_sign_keypair(public_key, secret_key);
    arena = vln_arena_new(BUDGET);
    uint8_t hash[VLN_DIGEST_BYTES];
    vln_chain_start(hash);
    for (uint64_t i = 0; i < ENTRIES; i++) {
        snprintf(types[i], sizeof types[i], "test.number%d", (int)i);
        Valion__V1__LogEntry entry = VALION__V1__LOG_ENTRY__INIT;
        entry.type = types[i];
        entry.has_time_us = entry.has_payload = 1;
        entry.time_us = 1000 + (int64_t)i;
        entry.payload = (ProtobufCBinaryData){.len = sizeof payload, .data = payload};
        size_t size = 0;
        const uint8_t *bytes = vln_pb_pack(&entry.base, arena, &size);
        vln_chain_next(hash, i + 1, bytes, size, hash);
        memcpy(hashes[i], hash, sizeof hash);
        valion__v1__event__init(&events[i]);
        events[i].has_position = events[i].has_time_us = events[i].has_hash = 1;
        events[i].has_payload = 1;
        events[i].position = i + 1;
        events[i].type = types[i];
        events[i].time_us = entry.time_us;
        events[i].payload = entry.payload;
        events[i].hash = (ProtobufCBinaryData){.len = sizeof hash, .data = hashes[i]};
    }
}

static void
teardown(void)
{
    vln_arena_destroy(&arena);
}

TestSuite(cli_export, .init = setup, .fini = teardown, .timeout = 10);

/* A signed head at a position, with this hash; lives in the arena. */
static Valion__V1__LogHead *
head_at(uint64_t position, const uint8_t *hash)
{
    Valion__V1__LogHead *head = vln_arena_alloc(arena, sizeof *head);
    valion__v1__log_head__init(head);
    uint8_t bytes[VLN_CHAIN_HEAD_BYTES];
    uint8_t *signature = vln_arena_alloc(arena, VLN_SIGNATURE);
    vln_chain_head_bytes(position, 7, hash, bytes);
    crypto_sign_detached(signature, NULL, bytes, sizeof bytes, secret_key);
    head->has_position = head->has_hash = head->has_time_us = head->has_signature = 1;
    head->position = position;
    head->time_us = 7;
    head->hash.len = VLN_DIGEST_BYTES;
    head->hash.data = vln_arena_memdup(arena, hash, VLN_DIGEST_BYTES);
    head->signature = (ProtobufCBinaryData){.len = VLN_SIGNATURE, .data = signature};
    return head;
}

/* The export of entries first .. last-1, then the head. */
static FILE *
export_of(size_t first, size_t last, const Valion__V1__LogHead *head)
{
    FILE *file = tmpfile();
    cr_assert_not_null(file);
    cli_export_write_start(file);
    for (size_t i = first; i < last; i++) {
        cli_export_write_event(file, &events[i]);
    }
    if (head) {
        cli_export_write_head(file, head);
    }
    rewind(file);
    return file;
}

static bool
verify(FILE *log, FILE *heads)
{
    bool good = cli_export_verify(log, heads, public_key, &verdict);
    cr_expect(good == (verdict.why[0] == '\0'));
    fclose(log);
    if (heads) {
        fclose(heads);
    }
    return good;
}

static void
says(const char *words)
{
    cr_expect(strstr(verdict.why, words), "\"%s\" does not say \"%s\"", verdict.why, words);
}

Test(cli_export, accepts_a_whole_log)
{
    cr_expect(verify(export_of(0, ENTRIES, head_at(ENTRIES, hashes[ENTRIES - 1])), NULL));
    cr_expect(verdict.entries == ENTRIES && verdict.heads == 1 && verdict.covered == ENTRIES);
    cr_expect(verdict.covered_us == 7);
}

Test(cli_export, accepts_an_empty_log)
{
    cr_expect(verify(export_of(0, 0, NULL), NULL));
    cr_expect(verdict.entries == 0 && verdict.covered == 0);
}

Test(cli_export, names_the_entry_that_was_changed)
{
    char other[] = "test.other";
    events[2].type = other;
    cr_expect_not(verify(export_of(0, ENTRIES, NULL), NULL));
    says("log line 4: entry 3 is not what was logged");
    cr_expect(verdict.entries == 2);
}

Test(cli_export, sees_a_change_of_every_field)
{
    char text[] = "x";
    uint8_t other_payload[] = {0x0a, 0x01, 'x'};
    const Valion__V1__Event kept = events[1];
    for (int i = 0; i < 5; i++) {
        events[1] = kept;
        if (i == 0) {
            events[1].subject = text;
        } else if (i == 1) {
            events[1].actor = text;
        } else if (i == 2) {
            events[1].time_us++;
        } else if (i == 3) {
            events[1].payload = (ProtobufCBinaryData){.len = 3, .data = other_payload};
        } else {
            events[1].has_payload = 0;
        }
        cr_expect_not(verify(export_of(0, ENTRIES, NULL), NULL), "change %d", i);
        says("entry 2 is not what was logged");
    }
}

Test(cli_export, sees_a_changed_hash)
{
    hashes[3][0] ^= 1;
    cr_expect_not(verify(export_of(0, ENTRIES, NULL), NULL));
    says("entry 4 is not what was logged");
}

Test(cli_export, sees_entries_that_are_missing_swapped_or_twice)
{
    cr_expect_not(verify(export_of(1, ENTRIES, NULL), NULL));
    says("entry 1 is missing: 2 comes in its place");
    const Valion__V1__Event kept = events[1];
    events[1] = events[2];
    cr_expect_not(verify(export_of(0, ENTRIES, NULL), NULL));
    says("entry 2 is missing: 3 comes in its place");
    events[1] = events[0];
    cr_expect_not(verify(export_of(0, ENTRIES, NULL), NULL));
    says("entry 2 is missing: 1 comes in its place");
    events[1] = kept;
    cr_expect(verify(export_of(0, ENTRIES, NULL), NULL));
}

/* Someone who may write the database can make a chain that fits; not the signature. */
Test(cli_export, sees_a_chain_made_anew_by_a_head_kept_outside)
{
    const Valion__V1__LogHead *outside = head_at(4, hashes[3]);
    uint8_t hash[VLN_DIGEST_BYTES];
    vln_chain_start(hash);
    char other[] = "test.forged";
    events[1].type = other;
    for (size_t i = 0; i < ENTRIES; i++) {
        Valion__V1__LogEntry entry = VALION__V1__LOG_ENTRY__INIT;
        entry.type = events[i].type;
        entry.has_time_us = entry.has_payload = 1;
        entry.time_us = events[i].time_us;
        entry.payload = events[i].payload;
        size_t size = 0;
        const uint8_t *bytes = vln_pb_pack(&entry.base, arena, &size);
        vln_chain_next(hash, i + 1, bytes, size, hash);
        memcpy(hashes[i], hash, sizeof hash);
    }
    cr_expect(verify(export_of(0, ENTRIES, NULL), NULL));
    FILE *heads = tmpfile();
    cli_export_write_head(heads, outside);
    rewind(heads);
    cr_expect_not(verify(export_of(0, ENTRIES, NULL), heads));
    says("heads line 1: the head signed at 4 is of another log");
    cr_expect_not(verify(export_of(0, ENTRIES, outside), NULL));
    says("the head signed at 4 is of another log");
}

Test(cli_export, sees_a_tail_that_was_cut_off)
{
    FILE *heads = tmpfile();
    cli_export_write_head(heads, head_at(ENTRIES, hashes[ENTRIES - 1]));
    rewind(heads);
    cr_expect_not(verify(export_of(0, ENTRIES - 1, NULL), heads));
    says("a head was signed at 5, but the log ends at 4: its tail is missing");
}

Test(cli_export, refuses_a_head_that_is_not_signed_by_the_key)
{
    Valion__V1__LogHead *head = head_at(3, hashes[2]);
    head->time_us++;
    cr_expect_not(verify(export_of(0, ENTRIES, head), NULL));
    says("the head at 3 is not signed by this key");
    head->time_us--;
    public_key[0] ^= 1;
    cr_expect_not(verify(export_of(0, ENTRIES, head), NULL));
    says("the head at 3 is not signed by this key");
}

Test(cli_export, refuses_a_head_with_parts_missing)
{
    Valion__V1__LogHead *head = head_at(3, hashes[2]);
    head->signature.len = 63;
    cr_expect_not(verify(export_of(0, ENTRIES, head), NULL));
    says("lacks position, hash or signature");
    head = head_at(0, hashes[2]);
    cr_expect_not(verify(export_of(0, ENTRIES, head), NULL));
    says("lacks position, hash or signature");
}

Test(cli_export, takes_bare_heads_from_a_file_of_heads)
{
    FILE *heads = tmpfile();
    FILE *with_key = tmpfile();
    char line[1024];
    cli_export_write_head(with_key, head_at(2, hashes[1]));
    rewind(with_key);
    cr_assert_not_null(fgets(line, sizeof line, with_key));
    fclose(with_key);
    line[strlen(line) - 2] = '\0'; /* the closing brace and the line's end */
    fprintf(heads, "%s\n\n", line + strlen("{\"head\":"));
    rewind(heads);
    cr_expect(verify(export_of(0, ENTRIES, NULL), heads), "%s", verdict.why);
    cr_expect(verdict.heads == 1 && verdict.covered == 2);
}

static bool
verify_text(const char *text)
{
    FILE *file = tmpfile();
    fputs(text, file);
    rewind(file);
    return verify(file, NULL);
}

Test(cli_export, refuses_what_is_no_export)
{
    cr_expect_not(verify_text(""));
    says("no export of a Valion log");
    cr_expect_not(verify_text("{\"valion_log\":2}\n"));
    says("no export of a Valion log");
    cr_expect_not(verify_text("{\"valion_log\":1}\nwhat\n"));
    says("log line 2: neither an event nor a head");
    cr_expect_not(verify_text("{\"valion_log\":1}\n{\"event\":{\"positoin\":1}}\n"));
    says("log line 2: positoin: no such field; did you mean position?");
    cr_expect_not(verify_text("{\"valion_log\":1}\n{\"event\":{}}\n"));
    says("entry 1 is missing: 0 comes in its place");
}

/* A crash while a head was written; the next one begins on a line of its own. */
Test(cli_export, passes_over_a_head_that_was_cut_off)
{
    FILE *heads = tmpfile();
    fputs("{\"position\":\"3\",\"time_us\":\"17\n", heads);
    cli_export_write_head(heads, head_at(2, hashes[1]));
    fputs("{\"position\":\"4\"", heads);
    rewind(heads);
    cr_expect(verify(export_of(0, ENTRIES, NULL), heads), "%s", verdict.why);
    cr_expect(verdict.heads == 1 && verdict.cut == 2);
}
