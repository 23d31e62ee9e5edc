/* SPDX-License-Identifier: Apache-2.0 */
/* Memory orders. FVI_PLAIN is row-major; the others are named as oneDNN spells them: lower-case letters are axes from
 * outermost to innermost, an upper-case letter is an axis split in blocks whose inner parts follow with their size.
 * A blocked axis is padded to a multiple of its block; padding is zero and every kernel keeps it zero.
 *
 * Those behind FVI_OPAQUE are derived: f32 weights (O, C, 3, 3) after Winograd's transform for F(4x4, 3x3), G g G^T (Lavin and
 * Gray, "Fast Algorithms for Convolutional Neural Networks", 2016), for the points 0, +-a, +-b and infinity, as
 * [36][O/b][C rounded up to b][b]. Kernels may ask for them; there is no way back, so no variable lives in them. */
#ifndef FVI_LAYOUT_H
#define FVI_LAYOUT_H

#include "ir/type.h"

/* X(name, rank, spelling) */
#define FVI_LAYOUT_LIST(X)                                       \
    X(PLAIN, 0, "plain")                                         \
    X(NHWC, 4, "acdb")                                           \
    X(NCHW16C, 4, "aBcd16b")                                     \
    X(NCHW8C, 4, "aBcd8b")                                       \
    X(OHWI, 4, "acdb*")                                          \
    X(HWIO, 4, "cdba")                                           \
    X(OHWI16O, 4, "Acdb16a")                                     \
    X(OHWI8O, 4, "Acdb8a")                                       \
    X(OIHW16O, 4, "Abcd16a")                                     \
    X(OIHW8O, 4, "Abcd8a")                                       \
    X(OIHW16I16O, 4, "ABcd16b16a")                               \
    X(OIHW16O16I, 4, "ABcd16a16b")                               \
    X(OIHW8I8O, 4, "ABcd8b8a")                                   \
    X(OIHW8O8I, 4, "ABcd8a8b")                                   \
    X(OIHW8I16O2I, 4, "ABcd8b16a2b")                             \
    X(OIHW8O16I2O, 4, "ABcd8a16b2a")                             \
    X(IOHW16O16I, 4, "BAcd16a16b")                               \
    X(IOHW8O16I2O, 4, "BAcd8a16b2a")                             \
    X(IOHW8O8I, 4, "BAcd8a8b")                                   \
    X(BA, 2, "ba")                                               \
    X(OPAQUE, 0, "opaque")                                       \
    X(WINOGRAD16, 4, "winograd16")                               \
    X(WINOGRAD8, 4, "winograd8")

typedef enum fvi_layout {
#define FVI_LAYOUT_ENUM(name, rank, text) FVI_##name,
    FVI_LAYOUT_LIST(FVI_LAYOUT_ENUM)
#undef FVI_LAYOUT_ENUM
    FVI_LAYOUT_COUNT
} fvi_layout;

const char *fvi_layout_name(fvi_layout l);                      /* the spelling ("*" stripped) */
/* The usual points 1 and 2 lose 2.3 times as much (rms error; five times the largest) to rounding; these are short binary fractions. */
#define FVI_WINOGRAD_A 0.625f
#define FVI_WINOGRAD_B 1.5f
bool fvi_layout_derived(fvi_layout l);
/* Elements stored, padding included, of a bound type. PLAIN and permutations: the number of elements. */
int64_t fvi_layout_elements(fvi_layout l, const fvi_type *t);
size_t fvi_layout_bytes(fvi_layout l, const fvi_type *t);
/* Plain C conversion of any enumerated layout to any other (padding zeroed); src and dst of the same dtype. false: no memory, or from a derived one. For load,
 * save and references; the CPU backend has a fast reorder. */
bool fvi_layout_convert(const fvi_type *t, const void *src, fvi_layout from, void *dst, fvi_layout to);
/* table[i] = offset in elements of index i on `axis`; an element lies at the sum over the axes. Not for derived layouts. */
void fvi_layout_offsets(fvi_layout l, const fvi_type *t, int axis, int64_t *table);
/* Size of the innermost channel block of an activation layout: NCHW16C 16, NCHW8C 8, else 1. */
int fvi_layout_block(fvi_layout l);

#endif
