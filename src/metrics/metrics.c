/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics by name. Names without an average are macro averages: all classes count alike, as with F1 everywhere here. */
#include "metrics/metrics.h"

#include <math.h>

#define METRICS(X)                                                                                                          \
    X("acc", ACC) X("top2", TOP2) X("top3", TOP3) X("top5", TOP5) X("top10", TOP10)                                         \
    X("f1", F1) X("f1_micro", F1_MICRO) X("f1_weighted", F1_WEIGHTED)                                                       \
    X("precision", PRECISION) X("precision_micro", PRECISION_MICRO) X("precision_weighted", PRECISION_WEIGHTED)             \
    X("recall", RECALL) X("recall_micro", RECALL_MICRO) X("recall_weighted", RECALL_WEIGHTED)                               \
    X("balanced_acc", BALANCED_ACC) X("loss", LOSS)                                                                         \
    X("accuracy", ACC) X("acc1", ACC) X("top1", ACC) X("val_acc", ACC) X("acc2", TOP2) X("acc3", TOP3) X("acc5", TOP5)      \
    X("val_top5", TOP5) X("acc10", TOP10) X("f1_macro", F1) X("macro_f1", F1) X("val_f1", F1)                               \
    X("weighted_f1", F1_WEIGHTED) X("precision_macro", PRECISION) X("recall_macro", RECALL)                                 \
    X("balanced_accuracy", BALANCED_ACC) X("val_loss", LOSS)

#define NAME(text, which) text,
const char *const fvi_metric_names[] = {METRICS(NAME) NULL};
#undef NAME

fvi_metric fvi_metric_of(int64_t index)
{
#define WHICH(text, which) FVI_METRIC_##which,
    static const fvi_metric table[] = {METRICS(WHICH)};
#undef WHICH
    return index >= 0 && index < FVI_COUNT(table) ? table[index] : FVI_METRIC_ACC;
}

bool fvi_metric_smaller_is_better(fvi_metric m)
{
    return m == FVI_METRIC_LOSS;
}

bool fvi_metric_tells(fvi_metric m, int64_t classes)
{
    switch (m) {
    case FVI_METRIC_TOP2: return classes > 2;
    case FVI_METRIC_TOP3: return classes > 3;
    case FVI_METRIC_TOP5: return classes > 5;
    case FVI_METRIC_TOP10: return classes > 10;
    default: return true;
    }
}

double fvi_metric_value(const fvi_confusion *c, fvi_metric m)
{
    if (!fvi_metric_tells(m, c->classes)) return (double)NAN;
    switch (m) {
    case FVI_METRIC_ACC: return fvi_confusion_accuracy(c);
    case FVI_METRIC_TOP2: return fvi_confusion_topk(c, 2);
    case FVI_METRIC_TOP3: return fvi_confusion_topk(c, 3);
    case FVI_METRIC_TOP5: return fvi_confusion_topk(c, 5);
    case FVI_METRIC_TOP10: return fvi_confusion_topk(c, 10);
    case FVI_METRIC_F1: return fvi_confusion_average(c, FVI_F1, FVI_MACRO, 0);
    case FVI_METRIC_F1_MICRO: return fvi_confusion_average(c, FVI_F1, FVI_MICRO, 0);
    case FVI_METRIC_F1_WEIGHTED: return fvi_confusion_average(c, FVI_F1, FVI_WEIGHTED, 0);
    case FVI_METRIC_PRECISION: return fvi_confusion_average(c, FVI_PRECISION, FVI_MACRO, 0);
    case FVI_METRIC_PRECISION_MICRO: return fvi_confusion_average(c, FVI_PRECISION, FVI_MICRO, 0);
    case FVI_METRIC_PRECISION_WEIGHTED: return fvi_confusion_average(c, FVI_PRECISION, FVI_WEIGHTED, 0);
    case FVI_METRIC_RECALL: return fvi_confusion_average(c, FVI_RECALL, FVI_MACRO, 0);
    case FVI_METRIC_RECALL_MICRO: return fvi_confusion_average(c, FVI_RECALL, FVI_MICRO, 0);
    case FVI_METRIC_RECALL_WEIGHTED: return fvi_confusion_average(c, FVI_RECALL, FVI_WEIGHTED, 0);
    case FVI_METRIC_BALANCED_ACC: return fvi_confusion_balanced_accuracy(c);
    case FVI_METRIC_LOSS: return fvi_confusion_loss(c);
    case FVI_METRIC_COUNT: break;
    }
    return (double)NAN;
}
