/* SPDX-License-Identifier: Apache-2.0 */
/* The table of configuration keys. */
#include "metrics/metrics.h"
#include "train/config.h"

static const char *const tasks[] = {"classify", NULL};
static const char *const devices[] = {"auto", "cpu", "cuda", NULL};
static const char *const amp_dtypes[] = {"auto", "bf16", "fp16", NULL};
const char *const fvi_data_formats[] = {"auto", "folder", "csv", "cifar10", "cifar100", "mnist", NULL};
static const char *const bad_policies[] = {"fail", "skip", NULL};
static const char *const split_ways[] = {"stratified", "random", NULL};
static const char *const cifar_labels[] = {"fine", "coarse", NULL};
static const char *const alphas[] = {"drop", "white", "black", "grey", NULL};                       /* of fvi_alpha */
static const char *const resizes[] = {"auto", "none", "crop", "squash", "pad", NULL};               /* of fvi_resize_mode, one later */
static const char *const interpolations[] = {"bilinear", "bicubic", "lanczos", "nearest", "box", NULL};      /* of fvi_filter */
static const char *const optimizers[] = {"sgd", "adam", "adamw", NULL};
static const char *const schedulers[] = {"constant", "cosine", "warmup_cosine", "multi_step", "one_cycle", "warm_restarts", "plateau", /* fvi_schedule_kind */
                                         "multistep", "onecycle", "cosine_restarts", "sgdr", "reduce_on_plateau", NULL};
static const fvi_schedule_kind schedule_kinds[] = {FVI_CONSTANT, FVI_COSINE, FVI_WARMUP_COSINE, FVI_MULTI_STEP, FVI_ONE_CYCLE, FVI_WARM_RESTARTS, FVI_PLATEAU,
                                                   FVI_MULTI_STEP, FVI_ONE_CYCLE, FVI_WARM_RESTARTS, FVI_WARM_RESTARTS, FVI_PLATEAU};
_Static_assert(FVI_COUNT(schedulers) == FVI_COUNT(schedule_kinds) + 1, "a name is missing");
static const char *const thresholds[] = {"rel", "abs", NULL};
static const char *const modes[] = {"auto", "max", "min", NULL};
static const char *const losses[] = {"cross_entropy", NULL};

#define AT(field) .offset = offsetof(fvi_values, field)
#define TEXT(key, field, ...) {.name = key, .kind = FVI_ATTR_STRING, AT(field), __VA_ARGS__}
#define INT(key, field, ...) {.name = key, .kind = FVI_ATTR_INT, AT(field), __VA_ARGS__}
#define FLOAT(key, field, ...) {.name = key, .kind = FVI_ATTR_FLOAT, AT(field), __VA_ARGS__}
#define ENUM(key, field, list, ...) {.name = key, .kind = FVI_ATTR_ENUM, AT(field), .names = list, __VA_ARGS__}
#define BOOL(key, field, ...) {.name = key, .kind = FVI_ATTR_BOOL, AT(field), __VA_ARGS__}

/* Keys of one group stand together: the resolved configuration is written in this order. Keys, kinds, choices, ranges, defaults, aliases and
 * meanings are read off this table everywhere: errors, `fovea help train`, the manual page, shell completion, docs/configuration.md. */
