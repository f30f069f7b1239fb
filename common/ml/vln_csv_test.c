#include "vln_csv.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vln_mem.h"

static const vln_csv_options_t inferred = {.infer = true, .max_bytes = 1 << 24};

static const vln_csv_column_t abc[] = {
    {.name = "a", .type = VLN_TYPE_F64},
    {.name = "b", .type = VLN_TYPE_STRING},
    {.name = "c", .type = VLN_TYPE_I64},
};
static const vln_csv_options_t declared = {.columns = abc, .column_count = 3, .max_bytes = 1 << 24};

static vln_table_t *
read_good(const vln_csv_options_t *options, const char *text)
{
    vln_table_t *table = NULL;
    vln_csv_refusal_t refusal;
    vln_err_t err = vln_csv_read(options, text, strlen(text), &table, &refusal);
    cr_assert(err == VLN_OK, "refused %s: %s", text, refusal.text);
    return table;
}

/* "line 2, column "a": …" must begin so. */
static void
must_refuse_bytes(const vln_csv_options_t *options, const char *bytes, size_t size,
                  const char *begin)
{
    vln_table_t *table = NULL;
    vln_csv_refusal_t refusal;
    char text[1024];
    vln_err_t err = vln_csv_read(options, bytes, size, &table, &refusal);
    vln_csv_refusal_format(&refusal, text, sizeof text);
    cr_expect(err == VLN_INVALID_ARGUMENT || err == VLN_OUT_OF_RANGE, "%s: not refused", begin);
    cr_expect(eq(ptr, table, NULL));
    cr_expect(strncmp(text, begin, strlen(begin)) == 0, "\"%s\" does not begin \"%s\"", text,
              begin);
    vln_table_destroy(&table);
}

static void
must_refuse(const vln_csv_options_t *options, const char *text, const char *begin)
{
    must_refuse_bytes(options, text, strlen(text), begin);
}

static char *
text_at(const vln_table_t *table, const char *name, size_t row)
{
    const char *text = vln_column_text(vln_table_find(table, name), row);
    return (char *)(text ? text : "(missing)");
}

static void
append(char *text, size_t size, const char *more)
{
    size_t len = strlen(text);
    snprintf(text + len, size - len, "%s", more);
}

/* ---- the form ---- */

Test(vln_csv, reads_declared_columns_by_name)
{
    vln_table_t *table = read_good(&declared, "c,b,a\n1,x,1.5\n-2,y,2e3\n");
    cr_assert(eq(sz, vln_table_rows(table), 2));
    cr_assert(eq(sz, vln_table_columns(table), 3));
    cr_expect(eq(str, vln_table_at(table, 0)->name, "a")); /* as declared, not as it stands */
    cr_expect(vln_table_find(table, "a")->f64[1] == 2000);
    cr_expect(eq(str, text_at(table, "b", 1), "y"));
    cr_expect(eq(i64, vln_table_find(table, "c")->i64[1], -2));
    vln_table_destroy(&table);
}

Test(vln_csv, line_ends_may_be_mixed_and_the_last_one_absent)
{
    static const char *const texts[] = {"a,b,c\n1,x,1\n2,y,2\n",
                                        "a,b,c\r\n1,x,1\r\n2,y,2\r\n",
                                        "a,b,c\r\n1,x,1\n2,y,2",
                                        "a,b,c\n1,x,1\r\n2,\"y\",2\r\n",
                                        "\357\273\277a,b,c\n1,x,1\n2,y,2\n",
                                        "\"a\",\"b\",\"c\"\n\"1\",\"x\",\"1\"\n2,y,\"2\""};
    for (size_t i = 0; i < VLN_COUNT(texts); i++) {
        vln_table_t *table = read_good(&declared, texts[i]);
        cr_expect(eq(sz, vln_table_rows(table), 2));
        cr_expect(vln_table_find(table, "a")->f64[1] == 2);
        cr_expect(eq(str, text_at(table, "b", 1), "y"));
        cr_expect(eq(i64, vln_table_find(table, "c")->i64[1], 2));
        vln_table_destroy(&table);
    }
}

