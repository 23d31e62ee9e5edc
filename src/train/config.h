/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration: file, then variants from left to right, then key=value. Every key is a row of one attribute table
 * (config_keys.c), nested keys with their dotted name. Each value knows where it came from. */
#ifndef FVI_CONFIG_H
#define FVI_CONFIG_H

#include "base/attr.h"
#include "base/json.h"
#include "data/formats.h"
#include "fovea/train.h"
#include "fovea/task.h"
#include "optim/schedule.h"

typedef enum fvi_device { FVI_DEVICE_AUTO, FVI_DEVICE_CPU, FVI_DEVICE_CUDA } fvi_device;
typedef enum fvi_mode { FVI_MODE_AUTO, FVI_MODE_MAX, FVI_MODE_MIN } fvi_mode;

#define FVI_SEEDS_MAX 1000

typedef struct fvi_values {
    int64_t device, amp_dtype, data_format, optimizer, scheduler, mode;      /* enums */
    char *task, *monitor, *model, *data_root, *freeze, *validate_every, *save_every, *kernel_table, *run, *run_root, *checkpoint_dir, *tensorboard_dir;
    bool enable_amp, recompute, nesterov, drop_last;
    int64_t resize, interpolation, alpha, on_bad_file, split_by, data_labels;      /* enums */
    char *data_sets[3], *data_images, *classes;
    bool exif_orientation, jpeg_scale, keep_duplicates, allow_empty, allow_outside;
    int64_t folds, fold, split_seed;
    double split_val, split_test, cache_mb, crop_pct, random_crop, rrc, rrc_scale[2], rrc_ratio[2], vertical_flip, jitter, jitter_strength[4];
    int64_t image_size[2];               /* height, width */
    int64_t threads, workers, seed, batch_size, accumulation, max_steps, epochs, patience, paint_images;
    int64_t pad_crop, warmup_iters, lr_decay_iters, restart_iters, restart_mult, plateau_patience, plateau_absolute, plateau_cooldown, seeds;
    double mean[3], std[3], horizontal_flip, learning_rate, betas[2], momentum, eps, weight_decay, max_grad_norm;
    double warmup_epochs, max_learning_rate, min_lr, final_lr_ratio, gamma, restart_epochs, plateau_factor, plateau_threshold, ema_decay, min_delta;
    fvi_dims milestones;
} fvi_values;

/* The rows that every task has. */
const fv_key *fvi_config_core(void);
#define FVI_CONFIG_KEYS_MAX 192
/* The key that a group's plain value sets (data.root for "data"), and the other way round; NULL: none. */
const char *fvi_config_short(const char *group);
const char *fvi_config_short_for(const char *key);
/* Keys of other releases of Fovea: NULL, or why this one does not take it. */
const char *fvi_config_not_yet(const char *key);
bool fvi_config_ignored(const char *key);            /* accepted with a note, means nothing here */

typedef struct fvi_model_arg { char *name, *json, *origin; int layer, line; } fvi_model_arg;

/* A key of this configuration, and the struct that its offset counts in. */
typedef struct fvi_row { const fv_key *key; void *base; } fvi_row;

struct fv_config {
    fv_context *ctx;
    fvi_values v;
    const fv_task_def *task;             /* what `task` names, or the caller's own */
    void *settings;                      /* of its keys */
    fvi_row rows[FVI_CONFIG_KEYS_MAX];   /* those of every task, then its own */
    int n_rows;
    char *origin[FVI_CONFIG_KEYS_MAX];   /* by row of the table; NULL: default */
    /* Where the current layer has given a key, to refuse it twice: layer, line, the name used (in the arena). */
    int layer[FVI_CONFIG_KEYS_MAX], line[FVI_CONFIG_KEYS_MAX], current_layer;
    const char *spelled[FVI_CONFIG_KEYS_MAX];
    struct { fvi_model_arg *items; int count, capacity; } model_args;
    char *path;                          /* the file, absolute; NULL: none */
    char *stem;                          /* "cifar10_resnet18" */
    char *variants;                      /* "nano.teacher"; "" */
    char *command;                       /* the settings as given, one line */
    fvi_arena arena;
};

/* Reads one JSON tree as a layer. `folder`: of relative paths. `label`: the file's name; `suffix`: " (variant x)" or "". */
FV_CHECKED fv_status fvi_config_apply_json(fv_config *c, const fvi_json *root, const char *label, const char *suffix, const char *folder);
/* One value as text from the command line. */
FV_CHECKED fv_status fvi_config_apply_text(fv_config *c, const char *key, const char *text);
/* Checks between keys, after all layers; settles what follows from the data that are there (format, image_size). */
FV_CHECKED fv_status fvi_config_check(fv_config *c);
/* Its data format; NULL: auto. */
const fvi_data_format *fvi_config_format(const fv_config *c);
enum { FVI_AUTO_RESIZE, FVI_FIRST_RESIZE };              /* resize: or FVI_FIRST_RESIZE + a fvi_resize_mode */
FV_CHECKED fv_status fvi_config_check_data(fv_config *c);
/* Row of a key by name or alias; -1: none. */
int fvi_config_row(const fv_config *c, const char *name);
/* Names of the keys, NULL at the end; room for FVI_CONFIG_KEYS_MAX + 1. */
void fvi_config_names(const fv_config *c, const char **out);
/* Gives the configuration the task that it names, with the rows of its keys. `given`: the caller's own, or NULL. */
FV_CHECKED fv_status fvi_config_choose_task(fv_config *c, const fv_task_def *given, const char *name);
/* fv_config_create without looking at the model: callers with a model of their own. `task`: their own, or NULL. */
FV_CHECKED fv_status fvi_config_create(fv_context *ctx, const fv_task_def *task, const char *path, int n_settings, const char *const *settings, fv_config **out);
/* The same from JSON text, named in errors. */
FV_CHECKED fv_status fvi_config_from_text(fv_context *ctx, const fv_task_def *task, const char *name, const char *text, int n_settings, const char *const *settings,
                                          fv_config **out);
FV_CHECKED fv_status fvi_config_check_model(const fv_config *c);
bool fvi_config_given(const fv_config *c, const char *key);       /* not the default */
bool fvi_config_by_hand(const fv_config *c, const char *key);     /* on the command line */
FV_CHECKED fv_status fvi_config_forget(fv_config *c, const char *key);    /* back to the default, unless the command line gives it */
/* JSON objects, owned by the caller; NULL when memory is exhausted. */
char *fvi_config_model_args(const fv_config *c);                  /* {"stem": "cifar"} */
/* Names of the keys that differ and matter to a run, "batch_size (32, now 64), seed (...)"; "" when none. */
char *fvi_config_difference(const fv_config *a, const fv_config *b);
/* The same as a JSON object, {"batch_size":{"from":32,"to":64}}. */
char *fvi_config_difference_json(const fv_config *a, const fv_config *b);
/* Does this key, or any key of this group ("data"), differ? */
bool fvi_config_differs(const fv_config *a, const fv_config *b, const char *key);

#endif
