/* SPDX-License-Identifier: Apache-2.0 */
/* Every kernel against its op's reference in double, for every sample, small and large, element type and memory order that it
 * takes: values, unwritten and overrun elements, zero padding, in place, calls as a group; the same bits again, with two
 * threads, in place and in a group. At every level of the instruction set (levels.h), where a kernel that takes none of the
 * samples is a failure. */
#include "levels.h"
#include "ops/op_cases.h"

#include "compile/sample.h"
#include "cpu/dnnl_shim.h"

#include <stdlib.h>

typedef enum mode { MODE_F32, MODE_BF16, MODE_F64, MODES } mode;
static const char *const mode_names[] = {"f32", "bf16", "f64"};

/* ---- tolerances: |got - want| <= tolerance (|want| + root mean square of the output) ------------------------------- */

static const double by_dtype[FV_DTYPE_COUNT] = {
    [FV_F64] = 1e-13,                  /* sums of some hundred terms */
    [FV_F32] = 1e-5,                   /* 2^-24, times sums of up to some hundred terms and polynomials for exp and the like */
    [FV_BF16] = 8e-3,                  /* one rounding of the result is 2^-9 relative, two where a kernel rounds in between */
};
static const double winograd = 5e-5;   /* f32: its transforms; docs/kernels.md measured up to 2.8e-5 */

/* ---- guarded memory ----------------------------------------------------------------------------------------------- */

enum { GUARD = 64 };
typedef struct guarded { unsigned char *base, *data; size_t bytes; } guarded;

/* `bytes` of 0xff (a NaN in every float type), between two guards; data is 64-byte aligned. */
static bool guard_open(guarded *b, size_t bytes)
{
    b->bytes = bytes;
    b->base = aligned_alloc(GUARD, FVI_ALIGN_UP(bytes, (size_t)GUARD) + 2 * GUARD);
    if (!b->base) return false;
    b->data = b->base + GUARD;
    memset(b->base, 0xa5, GUARD);
    memset(b->data, 0xff, bytes);
    memset(b->data + bytes, 0xa5, GUARD);
    return true;
}

static bool guard_intact(const guarded *b)
{
    for (int i = 0; i < GUARD; i++)
        if (b->base[i] != 0xa5 || b->data[b->bytes + (size_t)i] != 0xa5) return false;
    return true;
}

static void guard_close(guarded *b)
{
    free(b->base);
    *b = (guarded){0};
}

/* ---- elements ----------------------------------------------------------------------------------------------------- */

static double get(const void *p, fv_dtype d, int64_t i)
{
    uint32_t u;
    float f;
    switch (d) {
    case FV_F32: return ((const float *)p)[i];
    case FV_F64: return ((const double *)p)[i];
    case FV_BF16:
        u = (uint32_t)((const uint16_t *)p)[i] << 16;
        memcpy(&f, &u, 4);
        return f;
    case FV_I64: return (double)((const int64_t *)p)[i];
    case FV_I32: return ((const int32_t *)p)[i];
    case FV_U8: case FV_BOOL: return ((const uint8_t *)p)[i];
    case FV_F16: case FV_DTYPE_COUNT: default: return NAN;
    }
}