Test(vln_csv, quotes_hold_delimiters_quotes_and_line_ends)
{
    vln_table_t *table =
        read_good(&declared, "a,b,c\n1,\"x,\"\"y\"\"\r\nz\",1\n2,\"\"\"\",2\n3,\"\n\n\",3\n");
    cr_expect(eq(str, text_at(table, "b", 0), "x,\"y\"\r\nz"));
    cr_expect(eq(str, text_at(table, "b", 1), "\""));
    cr_expect(eq(str, text_at(table, "b", 2), "\n\n"));
    vln_table_destroy(&table);
    /* lines are those of the file, also after quoted line ends */
    must_refuse(&declared, "a,b,c\n1,\"\n\n\",1\n2,y,z\n",
                "line 5, column \"c\": \"z\" is no int64");
    must_refuse(&declared, "a,b,c\n1,\"\n\n\",z\n", "line 4, column \"c\": \"z\" is no int64");
}

Test(vln_csv, other_delimiters_are_taken)
{
    static const char delimiters[] = ";|\t";
    for (size_t i = 0; delimiters[i]; i++) {
        char text[64];
        vln_csv_options_t options = declared;
        options.delimiter = delimiters[i];
        snprintf(text, sizeof text, "a%cb%cc\n1.5%cx,y%c2\n", delimiters[i], delimiters[i],
                 delimiters[i], delimiters[i]);
        vln_table_t *table = read_good(&options, text);
        cr_expect(eq(str, text_at(table, "b", 0), "x,y"));
        vln_table_destroy(&table);
    }
    vln_csv_options_t wrong = declared;
    wrong.delimiter = '1';
    must_refuse(&wrong, "a,b,c\n", "the delimiter must be");
}

Test(vln_csv, broken_form_is_refused_with_its_place)
{
    static const struct {
        const char *text;
        const char *begin;
    } rows[] = {
        {"a,b,c\n1,x\n", "line 2: a row of 2 fields under a header of 3"},
        {"a,b,c\n1,x,1\n1,x,1,9\n", "line 3: a row of more than 3 fields"},
        {"a,b,c\n1,x\"y,1\n", "line 2, column \"b\": a quote inside a field"},
        {"a,b,c\n1,\"x\"y,1\n", "line 2, column \"b\": something after a closing quote"},
        {"a,b,c\n1,\"x,1\n2,y,2\n", "line 2, column \"b\": a quote that is never closed"},
        {"a,b,c\n1,x\ry,1\n", "line 2, column \"b\": a carriage return"},
        {"a,b,c\n1,x,\"1\"\r2\n", "line 2, column \"c\": something after a closing quote"},
        {"a,b,c\n1,\xc3(,1\n", "line 2, column \"b\": text that is not UTF-8"},
        {"a,b,c\n1,\"\xff\",1\n", "line 2, column \"b\": text that is not UTF-8"},
        {"a,\xe9,c\n1,x,1\n", "line 1, column 2: text that is not UTF-8"},
        {"a,b,a\n1,x,1\n", "line 1, column 3: the name \"a\" for a second column"},
        {"a,,c\n1,x,1\n", "line 1, column 2: a column without a name"},
        {"a,\"x\ny\",c\n1,x,1\n", "line 1, column 2: a control character in the name"},
        {"a,b,c\n", "the file has a header and no rows"},
        {"a,b,c", "the file has a header and no rows"},
        {"a,b\n1,x\n", "line 1: there is no column \"c\""},
        {"-1.5,b,c\n1,x,1\n", "line 1, column 1: \"-1.5\" is a number where"},
        {"\n", "line 1, column 1: a column without a name"},
        {"\xff\xfe"
         "a\0",
         "line 1: the file is UTF-16"},
        {"\x1f\x8b\x08", "line 1: the file is packed with gzip"},
        {"PK\x03\x04", "line 1: the file is a ZIP archive"},
        {"PAR1\x15", "line 1: the file is Parquet"},
    };
    for (size_t i = 0; i < VLN_COUNT(rows); i++) {
        must_refuse(&declared, rows[i].text, rows[i].begin);
    }
    must_refuse_bytes(&declared, "a,b,c\n1,x\0y,1\n", 14, "line 2, column \"b\": a NUL byte");
    must_refuse_bytes(&declared, "a,b,c\n1,\"x\0y\",1\n", 16, "line 2, column \"b\": a NUL byte");
    must_refuse_bytes(&declared, "a,b,c\n\0,x,1\n", 12, "line 2, column \"a\": a NUL byte");
    must_refuse(&declared, "", "the file is empty");
}

