/* SPDX-License-Identifier: Apache-2.0 */
/* The only file that knows oneDNN. The functions named api_* have the argument order of oneDNN 3.x in both versions. */
#include "cpu/dnnl_shim.h"

#include <omp.h>
#include <oneapi/dnnl/dnnl.h>
#include <pthread.h>
#include <stdio.h>

#if DNNL_VERSION_MAJOR >= 3
#define DNNL3 1
typedef dnnl_memory_desc_t owned_md;           /* freed with md_free */
typedef const_dnnl_memory_desc_t md_view;
#else
#define DNNL3 0
typedef dnnl_memory_desc_t *owned_md;
typedef const dnnl_memory_desc_t *md_view;
#endif

struct fvi_dnnl {
    const char *kind;                          /* "convolution", for messages */
    dnnl_primitive_desc_t pd;
    dnnl_primitive_t primitive;
    dnnl_stream_t stream;                      /* its own, so that threads may run different primitives at once */
    int threads;
    fvi_dnnl_speed speed;
    int arg[FVI_DNNL_SLOTS];                   /* DNNL_ARG_*, 0: absent */
    owned_md md[FVI_DNNL_SLOTS];
    fvi_layout layout[FVI_DNNL_SLOTS];
    dnnl_memory_t memory[FVI_DNNL_SLOTS + 1];  /* the last one is the scratchpad */
    size_t scratch;
    const char *impl;
};

/* ---- the library's engine, one in the process ------------------------------------------------------------------ */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static dnnl_engine_t engine;
static char version_text[24];

static void start(void)
{
    const dnnl_version_t *v = dnnl_version();
    snprintf(version_text, sizeof version_text, "%d.%d.%d", v->major, v->minor, v->patch);
    if (dnnl_engine_create(&engine, dnnl_cpu, 0) != dnnl_success) engine = NULL;
}

static bool started(void) { return pthread_once(&once, start) == 0 && engine; }

const char *fvi_dnnl_version(void)
{
    (void)started();
    return version_text;
}

bool fvi_dnnl_has_winograd(void) { return !DNNL3; }

static const dnnl_cpu_isa_t isa_levels[] = {dnnl_cpu_isa_sse41, dnnl_cpu_isa_avx2, dnnl_cpu_isa_avx512_core,
                                            dnnl_cpu_isa_avx512_core_bf16};

bool fvi_dnnl_limit_isa(int level)
{
    return level >= 0 && level < FVI_COUNT(isa_levels) && dnnl_set_max_cpu_isa(isa_levels[level]) == dnnl_success;
}

int fvi_dnnl_isa(void)
{
    unsigned now = (unsigned)dnnl_get_effective_cpu_isa();         /* a set of bits in both versions */
    int level = 0;
    for (int i = 1; i < FVI_COUNT(isa_levels); i++)
        if ((now & (unsigned)isa_levels[i]) == (unsigned)isa_levels[i]) level = i;
    return level;
}

static const char *status_text(dnnl_status_t s)
{
    switch (s) {
    case dnnl_out_of_memory: return "out of memory";
    case dnnl_invalid_arguments: return "invalid arguments";
    case dnnl_unimplemented: return "not implemented";
    case dnnl_runtime_error: return "runtime error";
    default: return "failed";
    }
}

static fv_status failed(fv_context *ctx, dnnl_status_t s, const char *kind, const char *what)
{
    if (s == dnnl_out_of_memory) return fvi_nomem(ctx);
    return fvi_fail(ctx, s == dnnl_unimplemented ? FV_ERROR_UNSUPPORTED : FV_ERROR_DEVICE, "oneDNN %s (%s): %s", kind,
                    what, status_text(s));
}

/* Primitives are cut for a number of threads when they are made and must run with the same number. */
static int threads_enter(int threads)
{
    int before = omp_get_max_threads();
    if (threads > 0 && threads != before) omp_set_num_threads(threads);
    return before;
}

static void threads_leave(int threads, int before)
{
    if (threads > 0 && threads != before) omp_set_num_threads(before);
}

/* ---- memory descriptors ------------------------------------------------------------------------------------------ */

