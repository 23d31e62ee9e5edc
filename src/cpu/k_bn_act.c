/* SPDX-License-Identifier: Apache-2.0 */
/* Batch normalisation with activation and residual: two passes over memory each way. The tensor is cut in units of a
 * few thousand elements, the same for any number of threads; each gives partial sums, merged in order in double.
 * Channel blocks go through both passes in groups small enough to stay in cache between them, and the second pass runs
 * backwards so that it starts with what the first one left there. */
#include "cpu/isa/bn.h"
#include "ir/kernel.h"
#include "ops/batch_norm.h"
#include "ops/bn_act.h"

#include <math.h>
#include <omp.h>

enum { MEAN, A, SHIFT, C1, C2, COEFFICIENTS };
enum { SUM, SQUARES, ORIGIN, SUMS };   /* backward: SUM of g, SQUARES of g * (x - mean) */

enum { GROUP_BYTES = 2 << 20 };

typedef struct bn_state {
    const fvi_bn_table *f;
    int bf, act;
    bool two, residual;                /* two: a residual or dy2 comes in; residual: dresidual goes out */
    double eps;
    size_t mask_at;                    /* offset of the mask of relu in the scratch; 0: none */
    int64_t channels, per_channel;     /* values per channel */
    int64_t planes, blocks, plane;     /* tensor = planes x blocks x plane elements */
    int64_t rows;                      /* of a plane: plane = rows * width + tail */
    int width, tail;
    int64_t parts, together, units;    /* a unit is a plane's part, or some whole planes of one block */
    int64_t group;                     /* blocks that go through both passes together */
    int64_t bundle;                    /* blocks of whole planes that a task takes, to read memory in long stretches */
    int64_t bytes;                     /* of the tensor */
    bool lanes_one_channel;            /* plain planes: the row's lanes are one channel */
} bn_state;

typedef struct bn_job {
    const bn_state *s;
    bool backward;
    fvi_bn_forward fwd;                /* pointers of the whole tensor */
    fvi_bn_backward bwd;
    const float *scale, *shift, *mean, *var;
    float *out_mean, *out_var, *out_unbiased, *dscale, *dshift;
    float *partial;                    /* [block][unit][SUMS][width] */
    float *coef;                       /* [COEFFICIENTS][blocks * width] */
} bn_job;

static int64_t coef_count(const bn_state *s) { return FVI_ALIGN_UP(s->blocks * s->width, 16); }
static float *coef(const bn_job *j, int which, int64_t block)
{
    return j->coef + which * coef_count(j->s) + block * j->s->width;
}
static float *partial(const bn_job *j, int64_t block, int64_t unit, int which)
{
    return j->partial + ((block * j->s->units + unit) * SUMS + which) * j->s->width;
}

/* ---- geometry ---------------------------------------------------------------------------------------------------- */

static void geometry(bn_state *s, const fvi_type *x, fvi_layout layout, int streams)
{
    const int64_t n = x->dim[0], c = x->dim[1], total = fvi_type_numel(x);
    const int64_t inner = c && n ? total / n / c : 0;
    s->channels = c;
    s->per_channel = n * inner;
    s->planes = n, s->blocks = c, s->tail = 0;
    if (fvi_layout_block(layout) > 1) {
        s->width = fvi_layout_block(layout);
        s->blocks = (c + s->width - 1) / s->width;
        s->rows = inner;
    } else if (layout == FVI_NHWC || inner == 1) {
        s->width = (int)c, s->planes = s->blocks = 1, s->rows = n * inner;
    } else {
        s->lanes_one_channel = true;
        s->width = 16, s->rows = inner / 16, s->tail = (int)(inner % 16);
    }
    s->plane = s->rows * s->width + s->tail;
    const int64_t wanted = FVI_MAX(64, 4096 / FVI_MAX(s->width, 1));
    s->parts = FVI_MAX(1, s->rows / wanted);
    s->together = s->parts > 1 ? 1 : FVI_MIN(FVI_MAX(1, wanted / FVI_MAX(s->rows, 1)), FVI_MAX(s->planes, 1));
    s->units = s->parts > 1 ? s->planes * s->parts : (s->planes + s->together - 1) / s->together;
    const int64_t size = s->bf ? 2 : 4, plane_bytes = FVI_MAX(1, s->plane * size);
    s->bytes = s->planes * s->blocks * plane_bytes;
    s->group = FVI_MIN(FVI_MAX(1, GROUP_BYTES / (s->planes * plane_bytes * streams)), s->blocks);
    s->bundle = FVI_MIN(FVI_MAX(1, 8192 / plane_bytes), s->group);
}

