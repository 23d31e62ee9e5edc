/* SPDX-License-Identifier: Apache-2.0 */
/* Ops against what PyTorch computed in float64: tests/golden/ops_*.safetensors, written by tools/golden/ops_*.py.
 * Tensors <case>.in<i>, .out<k>, .dout<k>, .din<i>; metadata <case> -> {"op", "attrs", "n_in", "n_out", "grad"}. */
#include "compile/registry.h"
#include "fovea/session.h"
#include "io/safetensors.h"
#include "test.h"

#include <dirent.h>
#include <stdlib.h>

#define TOLERANCE 1e-10                /* both sides are double; only the order of sums differs */
enum { MOST = 24 };

typedef struct golden {
    fv_context *ctx;
    const fvi_st_file *file;
    const char *name, *op, *attrs;
    int n_in, n_out, n_grad, n_seed, grad[MOST], seed[MOST];
    fvi_type result[MOST];             /* outputs, then gradients; set by the builder */
    int n_result;
    bool none[MOST];                   /* nothing flows to grad[i] */
} golden;

static const fvi_st_tensor *find(const golden *c, const char *part, int index)
{
    char name[256];
    snprintf(name, sizeof name, "%s.%s%d", c->name, part, index);
    return fvi_st_find(c->file, name);
}

static bool parse(golden *c, fvi_arena *arena, const char *text)
{
    fvi_json *json;
    if (fvi_json_parse(c->ctx, arena, c->name, text, strlen(text), false, &json) != FV_OK) return false;
    const fvi_json *op = fvi_json_get(json, "op"), *attrs = fvi_json_get(json, "attrs"), *grad = fvi_json_get(json, "grad");
    const fvi_json *n_in = fvi_json_get(json, "n_in"), *n_out = fvi_json_get(json, "n_out");
    if (!op || !n_in || !n_out || n_in->integer > 12 || n_out->integer > FVI_MAX_OUT) return false;
    c->op = op->string;
    c->attrs = attrs && attrs->string ? attrs->string : "";
    c->n_in = (int)n_in->integer;
    c->n_out = (int)n_out->integer;
    for (const fvi_json *i = grad ? grad->child : NULL; i && c->n_grad < 12; i = i->next) c->grad[c->n_grad++] = (int)i->integer;
    for (int k = 0; k < c->n_out && c->n_grad; k++)
        if (find(c, "dout", k)) c->seed[c->n_seed++] = k;
    return true;
}

static bool is_float(fvi_st_dtype d)
{
    return d == FVI_ST_F64 || d == FVI_ST_F32 || d == FVI_ST_BF16 || d == FVI_ST_F16;
}

/* The tensor as f64 or i64; data from malloc. */
static bool load(const golden *c, const fvi_st_tensor *t, fv_tensor *out)
{
    if (!t || t->rank > FV_MAX_RANK) return false;
    *out = (fv_tensor){.dtype = is_float(t->dtype) ? FV_F64 : FV_I64, .rank = t->rank};
    memcpy(out->dims, t->dims, sizeof *t->dims * (size_t)t->rank);
    out->data = calloc((size_t)t->numel + 1, 8);
    return out->data && fvi_st_read(c->ctx, c->file, t, out->dtype, out->data) == FV_OK;
}

static fv_value *apply(fv_graph *g, const golden *c, fv_value *const *in)
{
    fv_value *x[12] = {NULL};
    for (int k = 0; k < c->n_in; k++) x[k] = in[k];
    return fv_op(g, c->op, c->attrs, c->n_in, x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7], x[8], x[9], x[10], x[11]);
}

static void add_result(fv_graph *g, golden *c, fv_value *v)
{
    char name[16];
    snprintf(name, sizeof name, "result%d", c->n_result);
    fv_result(g, name, v);
    if (v) c->result[c->n_result++] = v->type;
}

static fv_status build(fv_graph *g, fv_value *const *in, int n_in, void *user)
{
    (void)n_in;
    golden *c = user;
    fv_value *y = apply(g, c, in), *losses[MOST], *wrt[MOST], *grads[MOST];
    c->n_result = 0;
    for (int k = 0; k < c->n_out && y; k++) add_result(g, c, fv_output_of(y, k));
    if (!c->n_grad || !y) return fv_graph_status(g);
    for (int k = 0; k < c->n_seed; k++) losses[k] = fv_output_of(y, c->seed[k]);
    for (int k = 0; k < c->n_grad; k++) wrt[k] = in[c->grad[k]];
    const fv_status status = fv_grad(g, c->n_seed, losses, in + c->n_in, c->n_grad, wrt, grads);
    if (status != FV_OK) return status;
    for (int k = 0; k < c->n_grad; k++)
        if (!(c->none[k] = grads[k] == NULL)) add_result(g, c, grads[k]);
    return fv_graph_status(g);
}

static double number(const fv_tensor *t, int64_t i)
{
    switch (t->dtype) {
    case FV_F64: return ((const double *)t->data)[i];
    case FV_F32: return ((const float *)t->data)[i];
    case FV_I64: return (double)((const int64_t *)t->data)[i];
    case FV_BOOL: case FV_U8: return ((const uint8_t *)t->data)[i];
    case FV_I32: return ((const int32_t *)t->data)[i];
    case FV_BF16: case FV_F16: case FV_DTYPE_COUNT: default: return NAN;
    }
}

