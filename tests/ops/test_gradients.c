/* SPDX-License-Identifier: Apache-2.0 */
/* Every op of the table: it has samples and a gradient or a written reason; its gradient, in double, is what central
 * differences say; a composite and its gradient equal their expansion. The checker itself is fed wrong gradients. */
#include "ops/op_cases.h"
#include "test.h"

#include "base/rng.h"

#define STEP 1e-5
/* The differences are good to about 1e-11 of the loss: truncation STEP^2/6 f''', rounding 1e-16/STEP. */
#define TOLERANCE 1e-6
/* Gradients below this are compared absolutely: rounding of a loss of some hundreds is 1e-9. */
#define FLOOR 1e-2
#define SAME 1e-10                     /* a composite against its expansion: only rounding differs */

typedef double gradient_eval(void *user);

/* Greatest difference between `analytic` and central differences of f with respect to x (n), relative to the greatest
 * gradient; infinite when anything is not finite. */
static double gradient_error(double *x, int64_t n, const double *analytic, gradient_eval *f, void *user)
{
    double worst = 0, largest = FLOOR;
    for (int64_t i = 0; i < n; i++) {
        const double old = x[i];
        x[i] = old + STEP;
        const double up = f(user);
        x[i] = old - STEP;
        const double down = f(user);
        x[i] = old;
        const double numeric = (up - down) / (2 * STEP);
        if (!isfinite(numeric) || !isfinite(analytic[i])) return INFINITY;
        worst = fmax(worst, fabs(numeric - analytic[i]));
        largest = fmax(largest, fmax(fabs(numeric), fabs(analytic[i])));
    }
    return worst / largest;
}

/* ---- an op's case ---- */

static double weighted_sum(const op_case *c)
{
    double sum = 0;
    for (int k = 0; k < c->n_out; k++)
        for (int64_t i = 0; op_is_float(&c->out[k]) && i < c->out[k].n; i++) sum += c->out[k].f[i] * c->seed[k].f[i];
    return sum;
}

static double evaluate(void *user)
{
    op_program *p = user;
    return op_program_run(p) == FV_OK ? weighted_sum(p->c) : NAN;
}

typedef void mutation(op_tensor *din);

/* The greatest error over all inputs; `mutate` may spoil the analytic gradients. */
static double case_error(fv_session *s, op_case *c, mutation *mutate)
{
    op_program forward = {0}, backward = {0};
    double worst = INFINITY;
    if (op_program_open(&forward, s, c, false, false) == FV_OK && op_program_open(&backward, s, c, false, true) == FV_OK &&
        op_program_run(&backward) == FV_OK) {
        worst = 0;
        for (int k = 0; k < c->n_in; k++) {
            if (!op_case_wants_gradient(c, k)) continue;
            if (mutate) mutate(&backward.din[k]);
            const double error = gradient_error(c->in[k].f, c->in[k].n, backward.din[k].f, evaluate, &forward);
            if (!(error < TOLERANCE))
                printf("    %s, sample %s, N = %d: input %d is off by %.3g\n", c->op->name, c->sample->name, (int)c->batch, k,
                       error);
            worst = fmax(worst, error);
        }
    } else printf("    %s, sample %s: %s\n", c->op->name, c->sample->name, fv_error_text(c->ctx));
    op_program_close(&forward);
    op_program_close(&backward);
    return worst;
}

static fv_session *reference_session(fv_context *ctx)
{
    const fv_session_options options = {.dtype = FV_F64, .passes = "none"};
    fv_session *s = NULL;
    return fv_session_create(ctx, &options, &s) == FV_OK ? s : NULL;
}

static bool differentiable(const fvi_op *op)
{
    return op->grad || (op->kind == FVI_COMPOSITE && op->expand && !op->no_grad);
}

/* ---- the checker ---- */

typedef struct linear { double x[3], w[3][3], c[3]; } linear;

static double linear_loss(void *user)
{
    const linear *l = user;
    double sum = 0;
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 3; k++) sum += l->c[i] * l->w[i][k] * l->x[k];
    return sum;
}

