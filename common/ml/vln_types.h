/*
 * vln_types - a table's types and the contract's, which also tells floats of 32 and 64 bits apart.
 */
#ifndef VLN_TYPES_H
#define VLN_TYPES_H

#include <valion/v1/common.pb-c.h>

#include "vln_table.h"

Valion__V1__ColumnType vln_type_to_contract(vln_type_t type);

/* Floats of either width are VLN_TYPE_F64, and so is what is not said. */
vln_type_t vln_type_from_contract(Valion__V1__ColumnType type);

#endif