Test(vln_csv, empty_lines_are_skipped_and_counted)
{
    static const char text[] = "a,b,c\n\n1,x,1\r\n\r\n2,y,2\n\n";
    vln_csv_t *csv = vln_csv_new(&declared);
    vln_table_t *table = NULL;
    cr_assert(vln_csv_add(csv, text, strlen(text)) == VLN_OK);
    cr_assert(vln_csv_end(csv, &table) == VLN_OK);
    cr_expect(eq(sz, vln_table_rows(table), 2));
    cr_expect(eq(sz, vln_csv_blank_lines(csv), 3));
    vln_table_destroy(&table);
    vln_csv_destroy(&csv);
    must_refuse(&declared, "a,b,c\n\n\n1,x,z\n", "line 4, column \"c\"");
}

Test(vln_csv, an_empty_line_of_a_single_column_is_a_missing_value)
{
    vln_table_t *table = read_good(&inferred, "a\n1\n\n3\n");
    const vln_column_t *a = vln_table_find(table, "a");
    cr_assert(eq(sz, vln_table_rows(table), 3));
    cr_expect(a->type == VLN_TYPE_I64 && !vln_column_has(a, 1) && a->i64[2] == 3);
    vln_table_destroy(&table);
}

/* ---- values ---- */

Test(vln_csv, missing_values_are_what_the_type_says)
{
    vln_table_t *table =
        read_good(&declared, "a,b,c\n,,\nNA,NA,null\nNaN,\"\",NULL\nnan,null,\"\"\n");
    const vln_column_t *a = vln_table_find(table, "a");
    const vln_column_t *c = vln_table_find(table, "c");
    cr_expect(eq(sz, vln_column_missing(a, 4), 4));
    cr_expect(eq(sz, vln_column_missing(c, 4), 4));
    cr_expect(isnan(a->f64[3]));
    cr_expect(eq(str, text_at(table, "b", 0), "(missing)"));
    cr_expect(eq(str, text_at(table, "b", 1), "NA")); /* a text is itself */
    cr_expect(eq(str, text_at(table, "b", 2), "(missing)"));
    cr_expect(eq(str, text_at(table, "b", 3), "null"));
    vln_table_destroy(&table);
}

Test(vln_csv, the_caller_may_have_other_words_for_missing)
{
    static const char *const words[] = {"n/a", "?", NULL};
    vln_csv_options_t options = declared;
    options.missing = words;
    vln_table_t *table = read_good(&options, "a,b,c\n?,?,n/a\n");
    cr_expect(eq(sz, vln_column_missing(vln_table_find(table, "a"), 1), 1));
    cr_expect(eq(str, text_at(table, "b", 0), "?"));
    vln_table_destroy(&table);
    must_refuse(&options, "a,b,c\nNA,x,1\n", "line 2, column \"a\": \"NA\" is no float64");
}

Test(vln_csv, odd_numbers_are_refused_with_what_is_odd)
{
    static const struct {
        const char *value;
        const char *begin;
    } rows[] = {
        {"inf", "\"inf\" is no float64; infinity"},
        {"-Infinity", "\"-Infinity\" is no float64; infinity"},
        {"1e999", "\"1e999\" is beyond what float64 holds"},
        {"1e-999", "\"1e-999\" is beyond what float64 holds"},
        {"0x1F", "\"0x1F\" is no float64; hexadecimal"},
        {"1_000", "\"1_000\" is no float64"},
        {"+5", "\"+5\" is no float64; a plus sign"},
        {" 7", "\" 7\" is no float64; blanks"},
        {"7 ", "\"7 \" is no float64; blanks"},
        {"\"1,5\"", "\"1,5\" is no float64; the decimal sign"},
        {"007", "\"007\" is no float64; a leading zero"},
        {"--3", "\"--3\" is no float64"},
        {"1.2.3", "\"1.2.3\" is no float64"},
        {"abc", "\"abc\" is no float64"},
    };
    for (size_t i = 0; i < VLN_COUNT(rows); i++) {
        char text[64];
        char begin[128];
        snprintf(text, sizeof text, "a,b,c\n1,x,1\n%s,x,1\n", rows[i].value);
        snprintf(begin, sizeof begin, "line 3, column \"a\": %s", rows[i].begin);
        must_refuse(&declared, text, begin);
    }
    must_refuse(&declared, "a,b,c\n1,x,1.0\n", "line 2, column \"c\": \"1.0\" is no int64");
    must_refuse(&declared, "a,b,c\n1,x,9223372036854775808\n",
                "line 2, column \"c\": \"9223372036854775808\" is beyond what int64 holds");
}

