/* SPDX-License-Identifier: Apache-2.0 */
/* A session holds state (variables) and compiled functions over it. */
#ifndef FOVEA_SESSION_H
#define FOVEA_SESSION_H

#include "fovea/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fv_session fv_session;
typedef struct fv_function fv_function;
typedef struct fv_var fv_var;

typedef struct fv_session_options {
    fv_dtype dtype;           /* FV_F32 (default) or FV_F64 */
    bool amp;                 /* mixed precision: convolutions and matmuls in bf16, masters and statistics in f32 */
    uint64_t seed;            /* of parameter initialisation */
    const char *passes;       /* NULL: all; "none": interpret references; "-fuse,-layout": all but these; "+recompute": less memory
                               * in training for a little time. FOVEA_PASSES overrides */
    const char *isa;          /* NULL: best; "base", "avx2", "avx512": cap of our kernels' instruction set, and of oneDNN's where this is its
                               * first use in the process. FOVEA_ISA overrides */
    const char *kernel_table; /* path written by `fovea tune`; NULL: shipped heuristics */
} fv_session_options;

/* options NULL: f32 and all passes. */
FV_API fv_status fv_session_create(fv_context *ctx, const fv_session_options *options, fv_session **out) FV_CHECKED;
/* Its functions are destroyed before it. NULL is allowed. */
FV_API void fv_session_destroy(fv_session *s);
FV_API fv_context *fv_session_context(fv_session *s);

/* ---- variables ---- */

typedef enum fv_role { FV_PARAMETER, FV_BUFFER, FV_GRADIENT, FV_OPTIMIZER, FV_EMA, FV_RANDOM, FV_SCALAR, FV_ROLE_COUNT } fv_role;

typedef enum fv_init_kind { FV_INIT_ZEROS, FV_INIT_CONSTANT, FV_INIT_UNIFORM, FV_INIT_NORMAL, FV_INIT_TRUNC_NORMAL } fv_init_kind;
typedef struct fv_init { fv_init_kind kind; double a, b; } fv_init;   /* CONSTANT a; UNIFORM [a,b); NORMAL mean a std b; TRUNC_NORMAL the same cut at +-2 (absolute) */
/* Kaiming normal, gain sqrt 2, of a weight (out, in, kh, kw): fan_out as torchvision's ResNet. */
FV_API fv_init fv_init_kaiming_fan_out(int rank, const int64_t *dims);
FV_API fv_init fv_init_linear(int64_t fan_in);                         /* U(+-1/sqrt(fan_in)): PyTorch's Linear and Conv default */

/* Decay by role of a tensor, not by its name: what it is, is said where it is created. */
typedef enum fv_param_kind { FV_PARAM_WEIGHT, FV_PARAM_BIAS, FV_PARAM_NORM, FV_PARAM_TOKEN } fv_param_kind;

/* How the part of a graph that follows reads the model, until fv_pop_mode. evaluation: as outside of training (running statistics,
 * no dropout), whatever the function is for. average: parameters and buffers are their moving averages (fv_optimizer_options.ema),
 * which begin with the same initial values; nothing there takes a gradient; they imply evaluation. Modes nest. */
typedef struct fv_mode { bool evaluation, average; } fv_mode;
FV_API void fv_push_mode(fv_graph *g, const fv_mode *mode);
FV_API void fv_pop_mode(fv_graph *g);

/* Inside a builder: the parameter `path prefix + name`, created at first use, and its value in this graph. Adapters
 * (fv_session_adapt) and sharing hook in here. */
