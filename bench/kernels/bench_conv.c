/* SPDX-License-Identifier: Apache-2.0 */
/* Times oneDNN's convolutions over shapes of real networks, in the variants that src/cpu/conv_plan.c chooses from. The numbers
 * behind that choice are in docs/kernels.md. Build and run by hand, in the repository's root, on a quiet machine:
 *
 *   gcc -std=gnu11 -D_GNU_SOURCE -O3 -march=native -ffp-contract=fast -fopenmp -Iinclude -Isrc -DFOVEA_VERSION='"0"' \
 *       bench/kernels/bench_conv.c src/cpu/dnnl_shim.c src/ir/layout.c src/ir/type.c src/base/[!t]*.c src/base/text.c \
 *       src/base/thread.c -ldnnl -lm -lpthread -o /tmp/bench_conv
 *   OMP_NUM_THREADS=2 OMP_PROC_BIND=close OMP_PLACES=cores /tmp/bench_conv [bf16] [words of case names ...]
 *
 * On a busy machine use OMP_NUM_THREADS=1: then processor time is measured instead of the clock.
 *
 * Columns: milliseconds (the best of at least 6 runs and 0.15 s: other programs only ever slow a run), GF/s of the direct algorithm's operations, share of the
 * multiply-add ceiling measured at start, implementation, scratch. Winograd also: rms error relative to direct. */
#include "cpu/dnnl_shim.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* With one thread the time that this thread got from the processor: it does not count what other programs took. With
 * several, the clock on the wall. */
