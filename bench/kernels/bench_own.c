/* SPDX-License-Identifier: Apache-2.0 */
/* Our own kernels, called through fvi_kernel, against oneDNN's primitive for the same work in the memory order it does
 * best in. Build and run on a quiet machine:
 *
 *   cmake --build build/release --target bench_own
 *   OMP_NUM_THREADS=2 OMP_PROC_BIND=close OMP_PLACES=cores build/release/bench/bench_own [words of case names ...]
 *
 * Columns: our milliseconds (the best of at least 5 runs and 0.3 s: other programs only ever slow a run), our GB/s over the
 * tensors once or GF/s of the direct algorithm, oneDNN's milliseconds and implementation, oneDNN's time over ours. */
#include "compile/registry.h"
#include "cpu/cpu.h"
#include "ops/activation.h"
#include "ops/batch_norm.h"
#include "ops/bn_act.h"
#include "ops/conv2d.h"
#include "ops/layer_norm.h"

#include <math.h>
#include <omp.h>
#include <oneapi/dnnl/dnnl.h>
#include <stdio.h>
#include <stdlib.h>

enum { RUNS = 5 };
static const double least_seconds = 0.3;

static void *filled(size_t bytes, bool bf16, bool positive, unsigned seed)
{
    void *p = fvi_malloc_aligned(bytes + 64);
    if (!p) exit(1);
    for (size_t i = 0; i < bytes / (bf16 ? 2 : 4); i++) {
        seed = seed * 1664525u + 1013904223u;
        const float f = (float)(seed >> 8) * 0x1p-23f - 1.0f, g = positive ? 0.5f + fabsf(f) : f;
        uint32_t bits;
        memcpy(&bits, &g, 4);
        if (bf16) ((uint16_t *)p)[i] = (uint16_t)(bits >> 16);
        else ((float *)p)[i] = g;
    }
    return p;
}

/* ---- ours --------------------------------------------------------------------------------------------------------- */

static const fvi_kernel *find_kernel(const char *op)
{
    const fvi_kernel *k = fvi_registry_next_kernel(op, NULL);
    while (k && !strncmp(k->name, "dnnl", 4)) k = fvi_registry_next_kernel(op, k);
    return k;
}

/* Types and layouts are filled in afterwards. */
static void open_query(fvi_query *q, int n_in, int n_out)
{
    memset(q, 0, sizeof *q);
    q->n_in = n_in;
    q->n_out = n_out;
    q->in = q->few.in;
    q->in_layout = q->few.layout;
}

static void tensor(fvi_type *t, fv_dtype dtype, int rank, const int64_t *dims)
{
    *t = fvi_type_make(dtype, rank, dims);
}

