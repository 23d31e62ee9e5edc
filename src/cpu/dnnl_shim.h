/* SPDX-License-Identifier: Apache-2.0 */
/* oneDNN behind one door: no other file includes its headers, and this one shows none of its types. Versions 2.6 and
 * 3.x.
 *
 * A primitive is made in two steps. fvi_dnnl_conv and friends pick the implementation (cheap, enough for choose());
 * fvi_dnnl_ready compiles it. It then runs with pointers only. Scratch memory is always the caller's.
 *
 * Nothing is padded here: whoever has a channel count that is no multiple of a layout's block describes the tensor with
 * the rounded-up count, the padding being zero. So oneDNN never has padding of its own to clear. */
#ifndef FVI_DNNL_SHIM_H
#define FVI_DNNL_SHIM_H

#include "ir/layout.h"

typedef struct fvi_dnnl fvi_dnnl;

/* Places of a primitive's arguments, in descriptors, queries and runs alike. */
enum { FVI_DNNL_SRC, FVI_DNNL_WEIGHTS, FVI_DNNL_BIAS, FVI_DNNL_DST, FVI_DNNL_ADDEND, FVI_DNNL_SLOTS };

typedef struct fvi_dnnl_tensor {
    fv_dtype dtype;                    /* f32, bf16 */
    int rank;                          /* 0: this tensor is absent */
    int64_t dim[FV_MAX_RANK];
    fvi_layout layout;                 /* FVI_OPAQUE: the library's choice */
    int64_t groups;                    /* grouped weights (O, I/g, kh, kw): number of groups; else 0 or 1 */
    bool strided;                      /* `stride` instead of `layout` */
    int64_t stride[FV_MAX_RANK];
} fvi_dnnl_tensor;

typedef enum fvi_dnnl_pass {
    FVI_DNNL_FORWARD, FVI_DNNL_INFERENCE, FVI_DNNL_BACKWARD_DATA, FVI_DNNL_BACKWARD_WEIGHTS
} fvi_dnnl_pass;
typedef enum fvi_dnnl_act { FVI_DNNL_NONE, FVI_DNNL_RELU, FVI_DNNL_SILU } fvi_dnnl_act;

typedef struct fvi_dnnl_conv_desc {
    fvi_dnnl_pass pass;
    bool winograd;                     /* else direct */
    fvi_dnnl_tensor src, weights, bias, dst;      /* backward: their gradients where the pass makes them */
    int64_t stride[2], padding[2], dilation[2];   /* dilation as in PyTorch: 1 = dense */
    /* After the sum, forward only: y = act(conv + bias + addend). in_dst: the addend already lies in dst. */
    bool add_in_dst;
    fvi_dnnl_tensor addend;
    fvi_dnnl_act act;
} fvi_dnnl_conv_desc;

/* What kind of implementation was found: compiled for the shape, a convolution by im2col, the library's reference. */
typedef enum fvi_dnnl_speed { FVI_DNNL_FAST, FVI_DNNL_GEMM, FVI_DNNL_REFERENCE } fvi_dnnl_speed;

/* All creators: *out is NULL on failure. A NULL context is allowed and only loses the message. UNSUPPORTED: the library
 * has nothing for it, or only something slower than `slowest`. */
FV_CHECKED fv_status fvi_dnnl_conv(fv_context *ctx, const fvi_dnnl_conv_desc *d, int threads, fvi_dnnl_speed slowest,
                                   fvi_dnnl **out);
/* dst = src x weights (+ bias, rank as dst, 1 in broadcast axes) (+ dst when accumulate). */
FV_CHECKED fv_status fvi_dnnl_matmul(fv_context *ctx, const fvi_dnnl_tensor *src, const fvi_dnnl_tensor *weights,
                                     const fvi_dnnl_tensor *bias, const fvi_dnnl_tensor *dst, bool accumulate,
                                     int threads, fvi_dnnl_speed slowest, fvi_dnnl **out);
/* SRC to what primitive `p` takes in `slot`, its private layout included; and DST from what it makes there. Types are
 * alike. Part of the primitive, not a copy of bits: bf16 denormals may become zero, as the products of such a processor
 * take them. */
FV_CHECKED fv_status fvi_dnnl_reorder_for(fv_context *ctx, const fvi_dnnl_tensor *src, const fvi_dnnl *p, int slot,
                                          int threads, fvi_dnnl **out);
FV_CHECKED fv_status fvi_dnnl_reorder_from(fv_context *ctx, const fvi_dnnl *p, int slot, const fvi_dnnl_tensor *dst,
                                           int threads, fvi_dnnl **out);

FV_CHECKED fv_status fvi_dnnl_ready(fv_context *ctx, fvi_dnnl *p);
/* ptr has FVI_DNNL_SLOTS places; absent ones are not looked at. `scratch` of fvi_dnnl_scratch bytes, 64-byte
 * aligned. */
FV_CHECKED fv_status fvi_dnnl_run(fv_context *ctx, fvi_dnnl *p, void *const *ptr, void *scratch);
void fvi_dnnl_free(fvi_dnnl *p);       /* NULL is allowed */

size_t fvi_dnnl_scratch(const fvi_dnnl *p);
/* The layout that a slot has, FVI_OPAQUE when it is none of ours; and its bytes. */
fvi_layout fvi_dnnl_layout(const fvi_dnnl *p, int slot);
size_t fvi_dnnl_bytes(const fvi_dnnl *p, int slot);
bool fvi_dnnl_same_layout(const fvi_dnnl *a, const fvi_dnnl *b, int slot);      /* private ones included */
const char *fvi_dnnl_impl(const fvi_dnnl *p);          /* "jit:avx512_core"; lives as long as p */
fvi_dnnl_speed fvi_dnnl_speed_of(const fvi_dnnl *p);

/* Caps the instruction set: 0 SSE4.1, 1 AVX2, 2 AVX-512, 3 AVX-512 with bf16. Only before the first primitive of the
 * process; false when it is too late. */
bool fvi_dnnl_limit_isa(int level);
/* What the library uses now, on the same scale. */
int fvi_dnnl_isa(void);
const char *fvi_dnnl_version(void);                    /* "2.6.3" */
bool fvi_dnnl_has_winograd(void);

#endif
