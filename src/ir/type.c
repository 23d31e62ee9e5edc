/* SPDX-License-Identifier: Apache-2.0 */
/* Tensor types: symbolic dimensions, broadcasting, text. */
#include "ir/type.h"

#include <stdio.h>

fvi_type fvi_type_make(fv_dtype dtype, int rank, const int64_t *dims)
{
    fvi_type t = {.dtype = dtype, .rank = rank};
    for (int i = 0; i < rank && i < FV_MAX_RANK; i++) t.dim[i] = dims[i];
    return t;
}

bool fvi_type_same_shape(const fvi_type *a, const fvi_type *b)
{
    if (a->rank != b->rank) return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dim[i] != b->dim[i]) return false;
    return true;
}

bool fvi_type_equal(const fvi_type *a, const fvi_type *b)
{
    return a->dtype == b->dtype && fvi_type_same_shape(a, b);
}

fvi_type fvi_type_bind(const fvi_type *t, int64_t n)
{
    fvi_type out = *t;
    for (int i = 0; i < t->rank; i++) out.dim[i] = fvi_dim_bind(t->dim[i], n);
    return out;
}

int64_t fvi_type_numel(const fvi_type *t)
{
    int64_t n = 1;
    for (int i = 0; i < t->rank; i++)
        if (t->dim[i] < 0 || !fvi_mul_i64(n, t->dim[i], &n)) return -1;
    return n;
}

size_t fvi_type_bytes(const fvi_type *t)
{
    const int64_t n = fvi_type_numel(t);
    return n < 0 ? 0 : (size_t)n * fv_dtype_size(t->dtype);
}

bool fvi_type_product(const fvi_type *t, int from, int to, int64_t *out)
{
    int64_t n = 1;
    bool symbolic = false;
    for (int i = from; i < to; i++) {
        int64_t d = t->dim[i];
        if (d <= FV_ANY) return false;
        if (fvi_dim_symbolic(d)) {
            if (symbolic) return false;
            symbolic = true;
            d = -d;
        }
        if (!fvi_mul_i64(n, d, &n)) return false;
    }
    *out = symbolic ? -n : n;
    return true;
}

const char *fvi_type_text(const fvi_type *t, char buf[FVI_TYPE_TEXT])
{
    size_t at = (size_t)snprintf(buf, FVI_TYPE_TEXT, "(");
    for (int i = 0; i < t->rank && at < FVI_TYPE_TEXT - 30; i++) {
        const char *comma = i + 1 < t->rank ? ", " : (t->rank == 1 ? "," : "");
        const int64_t d = t->dim[i];
        if (d == FV_RAGGED) at += (size_t)snprintf(buf + at, FVI_TYPE_TEXT - at, "ragged%s", comma);
        else if (d == FV_ANY) at += (size_t)snprintf(buf + at, FVI_TYPE_TEXT - at, "any%s", comma);
        else if (d == FV_N) at += (size_t)snprintf(buf + at, FVI_TYPE_TEXT - at, "N%s", comma);
        else if (d < 0) at += (size_t)snprintf(buf + at, FVI_TYPE_TEXT - at, "%lldN%s", (long long)-d, comma);
        else at += (size_t)snprintf(buf + at, FVI_TYPE_TEXT - at, "%lld%s", (long long)d, comma);
    }
    snprintf(buf + at, FVI_TYPE_TEXT - at, ") %s", fv_dtype_name(t->dtype));
    return buf;
}

bool fvi_type_broadcast(const fvi_type *a, const fvi_type *b, fvi_type *out)
{
    const int rank = FVI_MAX(a->rank, b->rank);
    fvi_type t = {.dtype = a->dtype, .rank = rank};
    for (int i = 1; i <= rank; i++) {
        const int64_t x = i <= a->rank ? a->dim[a->rank - i] : 1, y = i <= b->rank ? b->dim[b->rank - i] : 1;
        if (x != y && x != 1 && y != 1) return false;
        t.dim[rank - i] = x == 1 ? y : x;
    }
    *out = t;
    return true;
}
