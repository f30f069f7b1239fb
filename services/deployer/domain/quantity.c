#include "quantity.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vln_err.h"

/* A number from 0 in plain digits, and what follows it. */
static bool
read_number(const char *text, double *out, const char **unit)
{
    char *end = NULL;
    if (text[0] < '0' || text[0] > '9') {
        return false;
    }
    *out = strtod(text, &end);
    *unit = end;
    return isfinite(*out) && !strpbrk(text, "xXpP");
}

bool
quantity_read_cpu(const char *text, int64_t *millis)
{
    double number = 0;
    const char *unit = NULL;
    if (!read_number(text, &number, &unit) || (unit[0] && strcmp(unit, "m") != 0)) {
        return false;
    }
    number *= unit[0] ? 1 : 1000;
    *millis = number >= 1 && number <= 1024000 ? (int64_t)number : 0;
    return *millis > 0;
}

bool
quantity_read_memory(const char *text, int64_t *bytes)
{
    static const struct {
        const char *unit;
        double factor;
    } units[] = {{"", 1},      {"k", 1e3},      {"M", 1e6},        {"G", 1e9},
                 {"Ki", 1024}, {"Mi", 1048576}, {"Gi", 1073741824}};
    double number = 0;
    const char *unit = NULL;
    if (!read_number(text, &number, &unit)) {
        return false;
    }
    for (size_t i = 0; i < VLN_COUNT(units); i++) {
        double size = number * units[i].factor;
        if (strcmp(units[i].unit, unit) == 0 && size >= 1048576 && size <= 1099511627776.0) {
            *bytes = (int64_t)size;
            return true;
        }
    }
    return false;
}