const fvi_attr_def fvi_config_table[] = {
    ENUM("task", task, tasks, .help = "what is learned"),
    TEXT("model", model, .help = "name of a model; `fovea help summary` lists them", .fallback_text = "resnet18", .aliases = "arch"),
    TEXT("data.root", data_root, .help = "folder of the data, or a CSV list"),
    ENUM("data.format", data_format, fvi_data_formats, .help = "auto: by what is in the folder"),
    TEXT("data.train", data_sets[0], .help = "folder or CSV of the training set; null: train, where there"),
    TEXT("data.val", data_sets[1], .help = "the same of the validation set; null: val, valid or validation, else split off"),
    TEXT("data.test", data_sets[2], .help = "the same of the test set; null: test, where there"),
    TEXT("data.images", data_images, .help = "folder that the paths of a CSV start from (in a file: as seen from the CSV's); null: the CSV's own"),
    FLOAT("data.split.val", split_val, .fallback = 0.2, .min = 0, .max = 0.99, .help = "share to validate with, where no such set is given"),
    FLOAT("data.split.test", split_test, .min = 0, .max = 0.99, .help = "share held out for the test"),
    ENUM("data.split.by", split_by, split_ways, .help = "stratified: the share of every class"),
    INT("data.split.seed", split_seed, .min = 0, .max = 9007199254740991, .help = "another seed is another split; the run keeps its own in split.csv"),
    INT("data.split.folds", folds, .min = 0, .max = 1000, .help = "cross-validation in so many parts; 0: off"),
    INT("data.split.fold", fold, .min = 0, .max = 999, .help = "which part validates, from 0"),
    BOOL("data.split.keep_duplicates_together", keep_duplicates, .fallback = 1, .help = "identical files are never divided among the sets"),
    ENUM("data.on_bad_file", on_bad_file, bad_policies, .help = "pictures that cannot be read: fail names it and stops; skip counts and lists it"),
    ENUM("data.labels", data_labels, cifar_labels, .help = "CIFAR-100: its 100 classes or its 20 coarse ones"),
    ENUM("data.alpha", alpha, alphas, .help = "transparent pixels: their stored colour, or laid over white, black, grey"),
    BOOL("data.exif_orientation", exif_orientation, .fallback = 1, .help = "turn pictures as their EXIF tag says"),
    BOOL("data.jpeg_scale", jpeg_scale, .help = "decode JPEG no larger than needed, by smaller DCTs: faster, slightly other pixels"),
    FLOAT("data.cache_mb", cache_mb, .min = 0, .max = 1e9, .help = "decoded pictures kept in memory, at most so many MB"),
    BOOL("data.allow_empty", allow_empty, .help = "classes without pictures are no error"),
    BOOL("data.allow_outside", allow_outside, .help = "paths of a CSV may be absolute or lead out of its folder"),
    INT("data.workers", workers, .fallback = -1, .min = -1, .max = 256, .aliases = "workers num_workers",
        .help = "loader threads; -1: one, 0: load in line. The result does not depend on it"),
    BOOL("data.drop_last", drop_last, .help = "leave out the last batch of an epoch when it is short"),
    INT("image_size", image_size, .fallback = 32, .min = 1, .max = 65500, .aliases = "imgsz img_size",
        .help = "side of the square input; not given: 224 for pictures, 28 for MNIST"),
    FLOAT("normalize.mean", mean, .count = 3, .fallback = 0.5, .min = -1e6, .max = 1e6, .help = "subtracted from pixels in 0..1, R, G, B"),
    FLOAT("normalize.std", std, .count = 3, .fallback = 0.5, .min = 1e-9, .max = 1e6, .help = "divides what is left, R, G, B"),
    ENUM("augment.resize", resize, resizes, .help = "crop: shorter side to image_size / crop_pct, then the middle; squash, pad; auto: crop for files, none for records"),
    ENUM("augment.interpolation", interpolation, interpolations, .help = "filter of the resize, antialiased as Pillow's"),
    FLOAT("augment.crop_pct", crop_pct, .fallback = 0.875, .min = 0.01, .max = 1, .help = "share of the shorter side that resize=crop keeps"),
    FLOAT("augment.random_crop", random_crop, .min = 0, .max = 1, .help = "training: probability of a random place instead of the middle"),
    FLOAT("augment.random_resized_crop.p", rrc, .min = 0, .max = 1, .help = "training: probability of a random part, resized, instead of resize"),
    FLOAT("augment.random_resized_crop.scale", rrc_scale, .count = 2, .min = 1e-4, .max = 1, .fallback = 0.08, .fallback_text = "0.08,1", .help = "its share of the area, from and to"),
    FLOAT("augment.random_resized_crop.ratio", rrc_ratio, .count = 2, .min = 0.01, .max = 100, .fallback = 0.75, .fallback_text = "0.75,1.3333333333333333",
          .help = "its width over height, from and to"),
    INT("augment.pad_crop", pad_crop, .min = 0, .max = 1024, .help = "pad by so many black pixels, crop back at random"),
    FLOAT("augment.horizontal_flip", horizontal_flip, .min = 0, .max = 1, .help = "probability of a mirrored picture"),
    FLOAT("augment.vertical_flip", vertical_flip, .min = 0, .max = 1, .help = "probability of a picture upside down"),
    FLOAT("augment.color_jitter.p", jitter, .min = 0, .max = 1, .help = "probability of other colours: brightness, contrast, saturation, hue in random order"),
    FLOAT("augment.color_jitter.brightness", jitter_strength[0], .fallback = 0.4, .min = 0, .max = 10, .help = "factor from 1 - x to 1 + x"),
    FLOAT("augment.color_jitter.contrast", jitter_strength[1], .fallback = 0.4, .min = 0, .max = 10, .help = "the same"),
    FLOAT("augment.color_jitter.saturation", jitter_strength[2], .fallback = 0.4, .min = 0, .max = 10, .help = "the same"),
    FLOAT("augment.color_jitter.hue", jitter_strength[3], .fallback = 0.1, .min = 0, .max = 0.5, .help = "turned by -x to x of the circle"),
    ENUM("device", device, devices, .help = "where to compute"),
    INT("threads", threads, .min = 0, .max = 1024, .help = "compute threads; 0: all cores"),
    BOOL("recompute", recompute, .aliases = "grad_checkpointing", .help = "less memory for a little time: cheap values are made again in backward, not kept"),
    BOOL("enable_amp", enable_amp, .aliases = "amp", .help = "mixed precision: convolutions and matrix products in amp_dtype"),
    ENUM("amp_dtype", amp_dtype, amp_dtypes, .help = "auto: bf16 on CPUs"),
    INT("seed", seed, .min = 0, .max = 9007199254740991, .help = "of weights, order and augmentation"),
    INT("seeds", seeds, .min = 0, .max = FVI_SEEDS_MAX, .help = "repeat the run with so many seeds, from seed on: mean, deviation and interval of each figure; 0: one run"),
    INT("batch_size", batch_size, .fallback = 32, .min = 1, .max = 1 << 20, .aliases = "batch", .help = "pictures in a (micro-)batch"),
    INT("gradient_accumulation_steps", accumulation, .fallback = 1, .min = 1, .max = 1 << 20, .aliases = "accumulate grad_accum",
        .help = "micro-batches of one update"),
    INT("max_steps", max_steps, .min = 0, .max = 1e15, .aliases = "max_iters steps", .help = "updates; 0: by epochs. With both: whichever comes first"),
    INT("epochs", epochs, .min = 0, .max = 1e9, .aliases = "max_epochs", .help = "passes over the data; 0: by max_steps (30 when neither is given)"),
    ENUM("optimizer", optimizer, optimizers, .fallback = 2, .aliases = "opt", .help = "sgd, adam, adamw"),
    FLOAT("learning_rate", learning_rate, .fallback = 1e-3, .min = 0, .max = 1e6, .aliases = "lr lr0", .help = "peak of the schedule"),
    FLOAT("betas", betas, .count = 2, .fallback = 0.9, .min = 0, .max = 0.9999999, .fallback_text = "0.9,0.999", .help = "adam, adamw: decay of the means of gradient and squared gradient"),
    FLOAT("momentum", momentum, .fallback = 0.9, .min = 0, .max = 0.9999999, .help = "sgd: share of the last step that is kept"),
    BOOL("nesterov", nesterov, .help = "sgd: Nesterov's form of momentum"),
    FLOAT("eps", eps, .fallback = 1e-8, .min = 1e-300, .max = 1, .help = "adam, adamw: added to the root of the mean square"),
    FLOAT("weight_decay", weight_decay, .fallback = 0.01, .min = 0, .max = 1e6, .aliases = "wd", .help = "of weights only: biases and norms are exempt by role"),
    FLOAT("max_grad_norm", max_grad_norm, .min = 0, .max = 1e30, .aliases = "grad_clip clip_grad", .help = "clip the gradient's norm; 0: off"),
    ENUM("scheduler", scheduler, schedulers, .aliases = "lr_scheduler", .help = "a function of the number of updates"),
    INT("warmup_iters", warmup_iters, .min = 0, .max = 1e15, .aliases = "warmup_steps", .help = "updates of linear warm-up"),
    FLOAT("warmup_epochs", warmup_epochs, .min = 0, .max = 1e9, .help = "the same in epochs"),
    FLOAT("max_learning_rate", max_learning_rate, .min = 0, .max = 1e6, .aliases = "max_lr", .help = "peak of the schedule; goes before learning_rate"),
    FLOAT("min_lr", min_lr, .min = 0, .max = 1e6, .aliases = "min_learning_rate eta_min", .help = "where cosine ends"),
    FLOAT("final_lr_ratio", final_lr_ratio, .min = 0, .max = 1, .aliases = "lrf", .help = "the same as a share of the peak"),
    INT("lr_decay_iters", lr_decay_iters, .min = 0, .max = 1e15, .help = "update at which cosine reaches min_lr; 0: the last"),
    {.name = "milestones", .kind = FVI_ATTR_DIMS, AT(milestones), .min = 0, .max = 1e15, .help = "updates at which multi_step multiplies by gamma"},
    FLOAT("gamma", gamma, .fallback = 0.1, .min = 0, .max = 1e6, .help = "multi_step: factor at each milestone"),
    INT("restart_iters", restart_iters, .min = 0, .max = 1e15, .aliases = "T_0 t_0", .help = "warm_restarts: updates of the first cycle"),
    FLOAT("restart_epochs", restart_epochs, .min = 0, .max = 1e9, .help = "the same in epochs"),
    INT("restart_mult", restart_mult, .fallback = 1, .min = 1, .max = 1e6, .aliases = "T_mult t_mult", .help = "warm_restarts: each cycle is so many times longer than the last"),
    INT("plateau.patience", plateau_patience, .fallback = 10, .min = 0, .max = 1e9, .help = "plateau: validations without improvement that are borne; after one more the rate falls"),
    FLOAT("plateau.factor", plateau_factor, .fallback = 0.1, .min = 1e-9, .max = 0.999999999, .help = "plateau: the rate is multiplied by it, down to min_lr"),
    FLOAT("plateau.threshold", plateau_threshold, .fallback = 1e-4, .min = 0, .max = 1e9, .help = "plateau: what counts as an improvement of the monitored figure"),
    ENUM("plateau.threshold_mode", plateau_absolute, thresholds, .help = "rel: a share of the best figure; abs: as it is"),
    INT("plateau.cooldown", plateau_cooldown, .min = 0, .max = 1e9, .help = "plateau: validations after a reduction that do not count"),
    ENUM("loss.name", loss_name, losses, .help = "the loss"),
    FLOAT("loss.label_smoothing", label_smoothing, .min = 0, .max = 1, .aliases = "label_smoothing smoothing", .help = "share given to all classes alike"),
    TEXT("loss.class_weights", class_weights, .help = "a number for each class"),
    FLOAT("ema_decay", ema_decay, .min = 0, .max = 0.99999999, .help = "moving average of the weights; 0: off. best and eval use it"),
    TEXT("freeze", freeze, .help = "path prefixes of what is not trained, or all_but_head; batch norm included"),
    TEXT("validate_every", validate_every, .fallback_text = "1 epoch", .help = "updates, or \"1 epoch\""),
    TEXT("save_every", save_every, .fallback_text = "1 epoch", .help = "updates, or \"1 epoch\""),
    ENUM("monitor", monitor, fvi_metric_names, .help = "which validation figure decides what is best"),
    ENUM("mode", mode, modes, .help = "is larger or smaller better; auto knows the built-in figures"),
    INT("early_stop.patience", patience, .min = 0, .max = 1e9, .aliases = "patience", .help = "stop at so many validations in a row without improvement; 0: off"),
    FLOAT("early_stop.min_delta", min_delta, .min = 0, .max = 1e9, .help = "early stop: an improvement by no more than this is none (best is saved all the same)"),
    INT("paint_images", paint_images, .fallback = 16, .min = 0, .max = 256, .help = "worst mistakes shown as pictures in report and events"),
    TEXT("kernel_table", kernel_table, .help = "file written by fovea tune; a copy is kept with the run and obeyed when it goes on"),
    TEXT("run", run, .help = "folder of the run, instead of run_root/<config>.<variants>"),
    TEXT("run_root", run_root, .help = "folder of runs; FOVEA_RUN_ROOT, else runs"),
    TEXT("checkpoint_dir", checkpoint_dir, .help = "instead of checkpoints in the run folder"),
    TEXT("tensorboard_dir", tensorboard_dir, .help = "folder of TensorBoard event files, instead of the run folder"),
    FVI_ATTR_END};