static double now(void)
{
    struct timespec t;
    if (omp_get_max_threads() > 1) return fvi_seconds();
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

typedef struct shape { const char *name; int64_t n, c, h, w, o, k, s, p, d, g; } shape;

static const shape shapes[] = {
    {"cifar 64@32 b128", 128, 64, 32, 32, 64, 3, 1, 1, 1, 1},
    {"cifar 128@16 b128", 128, 128, 16, 16, 128, 3, 1, 1, 1, 1},
    {"cifar 256@8 b128", 128, 256, 8, 8, 256, 3, 1, 1, 1, 1},
    {"cifar 512@4 b128", 128, 512, 4, 4, 512, 3, 1, 1, 1, 1},
    {"cifar stem 3-64@32 b128", 128, 3, 32, 32, 64, 3, 1, 1, 1, 1},
    {"cifar 64-128@32 s2 b128", 128, 64, 32, 32, 128, 3, 2, 1, 1, 1},
    {"cifar 64-128@32 1x1 s2 b128", 128, 64, 32, 32, 128, 1, 2, 0, 1, 1},
    {"cifar 256-512@8 s2 b128", 128, 256, 8, 8, 512, 3, 2, 1, 1, 1},
    {"cifar 64@32 b32", 32, 64, 32, 32, 64, 3, 1, 1, 1, 1},
    {"cifar 128@16 b32", 32, 128, 16, 16, 128, 3, 1, 1, 1, 1},
    {"cifar 256@8 b32", 32, 256, 8, 8, 256, 3, 1, 1, 1, 1},
    {"cifar 512@4 b32", 32, 512, 4, 4, 512, 3, 1, 1, 1, 1},
    {"cifar 512@2 b32", 32, 512, 2, 2, 512, 3, 1, 1, 1, 1},
    {"imagenet stem 3-64@224 s2 b16", 16, 3, 224, 224, 64, 7, 2, 3, 1, 1},
    {"imagenet 64@56 b16", 16, 64, 56, 56, 64, 3, 1, 1, 1, 1},
    {"imagenet 128@28 b16", 16, 128, 28, 28, 128, 3, 1, 1, 1, 1},
    {"imagenet 256@14 b16", 16, 256, 14, 14, 256, 3, 1, 1, 1, 1},
    {"imagenet 512@7 b16", 16, 512, 7, 7, 512, 3, 1, 1, 1, 1},
    {"imagenet 512@7 b64", 64, 512, 7, 7, 512, 3, 1, 1, 1, 1},
    {"imagenet 256@14 b1", 1, 256, 14, 14, 256, 3, 1, 1, 1, 1},
    {"imagenet 64@56 b1", 1, 64, 56, 56, 64, 3, 1, 1, 1, 1},
    {"imagenet 512@7 b1", 1, 512, 7, 7, 512, 3, 1, 1, 1, 1},
    {"bottleneck 64-256@56 1x1 b16", 16, 64, 56, 56, 256, 1, 1, 0, 1, 1},
    {"bottleneck 1024-256@14 1x1 b16", 16, 1024, 14, 14, 256, 1, 1, 0, 1, 1},
    {"yolo stem 3-16@640 s2 b4", 4, 3, 640, 640, 16, 3, 2, 1, 1, 1},
    {"yolo 16-32@320 s2 b4", 4, 16, 320, 320, 32, 3, 2, 1, 1, 1},
    {"yolo 16@160 b4", 4, 16, 160, 160, 16, 3, 1, 1, 1, 1},
    {"yolo 32@160 b4", 4, 32, 160, 160, 32, 3, 1, 1, 1, 1},
    {"yolo 64@80 b4", 4, 64, 80, 80, 64, 3, 1, 1, 1, 1},
    {"yolo 64@40 b4", 4, 64, 40, 40, 64, 3, 1, 1, 1, 1},
    {"yolo 128@20 b4", 4, 128, 20, 20, 128, 3, 1, 1, 1, 1},
    {"yolo 32@160 1x1 b4", 4, 32, 160, 160, 32, 1, 1, 0, 1, 1},
    {"yolo 384-128@40 1x1 b4", 4, 384, 40, 40, 128, 1, 1, 0, 1, 1},
    {"odd 24@56 b16", 16, 24, 56, 56, 24, 3, 1, 1, 1, 1},
    {"odd 40@28 b16", 16, 40, 28, 28, 40, 3, 1, 1, 1, 1},
    {"odd 72@28 b16", 16, 72, 28, 28, 72, 3, 1, 1, 1, 1},
    {"odd 100@14 1x1 b16", 16, 100, 14, 14, 100, 1, 1, 0, 1, 1},
    {"small 8-16@64 b16", 16, 8, 64, 64, 16, 3, 1, 1, 1, 1},
    {"grouped 128@28 g32 b16", 16, 128, 28, 28, 128, 3, 1, 1, 1, 32},
    {"grouped 256@28 g4 b16", 16, 256, 28, 28, 256, 3, 1, 1, 1, 4},
    {"depthwise 64@56 b16", 16, 64, 56, 56, 64, 3, 1, 1, 1, 64},
    {"patch 3-96@224 4x4 s4 b16", 16, 3, 224, 224, 96, 4, 4, 0, 1, 1},
    {"patch 3-384@224 16x16 s16 b8", 8, 3, 224, 224, 384, 16, 16, 0, 1, 1},
    {"dilated 64@56 d2 b16", 16, 64, 56, 56, 64, 3, 1, 2, 2, 1},
};

typedef enum variant { DIRECT, WINOGRAD, NHWC_ANY, NHWC_JIT, VARIANTS } variant;
static const char *const variant_names[] = {"direct", "winograd", "nhwc", "nhwc jit"};
static const char *const pass_names[] = {"fwd", "inf", "bwd-d", "bwd-w"};

/* ---- ceiling ---- */

typedef float lanes __attribute__((vector_size(64)));

static double fma_ceiling(void)
{
    double best = 0;
    enum { ROUNDS = 4000000, CHAINS = 12 };
    for (int repeat = 0; repeat < 3; repeat++) {
        float sink = 0;
        int threads = omp_get_max_threads();
        double t = now();
#pragma omp parallel reduction(+ : sink)
        {
            lanes a[CHAINS], x, y;
            for (int l = 0; l < 16; l++) {
                x[l] = 0.999f;
                y[l] = 0.001f * (float)(l + 1 + omp_get_thread_num());   /* never denormal */
                for (int i = 0; i < CHAINS; i++) a[i][l] = (float)i;
            }
            for (int r = 0; r < ROUNDS; r++)
                for (int i = 0; i < CHAINS; i++) a[i] = a[i] * x + y;
            for (int i = 0; i < CHAINS; i++) sink += a[i][i];
        }
        t = now() - t;
        double rate = 2.0 * 16 * CHAINS * ROUNDS * threads / t;
        if (rate > best && sink != 12345.0f) best = rate;
    }
    return best;
}

/* ---- one case ---- */

static int64_t out_size(int64_t in, int64_t k, int64_t s, int64_t p, int64_t d) { return (in + 2 * p - d * (k - 1) - 1) / s + 1; }

static fvi_dnnl_tensor tensor(fv_dtype t, fvi_layout l, int64_t a, int64_t b, int64_t c, int64_t d)
{
    return (fvi_dnnl_tensor){.dtype = t, .rank = 4, .dim = {a, b, c, d}, .layout = l};
}

static fvi_dnnl_conv_desc describe(const shape *s, fvi_dnnl_pass pass, variant v, fv_dtype type)
{
    bool nhwc = v == NHWC_ANY || v == NHWC_JIT, dense = s->g == 1;
    int64_t block = nhwc || !dense ? 1 : 16;
    int64_t c = s->c < 8 ? s->c : FVI_ALIGN_UP(s->c, block), o = FVI_ALIGN_UP(s->o, block);
    fvi_layout act = nhwc ? FVI_NHWC : FVI_NCHW16C;
    fv_dtype weights_type = pass == FVI_DNNL_BACKWARD_WEIGHTS ? FV_F32 : type;
    fvi_dnnl_conv_desc d = {.pass = pass, .winograd = v == WINOGRAD, .stride = {s->s, s->s}, .padding = {s->p, s->p},
                            .dilation = {s->d, s->d}};
    d.src = tensor(type, nhwc ? act : s->c < 8 ? FVI_PLAIN : act, s->n, c, s->h, s->w);
    d.weights = tensor(weights_type, FVI_OPAQUE, o, c / s->g, s->k, s->k);
    d.weights.groups = s->g;
    if (v == NHWC_JIT) d.weights.layout = pass == FVI_DNNL_BACKWARD_DATA ? FVI_OIHW16O16I : s->c < 8 ? FVI_OHWI16O : FVI_OIHW16I16O;
    d.dst = tensor(type, act, s->n, o, out_size(s->h, s->k, s->s, s->p, s->d), out_size(s->w, s->k, s->s, s->p, s->d));
    return d;
}

static void *filled(size_t bytes, fv_dtype type, unsigned seed)
{
    void *p = fvi_malloc_aligned(bytes);
    if (!p) exit(1);
    size_t n = bytes / (type == FV_F32 ? 4 : 2);
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        float f = (float)(seed >> 8) / 8388608.0f - 1.0f;
        uint32_t bits;
        memcpy(&bits, &f, 4);
        if (type == FV_F32) ((float *)p)[i] = f;
        else ((uint16_t *)p)[i] = (uint16_t)(bits >> 16);
    }
    return p;
}