Test(vln_csv, a_bad_value_may_be_missing_but_is_counted)
{
    vln_csv_options_t options = declared;
    options.bad_is_missing = true;
    vln_table_t *table = read_good(&options, "a,b,c\n1,x,1\nn/a,x,1\n3,x,1e3\ninf,x,4\n");
    const vln_column_t *a = vln_table_find(table, "a");
    const vln_column_t *c = vln_table_find(table, "c");
    cr_expect(eq(u64, a->mixed, 2));
    cr_expect(eq(i64, a->mixed_line, 3));
    cr_expect(eq(sz, vln_column_missing(a, 4), 2));
    cr_expect(eq(u64, c->mixed, 1));
    cr_expect(eq(i64, c->mixed_line, 4));
    vln_table_destroy(&table);
}

Test(vln_csv, booleans_are_words_or_digits)
{
    static const vln_csv_column_t flag = {.name = "flag", .type = VLN_TYPE_BOOL};
    vln_csv_options_t options = {.columns = &flag, .column_count = 1, .max_bytes = 1000};
    vln_table_t *table = read_good(&options, "flag\ntrue\nFalse\nTRUE\n0\n1\nNA\n");
    const vln_column_t *column = vln_table_find(table, "flag");
    static const uint8_t expected[] = {1, 0, 1, 0, 1, 0};
    cr_expect(memcmp(column->boolean, expected, 6) == 0);
    cr_expect(eq(sz, vln_column_missing(column, 6), 1));
    vln_table_destroy(&table);
    must_refuse(&options, "flag\nyes\n", "line 2, column \"flag\": \"yes\" is no bool");
}

/* ---- columns ---- */

Test(vln_csv, columns_nobody_declared_are_ignored_and_named)
{
    static const char text[] = "z,a,b,more,c\n9,1,x,\"q,\"\"\",2\n";
    vln_csv_t *csv = vln_csv_new(&declared);
    vln_table_t *table = NULL;
    cr_assert(vln_csv_add(csv, text, strlen(text)) == VLN_OK);
    cr_assert(vln_csv_end(csv, &table) == VLN_OK);
    cr_assert(eq(sz, vln_csv_ignored_count(csv), 2));
    cr_expect(eq(str, (char *)vln_csv_ignored(csv, 0), "z"));
    cr_expect(eq(str, (char *)vln_csv_ignored(csv, 1), "more"));
    cr_expect(eq(sz, vln_table_columns(table), 3));
    vln_table_destroy(&table);
    vln_csv_destroy(&csv);
    /* what is ignored must be sound, too */
    must_refuse(&declared, "z,a,b,c\n\xff,1,x,2\n", "line 2, column \"z\": text that is not UTF-8");
}

Test(vln_csv, an_optional_column_may_be_absent)
{
    vln_csv_column_t columns[] = {{.name = "a", .type = VLN_TYPE_F64},
                                  {.name = "d", .type = VLN_TYPE_F64, .optional = true}};
    vln_csv_options_t options = {.columns = columns, .column_count = 2, .max_bytes = 1000};
    vln_table_t *table = read_good(&options, "a\n1\n");
    cr_expect(eq(sz, vln_table_columns(table), 1));
    vln_table_destroy(&table);
}

