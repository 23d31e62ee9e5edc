/* SPDX-License-Identifier: Apache-2.0 */
/* Winograd convolution, see winograd.h. With a and b the points, the lines of the matrices are (Toom-Cook):
 *   B^T  0: p d0 - s d2 + d4   +-a: (d4 - b^2 d2) +- a (d3 - b^2 d1)   +-b: likewise   infinity: p d1 - s d3 + d5
 *   G    0: g0 / p             +-a: (g0 +- a g1 + a^2 g2) / (2 a^2 (a^2 - b^2))         infinity: g2
 *   A^T  y_j = sum of point^j m, and m5 in y_3;     p = a^2 b^2, s = a^2 + b^2 */
#include "cpu/isa/winograd.h"
#include "cpu/isa/vec.h"
#include "ops/activation.h"

/* Tiles whose sums, times FVI_WINOGRAD_GROUP, are in registers at once: 24 of 32, or 12 of 16. */
#if defined(__AVX512F__)
enum { ROWS = 6 };
#else
enum { ROWS = 3 };
#endif

#define A FVI_WINOGRAD_A
#define B FVI_WINOGRAD_B
#define AA (A * A)
#define BB (B * B)

/* ---- pixels: B^T d B --------------------------------------------------------------------------------------------- */

FVI_AI void in_line(const vf *d, const int64_t step, vf *t, const int64_t t_step)
{
    const vf d0 = d[0], d1 = d[step], d2 = d[2 * step], d3 = d[3 * step], d4 = d[4 * step], d5 = d[5 * step];
    const vf a = d4 - BB * d2, b = A * (d3 - BB * d1), c = d4 - AA * d2, e = B * (d3 - AA * d1);
    t[0] = AA * BB * d0 - (AA + BB) * d2 + d4;
    t[t_step] = a + b;
    t[2 * t_step] = a - b;
    t[3 * t_step] = c + e;
    t[4 * t_step] = c - e;
    t[5 * t_step] = AA * BB * d1 - (AA + BB) * d3 + d5;
}

void FVI_ISA_NAME(fvi_winograd_input)(const fvi_winograd_shape *s, const float *x, int64_t first, int64_t count,
                                      int64_t cb, int64_t from, int64_t to, float *v)
{
    const int64_t per_image = s->tiles_h * s->tiles_w, plane = s->h * s->w * VW;
    for (int64_t t = from; t < to; t++) {
        const int64_t tile = first + t, n = tile / per_image, i = tile % per_image;
        const int64_t y0 = i / s->tiles_w * 4 - s->padding[0], x0 = i % s->tiles_w * 4 - s->padding[1];
        const float *image = x + (n * (s->c / VW) + cb) * plane;
        vf d[36], b[36];
        if (y0 >= 0 && x0 >= 0 && y0 + 6 <= s->h && x0 + 6 <= s->w) {
            for (int k = 0; k < 6; k++)
                for (int j = 0; j < 6; j++) d[6 * k + j] = vld(image, ((y0 + k) * s->w + x0 + j) * VW, false);
        } else {
            for (int k = 0; k < 6; k++)
                for (int j = 0; j < 6; j++) {
                    const int64_t py = y0 + k, px = x0 + j;
                    d[6 * k + j] = py < 0 || px < 0 || py >= s->h || px >= s->w
                                       ? vsplat(0)
                                       : vld(image, (py * s->w + px) * VW, false);
                }
        }
        for (int j = 0; j < 6; j++) in_line(d + j, 6, b + j, 6);
        for (int k = 0; k < 6; k++) in_line(b + 6 * k, 1, d + 6 * k, 1);
        for (int e = 0; e < 36; e++) vst(v, (e * count + t) * s->row + cb * VW, d[e], false);
    }
}

/* ---- products ---------------------------------------------------------------------------------------------------- */

