/* SPDX-License-Identifier: Apache-2.0 */
/* Variables: the only state. A store owns them and their memory. A variable gets memory when it is first needed by a
 * plan ("materialised"); values set before are kept plain until then. Its home layout is chosen once. */
#ifndef FVI_VAR_H
#define FVI_VAR_H

#include "fovea/session.h"
#include "ir/layout.h"

/* Variables below this name belong to a step in progress; they are never saved. */
#define FVI_STEP_PREFIX "_step."

typedef struct fv_var fvi_var;

struct fv_var {
    const char *name;
    fv_role role;
    fv_param_kind kind;
    fvi_type type;                     /* bound */
    fv_init init;
    fvi_var *base;                     /* of a companion: same type, home layout and segment order */
    const char *companion;             /* its short name: "grad", "exp_avg" */
    int index;                         /* in the store */
    bool trainable;
    bool home_fixed;
    fvi_layout home;
    size_t bytes;                      /* in the home layout */
    void *data;                        /* NULL until materialised; inside a block of the store */
    void *pending;                     /* plain value set before materialisation; owned */
    size_t block_offset;               /* used while a block is laid out */
    uint64_t version;                  /* store clock of the last write */
    fvi_var *lora_a, *lora_b;          /* adapter of this parameter, or NULL */
    double lora_scale;
    int note;                          /* scratch field of passes */
};

typedef struct fvi_block { void *data; size_t bytes; } fvi_block;
typedef struct fvi_store {
    fv_context *ctx;
    fvi_arena arena;
    struct { fvi_var **items; int count, capacity; } vars;
    struct { fvi_block *items; int count, capacity; } blocks;
    struct { int *items; int count, capacity; } table;               /* open-addressing name index */
    uint64_t clock;                    /* raised by every write */
    uint64_t seed;
    fv_dtype dtype;
} fvi_store;

fv_status fvi_store_create(fv_context *ctx, fv_dtype dtype, uint64_t seed, fvi_store **out) FV_CHECKED;
void fvi_store_destroy(fvi_store *s);
fvi_var *fvi_store_find(fvi_store *s, const char *name);
/* Finds or adds. An existing variable must agree in type and role (SHAPE error with both shapes). */
fv_status fvi_store_get(fvi_store *s, const char *name, fv_role role, const fvi_type *type, fv_init init, fvi_var **out) FV_CHECKED;
/* Memory for every variable of the list that has none: one block per role (contiguous in order, 64-byte aligned), filled
 * with its pending value or its initial value (a function of seed and name only). */
fv_status fvi_store_materialise(fvi_store *s, fvi_var *const *vars, int n) FV_CHECKED;
uint64_t fvi_store_trainable_hash(const fvi_store *s);
uint64_t fvi_store_gradient_hash(const fvi_store *s, const char *prefix);     /* which parameters at or below that path have one */
/* Is the name the path `prefix`, or below it ("gen" takes gen and gen.x, not gen2)? NULL and "": every name. */
bool fvi_path_below(const char *name, const char *prefix);
void fvi_var_touched(fvi_store *s, fvi_var *v);                       /* written: raises clock and version */

#endif