/* Best seconds; bytes of all tensors; negative when there is no kernel of ours. */
static double time_ours(fvi_query *q, const char *op, const void *attr, fvi_layout layout, double *bytes)
{
    const fvi_kernel *k = find_kernel(op);
    fvi_node node = {.op = fvi_registry_find_op(op), .attr = attr, .n_in = q->n_in, .n_out = q->n_out, .path = "bench"};
    fv_context *ctx = fv_context_create();
    const fvi_env env = {.ctx = ctx, .threads = omp_get_max_threads(), .isa = fvi_cpu_detect_isa(), .training = true, .layouts = true,
                         .conv_layout = layout};
    const fvi_exec x = {.ctx = ctx, .threads = env.threads};
    void *in[FVI_FEW_IN], *out[FVI_MAX_OUT], *state = NULL, *scratch;
    size_t scratch_bytes = 0;
    double best = INFINITY;
    if (!k || !node.op || !ctx) return -1;
    q->env = &env;
    q->node = &node;
    for (int i = 0; i < q->n_in; i++) q->in_layout[i] = q->in[i].rank == 4 && q->in[i].dim[1] > 1 ? layout : FVI_PLAIN;
    for (int i = 0; i < q->n_out; i++) q->out_used[i] = true;
    if (!k->choose(q) || k->prepare(q, &state, &scratch_bytes) != FV_OK) return -1;
    *bytes = 0;
    for (int i = 0; i < q->n_in; i++) {
        const size_t n = fvi_layout_bytes(q->in_layout[i], &q->in[i]);
        in[i] = filled(n, q->in[i].dtype == FV_BF16, q->in[i].rank < 2, 7u + (unsigned)i);
        *bytes += (double)n;
    }
    for (int i = 0; i < q->n_out; i++) {
        const size_t n = fvi_layout_bytes(q->out_layout[i], &q->out[i]);
        out[i] = filled(n, false, false, 1);
        *bytes += (double)n;
    }
    scratch = filled(scratch_bytes, false, false, 1);
    const double begin = fvi_seconds();
    for (int n = 0; n < RUNS || fvi_seconds() - begin < least_seconds; n++) {
        const double t = fvi_seconds();
        if (k->run(state, in, out, scratch, &x) != FV_OK) exit(1);
        best = fmin(best, fvi_seconds() - t);
    }
    for (int i = 0; i < q->n_in; i++) fvi_free_aligned(in[i], fvi_layout_bytes(q->in_layout[i], &q->in[i]) + 64);
    for (int i = 0; i < q->n_out; i++) fvi_free_aligned(out[i], fvi_layout_bytes(q->out_layout[i], &q->out[i]) + 64);
    fvi_free_aligned(scratch, scratch_bytes + 64);
    k->destroy(state);
    fv_context_destroy(ctx);
    return best;
}

/* ---- oneDNN -------------------------------------------------------------------------------------------------------- */

static dnnl_engine_t engine;
static dnnl_stream_t stream;

static void must(dnnl_status_t s)
{
    if (s == dnnl_success) return;
    fprintf(stderr, "oneDNN: status %d\n", (int)s);
    exit(1);
}

static dnnl_memory_desc_t memory(int rank, const int64_t *dims, bool bf16, dnnl_format_tag_t tag)
{
    dnnl_memory_desc_t d;
    dnnl_dims_t copy = {0};
    for (int i = 0; i < rank; i++) copy[i] = dims[i];
    must(dnnl_memory_desc_init_by_tag(&d, rank, copy, bf16 ? dnnl_bf16 : dnnl_f32, tag));
    return d;
}

/* Best seconds of the primitive of `op` with the arguments `args`; INFINITY where oneDNN has none. */
static double time_theirs(const void *op, const_dnnl_primitive_desc_t hint, const int *args, int n_args, char impl[64])
{
    dnnl_primitive_desc_t pd;
    dnnl_primitive_t p;
    dnnl_exec_arg_t list[16];
    void *data[16];
    size_t bytes[16];
    const char *name = "";
    double best = INFINITY;
    if (dnnl_primitive_desc_create(&pd, op, NULL, engine, hint) != dnnl_success) return INFINITY;
    must(dnnl_primitive_create(&p, pd));
    must(dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, &name));
    snprintf(impl, 64, "%s", name);
    for (int i = 0; i < n_args; i++) {
        const dnnl_memory_desc_t *d = dnnl_primitive_desc_query_md(pd, dnnl_query_exec_arg_md, args[i]);
        const bool bf16 = d->data_type == dnnl_bf16, positive = args[i] == DNNL_ARG_VARIANCE || args[i] == DNNL_ARG_MEAN;
        bytes[i] = dnnl_memory_desc_get_size(d);
        data[i] = filled(bytes[i], bf16, positive, 7u + (unsigned)i);
        list[i].arg = args[i];
        must(dnnl_memory_create(&list[i].memory, d, engine, data[i]));
    }
    const double begin = fvi_seconds();
    for (int n = 0; n < RUNS || fvi_seconds() - begin < least_seconds; n++) {
        const double t = fvi_seconds();
        must(dnnl_primitive_execute(p, stream, n_args, list));
        must(dnnl_stream_wait(stream));
        best = fmin(best, fvi_seconds() - t);
    }
    for (int i = 0; i < n_args; i++) {
        must(dnnl_memory_destroy(list[i].memory));
        fvi_free_aligned(data[i], bytes[i] + 64);
    }
    must(dnnl_primitive_destroy(p));
    must(dnnl_primitive_desc_destroy(pd));
    return best;
}

