/* SPDX-License-Identifier: Apache-2.0 */
/* Tensor types: dtype, rank, dimensions; a dimension d < 0 means (-d) * N (N = symbolic batch size). */
#ifndef FVI_TYPE_H
#define FVI_TYPE_H

#include "base/base.h"
#include "fovea/graph.h"

typedef struct fvi_type { fv_dtype dtype; int rank; int64_t dim[FV_MAX_RANK]; } fvi_type;

static inline bool fvi_dim_symbolic(int64_t d) { return d < 0 && d > FV_ANY; }
static inline int64_t fvi_dim_bind(int64_t d, int64_t n) { return fvi_dim_symbolic(d) ? -d * n : d; }

fvi_type fvi_type_make(fv_dtype dtype, int rank, const int64_t *dims);
bool fvi_type_equal(const fvi_type *a, const fvi_type *b);
bool fvi_type_same_shape(const fvi_type *a, const fvi_type *b);
fvi_type fvi_type_bind(const fvi_type *t, int64_t n);                /* every k*N replaced; ragged stays */
int64_t fvi_type_numel(const fvi_type *bound);                       /* of a bound type; -1 on overflow or ragged */
size_t fvi_type_bytes(const fvi_type *bound);
/* Product of dims [from, to) that may contain N once: symbolic product. false: N twice, overflow or ragged. */
bool fvi_type_product(const fvi_type *t, int from, int to, int64_t *out);
/* "(N, 64, 8, 8) f32" into buf; returns buf. */
#define FVI_TYPE_TEXT 128
const char *fvi_type_text(const fvi_type *t, char buf[FVI_TYPE_TEXT]);
/* NumPy broadcasting of two shapes; false when they do not fit. N matches N or 1. */
bool fvi_type_broadcast(const fvi_type *a, const fvi_type *b, fvi_type *out);

#endif