static double time_runs(fvi_dnnl *p, void *const *ptr, void *scratch)
{
    double best = INFINITY, begin = now();
    for (int n = 0; n < 7 || now() - begin < 0.15; n++) {
        double t = now();
        if (fvi_dnnl_run(NULL, p, ptr, scratch) != FV_OK) return NAN;
        t = now() - t;
        if (n && t < best) best = t;
    }
    return best;
}

/* Runs one variant; `reference` keeps a copy of the direct f32 result to compare Winograd's with. */
static void measure(const shape *s, fvi_dnnl_pass pass, variant v, fv_dtype type, double ceiling, float **reference)
{
    fvi_dnnl_conv_desc d = describe(s, pass, v, type);
    fvi_dnnl *p;
    int threads = omp_get_max_threads();
    if (fvi_dnnl_conv(NULL, &d, threads, FVI_DNNL_REFERENCE, &p) != FV_OK) return;
    if (fvi_dnnl_speed_of(p) != FVI_DNNL_FAST) {
        printf("| %s | %s | %s | | | | %s | |\n", s->name, pass_names[pass], variant_names[v], fvi_dnnl_impl(p));
        fvi_dnnl_free(p);
        return;
    }
    if (fvi_dnnl_ready(NULL, p) != FV_OK) exit(1);
    int target = pass == FVI_DNNL_BACKWARD_DATA ? FVI_DNNL_SRC : pass == FVI_DNNL_BACKWARD_WEIGHTS ? FVI_DNNL_WEIGHTS : FVI_DNNL_DST;
    size_t scratch = fvi_dnnl_scratch(p), out_bytes = fvi_dnnl_bytes(p, target);
    void *ptr[FVI_DNNL_SLOTS] = {NULL};
    static const int used[] = {FVI_DNNL_SRC, FVI_DNNL_WEIGHTS, FVI_DNNL_DST};
    for (int i = 0; i < 3; i++) ptr[used[i]] = filled(fvi_dnnl_bytes(p, used[i]), used[i] == target && target == FVI_DNNL_WEIGHTS ? FV_F32 : type, 7u + (unsigned)i);
    void *space = fvi_malloc_aligned(scratch);
    double t = time_runs(p, ptr, space);
    int64_t oh = d.dst.dim[2], ow = d.dst.dim[3];
    double flops = 2.0 * (double)(s->n * s->o * oh * ow) * (double)(s->c / s->g * s->k * s->k);
    printf("| %s | %s | %s | %.3f | %.0f | %.0f %% | %s, w %s | %.1f MB |", s->name, pass_names[pass], variant_names[v], t * 1e3,
           flops / t * 1e-9, 100 * flops / t / ceiling, fvi_dnnl_impl(p), fvi_layout_name(fvi_dnnl_layout(p, FVI_DNNL_WEIGHTS)),
           (double)scratch / 1e6);
    if (type == FV_F32 && v == DIRECT && (*reference = fvi_malloc(out_bytes))) memcpy(*reference, ptr[target], out_bytes);
    if (v == WINOGRAD && *reference && pass != FVI_DNNL_BACKWARD_DATA && pass != FVI_DNNL_INFERENCE) {   /* same weights only */
        double err = 0, sum = 0, worst = 0;
        for (size_t i = 0; i < out_bytes / 4; i++) {
            double e = fabs((double)((float *)ptr[target])[i] - (*reference)[i]);
            err += e * e;
            sum += (double)(*reference)[i] * (*reference)[i];
            worst = e > worst ? e : worst;
        }
        printf(" rms err %.1e, max %.1e of rms |", sqrt(err / sum), worst / sqrt(sum / (double)(out_bytes / 4)));
    }
    printf("\n");
    fflush(stdout);
    for (int i = 0; i < 3; i++) fvi_free_aligned(ptr[used[i]], fvi_dnnl_bytes(p, used[i]));
    fvi_free_aligned(space, scratch);
    fvi_dnnl_free(p);
}