FV_API fv_value *fv_param(fv_graph *g, const char *name, fv_param_kind kind, int rank, const int64_t *dims, fv_init init);
/* The same for what is no parameter: kept with the weights, never trained. */
FV_API fv_value *fv_buffer(fv_graph *g, const char *name, fv_dtype dtype, int rank, const int64_t *dims, fv_init init);
/* A number that changes between calls (rate, momentum, step): read from memory, never baked in. f32 (f64 sessions: f64). */
FV_API fv_value *fv_scalar(fv_graph *g, const char *name, double initial);
/* Current value of a variable in this graph: what the last fv_var_write in it gave, else what is stored. */
FV_API fv_value *fv_var_read(fv_graph *g, fv_var *var);
/* The variable holds `value` after the call. Later reads in this graph see it. Same shape; cast if the types differ. */
FV_API void fv_var_write(fv_graph *g, fv_var *var, fv_value *value);
/* A variable that follows `base` (same shape and storage order): gradient, "exp_avg", EMA. Created zeroed at first use. */
FV_API fv_var *fv_companion(fv_graph *g, fv_var *base, fv_role role, const char *name);
/* A scalar per base, e.g. Adam's "step". */
FV_API fv_var *fv_companion_scalar(fv_graph *g, fv_var *base, fv_role role, const char *name);
FV_API fv_var *fv_graph_find_var(fv_graph *g, const char *name);      /* full path; NULL when absent */
/* The trainable parameters read so far in this graph under `prefix` ("" = all), in order of creation; returns how many there
 * are, which may be more than `capacity`. */
FV_API int fv_graph_trainable(fv_graph *g, const char *prefix, fv_var **out, int capacity);

/* Variables belong to the session and live as long; so do their names. NULL: no such index or name. */
FV_API int fv_session_var_count(const fv_session *s);
FV_API fv_var *fv_session_var(fv_session *s, int index);
FV_API fv_var *fv_session_find(fv_session *s, const char *name);
FV_API const char *fv_var_name(const fv_var *v);
FV_API fv_role fv_var_role(const fv_var *v);
FV_API fv_param_kind fv_var_param_kind(const fv_var *v);
FV_API bool fv_var_trainable(const fv_var *v);
FV_API fv_var *fv_var_base(const fv_var *v);                          /* of a companion; else NULL */
FV_API void fv_var_shape(const fv_var *v, fv_tensor *out);            /* dtype, rank, dims; data NULL */
FV_API int64_t fv_var_numel(const fv_var *v);
/* Copies between a plain host tensor and the variable, converting float types; another shape is a SHAPE error. */
FV_API fv_status fv_var_get(fv_session *s, const fv_var *v, const fv_tensor *out) FV_CHECKED;
FV_API fv_status fv_var_set(fv_session *s, fv_var *v, const fv_tensor *in) FV_CHECKED;
FV_API fv_status fv_var_set_number(fv_session *s, fv_var *v, double value) FV_CHECKED;       /* a floating variable of rank 0 */
/* Sets the fv_scalar of this name, which is made where no graph has asked for it yet. */
FV_API fv_status fv_session_set_scalar(fv_session *s, const char *name, double value) FV_CHECKED;
/* What random ops draw from in the calls that follow: sample i of a batch is sample first_sample + i of step `step`. */
FV_API fv_status fv_session_set_random(fv_session *s, uint64_t seed, int64_t step, int64_t first_sample) FV_CHECKED;

/* Frozen parameters take no gradient, get no update, and batch norm over them uses running statistics. Pattern with '*'.
 * Returns how many parameters changed. Functions notice: the trainable set is part of every plan's key. */
FV_API int fv_session_set_trainable(fv_session *s, const char *pattern, bool trainable);
/* Low-rank adapter on the parameter at `path`: W + (alpha / rank) * B A, A (rank, in*k*k) Kaiming uniform, B (out, rank)
 * zero; named path.lora_A, path.lora_B (Hu et al., LoRA, eq. 3). Takes effect for graphs built afterwards. */
FV_API fv_status fv_session_adapt(fv_session *s, const char *path, int rank, double alpha) FV_CHECKED;

/* ---- functions ---- */

typedef struct fv_input_spec { const char *name; fv_dtype dtype; int rank; int64_t dims[FV_MAX_RANK]; } fv_input_spec;
typedef struct fv_function_options {
    bool training;            /* batch statistics, dropout on */
    bool in_flight;           /* segments run apart, several micro-batches in flight: what crosses a cut has a block per slot */
    int cache;                /* plans kept (least recently used goes first); 0 = 8 */
} fv_function_options;
/* Builds the graph for one key: `in[i]` are the inputs of the specs. Declare outputs with fv_result; return fv_graph_status. */
typedef fv_status fv_build_fn(fv_graph *g, fv_value *const *in, int n_in, void *user);
/* The next result of the function. The name is copied. */
FV_API void fv_result(fv_graph *g, const char *name, fv_value *v);

