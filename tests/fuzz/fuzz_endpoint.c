/*
 * Any bytes as what an inference server says: metadata give a form or a sentence, an answer has numbers
 * or labels of as many rows as were asked or is refused, an error is printable. And any text as an
 * address: what is taken apart is put together to what is taken apart the same way.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vln_endpoint_text.h"
#include "vln_endpoint_url.h"

static Valion__V1__Column columns[3];
static Valion__V1__Column *inputs[3];
static Valion__V1__Signature signature;

/* A regression, two classes, or three. */
static void
make_signature(size_t classes, size_t count)
{
    static char names[][2] = {"a", "n", "t"};
    static char texts[][5] = {"low", "high", "7"};
    static char *list[] = {texts[0], texts[1], texts[2]};
    static const Valion__V1__ColumnType types[] = {VALION__V1__COLUMN_TYPE__COLUMN_TYPE_FLOAT64,
                                                   VALION__V1__COLUMN_TYPE__COLUMN_TYPE_INT64,
                                                   VALION__V1__COLUMN_TYPE__COLUMN_TYPE_STRING};
    static const Valion__V1__TaskType tasks[] = {
        VALION__V1__TASK_TYPE__TASK_TYPE_REGRESSION, VALION__V1__TASK_TYPE__TASK_TYPE_REGRESSION,
        VALION__V1__TASK_TYPE__TASK_TYPE_BINARY, VALION__V1__TASK_TYPE__TASK_TYPE_MULTICLASS};
    valion__v1__signature__init(&signature);
    for (size_t i = 0; i < 3; i++) {
        valion__v1__column__init(&columns[i]);
        columns[i].name = names[i];
        columns[i].type = types[i];
        inputs[i] = &columns[i];
    }
    signature.inputs = inputs;
    signature.n_inputs = count;
    signature.classes = list;
    signature.n_classes = classes;
    signature.task = tasks[classes];
}

static void
check_model(const char *body, size_t size)
{
    vln_arena_t *arena = vln_arena_new(1 << 20);
    vln_endpoint_form_t form;
    char why[VLN_MODEL_WHY] = "";
    if (vln_endpoint_read_model(body, size, &signature, arena, &form, why) == VLN_OK) {
        vln_assert(form.count == (form.is_matrix ? 1 : signature.n_inputs));
        for (size_t i = 0; i < form.count; i++) {
            vln_assert(strlen(form.names[i]) <= VLN_MODEL_MAX_NAME);
        }
    } else {
        vln_assert(why[0]);
    }
    vln_arena_destroy(&arena);
}

static void
check_answer(const char *body, size_t size, size_t rows)
{
    vln_endpoint_answer_t answer = {0};
    char why[VLN_MODEL_WHY] = "";
    vln_err_t err = vln_endpoint_read_answer(body, size, &signature, rows, &answer, why);
    vln_assert(err == VLN_OK || (why[0] && !answer.scores && !answer.labels));
    if (err == VLN_OK) {
        static volatile float seen; /* so that each is read */
        vln_assert(answer.rows == rows && (answer.scores || answer.labels));
        vln_assert((answer.width > 0) == (answer.scores != NULL));
        for (size_t i = 0; i < rows * answer.width; i++) {
            seen = seen + answer.scores[i];
        }
        for (size_t i = 0; answer.labels && i < rows; i++) {
            vln_assert(answer.labels[i] >= 0 && (size_t)answer.labels[i] < signature.n_classes);
        }
    }
    vln_endpoint_answer_end(&answer);
}

static void
check_error(const char *body, size_t size)
{
    char said[VLN_ENDPOINT_ERROR];
    vln_endpoint_read_error(body, size, said);
    for (const char *at = said; *at; at++) {
        vln_assert(*at >= ' ' && *at <= '~');
    }
}

static void
check_url(const char *text)
{
    char why[VLN_MODEL_WHY];
    char whole[VLN_ENDPOINT_URL];
    vln_endpoint_url_t url;
    vln_endpoint_url_t again;
    if (!vln_endpoint_url_parse(text, &url, why)) {
        vln_assert(why[0]);
        return;
    }
    vln_endpoint_url_write(&url, "", whole);
    vln_assert(strpbrk(whole, "@?#%\\ \r\n\t") == NULL && strstr(whole, "/../") == NULL);
    vln_assert(vln_endpoint_url_parse(whole, &again, why));
    vln_assert(strcmp(url.host, again.host) == 0 && strcmp(url.path, again.path) == 0);
    vln_assert(url.port == again.port && url.secure == again.secure);
    vln_assert(vln_endpoint_is_allowed(whole, &url));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte says of what model, of how many inputs, and of how many rows. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) {
        return 0;
    }
    char *body = vln_calloc(1, size); /* ended by a NUL */
    memcpy(body, data + 1, size - 1);
    make_signature(data[0] % 4, data[0] / 4 % 3 + 1);
    check_model(body, size - 1);
    check_answer(body, size - 1, data[0] / 16 + 1);
    check_error(body, size - 1);
    check_url(body);
    free(body);
    return 0;
}
