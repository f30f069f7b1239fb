#include "search.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "vln_draw.h"
#include "vln_text.h"

static bool
refuse(char *why, const Valion__V1__SearchRange *range, const char *what)
{
    snprintf(why, SEARCH_WHY, "search: the range of '%.64s' %s", range->name ? range->name : "",
             what);
    return false;
}

static bool
check_choices(const Valion__V1__SearchRange *range, char *why)
{
    if (range->n_choices > SEARCH_CHOICES_MAX) {
        return refuse(why, range, "has more than 64 choices");
    }
    for (size_t i = 0; i < range->n_choices; i++) {
        if (strlen(range->choices[i]) >= SEARCH_VALUE) {
            return refuse(why, range, "has a choice that is too long");
        }
    }
    return range->has_low || range->has_high
               ? refuse(why, range, "has bounds and choices: give one")
               : true;
}

static bool
check_range(const Valion__V1__SearchRange *range, char *why)
{
    if (!range->name || !range->name[0]) {
        return refuse(why, range, "has no name");
    }
    if (range->n_choices > 0) {
        return check_choices(range, why);
    }
    if (!range->has_low || !range->has_high || !isfinite(range->low) || !isfinite(range->high) ||
        range->low >= range->high) {
        return refuse(why, range, "needs low and high, low below high, or choices");
    }
    if (range->logarithmic && range->low <= 0) {
        return refuse(why, range, "is logarithmic, so its low has to be above 0");
    }
    return range->integer && (fabs(range->low) > 1e9 || fabs(range->high) > 1e9)
               ? refuse(why, range, "is of whole numbers and too wide")
               : true;
}

bool
search_check(const Valion__V1__Search *search, char why[SEARCH_WHY])
{
    if (search->n_ranges == 0 || search->n_ranges > SEARCH_RANGES_MAX) {
        snprintf(why, SEARCH_WHY, "search: name 1 to %d ranges", SEARCH_RANGES_MAX);
        return false;
    }
    if (search->has_trials && (search->trials < 1 || search->trials > SEARCH_TRIALS_MAX)) {
        snprintf(why, SEARCH_WHY, "search: trials are 1 to %d", SEARCH_TRIALS_MAX);
        return false;
    }
    for (size_t i = 0; i < search->n_ranges; i++) {
        if (!check_range(search->ranges[i], why)) {
            return false;
        }
    }
    return true;
}

uint32_t
search_trials(const Valion__V1__Search *search)
{
    return search && search->has_trials ? search->trials : search ? SEARCH_TRIALS : 1;
}

static uint64_t
mix(uint64_t state)
{
    return vln_draw_mix(&state);
}

const char *
search_draw(const Valion__V1__Search *search, uint64_t seed, uint32_t trial, size_t index,
            char out[SEARCH_VALUE])
{
    const Valion__V1__SearchRange *range = search->ranges[index];
    uint64_t bits = mix(mix(seed + trial) + index);
    double chance = (double)(bits >> 11) * 0x1p-53; /* 0 to 1, never 1 */
    if (range->n_choices > 0) {
        vln_text_copy(out, SEARCH_VALUE,
                      range->choices[(size_t)(chance * (double)range->n_choices)]);
        return out;
    }
    double low = range->low;
    double high = range->integer ? range->high + 1 : range->high;
    double value = range->logarithmic ? exp(log(low) + chance * (log(high) - log(low)))
                                      : low + chance * (high - low);
    if (range->integer) {
        snprintf(out, SEARCH_VALUE, "%.0f", fmin(floor(value), range->high));
    } else {
        snprintf(out, SEARCH_VALUE, "%.9g", value);
    }
    return out;
}
