#include "registry_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

registry_text_t
registry_text_new(vln_arena_t *arena, size_t room)
{
    return (registry_text_t){.text = vln_arena_alloc(arena, room), .room = room};
}

void
registry_text_put(registry_text_t *self, const char *format, ...)
{
    size_t left = self->room - self->len;
    va_list args;
    va_start(args, format);
    int len = vsnprintf(self->text + self->len, left, format, args);
    va_end(args);
    if (len < 0 || (size_t)len >= left) {
        self->text[self->len] = '\0';
        self->full = true;
        return;
    }
    self->len += (size_t)len;
}

static void
put_escaped(registry_text_t *self, const char *text, const char *special)
{
    for (; text && *text && !self->full; text++) {
        bool blank = (unsigned char)*text < ' ' || *text == 0x7f;
        registry_text_put(self, "%s%c", strchr(special, *text) ? "\\" : "", blank ? ' ' : *text);
    }
}

void
registry_text_put_cell(registry_text_t *self, const char *text)
{
    put_escaped(self, text, "\\|<>`[]*_#&");
}

void
registry_text_put_quoted(registry_text_t *self, const char *text)
{
    put_escaped(self, text, "\\\"");
}