FVI_AI void block(const float *v, const int64_t row, const float *u, const int64_t c, float *m, const int64_t o,
                  const int rows, const int groups)
{
    vf sum[ROWS][FVI_WINOGRAD_GROUP];
    FVI_UNROLL for (int r = 0; r < rows; r++)
        FVI_UNROLL for (int g = 0; g < groups; g++) sum[r][g] = vsplat(0);
    for (int64_t i = 0; i < c; i++) {
        vf w[FVI_WINOGRAD_GROUP];
        FVI_UNROLL for (int g = 0; g < groups; g++) w[g] = vld(u, (g * c + i) * VW, false);
        FVI_UNROLL for (int r = 0; r < rows; r++) {
            const vf a = vsplat(v[r * row + i]);
            FVI_UNROLL for (int g = 0; g < groups; g++) sum[r][g] += a * w[g];
        }
    }
    FVI_UNROLL for (int r = 0; r < rows; r++)
        FVI_UNROLL for (int g = 0; g < groups; g++) vst(m, r * o + g * VW, sum[r][g], false);
}

/* Rows and groups as constants, so that the sums stay in registers. */
FVI_AI void blocks(const float *v, const int64_t row, const float *u, const int64_t c, float *m, const int64_t o,
                   const int rows, const int groups)
{
    switch (rows) {
    case 1: block(v, row, u, c, m, o, 1, groups); break;
    case 2: block(v, row, u, c, m, o, 2, groups); break;
    case 3: block(v, row, u, c, m, o, 3, groups); break;
#if defined(__AVX512F__)
    case 4: block(v, row, u, c, m, o, 4, groups); break;
    case 5: block(v, row, u, c, m, o, 5, groups); break;
    case 6: block(v, row, u, c, m, o, 6, groups); break;
#endif
    default: break;
    }
}

void FVI_ISA_NAME(fvi_winograd_product)(const fvi_winograd_shape *s, const float *v, const float *u, int64_t count,
                                        int64_t e, int64_t ob, float *m)
{
    const int64_t parts = (count + ROWS - 1) / ROWS, out_blocks = s->o / VW;
    const float *weights = u + (e * out_blocks + ob) * s->c * VW;
    for (int64_t p = 0; p < parts; p++) {                /* of nearly equal size: few sums wait for each other */
        const int64_t from = count * p / parts, rows = count * (p + 1) / parts - from;
        const float *a = v + (e * count + from) * s->row;
        float *b = m + (e * count + from) * s->o + ob * VW;
        if (ob + 3 < out_blocks) blocks(a, s->row, weights, s->c, b, s->o, (int)rows, 4);
        else if (ob + 2 < out_blocks) blocks(a, s->row, weights, s->c, b, s->o, (int)rows, 3);
        else if (ob + 1 < out_blocks) blocks(a, s->row, weights, s->c, b, s->o, (int)rows, 2);
        else blocks(a, s->row, weights, s->c, b, s->o, (int)rows, 1);
    }
}

/* ---- outputs: A^T m A -------------------------------------------------------------------------------------------- */

FVI_AI void out_line(const vf *m, const int64_t step, vf *y, const int64_t y_step)
{
    const vf a = m[step] + m[2 * step], b = m[step] - m[2 * step], c = m[3 * step] + m[4 * step],
             d = m[3 * step] - m[4 * step];
    y[0] = m[0] + a + c;
    y[y_step] = A * b + B * d;
    y[2 * y_step] = AA * a + BB * c;
    y[3 * y_step] = A * AA * b + B * BB * d + m[5 * step];
}

