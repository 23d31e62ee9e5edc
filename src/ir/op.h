/* SPDX-License-Identifier: Apache-2.0 */
/* The op record: everything the engine knows about an operation, in one constant table entry. One op = one file in
 * src/ops/; companion records (gradients of a convolution) live in the same file. The build globs the folder; nothing
 * else is edited. Identity on disk is name + version.
 *
 * Kinds: PRIMITIVE has a reference kernel and a gradient made of graph nodes; COMPOSITE has `expand` (and may have a
 * gradient and a reference of its own, tested against the expansion); DISCRETE and EFFECT have a written reason instead
 * of a gradient. */
#ifndef FVI_OP_H
#define FVI_OP_H

#include "base/attr.h"
#include "ir/type.h"

typedef struct fvi_op fvi_op;
typedef struct fvi_node fvi_node;
struct fvi_onnx;

/* A node may have any number of inputs (fvi_op.n_in_max FVI_ANY_IN: concat); few have more than FVI_FEW_IN, the room kept
 * for them on stacks. */
enum { FVI_FEW_IN = 16, FVI_ANY_IN = 1 << 24, FVI_MAX_OUT = 8, FVI_SAMPLE_IN = 10 };

typedef enum fvi_op_kind { FVI_PRIMITIVE, FVI_COMPOSITE, FVI_DISCRETE, FVI_EFFECT, FVI_SOURCE } fvi_op_kind;
/* What mixed precision does with float inputs (autocast): LOW casts to bf16, F32 casts to f32, FOLLOWS takes the widest
 * of its inputs, ANY takes every input as it comes (the op handles mixed types itself). */
typedef enum fvi_precision { FVI_PRECISION_FOLLOWS, FVI_PRECISION_LOW, FVI_PRECISION_F32, FVI_PRECISION_ANY } fvi_precision;

/* Shape inference: read in[], attr; write out[] (fvi_op.n_out of them). Every user error is caught here. */
typedef struct fvi_infer {
    fv_context *ctx;
    const char *path;                  /* layer path for messages */
    const fvi_op *op;
    const void *attr;
    int n_in;
    const fvi_type *in;                /* types of the inputs, dims may be symbolic */
    fvi_type *out;
} fvi_infer;
/* "layer1.0.conv1 (conv2d): <message>" with code SHAPE. */
FV_CHECKED fv_status fvi_infer_fail(const fvi_infer *c, const char *fmt, ...) FV_PRINTF(2, 3);

/* Gradient: add nodes with fvi_emit and friends; set din[i] (NULL = no gradient flows to input i).
 * dout[k] is NULL when output k has no gradient; at least one is given. need[i] says whether din[i] is wanted. */
typedef struct fvi_gradient {
    fv_graph *g;
    const fvi_node *node;
    fv_value *const *in, *const *out;  /* the forward node's inputs and outputs */
    fv_value *const *dout;
    fv_value **din;
    const bool *need;
} fvi_gradient;

/* Expansion of a composite: set out[k]. */
typedef struct fvi_expansion { fv_graph *g; const fvi_node *node; fv_value *const *in; fv_value **out; } fvi_expansion;

/* Reference kernel: plain row-major tensors; every floating tensor is double, every integer or boolean one int64_t
 * (the executor converts), so one source of truth serves all dtypes. `type` is bound (no N). Ragged inputs have their
 * actual number of rows in type.dim[0]. Must write every element of every output. */
typedef struct fvi_ref_tensor { fvi_type type; union { double *f; int64_t *i; void *p; }; } fvi_ref_tensor;
typedef struct fvi_ref {
    const fvi_node *node;
    const void *attr;
    int n_in, n_out;
    const fvi_ref_tensor *in, *out;
    struct fvi_exec *exec;             /* communicator of collectives; see ir/kernel.h */
} fvi_ref;

