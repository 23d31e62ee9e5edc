/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks that the library does not know, each one file over the public headers. */
#ifndef FOVEA_TEST_TASKS_H
#define FOVEA_TEST_TASKS_H

#include "fovea/task.h"

typedef struct tasks_case {
    const fv_task_def *def;
    fv_model_fn *model;
    fv_source train, val;
    const char *image_size, *monitor;    /* settings */
    const char *columns[5];              /* of metrics.csv that the task brings */
    const char *in_report[4], *in_record[4];     /* texts of report.html and evaluation.json */
    const char *setting;                 /* one of its own keys, as key=value; NULL: it has none */
} tasks_case;

/* Four numbers from pictures of one channel, 24 x 40. */
void tasks_regression(tasks_case *out);
/* Boxes: as many as there are, four pictures made one, an error that should be small, painted samples. */
void tasks_boxes(tasks_case *out);
/* Two networks, two optimizers with rates and schedules of their own, two updates to one, no labels. */
void tasks_gan(tasks_case *out);
/* A student, and a teacher that is its moving average, in one step. */
void tasks_mean_teacher(tasks_case *out);

/* A number in -1 .. 1 that belongs to these two. */
double tasks_number(int64_t a, int64_t b);

#endif
