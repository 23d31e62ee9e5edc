/* SPDX-License-Identifier: Apache-2.0 */
/* One batch through a model: padding to few batch sizes, softmax, the largest classes; and pictures in memory. */
#include "predict/predictor.h"
#include "compile/session.h"
#include "fovea/nn.h"
#include "ir/graph.h"

#include <math.h>
#include <stdio.h>

/* ---- the model ---------------------------------------------------------------------------------------------------------- */

static fv_status build_forward(fv_graph *g, fv_value *const *in, int n_in, void *user)
{
    const fv_predictor *p = user;
    const long long classes = p->info.classes;
    (void)n_in;
    fv_value *y = fv_model_build(g, p->model, in[0]);
    if (y && (fv_value_rank(y) != 2 || fv_value_dim(y, 0) != FV_N || fv_value_dim(y, 1) != classes))
        fv_graph_fail(g, FV_ERROR_SHAPE, "model %s gives an output of rank %d with %lld columns; %lld classes want (N, %lld)", fv_model_name(p->model),
                      fv_value_rank(y), (long long)fv_value_dim(y, -1), classes, classes);
    else fv_result(g, "logits", fv_cast(g, y, FV_F32));
    return fv_graph_status(g);
}

fv_status fvi_predictor_build(fv_predictor *p, const fv_session_options *o)
{
    const int64_t size = p->info.size;
    const fv_input_spec spec = {"images", FV_F32, 4, {FV_N, 3, size, size}};
    const fv_tensor in = {FV_F32, 4, {1, 3, size, size}, NULL};
    fv_session *s;
    fv_graph *g = NULL;
    FVI_TRY(p->ctx, fv_session_create(p->ctx, o, &p->session));
    FVI_TRY(p->ctx, fv_function_create(p->session, "predict", &spec, 1, build_forward, p, NULL, &p->forward));
    const fv_status status = fvi_function_graph(p->forward, &in, 1, &s, &g);
    fvi_graph_destroy(g);
    return status;
}

fv_status fvi_predictor_run(fv_predictor *p, float *images, int64_t n, int64_t capacity, float *logits)
{
    const int64_t size = p->info.size;
    const size_t floats = (size_t)(3 * size * size);
    int64_t padded = 1;
    while (padded < n) padded *= 2;
    padded = FVI_MIN(padded, capacity);
    for (int64_t i = n; i < padded; i++) memcpy(images + (size_t)i * floats, images, floats * sizeof *images);
    const fv_tensor in = {FV_F32, 4, {padded, 3, size, size}, images}, out = {FV_F32, 2, {padded, p->info.classes}, logits};
    return fv_function_call(p->forward, &in, 1, &out, 1);
}

bool fvi_softmax(const float *logits, int64_t classes, float *out)
{
    double most = (double)logits[0], sum = 0;
    for (int64_t c = 0; c < classes; c++) {
        if (!isfinite(logits[c])) return false;
        most = FVI_MAX(most, (double)logits[c]);
    }
    for (int64_t c = 0; c < classes; c++) sum += exp((double)logits[c] - most);
    for (int64_t c = 0; c < classes; c++) out[c] = (float)(exp((double)logits[c] - most) / sum);
    return true;
}

void fvi_top_classes(const float *values, int64_t classes, int k, int64_t *out)
{
    int n = 0;
    for (int64_t c = 0; c < classes; c++) {              /* the best so far stay sorted; few of them, so insertion is quick */
        if (n == k && values[c] <= values[out[k - 1]]) continue;
        int at = n < k ? n++ : k - 1;
        for (; at > 0 && values[c] > values[out[at - 1]]; at--) out[at] = out[at - 1];
        out[at] = c;
    }
}

/* ---- pictures in memory ------------------------------------------------------------------------------------------------- */

static fv_status reserve(fv_predictor *p, int64_t n)
{
    const int64_t size = p->info.size;
    int64_t room = 1;
    while (room < n) room *= 2;
    room = FVI_MIN(room, p->info.batch_size);
    if (room <= p->room) return FV_OK;
    const size_t image_bytes = (size_t)(3 * size * size) * sizeof(float);
    float *images = fvi_malloc_aligned((size_t)room * image_bytes);
    if (!images) return fvi_nomem(p->ctx);
    fvi_free_aligned(p->images, (size_t)p->room * image_bytes);
    p->images = images;
    p->room = 0;
    float *logits = fvi_realloc(p->logits, (size_t)(room * p->info.classes) * sizeof *logits);
    if (logits) p->logits = logits;
    else fvi_free_aligned(images, (size_t)room * image_bytes), p->images = NULL;
    if (!logits) return fvi_nomem(p->ctx);
    p->room = room;
    return FV_OK;
}

