/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks: what is learned. A task says what a sample and a batch are, which functions a training step calls, how predictions
 * become metrics, and how all of it is shown. Trainer, evaluation, prediction, export and report know this interface only.
 * `classify` is the library's own (src/tasks/classify.c); a task of yours is a record of the same kind, handed over in the
 * options of fv_train, fv_evaluate and the others. docs/adding-a-task.md */
#ifndef FOVEA_TASK_H
#define FOVEA_TASK_H

#include "fovea/data.h"
#include "fovea/key.h"
#include "fovea/model.h"
#include "fovea/optim.h"
#include "fovea/text.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fv_task fv_task;                  /* one in use: record, settings, session, functions, state */
typedef struct fv_config fv_config;

/* ---- parts that may be your own ---- */

/* A loss of your own: the SUM over the samples; *weight gets what to divide by (fv_cross_entropy does so). */
typedef fv_value *fv_loss_fn(fv_graph *g, fv_value *output, fv_value *labels, fv_value **weight, void *user);

/* Functions of a step of your own, in place of those of the task that have these parts. State is variables of the session, so
 * that checkpoints hold it. */
typedef struct fv_own_step {
    void *user;
    /* One micro-batch: gradients into their variables (fv_accumulate_gradients with `first`), and the results "loss", a sum over
     * the samples, and "weight", what to divide it by. In place of the first function that is called for each batch. NULL: the task's. */
    fv_status (*gradient)(fv_graph *g, const fv_model *m, fv_value *images, fv_value *labels, bool first, void *user);
    /* The update, with the results "norm" and "skip"; `o`: what the configuration says. In place of the first function that is
     * called once a step. NULL: the task's. */
    fv_status (*update)(fv_graph *g, fv_session *s, const fv_optimizer_options *o, void *user);
} fv_own_step;

/* ---- what a task in use knows ---- */

typedef struct fv_task_setup {
    const fv_config *config;                     /* all keys; NULL: none is there (fovea summary) */
    const void *settings;                        /* values of the task's own keys; NULL: it has none */
    const fv_model *model;
    int64_t classes;                             /* of the data or the weights; 0: they know none */
    const char *const *class_names;              /* `classes` of them; NULL: "0", "1", ... */
    int64_t channels, height, width;             /* of the input */
    int shown;                                   /* samples that reports and events show at most */
    fv_loss_fn *loss;                            /* the user's; NULL: the task's */
    void *loss_user;
    fv_own_step step;
} fv_task_setup;
/* All borrowed from the task. */
FV_API const fv_task_setup *fv_task_setup_of(const fv_task *t);
FV_API void *fv_task_state(const fv_task *t);    /* state_size bytes, zeroed before create */
FV_API fv_context *fv_task_context(const fv_task *t);
FV_API fv_session *fv_task_session(const fv_task *t);           /* NULL in create and fields */
FV_API const char *fv_task_class_name(const fv_task *t, int64_t index, char room[32]);
/* Memory that lives as long as the task; zeroed. NULL + error. */
FV_API void *fv_task_keep(fv_task *t, size_t bytes);
/* What the configuration says of the optimizer that has this name (NULL: the only one). */
FV_API const fv_optimizer_options *fv_task_optimizer(const fv_task *t, const char *name);

/* ---- functions and the step ---- */

/* A graph over variables of the session. `in`: its inputs in order. Results are declared with fv_result. */
typedef struct fv_task_function {
    const char *name;                            /* "forward_backward" */
    /* Names of batch fields, separated by blanks; of a ragged field two values come: rows and counts i64 (N). NULL: none. */
    const char *inputs;
    bool training;                               /* batch statistics, dropout */
    /* `first`: gradients of the first micro-batch of a step replace what is there, those of the others are added. */
    fv_status (*build)(fv_task *t, fv_graph *g, fv_value *const *in, bool first);
} fv_task_function;

