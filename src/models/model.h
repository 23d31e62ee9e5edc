/* SPDX-License-Identifier: Apache-2.0 */
/* A family of models: what a file src/models/X.c exports. The build collects the files; nothing else is edited. */
#ifndef FVI_MODEL_H
#define FVI_MODEL_H

#include "base/attr.h"
#include "fovea/model.h"

typedef struct fvi_model_def {
    const char *name, *about;
    const fvi_attr_def *args;            /* table over a struct of args_size bytes; NULL: none */
    size_t args_size;
    /* `args` is that struct, defaults and configuration applied. */
    fv_value *(*build)(fv_graph *g, fv_value *x, int64_t classes, const void *args, const struct fvi_model_def *def);
    const void *data;                    /* what tells the members of a family apart */
    const char *head;                    /* path of the classifier, for freeze = all_but_head */
} fvi_model_def;

typedef struct fvi_model_list { int count; const fvi_model_def *models; } fvi_model_list;
#define FVI_MODELS(file, array)                         \
    extern const fvi_model_list fvi_models_##file;      \
    const fvi_model_list fvi_models_##file = {FVI_COUNT(array), array}

const fvi_model_def *fvi_model_find(const char *name);
const fvi_model_def *fvi_model_definition(const fv_model *m);            /* NULL for a model of the user's own */

#endif
