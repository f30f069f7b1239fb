/*
 * made_up - rows for a version that came without any: the same for the same signature and seed, of
 * values that its inputs can take. Whether they are likely nobody knows.
 *
 * Pure. Any thread.
 */
#ifndef MADE_UP_H
#define MADE_UP_H

#include <valion/v1/common.pb-c.h>

#include "vln_table.h"

/* Numbers lie around 0 (whole ones are 0 to 9), texts are the input's categories, or letters where
 * it names none. Yours. */
vln_table_t *made_up_rows(const Valion__V1__Signature *signature, size_t rows, uint64_t seed);

#endif
