/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a convolution by F(4x4, 3x3) (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016,
 * section 4.1 and its matrices for m = 4, r = 3): a tile of 6x6 pixels makes 4x4 outputs through 36 products over
 * channels. A channel block is a vector. For `count` tiles from `first`:
 *   v [36][count][row]       transformed pixels, row = C rounded up + 16 floats (no power of two: rows fall on
 *                            different sets)
 *   u [36][O/b][C up to b][b]  transformed weights, FVI_WINOGRAD16 or 8
 *   m [36][count][O up to b]   products */
#ifndef FVI_ISA_WINOGRAD_H
#define FVI_ISA_WINOGRAD_H

#include "cpu/isa.h"

typedef struct fvi_winograd_shape {
    int64_t n, c, h, w, o, oh, ow;     /* c, o: rounded up to blocks */
    int64_t padding[2];
    int64_t tiles_h, tiles_w;
    int64_t row;                       /* of v, in floats */
    int act;                           /* FVI_ACT_ */
} fvi_winograd_shape;

enum { FVI_WINOGRAD_GROUP = 4 };       /* channel blocks of one call of the product */

/* v of channel block `cb`, tiles from..to of the chunk that begins with tile `first` and has `count`. */
FVI_ISA_DECLARE(void, fvi_winograd_input,
                (const fvi_winograd_shape *s, const float *x, int64_t first, int64_t count, int64_t cb, int64_t from,
                 int64_t to, float *v))
/* m of element e, FVI_WINOGRAD_GROUP output blocks from `ob` on. */
FVI_ISA_DECLARE(void, fvi_winograd_product,
                (const fvi_winograd_shape *s, const float *v, const float *u, int64_t count, int64_t e, int64_t ob,
                 float *m))
/* y of output block `ob`; bias (o of them) and addend (as y, may be y) may be NULL. */
FVI_ISA_DECLARE(void, fvi_winograd_output,
                (const fvi_winograd_shape *s, const float *m, const float *bias, const float *addend, int64_t first,
                 int64_t count, int64_t ob, int64_t from, int64_t to, float *y))
/* u of output block `ob` from weights w (outs, ins, 3, 3) in any order: the element (o, i, k) lies at o_at[o] + i_at[i]
 * + k_at[k]. */
FVI_ISA_DECLARE(void, fvi_winograd_weights,
                (const float *w, const int64_t *o_at, const int64_t *i_at, const int64_t k_at[9], int64_t outs,
                 int64_t ins, int64_t ob, float *u))

#endif