static fv_status pixels_of(fv_predictor *p, const fv_picture *in, const char *name)
{
    fvi_picture *whole = &p->space.whole;
    const size_t stride = in->stride ? in->stride : 3 * (size_t)FVI_MAX(in->width, 0);
    if (in->width < 1 || in->height < 1 || in->width > FVI_MAX_SIDE || in->height > FVI_MAX_SIDE || (int64_t)in->width * in->height > FVI_MAX_PIXELS ||
        stride < 3 * (size_t)in->width)
        return fvi_fail(p->ctx, FV_ERROR_INVALID, "%s: %d x %d pixels with a stride of %zu bytes", name, in->width, in->height, stride);
    FVI_TRY(p->ctx, fvi_picture_size(p->ctx, whole, in->width, in->height));
    for (int y = 0; y < in->height; y++) {
        const uint8_t *from = in->rgb + (size_t)y * stride;
        uint8_t *to = whole->pixels + 4 * (size_t)y * (size_t)in->width;
        for (int x = 0; x < in->width; x++, from += 3, to += 4) {
            memcpy(to, from, 3);
            to[3] = 255;
        }
    }
    return fvi_augment_size(&p->augment, p->ctx, &p->space, &(fvi_sample_draw){.random = false});
}

static fv_status read_picture(fv_predictor *p, const fv_picture *in, int64_t index, float *out)
{
    static const fvi_sample_draw still = {.random = false};
    const uint8_t *bytes = in->bytes;
    size_t n_bytes = in->n_bytes;
    char name[256];
    if (in->path) fvi_show_name(in->path, name, sizeof name);
    else snprintf(name, sizeof name, "picture %lld", (long long)index);
    if (in->rgb) {
        FVI_TRY(p->ctx, pixels_of(p, in, name));
    } else {
        if (!bytes && !in->path) return fvi_fail(p->ctx, FV_ERROR_INVALID, "%s has neither path nor bytes nor pixels", name);
        if (!bytes) {
            FVI_TRY(p->ctx, fvi_read_bytes(p->ctx, in->path, &p->space.bytes));
            bytes = p->space.bytes.data;
            n_bytes = p->space.bytes.size;
        }
        FVI_TRY(p->ctx, fvi_augment_decode(&p->augment, p->ctx, &p->space, name, bytes, n_bytes, &still, false));
    }
    fvi_augment_finish(&p->augment, &still, &p->space.sized, out);
    return FV_OK;
}

fv_status fv_predict(fv_predictor *p, const fv_picture *pictures, int64_t n, float *probabilities, float *logits)
{
    const int64_t classes = p->info.classes;
    const size_t floats = (size_t)(3 * p->info.size * p->info.size), row = (size_t)classes;
    if (n < 1) return n ? fvi_fail(p->ctx, FV_ERROR_INVALID, "%lld pictures", (long long)n) : FV_OK;
    FVI_TRY(p->ctx, reserve(p, n));
    for (int64_t first = 0; first < n; first += p->room) {
        const int64_t count = FVI_MIN(n - first, p->room);
        for (int64_t i = 0; i < count; i++) FVI_TRY(p->ctx, read_picture(p, &pictures[first + i], first + i, p->images + (size_t)i * floats));
        FVI_TRY(p->ctx, fvi_predictor_run(p, p->images, count, p->room, p->logits));
        if (logits) memcpy(logits + (size_t)first * row, p->logits, (size_t)count * row * sizeof *logits);
        for (int64_t i = 0; i < count && probabilities; i++)
            if (!fvi_softmax(p->logits + (size_t)i * row, classes, probabilities + (size_t)(first + i) * row))
                return fvi_fail(p->ctx, FV_ERROR_NUMERIC, "the model's output for picture %lld is not finite: its weights are damaged, or training diverged",
                                (long long)(first + i));
    }
    return FV_OK;
}

/* ---- the rest ----------------------------------------------------------------------------------------------------------- */

const fv_predictor_info *fv_predictor_describe(const fv_predictor *p)
{
    return &p->info;
}

void fv_predictor_destroy(fv_predictor *p)
{
    if (!p) return;
    if (p->forward) fv_function_destroy(p->forward);
    fv_session_destroy(p->session);
    fv_model_destroy(p->own_model);
    fvi_workspace_free(&p->space);
    fvi_free_aligned(p->images, (size_t)p->room * (size_t)(3 * p->info.size * p->info.size) * sizeof *p->images);
    fvi_free(p->logits);
    fvi_arena_free(&p->arena);
    fvi_free(p);
}
