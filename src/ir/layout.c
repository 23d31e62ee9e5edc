/* SPDX-License-Identifier: Apache-2.0 */
/* Memory orders: the offset of an element is a sum of one term per axis, so a conversion is a walk over one table of
 * offsets an axis for the source and one for the target. */
#include "ir/layout.h"

#include <stdlib.h>

static const char *const spelling[FVI_LAYOUT_COUNT] = {
#define FVI_LAYOUT_TEXT(name, rank, text) text,
    FVI_LAYOUT_LIST(FVI_LAYOUT_TEXT)
#undef FVI_LAYOUT_TEXT
};

const char *fvi_layout_name(fvi_layout l)
{
    return l == FVI_OHWI ? "acdb" : spelling[l];
}

int fvi_layout_block(fvi_layout l)
{
    return l == FVI_NCHW16C ? 16 : l == FVI_NCHW8C ? 8 : 1;
}

bool fvi_layout_derived(fvi_layout l) { return l > FVI_OPAQUE; }

/* Steps of a layout from outermost to innermost: axis and size of the step (0: the outer part of the axis). */
typedef struct order { int n; struct { int axis; int64_t size; } step[12]; int64_t block[FV_MAX_RANK]; } order;

static order parse(fvi_layout l, int rank)
{
    order o = {.n = 0};
    for (int i = 0; i < FV_MAX_RANK; i++) o.block[i] = 1;
    if (l == FVI_PLAIN || l == FVI_OPAQUE) {
        for (int i = 0; i < rank; i++) o.step[o.n++].axis = i;
        return o;
    }
    for (const char *p = spelling[l]; *p && *p != '*'; p++) {
        int64_t size = 0;
        while (*p >= '0' && *p <= '9') size = size * 10 + (*p++ - '0');
        const int axis = *p >= 'a' ? *p - 'a' : *p - 'A';
        o.step[o.n].axis = axis;
        o.step[o.n++].size = size;
        if (size) o.block[axis] *= size;
    }
    return o;
}

int64_t fvi_layout_elements(fvi_layout l, const fvi_type *t)
{
    const int64_t block = l == FVI_WINOGRAD16 ? 16 : 8;
    int64_t n = 36;
    if (fvi_layout_derived(l))
        return fvi_mul_i64(n, FVI_ALIGN_UP(t->dim[0], block), &n) && fvi_mul_i64(n, FVI_ALIGN_UP(t->dim[1], block), &n) ? n : -1;
    const order o = parse(l, t->rank);
    n = 1;
    for (int i = 0; i < t->rank; i++)
        if (!fvi_mul_i64(n, FVI_ALIGN_UP(t->dim[i], o.block[i]), &n)) return -1;
    return n;
}

size_t fvi_layout_bytes(fvi_layout l, const fvi_type *t)
{
    const int64_t n = fvi_layout_elements(l, t);
    return n < 0 ? 0 : (size_t)n * fv_dtype_size(t->dtype);
}

/* Offset of index i on `axis`, in elements. */
static int64_t axis_offset(const order *o, const fvi_type *t, int axis, int64_t i)
{
    int64_t stride = 1, offset = 0, inner = 1;      /* inner: product of this axis' block sizes inside the current step */
    for (int s = o->n - 1; s >= 0; s--) {
        const int a = o->step[s].axis;
        const int64_t size = o->step[s].size ? o->step[s].size : FVI_ALIGN_UP(t->dim[a], o->block[a]) / o->block[a];
        if (a == axis) {
            offset += i / inner % (o->step[s].size ? size : INT64_MAX) * stride;
            inner *= size;
        }
        stride *= size;
    }
    return offset;
}

void fvi_layout_offsets(fvi_layout l, const fvi_type *t, int axis, int64_t *table)
{
    const order o = parse(l, t->rank);
    for (int64_t i = 0; i < t->dim[axis]; i++) table[i] = axis_offset(&o, t, axis, i);
}

typedef struct axes { int64_t dim[FV_MAX_RANK]; const int64_t *from[FV_MAX_RANK], *to[FV_MAX_RANK]; } axes;

#define COPY(T)                                                                                     \
    for (int64_t e = 0; e < a.dim[5]; e++)                                                          \
        ((T *)dst)[to + a.to[5][e]] = ((const T *)src)[from + a.from[5][e]]

