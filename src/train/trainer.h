/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of a trainer; trainer.c sets it up, loop.c runs it. */
#ifndef FVI_TRAINER_H
#define FVI_TRAINER_H

#include "io/events.h"
#include "optim/schedule.h"
#include "tasks/task.h"
#include "train/identity.h"
#include "train/run.h"

#include <signal.h>

typedef struct fvi_cadence { double epochs; int64_t updates; } fvi_cadence;      /* one of them is 0 */

typedef struct fvi_plan_of_run {         /* numbers that follow from configuration, data and position */
    int64_t batches_per_epoch, windows_per_update, updates_per_epoch, total;     /* a window: micro-batches of one group of calls */
    int64_t ahead;                       /* updates of a run that ends by epochs beyond those that its passes take with the present batch
                                            size: the schedule does not count them */
    fvi_cadence validate_every, save_every;
    fv_schedule schedule;
} fvi_plan_of_run;

typedef struct fvi_bad_files {           /* rows of RUN/bad_files.csv */
    const char **rows;
    int count, capacity, earlier, listed;        /* of earlier processes; written */
    int64_t seen[2];                     /* of each loader's */
    fvi_arena arena;
} fvi_bad_files;

/* A column of metrics.csv that a validation fills. */
typedef struct fvi_metric_row {
    char name[FVI_METRIC_NAME];          /* "val_acc" */
    int task;                            /* metric of the task; -1: of the user's own */
    bool raw;                            /* of the weights where their average is evaluated */
    bool smaller_is_better;
} fvi_metric_row;

/* A further result of a step: a sum of a function for each batch. */
enum { FVI_OWN_METRICS = 8 };
typedef struct fvi_train_result {
    const char *name, *result;           /* of its column; of the function's result */
    int function;
    double sum, weight;                  /* of the step; what it came to is position.results */
} fvi_train_result;

typedef struct fvi_kept_buffer { fv_var *var; fv_tensor value; size_t bytes; } fvi_kept_buffer;

struct fv_trainer {
    fv_context *ctx;
    fv_config *config;
    fv_model *own_model;                 /* created by name; NULL when the user gave one */
    const fv_model *model;
    fv_data *own_data;                   /* opened here */
    bool stored_split;                   /* ... with the split of an earlier process */
    fvi_bad_files bad;
    fvi_identity identity;               /* of the data */
    char data_text[FVI_IDENTITY_ROOM];
    const fv_source *train, *val;
    fvi_run_folder run;
    fvi_checkpoint checkpoint;
    fv_config *before;                   /* what its last save was made with; NULL: not known */
    char *changes;                       /* keys that have changed since, in words; NULL: nothing is resumed */
    bool resumed, dry;
    bool segment;                        /* resumed with changes: those of --continue, until they are saved */
    fv_session *session;
    const fv_task_def *def, *own_def;    /* own_def: the user's, or NULL */
    fv_task *task;
    fv_own_step step;                    /* NULL members: the task's own */
    fvi_metric_row metric[FVI_METRICS_MAX];      /* what a validation measures, in the order of position.metrics */
    int n_metrics;
    const fv_own_metric *own;            /* n of them; the last rows of metric */
    int n_own;
    int monitor;                         /* which metric of the task decides; own_monitor: which of the user's, -1: none */
    int own_monitor;
    fvi_train_result train_results[FVI_TRAIN_RESULTS];   /* what a step gives beside its loss */
    int n_train_results;
    fvi_loader *loader, *val_loader;
    fvi_plan_of_run plan;
    fvi_position position;
    fvi_events *events;                  /* NULL before the run begins */
    double values[FVI_METRICS_MAX];      /* of all metrics of the task, last validation */
    int64_t evaluated;                   /* samples of it */
    char *classes;                       /* JSON list */
    char *config_text;
    fv_loss_fn *loss;
    void *loss_user;
    fv_train_callback *callback;
    void *callback_user;
    fv_train_progress progress;
    fv_metric metrics[FVI_METRICS_MAX];
    volatile sig_atomic_t interrupted;
    int64_t saved_step;
    double saved_epoch;
    bool savable;                        /* the session is what position says: not in the middle of an update */
    struct { fvi_kept_buffer *items; int count, capacity; } kept;     /* what micro-batches change, as it was before the update */
    int64_t empty;                       /* updates in a row without a picture that has a weight */
    double train_seconds;                /* updates only, of this process */
    double begin;                        /* when the first update of this process began; 0: not yet */
    int64_t images;
    double rate_seconds, rate_images;    /* for the speed of the last few seconds */
};

