#include "child.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <valion/v1/sandbox.pb-c.h>

#include "vln_exchange.h"
#include "vln_frame.h"
#include "vln_mem.h"

#include "confine.h"

enum { JOB_FD = 3, FAILED = 3, JOB_MAX = VLN_FRAME_MAX };

typedef struct child {
    const engine_t *engine; /* NULL until a model is loaded */
    void *state;
    const child_engines_t *engines;
    uint8_t *model;
    size_t model_size;
    uint8_t *in; /* the two halves of what is shared */
    uint8_t *out;
    uint8_t *frame; /* a job, then its answer */
    int32_t *labels;
    const char **texts;
    size_t texts_room;
    Valion__V1__SandboxJob *loaded; /* the engine borrows its texts */
    char sentence[ENGINE_SENTENCE];
} child_t;

/* ---- setting up ---- */

__attribute__((noreturn)) static void
give_up(const char *what)
{
    fprintf(stderr, "valion-sandbox: a child cannot set up %s\n", what);
    _exit(FAILED);
}

/* 0 nothing, 1 and 2 the pipe, 3 the socket; no other descriptor stays open. */
static void
set_fds(const child_fds_t *fds)
{
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    bool good = nothing >= 0 && dup2(nothing, 0) == 0 && dup2(fds->texts, 1) == 1 &&
                dup2(fds->texts, 2) == 2;
    good = good && (fds->job == JOB_FD || dup2(fds->job, JOB_FD) == JOB_FD);
    if (!good || close_range(JOB_FD + 1, ~0U, 0) != 0) {
        give_up("its descriptors");
    }
}

static void
map_model(child_t *self, int model)
{
    struct stat about;
    if (fstat(model, &about) != 0 || about.st_size <= 0) {
        give_up("the model");
    }
    self->model_size = (size_t)about.st_size;
    self->model = mmap(NULL, self->model_size, PROT_READ, MAP_PRIVATE, model, 0);
    if (self->model == MAP_FAILED) {
        give_up("the model");
    }
}

static void
map_exchange(child_t *self, int exchange)
{
    size_t size = (size_t)2 * VLN_EXCHANGE_HALF;
    self->in = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, exchange, 0);
    if (self->in == MAP_FAILED) {
        give_up("the memory for rows");
    }
    self->out = self->in + VLN_EXCHANGE_HALF;
}

