/* SPDX-License-Identifier: Apache-2.0 */
/* Graph structure. Nodes stand in program order, which is a topological order. */
#ifndef FVI_GRAPH_H
#define FVI_GRAPH_H

#include "ir/layout.h"
#include "ir/op.h"
#include "ir/var.h"

struct fv_value {
    fvi_node *node;
    int index;                         /* which output */
    int id;                            /* unique in the graph */
    fvi_type type;
    fvi_layout layout;                 /* decided by the layout pass; PLAIN before */
    fv_value *forward;                 /* set when a pass replaced this value; builders follow it */
};

struct fvi_node {
    const fvi_op *op;
    const void *attr;                  /* of op->attr_size bytes, in the graph's arena */
    int n_in, n_out;
    fv_value **in;
    fv_value *out;                     /* array of n_out */
    const char *path;                  /* layer path */
    const fvi_node *origin;            /* forward node that this node is (part of) the gradient of, or NULL */
    fvi_var *var;                      /* var_read, var_write */
    int id, segment;
    int slot;                          /* input: its number */
    bool dead;
    bool hoisted;                      /* depends on variables only: computed once per change of them, not per call */
    const struct fvi_kernel *kernel;   /* chosen by the layout pass */
    const char *kernel_name;           /* of `kernel`, for dumps */
    void *note;                        /* scratch field of passes */
};

/* Functions by name over the op table; the table itself is built in src/compile/registry.c. */
typedef struct fvi_op_table { const fvi_op *(*find)(const char *name); } fvi_op_table;

typedef struct fvi_result { const char *name; fv_value *value; } fvi_result;
typedef struct fvi_mark { const char *path; fv_value *value; } fvi_mark;

struct fv_graph {
    fv_context *ctx;
    fvi_arena arena;
    const fvi_op_table *table;
    fvi_store *store;                  /* variables; borrowed from the session */
    fv_status status;                  /* sticky */
    fv_dtype dtype;
    bool amp, training;
    struct { fvi_node **items; int count, capacity; } nodes;
    struct { fvi_result *items; int count, capacity; } results;
    struct { fvi_mark *items; int count, capacity; } marks;
    struct { fv_value **items; int count, capacity; } inputs;       /* outputs of `input` nodes */
    struct { fv_value **items; int count, capacity; } current;      /* by var->index: current value or NULL */
    struct { fv_value **items; int count, capacity; } casts;        /* by value id: its cast to bf16/f32 under amp */
    struct { char *items; int count, capacity; } path;              /* NUL-terminated prefix "layer1.0" */
    struct { int *items; int count, capacity; } path_stack;         /* path.count before each push */
    int segment, next_value;
    const fvi_node *origin;            /* set while gradients are emitted */
    struct { fv_mode *items; int count, capacity; } modes;          /* fv_push_mode */
    struct { const char **items; int count, capacity; } gradients_below;     /* paths of updates: which gradients are there is part of their key */
    bool hold_amp;                     /* passes build without the mixed-precision rule */
    int64_t batch;                     /* bound N of a compiled copy; 0 = symbolic */
    void *user;                        /* the function's owner (session) */
};

fv_status fvi_graph_create(fv_context *ctx, const fvi_op_table *table, fvi_store *store, fv_dtype dtype, fv_graph **out) FV_CHECKED;
void fvi_graph_destroy(fv_graph *g);
/* The general builder: checks arity and attributes, infers types, applies the mixed-precision rule, appends the node. */
fvi_node *fvi_node_add(fv_graph *g, const fvi_op *op, const void *attr, int n_in, fv_value *const *in);
fv_value *fvi_input(fv_graph *g, const char *name, const fvi_type *type);
/* Another name for input `index`, for those who read the graph. */
FV_CHECKED fv_status fvi_graph_name_input(fv_graph *g, int index, const char *name);
const char *fvi_graph_path(fv_graph *g, const char *name);          /* current prefix + "." + name, in the arena */
/* Users of values: fills `uses[value id]` with the number of reading nodes (results count one). Array of next_value ints, caller frees. */
int *fvi_graph_uses(const fv_graph *g);
/* Replaces every use of `from` by `to` (results and marks too). */
void fvi_graph_replace(fv_graph *g, fv_value *from, fv_value *to);
/* Removes dead nodes: everything that no result and no effect needs. */
fv_status fvi_graph_sweep(fv_graph *g) FV_CHECKED;
/* Nodes whose order was disturbed by a pass are put back in topological order (stable, by segment). */
fv_status fvi_graph_sort(fv_graph *g) FV_CHECKED;
/* A copy with N bound to `batch`, in its own arena: what passes work on. */
fv_status fvi_graph_bind(const fv_graph *g, int64_t batch, fv_graph **out) FV_CHECKED;
char *fvi_graph_dump(const fv_graph *g);                             /* text, owned by the caller */
/* Ops the engine itself needs: input, var_read, var_write, constant are in src/ir/source.c. */
bool fvi_node_is(const fvi_node *n, const char *op);
/* Follows replacements. */
static inline fv_value *fvi_value_now(fv_value *v)
{
    while (v && v->forward) v = v->forward;
    return v;
}
/* Rebuilds the node list: each node for which `expand` says yes is replaced by its expansion in place. */
fv_status fvi_graph_expand(fv_graph *g, bool (*expand)(const fvi_node *n, void *user), void *user) FV_CHECKED;
/* The gradients of trainable parameters at or below `prefix` (NULL: all) that the session has, in order of creation; returns how
 * many there are. The graph is built anew when the session has others. */
int fvi_graph_gradients(fv_graph *g, const char *prefix, fv_var **out, int capacity);
/* The i64 (3) variable {seed, step, first sample} that dropout draws from. */
fv_value *fvi_random_state(fv_graph *g);

#endif
