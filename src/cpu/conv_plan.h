/* SPDX-License-Identifier: Apache-2.0 */
/* One convolution pass on oneDNN: which algorithm and which memory orders, then running it. Shared by conv2d, its two
 * gradients and conv2d_act. The numbers behind the choice are in docs/kernels.md. */
#ifndef FVI_CONV_PLAN_H
#define FVI_CONV_PLAN_H

#include "cpu/dnnl_shim.h"
#include "ir/kernel.h"
#include "ops/conv2d.h"

/* The geometry. Layouts: on entry of fvi_conv_choose what the producers give (src of the gradient with respect to it
 * and the weights of wgrad: ignored), on return what is wanted or made. */
typedef struct fvi_conv_case {
    fvi_dnnl_pass pass;                /* FORWARD, BACKWARD_DATA, BACKWARD_WEIGHTS */
    fv_dtype dtype, weights_dtype, bias_dtype;
    int64_t n, c, h, w, o, oh, ow, kh, kw, groups;
    int64_t stride[2], padding[2], dilation[2];
    bool bias, addend;
    fvi_dnnl_act act;
    fvi_layout src, weights, dst;      /* x or dx; w or dw; y or dy. addend: that of dst */
} fvi_conv_case;

/* x, w, y are the types of the operands that play these parts in the forward direction. */
void fvi_conv_case_set(fvi_conv_case *c, fvi_dnnl_pass pass, const fvi_conv2d_attr *a, const fvi_type *x,
                       const fvi_type *w, const fvi_type *y);
/* "f32 n128 c64 h32 w32 o64 k3x3 s1x1 p1x1 d1x1 g1 t2": the key of kernel tables. */
enum { FVI_CONV_KEY = 160 };
void fvi_conv_key(const fvi_conv_case *c, int threads, char key[FVI_CONV_KEY]);
#define FVI_CONV_OWN "winograd_own"    /* the one of k_winograd.c */
extern const char *const fvi_conv_variants[];          /* names that a table may give; NULL-terminated */
/* Decides; false when oneDNN cannot do it. `op` is the name to look up in the table. */
bool fvi_conv_choose(fvi_conv_case *c, const char *op, const fvi_env *env);

typedef struct fvi_conv fvi_conv;
/* c has the layouts that fvi_conv_choose gave. */
FV_CHECKED fv_status fvi_conv_create(const fvi_conv_case *c, const char *op, const fvi_env *env, fvi_conv **out,
                                     size_t *scratch_bytes);
/* addend may be the same memory as dst. Backward passes write src or weights. */
FV_CHECKED fv_status fvi_conv_run(fvi_conv *p, void *src, void *weights, const void *bias, const void *addend,
                                  void *dst, void *scratch, const fvi_exec *x);
bool fvi_conv_has_bias(const fvi_conv *p);
bool fvi_conv_has_addend(const fvi_conv *p);
void fvi_conv_destroy(void *p);
/* "jit:avx512_core nchw16c" */
const char *fvi_conv_describe(const void *p);

#endif