/* A step: calls in order. Calls for each batch that follow each other are made for every micro-batch of one window
 * (gradient_accumulation_steps of them); each such group has a window of its own. A function for each batch has the scalar
 * results "loss" (a sum) and "weight" (what to divide by), others are sums too and logged; one that is called once has "norm" and "skip"
 * (1: a gradient was not finite, nothing was changed) where it is an update. The loss of the first group is the run's. */
typedef struct fv_step_call { const char *function; bool each_batch; } fv_step_call;

/* An update program: an optimizer with a rate and a schedule of its own. Its scalars are "lr", "momentum" ..., with a name
 * "NAME.lr" and so on. */
typedef struct fv_task_program {
    const char *name;                            /* NULL: the only one */
    fv_optimizer_options optimizer;
    fv_schedule schedule;
} fv_task_program;

/* ---- evaluation ---- */

typedef struct fv_metric { const char *name; double value; bool smaller_is_better; } fv_metric;

typedef struct fv_metric_def {
    const char *name;                            /* small letters, digits, _: "acc"; "val_acc" in metrics.csv */
    bool smaller_is_better;
    int column;                                  /* its place in metrics.csv and events, from 1; 0: in evaluation.json only */
    bool raw;                                    /* NAME_raw too: that of the weights where their moving average is evaluated */
    const char *aliases;                         /* other names, separated by blanks; may be NULL */
} fv_metric_def;

/* Named results of a function call, borrowed. */
typedef struct fv_results { int n; const char *const *names; const fv_tensor *tensors; } fv_results;
FV_API const fv_tensor *fv_results_find(const fv_results *r, const char *name);        /* NULL: there is none */

/* Where a finished evaluation is kept: members of evaluation.json, pictures for it and for the event file. */
typedef struct fv_recorder fv_recorder;
FV_API fv_text *fv_recorder_json(fv_recorder *r);                /* members are added: ",\n  \"name\": value" */
FV_API const fv_source *fv_recorder_data(const fv_recorder *r);
/* The sample as its source gives it, its picture decoded; borrowed until the next call. NULL in *out: it cannot be read now (logged). */
FV_API fv_status fv_recorder_sample(fv_recorder *r, int64_t id, const fv_sample **out) FV_CHECKED;
/* A PNG of at most `side` pixels as a URI for evaluation.json; borrowed until the recorder's end. */
FV_API fv_status fv_recorder_picture(fv_recorder *r, const fv_image *image, int side, const char **uri, int *width, int *height) FV_CHECKED;
/* A picture of the event file. */
FV_API fv_status fv_recorder_event(fv_recorder *r, const char *tag, const fv_image *image) FV_CHECKED;

/* ---- prediction ---- */

typedef enum fv_column_kind { FV_COLUMN_TEXT, FV_COLUMN_INTEGER, FV_COLUMN_NUMBER, FV_COLUMN_SHARE } fv_column_kind;   /* SHARE: 0..1, as % for people */
typedef struct fv_column {
    const char *name;
    fv_column_kind kind;
    bool json_only;                              /* neither in the table nor in the text */
} fv_column;
typedef struct fv_cell { const char *text; double number; } fv_cell;           /* text of TEXT, number of the others */
typedef struct fv_rows fv_rows;
/* One row; a cell for each column. Texts are borrowed until the prediction was handed on. */
FV_API fv_status fv_rows_add(fv_rows *rows, const fv_cell *cells) FV_CHECKED;

/* ---- export ---- */

typedef struct fv_metadata fv_metadata;
FV_API fv_status fv_metadata_add(fv_metadata *m, const char *key, const char *fmt, ...) FV_PRINTF(3, 4) FV_CHECKED;

/* ---- the record ---- */

/* A curve of a run's report: columns of metrics.csv over the updates. */
typedef struct fv_report_curve { const char *column, *label; int color; bool dashed; } fv_report_curve;
typedef struct fv_report_plot { const char *title; bool share; fv_report_curve curves[6]; } fv_report_plot;     /* ends with a column NULL */
typedef struct fv_report_tile { const char *metric, *label, *heading; bool share; } fv_report_tile;     /* heading: of its column where runs are compared */