Test(vln_csv, types_are_inferred_from_every_row)
{
    static const struct {
        const char *values;
        vln_type_t type;
    } rows[] = {
        {"1\n-2\n3\n", VLN_TYPE_I64},
        {"1\nNA\n3\n", VLN_TYPE_I64},
        {"1\n2.5\n3\n", VLN_TYPE_F64},
        {"1e3\n-2\n", VLN_TYPE_F64},
        {"\"\"\n\"\"\n", VLN_TYPE_F64},
        {"NA\nNA\n", VLN_TYPE_STRING}, /* no number says that these are missing numbers */
        {"x\ny\n", VLN_TYPE_STRING},
        {"1\nx\ny\n", VLN_TYPE_STRING},
        {"007\n012\n", VLN_TYPE_STRING},
        {"+5\n+7\n", VLN_TYPE_STRING},
        {"true\nFalse\nNA\n", VLN_TYPE_BOOL},
        {"true\n1\n", VLN_TYPE_STRING},
        {"0\n1\n", VLN_TYPE_I64},
        {"9223372036854775807\n", VLN_TYPE_I64},
        {"9223372036854775808\n1\n", VLN_TYPE_F64}, /* 2^63: a float to the last digit */
        {"9223372036854775809\n1\n", VLN_TYPE_STRING},
        {"9007199254740993\n1\n", VLN_TYPE_I64},
        {"9007199254740993\n1.5\n", VLN_TYPE_STRING},
        {"1e400\n1e500\n", VLN_TYPE_STRING},
    };
    for (size_t i = 0; i < VLN_COUNT(rows); i++) {
        char text[128];
        snprintf(text, sizeof text, "a\n%s", rows[i].values);
        vln_table_t *table = read_good(&inferred, text);
        cr_expect(vln_table_at(table, 0)->type == rows[i].type, "%s became %s", rows[i].values,
                  vln_type_name(vln_table_at(table, 0)->type));
        vln_table_destroy(&table);
    }
}

Test(vln_csv, one_word_among_numbers_is_refused_and_not_made_text)
{
    char text[256] = "a,b\n";
    for (int i = 0; i < 20; i++) {
        append(text, sizeof text, i == 12 ? "abc,x\n" : "1.5,x\n");
    }
    must_refuse(&inferred, text,
                "line 14, column \"a\": \"abc\" is no number, but 19 other values");
    vln_csv_options_t lenient = inferred;
    lenient.bad_is_missing = true;
    vln_table_t *table = read_good(&lenient, text);
    const vln_column_t *a = vln_table_find(table, "a");
    cr_expect(a->type == VLN_TYPE_F64);
    cr_expect(eq(u64, a->mixed, 1));
    cr_expect(eq(i64, a->mixed_line, 14));
    vln_table_destroy(&table);
    /* declared as text, it is text */
    static const vln_csv_column_t as_text = {.name = "a", .type = VLN_TYPE_STRING};
    vln_csv_options_t both = {
        .columns = &as_text, .column_count = 1, .infer = true, .max_bytes = 1000};
    table = read_good(&both, text);
    cr_expect(eq(str, text_at(table, "a", 12), "abc"));
    cr_expect(eq(str, text_at(table, "a", 0), "1.5"));
    cr_expect(eq(sz, vln_table_columns(table), 2));
    vln_table_destroy(&table);
}

/* ---- bounds ---- */

Test(vln_csv, bounds_are_refused_where_they_are_passed)
{
    vln_csv_options_t options = inferred;
    options.max_rows = 2;
    must_refuse(&options, "a\n1\n2\n3\n", "line 4: more than 2 rows");
    options = declared;
    options.max_rows = 1;
    must_refuse(&options, "a,b,c\n1,x,1\n2,x,1\n", "line 3: more than 1 rows");
    options = inferred;
    options.max_columns = 2;
    must_refuse(&options, "a,b,c\n1,2,3\n", "line 1: more than 2 columns");
    options = inferred;
    options.max_bytes = 5;
    must_refuse(&options, "a\n123\n", "the file has more than 5 bytes");
}

