/* SPDX-License-Identifier: Apache-2.0 */
/* Weights that a run stored, and what was stored with them: configuration, class names, preprocessing. */
#ifndef FVI_STORED_H
#define FVI_STORED_H

#include "io/safetensors.h"
#include "train/config.h"

typedef struct fvi_stored {
    char *path;                          /* of the weights */
    char *run;                           /* the folder that was named; NULL: a file was */
    fvi_st_file weights;
    fv_config *config;                   /* the stored one, then the settings */
    bool ema;
    int64_t step;                        /* -1: unknown */
} fvi_stored;

/* RUN: its best, else latest; RUN@latest, RUN@best; or a file. The hash is checked. */
/* `task`: the caller's own, or NULL. */
FV_CHECKED fv_status fvi_stored_open(fv_context *ctx, const fv_task_def *task, const char *text, int n_settings, const char *const *settings, fvi_stored *out);
void fvi_stored_close(fvi_stored *s);    /* a zeroed struct is allowed */
/* Number of class names; 0 when none are stored. *names (may be NULL): the JSON array, borrowed. */
int64_t fvi_stored_classes(const fvi_stored *s, const char **names);

/* The same of any file of a run, as texts in the arena; NULL and 0 when none are stored. */
FV_CHECKED fv_status fvi_stored_class_names(fv_context *ctx, const fvi_st_file *f, fvi_arena *arena, const char *const **names, int64_t *n);

/* The library's model that a configuration names. */
FV_CHECKED fv_status fvi_stored_model(fv_context *ctx, const fv_config *c, int64_t classes, fv_model **out);
/* Is it a path, not a model's name? It has a slash, a dot or an @, or it is there. */
bool fvi_names_weights(const char *text);
/* The configuration of a model by name, with a warning that its weights are initial ones. */
FV_CHECKED fv_status fvi_config_of_name(fv_context *ctx, const char *name, int n_settings, const char *const *settings, fv_config **out);

#endif
