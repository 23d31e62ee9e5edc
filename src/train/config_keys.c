/* SPDX-License-Identifier: Apache-2.0 */
/* The table of configuration keys; a task has rows of its own. */
#include "data/formats.h"
#include "optim/schedule.h"
#include "train/config.h"

#include <pthread.h>

/* Choices that are found by the build: filled before the table is first used. */
enum { CHOICES = 64 };
static const char *formats[CHOICES], *optimizers[CHOICES], *schedulers[CHOICES];
static const char *const devices[] = {"auto", "cpu", "cuda", NULL};
static const char *const amp_dtypes[] = {"auto", "bf16", "fp16", NULL};
static const char *const bad_policies[] = {"fail", "skip", NULL};
static const char *const split_ways[] = {"stratified", "random", NULL};
static const char *const cifar_labels[] = {"fine", "coarse", NULL};
static const char *const alphas[] = {"drop", "white", "black", "grey", NULL};                       /* of fvi_alpha */
static const char *const resizes[] = {"auto", "none", "crop", "squash", "pad", NULL};               /* of fvi_resize_mode, one later */
static const char *const interpolations[] = {"bilinear", "bicubic", "lanczos", "nearest", "box", NULL};      /* of fvi_filter */
static const char *const thresholds[] = {"rel", "abs", NULL};
static const char *const modes[] = {"auto", "max", "min", NULL};

#define AT(field) .offset = offsetof(fvi_values, field)
#define TEXT(key, field, ...) {.name = key, .kind = FVI_ATTR_STRING, AT(field), __VA_ARGS__}
#define INT(key, field, ...) {.name = key, .kind = FVI_ATTR_INT, AT(field), __VA_ARGS__}
#define FLOAT(key, field, ...) {.name = key, .kind = FVI_ATTR_FLOAT, AT(field), __VA_ARGS__}
#define ENUM(key, field, list, ...) {.name = key, .kind = FVI_ATTR_ENUM, AT(field), .names = list, __VA_ARGS__}
#define BOOL(key, field, ...) {.name = key, .kind = FVI_ATTR_BOOL, AT(field), __VA_ARGS__}

/* Keys of one group stand together: the resolved configuration is written in this order. Keys, kinds, choices, ranges, defaults, aliases and
 * meanings are read off this table everywhere: errors, `fovea help train`, the manual page, shell completion, docs/configuration.md. */