/* The rows of a unit that lie in one plane, and the offset of their first element in the tensor. */
static int64_t run_of(const bn_state *s, int64_t plane, int64_t block, int64_t part, fvi_bn_run *r)
{
    int64_t first = 0;
    *r = (fvi_bn_run){s->rows, s->width, s->tail};
    if (s->parts > 1) {
        first = s->rows * part / s->parts;
        r->rows = s->rows * (part + 1) / s->parts - first;
        if (part + 1 < s->parts) r->tail = 0;
    }
    return (plane * s->blocks + block) * s->plane + first * s->width;
}

/* Rows of a unit, of lane l. */
static double unit_count(const bn_state *s, int64_t unit, int lane)
{
    fvi_bn_run r;
    const int64_t plane = s->parts > 1 ? unit / s->parts : unit * s->together;
    run_of(s, plane, 0, s->parts > 1 ? unit % s->parts : 0, &r);
    return (double)(FVI_MIN(s->together, s->planes - plane) * (r.rows + (lane < r.tail)));
}

static const void *at(const bn_state *s, const void *p, int64_t i)
{
    return p ? (const char *)p + i * (s->bf ? 2 : 4) : NULL;
}
static void *at_out(const bn_state *s, void *p, int64_t i) { return p ? (char *)p + i * (s->bf ? 2 : 4) : NULL; }

/* ---- between the passes ------------------------------------------------------------------------------------------ */

/* Coefficients of lanes [lane, lane + n) of a block; values are per lane. A plain plane's lanes all get value 0. */
static void spread(const bn_job *j, int which, int64_t block, int lane, int n, const double *value)
{
    float *to = coef(j, which, block) + lane;
    for (int l = 0; l < n; l++) to[l] = (float)value[j->s->lanes_one_channel ? 0 : l];
}

/* The moments of a plain channel: each lane of each unit is a part of its own. */
static void merge_plane(const bn_job *j, int64_t block, double *mean, double *m2)
{
    const bn_state *s = j->s;
    double sum = 0, squares = 0;
    for (int64_t u = 0; u < s->units; u++)
        for (int l = 0; l < s->width; l++)
            sum += partial(j, block, u, SUM)[l] + unit_count(s, u, l) * partial(j, block, u, ORIGIN)[l];
    *mean = sum / (double)s->per_channel;
    for (int64_t u = 0; u < s->units; u++)
        for (int l = 0; l < s->width; l++) {
            const double d = partial(j, block, u, ORIGIN)[l] - *mean;
            squares += partial(j, block, u, SQUARES)[l] +
                       d * (2.0 * partial(j, block, u, SUM)[l] + unit_count(s, u, l) * d);
        }
    *m2 = FVI_MAX(squares, 0);
}

/* The moments of n lanes; chunks of units are merged one after the other (Chan et al.). */
static void merge_units(const bn_job *j, int64_t block, int lane, int n, double *mean, double *m2)
{
    enum { CHUNK = 256 };
    const bn_state *s = j->s;
    double count[CHUNK], m[16], q[16], total = 0;
    for (int64_t u0 = 0; u0 < s->units; u0 += CHUNK) {
        const int64_t units = FVI_MIN((int64_t)CHUNK, s->units - u0);
        double here = 0;
        for (int64_t u = 0; u < units; u++) here += count[u] = unit_count(s, u0 + u, 16);
        s->f->merge(partial(j, block, u0, ORIGIN) + lane, partial(j, block, u0, SUM) + lane,
                    partial(j, block, u0, SQUARES) + lane, SUMS * s->width, units, count, n, m, q);
        for (int l = 0; l < n; l++) {
            const double d = u0 ? m[l] - mean[l] : 0, both = total + here;
            m2[l] = u0 ? m2[l] + q[l] + d * d * total * here / both : q[l];
            mean[l] = u0 ? mean[l] + d * here / both : m[l];
        }
        total += here;
    }
}

