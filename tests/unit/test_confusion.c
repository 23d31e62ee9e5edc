/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics from counts, with the traps that averages of batches and missing classes are. */
#include "test.h"

#include "metrics/confusion.h"

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
    CHECK_CLOSE(fvi_confusion_f1(&c, 0), 180.0 / 190, 1e-15);
    CHECK_CLOSE(fvi_confusion_f1(&c, 1), 0, 0);
    CHECK_CLOSE(fvi_confusion_macro_f1(&c), .47368421, 1e-8);
    CHECK_CLOSE(fvi_confusion_precision(&c, 1), 0, 0);
    CHECK_CLOSE(fvi_confusion_recall(&c, 1), 0, 0);
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
    CHECK_CLOSE(fvi_confusion_macro_f1(&c), .26666667, 1e-8);
    CHECK_CLOSE(fvi_confusion_precision(&c, 0), 2.0 / 3, 1e-15);
    CHECK_CLOSE(fvi_confusion_recall(&c, 0), 1, 0);
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

TEST_MAIN(CASE(one_class_truth), CASE(three_classes), CASE(out_of_range))
