/* SPDX-License-Identifier: Apache-2.0 */
/* Loaders of pictures and labels, without a task: what a task's collate function does, at its shortest. */
#ifndef FVT_LOADING_H
#define FVT_LOADING_H

#include "data/loader.h"

typedef struct pictures { fvi_augment augment; fv_field fields[2]; } pictures;

static inline fv_status collate_picture(const void *user, fv_loading *l, const fv_draw *d)
{
    const pictures *p = user;
    const int64_t classes = fv_loading_source(l)->classes;
    int64_t *label = fv_place(l, "labels");
    FVI_TRY(l->ctx, fvi_loading_picture(l, &p->augment, d, label));
    if (*label < 0 || *label >= classes)
        return fvi_fail(l->ctx, FV_ERROR_FORMAT, "label %lld, there are %lld classes", (long long)*label, (long long)classes);
    fvi_augment_finish(&p->augment, d, &l->space.sized, fv_place(l, "images"));
    return FV_OK;
}

/* `p` is borrowed by the options. */
static inline fvi_loader_options picture_loader(pictures *p, const fv_source *s, const fvi_augment *a)
{
    p->augment = *a;
    p->fields[0] = (fv_field){"images", FV_F32, 3, {3, a->height, a->width}};
    p->fields[1] = (fv_field){"labels", FV_I64, 0, {0}};
    return (fvi_loader_options){.source = s, .fields = p->fields, .n_fields = 2, .collate = collate_picture, .user = p};
}

static inline const float *images_of(const fv_batch *b)
{
    return fv_batch_find(b, "images")->data;
}

static inline const int64_t *labels_of(const fv_batch *b)
{
    return fv_batch_find(b, "labels")->data;
}

#endif