static bool md_type(fv_dtype dtype, dnnl_data_type_t *out)
{
    switch (dtype) {
    case FV_F32: *out = dnnl_f32; return true;
    case FV_BF16: *out = dnnl_bf16; return true;
    default: return false;
    }
}

static void md_free(owned_md md)
{
#if DNNL3
    if (md) dnnl_memory_desc_destroy(md);
#else
    fvi_free(md);
#endif
}

static dnnl_status_t api_md_tag(owned_md *out, int rank, const dnnl_dims_t dim, dnnl_data_type_t type,
                                dnnl_format_tag_t tag)
{
    *out = NULL;
#if DNNL3
    return dnnl_memory_desc_create_with_tag(out, rank, dim, type, tag);
#else
    owned_md md = fvi_calloc(1, sizeof *md);
    if (!md) return dnnl_out_of_memory;
    dnnl_status_t s = dnnl_memory_desc_init_by_tag(md, rank, dim, type, tag);
    if (s != dnnl_success) {
        fvi_free(md);
        return s;
    }
    *out = md;
    return s;
#endif
}

static dnnl_status_t api_md_strides(owned_md *out, int rank, const dnnl_dims_t dim, dnnl_data_type_t type,
                                    const dnnl_dims_t stride)
{
    *out = NULL;
#if DNNL3
    return dnnl_memory_desc_create_with_strides(out, rank, dim, type, stride);
#else
    owned_md md = fvi_calloc(1, sizeof *md);
    if (!md) return dnnl_out_of_memory;
    dnnl_status_t s = dnnl_memory_desc_init_by_strides(md, rank, dim, type, stride);
    if (s != dnnl_success) {
        fvi_free(md);
        return s;
    }
    *out = md;
    return s;
#endif
}

static dnnl_status_t api_md_clone(owned_md *out, md_view md)
{
    *out = NULL;
#if DNNL3
    return dnnl_memory_desc_clone(out, md);
#else
    owned_md copy = fvi_malloc(sizeof *copy);
    if (!copy) return dnnl_out_of_memory;
    *copy = *md;
    *out = copy;
    return dnnl_success;
#endif
}

/* Tag of a layout for a tensor of rank 1..6, or of 5-axis grouped weights (g, O/g, I/g, kh, kw). A grouped tag is given
 * only where the bytes are the same as of the 4-axis layout of (O, I/g, kh, kw). */
static dnnl_format_tag_t plain_tag(int rank)
{
    static const dnnl_format_tag_t tags[] = {dnnl_format_tag_undef, dnnl_a, dnnl_ab, dnnl_abc, dnnl_abcd, dnnl_abcde,
                                             dnnl_abcdef};
    return rank < FVI_COUNT(tags) ? tags[rank] : dnnl_format_tag_undef;
}

static dnnl_format_tag_t dense_tag(fvi_layout layout, int rank)
{
    if (layout == FVI_PLAIN) return plain_tag(rank);
    if (layout == FVI_BA) return rank == 2 ? dnnl_ba : dnnl_format_tag_undef;
    if (rank != 4) return dnnl_format_tag_undef;
    switch (layout) {
    case FVI_NHWC:
    case FVI_OHWI: return dnnl_acdb;
    case FVI_NCHW16C: return dnnl_aBcd16b;
    case FVI_NCHW8C: return dnnl_aBcd8b;
    case FVI_HWIO: return dnnl_cdba;
    case FVI_OHWI16O: return dnnl_Acdb16a;
    case FVI_OHWI8O: return dnnl_Acdb8a;
    case FVI_OIHW16O: return dnnl_Abcd16a;
    case FVI_OIHW8O: return dnnl_Abcd8a;
    case FVI_OIHW16I16O: return dnnl_ABcd16b16a;
    case FVI_OIHW16O16I: return dnnl_ABcd16a16b;
    case FVI_OIHW8I8O: return dnnl_ABcd8b8a;
    case FVI_OIHW8O8I: return dnnl_ABcd8a8b;
    case FVI_OIHW8I16O2I: return dnnl_ABcd8b16a2b;
    case FVI_OIHW8O16I2O: return dnnl_ABcd8a16b2a;
    case FVI_IOHW16O16I: return dnnl_BAcd16a16b;
    case FVI_IOHW8O16I2O: return dnnl_BAcd8a16b2a;
#if DNNL3
    case FVI_IOHW8O8I: return dnnl_BAcd8a8b;
#endif
    default: return dnnl_format_tag_undef;
    }
}

