/* SPDX-License-Identifier: Apache-2.0 */
/* Tiny training runs: data that are computed, a small net, a watcher of what a trainer says, and files to compare. */
#ifndef FOVEA_TEST_RUNS_H
#define FOVEA_TEST_RUNS_H

#include "fovea/train.h"

enum { RUNS_SIDE = 6, RUNS_CLASSES = 3, RUNS_MAX = 512 };

/* `count` samples; samples of different `base` are different pictures. reads: how often each was asked for, without threads. */
typedef struct runs_data { int64_t base; int64_t reads[RUNS_MAX], all_reads; } runs_data;
fv_source runs_source(runs_data *d, int64_t count);

fv_value *runs_tiny(fv_graph *g, fv_value *x, void *user);      /* convolutions, batch norms, a head */
fv_value *runs_plain(fv_graph *g, fv_value *x, void *user);     /* conv, head: nothing depends on the batch */

/* log: notes and warnings, a line each. */
typedef struct runs_outcome { fv_status status; fv_train_progress p; char message[1024], log[4096]; } runs_outcome;

/* What a trainer said; stop_at: the update after which it is asked to stop, 0: none. */
typedef struct runs_trace {
    int64_t stop_at;
    int steps, validations, saves, starts, ends;
    int64_t step[RUNS_MAX], validated[RUNS_MAX], saved[RUNS_MAX];
    double rate[RUNS_MAX], loss[RUNS_MAX], val_acc[RUNS_MAX], val_loss[RUNS_MAX];
    bool improved[RUNS_MAX];
    int64_t best_step;
    fv_trainer *trainer;                 /* while it runs; the callback of the user's own is told with it */
    void (*also)(struct runs_trace *t, fv_train_event event, const fv_train_progress *p);
    void *user;
} runs_trace;
/* Trains with the net (NULL: runs_tiny), watched by `t` (may be NULL). */
runs_outcome runs_train(const fv_train_options *o, fv_model_fn *net, runs_trace *t);

void runs_clean(const char *folder);                             /* with its .old-* and -* neighbours */
char *runs_read(const char *run, const char *name);              /* text of a file; "" when absent. Owned by the caller */
/* Same bytes; of safetensors: same data, position and tensors. */
bool runs_same(const char *a, const char *b, const char *name);
/* Weights, state, best, metrics.csv and evaluation.json. */
bool runs_all_same(const char *a, const char *b);

#endif