static void walk(axes a, const void *src, void *dst, size_t size)
{
    int64_t elements = 1;
    for (int i = 0; i < FV_MAX_RANK; i++) elements *= a.dim[i];
#pragma omp parallel for collapse(3) if (elements > 65536)
    for (int64_t i0 = 0; i0 < a.dim[0]; i0++)
    for (int64_t i1 = 0; i1 < a.dim[1]; i1++)
    for (int64_t i2 = 0; i2 < a.dim[2]; i2++)
    for (int64_t i3 = 0; i3 < a.dim[3]; i3++)
    for (int64_t i4 = 0; i4 < a.dim[4]; i4++) {
        const int64_t from = a.from[0][i0] + a.from[1][i1] + a.from[2][i2] + a.from[3][i3] + a.from[4][i4];
        const int64_t to = a.to[0][i0] + a.to[1][i1] + a.to[2][i2] + a.to[3][i3] + a.to[4][i4];
        if (size == 4) COPY(uint32_t);
        else if (size == 8) COPY(uint64_t);
        else if (size == 2) COPY(uint16_t);
        else COPY(uint8_t);
    }
}

/* u = G g G^T for every pair of channels of plain w. */
static void winograd_weights(const fvi_type *t, const float *w, int64_t block, float *u)
{
    const double a = (double)FVI_WINOGRAD_A, b = (double)FVI_WINOGRAD_B, na = 2 * a * a * (a * a - b * b), nb = 2 * b * b * (b * b - a * a);
    const double G[6][3] = {{1 / (a * a * b * b), 0, 0}, {1 / na, a / na, a * a / na}, {1 / na, -a / na, a * a / na},
                            {1 / nb, b / nb, b * b / nb}, {1 / nb, -b / nb, b * b / nb}, {0, 0, 1}};
    const int64_t outs = t->dim[0], ins = t->dim[1], out_blocks = (outs + block - 1) / block, c = FVI_ALIGN_UP(ins, block);
    for (int64_t o = 0; o < outs; o++)
        for (int64_t i = 0; i < ins; i++)
            for (int e = 0; e < 36; e++) {
                double sum = 0;
                for (int k = 0; k < 9; k++) sum += G[e / 6][k / 3] * G[e % 6][k % 3] * (double)w[(o * ins + i) * 9 + k];
                u[((e * out_blocks + o / block) * c + i) * block + o % block] = (float)sum;
            }
}

static bool convert_derived(const fvi_type *t, const void *src, fvi_layout from, void *dst, fvi_layout to)
{
    if (fvi_layout_derived(from) || t->dtype != FV_F32 || t->rank != 4 || t->dim[2] != 3 || t->dim[3] != 3) return false;
    float *plain = fvi_malloc((size_t)fvi_type_numel(t) * sizeof *plain + 1);
    const bool ok = plain && fvi_layout_convert(t, src, from, plain, FVI_PLAIN);
    if (ok) {
        memset(dst, 0, fvi_layout_bytes(to, t));
        winograd_weights(t, plain, to == FVI_WINOGRAD16 ? 16 : 8, dst);
    }
    fvi_free(plain);
    return ok;
}

bool fvi_layout_convert(const fvi_type *t, const void *src, fvi_layout from, void *dst, fvi_layout to)
{
    const size_t size = fv_dtype_size(t->dtype);
    if (from != to && (fvi_layout_derived(from) || fvi_layout_derived(to))) return convert_derived(t, src, from, dst, to);
    if (from == to) {
        memcpy(dst, src, fvi_layout_bytes(to, t));
        return true;
    }
    if (fvi_layout_elements(to, t) != fvi_type_numel(t)) memset(dst, 0, fvi_layout_bytes(to, t));
    const order of = parse(from, t->rank), ot = parse(to, t->rank);
    int64_t total = 0;
    for (int i = 0; i < t->rank; i++) total += t->dim[i];
    int64_t *table = fvi_malloc((size_t)(2 * (total + FV_MAX_RANK)) * sizeof *table), *p = table;
    if (!table) return false;
    axes a;
    for (int i = 0; i < FV_MAX_RANK; i++) {          /* right-aligned: the last axis is the inner loop */
        const int axis = i - (FV_MAX_RANK - t->rank);
        a.dim[i] = axis < 0 ? 1 : t->dim[axis];
        a.from[i] = p;
        for (int64_t k = 0; k < a.dim[i]; k++) *p++ = axis < 0 ? 0 : axis_offset(&of, t, axis, k);
        a.to[i] = p;
        for (int64_t k = 0; k < a.dim[i]; k++) *p++ = axis < 0 ? 0 : axis_offset(&ot, t, axis, k);
    }
    walk(a, src, dst, size);
    fvi_free(table);
    return true;
}
