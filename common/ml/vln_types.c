#include "vln_types.h"

Valion__V1__ColumnType
vln_type_to_contract(vln_type_t type)
{
    static const Valion__V1__ColumnType types[] = {
        [VLN_TYPE_F64] = VALION__V1__COLUMN_TYPE__COLUMN_TYPE_FLOAT64,
        [VLN_TYPE_I64] = VALION__V1__COLUMN_TYPE__COLUMN_TYPE_INT64,
        [VLN_TYPE_BOOL] = VALION__V1__COLUMN_TYPE__COLUMN_TYPE_BOOL,
        [VLN_TYPE_STRING] = VALION__V1__COLUMN_TYPE__COLUMN_TYPE_STRING,
    };
    return types[type];
}

vln_type_t
vln_type_from_contract(Valion__V1__ColumnType type)
{
    switch (type) {
    case VALION__V1__COLUMN_TYPE__COLUMN_TYPE_STRING:
        return VLN_TYPE_STRING;
    case VALION__V1__COLUMN_TYPE__COLUMN_TYPE_INT64:
        return VLN_TYPE_I64;
    case VALION__V1__COLUMN_TYPE__COLUMN_TYPE_BOOL:
        return VLN_TYPE_BOOL;
    default:
        return VLN_TYPE_F64;
    }
}
