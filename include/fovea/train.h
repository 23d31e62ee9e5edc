/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration, training, evaluation. A step is one optimizer update; schedules, EMA, logs and saving count updates. */
#ifndef FOVEA_TRAIN_H
#define FOVEA_TRAIN_H

#include "fovea/task.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- configuration ---- */

/* `path`: a JSON file, a run folder (its resolved configuration), or NULL for defaults. `settings`: "+variant" and
 * "key=value", applied in this order: file, variants, key=value. Wrong keys and values are CONFIG errors that name file,
 * line, key and the nearest known key. */
FV_API fv_status fv_config_create(fv_context *ctx, const char *path, int n_settings, const char *const *settings, fv_config **out) FV_CHECKED;
FV_API void fv_config_destroy(fv_config *c);                     /* NULL is allowed */
/* The resolved configuration as JSON text; with `origins` an object of key -> where its value comes from instead. Owned by
 * the caller: fv_text_free. NULL when memory is exhausted. */
FV_API char *fv_config_text(const fv_config *c, bool origins);
/* One value as JSON text, by its dotted name; NULL for an unknown key. Owned by the caller. */
FV_API char *fv_config_value(const fv_config *c, const char *key);
/* What is known about a key. Texts are constant; numbers in words are filled in. */
typedef struct fv_config_entry {
    const char *name;            /* dotted: "data.root" */
    const char *heading, *help;  /* keys under one heading follow each other */
    const char *aliases;         /* other names, separated by spaces, or NULL */
    const char *group;           /* group whose plain value sets this key: "data" for data.root; or NULL */
    const char *task;            /* whose key it is; NULL: of all */
    const char *const *choices;  /* NULL-terminated; NULL: any value of the kind */
    char kind[48];               /* "whole number", "list of 2 numbers", "true or false", "text" */
    char fallback[96];           /* the default, as JSON text */
    char range[80];              /* "0 .. 1", "at least 0", or "" */
    char example[96];            /* a value as it is written behind key= */
    bool path;                   /* relative ones count from where they are written */
    bool local;                  /* of the machine: may change when a run goes on */
} fv_config_entry;
FV_API bool fv_config_describe(int index, fv_config_entry *out);      /* false past the end */
FV_API int fv_config_find(const char *name);                          /* index of a key by its name or alias; -1: none */
/* Names of the variants that a configuration file holds, separated by line ends. Owned by the caller; NULL when the file
 * cannot be read. */
FV_API char *fv_config_variants(fv_context *ctx, const char *path);

/* ---- training ---- */

typedef struct fv_trainer fv_trainer;

typedef enum fv_train_event {
    FV_TRAIN_START,              /* model, memory and length are known, nothing is computed yet */
    FV_TRAIN_STEP,               /* after each update */
    FV_TRAIN_VALIDATED,
    FV_TRAIN_SAVED,
    FV_TRAIN_END                 /* the run is finished (or was before), or the dry run is through */
} fv_train_event;

typedef struct fv_train_progress {
    int64_t step, max_steps;     /* updates done; wanted */
    int64_t start_step;          /* where this process began: above 0 after resuming */
    double epoch;                /* passes over the data so far */
    double loss, learning_rate, grad_norm;     /* of the last update; the rate is the one that was used */
    double images_per_second, data_wait;       /* data_wait: share of the time, 0..1 */
    double seconds, eta_seconds;
    const fv_metric *metrics;    /* of the last validation; 0 before the first */
    int n_metrics;
    bool improved;               /* FV_TRAIN_VALIDATED: a new best */
    double best;
    int64_t best_step;           /* -1: none yet */
    const char *monitor;         /* which figure decides what is best */
    const char *run, *model, *data;            /* folder; name; what is trained on, in words */
    int64_t parameters, trainable, foretold_bytes;
    int64_t train_samples, val_samples;
    int64_t bad_files;           /* pictures that could not be read and were skipped (data.on_bad_file=skip) */
    int threads;
    bool amp, finished;          /* finished: there was nothing to do any more */
    const char *path;            /* FV_TRAIN_SAVED, FV_TRAIN_END: the folder of the checkpoints */
    int seed_number, seed_count; /* fv_train with several seeds: 1 of 5; 0: a single run */
} fv_train_progress;

/* Returns false to stop: the trainer saves and fv_trainer_run returns FV_ERROR_CANCELED. */
typedef bool fv_train_callback(void *user, fv_train_event event, const fv_train_progress *p);