static void checker_catches_wrong_gradients(void)
{
    linear l;
    fvi_rng r = fvi_rng_at(5, 0);
    for (int i = 0; i < 3; i++) {
        l.x[i] = fvi_rng_normal(&r);
        l.c[i] = fvi_rng_normal(&r);
        for (int k = 0; k < 3; k++) l.w[i][k] = fvi_rng_normal(&r);
    }
    enum { RIGHT, SIGN, TWICE, TRANSPOSED, ZERO, NOT_A_NUMBER, INFINITE, ONE_ELEMENT, SLIGHT, KINDS };
    for (int kind = 0; kind < KINDS; kind++) {
        double g[3] = {0, 0, 0};
        for (int k = 0; k < 3; k++)
            for (int i = 0; i < 3; i++) g[k] += l.c[i] * (kind == TRANSPOSED ? l.w[k][i] : l.w[i][k]);
        for (int k = 0; k < 3; k++) {
            if (kind == SIGN) g[k] = -g[k];
            if (kind == TWICE) g[k] *= 2;
            if (kind == ZERO) g[k] = 0;
            if (kind == SLIGHT) g[k] *= 1.0001;
        }
        if (kind == NOT_A_NUMBER) g[1] = NAN;
        if (kind == INFINITE) g[2] = INFINITY;
        if (kind == ONE_ELEMENT) g[0] = -g[0];
        const double error = gradient_error(l.x, 3, g, linear_loss, &l);
        CHECK_MSG((error < TOLERANCE) == (kind == RIGHT), "gradient of kind %d: error %g", kind, error);
    }
}

static void flip(op_tensor *d) { for (int64_t i = 0; i < d->n; i++) d->f[i] = -d->f[i]; }
static void twice(op_tensor *d) { for (int64_t i = 0; i < d->n; i++) d->f[i] *= 2; }
static void zero(op_tensor *d) { for (int64_t i = 0; i < d->n; i++) d->f[i] = 0; }
static void transpose(op_tensor *d)
{
    const int64_t rows = d->bound.dim[0], columns = d->n / rows;
    double *copy = fvi_malloc((size_t)d->n * 8);
    if (!copy) return;
    memcpy(copy, d->f, (size_t)d->n * 8);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t k = 0; k < columns; k++) d->f[k * rows + i] = copy[i * columns + k];
    fvi_free(copy);
}

/* The same through a real op and the public API. */
static void checker_catches_a_wrong_op(void)
{
    fv_context *ctx = fv_context_create();
    fv_session *s = reference_session(ctx);
    const fvi_op *op = fvi_registry_find_op("mul");
    op_case c;
    CHECK(s && op && op_case_open(&c, ctx, op, &op->samples[0], 3));
    CHECK(case_error(s, &c, NULL) < TOLERANCE);
    printf("    (four wrong gradients follow)\n");
    CHECK(!(case_error(s, &c, flip) < TOLERANCE));
    CHECK(!(case_error(s, &c, twice) < TOLERANCE));
    CHECK(!(case_error(s, &c, zero) < TOLERANCE));
    CHECK(!(case_error(s, &c, transpose) < TOLERANCE));
    op_case_close(&c);
    fv_session_destroy(s);
    fv_context_destroy(ctx);
}

/* ---- the table ---- */

static void every_op_is_complete(void)
{
    for (int i = 0; i < fvi_registry_op_count(); i++) {
        const fvi_op *op = fvi_registry_op(i);
        CHECK(op->name && op->version >= 1 && op->doc && op->infer);
        CHECK_MSG(fvi_registry_find_op(op->name) == op, "two ops are called %s", op->name);
        CHECK_MSG(op->n_in_min <= op->n_in_max && op->n_in_max <= FVI_ANY_IN && op->n_out <= FVI_MAX_OUT, "%s: arity",
                  op->name);
        CHECK_MSG(!op->attr_size == !op->attrs, "%s: attributes without a table", op->name);
        const bool engine = op->kind == FVI_SOURCE || !strcmp(op->name, "var_write");      /* tests/engine */
        CHECK_MSG(engine || (op->samples && op->n_samples > 0), "%s has no samples", op->name);
        CHECK_MSG(differentiable(op) || (op->no_grad && *op->no_grad), "%s has neither a gradient nor a reason", op->name);
        CHECK_MSG(engine || op->ref || op->expand, "%s has neither a reference nor an expansion", op->name);
        CHECK_MSG(op->kind != FVI_COMPOSITE || op->expand, "%s: a composite without an expansion", op->name);
    }
}