static void row(const char *name, bool bf16, double ours, double amount, const char *unit, double theirs, const char *impl)
{
    if (ours < 0) {
        printf("| %s | %s | no kernel of ours | | | | |\n", name, bf16 ? "bf16" : "f32");
        return;
    }
    printf("| %s | %s | %.3f | %.0f %s | %.3f | %s | %.2f |\n", name, bf16 ? "bf16" : "f32", ours * 1e3, amount / ours * 1e-9, unit,
           theirs * 1e3, impl, theirs / ours);
    fflush(stdout);
}

/* ---- depthwise ------------------------------------------------------------------------------------------------------ */

static double depthwise_theirs(int pass, int64_t n, int64_t c, int64_t s, int64_t k, bool bf16, char impl[64])
{
    static const dnnl_format_tag_t tags[] = {dnnl_nhwc, dnnl_nChw16c};
    const int64_t x[] = {n, c, s, s}, w[] = {c, 1, 1, k, k};
    const dnnl_dims_t strides = {1, 1}, pad = {k / 2, k / 2};
    double best = INFINITY;
    for (int i = 0; i < 2; i++) {
        const dnnl_memory_desc_t xd = memory(4, x, bf16, tags[i]), wd = memory(5, w, bf16 && pass < 2, dnnl_format_tag_any);
        const dnnl_memory_desc_t wf = memory(5, w, bf16, dnnl_format_tag_any);
        dnnl_convolution_desc_t fwd, d;
        dnnl_primitive_desc_t hint;
        char name[64] = "";
        must(dnnl_convolution_forward_desc_init(&fwd, dnnl_forward_training, dnnl_convolution_direct, &xd, &wf, NULL, &xd, strides, pad, pad));
        if (dnnl_primitive_desc_create(&hint, &fwd, NULL, engine, NULL) != dnnl_success) continue;
        static const int args[3][3] = {{DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST},
                                       {DNNL_ARG_DIFF_DST, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_SRC},
                                       {DNNL_ARG_SRC, DNNL_ARG_DIFF_DST, DNNL_ARG_DIFF_WEIGHTS}};
        d = fwd;
        if (pass == 1) must(dnnl_convolution_backward_data_desc_init(&d, dnnl_convolution_direct, &xd, &wd, &xd, strides, pad, pad));
        if (pass == 2) must(dnnl_convolution_backward_weights_desc_init(&d, dnnl_convolution_direct, &xd, &wd, NULL, &xd, strides, pad, pad));
        const double t = time_theirs(&d, pass ? hint : NULL, args[pass], 3, name);
        if (t < best) {
            best = t;
            snprintf(impl, 64, "%.40s %s", name, i ? "blocked" : "nhwc");
        }
        must(dnnl_primitive_desc_destroy(hint));
    }
    return best;
}