static dnnl_format_tag_t grouped_tag(fvi_layout layout, int64_t per_group, int64_t inputs)
{
    bool depthwise = per_group == 1 && inputs == 1, by16 = per_group % 16 == 0, by8 = per_group % 8 == 0;
    switch (layout) {
    case FVI_PLAIN: return dnnl_abcde;
    case FVI_OHWI: return dnnl_abdec;
    case FVI_HWIO: return dnnl_decab;
    case FVI_OIHW16O: return depthwise ? dnnl_Abcde16a : by16 ? dnnl_aBcde16b : dnnl_format_tag_undef;
    case FVI_OIHW8O: return depthwise ? dnnl_Abcde8a : by8 ? dnnl_aBcde8b : dnnl_format_tag_undef;
    case FVI_OHWI16O: return by16 ? dnnl_aBdec16b : dnnl_format_tag_undef;
    case FVI_OHWI8O: return by8 ? dnnl_aBdec8b : dnnl_format_tag_undef;
    case FVI_OIHW16I16O: return by16 ? dnnl_aBCde16c16b : dnnl_format_tag_undef;
    case FVI_OIHW16O16I: return by16 ? dnnl_aBCde16b16c : dnnl_format_tag_undef;
    case FVI_OIHW8I8O: return by8 ? dnnl_aBCde8c8b : dnnl_format_tag_undef;
    case FVI_OIHW8O8I: return by8 ? dnnl_aBCde8b8c : dnnl_format_tag_undef;
    case FVI_OIHW8I16O2I: return by16 ? dnnl_aBCde8c16b2c : dnnl_format_tag_undef;
    case FVI_OIHW8O16I2O: return by16 ? dnnl_aBCde8b16c2b : dnnl_format_tag_undef;
    default: return dnnl_format_tag_undef;
    }
}

/* Descriptor of t with `layout` in place of its own; OPAQUE = any. Unimplemented when the layout has no tag. */
static dnnl_status_t md_make(const fvi_dnnl_tensor *t, fvi_layout layout, owned_md *out)
{
    *out = NULL;
    dnnl_data_type_t type;
    if (!md_type(t->dtype, &type)) return dnnl_unimplemented;
    int rank = t->rank;
    dnnl_dims_t dim = {0}, stride = {0};
    memcpy(dim, t->dim, sizeof t->dim);
    memcpy(stride, t->stride, sizeof t->stride);
    bool grouped = t->groups > 1;
    if (grouped) {
        if (rank != 4) return dnnl_invalid_arguments;
        int64_t five[5] = {t->groups, t->dim[0] / t->groups, t->dim[1], t->dim[2], t->dim[3]};
        memcpy(dim, five, sizeof five);
        rank = 5;
    }
    if (t->strided && layout != FVI_OPAQUE) return api_md_strides(out, rank, dim, type, stride);
    dnnl_format_tag_t tag = layout == FVI_OPAQUE ? dnnl_format_tag_any
                            : grouped            ? grouped_tag(layout, dim[1], dim[2])
                                                 : dense_tag(layout, rank);
    if (tag == dnnl_format_tag_undef) return dnnl_unimplemented;
    return api_md_tag(out, rank, dim, type, tag);
}

/* Which of our layouts is `md`? Candidates that would need padding of their own are left out by the equality of
 * bytes. */
static fvi_layout md_layout(const fvi_dnnl_tensor *t, md_view md)
{
    fvi_layout found = FVI_OPAQUE;
    for (int l = 0; l < FVI_OPAQUE && found == FVI_OPAQUE; l++) {
        owned_md candidate;
        fvi_dnnl_tensor plain = *t;
        plain.strided = false;
        if (md_make(&plain, (fvi_layout)l, &candidate) != dnnl_success) continue;
        if (dnnl_memory_desc_equal(candidate, md)) found = (fvi_layout)l;
        md_free(candidate);
    }
    return found;
}

