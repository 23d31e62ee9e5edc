/* SPDX-License-Identifier: Apache-2.0 */
/* What the proofs of tests/engine share: a session whose initial values, pictures and labels come from the formula of
 * tools/golden/engine.py (so nothing random is stored), and the file of what PyTorch computed from them. */
#ifndef FOVEA_TEST_NETS_H
#define FOVEA_TEST_NETS_H

#include "fovea/nn.h"
#include "io/safetensors.h"

/* How a proof is run. */
typedef struct nets_way { const char *name, *passes; fv_dtype dtype; bool amp; double tolerance; } nets_way;
/* f64 with all passes, f64 interpreted, f32 with all passes. */
extern const nets_way nets_ways[3];

typedef struct nets {
    fv_context *ctx;
    fv_session *s;
    fvi_st_file golden;
    fvi_arena arena;                   /* of tensors handed out */
    fv_dtype dtype;
    double tolerance;
    char worst[256];                   /* after nets_distance: the variable that is farthest */
} nets;

/* golden NULL: none. false: the reason is printed. */
bool nets_open(nets *n, const char *golden, const nets_way *way);
void nets_close(nets *n);
/* `inputs`: floating ones are given as FV_F64 and become the session's type. NULL after an error, which is printed. */
fv_function *nets_function(nets *n, const char *name, const fv_input_spec *inputs, int n_inputs, fv_build_fn *build, void *user,
                           const fv_function_options *options);
/* Sets every parameter and float buffer made so far to its initial value. */
bool nets_initial(nets *n);
/* data(stream) and label(stream) of engine.py; rows from `first` on of the whole of dims[0] rows. */
fv_tensor nets_data(nets *n, const char *stream, int rank, const int64_t *dims);
fv_tensor nets_labels(nets *n, const char *stream, int64_t count, int classes);
/* `count` rows of t from `first` on. */
fv_tensor nets_rows(fv_tensor t, int64_t first, int64_t count);
/* A scalar result to call with. */
fv_tensor nets_scalar(nets *n);
double nets_number(fv_tensor scalar);
/* Element of a stored tensor; NaN when there is none. */
double nets_golden(nets *n, const char *tensor, int64_t index);
/* Greatest |ours - stored| / max |stored| over the tensors "final.<variable>"; infinite when one is missing. */
double nets_distance(nets *n);
bool nets_set(nets *n, const char *scalar, double value);
/* Values of all variables (of one role; FV_ROLE_COUNT: all), to compare bit by bit. */
typedef struct nets_copy { double *values; int64_t count; } nets_copy;
nets_copy nets_snapshot(nets *n, const char *pattern, fv_role role);
bool nets_same(const nets_copy *a, const nets_copy *b);

/* numbers of the formula */
double nets_unit(const char *stream, int64_t i);
double nets_initial_value(const char *name, int rank, const int64_t *dims, int64_t i);

/* The net of most proofs: two of conv + batch norm + ReLU, pooling, a linear layer "fc". */
fv_value *nets_two_blocks(fv_graph *g, fv_value *x);

/* A classifier's step in two functions: inputs x (N, 3, H, W) and labels i64 (N); results "loss" (sum), "weight". */
typedef struct nets_step {
    fv_value *(*net)(fv_graph *g, fv_value *x);
    fv_optimizer_options optimizer;
    fv_session *session;
    bool more;                         /* gradients are added to what is there */
    bool class_weight;                 /* 0.5, 1, 1.5, 2, 0.25 */
    int gradient_builds, update_builds;
} nets_step;
fv_status nets_build_gradient(fv_graph *g, fv_value *const *in, int n_in, void *user);
fv_status nets_build_update(fv_graph *g, fv_value *const *in, int n_in, void *user);
#define NETS_PICTURES(size) (fv_input_spec[2]){{"x", FV_F64, 4, {FV_N, 3, size, size}}, {"y", FV_I64, 1, {FV_N}}}

/* In a case, with `nets n`: the call must succeed. */
#define NETS_OK(expr) CHECK_MSG((expr) == FV_OK, "%s", fv_error_text(n.ctx))

#endif