FVI_AI void output(const fvi_winograd_shape *s, const float *m, const float *bias, const float *addend, int64_t first,
                   int64_t count, int64_t ob, int64_t from, int64_t to, float *y, const int act)
{
    const int64_t per_image = s->tiles_h * s->tiles_w, plane = s->oh * s->ow * VW;
    const vf shift = bias ? vld(bias, ob * VW, false) : vsplat(0);
    for (int64_t t = from; t < to; t++) {
        const int64_t tile = first + t, n = tile / per_image, i = tile % per_image;
        const int64_t y0 = i / s->tiles_w * 4, x0 = i % s->tiles_w * 4, at = (n * (s->o / VW) + ob) * plane;
        const int rows = (int)FVI_MIN((int64_t)4, s->oh - y0), columns = (int)FVI_MIN((int64_t)4, s->ow - x0);
        vf p[36], h[24], r[16];
        for (int e = 0; e < 36; e++) p[e] = vld(m, (e * count + t) * s->o + ob * VW, false);
        for (int j = 0; j < 6; j++) out_line(p + j, 6, h + j, 6);
        for (int k = 0; k < 4; k++) out_line(h + 6 * k, 1, r + 4 * k, 1);
        for (int k = 0; k < rows; k++)
            for (int j = 0; j < columns; j++) {
                const int64_t to_at = at + ((y0 + k) * s->ow + x0 + j) * VW;
                vf z = r[4 * k + j] + shift;
                if (addend) z += vld(addend, to_at, false);
                if (act == FVI_ACT_RELU) z = vmax(vsplat(0), z);
                if (act == FVI_ACT_SILU) z *= vsigmoid(z);
                vst(y, to_at, z, false);
            }
    }
}

void FVI_ISA_NAME(fvi_winograd_output)(const fvi_winograd_shape *s, const float *m, const float *bias,
                                       const float *addend, int64_t first, int64_t count, int64_t ob, int64_t from,
                                       int64_t to, float *y)
{
    if (s->act == FVI_ACT_RELU) output(s, m, bias, addend, first, count, ob, from, to, y, FVI_ACT_RELU);
    else if (s->act == FVI_ACT_SILU) output(s, m, bias, addend, first, count, ob, from, to, y, FVI_ACT_SILU);
    else output(s, m, bias, addend, first, count, ob, from, to, y, FVI_ACT_NONE);
}

/* ---- weights: G g G^T -------------------------------------------------------------------------------------------- */

FVI_AI void weight_line(const vf *g, const int64_t step, vf *u, const int64_t u_step)
{
    const float na = 1 / (2 * AA * (AA - BB)), nb = 1 / (2 * BB * (BB - AA));
    const vf a = na * (g[0] + AA * g[2 * step]), b = na * A * g[step], c = nb * (g[0] + BB * g[2 * step]),
             d = nb * B * g[step];
    u[0] = g[0] * (1 / (AA * BB));
    u[u_step] = a + b;
    u[2 * u_step] = a - b;
    u[3 * u_step] = c + d;
    u[4 * u_step] = c - d;
    u[5 * u_step] = g[2 * step];
}

void FVI_ISA_NAME(fvi_winograd_weights)(const float *w, const int64_t *o_at, const int64_t *i_at, const int64_t k_at[9],
                                        int64_t outs, int64_t ins, int64_t ob, float *u)
{
    const int64_t c = (ins + VW - 1) / VW * VW, blocks_out = (outs + VW - 1) / VW;
    const int lanes = (int)FVI_MIN((int64_t)VW, outs - ob * VW);
    const int64_t *at = o_at + ob * VW;
    bool together = lanes == VW;                         /* in memory: blocked by these channels */
    for (int l = 1; l < lanes; l++) together &= at[l] == at[0] + l;
    for (int64_t i = 0; i < c; i++) {
        vf g[9], h[18], t[36];
        for (int k = 0; k < 9; k++) {
            float lane[VW] = {0};
            for (int l = 0; l < lanes && i < ins && !together; l++) lane[l] = w[at[l] + i_at[i] + k_at[k]];
            g[k] = together && i < ins ? vld(w, at[0] + i_at[i] + k_at[k], false) : vld(lane, 0, false);
        }
        for (int j = 0; j < 3; j++) weight_line(g + j, 3, h + j, 3);
        for (int k = 0; k < 6; k++) weight_line(h + 3 * k, 1, t + 6 * k, 1);
        for (int e = 0; e < 36; e++) vst(u, ((e * blocks_out + ob) * c + i) * VW, t[e], false);
    }
}
