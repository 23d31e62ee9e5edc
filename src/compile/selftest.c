/* SPDX-License-Identifier: Apache-2.0 */
/* `fovea selftest`: every kernel against its op's reference, on the samples of the op and on larger cases that fill whole
 * vectors and blocks, per element type, instruction set and memory order. */
#include "compile/registry.h"
#include "compile/sample.h"

#include "cpu/cpu.h"
#include "fovea/tools.h"

#include <math.h>
#include <stdio.h>

/* ---- one run -------------------------------------------------------------------------------------------------------- */

/* |got - want| <= tolerance (|want| + root mean square of the output). f32: sums of some hundred products, Winograd's
 * transforms; bf16: two roundings. */
static double tolerance_of(fv_dtype d) { return d == FV_F64 ? 1e-12 : d == FV_F32 ? 2e-5 : d == FV_BF16 ? 1e-2 : 0; }

typedef struct walk {
    fv_context *ctx;
    fv_selftest_fn *fn;
    void *user;
    const char *dtype;
    fvi_isa isa;
    bool stopped;
} walk;

typedef struct trial { const fvi_sample_run *s; const fvi_kernel *kernel; fvi_env env; fvi_query q; char layouts[160]; } trial;

enum { AS_PLAIN, LAYOUTS_PLAIN, LAYOUTS_FREE, LAYOUTS_NHWC, LAYOUTS_16, LAYOUTS_8, VARIANTS };

static bool is_activation(const fvi_sample_run *s, int k)
{
    return s->sample->in[k].rank == 4 && s->sample->in[k].dim[0] == FV_N;
}

/* Asks the kernel for one variant of memory orders; false when it declines or the variant says nothing here. */
static bool ask(trial *t, const fvi_sample_run *s, const fvi_kernel *kernel, fvi_isa isa, int variant)
{
    static const fvi_layout given[VARIANTS] = {FVI_PLAIN, FVI_PLAIN, FVI_PLAIN, FVI_NHWC, FVI_NCHW16C, FVI_NCHW8C};
    const fvi_layout best = isa >= FVI_ISA_AVX512 ? FVI_NCHW16C : isa == FVI_ISA_AVX2 ? FVI_NCHW8C : FVI_PLAIN;
    bool differs = variant < LAYOUTS_FREE;
    *t = (trial){.s = s, .kernel = kernel};
    t->env = (fvi_env){.ctx = s->ctx, .threads = fv_context_threads(s->ctx), .isa = isa, .layouts = variant != AS_PLAIN,
                       .conv_layout = variant >= LAYOUTS_NHWC ? given[variant] : best};
    fvi_query *q = &t->q;
    if (fvi_query_open(q, &t->env, s->node, false) != FV_OK) return false;           /* few inputs: nothing to close */
    for (int k = 0; k < q->n_in; k++) {
        const bool activation = is_activation(s, k), weight = !activation && q->in[k].rank >= 2;
        if (variant >= LAYOUTS_NHWC && activation) q->in_layout[k] = given[variant], differs = true;
        if (variant == LAYOUTS_FREE && weight) q->in_layout[k] = FVI_OPAQUE, differs = true;
    }
    for (int k = 0; k < q->n_out; k++) q->out[k] = s->out[k].type;
    if (!differs || !kernel->choose(q)) return false;
    size_t at = 0;
    for (int k = 0; k < q->n_in + q->n_out; k++) {
        if (k < q->n_in && q->in_layout[k] == FVI_OPAQUE) q->in_layout[k] = FVI_PLAIN;
        const char *name = fvi_layout_name(k < q->n_in ? q->in_layout[k] : q->out_layout[k - q->n_in]);
        at += (size_t)snprintf(t->layouts + at, sizeof t->layouts - at, "%s%s", k == q->n_in ? " -> " : k ? " " : "", name);
        at = FVI_MIN(at, sizeof t->layouts - 1);
    }
    return true;
}

typedef struct buffers {
    void *in[FVI_SAMPLE_IN], *out[FVI_MAX_OUT], *scratch;
    size_t in_bytes[FVI_SAMPLE_IN], out_bytes[FVI_MAX_OUT], scratch_bytes;
} buffers;