typedef struct fv_task_def {
    const char *name, *about;
    const fv_key *keys;                          /* configuration rows of its own, over a struct of settings_size bytes; NULL: none */
    size_t settings_size, state_size;
    /* Looks at the setup; what is wrong is a CONFIG error. May be NULL. */
    fv_status (*create)(fv_task *t);
    void (*destroy)(fv_task *t);                 /* frees what the state holds; after a create that failed too; may be NULL */

    /* Tensors of a batch: at most FV_FIELDS_MAX. Names are constant. */
    fv_status (*fields)(fv_task *t, fv_field out[FV_FIELDS_MAX], int *n);
    /* Makes one place of a batch (fv_place). Called from several threads at once: the task's state is only read. */
    fv_status (*collate)(const fv_task *t, fv_loading *l, const fv_draw *d);

    const fv_task_function *functions;           /* names end with NULL */
    const fv_step_call *step;                    /* ends with a function NULL */
    /* NULL: one program from the configuration. `out` has room for FV_PROGRAMS_MAX and holds that one already. */
    fv_status (*programs)(fv_task *t, fv_task_program *out, int *n);
    /* Values of variables that settings decide (class weights); after the functions were compiled. May be NULL. */
    fv_status (*ready)(fv_task *t);

    const char *evaluate;                        /* name of the function whose results are counted */
    const fv_metric_def *metrics;                /* end with a name NULL; the first is what `monitor` is without being set */
    bool (*tells)(const fv_task *t, int metric); /* false: that one says nothing with these data and is left out; NULL: all do */
    fv_status (*begin)(fv_task *t);              /* before each pass */
    fv_status (*add)(fv_task *t, const fv_batch *b, const fv_results *r);
    fv_status (*finish)(fv_task *t, double *values);             /* one for each metric; NaN: undefined */
    fv_status (*record)(fv_task *t, fv_recorder *r);             /* members of evaluation.json and pictures; may be NULL */
    /* What fv_evaluation.details points to: a struct of the task's own, in memory of fv_task_keep. May be NULL. */
    fv_status (*details)(fv_task *t, const fv_source *data, const void **out);
    /* The evaluation for a person, and members for a program (", \"name\": value"); may be NULL. */
    fv_status (*show)(fv_task *t, const void *details, const fv_metric *metrics, int64_t samples, fv_text *text);
    fv_status (*json)(fv_task *t, const void *details, fv_text *text);

    const fv_report_tile *tiles;                 /* end with a metric NULL */
    const fv_report_plot *plots;                 /* end with a title NULL; loss, rate and norm are there anyway */
    /* Its section, from the object of evaluation.json. May be NULL. */
    fv_status (*report)(fv_context *ctx, const fv_json *evaluation, fv_text *page);

    const char *predict;                         /* name of the function; NULL: the task predicts nothing */
    const char *rows_name;                       /* name of the list in JSON: "top" */
    const fv_column *columns;                    /* end with a name NULL */
    bool wide;                                   /* the table has a row a sample: class_1, probability_1, class_2 ... */
    int limit;                                   /* rows of a sample at most, where none is asked for */
    fv_status (*rows)(fv_task *t, const fv_results *r, int64_t sample, int limit, fv_rows *out);

    /* Export: name of the input (NULL: "input"), the result that is the output, and what that is: "output", "logits". */
    const char *input, *output, *output_kind;
    fv_status (*metadata)(fv_task *t, fv_metadata *m);           /* further ones; may be NULL */
} fv_task_def;

enum { FV_PROGRAMS_MAX = 8 };

/* A task of the library by name; NULL: there is none. Names and one line about each by index; NULL past the end. */
FV_API const fv_task_def *fv_task_find(const char *name);
FV_API const fv_task_def *fv_task_known(int index);

#ifdef __cplusplus
}
#endif
#endif
