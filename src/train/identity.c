/* SPDX-License-Identifier: Apache-2.0 */
#include "train/identity.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

enum { LOOKS = 256, HEAD = 4096 };

void fvi_identity_text(const fvi_identity *i, char out[FVI_IDENTITY_ROOM])
{
    snprintf(out, FVI_IDENTITY_ROOM, "%016" PRIx64 "-%016" PRIx64 "-%016" PRIx64, i->names, i->content, i->val);
}

bool fvi_identity_parse(const char *text, fvi_identity *out)
{
    int end = 0;
    return text && sscanf(text, "%16" SCNx64 "-%16" SCNx64 "-%16" SCNx64 "%n", &out->names, &out->content, &out->val, &end) == 3 && !text[end];
}

/* Which of many are looked into: a function of their names, so that it is the same ones next time. */
static bool is_drawn(uint64_t name, int64_t count)
{
    return name % (uint64_t)(1 + count / LOOKS) == 0;
}

typedef struct key { uint64_t name, label, size, head; } key;

static void add_content(const fvi_list *l, const fvi_file *f, key k, int64_t val, fvi_identity *out)
{
    char path[FVI_PATH_ROOM];
    uint8_t head[HEAD];
    struct stat info;
    const bool validates = f->set == FV_SPLIT_VAL, found = fvi_path_in(path, l->root, f->path);
    k.size = (uint64_t)(f->size >= 0 ? f->size : found && stat(path, &info) == 0 ? info.st_size : -1);
    if (found && (is_drawn(k.name, l->count) || (validates && is_drawn(k.name, val)))) {
        size_t n = 0;
        k.head = fvi_read_head(NULL, path, head, sizeof head, &n) == FV_OK && n ? fvi_hash64(head, n, 0) : 1;
    }
    out->content += fvi_hash64(&k, sizeof k, 0);
    if (validates) out->val += fvi_hash64(&k, sizeof k, 1);
}

void fvi_identity_of_list(const fvi_list *l, bool content, fvi_identity *out)
{
    int64_t val = 0;
    *out = (fvi_identity){0};
    for (int i = 0; i < l->count; i++) val += l->items[i].set == FV_SPLIT_VAL;
    for (int i = 0; i < l->count; i++) {
        const fvi_file *f = &l->items[i];
        const key k = {.name = fvi_hash_text(f->path), .label = fvi_hash_text(l->classes[f->label])};
        out->names += fvi_hash64(&k, 2 * sizeof k.name, (uint64_t)(f->set + 1));
        if (content) add_content(l, f, k, val, out);
    }
}

/* Records in a few large files: pixels and labels of some. */
static fv_status look_into(fv_context *ctx, const fv_source *s, uint64_t *sum)
{
    fv_sample sample = {0};
    fv_status status = FV_OK;
    const int64_t step = 1 + s->count / LOOKS;
    for (int64_t i = 0; i < s->count && status == FV_OK; i += step) {
        const fv_image *p = &sample.image;
        status = fvi_source_sample(s, ctx, i, &sample);
        if (status == FV_OK)
            *sum += fvi_hash64(p->pixels, (size_t)p->channels * (size_t)p->height * (size_t)p->width, (uint64_t)(i * 1000 + sample.label));
    }
    fv_sample_free(&sample);
    return status;
}

fv_status fvi_identity_of(fv_context *ctx, const fv_data *d, const fv_source *val, fvi_identity *out)
{
    *out = (fvi_identity){0};
    if (d && d->listed) fvi_identity_of_list(&d->list, true, out);
    if (!val || (d && d->listed)) return FV_OK;
    out->val = (uint64_t)val->count;
    if (d) return look_into(ctx, val, &out->val);
    for (int64_t i = 0; val->name && i < val->count; i++) {
        char name[1024];
        fvi_source_name(val, i, name, sizeof name);
        out->val += fvi_hash64(name, strlen(name), (uint64_t)i);
    }
    return FV_OK;
}
