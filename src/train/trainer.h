/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of a trainer; trainer.c sets it up, loop.c runs it. */
#ifndef FVI_TRAINER_H
#define FVI_TRAINER_H

#include "io/events.h"
#include "optim/schedule.h"
#include "tasks/classify.h"
#include "train/run.h"

#include <signal.h>

typedef struct fvi_plan_of_run {         /* numbers that follow from configuration and data */
    int64_t batches_per_epoch, updates_per_epoch, total, validate_every, save_every;
    fvi_schedule schedule;
} fvi_plan_of_run;

struct fv_trainer {
    fv_context *ctx;
    fv_config *config;
    fv_model *own_model;                 /* created by name; NULL when the user gave one */
    const fv_model *model;
    fv_data *own_data;                   /* opened here */
    bool stored_split;                   /* ... with the split of an earlier process */
    int64_t listed_bad;                  /* files in bad_files.csv */
    const fv_source *train, *val;
    fvi_run run;
    fvi_checkpoint checkpoint;
    bool resumed, dry;
    fv_session *session;
    fvi_classify *task;
    double *class_weights;
    int n_class_weights;
    fv_own_step step;                    /* NULL members: the task's own */
    const fv_own_metric *own;            /* n of them; their columns are run.own_columns */
    int n_own, own_monitor;              /* own_monitor: which one decides; -1: the key monitor */
    fvi_loader *loader, *val_loader;
    fvi_plan_of_run plan;
    fvi_position position;
    fvi_events *events;                  /* NULL before the run begins */
    fvi_confusion counts;
    fvi_mistakes mistakes;               /* of the last validation */
    char *classes;                       /* JSON list */
    char *config_text;
    fv_loss_fn *loss;
    void *loss_user;
    fv_train_callback *callback;
    void *callback_user;
    fv_train_progress progress;
    fv_metric metrics[FVI_METRICS + FVI_OWN_METRICS];
    volatile sig_atomic_t interrupted;
    int64_t saved_step;
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
bool fvi_trainer_smaller_is_better(const fv_trainer *t);     /* of the figure that decides */
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
/* The loader of a set; `random`: as in training, else as in evaluation. */
fvi_loader_options fvi_loader_for(const fv_config *c, const fv_source *s, bool random);
/* RUN/split.csv; owned by the caller, NULL when memory is exhausted. */
char *fvi_split_path(const char *run);
FV_CHECKED fv_status fvi_trainer_open_data(fv_trainer *t);
FV_CHECKED fv_status fvi_trainer_store_split(fv_trainer *t);
/* RUN/bad_files.csv: the pictures that were skipped so far. */
FV_CHECKED fv_status fvi_trainer_list_bad(fv_trainer *t);
int64_t fvi_trainer_bad(const fv_trainer *t);

#endif
