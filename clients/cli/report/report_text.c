#include "report_text.h"

#include <math.h>
#include <string.h>
#include <time.h>

#include "vln_text.h"

enum { HEX_SHORT = 12, US_PER_S = 1000000 };

/* Beyond these, powers of ten are easier to read. */
static const double GROUPED_FROM = 1e3;
static const double GROUPED_TO = 1e8;

void
report_text_html(FILE *out, const char *text)
{
    for (; text && *text; text++) {
        switch (*text) {
        case '&':
            fputs("&amp;", out);
            break;
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        case '\'':
            fputs("&#39;", out);
            break;
        default:
            fputc(*text, out);
        }
    }
}

void
report_text_markdown(FILE *out, const char *text)
{
    for (; text && *text; text++) {
        if (*text == '\n' || *text == '\r') {
            fputc(' ', out);
            continue;
        }
        if (strchr("\\`*[]<>|#", *text)) {
            fputc('\\', out);
        }
        fputc(*text, out);
    }
}

/* "26633" to "26,633". */
static const char *
group(char text[REPORT_NUMBER])
{
    size_t sign = text[0] == '-';
    size_t digits = strlen(text) - sign;
    for (size_t at = 3; at < digits; at += 3) {
        char *comma = text + sign + digits - at;
        memmove(comma + 1, comma, strlen(comma) + 1);
        *comma = ',';
    }
    return text;
}

const char *
report_text_number(double value, char out[REPORT_NUMBER])
{
    if (!isfinite(value)) {
        snprintf(out, REPORT_NUMBER, "-");
        return out;
    }
    bool large = fabs(value) >= GROUPED_FROM && fabs(value) < GROUPED_TO;
    bool whole = value == floor(value) && fabs(value) < GROUPED_TO;
    snprintf(out, REPORT_NUMBER, large || whole ? "%.0f" : "%.4g", value);
    return large ? group(out) : out;
}

const char *
report_text_hex(const ProtobufCBinaryData *bytes, size_t digits, char out[REPORT_HEX])
{
    size_t size = bytes->len < digits / 2 ? bytes->len : digits / 2;
    out[0] = '\0';
    if (size > 0 && 2 * size < REPORT_HEX) {
        vln_hex_encode(bytes->data, size, out);
    }
    return out;
}

const char *
report_text_status(Valion__V1__CheckStatus status)
{
    switch (status) {
    case VALION__V1__CHECK_STATUS__CHECK_STATUS_PASS:
        return "PASS";
    case VALION__V1__CHECK_STATUS__CHECK_STATUS_WARN:
        return "WARN";
    case VALION__V1__CHECK_STATUS__CHECK_STATUS_FAIL:
        return "FAIL";
    default:
        return "INCONCLUSIVE";
    }
}

const char *
report_text_severity(Valion__V1__Severity severity)
{
    switch (severity) {
    case VALION__V1__SEVERITY__SEVERITY_LOW:
        return "low";
    case VALION__V1__SEVERITY__SEVERITY_HIGH:
        return "high";
    case VALION__V1__SEVERITY__SEVERITY_CRITICAL:
        return "critical";
    default:
        return "medium";
    }
}

const char *
report_text_engine(Valion__V1__Engine engine)
{
    switch (engine) {
    case VALION__V1__ENGINE__ENGINE_NATIVE:
        return "native";
    case VALION__V1__ENGINE__ENGINE_ONNXRUNTIME:
        return "ONNX Runtime";
    case VALION__V1__ENGINE__ENGINE_XGBOOST:
        return "XGBoost";
    case VALION__V1__ENGINE__ENGINE_ENDPOINT:
        return "endpoint";
    default:
        return "none";
    }
}

void
report_text_data(FILE *out, const Valion__V1__DataRef *data,
                 void (*write)(FILE *out, const char *text))
{
    char hex[REPORT_HEX];
    if (data->name) {
        write(out, data->name);
        fputc(' ', out);
    }
    write(out, report_text_hex(&data->digest, HEX_SHORT, hex));
    if (data->has_rows) {
        fprintf(out, ", rows %lld to %lld", (long long)data->first_row,
                (long long)(data->first_row + data->rows - 1));
    }
}

const char *
report_text_time(int64_t us, char out[REPORT_NUMBER])
{
    struct tm when;
    time_t seconds = (time_t)(us / US_PER_S);
    if (!gmtime_r(&seconds, &when) ||
        strftime(out, REPORT_NUMBER, "%Y-%m-%d %H:%M:%S UTC", &when) == 0) {
        snprintf(out, REPORT_NUMBER, "-");
    }
    return out;
}