/* Channels of a strip of 16 lanes, padding left out. */
static int strip_channels(const bn_state *s, int64_t block, int lane, int64_t *first)
{
    *first = s->lanes_one_channel ? block : block * s->width + lane;
    return s->lanes_one_channel ? 1 : (int)FVI_MIN((int64_t)FVI_MIN(16, s->width - lane), s->channels - *first);
}

static void finish_forward(const bn_job *j, int64_t block, int lane)
{
    const bn_state *s = j->s;
    double mean[16] = {0}, m2[16] = {0}, a[16] = {0}, shift[16] = {0};
    const int lanes = FVI_MIN(16, s->width - lane);
    int64_t first;
    const int n = strip_channels(s, block, lane, &first);
    if (s->lanes_one_channel) merge_plane(j, block, mean, m2);
    else merge_units(j, block, lane, n, mean, m2);
    const double count = (double)s->per_channel;
    for (int l = 0; l < n; l++) {
        const int64_t c = first + l;
        /* as kept: made again in backward, y has the same bits */
        const double var = (float)(m2[l] / count);
        mean[l] = (float)mean[l];
        a[l] = j->scale[c] / sqrt(var + s->eps);
        shift[l] = j->shift[c];
        if (j->out_mean) j->out_mean[c] = (float)mean[l];
        if (j->out_var) j->out_var[c] = (float)var;
        if (j->out_unbiased) j->out_unbiased[c] = (float)(m2[l] / (count - 1));
    }
    spread(j, MEAN, block, lane, lanes, mean);
    spread(j, A, block, lane, lanes, a);
    spread(j, SHIFT, block, lane, lanes, shift);
}

static void finish_backward(const bn_job *j, int64_t block, int lane)
{
    const bn_state *s = j->s;
    double sum_g[16] = {0}, sum_gx[16] = {0}, c1[16] = {0}, c2[16] = {0};
    const int lanes = FVI_MIN(16, s->width - lane);
    int64_t first;
    const int n = strip_channels(s, block, lane, &first);
    s->f->add(partial(j, block, 0, SUM) + lane, SUMS * s->width, s->units, lanes, sum_g);
    s->f->add(partial(j, block, 0, SQUARES) + lane, SUMS * s->width, s->units, lanes, sum_gx);
    if (s->lanes_one_channel)
        for (int l = 1; l < 16; l++) sum_g[0] += sum_g[l], sum_gx[0] += sum_gx[l];
    for (int l = 0; l < n; l++) {
        const int64_t c = first + l;
        const double rstd = 1 / sqrt((double)j->var[c] + s->eps), a = j->scale[c] * rstd, m = (double)s->per_channel;
        c1[l] = a * sum_g[l] / m;
        c2[l] = a * rstd * rstd * sum_gx[l] / m;
        if (j->dscale) j->dscale[c] = (float)(rstd * sum_gx[l]);
        if (j->dshift) j->dshift[c] = (float)sum_g[l];
    }
    spread(j, C1, block, lane, lanes, c1);
    spread(j, C2, block, lane, lanes, c2);
}

/* Coefficients known from the start: evaluation and backward. */
static void coefficients(const bn_job *j)
{
    const bn_state *s = j->s;
    for (int64_t block = 0; block < s->blocks; block++)
        for (int lane = 0; lane < s->width; lane += 16) {
            double mean[16] = {0}, a[16] = {0}, shift[16] = {0};
            const int lanes = FVI_MIN(16, s->width - lane);
            int64_t first;
            const int n = strip_channels(s, block, lane, &first);
            for (int l = 0; l < n; l++) {
                mean[l] = j->mean[first + l];
                a[l] = j->scale[first + l] / sqrt((double)j->var[first + l] + s->eps);
                shift[l] = j->shift ? j->shift[first + l] : 0;
            }
            spread(j, MEAN, block, lane, lanes, mean);
            spread(j, A, block, lane, lanes, a);
            spread(j, SHIFT, block, lane, lanes, shift);
        }
}

/* ---- passes ------------------------------------------------------------------------------------------------------ */

/* A task: the part of one plane of one block, or some whole planes of some blocks. */
typedef struct bn_task { int64_t unit, plane, planes, block, blocks, part; } bn_task;