/* ---- parts that may be your own ---- */

/* A metric of your own over the whole validation data, beside those of the task. It stands as val_NAME in metrics.csv, events and
 * progress. Borrowed, as everything here, until the trainer is destroyed. */
typedef struct fv_own_metric {
    const char *name;            /* small letters, digits, _ */
    bool smaller_is_better;
    bool monitor;                /* decides what is best, early stop and plateau, in place of the key monitor */
    void *user;
    void (*begin)(void *user);   /* before each pass; may be NULL */
    void (*add)(void *user, const fv_batch *b, const fv_results *r);     /* what the task's evaluation gave: classify: "scores" (n, classes) */
    double (*value)(void *user); /* after the pass; NaN: undefined, and never the best */
} fv_own_metric;

typedef enum fv_run_mode {
    FV_RUN_RESUME,               /* an existing run with the same configuration goes on; another one is an error */
    FV_RUN_CONTINUE,             /* goes on with changed keys, recorded as a new segment */
    FV_RUN_NEW,                  /* the next free name */
    FV_RUN_OVERWRITE             /* moves the old run aside */
} fv_run_mode;

typedef struct fv_train_options {
    const char *config;          /* JSON file or run folder; NULL: only what follows */
    const char *const *settings; /* "key=value", "+variant" */
    int n_settings;
    fv_run_mode mode;
    bool dry_run;                /* data, shapes, memory, one batch; writes nothing */
    /* Short forms of settings, used where not zero. data: "cifar10:DIR" or "DIR". */
    const char *data, *optimizer, *scheduler, *run;
    double learning_rate, weight_decay, max_grad_norm;
    int64_t max_steps, epochs, batch_size, seed;
    /* Hooks. */
    const fv_task_def *task;                   /* your own; borrowed; NULL: what the configuration names */
    fv_source *train_data, *val_data;          /* borrowed; instead of the configured data */
    fv_loss_fn *loss;
    void *loss_user;
    const fv_own_step *step;
    const fv_own_metric *metrics;              /* at most 8 */
    int n_metrics;
    fv_train_callback *callback;
    void *callback_user;
} fv_train_options;

/* Reads configuration, data and an existing run. `model` (borrowed) may be NULL: then the configuration names it. */
FV_API fv_status fv_trainer_create(fv_context *ctx, const fv_model *model, const fv_train_options *o, fv_trainer **out) FV_CHECKED;
/* To the end of the run, or until it is interrupted. The loss or a gradient that is not finite is a NUMERIC error that names the op. */
FV_API fv_status fv_trainer_run(fv_trainer *t) FV_CHECKED;
FV_API void fv_trainer_destroy(fv_trainer *t);                   /* NULL is allowed */
/* Asks a running trainer to save and stop after the current update. May be called from a signal handler. */
FV_API void fv_trainer_interrupt(fv_trainer *t);
/* Borrowed from the trainer. The session is there from FV_TRAIN_START on; NULL before. */
FV_API const fv_train_progress *fv_trainer_progress(const fv_trainer *t);
FV_API const fv_config *fv_trainer_config(const fv_trainer *t);
FV_API fv_session *fv_trainer_session(fv_trainer *t);

/* ---- several seeds ---- */

typedef struct fv_seeds_metric {
    const char *name;
    int n;                       /* seeds that have it */
    const double *values;        /* one for each seed; NaN: not yet, or undefined */
    double mean, deviation;      /* sample standard deviation (n - 1); NaN below two values */
    double low, high;            /* 95 % interval of the mean, Student's t; NaN below two values */
} fv_seeds_metric;
typedef struct fv_seeds {
    const char *run;             /* folder: seed-0, seed-1 ... are runs in it; seeds.json, seeds.txt, report.html */
    const int64_t *seeds;
    int count, finished;
    const fv_seeds_metric *metrics;      /* best_... (of the monitored figure), loss, and the figures of the last validation */
    int n_metrics;
    const char *table, *json;    /* the same for people, and as one JSON object on one line */
} fv_seeds;
/* Trains as the configuration says: once, or with the key `seeds` that often, each seed as a run of its own in a sub-folder,
 * which resumes like any run; finished ones are not run again. *out (may be NULL): the summary, NULL without `seeds`.
 * *current (may be NULL): the trainer at work, for fv_trainer_interrupt from a signal handler; NULL in between. */