/* Greatest difference relative to the greatest value; NaN and infinities must stand at the same places. got NULL: zeros. */
static double difference(const fv_tensor *got, const fv_tensor *want, int64_t n)
{
    double worst = 0, largest = 1e-3;
    for (int64_t i = 0; i < n; i++) {
        const double a = got ? number(got, i) : 0, b = number(want, i);
        if (a == b || (isnan(a) && isnan(b))) continue;
        if (!isfinite(a) || !isfinite(b)) return INFINITY;
        worst = fmax(worst, fabs(a - b));
    }
    for (int64_t i = 0; i < n; i++)
        if (isfinite(number(want, i))) largest = fmax(largest, fabs(number(want, i)));
    return worst / largest;
}

static bool compare(const golden *c, const char *part, int index, const fv_tensor *got)
{
    fv_tensor want = {0};
    const fvi_st_tensor *t = find(c, part, index);
    bool same = load(c, t, &want);
    if (same && got) {
        same = got->rank == want.rank;
        for (int i = 0; i < want.rank && same; i++) same = got->dims[i] == want.dims[i];
        if (!same) printf("    %s.%s%d: shapes differ\n", c->name, part, index);
    }
    const double off = same ? difference(got, &want, t->numel) : INFINITY;
    if (!(off <= TOLERANCE)) printf("    %s (%s %s): %s%d is off by %.3g\n", c->name, c->op, c->attrs, part, index, off);
    free(want.data);
    return off <= TOLERANCE;
}

static bool compare_all(const golden *c, const fv_tensor *out)
{
    bool good = true;
    for (int k = 0; k < c->n_out; k++) good &= compare(c, "out", k, &out[k]);
    for (int k = 0, j = c->n_out; k < c->n_grad; k++) good &= compare(c, "din", c->grad[k], c->none[k] ? NULL : &out[j++]);
    return good;
}

static bool run_case(golden *c, fv_session *s)
{
    fv_input_spec specs[MOST];
    fv_tensor in[MOST] = {{0}}, out[MOST] = {{0}};
    char names[MOST][16];
    const int n = c->n_in + c->n_seed;
    fv_function *f = NULL;
    bool good = true;
    for (int k = 0; k < n && good; k++) {
        const bool seed = k >= c->n_in;
        good = load(c, seed ? find(c, "dout", c->seed[k - c->n_in]) : find(c, "in", k), &in[k]);
        snprintf(names[k], sizeof names[k], "in%d", k);
        specs[k] = (fv_input_spec){.name = names[k], .dtype = in[k].dtype, .rank = in[k].rank};
        memcpy(specs[k].dims, in[k].dims, sizeof specs[k].dims);
    }
    if (!good) printf("    %s: tensors are missing\n", c->name);
    const fv_function_options options = {.training = true};
    fv_status status = good ? fv_function_create(s, c->name, specs, n, build, c, &options, &f) : FV_ERROR_FORMAT;
    if (status == FV_OK) status = fv_function_compile(f, in, n, NULL);
    for (int k = 0; k < c->n_result && status == FV_OK; k++) {
        const fvi_type t = fvi_type_bind(&c->result[k], 1);
        out[k] = (fv_tensor){.dtype = t.dtype, .rank = t.rank, .data = calloc((size_t)fvi_type_numel(&t) + 1, 8)};
        memcpy(out[k].dims, t.dim, sizeof out[k].dims);
    }
    if (status == FV_OK) status = fv_function_call(f, in, n, out, c->n_result);
    if (status != FV_OK && good) printf("    %s (%s %s): %s\n", c->name, c->op, c->attrs, fv_error_text(c->ctx));
    good = status == FV_OK && compare_all(c, out);
    for (int k = 0; k < MOST; k++) free(in[k].data), free(out[k].data);
    fv_function_destroy(f);
    fvi_error_clear(c->ctx);
    return good;
}

static void run_file(const char *path, const char *passes, int *cases, int *bad)
{
    fv_context *ctx = fv_context_create();
    fv_session *s = NULL;
    fvi_st_file file = {0};
    fvi_arena arena = {0};
    const fv_session_options options = {.dtype = FV_F64, .passes = passes};
    CHECK_MSG(fv_session_create(ctx, &options, &s) == FV_OK && fvi_st_open(ctx, path, &file) == FV_OK, "%s", fv_error_text(ctx));
    for (const fvi_json *m = file.metadata ? file.metadata->child : NULL; m; m = m->next) {
        golden c = {.ctx = ctx, .file = &file, .name = m->key};
        ++*cases;
        if (!parse(&c, &arena, m->string)) printf("    %s: malformed metadata\n", m->key), ++*bad;
        else if (!run_case(&c, s)) ++*bad;
    }
    fvi_st_close(&file);
    fvi_arena_free(&arena);
    fv_session_destroy(s);
    fv_context_destroy(ctx);
}

static void run_files(const char *passes)
{
    int cases = 0, bad = 0, files = 0;
    DIR *folder = opendir(FOVEA_TESTS_DIR "/golden");
    CHECK(folder != NULL);
    for (struct dirent *e; (e = readdir(folder)) != NULL;) {
        char path[1024];
        if (!fvi_glob("ops_*.safetensors", e->d_name)) continue;
        snprintf(path, sizeof path, "%s/golden/%s", FOVEA_TESTS_DIR, e->d_name);
        run_file(path, passes, &cases, &bad);
        files++;
    }
    closedir(folder);
    printf("    %d files, %d cases\n", files, cases);
    CHECK(files > 0 && cases > 0);
    CHECK_EQ(bad, 0);
}

static void ops_equal_pytorch(void) { run_files("none"); }
static void ops_equal_pytorch_with_all_passes(void) { run_files(NULL); }

TEST_MAIN(CASE(ops_equal_pytorch), CASE(ops_equal_pytorch_with_all_passes))