static int64_t task_count(const bn_state *s, int64_t blocks)
{
    return s->units * (s->parts > 1 ? blocks : (blocks + s->bundle - 1) / s->bundle);
}

/* Task t of blocks [b0, b0 + blocks), in the order of memory. */
static bn_task task_of(const bn_state *s, int64_t b0, int64_t blocks, int64_t t)
{
    if (s->parts > 1) {
        const int64_t plane = t / (blocks * s->parts), part = t % s->parts;
        return (bn_task){plane * s->parts + part, plane, 1, b0 + t / s->parts % blocks, 1, part};
    }
    const int64_t bundles = (blocks + s->bundle - 1) / s->bundle, unit = t / bundles, b = t % bundles * s->bundle;
    const int64_t plane = unit * s->together;
    return (bn_task){unit, plane, FVI_MIN(s->together, s->planes - plane), b0 + b, FVI_MIN(s->bundle, blocks - b), 0};
}

/* Where the sums of a unit start from: the mean of about the first sixteenth of its rows. As those rows belong to the
 * data, (mean - origin)^2 <= 16 var: squares - sum^2 / n multiplies rounding errors by 17 at most. */
static void set_origin(const bn_job *j, const bn_task *k, int64_t block)
{
    const bn_state *s = j->s;
    fvi_bn_run r;
    const int64_t i = run_of(s, k->plane, block, k->part, &r);
    float *origin = partial(j, block, k->unit, ORIGIN), *sum = partial(j, block, k->unit, SUM);
    float *squares = partial(j, block, k->unit, SQUARES);
    const int width = s->width;
    for (int l = 0; l < width; l++) origin[l] = sum[l] = squares[l] = 0;
    r.rows = FVI_MIN(r.rows, (r.rows * k->planes + 15) / 16);
    if (r.rows) r.tail = 0;
    s->f->stats[s->bf](at(s, j->fwd.x, i), &r, origin, sum, squares);
    const float factor = 1.0f / (float)FVI_MAX(r.rows, 1);
    for (int l = 0; l < width; l++) origin[l] = sum[l] * factor, sum[l] = squares[l] = 0;
}

static void first_forward(const bn_job *j, const bn_task *k)
{
    const bn_state *s = j->s;
    fvi_bn_run r;
    for (int64_t b = k->block; b < k->block + k->blocks; b++) set_origin(j, k, b);
    for (int64_t p = k->plane; p < k->plane + k->planes; p++)
        for (int64_t b = k->block; b < k->block + k->blocks; b++) {
            const int64_t i = run_of(s, p, b, k->part, &r);
            s->f->stats[s->bf](at(s, j->fwd.x, i), &r, partial(j, b, k->unit, ORIGIN), partial(j, b, k->unit, SUM),
                               partial(j, b, k->unit, SQUARES));
        }
}

static void second_forward(const bn_job *j, const bn_task *k)
{
    const bn_state *s = j->s;
    fvi_bn_run r;
    for (int64_t p = k->plane; p < k->plane + k->planes; p++)
        for (int64_t b = k->block; b < k->block + k->blocks; b++) {
            const int64_t i = run_of(s, p, b, k->part, &r);
            fvi_bn_forward t = j->fwd;
            t.x = at(s, t.x, i), t.residual = at(s, t.residual, i), t.y = at_out(s, t.y, i);
            t.mean = coef(j, MEAN, b), t.a = coef(j, A, b), t.shift = coef(j, SHIFT, b);
            s->f->forward[s->bf][s->act == FVI_BN_SILU](&t, &r);
        }
}

/* The arguments of a run that starts at element i. */
static fvi_bn_backward backward_at(const bn_job *j, int64_t b, int64_t i)
{
    const bn_state *s = j->s;
    fvi_bn_backward t = j->bwd;
    t.dy = at(s, t.dy, i), t.dy2 = at(s, t.dy2, i), t.y = at(s, t.y, i), t.x = at(s, t.x, i);
    t.dx = at_out(s, t.dx, i), t.g = at_out(s, t.g, i);
    if (t.mask) t.mask += i >> s->f->mask_shift;
    t.mean = coef(j, MEAN, b), t.a = coef(j, A, b), t.shift = coef(j, SHIFT, b);
    t.c1 = coef(j, C1, b), t.c2 = coef(j, C2, b);
    return t;
}

