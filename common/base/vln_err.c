#include "vln_err.h"

#include <stdio.h>
#include <stdlib.h>

enum { WIRE_OK = 17, LAST_CODE = 16 };

static const struct {
    const char *name;
    const char *text;
    bool transient;
} errors[] = {
#define X(name, code, text, transient) [code] = {#name, text, transient},
    VLN_ERR_MAP(X)
#undef X
};

static size_t
row_of(vln_err_t err)
{
    size_t row = (size_t)err;
    return row < VLN_COUNT(errors) ? row : VLN_UNKNOWN;
}

const char *
vln_err_name(vln_err_t err)
{
    return errors[row_of(err)].name;
}

const char *
vln_err_text(vln_err_t err)
{
    return errors[row_of(err)].text;
}

bool
vln_err_is_transient(vln_err_t err)
{
    return errors[row_of(err)].transient;
}

int
vln_err_to_wire(vln_err_t err)
{
    return err == VLN_OK ? WIRE_OK : (int)err;
}

vln_err_t
vln_err_from_wire(int status)
{
    if (status == WIRE_OK) {
        return VLN_OK;
    }
    return status > 0 && status <= LAST_CODE ? (vln_err_t)status : VLN_UNKNOWN;
}

void
vln_assert_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "valion: a bug: '%s' does not hold at %s:%d\n", condition, file, line);
    abort();
}