_Static_assert(FVI_COUNT(fvi_config_table) <= FVI_CONFIG_KEYS_MAX, "FVI_CONFIG_KEYS_MAX");

int fvi_config_key_count(void)
{
    return FVI_COUNT(fvi_config_table) - 1;
}

unsigned fvi_config_key_flags(const fvi_attr_def *d)
{
    static const struct { const char *name; unsigned flags; } rows[] = {
        {"data.root", FVI_KEY_PATH},
        {"data.images", FVI_KEY_HERE},
        {"data.workers", FVI_KEY_LOCAL},
        {"data.cache_mb", FVI_KEY_LOCAL},
        {"device", FVI_KEY_LOCAL},
        {"threads", FVI_KEY_LOCAL},
        {"kernel_table", FVI_KEY_PATH | FVI_KEY_LOCAL},
        {"run", FVI_KEY_PATH | FVI_KEY_LOCAL},
        {"run_root", FVI_KEY_PATH | FVI_KEY_LOCAL},
        {"checkpoint_dir", FVI_KEY_PATH | FVI_KEY_LOCAL},
        {"paint_images", FVI_KEY_LOCAL},
        {"tensorboard_dir", FVI_KEY_PATH | FVI_KEY_LOCAL},
        {"freeze", FVI_KEY_LIST},
        {"loss.class_weights", FVI_KEY_LIST},
    };
    for (int i = 0; i < FVI_COUNT(rows); i++)
        if (!strcmp(rows[i].name, d->name)) return rows[i].flags;
    return 0;
}

