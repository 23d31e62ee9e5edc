/* SPDX-License-Identifier: Apache-2.0 */
#include "runs.h"

#include "base/file.h"
#include "base/rng.h"
#include "fovea/nn.h"
#include "io/safetensors.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static fv_status get(const fv_source *s, fv_context *ctx, int64_t index, fv_sample *out)
{
    fv_image *image = &out->image;
    int64_t *label = &out->label;
    runs_data *d = s->user;
    fvi_rng r = fvi_rng_at(77, (uint64_t)(d->base + index));
    *label = index % RUNS_CLASSES;
    FVI_TRY(ctx, fv_image_resize(ctx, image, RUNS_SIDE, RUNS_SIDE));
    for (int i = 0; i < 3 * RUNS_SIDE * RUNS_SIDE; i++)
        image->pixels[i] = (uint8_t)(60 * (i / (RUNS_SIDE * RUNS_SIDE) == *label) + (int)(fvi_rng_u32(&r) % 120));
    if (index < RUNS_MAX) __atomic_fetch_add(&d->reads[index], 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&d->all_reads, 1, __ATOMIC_RELAXED);
    return FV_OK;
}

fv_source runs_source(runs_data *d, int64_t count)
{
    return (fv_source){.count = count, .classes = RUNS_CLASSES, .user = d, .get = get};
}

fv_value *runs_tiny(fv_graph *g, fv_value *x, void *user)
{
    (void)user;
    x = fv_conv_bn_act(g, "stem", x, &FV_CONV(.out = 5, .kernel = 3));
    x = fv_basic_block(g, "layer1", x, 8, 2);
    return fv_linear(g, "head", fv_global_average_pool(g, x), RUNS_CLASSES);
}

fv_value *runs_plain(fv_graph *g, fv_value *x, void *user)
{
    (void)user;
    x = fv_relu(g, fv_conv2d(g, "conv", x, &FV_CONV(.out = 4, .kernel = 3, .bias = true)));
    return fv_linear(g, "head", fv_global_average_pool(g, x), RUNS_CLASSES);
}

static double metric(const fv_train_progress *p, const char *name)
{
    for (int i = 0; i < p->n_metrics; i++)
        if (!strcmp(p->metrics[i].name, name)) return p->metrics[i].value;
    return NAN;
}

static bool watch(void *user, fv_train_event event, const fv_train_progress *p)
{
    runs_trace *t = user;
    if (event == FV_TRAIN_START) t->starts++;
    if (event == FV_TRAIN_END) t->ends++;
    if (event == FV_TRAIN_STEP && t->steps < RUNS_MAX) {
        t->step[t->steps] = p->step;
        t->rate[t->steps] = p->learning_rate;
        t->loss[t->steps++] = p->loss;
    }
    if (event == FV_TRAIN_VALIDATED && t->validations < RUNS_MAX) {
        t->validated[t->validations] = p->step;
        t->val_acc[t->validations] = metric(p, "val_acc");
        t->val_loss[t->validations] = metric(p, "val_loss");
        t->improved[t->validations++] = p->improved;
        t->best_step = p->best_step;
    }
    if (event == FV_TRAIN_SAVED && t->saves < RUNS_MAX) t->saved[t->saves++] = p->step;
    if (t->also) t->also(t, event, p);
    return event != FV_TRAIN_STEP || !t->stop_at || p->step != t->stop_at;
}

static void note_log(void *user, fv_log_level level, const char *text)
{
    runs_outcome *r = user;
    size_t used = strlen(r->log);
    (void)level;
    snprintf(r->log + used, sizeof r->log - used, "%s\n", text);
}

runs_outcome runs_train(const fv_train_options *o, fv_model_fn *net, runs_trace *trace)
{
    runs_outcome r = {0};
    fv_train_options own = *o;
    fv_context *ctx = fv_context_create();
    fv_model *m = fv_model_define(ctx, "tiny", net ? net : runs_tiny, NULL);
    fv_trainer *t = NULL;
    fv_context_set_log(ctx, note_log, &r);
    if (trace) {
        own.callback = watch;
        own.callback_user = trace;
    }
    r.status = fv_trainer_create(ctx, m, &own, &t);
    if (trace) trace->trainer = t;
    if (r.status == FV_OK) r.status = fv_trainer_run(t);
    if (t) r.p = *fv_trainer_progress(t);
    if (r.status != FV_OK) snprintf(r.message, sizeof r.message, "%s", fv_error_message(ctx));
    if (trace) trace->trainer = NULL;
    fv_trainer_destroy(t);
    fv_model_destroy(m);
    fv_context_destroy(ctx);
    return r;
}

void runs_clean(const char *folder)
{
    char command[512];
    snprintf(command, sizeof command, "rm -rf %s %s.old-* %s-*", folder, folder, folder);
    if (system(command)) printf("cannot clean %s\n", folder);
}

static char *read_part(const char *run, const char *name, size_t *n)
{
    char path[512], *data = NULL;
    snprintf(path, sizeof path, "%s/%s", run, name);
    if (fvi_file_read(NULL, path, 1 << 24, &data, n) == FV_OK) return data;
    *n = 0;
    return fvi_strdup("");
}

char *runs_read(const char *run, const char *name)
{
    size_t n;
    return read_part(run, name, &n);
}

/* The text of a run's configuration names its folder: data sections and positions are what must agree. */
bool runs_same(const char *a, const char *b, const char *name)
{
    size_t m, n;
    char *x = read_part(a, name, &m), *y = read_part(b, name, &n);
    bool same = m > 0 && m == n && !memcmp(x, y, m);
    const char *dot = strrchr(name, '.');
    fvi_st_file f, g;
    if (m > 0 && n > 0 && dot && !strcmp(dot, ".safetensors") && fvi_st_parse(NULL, a, (unsigned char *)x, m, &f) == FV_OK) {
        same = fvi_st_parse(NULL, b, (unsigned char *)y, n, &g) == FV_OK;
        if (same) {
            const char *p = fvi_st_metadata(&f, "fovea.position"), *q = fvi_st_metadata(&g, "fovea.position");
            same = f.count == g.count && f.data_bytes == g.data_bytes && !memcmp(f.data, g.data, f.data_bytes) && (p && q ? !strcmp(p, q) : p == q);
            if (!same && p && q) printf("    %s\n    %s\n", p, q);
            fvi_st_close(&g);
        }
        fvi_st_close(&f);
    }
    fvi_free(x);
    fvi_free(y);
    return same;
}

bool runs_all_same(const char *a, const char *b)
{
    static const char *const names[] = {"checkpoints/latest.safetensors", "checkpoints/latest.state.safetensors", "checkpoints/best.safetensors", "metrics.csv",
                                        "evaluation.json"};
    bool same = true;
    for (int i = 0; i < FVI_COUNT(names); i++) {
        if (runs_same(a, b, names[i])) continue;
        printf("    %s differs between %s and %s\n", names[i], a, b);
        same = false;
    }
    return same;
}
