/* SPDX-License-Identifier: Apache-2.0 */
/* Confusion matrix and what follows from it. */
#include "metrics/confusion.h"

#include <math.h>

fv_status fvi_confusion_init(fv_context *ctx, fvi_confusion *c, int64_t classes)
{
    int64_t cells;
    memset(c, 0, sizeof *c);
    if (!fvi_mul_i64(classes, classes, &cells)) return fvi_fail(ctx, FV_ERROR_INVALID, "%lld classes", (long long)classes);
    c->classes = classes;
    c->counts = fvi_calloc((size_t)cells, sizeof *c->counts);
    return c->counts ? FV_OK : fvi_nomem(ctx);
}

void fvi_confusion_clear(fvi_confusion *c)
{
    memset(c->counts, 0, (size_t)(c->classes * c->classes) * sizeof *c->counts);
    c->samples = c->top5 = 0;
    c->loss_sum = c->loss_weight = 0;
}

void fvi_confusion_free(fvi_confusion *c)
{
    fvi_free(c->counts);
    memset(c, 0, sizeof *c);
}

bool fvi_confusion_add(fvi_confusion *c, int64_t truth, int64_t predicted)
{
    if (truth < 0 || truth >= c->classes || predicted < 0 || predicted >= c->classes) return false;
    c->counts[truth * c->classes + predicted]++;
    c->samples++;
    return true;
}

static double ratio(double a, double b)
{
    return b > 0 ? a / b : 0;
}

static int64_t hits(const fvi_confusion *c, int64_t k)
{
    return c->counts[k * c->classes + k];
}

static int64_t predicted_as(const fvi_confusion *c, int64_t k)
{
    int64_t n = 0;
    for (int64_t i = 0; i < c->classes; i++) n += c->counts[i * c->classes + k];
    return n;
}

int64_t fvi_confusion_support(const fvi_confusion *c, int64_t k)
{
    int64_t n = 0;
    for (int64_t i = 0; i < c->classes; i++) n += c->counts[k * c->classes + i];
    return n;
}

double fvi_confusion_loss(const fvi_confusion *c)
{
    return c->loss_weight > 0 ? c->loss_sum / c->loss_weight : (double)NAN;
}

double fvi_confusion_accuracy(const fvi_confusion *c)
{
    int64_t n = 0;
    for (int64_t k = 0; k < c->classes; k++) n += hits(c, k);
    return c->samples ? (double)n / (double)c->samples : (double)NAN;
}

double fvi_confusion_top5(const fvi_confusion *c)
{
    return c->samples ? (double)c->top5 / (double)c->samples : (double)NAN;
}

double fvi_confusion_precision(const fvi_confusion *c, int64_t k)
{
    return ratio((double)hits(c, k), (double)predicted_as(c, k));
}

double fvi_confusion_recall(const fvi_confusion *c, int64_t k)
{
    return ratio((double)hits(c, k), (double)fvi_confusion_support(c, k));
}

double fvi_confusion_f1(const fvi_confusion *c, int64_t k)
{
    return ratio(2 * (double)hits(c, k), (double)(predicted_as(c, k) + fvi_confusion_support(c, k)));
}

double fvi_confusion_macro_f1(const fvi_confusion *c)
{
    double sum = 0;
    for (int64_t k = 0; k < c->classes; k++) sum += fvi_confusion_f1(c, k);
    return c->samples ? sum / (double)c->classes : (double)NAN;
}
