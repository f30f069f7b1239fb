/*
 * vln_dict - the distinct texts of a column, each with a code: 0, 1, 2 … in the order in which they
 * first came. Codes and their order do not depend on the hash. Used by one thread while it grows.
 */
#ifndef VLN_DICT_H
#define VLN_DICT_H

#include <stddef.h>
#include <stdint.h>

typedef struct vln_dict vln_dict_t;

vln_dict_t *vln_dict_new(void);
void vln_dict_destroy(vln_dict_t **self_p);

/* The text's code; the text is copied when it is new. It holds no NUL and at most 4 GiB. */
int32_t vln_dict_add(vln_dict_t *self, const char *text, size_t len);

/* The text's code, or -1. */
int32_t vln_dict_find(const vln_dict_t *self, const char *text, size_t len);

size_t vln_dict_count(const vln_dict_t *self);

/* Memory that it takes. */
size_t vln_dict_bytes(const vln_dict_t *self);

/* Text of a code that was given out, ended by NUL; borrowed until the next add. `len` may be NULL. */
const char *vln_dict_text(const vln_dict_t *self, int32_t code, size_t *len);

#endif