static void gradients_match_differences(void)
{
    fv_context *ctx = fv_context_create();
    fv_session *s = reference_session(ctx);
    CHECK(s != NULL);
    int ops = 0, cases = 0, bad = 0;
    for (int i = 0; i < fvi_registry_op_count(); i++) {
        const fvi_op *op = fvi_registry_op(i);
        bool any = false;
        for (int k = 0; k < op->n_samples && differentiable(op); k++)
            for (int64_t n = 2; n <= 3; n++) {
                op_case c;
                if (!op_case_open(&c, ctx, op, &op->samples[k], n)) {
                    printf("    %s, sample %s: %s\n", op->name, op->samples[k].name, fv_error_text(ctx));
                    fvi_error_clear(ctx);
                    bad++;
                    continue;
                }
                bool wanted = false;
                for (int j = 0; j < c.n_in; j++) wanted |= op_case_wants_gradient(&c, j);
                any |= wanted;
                cases += wanted;
                if (wanted && !(case_error(s, &c, NULL) < TOLERANCE)) bad++;
                fvi_error_clear(ctx);
                op_case_close(&c);
            }
        ops += any;
        if (differentiable(op) && !any && op->kind != FVI_SOURCE) {
            printf("    %s: no sample checks its gradient\n", op->name);
            bad++;
        }
    }
    printf("    %d ops, %d cases\n", ops, cases);
    fv_session_destroy(s);
    fv_context_destroy(ctx);
    CHECK(cases > 0);
    CHECK_EQ(bad, 0);
}

/* Gradients of gradients work where each op's gradient has one, and are an error where it has not: never silently zero. */
static fv_value *second(fv_graph *g, fv_value *x, const char *op, const char *attrs)
{
    fv_value *loss = fv_sum(g, fv_op(g, op, attrs, 1, x), 0, false), *first, *again;
    if (fv_grad(g, 1, &loss, NULL, 1, &x, &first) != FV_OK) return NULL;
    loss = fv_sum(g, fv_square(g, first), 0, false);
    return fv_grad(g, 1, &loss, NULL, 1, &x, &again) == FV_OK ? again : NULL;
}

static fv_status build_second(fv_graph *g, fv_value *const *in, int n_in, void *user)
{
    (void)n_in, (void)user;
    fv_result(g, "d", second(g, in[0], "pow", "exponent=3"));
    return fv_graph_status(g);
}

static void gradients_of_gradients(void)
{
    fv_context *ctx = fv_context_create();
    fv_session *s = reference_session(ctx);
    const fv_input_spec spec = {"x", FV_F64, 1, {4}};
    fv_function *f = NULL;
    double x[4] = {-1.5, 0.5, 1, 2}, d[4] = {0};
    const fv_tensor in = {FV_F64, 1, {4}, x}, out = {FV_F64, 1, {4}, d};
    CHECK(s && fv_function_create(s, "second", &spec, 1, build_second, NULL, NULL, &f) == FV_OK);
    CHECK_MSG(fv_function_call(f, &in, 1, &out, 1) == FV_OK, "%s", fv_error_text(ctx));
    for (int i = 0; i < 4; i++) CHECK_CLOSE(d[i], 36 * x[i] * x[i] * x[i], 1e-12);     /* d/dx (3 x^2)^2 */
    fv_function_destroy(f);
    fv_session_destroy(s);
    fv_graph *g = NULL;
    CHECK(fvi_graph_create(ctx, &fvi_registry_table, NULL, FV_F64, &g) == FV_OK);
    const fvi_type type = fvi_type_make(FV_F64, 2, (const int64_t[]){FV_N, 3});
    CHECK(!second(g, fvi_input(g, "x", &type), "softmax", ""));
    CHECK_HAS(fv_error_message(ctx), "no gradient through");
    CHECK_HAS(fv_error_message(ctx), "softmax_backward");
    fvi_graph_destroy(g);
    fv_context_destroy(ctx);
}