static void first_backward(const bn_job *j, const bn_task *k)
{
    const bn_state *s = j->s;
    fvi_bn_run r;
    for (int64_t b = k->block; b < k->block + k->blocks; b++)
        memset(partial(j, b, k->unit, SUM), 0, 2 * sizeof(float) * (size_t)s->width);
    for (int64_t p = k->plane; p < k->plane + k->planes; p++)
        for (int64_t b = k->block; b < k->block + k->blocks; b++) {
            fvi_bn_backward t = backward_at(j, b, run_of(s, p, b, k->part, &r));
            t.sum_g = partial(j, b, k->unit, SUM), t.sum_gx = partial(j, b, k->unit, SQUARES);
            s->f->sums[s->bf][s->act](&t, &r);
        }
}

static void second_backward(const bn_job *j, const bn_task *k)
{
    const bn_state *s = j->s;
    fvi_bn_run r;
    for (int64_t p = k->plane; p < k->plane + k->planes; p++)
        for (int64_t b = k->block; b < k->block + k->blocks; b++) {
            fvi_bn_backward t = backward_at(j, b, run_of(s, p, b, k->part, &r));
            int act = t.mask ? FVI_BN_MASK : s->act;
            if (t.g) t.dy = t.g, t.dy2 = NULL, act = FVI_BN_NONE;      /* the first pass has left g */
            s->f->backward[s->bf][act](&t, &r);
        }
}

/* What thread `me` of `team` does; the same results for any team. `moments` false: the second pass only. */
static void work(const bn_job *j, int me, int team, bool moments)
{
    const bn_state *s = j->s;
    const int strips = (s->width + 15) / 16;
    for (int64_t b0 = 0; b0 < s->blocks; b0 += s->group) {
        const int64_t blocks = FVI_MIN(s->group, s->blocks - b0), tasks = task_count(s, blocks);
        const int64_t lo = tasks * me / team, hi = tasks * (me + 1) / team;
        bn_task k;
        if (moments) {
            for (int64_t t = lo; t < hi; t++) {
                k = task_of(s, b0, blocks, t);
                if (j->backward) first_backward(j, &k);
                else first_forward(j, &k);
            }
#pragma omp barrier
            for (int64_t t = blocks * strips * me / team; t < blocks * strips * (me + 1) / team; t++)
                if (j->backward) finish_backward(j, b0 + t / strips, (int)(t % strips) * 16);
                else finish_forward(j, b0 + t / strips, (int)(t % strips) * 16);
#pragma omp barrier
        }
        if (!(j->backward ? j->bwd.dx : j->fwd.y)) continue;
        for (int64_t t = hi - 1; t >= lo; t--) {
            k = task_of(s, b0, blocks, t);
            if (j->backward) second_backward(j, &k);
            else second_forward(j, &k);
        }
    }
    s->f->fence();
}

static void run_job(const bn_job *j, bool moments, const fvi_exec *x)
{
    const int threads = j->s->bytes < 65536 ? 1 : x->threads;
#pragma omp parallel num_threads(threads)
    work(j, omp_get_thread_num(), omp_get_num_threads(), moments);
}

/* Streaming stores pay where the output would not be found in cache by its reader anyway. */
static bool streams(const bn_state *s, const void *out)
{
    return s->bytes >= (8 << 20) && s->width % 16 == 0 && !s->tail && ((uintptr_t)out & 63) == 0;
}

static fv_status run_forward(void *state, void *const *in, void *const *out, void *scratch, const fvi_exec *x)
{
    const bn_state *s = state;
    bn_job j = {.s = s, .scale = in[1], .shift = in[2], .coef = scratch};
    j.fwd = (fvi_bn_forward){.x = in[0], .residual = s->two ? in[3] : NULL, .y = out[0], .relu = s->act == FVI_BN_RELU};
    j.fwd.stream = out[0] != in[0] && out[0] != j.fwd.residual && streams(s, out[0]);
    j.out_mean = out[1], j.out_var = out[2], j.out_unbiased = out[3];
    j.partial = j.coef + COEFFICIENTS * coef_count(s);
    run_job(&j, true, x);
    return FV_OK;
}

