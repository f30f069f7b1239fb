/*
 * settle - the signature of a version whose files have been opened: what the files say, with the
 * names that they leave out taken from who expects them or from the columns of data.
 *
 * Pure: what it makes lies in the arena. Any thread.
 */
#ifndef SETTLE_H
#define SETTLE_H

#include "vln_model.h"
#include "vln_table.h"

enum { SETTLE_NOTES_MAX = 32, SETTLE_WHY = 1024 };

/* All of it borrowed. */
typedef struct settle_question {
    const vln_model_t *first; /* the file that takes the columns: a preprocessor, or the model */
    const vln_model_t *model;
    const Valion__V1__Signature *expected; /* by who asks; NULL: nobody said */
    const Valion__V1__Signature *recorded; /* by who made the version; NULL: nothing */
    const vln_table_t *data;               /* NULL: none */
    const char *target;                    /* a column that is no input; NULL: none is known */
} settle_question_t;

typedef struct settle_notes {
    char *texts[SETTLE_NOTES_MAX];
    size_t count;
} settle_notes_t;

/*
 * VLN_OK: `*out`, with names that the data has, if there is any. FAILED_PRECONDITION: the files are
 * not what was expected or recorded. INVALID_ARGUMENT: the data does not fit, or something is missing
 * that the asker can give. Both with a sentence in `why`.
 */
VLN_MUST_USE vln_err_t settle_signature(const settle_question_t *question, vln_arena_t *arena,
                                        Valion__V1__Signature **out, settle_notes_t *notes,
                                        char why[SETTLE_WHY]);

void settle_note(settle_notes_t *notes, vln_arena_t *arena, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
