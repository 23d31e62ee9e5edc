/* SPDX-License-Identifier: Apache-2.0 */
/* Seeded random small nets for the graph fuzzer. The same seed gives the same graph, whatever session builds it. */
#ifndef FOVEA_TEST_RANDOM_GRAPH_H
#define FOVEA_TEST_RANDOM_GRAPH_H

#include "nets.h"

enum { RANDOM_GRAPH_CLASSES = 5 };

typedef struct random_graph {
    uint64_t seed;
    int ops;                           /* at most so many; -1: as the seed says */
    int64_t batch, channels, height, width;
    fv_optimizer_options optimizer;
    fv_session *session;
    char text[2048];                   /* what was built, in words */
} random_graph;

/* Fills everything but session and text. */
void random_graph_draw(random_graph *r, uint64_t seed, int ops);
/* fv_build_fn with user = random_graph: inputs x (N, channels, height, width), labels i64 (N). */
fv_status random_graph_train(fv_graph *g, fv_value *const *in, int n_in, void *user);    /* gradient and update; "loss", "mid", ... */
fv_status random_graph_eval(fv_graph *g, fv_value *const *in, int n_in, void *user);     /* "logits" (N, classes), of one input */

#endif
