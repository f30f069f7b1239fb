#include "vln_stat.h"

#include <math.h>

#include "vln_err.h"

static const struct {
    const char *name;
    const char *text;
} whys[] = {
#define X(name, text) {#name, text},
    VLN_STAT_WHY_MAP(X)
#undef X
};

const char *
vln_stat_why_name(vln_stat_why_t why)
{
    vln_assert((size_t)why < VLN_COUNT(whys));
    return whys[why].name;
}

const char *
vln_stat_why_text(vln_stat_why_t why)
{
    vln_assert((size_t)why < VLN_COUNT(whys));
    return whys[why].text;
}

vln_stat_t
vln_stat_by(double value, vln_stat_why_t why)
{
    if (!isfinite(value)) {
        return vln_stat_none(VLN_STAT_NOT_FINITE);
    }
    return (vln_stat_t){.value = value, .defined = true, .why = why};
}

vln_stat_t
vln_stat_of(double value)
{
    return vln_stat_by(value, VLN_STAT_OK);
}

vln_stat_t
vln_stat_none(vln_stat_why_t why)
{
    return (vln_stat_t){.why = why};
}

bool
vln_stat_all_finite(const double *values, size_t n)
{
    bool finite = true;
    for (size_t i = 0; i < n; i++) {
        finite &= isfinite(values[i]) != 0;
    }
    return finite;
}