/* A case every test runs: shapes (FV_N allowed; tests bind N = 2 and 3), attribute struct, and how inputs are drawn. */
typedef enum fvi_draw {
    FVI_DRAW_NORMAL,                   /* N(0,1) */
    FVI_DRAW_POSITIVE,                 /* U(0.2, 2) */
    FVI_DRAW_AWAY,                     /* |x| in (0.1, 2): away from a kink at 0 */
    FVI_DRAW_DISTINCT,                 /* all values at least 0.01 apart: max pooling, max */
    FVI_DRAW_UNIT,                     /* U(0.05, 0.95) */
    FVI_DRAW_PROBABILITY,              /* rows (last axis) sum to 1 */
    FVI_DRAW_INDEX,                    /* i64 in 0 .. `classes`-1 */
    FVI_DRAW_WHOLE,                    /* whole numbers in -`classes` .. `classes` */
    FVI_DRAW_COUNTS,                   /* i64 rows of each sample of the ragged input before it (0..3 each) */
    FVI_DRAW_ZERO, FVI_DRAW_ONE,       /* constants, e.g. a skip flag */
    FVI_DRAW_STEP,                     /* small positive integer-valued float, e.g. Adam's step */
} fvi_draw;
typedef struct fvi_sample_in { fv_dtype dtype; int rank; int64_t dim[FV_MAX_RANK]; fvi_draw draw; int64_t classes; bool no_grad; } fvi_sample_in;
/* in: dtype FV_F64 for floats; tests change it */
typedef struct fvi_sample { const char *name; const void *attr; int n_in; fvi_sample_in in[FVI_SAMPLE_IN]; } fvi_sample;

struct fvi_op {
    const char *name;
    int version;
    fvi_op_kind kind;
    const char *doc;                   /* one line with the formula */
    int n_in_min, n_in_max, n_out;     /* trailing inputs may be left out */
    size_t attr_size;
    const fvi_attr_def *attrs;         /* NULL when there are none */
    fv_status (*infer)(fvi_infer *c);
    fv_status (*grad)(fvi_gradient *c);
    const char *no_grad;               /* the reason, when grad is NULL (not for composites, which expand first) */
    fv_status (*expand)(fvi_expansion *c);
    /* Recomputation (compile/recompute.c): sets out[0] to output 0 made again from the node's inputs and other outputs,
     * equal bit for bit. Cheap ops have it. */
    fv_status (*again)(fvi_expansion *c);
    void (*ref)(const fvi_ref *r);
    const fvi_sample *samples;
    int n_samples;
    /* inplace[k] = 1 + index of the input whose storage output k may take over (0: none), reference included. */
    int8_t inplace[FVI_MAX_OUT];
    bool alias;                        /* output 0 is input 0's memory when plain (reshape) */
    fvi_precision precision;
    bool elementwise;                  /* output element i depends on element i of same-shaped inputs (others broadcast) */
    bool random;                       /* draws random bits: never merged with a twin */
    double (*flops)(const fvi_node *node);      /* of a node with bound types; NULL: 0 */
    /* ONNX (ir/onnx.h): the operator that does the same to the same inputs, or a function that adds nodes. */
    const char *onnx;
    void (*onnx_emit)(struct fvi_onnx *o);
};

/* What an op file exports: FVI_OPS(relu, &op_relu, &op_relu_backward) in src/ops/relu.c. */
typedef struct fvi_op_list { int count; const fvi_op *const *ops; } fvi_op_list;
#define FVI_OPS(file, ...)                                                              \
    extern const fvi_op_list fvi_ops_##file;                                            \
    static const fvi_op *const fvi_ops_array_##file[] = {__VA_ARGS__};                  \
    const fvi_op_list fvi_ops_##file = {FVI_COUNT(fvi_ops_array_##file), fvi_ops_array_##file}

/* Common infer functions. */
FV_CHECKED fv_status fvi_infer_same(fvi_infer *c);          /* out[0] = in[0] */
FV_CHECKED fv_status fvi_infer_broadcast(fvi_infer *c);     /* out[0] = broadcast of all inputs, dtype of in[0] */

/* fvi_op.again of ops that read their inputs only: the same once more. */
FV_CHECKED fv_status fvi_again(fvi_expansion *c);

/* ---- building nodes from inside gradients and expansions ---- */
/* Node of op `name` (looked up in the graph's op table); attr NULL = defaults. Returns output 0; NULL after an error. */
fv_value *fvi_emit(fv_graph *g, const char *op, const void *attr, int n_in, ...);
fv_value *fvi_emit_v(fv_graph *g, const char *op, const void *attr, int n_in, fv_value *const *in);
fv_value *fvi_emit_cast(fv_graph *g, fv_value *v, fv_dtype dtype);   /* v itself when it has the dtype */
/* v summed down to the shape of `like` (inverse of broadcasting); v itself when the shapes agree. */
fv_value *fvi_sum_to(fv_graph *g, fv_value *v, const fv_value *like);

#endif