static void put(void *p, fv_dtype d, int64_t i, double x)
{
    const float f = (float)x;
    uint32_t u;
    switch (d) {
    case FV_F32: ((float *)p)[i] = f; break;
    case FV_F64: ((double *)p)[i] = x; break;
    case FV_BF16:
        memcpy(&u, &f, 4);
        ((uint16_t *)p)[i] = (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
        break;
    case FV_I64: ((int64_t *)p)[i] = (int64_t)x; break;
    case FV_I32: ((int32_t *)p)[i] = (int32_t)x; break;
    case FV_U8: case FV_BOOL: ((uint8_t *)p)[i] = (uint8_t)x; break;
    case FV_F16: case FV_DTYPE_COUNT: default: break;
    }
}

static bool untouched(const void *p, fv_dtype d, int64_t i)
{
    static const unsigned char filled[8] = {255, 255, 255, 255, 255, 255, 255, 255};
    const size_t size = fv_dtype_size(d);
    return fv_dtype_is_float(d) && !memcmp((const char *)p + (size_t)i * size, filled, size);
}

/* ---- a node to run ------------------------------------------------------------------------------------------------ */

typedef struct subject {
    op_case c;                         /* in: rounded to the node's types; out: what the reference makes of them */
    fv_graph *graph, *bound;
    const fvi_node *node;
    mode mode;
    fvi_type in[OP_INPUTS], out[FVI_MAX_OUT];      /* of the node; ragged inputs with their rows */
    void *plain[OP_INPUTS];            /* inputs in their own types */
    int64_t rows[OP_INPUTS];           /* by slot */
} subject;

static void subject_close(subject *s)
{
    for (int k = 0; k < OP_INPUTS; k++) free(s->plain[k]);
    fvi_graph_destroy(s->bound);
    fvi_graph_destroy(s->graph);
    op_case_close(&s->c);
}

/* bf16 for: all inputs of an op that follows, the big ones of an op that takes any; LOW casts by itself. */
static bool cast_input(const subject *s, int k)
{
    if (s->mode != MODE_BF16 || !op_is_float(&s->c.in[k])) return false;
    if (s->c.op->precision == FVI_PRECISION_FOLLOWS) return s->c.op->kind != FVI_EFFECT;
    if (s->c.op->precision != FVI_PRECISION_ANY) return false;
    for (int j = 0; j < s->c.n_in; j++)
        if (op_is_float(&s->c.in[j]) && s->c.in[j].n > s->c.in[k].n) return false;
    return true;
}

static bool make_node(subject *s)
{
    fv_graph *g = s->graph;
    fv_value *in[OP_INPUTS];
    g->amp = s->mode == MODE_BF16;
    g->training = true;
    for (int k = 0; k < s->c.n_in; k++) {
        fvi_type t = s->c.in[k].symbolic;
        if (t.dtype == FV_F64 && s->mode != MODE_F64) t.dtype = FV_F32;
        in[k] = fvi_input(g, "x", &t);
    }
    for (int k = 0; k < s->c.n_in; k++)
        if (cast_input(s, k)) in[k] = fv_cast(g, in[k], FV_BF16);
    return fvi_node_add(g, s->c.op, s->c.sample->attr, s->c.n_in, in) != NULL;
}

static bool load_inputs(subject *s)
{
    for (int k = 0; k < s->c.n_in; k++) {
        op_tensor *t = &s->c.in[k];
        s->in[k] = s->node->in[k]->type;
        if (s->in[k].rank && s->in[k].dim[0] == FV_RAGGED) {
            s->in[k].dim[0] = t->bound.dim[0];
            s->rows[s->node->in[k]->node->slot] = t->bound.dim[0];
        }
        const fv_dtype d = s->in[k].dtype;
        if (!(s->plain[k] = calloc((size_t)t->n + 1, 8))) return false;
        for (int64_t i = 0; i < t->n; i++) {
            put(s->plain[k], d, i, op_is_float(t) ? t->f[i] : (double)t->i[i]);
            if (op_is_float(t)) t->f[i] = get(s->plain[k], d, i);
        }
    }
    for (int k = 0; k < s->c.n_out; k++) s->out[k] = s->node->out[k].type;
    return true;
}

/* The reference on the case's numbers, into `out` (doubles and integers). */
static void run_reference(const subject *s, void *const *out)
{
    fvi_ref_tensor in[OP_INPUTS], result[FVI_MAX_OUT];
    fvi_exec x = {.ctx = s->c.ctx, .threads = 1};
    for (int k = 0; k < s->c.n_in; k++) in[k] = (fvi_ref_tensor){.type = s->in[k], .p = s->c.in[k].p};
    for (int k = 0; k < s->c.n_out; k++) result[k] = (fvi_ref_tensor){.type = s->out[k], .p = out[k]};
    const fvi_ref r = {s->node, s->node->attr, s->c.n_in, s->c.n_out, in, result, &x};
    s->c.op->ref(&r);
}

static bool expect(subject *s)
{
    if (s->c.op->ref) {
        void *out[FVI_MAX_OUT];
        for (int k = 0; k < s->c.n_out; k++) out[k] = s->c.out[k].p;
        run_reference(s, out);
        return true;
    }
    const fv_session_options options = {.dtype = FV_F64, .passes = "none"};
    fv_session *session = NULL;
    op_program p = {0};
    bool ok = fv_session_create(s->c.ctx, &options, &session) == FV_OK &&
              op_program_open(&p, session, &s->c, s->c.op->expand != NULL, false) == FV_OK && op_program_run(&p) == FV_OK;
    op_program_close(&p);
    fv_session_destroy(session);
    return ok;
}

static bool subject_open(subject *s, fv_context *ctx, const fvi_op *op, const fvi_sample *sample, int64_t batch, mode m)
{
    memset(s, 0, sizeof *s);
    s->mode = m;
    if (!op_case_open(&s->c, ctx, op, sample, batch)) return false;
    const fv_dtype dtype = m == MODE_F64 ? FV_F64 : FV_F32;
    bool ok = fvi_graph_create(ctx, &fvi_registry_table, NULL, dtype, &s->graph) == FV_OK && make_node(s) &&
              fvi_graph_bind(s->graph, batch, &s->bound) == FV_OK;
    for (int i = 0; ok && i < s->bound->nodes.count; i++)
        if (s->bound->nodes.items[i]->op == op) s->node = s->bound->nodes.items[i];
    ok = ok && s->node && load_inputs(s) && expect(s);
    if (!ok) subject_close(s);
    return ok;
}

/* ---- one way to run a kernel -------------------------------------------------------------------------------------- */

typedef struct run {
    const subject *s;
    const fvi_kernel *kernel;
    fvi_query q;
    fvi_env env;
    char what[160];
    int *bad;
    bool quiet, winograd;              /* winograd: by oneDNN or ours */
} run;

enum { KERNELS = 256 };
static bool has_run[KERNELS], dnnl_winograd_has_run;      /* by place in the registry */

__attribute__((format(printf, 2, 3))) static void complain(const run *r, const char *fmt, ...)
{
    char text[400];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (!r->quiet) printf("    %s: %s\n", r->what, text);
    ++*r->bad;
}

/* Our kernels give the same bits with one and two threads, in place and in a group. oneDNN cuts some sums by thread, and runs
 * another primitive in place; these kernels are its sums. The list may shrink, it may not grow. */
enum { BY_THREADS, IN_PLACE, IN_GROUP, DIFFERENCES };
static const char *const difference_names[DIFFERENCES] = {"one and two threads", "in place and out of place", "alone and in a group"};
static struct { const char *kernel; bool allowed[DIFFERENCES]; int count[DIFFERENCES]; } differing[] = {
    {"dnnl_conv2d_wgrad", {[BY_THREADS] = true}, {0}},
    {"dnnl_conv2d_act", {[BY_THREADS] = true, [IN_PLACE] = true}, {0}},
    {"dnnl_matmul", {[BY_THREADS] = true}, {0}},
    {"patch_conv2d", {[BY_THREADS] = true}, {0}},              /* products by dnnl_matmul */
    {"patch_conv2d_dgrad", {[BY_THREADS] = true}, {0}},
    {"patch_conv2d_wgrad", {[BY_THREADS] = true}, {0}},
    {"widen", {[BY_THREADS] = true}, {0}},                     /* oneDNN's f32 kernels */
};

static void differs(const run *r, int difference)
{
    int i = 0;
    while (i < FVI_COUNT(differing) && strcmp(differing[i].kernel, r->kernel->name)) i++;
    if (i == FVI_COUNT(differing) || !differing[i].allowed[difference])
        complain(r, "%s differ in bits", difference_names[difference]);
    else differing[i].count[difference]++;
}

static void show_differences(void)
{
    for (int i = 0; i < FVI_COUNT(differing); i++)
        for (int d = 0; d < DIFFERENCES; d++) {
            const int n = differing[i].count[d];
            if (n) printf("    note: %s: %s differ in bits, %d runs\n", differing[i].kernel, difference_names[d], n);
        }
}

static bool is_activation(const subject *s, int k)
{
    return s->in[k].rank == 4 && s->c.in[k].symbolic.dim[0] < 0;
}

enum { AS_PLAIN, LAYOUTS_PLAIN, LAYOUTS_FREE, LAYOUTS_NHWC, LAYOUTS_16, LAYOUTS_8, VARIANTS };

/* Fills the query; false when the kernel declines or repeats an earlier variant. */
static bool ask(run *r, const subject *s, const fvi_kernel *kernel, fvi_isa isa, int variant)
{
    static const fvi_layout activation[] = {FVI_PLAIN, FVI_PLAIN, FVI_PLAIN, FVI_NHWC, FVI_NCHW16C, FVI_NCHW8C};
    const fvi_layout best = isa >= FVI_ISA_AVX512 ? FVI_NCHW16C : isa == FVI_ISA_AVX2 ? FVI_NCHW8C : FVI_PLAIN;
    r->s = s;
    r->kernel = kernel;
    r->env = (fvi_env){.ctx = s->c.ctx, .threads = 1, .isa = isa, .layouts = variant != AS_PLAIN,
                       .conv_layout = variant >= LAYOUTS_NHWC ? activation[variant] : best};
    fvi_query *q = &r->q;
    if (fvi_query_open(q, &r->env, s->node, false) != FV_OK) return false;           /* few inputs: nothing to close */
    bool any = false;
    for (int k = 0; k < q->n_in; k++) {
        if (variant >= LAYOUTS_NHWC && is_activation(s, k)) q->in_layout[k] = activation[variant], any = true;
        if (variant == LAYOUTS_FREE && s->in[k].rank >= 2 && !is_activation(s, k)) q->in_layout[k] = FVI_OPAQUE, any = true;
    }
    for (int k = 0; k < q->n_out; k++) q->out[k] = s->out[k];
    if (variant >= LAYOUTS_FREE && !any) return false;
    if (!kernel->choose(q)) return false;
    for (int k = 0; k < q->n_in; k++)
        if (q->in_layout[k] == FVI_OPAQUE) q->in_layout[k] = FVI_PLAIN;
    int at = snprintf(r->what, sizeof r->what, "%s, %s, sample %s, N = %d, %s,", kernel->name, s->c.op->name, s->c.sample->name,
                      (int)s->c.batch, mode_names[s->mode]);
    for (int k = 0; k < q->n_in + q->n_out; k++)
        at += snprintf(r->what + at, sizeof r->what - (size_t)at, "%s%s", k == q->n_in ? " -> " : " ",
                       fvi_layout_name(k < q->n_in ? q->in_layout[k] : q->out_layout[k - q->n_in]));
    return true;
}

typedef struct outcome { guarded out[FVI_MAX_OUT]; } outcome;

static void outcome_close(outcome *o)
{
    for (int k = 0; k < FVI_MAX_OUT; k++) guard_close(&o->out[k]);
}

/* Inputs in the kernel's memory orders. */
static bool lay_inputs(const run *r, guarded *in)
{
    bool ok = true;
    for (int k = 0; k < r->q.n_in && ok; k++) {
        const fvi_type *t = &r->s->in[k];
        ok = guard_open(&in[k], fvi_layout_bytes(r->q.in_layout[k], t)) &&
             fvi_layout_convert(t, r->s->plain[k], FVI_PLAIN, in[k].data, r->q.in_layout[k]);
    }
    return ok;
}

static bool input_kept(const run *r, const guarded *in, int k)
{
    guarded again = {0};
    const bool same = guard_open(&again, in->bytes) &&
                      fvi_layout_convert(&r->s->in[k], r->s->plain[k], FVI_PLAIN, again.data, r->q.in_layout[k]) &&
                      !memcmp(again.data, in->data, in->bytes);
    guard_close(&again);
    return same;
}

static int home_of(const run *r, int k)
{
    const int from = r->kernel->inplace[k] - 1;
    return from >= 0 && from < r->q.n_in && r->q.in_layout[from] == r->q.out_layout[k] &&
           fvi_layout_bytes(r->q.in_layout[from], &r->s->in[from]) == fvi_layout_bytes(r->q.out_layout[k], &r->s->out[k]) ? from : -1;
}

/* Runs `copies` prepared calls (as a group when more than one). in_place: outputs lie in inputs where the kernel allows. */
static bool execute(run *r, int threads, bool in_place, unsigned skip, int copies, outcome *o)
{
    enum { MOST = 3 };
    guarded in[MOST][OP_INPUTS] = {{{0}}}, scratch = {0};
    void *state[MOST] = {NULL}, *pin[MOST][OP_INPUTS] = {{NULL}}, *pout[MOST][FVI_MAX_OUT] = {{NULL}};
    void *const *all_in[MOST], *const *all_out[MOST];
    const fvi_exec x = {.ctx = r->env.ctx, .threads = threads, .ragged_rows = r->s->rows};
    fv_status status = FV_OK;
    size_t bytes = 0;
    bool ok = true;
    memset(o, 0, sizeof *o * (size_t)copies);
    r->env.threads = threads;
    for (int i = 0; i < copies && ok; i++) {
        all_in[i] = pin[i];
        all_out[i] = pout[i];
        ok = (status = r->kernel->prepare(&r->q, &state[i], &bytes)) == FV_OK && lay_inputs(r, in[i]);
        if (ok && r->kernel->describe) r->winograd = strstr(r->kernel->describe(state[i]), "winograd") != NULL;
        for (int k = 0; k < r->q.n_in && ok; k++) pin[i][k] = in[i][k].data;
        for (int k = 0; k < r->q.n_out && ok; k++) {
            ok = guard_open(&o[i].out[k], fvi_layout_bytes(r->q.out_layout[k], &r->s->out[k]));
            const int home = in_place ? home_of(r, k) : -1;
            pout[i][k] = skip >> k & 1 ? NULL : home >= 0 ? pin[i][home] : o[i].out[k].data;
        }
    }
    ok = ok && guard_open(&scratch, bytes);
    if (ok && copies == 1) status = r->kernel->run(state[0], pin[0], pout[0], scratch.data, &x);
    else if (ok) status = r->kernel->run_group(copies, state, all_in, all_out, &x);
    if (!ok || status != FV_OK) complain(r, "%s", fv_error_text(r->env.ctx));
    if (ok && !guard_intact(&scratch)) complain(r, "writes beyond its scratch");
    for (int i = 0; i < copies; i++) {
        for (int k = 0; k < r->q.n_out && ok; k++) {
            const int home = in_place ? home_of(r, k) : -1;
            if (home >= 0 && pout[i][k]) memcpy(o[i].out[k].data, pout[i][k], o[i].out[k].bytes);
        }
        for (int k = 0; k < r->q.n_in && ok; k++) {
            if (!guard_intact(&in[i][k])) complain(r, "writes beyond input %d", k);
            if (!in_place && !input_kept(r, &in[i][k], k)) complain(r, "changes input %d", k);
        }
        if (state[i] && r->kernel->destroy) r->kernel->destroy(state[i]);
        for (int k = 0; k < OP_INPUTS; k++) guard_close(&in[i][k]);
    }
    guard_close(&scratch);
    return ok && status == FV_OK;
}

/* -0 is as good as 0 in padding. */
static bool same_or_zero(const void *a, const void *b, fv_dtype d, size_t bytes)
{
    const size_t size = fv_dtype_size(d);
    for (size_t i = 0; i < bytes; i += size) {
        if (!memcmp((const char *)a + i, (const char *)b + i, size)) continue;
        if (get(a, d, (int64_t)(i / size)) != 0 || get(b, d, (int64_t)(i / size)) != 0) return false;
    }
    return true;
}

static void check_output(run *r, const outcome *o, int k)
{
    const fvi_type *t = &r->s->out[k];
    const op_tensor *want = &r->s->c.out[k];
    const fvi_layout layout = r->q.out_layout[k];
    const size_t bytes = o->out[k].bytes;
    const double tolerance = r->winograd && t->dtype == FV_F32 ? winograd : by_dtype[t->dtype];
    void *plain = calloc((size_t)want->n + 1, 8), *again = calloc(bytes + 1, 1);
    double squares = 0, worst = 0;
    int64_t unwritten = 0, at = 0;
    if (!plain || !again || !fvi_layout_convert(t, o->out[k].data, layout, plain, FVI_PLAIN) ||
        !fvi_layout_convert(t, plain, FVI_PLAIN, again, layout)) {
        complain(r, "no memory, or no way from its layout");
        goto done;
    }
    for (int64_t i = 0; i < want->n && op_is_float(want); i++) squares += isfinite(want->f[i]) ? want->f[i] * want->f[i] : 0;
    const double scale = sqrt(squares / (double)FVI_MAX(want->n, 1));
    for (int64_t i = 0; i < want->n; i++) {
        const double a = get(plain, t->dtype, i), b = op_is_float(want) ? want->f[i] : (double)want->i[i];
        unwritten += untouched(plain, t->dtype, i);
        double off = INFINITY;
        if (a == b || (isnan(a) && isnan(b))) off = 0;
        else if (isfinite(a) && isfinite(b) && op_is_float(want)) off = fabs(a - b) / (fabs(b) + scale);
        if (off > worst) worst = off, at = i;
    }
    if (unwritten) complain(r, "output %d: %lld of %lld elements are not written", k, (long long)unwritten, (long long)want->n);
    else if (worst > tolerance)
        complain(r, "output %d[%lld] is %.9g, expected %.9g (%.3g, allowed %.3g)", k, (long long)at, get(plain, t->dtype, at),
                 op_is_float(want) ? want->f[at] : (double)want->i[at], worst, tolerance);
    else if (!same_or_zero(again, o->out[k].data, t->dtype, bytes)) complain(r, "output %d: padding is not zero", k);
    if (!guard_intact(&o->out[k])) complain(r, "writes beyond output %d", k);
done:
    free(plain);
    free(again);
}

static bool same_bits(const run *r, const outcome *a, const outcome *b)
{
    for (int k = 0; k < r->q.n_out; k++)
        if (memcmp(a->out[k].data, b->out[k].data, a->out[k].bytes)) return false;
    return true;
}

static void check_run(run *r)
{
    outcome first, other[3];
    for (int i = 0; i < fvi_registry_kernel_count() && i < KERNELS; i++) has_run[i] |= fvi_registry_kernel(i) == r->kernel;
    if (!execute(r, 1, false, 0, 1, &first)) {
        outcome_close(&first);
        return;
    }
    dnnl_winograd_has_run |= r->winograd && !strncmp(r->kernel->name, "dnnl_", 5);
    for (int k = 0; k < r->q.n_out; k++) check_output(r, &first, k);
    if (execute(r, 1, false, 0, 1, other) && !same_bits(r, &first, other)) complain(r, "two runs differ in bits");
    outcome_close(other);
    if (execute(r, 2, false, 0, 1, other)) {
        if (!same_bits(r, &first, other)) differs(r, BY_THREADS);
        for (int k = 0; k < r->q.n_out; k++) check_output(r, other, k);
    }
    outcome_close(other);
    for (int k = 0; k < r->q.n_out; k++)
        if (home_of(r, k) >= 0) {
            if (execute(r, 1, true, 0, 1, other)) {
                if (!same_bits(r, &first, other)) differs(r, IN_PLACE);
                for (int j = 0; j < r->q.n_out; j++) check_output(r, other, j);
            }
            outcome_close(other);
            break;
        }
    if (r->kernel->skips_unused && r->q.n_out > 1) {
        for (int k = 1; k < r->q.n_out; k++) r->q.out_used[k] = false;
        if (execute(r, 1, false, ~1u, 1, other)) check_output(r, other, 0);
        for (int k = 1; k < r->q.n_out; k++) r->q.out_used[k] = true;
        outcome_close(other);
    }
    if (r->kernel->run_group) {
        if (execute(r, 2, true, 0, 3, other))
            for (int i = 0; i < 3; i++) {
                if (!same_bits(r, &first, &other[i])) differs(r, IN_GROUP);
                for (int k = 0; k < r->q.n_out; k++) check_output(r, &other[i], k);
            }
        for (int i = 0; i < 3; i++) outcome_close(&other[i]);
    }
    outcome_close(&first);
}

/* ---- the check itself: kernels of `scale` that are wrong in one way each --------------------------------------------- */

typedef enum fault { RIGHT, WRONG_VALUE, NOT_A_NUMBER, UNWRITTEN, OVERRUN, SCRATCH_OVERRUN, INPUT_OVERRUN, NOT_REPEATABLE, WRONG_IN_PLACE,
                     WRONG_IN_THREADS, WRONG_IN_GROUP, SPOILS_INPUT, BITS_BY_THREADS, BITS_IN_PLACE, BITS_IN_GROUP, FAULTS } fault;
static fault fault_now;
static int fault_calls;
static bool fault_grouped;
enum { FAULT_COUNT = 34 };             /* elements of the sample "features", N = 2 */

static bool fault_choose(fvi_query *q)
{
    return fvi_type_numel(&q->in[0]) == FAULT_COUNT;
}

static fv_status fault_prepare(const fvi_query *q, void **state, size_t *scratch_bytes)
{
    (void)q;
    *state = NULL;
    *scratch_bytes = 16;
    return FV_OK;
}

static fv_status fault_run(void *state, void *const *in, void *const *out, void *scratch, const fvi_exec *x)
{
    (void)state;
    float *from = in[0], *to = out[0];
    if (fault_now == WRONG_IN_PLACE && from == to) from[1] = 0;
    for (int i = 0; i < FAULT_COUNT; i++)
        if (fault_now != UNWRITTEN || i != 20) to[i] = 0.25f * from[i];
    if (fault_now == WRONG_VALUE) to[3] *= 1.001f;
    if (fault_now == NOT_A_NUMBER) to[3] = NAN;
    if (fault_now == OVERRUN) to[FAULT_COUNT] = 0;
    if (fault_now == SCRATCH_OVERRUN) ((char *)scratch)[16] = 0;
    if (fault_now == INPUT_OVERRUN) from[-1] = 0;
    if (fault_now == SPOILS_INPUT) from[0] = 1;
    if (fault_now == NOT_REPEATABLE && fault_calls++ % 2) to[5] = nextafterf(to[5], 9);
    if (fault_now == WRONG_IN_THREADS && x->threads > 1) to[5] = 9;
    if ((fault_now == BITS_BY_THREADS && x->threads > 1) || (fault_now == BITS_IN_PLACE && from == to && x->threads == 1) ||
        (fault_now == BITS_IN_GROUP && fault_grouped))
        to[5] = nextafterf(to[5], 9);
    return FV_OK;
}

static fv_status fault_group(int n, void **states, void *const *const *in, void *const *const *out, const fvi_exec *x)
{
    char scratch[32];
    fault_grouped = true;
    for (int i = 0; i < n; i++) (void)fault_run(states[i], in[i], out[fault_now == WRONG_IN_GROUP ? 0 : i], scratch, x);
    fault_grouped = false;
    return FV_OK;
}

static const fvi_kernel fault_kernel = {.name = "fault", .op = "scale", .choose = fault_choose, .prepare = fault_prepare, .run = fault_run,
                                        .inplace = {1}, .run_group = fault_group};

static void the_check_catches_wrong_kernels(void)
{
    fv_context *ctx = fv_context_create();
    const fvi_op *op = fvi_registry_find_op("scale");
    subject s;
    CHECK(op && !strcmp(op->samples[1].name, "features") && subject_open(&s, ctx, op, &op->samples[1], 2, MODE_F32));
    for (fault_now = RIGHT; fault_now < FAULTS; fault_now++) {
        int bad = 0;
        run r = {.bad = &bad, .quiet = true};
        CHECK(ask(&r, &s, &fault_kernel, FVI_ISA_BASE, AS_PLAIN));
        check_run(&r);
        CHECK_MSG((bad > 0) == (fault_now != RIGHT), "fault %d: %d complaints", (int)fault_now, bad);
    }
    subject_close(&s);
    fv_context_destroy(ctx);
}

/* ---- walking the tables ------------------------------------------------------------------------------------------- */

/* F32 ops see no bf16; effects neither. */
static bool mode_applies(const fvi_op *op, mode m)
{
    return m != MODE_BF16 || (op->precision != FVI_PRECISION_F32 && op->kind != FVI_EFFECT);
}

static void check_kernel(const subject *s, const fvi_kernel *kernel, fvi_isa isa, int *runs, int *bad)
{
    char seen[VARIANTS][160];
    int n_seen = 0;
    for (int variant = 0; variant < VARIANTS; variant++) {
        run r = {.bad = bad};
        if (!ask(&r, s, kernel, isa, variant)) continue;
        bool known = false;
        for (int k = 0; k < n_seen; k++) known |= !strcmp(seen[k], r.what);
        if (known) continue;
        memcpy(seen[n_seen++], r.what, sizeof r.what);
        check_run(&r);
        ++*runs;
    }
}

static void check_subject(const subject *s, fvi_isa isa, bool with_reference, int *runs, int *bad)
{
    const fvi_kernel *k = fvi_registry_next_kernel(s->c.op->name, NULL);
    for (; k; k = fvi_registry_next_kernel(s->c.op->name, k)) check_kernel(s, k, isa, runs, bad);
    if (with_reference && s->c.op->ref) check_kernel(s, &fvi_reference_kernel, isa, runs, bad);
}

static void check_sample(fv_context *ctx, fvi_isa isa, const fvi_op *op, const fvi_sample *sample, int64_t n, mode m, int *runs, int *bad)
{
    subject s;
    const bool large = n == FVI_LARGE_BATCH;
    if (subject_open(&s, ctx, op, sample, n, m)) {
        check_subject(&s, isa, !large, runs, bad);
        subject_close(&s);
    } else {
        printf("    %s, sample %s, %s: %s\n", op->name, sample->name, mode_names[m], fv_error_text(ctx));
        ++*bad;
    }
    fvi_error_clear(ctx);
}

/* Kernels that not every level has; the others must take a sample at each. */
static const struct { const char *kernel; fvi_isa first, last; } limited[] = {
    {"winograd", FVI_ISA_AVX2, FVI_ISA_AVX512_BF16},
    {"wgrad_small", FVI_ISA_AVX512, FVI_ISA_AVX512_BF16},
    {"widen", FVI_ISA_BASE, FVI_ISA_AVX512},             /* bf16 where the processor has none */
};

static bool belongs(const char *kernel, fvi_isa level)
{
    for (int i = 0; i < FVI_COUNT(limited); i++)
        if (!strcmp(limited[i].kernel, kernel)) return level >= limited[i].first && level <= limited[i].last;
    return true;
}

static void every_kernel_has_run(fvi_isa level)
{
    CHECK(fvi_registry_kernel_count() <= KERNELS);
    for (int i = 0; i < fvi_registry_kernel_count(); i++) {
        const fvi_kernel *k = fvi_registry_kernel(i);
        if (!strcmp(k->op, "reorder")) continue;         /* test_reorder.c */
        test_check(has_run[i] == belongs(k->name, level), TEST_PLACE, "%s for %s %s at %s", k->name, k->op,
                   has_run[i] ? "takes samples, against the list of levels," : "takes no sample", fvi_cpu_isa_name(level));
    }
    for (int i = 0; i < FVI_COUNT(limited); i++) {
        bool known = false;
        for (int k = 0; k < fvi_registry_kernel_count(); k++) known |= !strcmp(limited[i].kernel, fvi_registry_kernel(k)->name);
        test_check(known, TEST_PLACE, "no kernel is called %s", limited[i].kernel);
    }
    CHECK_EQ(dnnl_winograd_has_run, fvi_dnnl_has_winograd() && level >= FVI_ISA_AVX512);
    CHECK_EQ(fvi_dnnl_isa(), level);                     /* oneDNN's kernels were this level's too */
}

static void kernels_match_the_reference(fvi_isa isa)
{
    fv_context *ctx = fv_context_create();
    int runs = 0, bad = 0;
    CHECK(ctx);
    for (int i = 0; i < fvi_registry_op_count(); i++) {
        const fvi_op *op = fvi_registry_op(i);
        for (int k = 0; k < op->n_samples; k++)
            for (int m = 0; m < MODES; m++)
                for (int64_t n = 2; n <= 3 && mode_applies(op, m); n++) check_sample(ctx, isa, op, &op->samples[k], n, m, &runs, &bad);
    }
    for (int k = 0; k < fvi_large_sample_count; k++) {
        const fvi_op *op = fvi_registry_find_op(fvi_large_samples[k].op);
        CHECK_MSG(op != NULL, "no op is called %s", fvi_large_samples[k].op);
        for (int m = 0; m < MODES; m++)
            if (m != MODE_F64 && mode_applies(op, m)) check_sample(ctx, isa, op, &fvi_large_samples[k].sample, FVI_LARGE_BATCH, m, &runs, &bad);
    }
    show_differences();
    printf("    %s: %d kernels, %d runs\n", fvi_cpu_isa_name(isa), fvi_registry_kernel_count(), runs);
    fv_context_destroy(ctx);
    CHECK(runs > 0);
    CHECK_EQ(bad, 0);
    every_kernel_has_run(isa);
}

/* References alone: every element written, none beyond, in place equals out of place. */
static void references_write_all(void)
{
    fv_context *ctx = fv_context_create();
    int runs = 0;
    for (int i = 0; i < fvi_registry_op_count(); i++) {
        const fvi_op *op = fvi_registry_op(i);
        for (int k = 0; k < op->n_samples && op->ref; k++) {
            subject s;
            guarded apart[FVI_MAX_OUT] = {{0}};
            void *out[FVI_MAX_OUT];
            CHECK_MSG(subject_open(&s, ctx, op, &op->samples[k], 2, MODE_F64), "%s: %s", op->name, fv_error_text(ctx));
            for (int j = 0; j < s.c.n_out; j++) {
                CHECK(guard_open(&apart[j], (size_t)s.c.out[j].n * 8));
                out[j] = apart[j].data;
            }
            run_reference(&s, out);
            for (int j = 0; j < s.c.n_out; j++) {
                CHECK_MSG(guard_intact(&apart[j]), "%s, sample %s: writes beyond output %d", op->name, op->samples[k].name, j);
                for (int64_t e = 0; e < s.c.out[j].n; e++)
                    CHECK_MSG(!untouched(out[j], op_is_float(&s.c.out[j]) ? FV_F64 : FV_I64, e),
                              "%s, sample %s: output %d[%d] is not written", op->name, op->samples[k].name, j, (int)e);
            }
            for (int j = 0; j < s.c.n_out; j++) {
                const int home = op->inplace[j] - 1;
                if (home >= 0 && home < s.c.n_in && s.c.in[home].n == s.c.out[j].n) out[j] = s.c.in[home].p;
            }
            run_reference(&s, out);
            for (int j = 0; j < s.c.n_out; j++)
                CHECK_MSG(!memcmp(out[j], apart[j].data, apart[j].bytes), "%s, sample %s: output %d differs in place", op->name,
                          op->samples[k].name, j);
            for (int j = 0; j < s.c.n_out; j++) guard_close(&apart[j]);
            subject_close(&s);
            runs++;
        }
    }
    fv_context_destroy(ctx);
    CHECK(runs > 0);
}

AT_LEVELS(kernels_match_the_reference)

TEST_MAIN(CASE(the_check_catches_wrong_kernels), CASE(references_write_all), LEVEL_CASES(kernels_match_the_reference))