Test(vln_csv, a_long_field_is_refused_and_the_longest_is_not)
{
    enum { MOST = VLN_CSV_FIELD_MAX };
    char *text = vln_calloc(1, MOST + 64);
    for (int quoted = 0; quoted < 2; quoted++) {
        for (size_t more = 0; more < 2; more++) {
            const char *quote = quoted ? "\"" : "";
            size_t len = (size_t)snprintf(text, MOST + 64, "a,b,c\n1,%s", quote);
            size_t value = MOST + more - (quoted ? 1 : 0);
            memset(text + len, 'x', value);
            snprintf(text + len + value, 16, "%s,1\n", quote);
            vln_table_t *table = NULL;
            vln_err_t err = vln_csv_read(&declared, text, strlen(text), &table, NULL);
            cr_expect(err == (more ? VLN_OUT_OF_RANGE : VLN_OK), "quoted %d, %zu more", quoted,
                      more);
            vln_table_destroy(&table);
        }
    }
    free(text);
}

Test(vln_csv, a_quote_that_never_closes_is_found_before_the_end)
{
    enum { SIZE = 20 * 1024 * 1024, PIECE = 64 * 1024 };
    vln_csv_options_t options = declared;
    options.max_bytes = SIZE;
    char *piece = vln_calloc(1, PIECE);
    memset(piece, 'x', PIECE);
    vln_csv_t *csv = vln_csv_new(&options);
    vln_err_t err = vln_csv_add(csv, "a,b,c\n1,\"", 9);
    size_t given = 9;
    while (err == VLN_OK && given + PIECE <= SIZE) {
        err = vln_csv_add(csv, piece, PIECE);
        given += PIECE;
    }
    cr_expect(err == VLN_OUT_OF_RANGE);
    cr_expect(given < 17 * 1024 * 1024, "only after %zu bytes", given);
    cr_expect(eq(i64, vln_csv_refusal(csv)->line, 2));
    cr_expect(vln_csv_add(csv, "x", 1) == VLN_OUT_OF_RANGE); /* and it stays refused */
    vln_table_t *table = NULL;
    cr_expect(vln_csv_end(csv, &table) == VLN_OUT_OF_RANGE);
    cr_expect(eq(ptr, table, NULL));
    vln_csv_destroy(&csv);
    free(piece);
}

Test(vln_csv, what_is_shown_of_the_data_is_whole_characters)
{
    char text[256] = "a,b,c\n\"\x01";
    for (int i = 0; i < 40; i++) {
        append(text, sizeof text, "é");
    }
    append(text, sizeof text, "\",x,1\n");
    vln_table_t *table = NULL;
    vln_csv_refusal_t refusal;
    cr_expect(vln_csv_read(&declared, text, strlen(text), &table, &refusal) ==
              VLN_INVALID_ARGUMENT);
    cr_expect(strncmp(refusal.text, "\"?éé", 6) == 0);
    cr_expect(strstr(refusal.text, "é…\" is no float64") != NULL, "%s", refusal.text);
}

/* ---- in pieces ---- */

/* Rows with every kind of field. */
static char *
make_text(size_t rows, size_t *size)
{
    char *text = vln_calloc(rows + 1, 128);
    size_t len = (size_t)snprintf(text, 128,
                                  "\xef\xbb\xbf"
                                  "a,b,c,d\r\n");
    for (size_t i = 0; i < rows; i++) {
        static const char *const words[] = {
            "plain", "\"quo,ted\"", "\"two\nlines\"", "", "\"\"\"\"", "é", "\"\""};
        len += (size_t)snprintf(text + len, 128, "%.17g,%s,%s%zu,\"%d\"%s", (double)i * 0.1 - 3,
                                words[i % 7], i % 3 ? "" : "-", i + 1, (int)i % 5,
                                i % 2 ? "\n" : "\r\n");
    }
    *size = len;
    return text;
}

static void
must_be_equal(const vln_table_t *one, const vln_table_t *other)
{
    size_t rows = vln_table_rows(one);
    cr_assert(eq(sz, vln_table_rows(other), rows));
    cr_assert(eq(sz, vln_table_columns(other), vln_table_columns(one)));
    for (size_t i = 0; i < vln_table_columns(one); i++) {
        const vln_column_t *a = vln_table_at(one, i);
        const vln_column_t *b = vln_table_at(other, i);
        cr_assert(a->type == b->type && strcmp(a->name, b->name) == 0);
        for (size_t row = 0; row < rows; row++) {
            cr_assert(vln_column_has(a, row) == vln_column_has(b, row));
            if (!vln_column_has(a, row)) {
                continue;
            }
            switch (a->type) {
            case VLN_TYPE_F64:
                cr_assert(a->f64[row] == b->f64[row]);
                break;
            case VLN_TYPE_I64:
                cr_assert(a->i64[row] == b->i64[row]);
                break;
            case VLN_TYPE_BOOL:
                cr_assert(a->boolean[row] == b->boolean[row]);
                break;
            case VLN_TYPE_STRING:
                cr_assert(strcmp(vln_column_text(a, row), vln_column_text(b, row)) == 0);
                break;
            }
        }
    }
}