/* ---- attributes -------------------------------------------------------------------------------------------------- */

static dnnl_status_t api_append_sum(dnnl_post_ops_t ops)
{
#if DNNL3
    return dnnl_post_ops_append_sum(ops, 1.0f, 0, dnnl_data_type_undef);
#else
    return dnnl_post_ops_append_sum(ops, 1.0f);
#endif
}

static dnnl_status_t api_append_eltwise(dnnl_post_ops_t ops, dnnl_alg_kind_t alg, float alpha, float beta)
{
#if DNNL3
    return dnnl_post_ops_append_eltwise(ops, alg, alpha, beta);
#else
    return dnnl_post_ops_append_eltwise(ops, 1.0f, alg, alpha, beta);
#endif
}

/* Attributes with the caller's scratchpad and y = act(y + dst or addend). addend may be NULL. */
static dnnl_status_t attr_make(bool add_in_dst, md_view addend, fvi_dnnl_act act, dnnl_primitive_attr_t *out)
{
    dnnl_post_ops_t ops = NULL;
    *out = NULL;
    dnnl_status_t s = dnnl_primitive_attr_create(out);
    if (s == dnnl_success) s = dnnl_primitive_attr_set_scratchpad_mode(*out, dnnl_scratchpad_mode_user);
    if (s == dnnl_success) s = dnnl_post_ops_create(&ops);
    if (s == dnnl_success && add_in_dst) s = api_append_sum(ops);
    if (s == dnnl_success && addend) s = dnnl_post_ops_append_binary(ops, dnnl_binary_add, addend);
    if (s == dnnl_success && act == FVI_DNNL_RELU) s = api_append_eltwise(ops, dnnl_eltwise_relu, 0.0f, 0.0f);
    if (s == dnnl_success && act == FVI_DNNL_SILU) s = api_append_eltwise(ops, dnnl_eltwise_swish, 1.0f, 0.0f);
    if (s == dnnl_success) s = dnnl_primitive_attr_set_post_ops(*out, ops);
    if (ops) dnnl_post_ops_destroy(ops);
    if (s != dnnl_success && *out) {
        dnnl_primitive_attr_destroy(*out);
        *out = NULL;
    }
    return s;
}

/* ---- primitive descriptors --------------------------------------------------------------------------------------- */

typedef struct window { dnnl_dims_t stride, dilate, pad; } window;

static dnnl_status_t api_conv(dnnl_primitive_desc_t *pd, fvi_dnnl_pass pass, dnnl_alg_kind_t alg, md_view src,
                              md_view weights, md_view bias, md_view dst, const window *w,
                              const_dnnl_primitive_attr_t attr)
{
    dnnl_prop_kind_t prop = pass == FVI_DNNL_INFERENCE ? dnnl_forward_inference : dnnl_forward_training;
#if DNNL3
    if (pass == FVI_DNNL_BACKWARD_DATA)
        return dnnl_convolution_backward_data_primitive_desc_create(pd, engine, alg, src, weights, dst, w->stride,
                                                                    w->dilate, w->pad, w->pad, NULL, attr);
    if (pass == FVI_DNNL_BACKWARD_WEIGHTS)
        return dnnl_convolution_backward_weights_primitive_desc_create(
            pd, engine, alg, src, weights, bias, dst, w->stride, w->dilate, w->pad, w->pad, NULL, attr);
    return dnnl_convolution_forward_primitive_desc_create(pd, engine, prop, alg, src, weights, bias, dst, w->stride,
                                                          w->dilate, w->pad, w->pad, attr);
#else
    dnnl_convolution_desc_t d;
    dnnl_status_t s;
    if (pass == FVI_DNNL_BACKWARD_DATA)
        s = dnnl_dilated_convolution_backward_data_desc_init(&d, alg, src, weights, dst, w->stride, w->dilate, w->pad,
                                                             w->pad);
    else if (pass == FVI_DNNL_BACKWARD_WEIGHTS)
        s = dnnl_dilated_convolution_backward_weights_desc_init(&d, alg, src, weights, bias, dst, w->stride, w->dilate,
                                                                w->pad, w->pad);
    else
        s = dnnl_dilated_convolution_forward_desc_init(&d, prop, alg, src, weights, bias, dst, w->stride, w->dilate,
                                                       w->pad, w->pad);
    return s != dnnl_success ? s : dnnl_primitive_desc_create(pd, &d, attr, engine, NULL);
#endif
}