FV_API fv_status fv_train(fv_context *ctx, const fv_model *model, const fv_train_options *o, fv_trainer *volatile *current, fv_seeds **out) FV_CHECKED;
FV_API void fv_seeds_destroy(fv_seeds *s);                       /* NULL is allowed */

/* ---- evaluation ---- */

typedef struct fv_evaluate_options {
    const char *model;           /* run folder (its best; "RUN@latest"), or a .safetensors file written by fovea */
    const char *const *settings; /* "data=DIR", "batch_size=100", "threads=2" */
    int n_settings;
    bool train_split;            /* the training data instead of the validation data */
    const char *split;           /* train, val or test; NULL: test, where there is one, else val, or all of data without sets */
    const fv_task_def *task;     /* your own, where it trained the weights; borrowed, as what follows */
    const fv_model *own_model;   /* of weights of a model of your own */
    const fv_source *own_data;   /* instead of the configured data */
} fv_evaluate_options;

typedef struct fv_evaluation {
    const char *model, *data;    /* which file; which data */
    const char *split;           /* which of them: train, val, test, or all */
    const fv_task_def *task;
    int64_t samples, of;         /* evaluated so many of so many: the others could not be read */
    const fv_metric *metrics;    /* all of them by name; a name NULL behind the last */
    int n_metrics;
    const void *details;         /* the task's own: classify: an fv_classification (fovea/classify.h) */
    const char *text;            /* the same for people: lines */
    const char *json;            /* and for programs: members of an object, each with ", " before it */
    int64_t step;                /* the update that the weights are from */
    bool ema;
    double seconds;
} fv_evaluation;
FV_API double fv_evaluation_metric(const fv_evaluation *e, const char *name);        /* NaN: there is none */
FV_API fv_status fv_evaluate(fv_context *ctx, const fv_evaluate_options *o, fv_evaluation **out) FV_CHECKED;
FV_API void fv_evaluation_destroy(fv_evaluation *e);             /* NULL is allowed */

/* The model that weights were stored of, with initial values: RUN, RUN@latest or a .safetensors file that fovea wrote. `classes`: 0, or
 * another number than theirs. */
FV_API fv_status fv_model_of_weights(fv_context *ctx, const char *weights, int64_t classes, fv_model **out) FV_CHECKED;

/* ---- data ---- */

/* fv_data_check of the data that configuration settings name ("data=DIR", "data.split.val=0.1"). */
FV_API fv_status fv_data_check_settings(fv_context *ctx, int n_settings, const char *const *settings, fv_data_report **out) FV_CHECKED;

/* Loads training batches as a training with these settings would, without a model, one pass after the other until `fn`
 * returns false; it is called after each batch. */
typedef struct fv_loaded { int64_t pictures, batches, bad_files; double epoch; } fv_loaded;      /* pictures: of this batch; batches: so far */
typedef bool fv_loaded_fn(void *user, const fv_loaded *l);
FV_API fv_status fv_data_load_settings(fv_context *ctx, int n_settings, const char *const *settings, fv_loaded_fn *fn, void *user) FV_CHECKED;

/* What augmentation makes of training pictures, as a PNG: a row for each of `pictures` of them, first as evaluation sees it, then as
 * the first `draws` epochs of a training with this configuration draw it. */
typedef struct fv_augment_options {
    const char *config;          /* JSON file or run folder; NULL: only the settings */
    const char *const *settings;
    int n_settings;
    int pictures, draws;
    const char *path;
} fv_augment_options;
typedef struct fv_augmented { int pictures, draws, width, height; } fv_augmented;        /* rows, columns but one, pixels */
FV_API fv_status fv_augment_sheet(fv_context *ctx, const fv_augment_options *o, fv_augmented *out) FV_CHECKED;      /* out: may be NULL */

/* ---- the machine ---- */

typedef struct fv_machine { const char *cpu, *isa, *libraries, *compiler; int cores; } fv_machine;
FV_API void fv_machine_describe(fv_machine *out);                /* texts are borrowed from the library */
FV_API int64_t fv_machine_memory_peak(void);                     /* peak resident bytes of this process */
/* Pins the compute threads to cores. For programs; the library never does it by itself. */
FV_API void fv_machine_pin(int threads);
FV_API double fv_seconds(void);                                  /* monotonic clock; its zero means nothing */

#ifdef __cplusplus
}
#endif
#endif