const char *fvi_config_heading(const fvi_attr_def *d)
{
    /* From this key on, in the order of the table. */
    static const struct { const char *first, *heading; } rows[] = {
        {"task", "Model"},
        {"data.root", "Data"},
        {"image_size", "From picture to numbers"},
        {"device", "The machine"},
        {"seed", "Length and batches"},
        {"optimizer", "Optimizer"},
        {"scheduler", "Learning rate over time"},
        {"loss.name", "Loss, averages, freezing"},
        {"validate_every", "Validation, saving, stopping"},
        {"kernel_table", "Places"},
    };
    const char *heading = rows[0].heading;
    for (const fvi_attr_def *at = fvi_config_table; at <= d; at++)
        for (int i = 0; i < FVI_COUNT(rows); i++)
            if (!strcmp(rows[i].first, at->name)) heading = rows[i].heading;
    return heading;
}

const char *fvi_config_example(const fvi_attr_def *d)
{
    /* Where the default says little: it is off, empty or automatic. */
    static const struct { const char *name, *value; } rows[] = {
        {"task", "classify"},
        {"data.root", "pictures"},
        {"data.train", "lists/train.csv"},
        {"data.val", "lists/val.csv"},
        {"data.test", "lists/test.csv"},
        {"data.images", "pictures"},
        {"data.split.test", "0.1"},
        {"data.split.seed", "1"},
        {"data.split.folds", "5"},
        {"data.split.fold", "0"},
        {"data.cache_mb", "2000"},
        {"data.workers", "2"},
        {"image_size", "224"},
        {"normalize.mean", "0.485,0.456,0.406"},
        {"normalize.std", "0.229,0.224,0.225"},
        {"augment.random_crop", "0.5"},
        {"augment.random_resized_crop.p", "1"},
        {"augment.pad_crop", "4"},
        {"augment.horizontal_flip", "0.5"},
        {"augment.vertical_flip", "0.5"},
        {"augment.color_jitter.p", "0.8"},
        {"threads", "2"},
        {"seed", "1"},
        {"seeds", "5"},
        {"gradient_accumulation_steps", "4"},
        {"max_steps", "5000"},
        {"epochs", "30"},
        {"max_grad_norm", "1"},
        {"warmup_iters", "500"},
        {"warmup_epochs", "1"},
        {"max_learning_rate", "0.001"},
        {"min_lr", "1e-6"},
        {"final_lr_ratio", "0.01"},
        {"lr_decay_iters", "5000"},
        {"milestones", "3000,4500"},
        {"restart_iters", "1000"},
        {"restart_epochs", "10"},
        {"restart_mult", "2"},
        {"plateau.patience", "3"},
        {"plateau.factor", "0.5"},
        {"plateau.cooldown", "2"},
        {"loss.label_smoothing", "0.1"},
        {"loss.class_weights", "1,2.5"},
        {"ema_decay", "0.999"},
        {"freeze", "all_but_head"},
        {"validate_every", "100"},
        {"save_every", "100"},
        {"early_stop.patience", "5"},
        {"early_stop.min_delta", "0.001"},
        {"kernel_table", "table.json"},
        {"run", "runs/mine"},
        {"run_root", "/data/runs"},
        {"checkpoint_dir", "/data/checkpoints"},
        {"tensorboard_dir", "/data/boards"},
    };
    for (int i = 0; i < FVI_COUNT(rows); i++)
        if (!strcmp(rows[i].name, d->name)) return rows[i].value;
    return NULL;
}

const char *fvi_config_not_yet(const char *key)
{
    static const char *const names[] = {"pretrained", "pretrained_backbone", "freeze_backbone_epochs", "classes", "sampler",
                                        "nominal_batch_size", "layer_decay", "evaluation", "distill", "split", "nc", NULL};
    for (int i = 0; names[i]; i++)
        if (!strcmp(names[i], key)) return "this version of fovea does not have it yet";
    return NULL;
}

fvi_schedule_kind fvi_scheduler_of(int64_t index)
{
    return index >= 0 && index < FVI_COUNT(schedule_kinds) ? schedule_kinds[index] : FVI_CONSTANT;
}

bool fvi_config_ignored(const char *key)
{
    return !strcmp(key, "enable_cudnn_benchmark") || !strcmp(key, "enable_compile");
}
