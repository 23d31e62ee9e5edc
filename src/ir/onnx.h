/* SPDX-License-Identifier: Apache-2.0 */
/* How an op says what it is in ONNX. A record names the one operator that does the same to the same inputs (`onnx`), or has a
 * function that adds several nodes (`onnx_emit`); a composite with neither is expanded first. What src/onnx does with it
 * is behind function pointers, because ops stand on a lower floor. An error is sticky: emitters need not look. */
#ifndef FVI_IR_ONNX_H
#define FVI_IR_ONNX_H

#include "ir/graph.h"

typedef enum fvi_onnx_kind { FVI_ONNX_NONE, FVI_ONNX_IS_INT, FVI_ONNX_IS_FLOAT, FVI_ONNX_IS_INTS, FVI_ONNX_IS_TEXT } fvi_onnx_kind;
typedef struct fvi_onnx_attr {
    const char *name;
    fvi_onnx_kind kind;
    int64_t i;
    double f;
    const int64_t *ints;
    int n;
    const char *text;
} fvi_onnx_attr;
#define FVI_ONNX_INT(name_, value) {.name = (name_), .kind = FVI_ONNX_IS_INT, .i = (value)}
#define FVI_ONNX_FLOAT(name_, value) {.name = (name_), .kind = FVI_ONNX_IS_FLOAT, .f = (value)}
#define FVI_ONNX_TEXT(name_, value) {.name = (name_), .kind = FVI_ONNX_IS_TEXT, .text = (value)}
#define FVI_ONNX_INTS(name_, n_, values) {.name = (name_), .kind = FVI_ONNX_IS_INTS, .ints = (values), .n = (n_)}

/* Element types of the file. Every floating type of ours is f32 there. */
enum { FVI_ONNX_F32 = 1, FVI_ONNX_U8 = 2, FVI_ONNX_I32 = 6, FVI_ONNX_I64 = 7, FVI_ONNX_BOOL = 9 };
static inline int fvi_onnx_type(fv_dtype d)
{
    return fv_dtype_is_float(d) ? FVI_ONNX_F32 : d == FV_I64 ? FVI_ONNX_I64 : d == FV_I32 ? FVI_ONNX_I32 : d == FV_U8 ? FVI_ONNX_U8 : FVI_ONNX_BOOL;
}

/* A node to be added: inputs up to the first NULL ("" leaves an optional one out), attributes up to the first nameless. */
typedef struct fvi_onnx_op {
    const char *type;
    const char *in[6];
    fvi_onnx_attr attrs[8];
    const char *out[3];                /* NULL: a new name for output 0, no further output */
    const char *const *list;           /* instead of `in`, for operators with any number of inputs */
    int n_list;
} fvi_onnx_op;

typedef struct fvi_onnx fvi_onnx;
struct fvi_onnx {
    const fvi_node *node;
    const void *attr;
    int opset;                         /* 11 .. 17 */
    int n_in;
    const char *const *in;             /* names of tensors */
    const char *out[FVI_MAX_OUT];      /* names wanted; NULL: nobody reads this output */
    /* Adds a node and returns the name of its output 0. */
    const char *(*add)(fvi_onnx *o, const fvi_onnx_op *op);
    /* Constants: a float scalar; whole numbers (rank 1). */
    const char *(*number)(fvi_onnx *o, double value);
    const char *(*ints)(fvi_onnx *o, int n, const int64_t *values);
    /* Dimensions that may hold k*N, as whole numbers computed from the batch size at run time. */
    const char *(*shape)(fvi_onnx *o, int n, const int64_t *dims);
    /* A new name, for a further output of a node. */
    const char *(*fresh)(fvi_onnx *o);
    /* Output k is the tensor of this name. */
    void (*same)(fvi_onnx *o, int k, const char *name);
    void (*fail)(fvi_onnx *o, const char *fmt, ...) FV_PRINTF(2, 3);
};

