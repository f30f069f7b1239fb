/*
 * cli_export - the event log as a file, and its check without a bus or a database.
 *
 * The file is JSON lines:
 *
 *     {"valion_log":1}                     first: the format
 *     {"event":{…valion.v1.Event…}}        every entry, by position from 1
 *     {"head":{…valion.v1.LogHead…}}       signed heads, after the entries they cover
 *
 * A file of heads alone has bare LogHead lines, or `{"head":…}`. Nothing in an `event` line stands
 * outside the chain: the LogEntry that is hashed is packed again from the line's own fields.
 * Reading is one pass, line by line. Used by one thread.
 */
#ifndef CLI_EXPORT_H
#define CLI_EXPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <valion/v1/event.pb-c.h>

#include "vln_digest.h"
#include "vln_err.h"
#include "vln_keys.h"
#include "vln_mem.h"

enum { CLI_EXPORT_WHY = 512, CLI_EXPORT_LINE_MAX = 1024 * 1024 };

/* The chain up to the last entry that was right. */
typedef struct cli_chain {
    uint64_t position; /* 0 before the first */
    uint8_t hash[VLN_DIGEST_BYTES];
    uint8_t *hashes; /* of every position so far, 32 bytes each; ended by cli_chain_wipe() */
    size_t capacity;
    char why[CLI_EXPORT_WHY]; /* what is wrong, with the position */
} cli_chain_t;

void cli_chain_init(cli_chain_t *self);
void cli_chain_wipe(cli_chain_t *self);

/* Adds the next entry; false, with why said, if its position or hash is not the next. */
bool cli_chain_add(cli_chain_t *self, const Valion__V1__Event *event, vln_arena_t *arena);

/* False, with why said, if the chain does not contain this head or its signature is not of
 * `public_key`. `source` names where it was found. */
bool cli_chain_check_head(cli_chain_t *self, const Valion__V1__LogHead *head,
                          const uint8_t public_key[VLN_SIGN_PUBLIC], const char *source);

/* ---- writing ---- */

void cli_export_write_start(FILE *out);
void cli_export_write_event(FILE *out, const Valion__V1__Event *event);
void cli_export_write_head(FILE *out, const Valion__V1__LogHead *head);

/* ---- checking ---- */

typedef struct cli_verdict {
    uint64_t entries; /* that are right */
    uint64_t heads;   /* checked, in both files */
    uint64_t cut;     /* lines of the heads file that end in their middle: passed over */
    uint64_t covered; /* highest position that a head signs */
    int64_t covered_us;
    char why[CLI_EXPORT_WHY]; /* "" if all is right, else the first thing that is wrong */
} cli_verdict_t;

/*
 * Check an export, and that it contains the heads of `heads` (NULL: none). True if all is right.
 * The verdict counts what was right before the first fault.
 */
bool cli_export_verify(FILE *log, FILE *heads, const uint8_t public_key[VLN_SIGN_PUBLIC],
                       cli_verdict_t *out);

#endif