/* Nothing is built yet. Name and specs (at most 32; options NULL: for inference) are copied, `user` is borrowed. */
FV_API fv_status fv_function_create(fv_session *s, const char *name, const fv_input_spec *inputs, int n_inputs,
                                    fv_build_fn *build, void *user, const fv_function_options *options, fv_function **out) FV_CHECKED;
FV_API void fv_function_destroy(fv_function *f);                       /* NULL is allowed */
/* Runs it. The key is: batch size, other dimensions of the inputs, mode, trainable set, session types; a new key builds
 * and compiles (once). `out` receives the declared results in order (n_out may be fewer), in their own type and shape; data NULL
 * is skipped. What does not fit the specs is a SHAPE error that names function, input and both shapes. */
FV_API fv_status fv_function_call(fv_function *f, const fv_tensor *in, int n_in, const fv_tensor *out, int n_out) FV_CHECKED;
/* Names, types and shapes of the results that a call with these inputs has; builds and compiles where needed. At most `capacity`
 * are written; *n: how many there are. Names live as long as the function. */
typedef struct fv_result_info { const char *name; fv_tensor type; } fv_result_info;
FV_API fv_status fv_function_results(fv_function *f, const fv_tensor *in_shapes, int n_in, fv_result_info *out, int capacity, int *n) FV_CHECKED;
/* Compiles without running; *foretold_bytes (may be NULL): what the session will then hold (fv_session_memory). */
FV_API fv_status fv_function_compile(fv_function *f, const fv_tensor *in_shapes, int n_in, int64_t *foretold_bytes) FV_CHECKED;
FV_API int fv_function_segments(fv_function *f);                      /* of the plan compiled last; 0 before */
/* Micro-batch `slot` (0 to 7), one segment of it, of a function with `in_flight`. Inputs are given with segment 0 and must stay
 * valid to the last one; the shapes are needed with each. */
FV_API fv_status fv_function_run_segment(fv_function *f, int slot, int segment, const fv_tensor *in, int n_in, const fv_tensor *out, int n_out) FV_CHECKED;
/* Runs the same call again op by op and names the first op whose output is not finite ("layer2.0.conv1 (conv2d), forward").
 * Writes to variables are not carried out. NULL when all is finite. Borrowed until the next call. */
FV_API const char *fv_function_find_nonfinite(fv_function *f, const fv_tensor *in, int n_in);

/* Times the plan call by call: `repeats` runs, mean seconds each. FLOPs by the ops' own formulas (multiply and add are two), bytes
 * read and written. Rows are borrowed during the call. The runs are real: variables are written. */
typedef struct fv_profile_row { const char *op, *path, *kernel; bool backward; double seconds, flops, bytes; } fv_profile_row;
typedef void fv_profile_fn(void *user, const fv_profile_row *row);
FV_API fv_status fv_function_profile(fv_function *f, const fv_tensor *in, int n_in, int repeats, fv_profile_fn *fn, void *user) FV_CHECKED;
/* The plan for these inputs as text (calls, kernels, layouts, addresses). Owned by the caller: fv_text_free. */
FV_API fv_status fv_function_plan_text(fv_function *f, const fv_tensor *in, int n_in, char **out) FV_CHECKED;
FV_API void fv_text_free(char *text);
/* Sum of the ops' FLOPs in one run. */
FV_API fv_status fv_function_flops(fv_function *f, const fv_tensor *in, int n_in, double *flops) FV_CHECKED;
/* Bytes that the session holds now: variables, derived copies, scratch, saved blocks. */
FV_API int64_t fv_session_memory(const fv_session *s);
/* Every layer of the graph for these inputs, in order: op, path, output shape, parameters read. For `fovea summary`. */
typedef struct fv_layer_row { const char *op, *path; fv_tensor output; int64_t parameters; double flops; } fv_layer_row;
typedef void fv_layer_fn(void *user, const fv_layer_row *row);
FV_API fv_status fv_function_layers(fv_function *f, const fv_tensor *in, int n_in, fv_layer_fn *fn, void *user) FV_CHECKED;

#ifdef __cplusplus
}
#endif
#endif
