#include "cli_search.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vln_text.h"

static const char LOG[] = ":log";

/* The text ends in it; it is cut off then. */
static bool
cut_end(char *text, const char *end)
{
    size_t len = strlen(text);
    size_t end_len = strlen(end);
    bool there = len > end_len && strcmp(text + len - end_len, end) == 0;
    if (there) {
        text[len - end_len] = '\0';
    }
    return there;
}

static bool
to_number(const char *text, double *out)
{
    char *end = NULL;
    *out = strtod(text, &end);
    return end != text && *end == '\0' && isfinite(*out);
}

static bool
parse_bounds(char *low, char *high, Valion__V1__SearchRange *out)
{
    out->logarithmic = cut_end(high, LOG);
    out->has_logarithmic = out->logarithmic;
    bool whole = !strpbrk(low, ".eE") && !strpbrk(high, ".eE");
    out->integer = out->has_integer = whole;
    out->has_low = out->has_high = 1;
    return to_number(low, &out->low) && to_number(high, &out->high) && out->low < out->high;
}

static bool
parse_choices(char *text, cli_search_t *out)
{
    while (text && *text && out->range.n_choices < CLI_SEARCH_CHOICES) {
        char *comma = strchr(text, ',');
        if (comma) {
            *comma++ = '\0';
        }
        out->choices[out->range.n_choices++] = text;
        text = comma;
    }
    out->range.choices = out->choices;
    return !text && out->range.n_choices > 0;
}

bool
cli_search_parse(const char *text, cli_search_t *out)
{
    valion__v1__search_range__init(&out->range);
    if (strlen(text) >= sizeof out->text) {
        return false;
    }
    vln_text_copy(out->text, sizeof out->text, text);
    char *value = strchr(out->text, '=');
    if (!value || value == out->text) {
        return false;
    }
    *value++ = '\0';
    out->range.name = out->text;
    char *high = strstr(value, "..");
    if (!high) {
        return parse_choices(value, out);
    }
    *high = '\0';
    return parse_bounds(value, high + 2, &out->range);
}
