/* SPDX-License-Identifier: Apache-2.0 */
/* The reorder kernel between every two memory orders of one rank, with and without padding, in every element type: it copies
 * bits, so all of them are tried (denormals, infinities, NaNs quiet and not), and must be what fvi_layout_convert makes, which
 * is plain C; nothing is written beyond the output, and padding is zero. Winograd's transform of weights at every level. */
#include "compile/registry.h"
#include "ir/source.h"
#include "levels.h"

#include <math.h>
#include <stdlib.h>

static const int64_t shapes[][FV_MAX_RANK] = {{2, 17, 3, 5}, {33, 18, 3, 3}, {16, 16, 1, 1}, {1, 3, 4, 4}, {64, 32, 2, 7},
                                              {2, 48, 40, 40}};      /* work for two threads, but for single bytes */
static const struct { fvi_layout layout; int rank; } orders[] = {
#define ORDER(name, rank_, text) {FVI_##name, rank_},
    FVI_LAYOUT_LIST(ORDER)
#undef ORDER
};

static const fvi_kernel *find_kernel(const char *name)
{
    const fvi_kernel *k = fvi_registry_next_kernel("reorder", NULL);
    while (k && strcmp(k->name, name)) k = fvi_registry_next_kernel("reorder", k);
    return k;
}

typedef struct reorder { fv_context *ctx; const fvi_kernel *kernel; fvi_isa isa; fvi_type type; fvi_layout from, to; } reorder;

static fv_status run(const reorder *r, int threads, void *in, void *out)
{
    const fvi_env env = {.ctx = r->ctx, .threads = threads, .isa = r->isa, .layouts = true};
    const fvi_reorder_attr attr = {r->to};
    const fvi_node node = {.op = fvi_registry_find_op("reorder"), .attr = &attr, .n_in = 1, .n_out = 1, .path = ""};
    fvi_query q = {.env = &env, .node = &node, .n_in = 1, .n_out = 1, .in = (fvi_type[]){r->type}, .out = {r->type},
                   .in_layout = (fvi_layout[]){r->from}, .out_layout = {r->to}, .out_used = {true}};
    if (!r->kernel->choose(&q) || q.in_layout[0] != r->from || q.out_layout[0] != r->to) return FV_ERROR_UNSUPPORTED;
    void *state = NULL;
    size_t bytes = 0;
    fv_status status = r->kernel->prepare(&q, &state, &bytes);
    if (status != FV_OK) return status;
    void *scratch = fvi_malloc_aligned(bytes + 64);
    const fvi_exec x = {.ctx = r->ctx, .threads = threads};
    void *ins[1] = {in}, *outs[1] = {out};
    status = scratch ? r->kernel->run(state, ins, outs, scratch, &x) : FV_ERROR_NOMEM;
    fvi_free_aligned(scratch, bytes + 64);
    if (r->kernel->destroy) r->kernel->destroy(state);
    return status;
}

/* Any bits, and first those that a conversion would change. */
static void draw_bits(unsigned char *p, size_t n, fv_dtype dtype)
{
    static const uint16_t half[] = {0x0003, 0x8001, 0x007f, 0x7f80, 0xff80, 0x7f81, 0xffbf, 0x7fc1, 0x7fff, 0x8000};
    static const uint32_t single[] = {0x00000003, 0x80000001, 0x007fffff, 0x7f800000, 0xff800000, 0x7f800001, 0xffbfffff,
                                      0x7fc00001, 0x7fffffff, 0x80000000};
    const size_t size = fv_dtype_size(dtype);
    for (size_t i = 0; i < n * size; i++) p[i] = (unsigned char)((uint64_t)(i + 1) * 0x9e3779b97f4a7c15u >> 40);
    for (size_t i = 0; i < FVI_MIN(n, (size_t)FVI_COUNT(single)); i++) {
        if (size == 2) memcpy(p + 2 * i, &half[i], 2);
        if (size == 4) memcpy(p + 4 * i, &single[i], 4);
    }
}

static void check_pair(const reorder *r)
{
    enum { GUARD = 64 };
    const size_t size = fv_dtype_size(r->type.dtype), from = fvi_layout_bytes(r->from, &r->type), to = fvi_layout_bytes(r->to, &r->type);
    const int64_t n = fvi_type_numel(&r->type);
    unsigned char *plain = malloc((size_t)n * size), *in = aligned_alloc(64, FVI_ALIGN_UP(from, (size_t)64)), *want = malloc(to),
                  *out = aligned_alloc(64, FVI_ALIGN_UP(to + GUARD, (size_t)64));
    bool ok = plain && in && want && out;
    if (ok) draw_bits(plain, (size_t)n, r->type.dtype);
    ok = ok && fvi_layout_convert(&r->type, plain, FVI_PLAIN, in, r->from) && fvi_layout_convert(&r->type, plain, FVI_PLAIN, want, r->to);
    for (int threads = 1; ok && threads <= 2; threads++) {
        memset(out, 0xff, to + GUARD);
        const fv_status status = run(r, threads, in, out);
        char text[FVI_TYPE_TEXT];
        bool good = status == FV_OK && !memcmp(out, want, to);
        for (int i = 0; i < GUARD; i++) good &= out[to + (size_t)i] == 0xff;
        test_check(good, TEST_PLACE, "%s from %s to %s, %d threads: %s", fvi_type_text(&r->type, text), fvi_layout_name(r->from),
                   fvi_layout_name(r->to), threads, status == FV_OK ? "wrong bytes" : status == FV_ERROR_UNSUPPORTED ? "declined" : fv_error_text(r->ctx));
    }
    free(plain), free(in), free(want), free(out);
    CHECK(ok);
}

