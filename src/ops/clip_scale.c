/* SPDX-License-Identifier: Apache-2.0 */
/* What an update does with the gradient, as torch.nn.utils.clip_grad_norm_ after unscaling. Inputs total_squares (of the
 * gradient as accumulated), inverse (1 / (loss scale * samples)); outputs gscale, skip, norm:
 *     norm = sqrt(total_squares) inverse
 *     gscale = inverse min(1, max_norm / (norm + 1e-6)); without max_norm gscale = inverse; 0 when norm is not finite
 *     skip = 0 when norm is finite, else 1 */
#include "ops/clip_scale.h"
#include "ops/optimizer.h"

static const fvi_attr_def attrs[] = {
    {.name = "max_norm", .kind = FVI_ATTR_FLOAT, .offset = offsetof(fvi_clip_scale_attr, max_norm), .min = 0, .max = INFINITY,
     .help = "greatest norm of the gradient; 0: no clipping"},
    FVI_ATTR_END,
};

static fv_status infer(fvi_infer *c)
{
    return fvi_infer_update(c, 0, (const int[]){0, 0, 0});
}

static void reference(const fvi_ref *r)
{
    const double inverse = r->in[1].f[0], norm = sqrt(r->in[0].f[0]) * inverse;
    const double max_norm = ((const fvi_clip_scale_attr *)r->attr)->max_norm;
    const double clip = max_norm > 0 ? fmin(1, max_norm / (norm + 1e-6)) : 1;
    r->out[0].f[0] = isfinite(norm) ? inverse * clip : 0;
    r->out[1].f[0] = isfinite(norm) ? 0 : 1;
    r->out[2].f[0] = norm;
}

static const fvi_clip_scale_attr none = {0}, loose = {100}, tight = {0.01};
static const fvi_sample samples[] = {
    {"none", &none, 2, {FVI_S0(FVI_DRAW_POSITIVE), FVI_S0(FVI_DRAW_UNIT)}},
    {"loose", &loose, 2, {FVI_S0(FVI_DRAW_POSITIVE), FVI_S0(FVI_DRAW_UNIT)}},
    {"tight", &tight, 2, {FVI_S0(FVI_DRAW_POSITIVE), FVI_S0(FVI_DRAW_ONE)}},
    {"zero", &tight, 2, {FVI_S0(FVI_DRAW_ZERO), FVI_S0(FVI_DRAW_ONE)}},
};

static const fvi_op op_clip_scale = {
    .name = "clip_scale", .version = 1, .kind = FVI_EFFECT, .doc = "gscale, skip and norm of a clipped update",
    .n_in_min = 2, .n_in_max = 2, .n_out = 3, .attr_size = sizeof(fvi_clip_scale_attr), .attrs = attrs,
    .infer = infer, .no_grad = "optimizer update", .ref = reference,
    .samples = samples, .n_samples = FVI_COUNT(samples),
    .precision = FVI_PRECISION_F32,
};
FVI_OPS(clip_scale, &op_clip_scale);