static void free_buffers(buffers *b)
{
    for (int k = 0; k < FVI_SAMPLE_IN; k++) fvi_free_aligned(b->in[k], b->in_bytes[k]);
    for (int k = 0; k < FVI_MAX_OUT; k++) fvi_free_aligned(b->out[k], b->out_bytes[k]);
    fvi_free_aligned(b->scratch, b->scratch_bytes);
}

static fv_status fill_buffers(const trial *t, buffers *b)
{
    const fvi_sample_run *s = t->s;
    for (int k = 0; k < t->q.n_in; k++) {
        b->in_bytes[k] = fvi_layout_bytes(t->q.in_layout[k], &s->in[k].type) + FVI_ALIGNMENT;
        if (!(b->in[k] = fvi_malloc_aligned(b->in_bytes[k])) ||
            !fvi_layout_convert(&s->in[k].type, s->in[k].data, FVI_PLAIN, b->in[k], t->q.in_layout[k]))
            return fvi_nomem(s->ctx);
    }
    for (int k = 0; k < t->q.n_out; k++) {
        b->out_bytes[k] = fvi_layout_bytes(t->q.out_layout[k], &s->out[k].type) + FVI_ALIGNMENT;
        if (!(b->out[k] = fvi_malloc_aligned(b->out_bytes[k]))) return fvi_nomem(s->ctx);
        memset(b->out[k], 0xff, b->out_bytes[k]);      /* NaN in every float type: what is not written shows */
    }
    return (b->scratch = fvi_malloc_aligned(b->scratch_bytes + FVI_ALIGNMENT)) ? FV_OK : fvi_nomem(s->ctx);
}

/* Largest deviation of output k; *problem when the zero padding was broken or memory is short. */
static double compare(const trial *t, const buffers *b, int k, const char **problem)
{
    const fvi_sample_tensor *want = &t->s->out[k];
    const fvi_type *type = &want->type;
    const bool real = fv_dtype_is_float(type->dtype);
    const size_t bytes = fvi_layout_bytes(t->q.out_layout[k], type);
    void *plain = fvi_calloc((size_t)want->n + 1, 8), *again = fvi_calloc(bytes + 1, 1);
    double squares = 0, worst = 0;
    if (!plain || !again || !fvi_layout_convert(type, b->out[k], t->q.out_layout[k], plain, FVI_PLAIN) ||
        !fvi_layout_convert(type, plain, FVI_PLAIN, again, t->q.out_layout[k]))
        *problem = "out of memory";
    else if (memcmp(again, b->out[k], bytes)) *problem = "the padding of the output is not zero";
    for (int64_t i = 0; i < want->n && real; i++) squares += isfinite(want->f[i]) ? want->f[i] * want->f[i] : 0;
    const double scale = sqrt(squares / (double)FVI_MAX(want->n, 1));
    for (int64_t i = 0; i < want->n && plain && again; i++) {
        const double a = fvi_sample_get(plain, type->dtype, i), e = real ? want->f[i] : (double)want->i[i];
        if (a == e || (isnan(a) && isnan(e))) continue;
        worst = fmax(worst, real && isfinite(a) && isfinite(e) ? fabs(a - e) / (fabs(e) + scale) : (double)INFINITY);
    }
    fvi_free(plain);
    fvi_free(again);
    return worst;
}

static fv_status run_trial(walk *w, trial *t)
{
    const fvi_sample_run *s = t->s;
    buffers b = {0};
    void *state = NULL;
    const fvi_exec x = {.ctx = w->ctx, .threads = t->env.threads, .ragged_rows = s->rows};
    fv_selftest_row row = {.op = s->op->name, .sample = s->sample->name, .kernel = t->kernel->name, .dtype = w->dtype,
                           .isa = fvi_cpu_isa_name(w->isa), .layouts = t->layouts};
    fv_status status = t->kernel->prepare(&t->q, &state, &b.scratch_bytes);
    if (status == FV_OK) status = fill_buffers(t, &b);
    if (status == FV_OK) status = t->kernel->run(state, b.in, b.out, b.scratch, &x);
    double ratio = -1;
    for (int k = 0; k < t->q.n_out && status == FV_OK; k++) {
        const double error = compare(t, &b, k, &row.problem), allowed = tolerance_of(s->out[k].type.dtype);
        const double r = error > 0 ? error / allowed : 0;
        if (!(r > ratio)) continue;
        ratio = r;
        row.error = error;
        row.tolerance = allowed;
    }
    if (state && t->kernel->destroy) t->kernel->destroy(state);
    free_buffers(&b);
    if (status == FV_ERROR_NOMEM) return status;
    if (status != FV_OK) row.problem = fv_error_message(w->ctx);
    else if (!row.problem && ratio > 1) row.problem = isfinite(row.error) ? "differs from the reference" : "a value is wrong or not finite";
    row.passed = !row.problem;
    w->stopped = !w->fn(w->user, &row);
    return FV_OK;
}