static void every_pair_of_orders(void)
{
    const fvi_kernel *kernel = find_kernel("reorder");
    CHECK(kernel);
    fv_context *ctx = fv_context_create();
    reorder r = {.ctx = ctx, .kernel = kernel};          /* the same on every processor */
    for (int d = 0; d < FV_DTYPE_COUNT; d++)
        for (int rank = 2; rank <= 4; rank += 2)
            for (int s = 0; s < FVI_COUNT(shapes); s++)
                for (int a = 0; a < FVI_COUNT(orders); a++)
                    for (int b = 0; b < FVI_COUNT(orders); b++) {
                        r.type = fvi_type_make((fv_dtype)d, rank, shapes[s]);
                        r.from = orders[a].layout;
                        r.to = orders[b].layout;
                        if (a == b || r.from >= FVI_OPAQUE || r.to >= FVI_OPAQUE) continue;      /* private and derived ones */
                        if ((orders[a].rank && orders[a].rank != rank) || (orders[b].rank && orders[b].rank != rank)) continue;
                        check_pair(&r);
                    }
    fv_context_destroy(ctx);
}

/* The transform of the Winograd kernel from every order of weights: what plain C in double makes of them, padding zero. */
static void check_winograd(reorder *r)
{
    const int64_t n = fvi_type_numel(&r->type), to = fvi_layout_elements(r->to, &r->type);
    CHECK_EQ(to, 36 * (fvi_layout_derived(r->to) && r->isa >= FVI_ISA_AVX512 ? 48 * 32 : 40 * 24));
    float *plain = malloc((size_t)n * sizeof *plain), *want = malloc((size_t)to * sizeof *want), *got = fvi_malloc_aligned((size_t)to * sizeof *got);
    for (int64_t i = 0; i < n; i++) plain[i] = (float)((i * 2654435761u >> 7) % 2001) / 1000.0f - 1.0f;
    CHECK(fvi_layout_convert(&r->type, plain, FVI_PLAIN, want, r->to));
    CHECK(!fvi_layout_convert(&r->type, want, r->to, plain, FVI_PLAIN));
    for (int a = 0; a < FVI_COUNT(orders); a++) {
        r->from = orders[a].layout;
        if (r->from >= FVI_OPAQUE || (orders[a].rank && orders[a].rank != 4)) continue;
        const size_t bytes = FVI_ALIGN_UP(fvi_layout_bytes(r->from, &r->type), (size_t)64);
        float *in = aligned_alloc(64, bytes);
        CHECK(fvi_layout_convert(&r->type, plain, FVI_PLAIN, in, r->from));
        for (int64_t i = 0; i < to; i++) got[i] = NAN;
        CHECK_EQ(run(r, 2, in, got), FV_OK);
        double worst = 0;
        for (int64_t i = 0; i < to; i++) worst = fmax(worst, isfinite(got[i]) ? fabs((double)got[i] - (double)want[i]) : (double)INFINITY);
        test_check(worst < 1e-6, TEST_PLACE, "from %s to %s: off by %g", fvi_layout_name(r->from), fvi_layout_name(r->to), worst);
        free(in);
    }
    free(plain), free(want), fvi_free_aligned(got, (size_t)to * sizeof *got);
}

static void winograd_weights(void)
{
    const int64_t dim[4] = {40, 21, 3, 3};
    fv_context *ctx = fv_context_create();
    reorder r = {.ctx = ctx, .kernel = find_kernel("winograd_weights"), .type = fvi_type_make(FV_F32, 4, dim)};
    CHECK(r.kernel);
    for (r.isa = FVI_ISA_AVX2; r.isa <= level_here(); r.isa++) {
        r.to = r.isa >= FVI_ISA_AVX512 ? FVI_WINOGRAD16 : FVI_WINOGRAD8;
        check_winograd(&r);
    }
    show_missing_levels();
    fv_context_destroy(ctx);
    if (level_here() < FVI_ISA_AVX2) SKIP("there is none below AVX2");
}

TEST_MAIN(CASE(every_pair_of_orders), CASE(winograd_weights))