/* What the parent set for itself is not for foreign code: a fault is to end the child. */
static void
reset_signals(void)
{
    for (int signal_number = 1; signal_number < NSIG; signal_number++) {
        signal(signal_number, SIG_DFL); /* SIGKILL and SIGSTOP refuse, which is right */
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* ---- loading ---- */

static Valion__V1__SandboxVerdict
verdict_to_wire(engine_verdict_t verdict)
{
    static const Valion__V1__SandboxVerdict verdicts[] = {
        [ENGINE_OK] = VALION__V1__SANDBOX_VERDICT__SANDBOX_VERDICT_OK,
        [ENGINE_REFUSED] = VALION__V1__SANDBOX_VERDICT__SANDBOX_VERDICT_REFUSED,
        [ENGINE_ANSWER] = VALION__V1__SANDBOX_VERDICT__SANDBOX_VERDICT_ANSWER,
    };
    return verdicts[verdict];
}

static Valion__V1__SandboxTensor **
tensors_to_wire(const vln_tensor_t *tensors, size_t count)
{
    Valion__V1__SandboxTensor **out = vln_calloc(count + 1, sizeof *out);
    for (size_t i = 0; i < count; i++) {
        out[i] = vln_calloc(1, sizeof **out);
        valion__v1__sandbox_tensor__init(out[i]);
        out[i]->name = vln_strdup(tensors[i].name);
        out[i]->has_type = true;
        out[i]->type = tensors[i].type;
        out[i]->n_dims = tensors[i].rank <= VLN_MODEL_MAX_RANK ? tensors[i].rank : 0;
        out[i]->dims = vln_memdup(tensors[i].dims, sizeof tensors[i].dims);
    }
    return out;
}

static engine_verdict_t
load(child_t *self, Valion__V1__SandboxJob *job, Valion__V1__SandboxAnswer *answer)
{
    size_t index = job->engine == VALION__V1__SANDBOX_ENGINE__SANDBOX_ENGINE_XGBOOST ? 0 : 1;
    self->engine = self->engines->engine[index];
    self->state = self->engines->state[index];
    self->loaded = job;
    engine_model_t model = {
        .bytes = self->model,
        .size = self->model_size,
        .score_output = job->score_output,
        .label_output = job->label_output,
        .classes = job->classes,
        .class_count = job->n_classes,
        .by_matrix = job->by_matrix,
    };
    engine_about_t about = {0};
    engine_verdict_t verdict = self->engine->load(self->state, &model, &about, self->sentence);
    if (verdict == ENGINE_OK) {
        answer->n_inputs = about.input_count;
        answer->inputs = tensors_to_wire(about.inputs, about.input_count);
        answer->n_outputs = about.output_count;
        answer->outputs = tensors_to_wire(about.outputs, about.output_count);
        answer->has_features = true;
        answer->features = (uint32_t)about.features;
    }
    return verdict;
}

/* ---- predicting ---- */

/* The texts of the rows, or false if they do not lie as they must: a fault of ours. */
static bool
find_texts(child_t *self, size_t begins_at, size_t count)
{
    if (count > self->texts_room) {
        self->texts = vln_realloc(self->texts, count * sizeof *self->texts);
        self->texts_room = count;
    }
    const char *half = (const char *)self->in;
    if (half[VLN_EXCHANGE_HALF - 1] != '\0') {
        return false; /* so that every text ends within */
    }
    for (size_t i = 0; i < count; i++) {
        uint32_t begins = 0;
        memcpy(&begins, self->in + begins_at + i * sizeof begins, sizeof begins);
        if (begins >= VLN_EXCHANGE_HALF) {
            return false;
        }
        self->texts[i] = half + begins;
    }
    return true;
}

static bool
find_rows(child_t *self, const Valion__V1__SandboxJob *job, engine_rows_t *out)
{
    size_t numbers = (size_t)job->numbers * job->rows;
    size_t texts = (size_t)job->texts * job->rows;
    bool fits = job->rows > 0 && job->rows <= VLN_EXCHANGE_ROWS &&
                job->numbers <= VLN_MODEL_MAX_FEATURES && job->texts <= VLN_MODEL_MAX_FEATURES &&
                (numbers + texts) * sizeof(float) <= VLN_EXCHANGE_HALF;
    if (!fits || (texts > 0 && !find_texts(self, numbers * sizeof(float), texts))) {
        return false;
    }
    *out = (engine_rows_t){
        .rows = job->rows,
        .number_count = job->numbers,
        .text_count = job->texts,
        .numbers = (const float *)(const void *)self->in,
        .texts = self->texts,
    };
    return true;
}

static engine_verdict_t
predict(child_t *self, const Valion__V1__SandboxJob *job, Valion__V1__SandboxAnswer *answer)
{
    engine_rows_t rows;
    if (!self->engine || !find_rows(self, job, &rows)) {
        return engine_say(self->sentence, ENGINE_REFUSED, "no model is loaded, or no rows given");
    }
    engine_scores_t scores = {
        .scores = (float *)(void *)self->out,
        .room = VLN_EXCHANGE_HALF - rows.rows * sizeof *self->labels,
        .labels = self->labels,
    };
    engine_verdict_t verdict = self->engine->predict(self->state, &rows, &scores, self->sentence);
    if (verdict != ENGINE_OK) {
        return verdict;
    }
    if (scores.labelled) {
        memcpy(self->out + rows.rows * scores.width * sizeof(float), self->labels,
               rows.rows * sizeof *self->labels);
    }
    answer->has_width = true;
    answer->width = (uint32_t)scores.width;
    answer->has_labelled = true;
    answer->labelled = scores.labelled;
    return ENGINE_OK;
}

/* ---- jobs ---- */

static void
answer_job(child_t *self, Valion__V1__SandboxJob *job)
{
    Valion__V1__SandboxAnswer answer = VALION__V1__SANDBOX_ANSWER__INIT;
    engine_verdict_t verdict = ENGINE_REFUSED;
    self->sentence[0] = '\0';
    if (job->kind == VALION__V1__SANDBOX_JOB_KIND__SANDBOX_JOB_KIND_LOAD && !self->loaded) {
        verdict = load(self, job, &answer);
    } else {
        verdict = predict(self, job, &answer);
    }
    answer.has_verdict = true;
    answer.verdict = verdict_to_wire(verdict);
    answer.sentence = verdict == ENGINE_OK ? NULL : self->sentence;
    size_t size = valion__v1__sandbox_answer__get_packed_size(&answer);
    if (size > VLN_FRAME_MAX) {
        _exit(FAILED);
    }
    valion__v1__sandbox_answer__pack(&answer, self->frame);
    if (vln_frame_send(JOB_FD, self->frame, size, NULL, 0, VLN_FRAME_FOREVER) != VLN_OK) {
        _exit(0); /* nobody waits for it any more */
    }
}

void
child_live(const child_engines_t *engines, const child_order_t *order)
{
    child_t self = {.engines = engines};
    if (!confine_to_life_of(order->parent)) {
        _exit(0);
    }
    reset_signals();
    map_model(&self, order->fds.model);
    map_exchange(&self, order->fds.exchange);
    set_fds(&order->fds);
    self.frame = vln_calloc(JOB_MAX, 1);
    self.labels = vln_calloc(VLN_EXCHANGE_ROWS, sizeof *self.labels);
    const char *why = NULL;
    confine_limits_t limits = {
        .memory_bytes = order->memory_bytes, .cpu_seconds = order->cpu_seconds, .socket = JOB_FD};
    if (!confine(&limits, &why)) {
        give_up(why);
    }
    size_t size = 0;
    while (vln_frame_receive(JOB_FD, self.frame, JOB_MAX, &size, NULL, VLN_FRAME_FOREVER) ==
           VLN_OK) {
        Valion__V1__SandboxJob *job = valion__v1__sandbox_job__unpack(NULL, size, self.frame);
        if (!job) {
            _exit(FAILED);
        }
        answer_job(&self, job);
        if (job != self.loaded) {
            valion__v1__sandbox_job__free_unpacked(job, NULL);
        }
    }
    _exit(0);
}
