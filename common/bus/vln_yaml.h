/*
 * vln_yaml - YAML that people write, as JSON text for vln_json.
 *
 * One document of mappings, sequences and scalars. Plain scalars are null, booleans and numbers as
 * YAML 1.2 has them (so `no` and `on` are texts), everything else and whatever is quoted is text.
 * Anchors, aliases, tags and keys that are no scalars are refused, with the line: nothing of ours
 * needs them, and an alias can make a kilobyte a gigabyte. Knows no bus. Used by any thread.
 */
#ifndef VLN_YAML_H
#define VLN_YAML_H

#include "vln_json.h"

enum { VLN_YAML_MAX_TEXT = 256 * 1024, VLN_YAML_MAX_DEPTH = 32 };

/*
 * On VLN_OK `*out` is JSON text of `*size` bytes, yours to free(); else it is NULL, the result
 * VLN_INVALID_ARGUMENT, and error->why says what is wrong, and in which line.
 */
VLN_MUST_USE vln_err_t vln_yaml_to_json(const char *text, size_t text_size, char **out,
                                        size_t *size, vln_json_error_t *error);

#endif
