/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a report's page. */
#ifndef FVI_PAGE_H
#define FVI_PAGE_H

#include "page/plot.h"
#include "report/run_data.h"

/* The whole page: one run in full, several overlaid and side by side. */
FV_CHECKED fv_status fvi_page_text(fv_context *ctx, const fvi_run_data *runs, int n, fvi_text *out);

void fvi_page_head(fvi_text *t, const fvi_run_data *runs, int n);        /* up to <body>, title, key figures */
void fvi_page_curves(fvi_text *t, const fvi_run_data *runs, int n);
FV_CHECKED fv_status fvi_page_evaluation(fv_context *ctx, fvi_text *t, const fvi_run_data *r);
void fvi_page_environment(fvi_text *t, const fvi_run_data *r);
void fvi_page_config(fvi_text *t, const fvi_run_data *r);
void fvi_page_differences(fvi_text *t, const fvi_run_data *runs, int n);
/* "● name" in the colour of run k. */
void fvi_page_run_name(fvi_text *t, const fvi_run_data *runs, int n, int k);
/* Calls `leaf` for each value of nested objects, with its dotted name. false: memory is exhausted. */
typedef void fvi_page_leaf(void *user, const char *name, const fvi_json *value);
bool fvi_page_walk(const fvi_json *object, const char *prefix, fvi_page_leaf *leaf, void *user);

#endif