static dnnl_status_t api_matmul(dnnl_primitive_desc_t *pd, md_view src, md_view weights, md_view bias, md_view dst,
                                const_dnnl_primitive_attr_t attr)
{
#if DNNL3
    return dnnl_matmul_primitive_desc_create(pd, engine, src, weights, bias, dst, attr);
#else
    dnnl_matmul_desc_t d;
    dnnl_status_t s = dnnl_matmul_desc_init(&d, src, weights, bias, dst);
    return s != dnnl_success ? s : dnnl_primitive_desc_create(pd, &d, attr, engine, NULL);
#endif
}

/* ---- our object -------------------------------------------------------------------------------------------------- */

void fvi_dnnl_free(fvi_dnnl *p)
{
    if (!p) return;
    for (int i = 0; i < FVI_COUNT(p->memory); i++)
        if (p->memory[i]) dnnl_memory_destroy(p->memory[i]);
    if (p->stream) dnnl_stream_destroy(p->stream);
    if (p->primitive) dnnl_primitive_destroy(p->primitive);
    if (p->pd) dnnl_primitive_desc_destroy(p->pd);
    for (int i = 0; i < FVI_DNNL_SLOTS; i++) md_free(p->md[i]);
    fvi_free(p);
}

/* Keeps the descriptor that the implementation wants for `slot`. */
static dnnl_status_t slot_keep(fvi_dnnl *p, int slot, int arg, dnnl_query_t what, const fvi_dnnl_tensor *t)
{
    if (!t->rank) return dnnl_success;
    md_view md = dnnl_primitive_desc_query_md(p->pd, what, 0);
    if (!md) return dnnl_runtime_error;
    p->arg[slot] = arg;
    p->layout[slot] = t->strided || t->layout != FVI_OPAQUE ? t->layout : md_layout(t, md);
    if (slot == FVI_DNNL_WEIGHTS && p->layout[slot] == FVI_NHWC) p->layout[slot] = FVI_OHWI;      /* the same bytes */
    return api_md_clone(&p->md[slot], md);
}

/* Reads name and scratch size of the chosen implementation; refuses what is slower than asked for. */
static fv_status inspect(fv_context *ctx, fvi_dnnl *p, bool convolution, fvi_dnnl_speed slowest)
{
    const char *impl = NULL;
    dnnl_status_t s = dnnl_primitive_desc_query(p->pd, dnnl_query_impl_info_str, 0, &impl);
    if (s != dnnl_success) return failed(ctx, s, p->kind, "query");
    p->impl = impl ? impl : "?";
    p->speed = strncmp(p->impl, "ref", 3) == 0                  ? FVI_DNNL_REFERENCE
               : convolution && strstr(p->impl, "gemm:") != NULL ? FVI_DNNL_GEMM
                                                                 : FVI_DNNL_FAST;
    if (p->speed > slowest)
        return fvi_fail(ctx, FV_ERROR_UNSUPPORTED, "oneDNN %s: only the slow %s serves it", p->kind, p->impl);
    md_view md = dnnl_primitive_desc_query_md(p->pd, dnnl_query_scratchpad_md, 0);
    p->scratch = md ? dnnl_memory_desc_get_size(md) : 0;
    return FV_OK;
}