static fv_status run_eval(void *state, void *const *in, void *const *out, void *scratch, const fvi_exec *x)
{
    const bn_state *s = state;
    bn_job j = {.s = s, .scale = in[1], .shift = in[2], .mean = in[3], .var = in[4], .coef = scratch};
    j.fwd = (fvi_bn_forward){.x = in[0], .residual = s->two ? in[5] : NULL, .y = out[0], .relu = s->act == FVI_BN_RELU};
    j.fwd.stream = out[0] != in[0] && out[0] != j.fwd.residual && streams(s, out[0]);
    coefficients(&j);
    run_job(&j, false, x);
    return FV_OK;
}

static void run_backward_job(bn_job *j, void *scratch, const fvi_exec *x)
{
    const bn_state *s = j->s;
    fvi_bn_backward *t = &j->bwd;
    j->backward = true;
    j->coef = scratch;
    j->partial = j->coef + COEFFICIENTS * coef_count(s);
    if (s->mask_at && t->dx && !t->g) t->mask = (uint8_t *)scratch + s->mask_at;
    t->stream = t->dx && t->dx != t->x && t->dx != t->dy && t->dx != t->y && t->dx != t->dy2 && streams(s, t->dx);
    coefficients(j);
    run_job(j, true, x);
}

static fv_status run_backward(void *state, void *const *in, void *const *out, void *scratch, const fvi_exec *x)
{
    bn_job j = {.s = state, .mean = in[2], .var = in[3], .scale = in[4], .dscale = out[1], .dshift = out[2]};
    j.bwd = (fvi_bn_backward){.dy = in[0], .x = in[1], .dx = out[0]};
    run_backward_job(&j, scratch, x);
    return FV_OK;
}

static fv_status run_act_backward(void *state, void *const *in, void *const *out, void *scratch, const fvi_exec *x)
{
    const bn_state *s = state;
    bn_job j = {.s = s, .mean = in[3], .var = in[4], .scale = in[5], .shift = in[6], .dscale = out[1],
                .dshift = out[2]};
    j.bwd = (fvi_bn_backward){.dy = in[0], .y = in[1], .x = in[2], .dy2 = s->two ? in[7] : NULL, .dx = out[0],
                              .g = s->residual ? out[3] : NULL};
    if (!s->residual && out[3]) memset(out[3], 0, s->bf ? 2 : 4);      /* a scalar then */
    run_backward_job(&j, scratch, x);
    return FV_OK;
}

/* ---- choice ------------------------------------------------------------------------------------------------------ */

/* Every input shaped like x (number `x`) in x's layout, the outputs too; statistics and parameters are plain f32. */
static bool choose_like(fvi_query *q, int x)
{
    const fvi_type *t = &q->in[x];
    if ((t->dtype != FV_F32 && t->dtype != FV_BF16) || t->rank < 2 || fvi_type_numel(t) <= 0) return false;
    fvi_layout l = q->in_layout[x];
    if (t->rank != 4 || (l != FVI_NHWC && l != FVI_NCHW16C && l != FVI_NCHW8C)) l = FVI_PLAIN;
    for (int i = 0; i < q->n_in + q->n_out; i++) {
        const bool input = i < q->n_in;
        const fvi_type *v = input ? &q->in[i] : &q->out[i - q->n_in];
        const bool tensor = v->rank > 1;
        if (tensor ? !fvi_type_equal(v, t) : v->rank == 1 ? v->dtype != FV_F32 : v->dtype != t->dtype) return false;
        *(input ? &q->in_layout[i] : &q->out_layout[i - q->n_in]) = tensor ? l : FVI_PLAIN;
    }
    return true;
}

static bool choose_first(fvi_query *q) { return choose_like(q, 0); }
static bool choose_second(fvi_query *q) { return choose_like(q, 1); }
static bool choose_third(fvi_query *q) { return choose_like(q, 2); }

