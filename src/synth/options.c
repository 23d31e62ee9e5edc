/* SPDX-License-Identifier: Apache-2.0 */
#include "synth/options.h"

#include <math.h>

static const char *const formats[] = {"folder", "voc", "yolo", NULL};
#define FIELD(name) .offset = offsetof(fv_synth_options, name)

/* Defaults stand as text, which the help prints. */
static const fvi_attr_def table[] = {
    {"format", FVI_ATTR_ENUM, FIELD(format), .names = formats, .fallback_text = "folder",
     .help = "folder: class folders; voc, yolo: boxes in larger pictures"},
    {"classes", FVI_ATTR_INT, FIELD(classes), .fallback_text = "8", .min = 2, .max = 20, .aliases = "nc",
     .help = "the first so many classes"},
    {"per_class", FVI_ATTR_INT, FIELD(per_class), .fallback_text = "500", .min = 1, .max = 99999,
     .help = "folder: pictures of each class"},
    {"pictures", FVI_ATTR_INT, FIELD(pictures), .fallback_text = "400", .min = 1, .max = 999999, .help = "voc, yolo: pictures"},
    {"most", FVI_ATTR_INT, FIELD(most), .fallback_text = "8", .min = 1, .max = FVI_SCENE_MOST,
     .help = "voc, yolo: at most so many aircraft in a picture"},
    {"size", FVI_ATTR_INT, FIELD(size), .fallback_text = "0", .min = 0, .max = 2048, .aliases = "image_size imgsz",
     .help = "side of the pictures in pixels, 16 or more; 0: 64, or 640 for voc and yolo"},
    {"val", FVI_ATTR_FLOAT, FIELD(val), .fallback_text = "0.1", .min = 0, .max = 0.9,
     .help = "share of the validation pictures"},
    {"test", FVI_ATTR_FLOAT, FIELD(test), .fallback_text = "0.2", .min = 0, .max = 0.9, .help = "share of the test pictures"},
    {"noise", FVI_ATTR_FLOAT, FIELD(noise), .fallback_text = "1", .min = 0, .max = 4,
     .help = "factor on sensor noise and blur"},
    {"clutter", FVI_ATTR_FLOAT, FIELD(clutter), .fallback_text = "1", .min = 0, .max = 2,
     .help = "factor on the contrasts of the ground"},
    {"seed", FVI_ATTR_INT, FIELD(seed), .fallback_text = "0", .min = 0, .max = 9007199254740992.0,
     .help = "other pictures of the same kind"},
    {"threads", FVI_ATTR_INT, FIELD(threads), .fallback_text = "0", .min = 0, .max = 1024, .aliases = "workers",
     .help = "0: all cores; the pictures do not depend on it"},
    FVI_ATTR_END};

void fv_synth_defaults(fv_synth_options *o) { fvi_attr_defaults(table, o); }

const char *fv_synth_key(int i, const char **help, const char **fallback)
{
    if (i < 0 || i >= FVI_COUNT(table) - 1) return NULL;
    if (help) *help = table[i].help;
    if (fallback) *fallback = table[i].fallback_text;
    return table[i].name;
}

fv_status fv_synth_set(fv_context *ctx, fv_synth_options *o, const char *key, const char *value)
{
    const char *names[FVI_COUNT(table)] = {0};
    const fvi_attr_def *d = fvi_attr_find(table, key);
    for (int i = 0; i < FVI_COUNT(table) - 1; i++) names[i] = table[i].name;
    const char *near = d ? NULL : fvi_nearest(key, names);
    if (!d)
        return fvi_fail(ctx, FV_ERROR_CONFIG, "unknown key \"%s\"%s%s%s", key, near ? "; did you mean \"" : "",
                        near ? near : "", near ? "\"?" : "");
    return fvi_attr_parse(ctx, d, o, value, key);
}

/* Pictures of the three splits out of n. */
static void split(int64_t n, const fv_synth_options *o, int64_t out[3])
{
    out[1] = (int64_t)floor((double)n * o->val + 0.5);
    out[2] = (int64_t)floor((double)n * o->test + 0.5);
    out[0] = n - out[1] - out[2];
}

fv_status fvi_synth_check(fv_context *ctx, const fv_synth_options *o, fvi_synth_set *out)
{
    FVI_TRY(ctx, fvi_attr_check(ctx, table, o, NULL));
    *out = (fvi_synth_set){.options = *o, .size = (int)o->size};
    if (o->size == 0) out->size = o->format == FV_SYNTH_FOLDER ? 64 : 640;
    if (out->size < 16) return fvi_fail(ctx, FV_ERROR_CONFIG, "size: %d is out of range (16 .. 2048, or 0)", out->size);
    split(o->format == FV_SYNTH_FOLDER ? o->per_class : o->pictures, o, out->split);
    if (out->split[0] < 1)
        return fvi_fail(ctx, FV_ERROR_CONFIG, "val and test leave %lld of %lld pictures for training", (long long)out->split[0],
                        (long long)(out->split[0] + out->split[1] + out->split[2]));
    out->count = out->split[0] + out->split[1] + out->split[2];
    if (o->format == FV_SYNTH_FOLDER) out->count *= o->classes;
    return FV_OK;
}

char *fvi_synth_json(const fvi_synth_set *set, const fv_synth_result *result)
{
    fvi_text t = {0};
    fvi_text_add(&t, "{\n  \"made_by\": \"fovea synth planes\",\n  \"version\": ");
    fvi_text_json_string(&t, fv_version());
    for (const fvi_attr_def *d = table; d->name; d++) {
        char *value = strcmp(d->name, "threads") ? fvi_attr_text(d, &set->options) : NULL;
        if (value) fvi_text_add(&t, ",\n  \"%s\": %s", d->name, value);
        fvi_free(value);
    }
    fvi_text_add(&t,
                 ",\n  \"pictures_made\": {\"train\": %lld, \"val\": %lld, \"test\": %lld},\n  \"planes\": %lld,\n  \"hash\": "
                 "\"%s\"\n}\n",
                 (long long)result->pictures[0], (long long)result->pictures[1], (long long)result->pictures[2],
                 (long long)result->planes, result->hash);
    return fvi_text_take(&t);
}