/* ---- short forms ---- */

static inline const char *fvi_onnx_1(fvi_onnx *o, const char *type, const char *x)
{
    return o->add(o, &(fvi_onnx_op){.type = type, .in = {x}});
}

static inline const char *fvi_onnx_2(fvi_onnx *o, const char *type, const char *a, const char *b)
{
    return o->add(o, &(fvi_onnx_op){.type = type, .in = {a, b}});
}

/* The same as output 0 of the op. */
static inline void fvi_onnx_end_1(fvi_onnx *o, const char *type, const char *x)
{
    o->add(o, &(fvi_onnx_op){.type = type, .in = {x}, .out = {o->out[0]}});
}

static inline void fvi_onnx_end_2(fvi_onnx *o, const char *type, const char *a, const char *b)
{
    o->add(o, &(fvi_onnx_op){.type = type, .in = {a, b}, .out = {o->out[0]}});
}

/* x, which has type `from`, as type `to`; `out` may be NULL. */
static inline const char *fvi_onnx_cast(fvi_onnx *o, const char *x, int from, int to, const char *out)
{
    if (from == to && !out) return x;
    if (from == to) return o->add(o, &(fvi_onnx_op){.type = "Identity", .in = {x}, .out = {out}});
    return o->add(o, &(fvi_onnx_op){.type = "Cast", .in = {x}, .out = {out}, .attrs = {FVI_ONNX_INT("to", to)}});
}

/* Input k as truth values. */
static inline const char *fvi_onnx_truth(fvi_onnx *o, int k)
{
    return fvi_onnx_cast(o, o->in[k], fvi_onnx_type(o->node->in[k]->type.dtype), FVI_ONNX_BOOL, NULL);
}

/* 0 and 1 in the type of the op's output, from truth values. */
static inline void fvi_onnx_end_mask(fvi_onnx *o, const char *mask)
{
    fvi_onnx_cast(o, mask, FVI_ONNX_BOOL, fvi_onnx_type(o->node->out[0].type.dtype), o->out[0]);
}

/* Operators whose axes are an attribute before opset `since` and an input from then on. `out` may be NULL. */
static inline const char *fvi_onnx_axes(fvi_onnx *o, const char *type, const char *x, int n, const int64_t *axes, int since, int keep, const char *out)
{
    fvi_onnx_op op = {.type = type, .in = {x}, .out = {out}};
    int k = 0;
    if (keep >= 0) op.attrs[k++] = (fvi_onnx_attr)FVI_ONNX_INT("keepdims", keep);
    if (o->opset < since) op.attrs[k] = (fvi_onnx_attr)FVI_ONNX_INTS("axes", n, axes);
    else op.in[1] = o->ints(o, n, axes);
    return o->add(o, &op);
}

/* x seen with another shape: a dimension k*N is copied where x has it in the same place, else -1. */
static inline const char *fvi_onnx_reshape(fvi_onnx *o, const char *x, const fvi_type *from, const fvi_type *to, const char *out)
{
    int64_t dims[FV_MAX_RANK] = {0};
    for (int i = 0; i < to->rank; i++) {
        const int64_t d = to->dim[i];
        dims[i] = d > 0 ? d : i < from->rank && from->dim[i] == d ? 0 : -1;
    }
    return o->add(o, &(fvi_onnx_op){.type = "Reshape", .in = {x, o->ints(o, to->rank, dims)}, .out = {out}});
}

/* The last two axes exchanged. */
static inline const char *fvi_onnx_transpose(fvi_onnx *o, const char *x, int rank)
{
    int64_t perm[FV_MAX_RANK];
    for (int i = 0; i < rank; i++) perm[i] = i < rank - 2 ? i : 2 * rank - 3 - i;
    return o->add(o, &(fvi_onnx_op){.type = "Transpose", .in = {x}, .attrs = {FVI_ONNX_INTS("perm", rank, perm)}});
}

#endif