static void depthwise(int64_t n, int64_t c, int64_t s, int64_t k, bool bf16)
{
    static const char *const passes[] = {"fwd", "bwd-d", "bwd-w"}, *const ops[] = {"conv2d", "conv2d_dgrad", "conv2d_wgrad"};
    const fvi_conv2d_attr attr = {{1, 1}, {k / 2, k / 2}, {1, 1}, c, {s, s}, {k, k}};
    const int64_t x[] = {n, c, s, s}, w[] = {c, 1, k, k};
    const fv_dtype d = bf16 ? FV_BF16 : FV_F32;
    for (int pass = 0; pass < 3; pass++) {
        fvi_query q;
        open_query(&q, 2, 1);
        char name[64], impl[64] = "none";
        double bytes;
        tensor(&q.in[0], d, 4, x);
        tensor(&q.in[1], d, 4, pass < 2 ? w : x);
        tensor(&q.out[0], pass < 2 ? d : FV_F32, 4, pass < 2 ? x : w);
        const double ours = time_ours(&q, ops[pass], &attr, FVI_NHWC, &bytes), flops = 2.0 * (double)(n * c * s * s * k * k);
        snprintf(name, sizeof name, "depthwise %dx%d %d@%d %s", (int)k, (int)k, (int)c, (int)s, passes[pass]);
        row(name, bf16, ours, flops, "GF/s", depthwise_theirs(pass, n, c, s, k, bf16, impl), impl);
    }
}

/* ---- layer normalisation --------------------------------------------------------------------------------------------- */

static void layer_norm(int64_t rows, int64_t n, bool bf16)
{
    const fvi_layer_norm_attr attr = {1e-6, -1};
    const fv_dtype d = bf16 ? FV_BF16 : FV_F32;
    const int64_t x[] = {rows, n};
    const dnnl_memory_desc_t xd = memory(2, x, bf16, dnnl_ab), sd = memory(1, x, false, dnnl_a);
    const unsigned flags = dnnl_use_scale | dnnl_use_shift;
    dnnl_layer_normalization_desc_t fwd, bwd;
    dnnl_primitive_desc_t hint;
    char name[64], impl[64] = "none";
    double bytes;
    must(dnnl_layer_normalization_forward_desc_init(&fwd, dnnl_forward_training, &xd, &sd, 1e-6f, flags));
    must(dnnl_layer_normalization_backward_desc_init(&bwd, dnnl_backward, &xd, &xd, &sd, 1e-6f, flags));
    must(dnnl_primitive_desc_create(&hint, &fwd, NULL, engine, NULL));

    fvi_query q;
    open_query(&q, 3, 3);
    tensor(&q.in[0], d, 2, x), tensor(&q.in[1], FV_F32, 1, &n), tensor(&q.in[2], FV_F32, 1, &n);
    tensor(&q.out[0], d, 2, x), tensor(&q.out[1], FV_F32, 1, &rows), tensor(&q.out[2], FV_F32, 1, &rows);
    static const int fa[] = {DNNL_ARG_SRC, DNNL_ARG_DST, DNNL_ARG_SCALE, DNNL_ARG_SHIFT, DNNL_ARG_MEAN, DNNL_ARG_VARIANCE};
    double ours = time_ours(&q, "layer_norm", &attr, FVI_PLAIN, &bytes);
    snprintf(name, sizeof name, "layer norm %dx%d fwd", (int)rows, (int)n);
    row(name, bf16, ours, bytes, "GB/s", time_theirs(&fwd, NULL, fa, FVI_COUNT(fa), impl), impl);

    open_query(&q, 5, 3);
    tensor(&q.in[0], d, 2, x), tensor(&q.in[1], d, 2, x), tensor(&q.in[2], FV_F32, 1, &rows), tensor(&q.in[3], FV_F32, 1, &rows);
    tensor(&q.in[4], FV_F32, 1, &n), tensor(&q.out[0], d, 2, x), tensor(&q.out[1], FV_F32, 1, &n), tensor(&q.out[2], FV_F32, 1, &n);
    static const int ba[] = {DNNL_ARG_SRC, DNNL_ARG_DIFF_DST, DNNL_ARG_DIFF_SRC, DNNL_ARG_SCALE, DNNL_ARG_SHIFT, DNNL_ARG_MEAN, DNNL_ARG_VARIANCE,
                             DNNL_ARG_DIFF_SCALE, DNNL_ARG_DIFF_SHIFT};
    ours = time_ours(&q, "layer_norm_backward", &attr, FVI_PLAIN, &bytes);
    snprintf(name, sizeof name, "layer norm %dx%d bwd", (int)rows, (int)n);
    row(name, bf16, ours, bytes, "GB/s", time_theirs(&bwd, hint, ba, FVI_COUNT(ba), impl), impl);
    must(dnnl_primitive_desc_destroy(hint));
}

