/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics from counts, with the traps that averages of batches and missing classes are. */
#include "test.h"

#include "metrics/metrics.h"
#include "metrics/mistakes.h"

#include <stdlib.h>

static void fill(fvi_confusion *c, int64_t truth, int64_t predicted, int n)
{
    for (int i = 0; i < n; i++) fvi_confusion_add(c, truth, predicted);
}

/* All of class 0, 90 % found: accuracy .90, F1 of class 0 .947, of class 1 0, macro .474. */
static void one_class_truth(void)
{
    fvi_confusion c;
    CHECK_EQ(fvi_confusion_init(NULL, &c, 2), FV_OK);
    fill(&c, 0, 0, 90);
    fill(&c, 0, 1, 10);
    CHECK_CLOSE(fvi_confusion_accuracy(&c), .9, 1e-15);
    CHECK_CLOSE(fvi_confusion_score(&c, FVI_F1, 0, 0), 180.0 / 190, 1e-15);
    CHECK_CLOSE(fvi_confusion_score(&c, FVI_F1, 1, 0), 0, 0);
    CHECK_CLOSE(fvi_metric_value(&c, FVI_METRIC_F1), .47368421, 1e-8);
    CHECK_CLOSE(fvi_confusion_score(&c, FVI_PRECISION, 1, 0), 0, 0);
    CHECK_CLOSE(fvi_confusion_score(&c, FVI_RECALL, 1, 0), 0, 0);
    CHECK_EQ(fvi_confusion_support(&c, 1), 0);
    fvi_confusion_free(&c);
}

/* scikit-learn: y = [0,1,2,0,1,2], p = [0,2,1,0,0,1]: macro F1 .26666667. */
static void three_classes(void)
{
    fvi_confusion c;
    static const int64_t truth[] = {0, 1, 2, 0, 1, 2}, predicted[] = {0, 2, 1, 0, 0, 1};
    CHECK_EQ(fvi_confusion_init(NULL, &c, 3), FV_OK);
    for (int i = 0; i < 6; i++) CHECK(fvi_confusion_add(&c, truth[i], predicted[i]));
    CHECK_CLOSE(fvi_metric_value(&c, FVI_METRIC_F1), .26666667, 1e-8);
    CHECK_CLOSE(fvi_confusion_score(&c, FVI_PRECISION, 0, 0), 2.0 / 3, 1e-15);
    CHECK_CLOSE(fvi_confusion_score(&c, FVI_RECALL, 0, 0), 1, 0);
    CHECK_CLOSE(fvi_confusion_accuracy(&c), 1.0 / 3, 1e-15);
    fvi_confusion_clear(&c);
    CHECK(isnan(fvi_confusion_accuracy(&c)));
    CHECK(isnan(fvi_confusion_loss(&c)));
    fvi_confusion_free(&c);
}

static void out_of_range(void)
{
    fvi_confusion c;
    CHECK_EQ(fvi_confusion_init(NULL, &c, 2), FV_OK);
    CHECK(!fvi_confusion_add(&c, 2, 0));
    CHECK(!fvi_confusion_add(&c, 0, -1));
    CHECK_EQ(c.samples, 0);
    fvi_confusion_free(&c);
    CHECK_EQ(fvi_confusion_init(NULL, &c, INT64_MAX), FV_ERROR_INVALID);
}

/* ---- scikit-learn's figures (tools/golden/metrics.py) ---- */

static int golden_line;                                 /* of the case being compared */

static void check_values(FILE *f, const double *got, int n)
{
    for (int i = 0; i < n; i++) {
        double want = 0;
        CHECK(fscanf(f, "%lf", &want) == 1);
        CHECK_MSG(test_close(got[i], want, 1e-12), "case %d, figure %d: %.17g, expected %.17g", golden_line, i, got[i], want);
    }
}

static void check_case(FILE *f, int classes, int samples, double zero_division)
{
    fvi_confusion c;
    double cells[100], loss = 0;
    CHECK(classes <= 10);
    CHECK_EQ(fvi_confusion_init(NULL, &c, classes), FV_OK);
    for (int i = 0; i < samples; i++) {
        int truth;
        float scores[10];
        double sum = 0;
        CHECK(fscanf(f, "%d", &truth) == 1);
        for (int k = 0; k < classes; k++) CHECK(fscanf(f, "%f", &scores[k]) == 1);
        for (int k = 0; k < classes; k++) sum += exp((double)scores[k]);
        loss += log(sum) - (double)scores[truth];
        CHECK(fvi_confusion_add_scores(&c, truth, scores) >= 0);
    }
    c.loss_sum = loss;
    c.loss_weight = samples;
    for (int i = 0; i < classes * classes; i++) cells[i] = (double)c.counts[i];
    check_values(f, cells, classes * classes);
    check_values(f, (double[]){fvi_confusion_accuracy(&c), fvi_confusion_balanced_accuracy(&c)}, 2);
    double want = 0, got = fvi_confusion_loss(&c);
    CHECK(fscanf(f, "%lf", &want) == 1);
    CHECK_CLOSE(got, want, 1e-7);                        /* float scores written with nine digits */
    check_values(f, (double[]){fvi_confusion_topk(&c, 2), fvi_confusion_topk(&c, 3)}, 2);
    for (fvi_score s = FVI_PRECISION; s <= FVI_F1; s++) {
        for (fvi_average a = FVI_MACRO; a <= FVI_WEIGHTED; a++)
            check_values(f, (double[]){fvi_confusion_average(&c, s, a, zero_division)}, 1);
        for (int k = 0; k < classes; k++) check_values(f, (double[]){fvi_confusion_score(&c, s, k, zero_division)}, 1);
    }
    fvi_confusion_free(&c);
}