static double distance(const op_tensor *a, const op_tensor *b)
{
    double worst = 0, largest = FLOOR;
    for (int64_t i = 0; i < a->n; i++) {
        if (!op_is_float(a)) {
            if (a->i[i] != b->i[i]) return INFINITY;
            continue;
        }
        if (isnan(a->f[i]) || isnan(b->f[i])) return INFINITY;
        worst = fmax(worst, fabs(a->f[i] - b->f[i]));
        largest = fmax(largest, fabs(b->f[i]));
    }
    return worst / largest;
}

/* Runs the case with and without expansion (values or gradients). */
static double expansion_error(fv_session *s, op_case *c, bool gradient)
{
    op_program whole = {0}, parts = {0};
    double worst = INFINITY;
    op_case copy;
    if (!op_case_open(&copy, c->ctx, c->op, c->sample, c->batch)) return INFINITY;
    fv_status status = op_program_open(&whole, s, c, false, gradient);
    if (status == FV_OK) status = op_program_open(&parts, s, &copy, true, gradient);
    if (status == FV_OK) status = op_program_run(&whole);
    if (status == FV_OK) status = op_program_run(&parts);
    if (status == FV_OK) {
        worst = 0;
        for (int k = 0; k < (gradient ? c->n_in : c->n_out); k++)
            if (!gradient || op_case_wants_gradient(c, k))
                worst = fmax(worst, gradient ? distance(&whole.din[k], &parts.din[k]) : distance(&c->out[k], &copy.out[k]));
    }
    if (!(worst < SAME))
        printf("    %s, sample %s, N = %d, %s: off by %.3g %s\n", c->op->name, c->sample->name, (int)c->batch,
               gradient ? "gradient" : "value", worst, fv_error_text(c->ctx));
    op_program_close(&whole);
    op_program_close(&parts);
    op_case_close(&copy);
    return worst;
}

static void composites_match_their_expansion(void)
{
    fv_context *ctx = fv_context_create();
    fv_session *s = reference_session(ctx);
    CHECK(s != NULL);
    int cases = 0, bad = 0;
    for (int i = 0; i < fvi_registry_op_count(); i++) {
        const fvi_op *op = fvi_registry_op(i);
        for (int k = 0; k < op->n_samples && op->kind == FVI_COMPOSITE && op->expand; k++)
            for (int64_t n = 2; n <= 3; n++) {
                op_case c;
                cases++;
                if (!op_case_open(&c, ctx, op, &op->samples[k], n)) {
                    printf("    %s, sample %s: %s\n", op->name, op->samples[k].name, fv_error_text(ctx));
                    bad++;
                    continue;
                }
                if (!(expansion_error(s, &c, false) < SAME)) bad++;
                bool wanted = false;
                for (int j = 0; j < c.n_in; j++) wanted |= op_case_wants_gradient(&c, j);
                if (op->grad && wanted && !(expansion_error(s, &c, true) < SAME)) bad++;
                fvi_error_clear(ctx);
                op_case_close(&c);
            }
    }
    printf("    %d cases\n", cases);
    fv_session_destroy(s);
    fv_context_destroy(ctx);
    CHECK(cases > 0);
    CHECK_EQ(bad, 0);
}

TEST_MAIN(CASE(checker_catches_wrong_gradients), CASE(checker_catches_a_wrong_op), CASE(every_op_is_complete),
          CASE(gradients_match_differences), CASE(gradients_of_gradients), CASE(composites_match_their_expansion))
