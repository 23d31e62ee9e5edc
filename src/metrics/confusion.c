/* SPDX-License-Identifier: Apache-2.0 */
/* Confusion matrix and what follows from it. */
#include "metrics/confusion.h"

#include <math.h>

fv_status fvi_confusion_init(fv_context *ctx, fvi_confusion *c, int64_t classes)
{
    int64_t cells;
    memset(c, 0, sizeof *c);
    if (classes < 1 || !fvi_mul_i64(classes, classes, &cells)) return fvi_fail(ctx, FV_ERROR_INVALID, "%lld classes", (long long)classes);
    c->classes = classes;
    c->counts = fvi_calloc((size_t)cells, sizeof *c->counts);
    c->ranks = fvi_calloc((size_t)classes, sizeof *c->ranks);
    if (c->counts && c->ranks) return FV_OK;
    fvi_confusion_free(c);
    return fvi_nomem(ctx);
}

void fvi_confusion_clear(fvi_confusion *c)
{
    memset(c->counts, 0, (size_t)(c->classes * c->classes) * sizeof *c->counts);
    memset(c->ranks, 0, (size_t)c->classes * sizeof *c->ranks);
    c->samples = 0;
    c->loss_sum = c->loss_weight = 0;
}

void fvi_confusion_free(fvi_confusion *c)
{
    fvi_free(c->counts);
    fvi_free(c->ranks);
    memset(c, 0, sizeof *c);
}

bool fvi_confusion_add(fvi_confusion *c, int64_t truth, int64_t predicted)
{
    if (truth < 0 || truth >= c->classes || predicted < 0 || predicted >= c->classes) return false;
    c->counts[truth * c->classes + predicted]++;
    c->samples++;
    return true;
}

int64_t fvi_confusion_add_scores(fvi_confusion *c, int64_t truth, const float *scores)
{
    int64_t best = 0, in_front = 0;
    bool nan = false;
    if (truth < 0 || truth >= c->classes) return -1;
    for (int64_t k = 0; k < c->classes; k++) {
        if (scores[k] > scores[best]) best = k;
        if (isnan(scores[k])) nan = true;
        if (!(scores[k] <= scores[truth])) in_front++;
    }
    if (nan && best == truth) best = (truth + 1) % c->classes;       /* a lone class cannot be wrong */
    if (!isnan(scores[truth])) c->ranks[in_front]++;
    return fvi_confusion_add(c, truth, best) ? best : -1;
}

static int64_t hits(const fvi_confusion *c, int64_t k)
{
    return c->counts[k * c->classes + k];
}

int64_t fvi_confusion_predicted(const fvi_confusion *c, int64_t k)
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

double fvi_confusion_topk(const fvi_confusion *c, int64_t k)
{
    int64_t n = 0;
    for (int64_t i = 0; i < k && i < c->classes; i++) n += c->ranks[i];
    return c->samples ? (double)n / (double)c->samples : (double)NAN;
}

static double ratio(double numerator, double denominator, double zero_division)
{
    return denominator > 0 ? numerator / denominator : zero_division;
}

double fvi_confusion_score(const fvi_confusion *c, fvi_score s, int64_t k, double zero_division)
{
    double hit = (double)hits(c, k), support = (double)fvi_confusion_support(c, k), predicted = (double)fvi_confusion_predicted(c, k);
    if (s == FVI_PRECISION) return ratio(hit, predicted, zero_division);
    if (s == FVI_RECALL) return ratio(hit, support, zero_division);
    return ratio(2 * hit, predicted + support, zero_division);
}

double fvi_confusion_balanced_accuracy(const fvi_confusion *c)
{
    double sum = 0, n = 0;
    for (int64_t k = 0; k < c->classes; k++) {
        double recall = fvi_confusion_score(c, FVI_RECALL, k, (double)NAN);
        if (isnan(recall)) continue;
        sum += recall;
        n++;
    }
    return ratio(sum, n, (double)NAN);
}

double fvi_confusion_average(const fvi_confusion *c, fvi_score s, fvi_average a, double zero_division)
{
    double sum = 0, weight = 0, known = 0;
    if (!c->samples) return (double)NAN;
    if (a == FVI_MICRO) return fvi_confusion_accuracy(c);            /* one label a sample, all classes: the same figure */
    for (int64_t k = 0; k < c->classes; k++) {
        double value = fvi_confusion_score(c, s, k, zero_division), w = a == FVI_WEIGHTED ? (double)fvi_confusion_support(c, k) : 1;
        if (isnan(value)) continue;
        sum += w * value;
        weight += w;
        known++;
    }
    /* Figures are known, but only of classes that do not occur: those have no hit. */
    return ratio(sum, weight, known > 0 ? 0 : (double)NAN);
}