/* A new object with descriptors of its tensors as they were asked for (md[] is replaced by slot_keep). */
static fv_status begin(fv_context *ctx, const char *kind, int threads, const fvi_dnnl_tensor *const *t, fvi_dnnl **out)
{
    *out = NULL;
    if (!started()) return fvi_fail(ctx, FV_ERROR_DEVICE, "oneDNN has no CPU engine");
    fvi_dnnl *p = fvi_calloc(1, sizeof *p);
    if (!p) return fvi_nomem(ctx);
    p->kind = kind;
    p->threads = threads;
    for (int i = 0; i < FVI_DNNL_SLOTS; i++) {
        p->layout[i] = FVI_OPAQUE;
        if (!t[i] || !t[i]->rank) continue;
        dnnl_status_t s = md_make(t[i], t[i]->layout, &p->md[i]);
        if (s != dnnl_success) {
            fvi_dnnl_free(p);
            return failed(ctx, s, kind, "memory description");
        }
    }
    *out = p;
    return FV_OK;
}

/* Takes the descriptors asked for out of p, so that the chosen ones can take their place. */
static void take(fvi_dnnl *p, owned_md md[FVI_DNNL_SLOTS])
{
    memcpy(md, p->md, sizeof p->md);
    memset(p->md, 0, sizeof p->md);
}

fv_status fvi_dnnl_conv(fv_context *ctx, const fvi_dnnl_conv_desc *d, int threads, fvi_dnnl_speed slowest,
                        fvi_dnnl **out)
{
    const fvi_dnnl_tensor *t[FVI_DNNL_SLOTS] = {&d->src, &d->weights, &d->bias, &d->dst, &d->addend};
    FVI_TRY(ctx, begin(ctx, "convolution", threads, t, out));
    fvi_dnnl *p = *out;
    bool to_src = d->pass == FVI_DNNL_BACKWARD_DATA, to_weights = d->pass == FVI_DNNL_BACKWARD_WEIGHTS;
    owned_md md[FVI_DNNL_SLOTS];
    take(p, md);
    window w;
    memset(&w, 0, sizeof w);
    for (int i = 0; i < 2; i++) {
        w.stride[i] = d->stride[i];
        w.dilate[i] = d->dilation[i] - 1;
        w.pad[i] = d->padding[i];
    }
    int before = threads_enter(threads);
    dnnl_primitive_attr_t attr;
    dnnl_status_t s = attr_make(d->add_in_dst, md[FVI_DNNL_ADDEND], d->act, &attr);
    if (s == dnnl_success) {
        s = api_conv(&p->pd, d->pass, d->winograd ? dnnl_convolution_winograd : dnnl_convolution_direct,
                     md[FVI_DNNL_SRC], md[FVI_DNNL_WEIGHTS], md[FVI_DNNL_BIAS], md[FVI_DNNL_DST], &w, attr);
        dnnl_primitive_attr_destroy(attr);
    }
    threads_leave(threads, before);
    for (int i = 0; i < FVI_DNNL_SLOTS; i++) {
        if (i != FVI_DNNL_ADDEND || s != dnnl_success) md_free(md[i]);
    }
    if (s == dnnl_success) {
        p->md[FVI_DNNL_ADDEND] = md[FVI_DNNL_ADDEND];
        p->arg[FVI_DNNL_ADDEND] = md[FVI_DNNL_ADDEND] ? DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1 : 0;
        p->layout[FVI_DNNL_ADDEND] = d->addend.layout;
        s = slot_keep(p, FVI_DNNL_SRC, to_src ? DNNL_ARG_DIFF_SRC : DNNL_ARG_SRC,
                      to_src ? dnnl_query_diff_src_md : dnnl_query_src_md, &d->src);
    }
    if (s == dnnl_success)
        s = slot_keep(p, FVI_DNNL_WEIGHTS, to_weights ? DNNL_ARG_DIFF_WEIGHTS : DNNL_ARG_WEIGHTS,
                      to_weights ? dnnl_query_diff_weights_md : dnnl_query_weights_md, &d->weights);
    if (s == dnnl_success && d->bias.rank) {
        p->arg[FVI_DNNL_BIAS] = to_weights ? DNNL_ARG_DIFF_BIAS : DNNL_ARG_BIAS;
        p->layout[FVI_DNNL_BIAS] = FVI_PLAIN;
        s = md_make(&d->bias, FVI_PLAIN, &p->md[FVI_DNNL_BIAS]);
    }
    if (s == dnnl_success)
        s = slot_keep(p, FVI_DNNL_DST, to_src || to_weights ? DNNL_ARG_DIFF_DST : DNNL_ARG_DST,
                      to_src || to_weights ? dnnl_query_diff_dst_md : dnnl_query_dst_md, &d->dst);
    fv_status status = s != dnnl_success ? failed(ctx, s, p->kind, "creation") : inspect(ctx, p, true, slowest);
    if (status != FV_OK) {
        fvi_dnnl_free(p);
        *out = NULL;
    }
    return status;
}