int main(int argc, char **argv)
{
    double ceiling = fma_ceiling();
    fv_dtype type = FV_F32;
    int first = 1;
    if (argc > 1 && strcmp(argv[1], "bf16") == 0) {
        type = FV_BF16;
        first++;
    }
    printf("oneDNN %s, %d threads, multiply-add ceiling %.0f GF/s, %s\n\n", fvi_dnnl_version(), omp_get_max_threads(), ceiling * 1e-9,
           fv_dtype_name(type));
    printf("| case | pass | variant | ms | GF/s | of ceiling | implementation | scratch |\n|---|---|---|---|---|---|---|---|\n");
    for (int i = 0; i < FVI_COUNT(shapes); i++) {
        bool wanted = argc <= first;
        for (int a = first; a < argc; a++) wanted = wanted || strstr(shapes[i].name, argv[a]);
        static const fvi_dnnl_pass passes[] = {FVI_DNNL_FORWARD, FVI_DNNL_INFERENCE, FVI_DNNL_BACKWARD_DATA, FVI_DNNL_BACKWARD_WEIGHTS};
        for (int k = 0; wanted && k < FVI_COUNT(passes); k++) {
            float *reference = NULL;
            for (int v = 0; v < VARIANTS; v++) measure(&shapes[i], passes[k], (variant)v, type, ceiling, &reference);
            fvi_free(reference);
        }
    }
    return 0;
}
