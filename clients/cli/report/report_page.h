/*
 * report_page - a validation report for people: one self-contained HTML page, or Markdown.
 *
 * Every text of a report may have come from outside (names of columns, categories): it is escaped,
 * and the page forbids itself scripts and whatever is not in it. The same report gives the same
 * bytes. Pure; any thread.
 */
#ifndef REPORT_PAGE_H
#define REPORT_PAGE_H

#include <stdio.h>
#include <valion/v1/evidence.pb-c.h>

/* Both are borrowed. */
typedef struct report_page {
    const Valion__V1__Report *report;
    const Valion__V1__Appendix *appendix; /* NULL: the report has none */
} report_page_t;

void report_page_html(const report_page_t *self, FILE *out);
void report_page_markdown(const report_page_t *self, FILE *out);

#endif
