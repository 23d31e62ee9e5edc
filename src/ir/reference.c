/* SPDX-License-Identifier: Apache-2.0 */
/* Runs an op's reference on any dtype: floats become double, integers int64_t, in scratch planned beforehand, which
 * also has the list of inputs. Ragged inputs have no planned size: they are converted in memory taken for the call. */
#include "ir/kernel.h"

#include <math.h>

typedef struct operand { fvi_type type; int slot; } operand;      /* slot: of a ragged input, else -1 */
typedef struct state { const fvi_node *node; int n_in, n_out; fvi_type out[FVI_MAX_OUT]; operand in[]; } state;

static bool choose(fvi_query *q)
{
    for (int i = 0; i < q->n_in; i++) q->in_layout[i] = FVI_PLAIN;
    for (int i = 0; i < q->n_out; i++) q->out_layout[i] = FVI_PLAIN;
    return q->node->op->ref != NULL;
}

static bool native(fv_dtype d)
{
    return d == FV_F64 || d == FV_I64;
}

static size_t list_bytes(int n_in)
{
    return FVI_ALIGN_UP(sizeof(fvi_ref_tensor) * (size_t)n_in, FVI_ALIGNMENT);
}

static size_t wide_bytes(const fvi_type *t)
{
    return native(t->dtype) ? 0 : FVI_ALIGN_UP((size_t)fvi_type_numel(t) * 8, FVI_ALIGNMENT);
}

static fv_status prepare(const fvi_query *q, void **out, size_t *scratch)
{
    state *s = fvi_calloc(1, sizeof *s + sizeof *s->in * (size_t)q->n_in);
    if (!s) return fvi_nomem(q->env->ctx);
    *scratch = list_bytes(q->n_in);
    s->node = q->node;
    s->n_in = q->n_in;
    s->n_out = q->n_out;
    for (int i = 0; i < q->n_in; i++) {
        s->in[i] = (operand){q->in[i], -1};
        if (q->in[i].rank && q->in[i].dim[0] == FV_RAGGED) s->in[i].slot = q->node->in[i]->node->slot;
        else *scratch += wide_bytes(&q->in[i]);
    }
    for (int i = 0; i < q->n_out; i++) {
        s->out[i] = q->out[i];
        *scratch += wide_bytes(&q->out[i]);
    }
    *out = s;
    return FV_OK;
}

static float from_bf16(uint16_t b)
{
    const uint32_t u = (uint32_t)b << 16;
    float f;
    memcpy(&f, &u, 4);
    return f;
}

static uint16_t to_bf16(double d)
{
    const float f = (float)d;
    uint32_t u;
    memcpy(&u, &f, 4);
    if (isnan(f)) return 0x7fc0;
    return (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

static void widen(const fvi_type *t, const void *src, void *dst, int64_t n)
{
    double *f = dst;
    int64_t *k = dst;
    switch (t->dtype) {
    case FV_F32: for (int64_t i = 0; i < n; i++) f[i] = ((const float *)src)[i]; break;
    case FV_BF16: for (int64_t i = 0; i < n; i++) f[i] = from_bf16(((const uint16_t *)src)[i]); break;
    case FV_I32: for (int64_t i = 0; i < n; i++) k[i] = ((const int32_t *)src)[i]; break;
    case FV_U8: case FV_BOOL: for (int64_t i = 0; i < n; i++) k[i] = ((const uint8_t *)src)[i]; break;
    case FV_F64: case FV_I64: memcpy(dst, src, (size_t)n * 8); break;
    case FV_F16: case FV_DTYPE_COUNT: default: break;
    }
}

static void narrow(const fvi_type *t, const void *src, void *dst, int64_t n)
{
    const double *f = src;
    const int64_t *k = src;
    switch (t->dtype) {
    case FV_F32: for (int64_t i = 0; i < n; i++) ((float *)dst)[i] = (float)f[i]; break;
    case FV_BF16: for (int64_t i = 0; i < n; i++) ((uint16_t *)dst)[i] = to_bf16(f[i]); break;
    case FV_I32: for (int64_t i = 0; i < n; i++) ((int32_t *)dst)[i] = (int32_t)k[i]; break;
    case FV_U8: case FV_BOOL: for (int64_t i = 0; i < n; i++) ((uint8_t *)dst)[i] = (uint8_t)k[i]; break;
    case FV_F64: case FV_I64: case FV_F16: case FV_DTYPE_COUNT: default: break;
    }
}

static fv_status run(void *p, void *const *in, void *const *out, void *scratch, const fvi_exec *x)
{
    const state *s = p;
    fvi_ref_tensor *ti = scratch, to[FVI_MAX_OUT];
    char *at = (char *)scratch + list_bytes(s->n_in);
    fv_status status = FV_OK;
    for (int i = 0; i < s->n_in; i++) {
        const operand *o = &s->in[i];
        ti[i].type = o->type;
        ti[i].p = in[i];
        if (o->slot >= 0) ti[i].type.dim[0] = x->ragged_rows ? x->ragged_rows[o->slot] : 0;
        if (native(o->type.dtype)) continue;
        const int64_t n = fvi_type_numel(&ti[i].type);
        if (o->slot >= 0) {
            if (!(ti[i].p = fvi_malloc((size_t)n * 8))) status = fvi_nomem(x->ctx);
        } else {
            ti[i].p = at;
            at += wide_bytes(&o->type);
        }
        if (status == FV_OK) widen(&o->type, in[i], ti[i].p, n);
    }
    for (int i = 0; i < s->n_out; i++) {
        to[i].type = s->out[i];
        to[i].p = out[i];
        if (native(s->out[i].dtype)) continue;
        to[i].p = at;
        at += wide_bytes(&s->out[i]);
    }
    fvi_exec exec = *x;
    const fvi_ref r = {s->node, s->node->attr, s->n_in, s->n_out, ti, to, &exec};
    if (status == FV_OK) s->node->op->ref(&r);
    for (int i = 0; i < s->n_out && status == FV_OK; i++)
        if (!native(s->out[i].dtype)) narrow(&s->out[i], to[i].p, out[i], fvi_type_numel(&s->out[i]));
    for (int i = 0; i < s->n_in; i++)
        if (s->in[i].slot >= 0 && ti[i].p != in[i]) fvi_free(ti[i].p);
    return status;
}

const fvi_kernel fvi_reference_kernel = {.name = "reference", .op = "*", .choose = choose, .prepare = prepare, .run = run, .destroy = fvi_free};
