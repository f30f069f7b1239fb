/*
 * report_text - texts and numbers of a report as its pages write them. Pure.
 */
#ifndef REPORT_TEXT_H
#define REPORT_TEXT_H

#include <stdbool.h>
#include <stdio.h>
#include <valion/v1/evidence.pb-c.h>

enum { REPORT_NUMBER = 40, REPORT_HEX = 65 };

/* NULL is written as nothing. */
void report_text_html(FILE *out, const char *text);

/* Within a line or a cell of a table. */
void report_text_markdown(FILE *out, const char *text);

/* Four digits that count, and from a thousand to a hundred millions all before the point, by threes; "-" for what is not
 * finite. Returns `out`. */
const char *report_text_number(double value, char out[REPORT_NUMBER]);

/* The first `digits` of a digest in hex; "" if there is none. Returns `out`. */
const char *report_text_hex(const ProtobufCBinaryData *bytes, size_t digits, char out[REPORT_HEX]);

/* "PASS", "high", "ONNX Runtime". Never NULL. */
const char *report_text_status(Valion__V1__CheckStatus status);
const char *report_text_severity(Valion__V1__Severity severity);
const char *report_text_engine(Valion__V1__Engine engine);

/* "houses-test 4f2a91c0b3de, rows 0 to 99". */
void report_text_data(FILE *out, const Valion__V1__DataRef *data,
                      void (*write)(FILE *out, const char *text));

/* UTC, to the second. Returns `out`. */
const char *report_text_time(int64_t us, char out[REPORT_NUMBER]);

#endif