/* ---- GELU -------------------------------------------------------------------------------------------------------------- */

static void gelu(int64_t n, bool bf16)
{
    const fvi_gelu_attr attr = {false};
    const fv_dtype d = bf16 ? FV_BF16 : FV_F32;
    const dnnl_memory_desc_t xd = memory(1, &n, bf16, dnnl_a);
    const int64_t x[] = {16, n / 16};
    dnnl_eltwise_desc_t fwd, bwd;
    dnnl_primitive_desc_t hint;
    char name[64], impl[64] = "none";
    double bytes;
    must(dnnl_eltwise_forward_desc_init(&fwd, dnnl_forward_training, dnnl_eltwise_gelu_erf, &xd, 0, 0));
    must(dnnl_eltwise_backward_desc_init(&bwd, dnnl_eltwise_gelu_erf, &xd, &xd, 0, 0));
    must(dnnl_primitive_desc_create(&hint, &fwd, NULL, engine, NULL));
    fvi_query q;
    open_query(&q, 1, 1);
    tensor(&q.in[0], d, 2, x), tensor(&q.out[0], d, 2, x);
    static const int fa[] = {DNNL_ARG_SRC, DNNL_ARG_DST}, ba[] = {DNNL_ARG_SRC, DNNL_ARG_DIFF_DST, DNNL_ARG_DIFF_SRC};
    double ours = time_ours(&q, "gelu", &attr, FVI_PLAIN, &bytes);
    snprintf(name, sizeof name, "gelu %.1fM fwd", (double)n * 1e-6);
    row(name, bf16, ours, bytes, "GB/s", time_theirs(&fwd, NULL, fa, 2, impl), impl);
    open_query(&q, 2, 1);
    tensor(&q.in[0], d, 2, x), tensor(&q.in[1], d, 2, x), tensor(&q.out[0], d, 2, x);
    ours = time_ours(&q, "gelu_backward", &attr, FVI_PLAIN, &bytes);
    snprintf(name, sizeof name, "gelu %.1fM bwd", (double)n * 1e-6);
    row(name, bf16, ours, bytes, "GB/s", time_theirs(&bwd, hint, ba, 3, impl), impl);
    must(dnnl_primitive_desc_destroy(hint));
}

/* ---- batch normalisation and ReLU ------------------------------------------------------------------------------------- */