/* `streams`: tensors of x's size that the two passes touch. */
static fv_status prepare(const fvi_query *q, int x, int streams_, int64_t act, double eps, bn_state *set, void **state,
                         size_t *scratch)
{
    bn_state *s = fvi_malloc(sizeof *s);
    if (!s) return fvi_nomem(q->env->ctx);
    *s = *set;
    s->f = FVI_ISA_PICK(q->env->isa, fvi_bn_functions)();
    s->bf = q->in[x].dtype == FV_BF16;
    s->act = act == FVI_ACT_RELU ? FVI_BN_RELU : act == FVI_ACT_SILU ? FVI_BN_SILU : FVI_BN_NONE;
    s->eps = eps;
    geometry(s, &q->in[x], q->in_layout[x], streams_);
    *scratch = (size_t)(COEFFICIENTS * coef_count(s)) * sizeof(float) +
               FVI_ALIGN_UP((size_t)(s->blocks * s->units * SUMS * s->width) * sizeof(float), FVI_ALIGNMENT);
    if (streams_ > 3 && s->act == FVI_BN_RELU && !s->residual && s->width % 16 == 0 && !s->tail) {
        s->mask_at = *scratch;
        *scratch += (size_t)(s->planes * s->blocks * s->plane) >> s->f->mask_shift;
    }
    *state = s;
    return FV_OK;
}

static fv_status prepare_train(const fvi_query *q, void **state, size_t *scratch)
{
    const fvi_batch_norm_train_attr *a = q->node->attr;
    return prepare(q, 0, 2, FVI_ACT_NONE, a->eps, &(bn_state){0}, state, scratch);
}
static fv_status prepare_act(const fvi_query *q, void **state, size_t *scratch)
{
    const fvi_bn_act_train_attr *a = q->node->attr;
    return prepare(q, 0, 2 + (q->n_in > 3), a->act, a->eps, &(bn_state){.two = q->n_in > 3}, state, scratch);
}
static fv_status prepare_act_eval(const fvi_query *q, void **state, size_t *scratch)
{
    const fvi_bn_act_train_attr *a = q->node->attr;
    return prepare(q, 0, 2 + (q->n_in > 5), a->act, a->eps, &(bn_state){.two = q->n_in > 5}, state, scratch);
}
static fv_status prepare_backward(const fvi_query *q, void **state, size_t *scratch)
{
    const fvi_batch_norm_train_backward_attr *a = q->node->attr;
    return prepare(q, 1, 3, FVI_ACT_NONE, a->eps, &(bn_state){0}, state, scratch);
}
static fv_status prepare_act_backward(const fvi_query *q, void **state, size_t *scratch)
{
    const fvi_bn_act_train_backward_attr *a = q->node->attr;
    bn_state set = {.two = a->two, .residual = a->residual};
    return prepare(q, 2, 4 + a->two, a->act, a->eps, &set, state, scratch);
}

static const fvi_kernel train = {
    .name = "bn_act", .op = "batch_norm_train", .priority = 20, .choose = choose_first, .prepare = prepare_train,
    .run = run_forward, .destroy = fvi_free, .inplace = {1}, .skips_unused = true,
};
static const fvi_kernel act_train = {
    .name = "bn_act", .op = "bn_act_train", .priority = 20, .choose = choose_first, .prepare = prepare_act,
    .run = run_forward, .destroy = fvi_free, .inplace = {1}, .skips_unused = true,
};
static const fvi_kernel eval = {
    .name = "bn_act", .op = "batch_norm_eval", .priority = 20, .choose = choose_first, .prepare = prepare_train,
    .run = run_eval, .destroy = fvi_free, .inplace = {1},
};
static const fvi_kernel act_eval = {
    .name = "bn_act", .op = "bn_act_eval", .priority = 20, .choose = choose_first, .prepare = prepare_act_eval,
    .run = run_eval, .destroy = fvi_free, .inplace = {1},
};
static const fvi_kernel backward = {
    .name = "bn_act", .op = "batch_norm_train_backward", .priority = 20, .choose = choose_second,
    .prepare = prepare_backward, .run = run_backward, .destroy = fvi_free, .inplace = {1}, .skips_unused = true,
};
static const fvi_kernel act_backward = {               /* dx may take x's place, dresidual that of dy */
    .name = "bn_act", .op = "bn_act_train_backward", .priority = 20, .choose = choose_third,
    .prepare = prepare_act_backward, .run = run_act_backward, .destroy = fvi_free, .inplace = {3, 0, 0, 1},
    .skips_unused = true,
};
FVI_KERNELS(k_bn_act, &train, &act_train, &eval, &act_eval, &backward, &act_backward);
