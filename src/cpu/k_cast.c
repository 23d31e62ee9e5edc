/* SPDX-License-Identifier: Apache-2.0 */
/* cast between f32 and bf16, and to f32 from u8 and i64 and back to i64: one run of memory, in whatever order it is. */
#include "cpu/isa/cast.h"
#include "ir/kernel.h"

enum { STRETCH = 16384 };

typedef void cast_fn(const void *, void *, int64_t);
typedef struct state { cast_fn *f; int64_t n; int from, to; } state;       /* from, to: bytes of an element */

static cast_fn *find(fv_dtype from, fv_dtype to, fvi_isa isa)
{
    if (from == FV_F32 && to == FV_BF16) return FVI_ISA_PICK(isa, fvi_cast_f32_bf16);
    if (from == FV_BF16 && to == FV_F32) return FVI_ISA_PICK(isa, fvi_cast_bf16_f32);
    if (from == FV_U8 && to == FV_F32) return FVI_ISA_PICK(isa, fvi_cast_u8_f32);
    if (from == FV_I64 && to == FV_F32) return FVI_ISA_PICK(isa, fvi_cast_i64_f32);
    if (from == FV_F32 && to == FV_I64) return FVI_ISA_PICK(isa, fvi_cast_f32_i64);
    return NULL;
}

static bool choose(fvi_query *q)
{
    if (q->in[0].rank && q->in[0].dim[0] == FV_RAGGED) return false;
    if (!find(q->in[0].dtype, q->out[0].dtype, q->env->isa)) return false;
    if (q->in_layout[0] == FVI_OPAQUE) q->in_layout[0] = FVI_PLAIN;
    q->out_layout[0] = q->in_layout[0];
    return true;
}

static fv_status prepare(const fvi_query *q, void **out, size_t *scratch)
{
    (void)scratch;
    state *s = fvi_calloc(1, sizeof *s);
    if (!s) return fvi_nomem(q->env->ctx);
    *s = (state){find(q->in[0].dtype, q->out[0].dtype, q->env->isa), fvi_layout_elements(q->in_layout[0], &q->in[0]),
                 (int)fv_dtype_size(q->in[0].dtype), (int)fv_dtype_size(q->out[0].dtype)};
    *out = s;
    return FV_OK;
}

static fv_status run(void *p, void *const *in, void *const *out, void *scratch, const fvi_exec *x)
{
    (void)scratch;
    const state *s = p;
#pragma omp parallel for num_threads(x->threads) schedule(static) if (s->n > 2 * STRETCH)
    for (int64_t i = 0; i < s->n; i += STRETCH)
        s->f((const char *)in[0] + i * s->from, (char *)out[0] + i * s->to, FVI_MIN((int64_t)STRETCH, s->n - i));
    return FV_OK;
}

static const fvi_kernel cast = {.name = "cast", .op = "cast", .priority = 10, .choose = choose, .prepare = prepare,
                                .run = run, .destroy = fvi_free};
FVI_KERNELS(k_cast, &cast);
