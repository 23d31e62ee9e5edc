/* SPDX-License-Identifier: Apache-2.0 */
/* A task in use: what trainer, evaluation, prediction, export and summary have in common. "Build model, loss and update" is here
 * and nowhere else. */
#ifndef FVI_TASK_H
#define FVI_TASK_H

#include "data/loader.h"
#include "fovea/task.h"
#include "page/paint.h"

/* What a file src/tasks/task_X.c exports. The build collects the files; nothing else is edited. */
#define FVI_TASK(file, record)                          \
    extern const fv_task_def *const fvi_task_##file;    \
    const fv_task_def *const fvi_task_##file = (record)

typedef struct fvi_task_options {
    const fv_task_def *def;
    fv_task_setup setup;                 /* borrowed pointers */
    fvi_augment augment;                 /* from picture to numbers, as the configuration says */
    fv_task_program program;             /* what the configuration says of optimizer and schedule */
} fvi_task_options;

/* One function, for the first or the other micro-batches. */
typedef struct fvi_task_part {
    struct fv_task *task;
    const fv_task_function *def;
    bool first;
    fv_function *function;
    int fields[FV_FIELDS_MAX], n_fields; /* its inputs */
    fv_results results;                  /* of the last call */
    const char *names[FV_FIELDS_MAX];
    fv_tensor tensors[FV_FIELDS_MAX];
    size_t bytes[FV_FIELDS_MAX];
} fvi_task_part;

enum { FVI_TASK_FUNCTIONS = 16, FVI_TASK_CALLS = 32 };

struct fv_task {
    const fv_task_def *def;
    fv_context *ctx;
    fv_task_setup setup;
    fvi_augment augment;
    void *state;
    fv_session *session;
    fv_field fields[FV_FIELDS_MAX];
    int n_fields;
    fv_task_program programs[FV_PROGRAMS_MAX];
    int n_programs;
    fvi_task_part parts[FVI_TASK_FUNCTIONS][2];          /* by function; [1]: first */
    int n_metrics;
    fvi_arena arena;                     /* of fv_task_keep */
};

FV_CHECKED fv_status fvi_task_create(fv_context *ctx, const fvi_task_options *o, fv_task **out);
/* Another schedule or optimizer of the configuration; before functions are made. */
FV_CHECKED fv_status fvi_task_set_program(fv_task *t, const fv_task_program *p);
void fvi_task_destroy(fv_task *t);       /* NULL allowed; the session with it */
/* The session, in which functions are made as they are needed. */
FV_CHECKED fv_status fvi_task_open(fv_task *t, const fv_session_options *o);
enum { FVI_TASK_TRAIN = 1, FVI_TASK_ACCUMULATE = 2, FVI_TASK_EVALUATE = 4, FVI_TASK_PREDICT = 8 };
/* Compiles the functions of these uses for this batch size, so that all variables exist. *bytes (may be NULL): foretold. */
FV_CHECKED fv_status fvi_task_compile(fv_task *t, int64_t batch_size, unsigned uses, int64_t *bytes);

int fvi_task_function(const fv_task *t, const char *name);       /* -1: none */
/* Builds its graph without compiling it, so that its variables exist and can be given values. */
FV_CHECKED fv_status fvi_task_build(fv_task *t, int index);
/* Calls function `index` with the batch (NULL where it has no inputs). *out is borrowed until the next call of the same function. */
FV_CHECKED fv_status fvi_task_call(fv_task *t, int index, bool first, const fv_batch *b, const fv_results **out);
/* Without running: its inputs for batches of n samples (ragged ones without rows), for compiling and looking at graphs. */
FV_CHECKED fv_status fvi_task_part_of(fv_task *t, int index, bool first, fvi_task_part **out);
int fvi_task_inputs(const fvi_task_part *p, const fv_batch *b, int64_t n, fv_tensor in[2 * FV_FIELDS_MAX]);
/* Where the first value that is not finite arises; NULL when all is finite. */
const char *fvi_task_nonfinite(fv_task *t, int index, bool first, const fv_batch *b);

/* A result of rank 0 as a number; NaN: there is none. */
double fvi_results_number(const fv_results *r, const char *name);
/* One batch evaluated and counted. */
FV_CHECKED fv_status fvi_task_evaluate(fv_task *t, const fv_batch *b, const fv_results **out);
/* Index of a metric by name, alias, or either with "val_" before it; -1: none. */
int fvi_task_metric(const fv_task_def *def, const char *name);
bool fvi_task_tells(const fv_task *t, int metric);
/* The loader's collate function of a task. */
fv_status fvi_task_collate(const void *task, fv_loading *l, const fv_draw *d);

/* ---- what is defined above and handed to a task ---- */

struct fv_rows {
    fv_context *ctx;
    int n_columns, n, limit;
    fv_cell *cells;                      /* (limit, n_columns) */
};

struct fv_metadata {
    fv_context *ctx;
    fvi_arena arena;
    struct { struct { const char *key, *value; } *items; int count, capacity; } pairs;
};

struct fv_recorder {
    fv_context *ctx;
    const fv_source *data;
    fv_text json;
    fv_sample sample;
    struct { char **items; int count, capacity; } uris;
    fv_status (*event)(void *user, const char *tag, const uint8_t *png, size_t bytes, int width, int height, int channels);   /* NULL: none */
    void *user;
};
/* A painted picture of the event file. */
FV_CHECKED fv_status fvi_recorder_canvas(fv_recorder *r, const char *tag, const fvi_canvas *c);
void fvi_recorder_free(fv_recorder *r);

#endif