static vln_table_t *
read_in_pieces(const vln_csv_options_t *options, const char *text, size_t size, size_t piece)
{
    vln_csv_t *csv = vln_csv_new(options);
    for (size_t at = 0; at < size; at += piece) {
        size_t left = size - at;
        char *copy = vln_memdup(text + at, left < piece ? left : piece); /* its end is guarded */
        cr_assert(vln_csv_add(csv, copy, left < piece ? left : piece) == VLN_OK, "%s",
                  vln_csv_refusal(csv)->text);
        free(copy);
    }
    vln_table_t *table = NULL;
    cr_assert(vln_csv_end(csv, &table) == VLN_OK, "%s", vln_csv_refusal(csv)->text);
    vln_csv_destroy(&csv);
    return table;
}

Test(vln_csv, how_the_bytes_are_cut_is_nothing_to_the_table)
{
    static const vln_csv_column_t columns[] = {{.name = "a", .type = VLN_TYPE_F64},
                                               {.name = "b", .type = VLN_TYPE_STRING},
                                               {.name = "c", .type = VLN_TYPE_I64},
                                               {.name = "d", .type = VLN_TYPE_I64}};
    static const size_t pieces[] = {1, 7, 4096, 65536, 65537, 300000};
    vln_csv_options_t typed = {.columns = columns, .column_count = 4, .max_bytes = 1 << 24};
    size_t size = 0;
    char *text = make_text(20000, &size);
    vln_table_t *whole = read_in_pieces(&inferred, text, size, size);
    cr_assert(eq(sz, vln_table_rows(whole), 20000));
    cr_expect(vln_table_at(whole, 0)->type == VLN_TYPE_F64);
    cr_expect(vln_table_at(whole, 2)->type == VLN_TYPE_I64);
    cr_expect(vln_table_at(whole, 0)->f64[4321] == 4321 * 0.1 - 3);
    cr_expect(eq(str, text_at(whole, "b", 2), "two\nlines"));
    cr_expect(eq(i64, vln_table_at(whole, 2)->i64[19998], -19999));
    for (size_t i = 0; i < VLN_COUNT(pieces); i++) {
        vln_table_t *one = read_in_pieces(&inferred, text, size, pieces[i]);
        vln_table_t *other = read_in_pieces(&typed, text, size, pieces[i]);
        must_be_equal(whole, one);
        must_be_equal(whole, other);
        vln_table_destroy(&one);
        vln_table_destroy(&other);
    }
    vln_table_destroy(&whole);
    free(text);
}

Test(vln_csv, reads_from_a_descriptor)
{
    size_t size = 0;
    char *text = make_text(5000, &size);
    FILE *file = tmpfile();
    cr_assert(fwrite(text, 1, size, file) == size && fflush(file) == 0);
    rewind(file);
    vln_csv_t *csv = vln_csv_new(&inferred);
    vln_table_t *table = NULL;
    cr_assert(vln_csv_add_fd(csv, fileno(file)) == VLN_OK);
    cr_assert(vln_csv_end(csv, &table) == VLN_OK);
    vln_table_t *whole = read_in_pieces(&inferred, text, size, size);
    must_be_equal(whole, table);
    vln_table_destroy(&whole);
    vln_table_destroy(&table);
    vln_csv_destroy(&csv);
    fclose(file);
    free(text);
}

Test(vln_csv, a_descriptor_that_cannot_be_read_is_no_empty_file)
{
    int ends[2];
    cr_assert(pipe(ends) == 0);
    vln_csv_t *csv = vln_csv_new(&inferred);
    cr_expect(vln_csv_add_fd(csv, ends[1]) == VLN_INTERNAL); /* the end for writing */
    vln_csv_destroy(&csv);
    close(ends[0]);
    close(ends[1]);
}
