/* SPDX-License-Identifier: Apache-2.0 */
/* Made-up picture sets: aircraft seen from above. The same options give the same pixels on every machine and for any
 * number of threads, and pictures do not change when there are more of them. docs/synth.md shows some. */
#ifndef FOVEA_SYNTH_H
#define FOVEA_SYNTH_H

#include "fovea/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum fv_synth_format {
    FV_SYNTH_FOLDER,             /* one aircraft a picture: train|val|test/CLASS/00001.png */
    FV_SYNTH_VOC,                /* several: JPEGImages, Annotations, ImageSets/Main/train|val|test.txt, classes.txt */
    FV_SYNTH_YOLO,               /* several: images|labels/train|val|test, data.yaml */
} fv_synth_format;

typedef struct fv_synth_options {
    int64_t format;              /* fv_synth_format */
    int64_t classes;             /* 2 .. 20: the first so many; the first differ most */
    int64_t per_class;           /* FOLDER: pictures of a class, all splits together */
    int64_t pictures, most;      /* VOC and YOLO: pictures; at most so many aircraft in each */
    int64_t size;                /* side in pixels; 0: 64 for FOLDER, else 640 */
    int64_t seed, threads;       /* threads 0: all cores */
    double val, test;            /* shares of the pictures */
    double noise, clutter;       /* factors on sensor noise and blur, and on the contrasts of the ground; 0: none */
} fv_synth_options;

FV_API void fv_synth_defaults(fv_synth_options *o);            /* before fields are set: 0 is a value here */
/* Sets one field from text, by the field's name; format by "folder", "voc", "yolo". Wrong ones are CONFIG errors that name the
 * nearest known one. */
FV_API fv_status fv_synth_set(fv_context *ctx, fv_synth_options *o, const char *key, const char *value) FV_CHECKED;
/* Name of the i-th option, its help and its default as text; NULL past the end. All constant. */
FV_API const char *fv_synth_key(int i, const char **help, const char **fallback);
FV_API const char *fv_synth_class(int i);                      /* "airliner_four", ...: constant; NULL past the end */

typedef struct fv_synth_result {
    int64_t pictures[3];         /* train, val, test */
    int64_t planes, bytes;       /* aircraft drawn; bytes of all files */
    char hash[33];               /* of all pixels, labels and boxes */
} fv_synth_result;
/* Called on the caller's thread now and then; false stops (FV_ERROR_CANCELED). */
typedef bool fv_synth_progress(void *user, int64_t done, int64_t total);

/* Writes the set to `folder`: aside first, renamed when complete, so it is there as a whole or not at all. A folder that is
 * there already and not empty is an error, or with `overwrite` replaced if it is such a set. fn and result may be NULL. */
FV_API fv_status fv_synth_planes(fv_context *ctx, const char *folder, const fv_synth_options *o, bool overwrite,
                                 fv_synth_progress *fn, void *user, fv_synth_result *result) FV_CHECKED;

#ifdef __cplusplus
}
#endif
#endif
