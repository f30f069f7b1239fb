#include "cli_reference.h"

#include <stdbool.h>
#include <string.h>

#include "vln_text.h"

void
cli_reference_parse(const char *text, cli_reference_t *out)
{
    *out = (cli_reference_t){0};
    vln_text_copy(out->text, sizeof out->text, text);
    char *at = strchr(out->text, '@');
    if (at) {
        *at = '\0';
        *(at[1] >= '0' && at[1] <= '9' ? &out->version : &out->alias) = at + 1;
    }
    vln_text_copy(out->model, sizeof out->model, out->text);
}

/* Three numbers in front, and no blank, which only a range has. */
static bool
is_version(const char *text)
{
    const char *at = text;
    for (int part = 0; part < 3; part++) {
        size_t digits = strspn(at, "0123456789");
        if (digits == 0 || (part < 2 && at[digits] != '.')) {
            return false;
        }
        at += digits + (part < 2 ? 1 : 0);
    }
    return strpbrk(at, " \t|") == NULL;
}

char *
cli_reference_range(const cli_reference_t *self)
{
    char *text = self->version ? self->version : self->alias;
    bool begins = text && text[0] && strchr("0123456789^~<>=*", text[0]);
    return begins && !is_version(text) ? text : NULL;
}