/* ---- walking -------------------------------------------------------------------------------------------------------- */

static fv_status trials_of(walk *w, const fvi_sample_run *s, const fvi_kernel *kernel)
{
    char seen[VARIANTS][160];
    int n_seen = 0;
    for (int variant = 0; variant < VARIANTS && !w->stopped; variant++) {
        trial t;
        bool known = false;
        if (!ask(&t, s, kernel, w->isa, variant)) continue;
        for (int k = 0; k < n_seen; k++) known |= !strcmp(seen[k], t.layouts);
        if (known) continue;
        memcpy(seen[n_seen++], t.layouts, sizeof t.layouts);
        FVI_TRY(w->ctx, run_trial(w, &t));
    }
    return FV_OK;
}

static fv_status kernels_of(walk *w, const fvi_sample_run *s)
{
    const fvi_kernel *k = fvi_registry_next_kernel(s->op->name, NULL);
    for (; k; k = fvi_registry_next_kernel(s->op->name, k)) FVI_TRY(w->ctx, trials_of(w, s, k));
    return s->op->ref && w->isa == fvi_cpu_detect_isa() ? trials_of(w, s, &fvi_reference_kernel) : FV_OK;
}

static fv_status sample_in_modes(walk *w, const fvi_op *op, const fvi_sample *sample, int64_t batch)
{
    static const char *const names[FVI_SAMPLE_MODES] = {"f32", "f64", "bf16"};
    for (int mode = 0; mode < FVI_SAMPLE_MODES && !w->stopped; mode++) {
        if (!fvi_sample_applies(op, (fvi_sample_mode)mode)) continue;
        fvi_sample_run s;
        FVI_TRY(w->ctx, fvi_sample_open(w->ctx, op, sample, batch, (fvi_sample_mode)mode, &s));
        w->dtype = names[mode];
        const fv_status status = kernels_of(w, &s);
        fvi_sample_close(&s);
        if (status != FV_OK) return status;
    }
    return FV_OK;
}

static fv_status walk_ops(walk *w, const char *only)
{
    for (int i = 0; i < fvi_registry_op_count(); i++) {
        const fvi_op *op = fvi_registry_op(i);
        if (only && strcmp(only, op->name)) continue;
        for (int k = 0; k < op->n_samples; k++)
            for (int64_t n = 2; n <= 3 && !w->stopped; n++) FVI_TRY(w->ctx, sample_in_modes(w, op, &op->samples[k], n));
        for (int k = 0; k < fvi_large_sample_count && !w->stopped; k++)
            if (!strcmp(fvi_large_samples[k].op, op->name)) FVI_TRY(w->ctx, sample_in_modes(w, op, &fvi_large_samples[k].sample, FVI_LARGE_BATCH));
    }
    return FV_OK;
}

fv_status fv_selftest(fv_context *ctx, const fv_selftest_options *options, fv_selftest_fn *fn, void *user)
{
    const char *only = options ? options->op : NULL, *cap = options ? options->isa : NULL;
    walk w = {.ctx = ctx, .fn = fn, .user = user};
    if (only && !fvi_registry_find_op(only)) return fvi_fail(ctx, FV_ERROR_INVALID, "no op is called '%s'", only);
    fvi_isa best;
    FVI_TRY(ctx, fvi_cpu_choose_isa(ctx, cap, &best));
    for (int isa = (int)best; isa >= 0 && !w.stopped; isa--) {
        w.isa = (fvi_isa)isa;
        FVI_TRY(ctx, walk_ops(&w, only));
        if (cap) break;
    }
    return FV_OK;
}