fv_status fvi_dnnl_matmul(fv_context *ctx, const fvi_dnnl_tensor *src, const fvi_dnnl_tensor *weights,
                          const fvi_dnnl_tensor *bias, const fvi_dnnl_tensor *dst, bool accumulate, int threads,
                          fvi_dnnl_speed slowest, fvi_dnnl **out)
{
    const fvi_dnnl_tensor *t[FVI_DNNL_SLOTS] = {src, weights, bias, dst, NULL};
    FVI_TRY(ctx, begin(ctx, "matmul", threads, t, out));
    fvi_dnnl *p = *out;
    static const int args[FVI_DNNL_SLOTS] = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_BIAS, DNNL_ARG_DST, 0};
    for (int i = 0; i < FVI_DNNL_ADDEND; i++) {
        if (!p->md[i]) continue;
        p->arg[i] = args[i];
        p->layout[i] = t[i]->layout;
    }
    int before = threads_enter(threads);
    dnnl_primitive_attr_t attr;
    dnnl_status_t s = attr_make(accumulate, NULL, FVI_DNNL_NONE, &attr);
    if (s == dnnl_success) {
        s = api_matmul(&p->pd, p->md[0], p->md[1], p->md[2], p->md[3], attr);
        dnnl_primitive_attr_destroy(attr);
    }
    threads_leave(threads, before);
    fv_status status = s != dnnl_success ? failed(ctx, s, p->kind, "creation") : inspect(ctx, p, false, slowest);
    if (status != FV_OK) {
        fvi_dnnl_free(p);
        *out = NULL;
    }
    return status;
}

/* Finishes a reorder whose two descriptors are in place. */
static fv_status reorder_finish(fv_context *ctx, int threads, fvi_dnnl **out)
{
    fvi_dnnl *p = *out;
    p->arg[FVI_DNNL_SRC] = DNNL_ARG_FROM;
    p->arg[FVI_DNNL_DST] = DNNL_ARG_TO;
    int before = threads_enter(threads);
    dnnl_primitive_attr_t attr;
    dnnl_status_t s = attr_make(false, NULL, FVI_DNNL_NONE, &attr);
    if (s == dnnl_success) {
        s = dnnl_reorder_primitive_desc_create(&p->pd, p->md[FVI_DNNL_SRC], engine, p->md[FVI_DNNL_DST], engine, attr);
        dnnl_primitive_attr_destroy(attr);
    }
    threads_leave(threads, before);
    fv_status status = s != dnnl_success ? failed(ctx, s, p->kind, "creation")
                                         : inspect(ctx, p, false, FVI_DNNL_REFERENCE);
    if (status != FV_OK) {
        fvi_dnnl_free(p);
        *out = NULL;
    }
    return status;
}

/* One end described by the caller, the other (`place`) being a slot of `p`. */
static fv_status reorder_with(fv_context *ctx, const fvi_dnnl *p, int slot, int place, const fvi_dnnl_tensor *other,
                              int threads, fvi_dnnl **out)
{
    const int end = place == FVI_DNNL_DST ? FVI_DNNL_SRC : FVI_DNNL_DST;
    const fvi_dnnl_tensor *t[FVI_DNNL_SLOTS] = {NULL};
    t[end] = other;
    FVI_TRY(ctx, begin(ctx, "reorder", threads, t, out));
    (*out)->layout[end] = other->layout;
    dnnl_status_t s = api_md_clone(&(*out)->md[place], p->md[slot]);
    if (s != dnnl_success) {
        fvi_dnnl_free(*out);
        *out = NULL;
        return failed(ctx, s, "reorder", "memory description");
    }
    return reorder_finish(ctx, threads, out);
}

