/*
 * A request's body of any kind: it is refused with a sentence, or its table has the signature's
 * columns, and as many rows as it says.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "oip.h"

static Valion__V1__Column columns[3];
static Valion__V1__Column *inputs[3];
static Valion__V1__Signature signature;

static void
make_signature(void)
{
    static char names[][2] = {"a", "n", "t"};
    static const Valion__V1__ColumnType types[] = {VALION__V1__COLUMN_TYPE__COLUMN_TYPE_FLOAT64,
                                                   VALION__V1__COLUMN_TYPE__COLUMN_TYPE_INT64,
                                                   VALION__V1__COLUMN_TYPE__COLUMN_TYPE_STRING};
    valion__v1__signature__init(&signature);
    for (size_t i = 0; i < 3; i++) {
        valion__v1__column__init(&columns[i]);
        columns[i].name = names[i];
        columns[i].type = types[i];
        columns[i].optional_input = i == 0;
        inputs[i] = &columns[i];
    }
    signature.inputs = inputs;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte says how many inputs the model has. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) {
        return 0;
    }
    make_signature();
    signature.n_inputs = data[0] % 3 + 1;
    const oip_model_t model = {"m", "1.0.0", &signature};
    oip_request_t request;
    char why[OIP_WHY] = "";
    char *body = vln_memdup(data + 1, size - 1);
    vln_err_t err = oip_request_read(&model, body, size - 1, &request, why);
    vln_assert(err == VLN_OK || (err == VLN_INVALID_ARGUMENT && why[0] && !request.table));
    if (err == VLN_OK) {
        vln_assert(vln_table_rows(request.table) == request.rows && request.rows > 0);
        vln_assert(vln_table_columns(request.table) == signature.n_inputs);
    }
    oip_request_end(&request);
    free(body);
    return 0;
}
