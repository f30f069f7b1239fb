#include "cli_reference.h"

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
