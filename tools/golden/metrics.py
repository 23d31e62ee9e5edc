# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/metrics.txt: metrics of random predictions from scikit-learn, with labels = all classes.

    python3 tools/golden/metrics.py > tests/golden/metrics.txt

A case: "case CLASSES SAMPLES ZERO_DIVISION", a row "truth score ..." for each sample (predicted is the largest score),
then the figures that tests/unit/test_confusion.c reads in this order.
"""

import warnings

import numpy as np
from sklearn import metrics

warnings.filterwarnings("ignore")
AVERAGES = ("macro", "micro", "weighted")


def row(*values):
    print(" ".join("nan" if np.isnan(v) else f"{v:.17g}" for v in values))


def case(rng, classes, samples, zero_division, absent):
    """`absent` classes never occur as truth; classes that are never predicted come by themselves in small cases."""
    truth = rng.integers(0, classes - absent, samples)
    scores = np.round(rng.normal(size=(samples, classes)) + 1.5 * np.eye(classes)[truth] * rng.integers(0, 2, (samples, 1)), 3)
    scores += np.arange(classes) * 1e-4                     # no ties: their order is a choice, not a metric
    scores = scores.astype(np.float32).astype(np.float64)
    predicted = scores.argmax(1)
    labels = np.arange(classes)
    print(f"case {classes} {samples} {zero_division}")
    for t, s in zip(truth, scores):
        print(int(t), " ".join(f"{v:.9g}" for v in s))
    row(*metrics.confusion_matrix(truth, predicted, labels=labels).ravel())
    p = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    row(metrics.accuracy_score(truth, predicted), metrics.balanced_accuracy_score(truth, predicted), metrics.log_loss(truth, p, labels=labels))
    row(*(metrics.top_k_accuracy_score(truth, scores if classes > 2 else scores[:, 1] - scores[:, 0], k=k, labels=labels)
          if classes > 2 else 1.0 for k in (2, 3)))
    zero = float(zero_division)
    for score in (metrics.precision_score, metrics.recall_score, metrics.f1_score):
        row(*(score(truth, predicted, labels=labels, average=a, zero_division=zero) for a in AVERAGES))
        row(*np.atleast_1d(score(truth, predicted, labels=labels, average=None, zero_division=zero)))


def main():
    rng = np.random.default_rng(0)
    for i in range(60):
        classes = int(rng.integers(2, 7))
        case(rng, classes, int(rng.integers(1, 14)), ("0", "1", "nan")[i % 3], int(rng.integers(0, classes - 1)))
    case(rng, 10, 150, "0", 0)


main()