static void bn_relu(int64_t n, int64_t c, int64_t s, bool bf16)
{
    const fvi_bn_act_train_attr attr = {1e-5, FVI_ACT_RELU};
    const fvi_bn_act_train_backward_attr back = {1e-5, FVI_ACT_RELU, false, false};
    const fv_dtype d = bf16 ? FV_BF16 : FV_F32;
    const int64_t x[] = {n, c, s, s};
    const dnnl_memory_desc_t xd = memory(4, x, bf16, dnnl_nChw16c);
    const unsigned flags = dnnl_use_scale | dnnl_use_shift | dnnl_fuse_norm_relu;
    dnnl_batch_normalization_desc_t fwd, bwd;
    dnnl_primitive_desc_t hint;
    char name[64], impl[64] = "none";
    double bytes;
    must(dnnl_batch_normalization_forward_desc_init(&fwd, dnnl_forward_training, &xd, 1e-5f, flags));
    must(dnnl_batch_normalization_backward_desc_init(&bwd, dnnl_backward, &xd, &xd, 1e-5f, flags));
    must(dnnl_primitive_desc_create(&hint, &fwd, NULL, engine, NULL));
    fvi_query q;
    open_query(&q, 3, 4);
    tensor(&q.in[0], d, 4, x), tensor(&q.in[1], FV_F32, 1, &c), tensor(&q.in[2], FV_F32, 1, &c), tensor(&q.out[0], d, 4, x);
    for (int i = 1; i < 4; i++) tensor(&q.out[i], FV_F32, 1, &c);
    static const int fa[] = {DNNL_ARG_SRC, DNNL_ARG_DST, DNNL_ARG_SCALE, DNNL_ARG_SHIFT, DNNL_ARG_MEAN, DNNL_ARG_VARIANCE,
                             DNNL_ARG_WORKSPACE};
    double ours = time_ours(&q, "bn_act_train", &attr, FVI_NCHW16C, &bytes);
    snprintf(name, sizeof name, "bn+relu %d@%d fwd", (int)c, (int)s);
    row(name, bf16, ours, bytes, "GB/s", time_theirs(&fwd, NULL, fa, FVI_COUNT(fa), impl), impl);

    open_query(&q, 7, 4);
    for (int i = 0; i < 3; i++) tensor(&q.in[i], d, 4, x);
    for (int i = 3; i < 7; i++) tensor(&q.in[i], FV_F32, 1, &c);
    tensor(&q.out[0], d, 4, x), tensor(&q.out[1], FV_F32, 1, &c), tensor(&q.out[2], FV_F32, 1, &c), tensor(&q.out[3], d, 0, NULL);
    static const int ba[] = {DNNL_ARG_SRC, DNNL_ARG_DIFF_DST, DNNL_ARG_DIFF_SRC, DNNL_ARG_SCALE, DNNL_ARG_SHIFT, DNNL_ARG_MEAN,
                             DNNL_ARG_VARIANCE, DNNL_ARG_DIFF_SCALE, DNNL_ARG_DIFF_SHIFT, DNNL_ARG_WORKSPACE};
    ours = time_ours(&q, "bn_act_train_backward", &back, FVI_NCHW16C, &bytes);
    snprintf(name, sizeof name, "bn+relu %d@%d bwd", (int)c, (int)s);
    row(name, bf16, ours, bytes, "GB/s", time_theirs(&bwd, hint, ba, FVI_COUNT(ba), impl), impl);
    must(dnnl_primitive_desc_destroy(hint));
}

/* ---- all ----------------------------------------------------------------------------------------------------------------- */

static bool wanted(int argc, char **argv, const char *name)
{
    bool any = argc < 2;
    for (int i = 1; i < argc; i++) any = any || strstr(name, argv[i]);
    return any;
}

int main(int argc, char **argv)
{
    const dnnl_version_t *v = dnnl_version();
    must(dnnl_engine_create(&engine, dnnl_cpu, 0));
    must(dnnl_stream_create(&stream, engine, dnnl_stream_default_flags));
    printf("oneDNN %d.%d.%d, %d threads, %s\n\n", v->major, v->minor, v->patch, omp_get_max_threads(), fvi_cpu_isa_name(fvi_cpu_detect_isa()));
    printf("| case | type | ours, ms | ours | oneDNN, ms | implementation | oneDNN / ours |\n|---|---|---|---|---|---|---|\n");
    for (int bf16 = 0; bf16 < 2; bf16++) {
        for (int stage = 0; stage < 4 && wanted(argc, argv, "depthwise"); stage++) depthwise(16, 96 << stage, 56 >> stage, 7, bf16);
        if (wanted(argc, argv, "layer norm")) layer_norm(50176, 96, bf16), layer_norm(3136, 384, bf16);
        if (wanted(argc, argv, "gelu")) gelu(19267584, bf16);
        if (wanted(argc, argv, "bn")) bn_relu(16, 64, 56, bf16);
    }
    must(dnnl_stream_destroy(stream));
    must(dnnl_engine_destroy(engine));
    return 0;
}
