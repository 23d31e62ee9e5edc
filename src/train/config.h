/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration: file, then variants from left to right, then key=value. Every key is a row of one attribute table
 * (config_keys.c), nested keys with their dotted name. Each value knows where it came from. */
#ifndef FVI_CONFIG_H
#define FVI_CONFIG_H

#include "base/attr.h"
#include "base/json.h"
#include "fovea/train.h"
#include "optim/schedule.h"

typedef enum fvi_task { FVI_CLASSIFY } fvi_task;
typedef enum fvi_device { FVI_DEVICE_AUTO, FVI_DEVICE_CPU, FVI_DEVICE_CUDA } fvi_device;
typedef enum fvi_mode { FVI_MODE_AUTO, FVI_MODE_MAX, FVI_MODE_MIN } fvi_mode;

#define FVI_SEEDS_MAX 1000

typedef struct fvi_values {
    int64_t task, device, amp_dtype, data_format, optimizer, scheduler, monitor, mode, loss_name;   /* enums */
    char *model, *data_root, *class_weights, *freeze, *validate_every, *save_every, *kernel_table, *run, *run_root, *checkpoint_dir, *tensorboard_dir;
    bool enable_amp, recompute, nesterov, drop_last;
    int64_t resize, interpolation, alpha, on_bad_file, split_by, data_labels;      /* enums */
    char *data_sets[3], *data_images;
    bool exif_orientation, jpeg_scale, keep_duplicates, allow_empty, allow_outside;
    int64_t folds, fold, split_seed;
    double split_val, split_test, cache_mb, crop_pct, random_crop, rrc, rrc_scale[2], rrc_ratio[2], vertical_flip, jitter, jitter_strength[4];
    int64_t image_size, threads, workers, seed, batch_size, accumulation, max_steps, epochs, patience, paint_images;
    int64_t pad_crop, warmup_iters, lr_decay_iters, restart_iters, restart_mult, plateau_patience, plateau_absolute, plateau_cooldown, seeds;
    double mean[3], std[3], horizontal_flip, learning_rate, betas[2], momentum, eps, weight_decay, max_grad_norm;
    double warmup_epochs, max_learning_rate, min_lr, final_lr_ratio, gamma, restart_epochs, plateau_factor, plateau_threshold, label_smoothing, ema_decay, min_delta;
    fvi_dims milestones;
} fvi_values;

extern const fvi_attr_def fvi_config_table[];
#define FVI_CONFIG_KEYS_MAX 192
int fvi_config_key_count(void);
/* What a key is beyond its type. */
enum { FVI_KEY_PATH = 1,                 /* a relative path is taken from the place where it is written */
       FVI_KEY_LOCAL = 2,                /* of the machine or the place, not of the run: may differ on resume */
       FVI_KEY_LIST = 4,                 /* text key that takes a JSON array: joined by commas */
       FVI_KEY_HERE = 8 };               /* a relative path counts from the data; on the command line from the current folder */
unsigned fvi_config_key_flags(const fvi_attr_def *d);
/* The key that a group's plain value sets (data.root for "data"), and the other way round; NULL: none. */
const char *fvi_config_short(const char *group);
const char *fvi_config_short_for(const char *key);
/* Heading that the key stands under in the reference, and a value to show. */
const char *fvi_config_heading(const fvi_attr_def *d);
const char *fvi_config_example(const fvi_attr_def *d);        /* NULL: none is written down, the default shows it */
/* Keys of other releases of Fovea: NULL, or why this one does not take it. */
const char *fvi_config_not_yet(const char *key);
fvi_schedule_kind fvi_scheduler_of(int64_t index);   /* which one a name of `scheduler` means */
bool fvi_config_ignored(const char *key);            /* accepted with a note, means nothing here */

typedef struct fvi_model_arg { char *name, *json, *origin; } fvi_model_arg;

struct fv_config {
    fv_context *ctx;
    fvi_values v;
    char *origin[FVI_CONFIG_KEYS_MAX];   /* by row of the table; NULL: default */
    const char *spelled[FVI_CONFIG_KEYS_MAX];   /* name used, to refuse alias and name together; in the arena */
    int layer[FVI_CONFIG_KEYS_MAX], current_layer;
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
enum { FVI_FORMAT_AUTO, FVI_FORMAT_FOLDER, FVI_FORMAT_CSV, FVI_FORMAT_CIFAR10, FVI_FORMAT_CIFAR100, FVI_FORMAT_MNIST };   /* data_format */
enum { FVI_AUTO_RESIZE, FVI_FIRST_RESIZE };              /* resize: or FVI_FIRST_RESIZE + a fvi_resize_mode */
extern const char *const fvi_data_formats[];             /* names of the former, NULL at the end */
FV_CHECKED fv_status fvi_config_check_data(fv_config *c);
/* fv_config_create without looking at the model: callers with a model of their own. */
FV_CHECKED fv_status fvi_config_create(fv_context *ctx, const char *path, int n_settings, const char *const *settings, fv_config **out);
/* The same from JSON text, named in errors. */
FV_CHECKED fv_status fvi_config_from_text(fv_context *ctx, const char *name, const char *text, int n_settings, const char *const *settings,
                                          fv_config **out);
FV_CHECKED fv_status fvi_config_check_model(const fv_config *c);
bool fvi_config_given(const fv_config *c, const char *key);       /* not the default */
/* JSON objects, owned by the caller; NULL when memory is exhausted. */
char *fvi_config_model_args(const fv_config *c);                  /* {"stem": "cifar"} */
/* Names of the keys that differ and matter to a run, "batch_size (32, now 64), seed (...)"; "" when none. */
char *fvi_config_difference(const fv_config *a, const fv_config *b);
/* The same as a JSON object, {"batch_size":{"from":32,"to":64}}. */
char *fvi_config_difference_json(const fv_config *a, const fv_config *b);
/* Does this key, or any key of this group ("data"), differ? */
bool fvi_config_differs(const fv_config *a, const fv_config *b, const char *key);

#endif