/* fv_trainer_create with a configuration that is read already (taken over; NULL: from the options) and, if not NULL, a folder. */
FV_CHECKED fv_status fvi_trainer_create(fv_context *ctx, const fv_model *model, const fv_train_options *o, fv_config *config, const char *folder,
                                        fv_trainer **out);
/* The configuration that the options stand for. */
FV_CHECKED fv_status fvi_trainer_config(fv_context *ctx, const fv_model *model, const fv_train_options *o, fv_config **out);
/* What the configuration says of a task with this model. */
fvi_task_options fvi_task_of(const fv_config *c, const fv_model *m, int64_t classes, const char *const *class_names);
/* Columns of what is measured; after the run is opened. */
FV_CHECKED fv_status fvi_trainer_take_metrics(fv_trainer *t, const fv_train_options *o);
/* ... and of what a step gives; after the functions are compiled. */
FV_CHECKED fv_status fvi_trainer_take_results(fv_trainer *t);
/* The calls of one update (calls.c). */
FV_CHECKED fv_status fvi_trainer_step(fv_trainer *t);
bool fvi_trainer_smaller_is_better(const fv_trainer *t);     /* of the metric that decides */
FV_CHECKED fv_status fvi_trainer_prepare(fv_trainer *t);     /* session, functions, checkpoint, loaders */
FV_CHECKED fv_status fvi_trainer_loop(fv_trainer *t);
FV_CHECKED fv_status fvi_trainer_validate(fv_trainer *t);
FV_CHECKED fv_status fvi_trainer_save(fv_trainer *t);
void fvi_trainer_show_metrics(fv_trainer *t);               /* position.metrics -> progress */
void fvi_trainer_tell(fv_trainer *t, fv_train_event event);
int fvi_loader_threads(const fv_config *c);
/* The configured data, or an error with the remedy. `wish`: what the configuration does not say (split file, classes). */
FV_CHECKED fv_status fvi_open_data(fv_context *ctx, const fv_config *c, const fv_data_options *wish, fv_data **out);
fvi_augment fvi_augment_of(const fv_config *c);
/* The loader of a set for a task; `random`: as in training, else as in evaluation. */
fvi_loader_options fvi_loader_for(const fv_config *c, const fv_task *t, const fv_source *s, bool random);
/* RUN/split.csv; owned by the caller, NULL when memory is exhausted. */
char *fvi_split_path(const char *run);
/* Has the key, or one of its group, changed since the last save? */
bool fvi_trainer_changed(const fv_trainer *t, const char *key);
double fvi_trainer_passes(const fv_trainer *t);              /* over the data, so far */
/* The reductions of plateau, to every program's schedule. */
void fvi_trainer_reduce(fv_trainer *t);
double fvi_trainer_rate(const fv_trainer *t, int64_t step);  /* of an update */
FV_CHECKED fv_status fvi_trainer_open_data(fv_trainer *t);
/* A new run and what belongs to it must not stand where the data's classes do. */
FV_CHECKED fv_status fvi_trainer_check_places(const fv_trainer *t);
/* What the data are, by content: t->identity. */
FV_CHECKED fv_status fvi_trainer_identify(fv_trainer *t);
FV_CHECKED fv_status fvi_trainer_store_split(fv_trainer *t);
/* RUN/bad_files.csv: the pictures that were skipped so far. */
FV_CHECKED fv_status fvi_trainer_read_bad(fv_trainer *t);
FV_CHECKED fv_status fvi_trainer_list_bad(fv_trainer *t);
int64_t fvi_trainer_bad(fv_trainer *t);
void fvi_bad_files_free(fvi_bad_files *b);
/* Where a run stands and what it goes on with (resume.c). */
FV_CHECKED fv_status fvi_trainer_open_position(fv_trainer *t);
FV_CHECKED fv_status fvi_trainer_plan(fv_trainer *t);
fvi_loader_options fvi_trainer_loader(const fv_trainer *t);
const char *fvi_trainer_monitor(const fv_trainer *t);        /* the name of the metric that decides */
/* Buffers that micro-batches change: noted before an update, put back when it cannot be made. */
FV_CHECKED fv_status fvi_trainer_keep_buffers(fv_trainer *t);
FV_CHECKED fv_status fvi_trainer_put_back(fv_trainer *t);

#endif