static const fv_key core[] = {
    TEXT("task", task, .help = "what is learned", .fallback_text = "classify", .heading = "Model", .example = "classify"),
    TEXT("model", model, .help = "name of a model; `fovea help summary` lists them", .fallback_text = "resnet18",
         .aliases = "arch"),
    TEXT("data.root", data_root, .help = "folder of the data, or a CSV list", .heading = "Data",
         .example = "pictures", .flags = FV_KEY_PATH),
    ENUM("data.format", data_format, formats, .help = "auto: by what is in the folder"),
    TEXT("data.train", data_sets[0], .help = "folder or CSV of the training set, below data.root; null: train, in any spelling, where there",
         .example = "lists/train.csv"),
    TEXT("data.val", data_sets[1], .help = "the same of the validation set; null: val, valid, validation, dev ..., "
             "else split off", .example = "lists/val.csv"),
    TEXT("data.test", data_sets[2], .help = "the same of the test set; null: test, in any spelling, where there",
         .example = "lists/test.csv"),
    TEXT("data.images", data_images,
         .help = "folder that the paths of a CSV start from (in a file: as seen from the CSV's); null: the CSV's own",
         .example = "pictures", .flags = FV_KEY_HERE),
    FLOAT("data.split.val", split_val, .fallback = 0.2, .min = 0, .max = 0.99,
         .help = "share to validate with, where no such set is given"),
    FLOAT("data.split.test", split_test, .min = 0, .max = 0.99, .help = "share held out for the test",
         .example = "0.1"),
    ENUM("data.split.by", split_by, split_ways, .help = "stratified: the share of every class"),
    INT("data.split.seed", split_seed, .min = 0, .max = 9007199254740991,
         .help = "another seed is another split; the run keeps its own in split.csv", .example = "1"),
    INT("data.split.folds", folds, .min = 0, .max = 1000, .help = "cross-validation in so many parts, those of a list's column fold where it has one; 0: off",
         .example = "5"),
    INT("data.split.fold", fold, .min = 0, .max = 999, .help = "which part validates, from 0", .example = "0"),
    BOOL("data.split.keep_duplicates_together", keep_duplicates, .fallback = 1,
         .help = "identical files are never divided among the sets"),
    ENUM("data.on_bad_file", on_bad_file, bad_policies,
         .help = "pictures that cannot be read: fail names it and stops; skip counts and lists it, and another takes its place"),
    ENUM("data.labels", data_labels, cifar_labels, .help = "CIFAR-100: its 100 classes or its 20 coarse ones"),
    ENUM("data.alpha", alpha, alphas,
         .help = "transparent pixels: their stored colour, or laid over white, black, grey"),
    BOOL("data.exif_orientation", exif_orientation, .fallback = 1, .help = "turn pictures as their EXIF tag or XMP says"),
    BOOL("data.jpeg_scale", jpeg_scale,
         .help = "decode JPEG no larger than needed, by smaller DCTs: faster, slightly other pixels"),
    FLOAT("data.cache_mb", cache_mb, .min = 0, .max = 1e9,
         .help = "decoded pictures kept in memory, at most so many MB", .example = "2000", .flags = FV_KEY_LOCAL),
    BOOL("data.allow_empty", allow_empty, .help = "classes without pictures are no error"),
    BOOL("data.allow_outside", allow_outside, .help = "paths of a CSV may be absolute or lead out of its folder"),
    INT("data.workers", workers, .fallback = -1, .min = -1, .max = 256, .aliases = "workers num_workers",
         .help = "loader threads; -1: one, 0: load in line. The result does not depend on it", .example = "2",
         .flags = FV_KEY_LOCAL),
    BOOL("data.drop_last", drop_last, .help = "leave out the last batch of an epoch when it is short"),
    TEXT("classes", classes, .help = "names of the classes in the order of their numbers, or a file with a name a line; "
             "null: all there are, in the order of bytes", .example = "cat,dog", .flags = FV_KEY_LIST | FV_KEY_LINES),
    INT("image_size", image_size, .count = 2, .flags = FV_KEY_ONE, .fallback = 32, .min = 1, .max = 65500, .aliases = "imgsz img_size",
         .help = "side of the square input; not given: 224 for pictures, 28 for MNIST",
         .heading = "From picture to numbers", .example = "224"),
    FLOAT("normalize.mean", mean, .count = 3, .fallback = 0.5, .min = -1e6, .max = 1e6,
         .help = "subtracted from pixels in 0..1, R, G, B", .example = "0.485,0.456,0.406"),
    FLOAT("normalize.std", std, .count = 3, .fallback = 0.5, .min = 1e-9, .max = 1e6,
         .help = "divides what is left, R, G, B", .example = "0.229,0.224,0.225"),
    ENUM("augment.resize", resize, resizes, .help = "crop: shorter side to image_size / crop_pct, then the "
             "middle; squash, pad; auto: crop for files, none for records"),
    ENUM("augment.interpolation", interpolation, interpolations,
         .help = "filter of the resize, antialiased as Pillow's"),
    FLOAT("augment.crop_pct", crop_pct, .fallback = 0.875, .min = 0.01, .max = 1,
         .help = "share of the shorter side that resize=crop keeps"),
    FLOAT("augment.random_crop", random_crop, .min = 0, .max = 1,
         .help = "training: probability of a random place instead of the middle", .example = "0.5"),
    FLOAT("augment.random_resized_crop.p", rrc, .min = 0, .max = 1,
         .help = "training: probability of a random part, resized, instead of resize", .example = "1"),
    FLOAT("augment.random_resized_crop.scale", rrc_scale, .count = 2, .min = 1e-4, .max = 1, .fallback = 0.08,
         .fallback_text = "0.08,1", .help = "its share of the area, from and to"),
    FLOAT("augment.random_resized_crop.ratio", rrc_ratio, .count = 2, .min = 0.01, .max = 100, .fallback = 0.75,
         .fallback_text = "0.75,1.3333333333333333", .help = "its width over height, from and to"),
    INT("augment.pad_crop", pad_crop, .min = 0, .max = 1024,
         .help = "pad by so many black pixels, crop back at random", .example = "4"),
    FLOAT("augment.horizontal_flip", horizontal_flip, .min = 0, .max = 1, .help = "probability of a mirrored picture",
         .example = "0.5"),
    FLOAT("augment.vertical_flip", vertical_flip, .min = 0, .max = 1, .help = "probability of a picture upside down",
         .example = "0.5"),
    FLOAT("augment.color_jitter.p", jitter, .min = 0, .max = 1,
         .help = "probability of other colours: brightness, contrast, saturation, hue in random order",
         .example = "0.8"),
    FLOAT("augment.color_jitter.brightness", jitter_strength[0], .fallback = 0.4, .min = 0, .max = 10,
         .help = "factor from 1 - x to 1 + x"),
    FLOAT("augment.color_jitter.contrast", jitter_strength[1], .fallback = 0.4, .min = 0, .max = 10,
         .help = "the same"),
    FLOAT("augment.color_jitter.saturation", jitter_strength[2], .fallback = 0.4, .min = 0, .max = 10,
         .help = "the same"),
    FLOAT("augment.color_jitter.hue", jitter_strength[3], .fallback = 0.1, .min = 0, .max = 0.5,
         .help = "turned by -x to x of the circle"),
    ENUM("device", device, devices, .help = "where to compute", .heading = "The machine", .flags = FV_KEY_LOCAL),
    INT("threads", threads, .min = 0, .max = 1024, .help = "compute threads; 0: all cores", .example = "2",
         .flags = FV_KEY_LOCAL),
    BOOL("recompute", recompute, .aliases = "grad_checkpointing",
         .help = "less memory for a little time: cheap values are made again in backward, not kept"),
    BOOL("enable_amp", enable_amp, .aliases = "amp",
         .help = "mixed precision: convolutions and matrix products in amp_dtype"),
    ENUM("amp_dtype", amp_dtype, amp_dtypes, .help = "auto: bf16 on CPUs"),
    INT("seed", seed, .min = 0, .max = 9007199254740991, .help = "of weights, order and augmentation",
         .heading = "Length and batches", .example = "1"),
    INT("seeds", seeds, .min = 0, .max = FVI_SEEDS_MAX, .help = "repeat the run with so many seeds, from seed "
             "on: mean, deviation and interval of each figure; 0: one run", .example = "5"),
    INT("batch_size", batch_size, .fallback = 32, .min = 1, .max = 1 << 20, .aliases = "batch",
         .help = "pictures in a (micro-)batch"),
    INT("gradient_accumulation_steps", accumulation, .fallback = 1, .min = 1, .max = 1 << 20,
         .aliases = "accumulate grad_accum", .help = "micro-batches of one update", .example = "4"),
    INT("max_steps", max_steps, .min = 0, .max = 1e15, .aliases = "max_iters steps",
         .help = "updates; 0: by epochs. With both: whichever comes first", .example = "5000"),
    INT("epochs", epochs, .min = 0, .max = 1e9, .aliases = "max_epochs",
         .help = "passes over the data; 0: by max_steps (30 when neither is given)", .example = "30"),
    ENUM("optimizer", optimizer, optimizers, .fallback_text = "adamw", .aliases = "opt", .help = "sgd, adam, adamw",
         .heading = "Optimizer"),
    FLOAT("learning_rate", learning_rate, .fallback = 1e-3, .min = 0, .max = 1e6, .aliases = "lr lr0",
         .help = "peak of the schedule"),
    FLOAT("betas", betas, .count = 2, .fallback = 0.9, .min = 0, .max = 0.9999999, .fallback_text = "0.9,0.999",
         .help = "adam, adamw: decay of the means of gradient and squared gradient"),
    FLOAT("momentum", momentum, .fallback = 0.9, .min = 0, .max = 0.9999999,
         .help = "sgd: share of the last step that is kept"),
    BOOL("nesterov", nesterov, .help = "sgd: Nesterov's form of momentum"),
    FLOAT("eps", eps, .fallback = 1e-8, .min = 1e-300, .max = 1,
         .help = "adam, adamw: added to the root of the mean square"),
    FLOAT("weight_decay", weight_decay, .fallback = 0.01, .min = 0, .max = 1e6, .aliases = "wd",
         .help = "of weights only: biases and norms are exempt by role"),
    FLOAT("max_grad_norm", max_grad_norm, .min = 0, .max = 1e30, .aliases = "grad_clip clip_grad",
         .help = "clip the gradient's norm; 0: off", .example = "1"),
    ENUM("scheduler", scheduler, schedulers, .fallback_text = "constant", .resolve = fvi_schedule_index, .aliases = "lr_scheduler", .help = "a function of the number of updates",
         .heading = "Learning rate over time"),
    INT("warmup_iters", warmup_iters, .min = 0, .max = 1e15, .aliases = "warmup_steps",
         .help = "updates of linear warm-up", .example = "500"),
    FLOAT("warmup_epochs", warmup_epochs, .min = 0, .max = 1e9, .help = "the same in epochs", .example = "1"),
    FLOAT("max_learning_rate", max_learning_rate, .min = 0, .max = 1e6, .aliases = "max_lr",
         .help = "peak of the schedule; goes before learning_rate", .example = "0.001"),
    FLOAT("min_lr", min_lr, .min = 0, .max = 1e6, .aliases = "min_learning_rate eta_min", .help = "where cosine ends",
         .example = "1e-6"),
    FLOAT("final_lr_ratio", final_lr_ratio, .min = 0, .max = 1, .aliases = "lrf",
         .help = "the same as a share of the peak", .example = "0.01"),
    INT("lr_decay_iters", lr_decay_iters, .min = 0, .max = 1e15,
         .help = "update at which cosine reaches min_lr; 0: the last", .example = "5000"),
    {.name = "milestones", .kind = FVI_ATTR_DIMS, AT(milestones), .min = 0, .max = 1e15,
         .help = "updates at which multi_step multiplies by gamma", .example = "3000,4500"},
    FLOAT("gamma", gamma, .fallback = 0.1, .min = 0, .max = 1e6, .help = "multi_step: factor at each milestone"),
    INT("restart_iters", restart_iters, .min = 0, .max = 1e15, .aliases = "T_0 t_0",
         .help = "warm_restarts: updates of the first cycle", .example = "1000"),
    FLOAT("restart_epochs", restart_epochs, .min = 0, .max = 1e9, .help = "the same in epochs", .example = "10"),
    INT("restart_mult", restart_mult, .fallback = 1, .min = 1, .max = 1e6, .aliases = "T_mult t_mult",
         .help = "warm_restarts: each cycle is so many times longer than the last", .example = "2"),
    INT("plateau.patience", plateau_patience, .fallback = 10, .min = 0, .max = 1e9,
         .help = "plateau: validations without improvement that are borne; after one more the rate falls",
         .example = "3"),
    FLOAT("plateau.factor", plateau_factor, .fallback = 0.1, .min = 1e-9, .max = 0.999999999,
         .help = "plateau: the rate is multiplied by it, down to min_lr", .example = "0.5"),
    FLOAT("plateau.threshold", plateau_threshold, .fallback = 1e-4, .min = 0, .max = 1e9,
         .help = "plateau: what counts as an improvement of the monitored figure"),
    ENUM("plateau.threshold_mode", plateau_absolute, thresholds,
         .help = "rel: a share of the best figure; abs: as it is"),
    INT("plateau.cooldown", plateau_cooldown, .min = 0, .max = 1e9,
         .help = "plateau: validations after a reduction that do not count", .example = "2"),
    FLOAT("ema_decay", ema_decay, .heading = "Averages, freezing", .min = 0, .max = 0.99999999,
         .help = "moving average of the weights; 0: off. best and eval use it", .example = "0.999"),
    TEXT("freeze", freeze, .help = "path prefixes of what is not trained, or all_but_head; batch norm included",
         .example = "all_but_head", .flags = FV_KEY_LIST),
    TEXT("validate_every", validate_every, .fallback_text = "1 epoch", .help = "updates, or \"1 epoch\"",
         .heading = "Validation, saving, stopping", .example = "100"),
    TEXT("save_every", save_every, .fallback_text = "1 epoch", .help = "updates, or \"1 epoch\"", .example = "100"),
    TEXT("monitor", monitor, .help = "which metric of the validation decides what is best; null: the task's first", .example = "f1"),
    ENUM("mode", mode, modes, .help = "is larger or smaller better; auto knows the built-in figures"),
    INT("early_stop.patience", patience, .min = 0, .max = 1e9, .aliases = "patience",
         .help = "stop at so many validations in a row without improvement; 0: off", .example = "5"),
    FLOAT("early_stop.min_delta", min_delta, .min = 0, .max = 1e9,
         .help = "early stop: an improvement by no more than this is none (best is saved all the same)",
         .example = "0.001"),
    INT("paint_images", paint_images, .fallback = 16, .min = 0, .max = 256,
         .help = "worst mistakes shown as pictures in report and events", .flags = FV_KEY_LOCAL),
    TEXT("kernel_table", kernel_table,
         .help = "file written by fovea tune; a copy is kept with the run and obeyed when it goes on",
         .heading = "Places", .example = "table.json", .flags = FV_KEY_PATH | FV_KEY_LOCAL),
    TEXT("run", run, .help = "folder of the run, instead of run_root/<config>.<variants>", .example = "runs/mine",
         .flags = FV_KEY_PATH | FV_KEY_LOCAL),
    TEXT("run_root", run_root, .help = "folder of runs; FOVEA_RUN_ROOT, else runs", .example = "/data/runs",
         .flags = FV_KEY_PATH | FV_KEY_LOCAL),
    TEXT("checkpoint_dir", checkpoint_dir, .help = "instead of checkpoints in the run folder",
         .example = "/data/checkpoints", .flags = FV_KEY_PATH | FV_KEY_LOCAL),
    TEXT("tensorboard_dir", tensorboard_dir, .help = "folder of TensorBoard event files, instead of the run folder",
         .example = "/data/boards", .flags = FV_KEY_PATH | FV_KEY_LOCAL),
    FV_KEY_END};

static void fill(const char *out[CHOICES], const char *(*known)(int index, const char **about), int n)
{
    for (const char *name; n < CHOICES - 1 && (name = known(n, NULL)); n++) out[n] = name;
}

static void fill_all(void)
{
    formats[0] = "auto";
    for (int i = 0; i < CHOICES - 2 && fvi_data_format_at(i); i++) formats[i + 1] = fvi_data_format_at(i)->name;
    fill(optimizers, fv_optimizer_known, 0);
    fill(schedulers, fv_schedule_known, 0);
}

const fv_key *fvi_config_core(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, fill_all);
    return core;
}

const char *fvi_config_not_yet(const char *key)
{
    static const char *const names[] = {"pretrained", "pretrained_backbone", "freeze_backbone_epochs", "sampler",
                                        "nominal_batch_size", "layer_decay", "evaluation", "distill", "split", "nc", NULL};
    for (int i = 0; names[i]; i++)
        if (!strcmp(names[i], key)) return "this version of fovea does not have it yet";
    return NULL;
}

bool fvi_config_ignored(const char *key)
{
    return !strcmp(key, "enable_cudnn_benchmark") || !strcmp(key, "enable_compile");
}