fv_status fvi_dnnl_reorder_for(fv_context *ctx, const fvi_dnnl_tensor *src, const fvi_dnnl *p, int slot, int threads,
                               fvi_dnnl **out)
{
    return reorder_with(ctx, p, slot, FVI_DNNL_DST, src, threads, out);
}

fv_status fvi_dnnl_reorder_from(fv_context *ctx, const fvi_dnnl *p, int slot, const fvi_dnnl_tensor *dst, int threads,
                                fvi_dnnl **out)
{
    return reorder_with(ctx, p, slot, FVI_DNNL_SRC, dst, threads, out);
}

fv_status fvi_dnnl_ready(fv_context *ctx, fvi_dnnl *p)
{
    if (p->primitive) return FV_OK;
    int before = threads_enter(p->threads);
    dnnl_status_t s = dnnl_primitive_create(&p->primitive, p->pd);
    threads_leave(p->threads, before);
    if (s == dnnl_success) s = dnnl_stream_create(&p->stream, engine, dnnl_stream_default_flags);
    for (int i = 0; i < FVI_DNNL_SLOTS && s == dnnl_success; i++)
        if (p->arg[i]) s = dnnl_memory_create(&p->memory[i], p->md[i], engine, DNNL_MEMORY_NONE);
    if (s == dnnl_success && p->scratch) {
        md_view md = dnnl_primitive_desc_query_md(p->pd, dnnl_query_scratchpad_md, 0);
        s = dnnl_memory_create(&p->memory[FVI_DNNL_SLOTS], md, engine, DNNL_MEMORY_NONE);
    }
    return s == dnnl_success ? FV_OK : failed(ctx, s, p->kind, p->impl);
}

fv_status fvi_dnnl_run(fv_context *ctx, fvi_dnnl *p, void *const *ptr, void *scratch)
{
    dnnl_exec_arg_t args[FVI_DNNL_SLOTS + 1];
    int n = 0;
    dnnl_status_t s = dnnl_success;
    for (int i = 0; i < FVI_DNNL_SLOTS; i++) {
        if (!p->arg[i]) continue;
        dnnl_status_t set = dnnl_memory_set_data_handle(p->memory[i], ptr[i]);
        if (set != dnnl_success) s = set;
        args[n++] = (dnnl_exec_arg_t){p->arg[i], p->memory[i]};
    }
    if (p->scratch) {
        dnnl_status_t set = dnnl_memory_set_data_handle(p->memory[FVI_DNNL_SLOTS], scratch);
        if (set != dnnl_success) s = set;
        args[n++] = (dnnl_exec_arg_t){DNNL_ARG_SCRATCHPAD, p->memory[FVI_DNNL_SLOTS]};
    }
    if (s == dnnl_success) {
        int before = threads_enter(p->threads);
        s = dnnl_primitive_execute(p->primitive, p->stream, n, args);
        threads_leave(p->threads, before);
    }
    if (s == dnnl_success) return FV_OK;
    return fvi_fail(ctx, FV_ERROR_DEVICE, "oneDNN %s (%s) failed while running: %s", p->kind, p->impl, status_text(s));
}

size_t fvi_dnnl_scratch(const fvi_dnnl *p) { return p->scratch; }
fvi_layout fvi_dnnl_layout(const fvi_dnnl *p, int slot) { return p->layout[slot]; }
size_t fvi_dnnl_bytes(const fvi_dnnl *p, int slot) { return p->md[slot] ? dnnl_memory_desc_get_size(p->md[slot]) : 0; }
bool fvi_dnnl_same_layout(const fvi_dnnl *a, const fvi_dnnl *b, int slot)
{
    return a->md[slot] && b->md[slot] && dnnl_memory_desc_equal(a->md[slot], b->md[slot]);
}

const char *fvi_dnnl_impl(const fvi_dnnl *p) { return p->impl; }
fvi_dnnl_speed fvi_dnnl_speed_of(const fvi_dnnl *p) { return p->speed; }