static void scikit_learn(void)
{
    FILE *f = fopen(FOVEA_TESTS_DIR "/golden/metrics.txt", "r");
    int classes, samples, cases = 0;
    double zero_division;
    CHECK(f != NULL);
    while (fscanf(f, " case %d %d %lf", &classes, &samples, &zero_division) == 3 && !test_state.failures) {
        golden_line = ++cases;
        check_case(f, classes, samples, zero_division);
    }
    fclose(f);
    CHECK_EQ(cases, 61);
}

/* Ties, NaN, top-k. */
static void ranks(void)
{
    fvi_confusion c;
    CHECK_EQ(fvi_confusion_init(NULL, &c, 3), FV_OK);
    CHECK_EQ(fvi_confusion_add_scores(&c, 1, (float[]){.5f, .5f, .5f}), 0);          /* a model that says nothing has no accuracy */
    CHECK_EQ(c.ranks[0], 1);                                                        /* ... but ties count for top-k */
    CHECK_EQ(fvi_confusion_add_scores(&c, 0, (float[]){1, NAN, 0}), 1);
    CHECK_EQ(c.ranks[1], 1);                                                        /* NaN is in front */
    CHECK_EQ(fvi_confusion_add_scores(&c, 2, (float[]){1, 0, NAN}), 0);
    CHECK_CLOSE(fvi_confusion_accuracy(&c), 0, 0);
    CHECK_CLOSE(fvi_confusion_topk(&c, 1), 1.0 / 3, 1e-15);
    CHECK_CLOSE(fvi_confusion_topk(&c, 5), 2.0 / 3, 1e-15);                          /* a NaN target is wrong at any k */
    CHECK_EQ(fvi_confusion_add_scores(&c, 3, (float[]){1, 0, 0}), -1);
    CHECK_EQ(c.samples, 3);
    fvi_confusion_free(&c);
}

static void names(void)
{
    fvi_confusion c;
    int n = 0;
    CHECK_EQ(fvi_confusion_init(NULL, &c, 2), FV_OK);
    fill(&c, 0, 0, 3);
    fill(&c, 1, 0, 1);
    c.loss_sum = 6;
    c.loss_weight = 4;
    for (; fvi_metric_names[n]; n++) {
        const fvi_metric m = fvi_metric_of(n);
        CHECK(isfinite(fvi_metric_value(&c, m)) == fvi_metric_tells(m, 2));
    }
    CHECK(!fvi_metric_tells(FVI_METRIC_TOP2, 2) && fvi_metric_tells(FVI_METRIC_TOP2, 3));
    CHECK(!fvi_metric_tells(FVI_METRIC_TOP5, 5) && fvi_metric_tells(FVI_METRIC_TOP5, 6));
    CHECK(!fvi_metric_tells(FVI_METRIC_TOP10, 10) && fvi_metric_tells(FVI_METRIC_ACC, 1));
    CHECK(n > FVI_METRIC_COUNT);
    for (int i = 0; i < FVI_METRIC_COUNT; i++) CHECK_EQ(fvi_metric_of(i), i);
    CHECK_STR(fvi_metric_names[FVI_METRIC_LOSS], "loss");
    CHECK_STR(fvi_metric_names[FVI_METRIC_F1_WEIGHTED], "f1_weighted");
    CHECK_CLOSE(fvi_metric_value(&c, FVI_METRIC_LOSS), 1.5, 0);
    CHECK_CLOSE(fvi_metric_value(&c, FVI_METRIC_ACC), .75, 0);
    CHECK_CLOSE(fvi_metric_value(&c, FVI_METRIC_RECALL), .5, 0);
    for (int i = 0; fvi_metric_names[i]; i++)
        CHECK_EQ(fvi_metric_smaller_is_better(fvi_metric_of(i)), strstr(fvi_metric_names[i], "loss") != NULL);
    fvi_confusion_free(&c);
}

/* The list keeps the worst, in order, whatever the order they come in; equal ones by number. */
static void mistakes(void)
{
    fvi_mistakes m;
    static const float margin[] = {1, 4, 2, 9, 4, 3};
    CHECK_EQ(fvi_mistakes_init(NULL, &m, 3), FV_OK);
    for (int i = 5; i >= 0; i--) fvi_mistakes_add(&m, i, 0, 1, (float[]){0, margin[i]}, 2);
    fvi_mistakes_add(&m, 9, 1, 1, (float[]){90, 0}, 2);                              /* right: left out */
    CHECK_EQ(m.count, 3);
    CHECK_EQ(m.items[0].id, 3);
    CHECK_EQ(m.items[1].id, 1);
    CHECK_EQ(m.items[2].id, 4);
    CHECK_CLOSE(m.items[0].probability, 1 / (1 + exp(-9)), 1e-12);
    CHECK_CLOSE(m.items[0].loss, -log(m.items[0].truth_probability), 1e-9);
    fvi_mistakes_add(&m, 7, 0, 1, (float[]){NAN, 0}, 2);
    CHECK_EQ(m.items[0].id, 7);
    fvi_mistakes_free(&m);
    CHECK_EQ(fvi_mistakes_init(NULL, &m, 0), FV_OK);
    fvi_mistakes_add(&m, 7, 0, 1, (float[]){0, 1}, 2);
    CHECK_EQ(m.count, 0);
    fvi_mistakes_free(&m);
}

TEST_MAIN(CASE(one_class_truth), CASE(three_classes), CASE(out_of_range), CASE(scikit_learn), CASE(ranks), CASE(names), CASE(mistakes))
