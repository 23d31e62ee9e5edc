/* SPDX-License-Identifier: Apache-2.0 */
/* The store of variables: names, memory blocks, initial values. */
#include "ir/var.h"

#include "base/rng.h"

#include <math.h>
#include <stdlib.h>

fv_status fvi_store_create(fv_context *ctx, fv_dtype dtype, uint64_t seed, fvi_store **out)
{
    fvi_store *s = fvi_calloc(1, sizeof *s);
    if (!s) return fvi_nomem(ctx);
    s->ctx = ctx;
    s->dtype = dtype;
    s->seed = seed;
    s->clock = 1;
    *out = s;
    return FV_OK;
}

void fvi_store_destroy(fvi_store *s)
{
    if (!s) return;
    for (int i = 0; i < s->vars.count; i++) fvi_free(s->vars.items[i]->pending);
    for (int i = 0; i < s->blocks.count; i++) fvi_free_aligned(s->blocks.items[i].data, s->blocks.items[i].bytes);
    fvi_free(s->vars.items);
    fvi_free(s->blocks.items);
    fvi_free(s->table.items);
    fvi_arena_free(&s->arena);
    fvi_free(s);
}

/* Open addressing over table.items (power of two, -1 = empty). */
static int *slot_of(const fvi_store *s, const char *name)
{
    const int mask = s->table.capacity - 1;
    int at = (int)(fvi_hash_text(name) & (uint64_t)mask);
    while (s->table.items[at] >= 0 && strcmp(s->vars.items[s->table.items[at]]->name, name)) at = (at + 1) & mask;
    return &s->table.items[at];
}

fvi_var *fvi_store_find(fvi_store *s, const char *name)
{
    if (!s->table.capacity) return NULL;
    const int index = *slot_of(s, name);
    return index < 0 ? NULL : s->vars.items[index];
}

static bool table_grow(fvi_store *s)
{
    if (s->table.count * 2 < s->table.capacity) return true;
    const int capacity = s->table.capacity ? s->table.capacity * 2 : 256;
    int *items = fvi_malloc((size_t)capacity * sizeof *items);
    if (!items) return false;
    for (int i = 0; i < capacity; i++) items[i] = -1;
    fvi_free(s->table.items);
    s->table.items = items;
    s->table.capacity = capacity;
    for (int i = 0; i < s->vars.count; i++) *slot_of(s, s->vars.items[i]->name) = i;
    return true;
}

fv_status fvi_store_get(fvi_store *s, const char *name, fv_role role, const fvi_type *type, fv_init init, fvi_var **out)
{
    fvi_var *v = fvi_store_find(s, name);
    if (v) {
        char a[FVI_TYPE_TEXT], b[FVI_TYPE_TEXT];
        if (v->role != role || !fvi_type_equal(&v->type, type))
            return fvi_fail(s->ctx, FV_ERROR_SHAPE, "%s: exists as %s, wanted as %s%s", name, fvi_type_text(&v->type, a),
                            fvi_type_text(type, b), v->role != role ? " in another role" : "");
        *out = v;
        return FV_OK;
    }
    if (fvi_type_numel(type) < 0) return fvi_fail(s->ctx, FV_ERROR_SHAPE, "%s: a variable needs constant dimensions", name);
    if (!table_grow(s) || !(v = fvi_arena_alloc(&s->arena, sizeof *v)) || !(v->name = fvi_arena_strdup(&s->arena, name)))
        return fvi_nomem(s->ctx);
    v->role = role;
    v->type = *type;
    v->init = init;
    v->index = s->vars.count;
    v->trainable = role == FV_PARAMETER;
    if (!FVI_PUSH(&s->vars, v)) return fvi_nomem(s->ctx);
    *slot_of(s, v->name) = v->index;
    s->table.count++;
    *out = v;
    return FV_OK;
}

/* ---- initial values: a function of (seed, name, element), so order and threads do not matter ---- */

/* Four values at a time: elements 4 block .. 4 block + 3 from one Philox block (Box-Muller on both pairs). */
static void draw(const fv_init *init, uint64_t seed, uint64_t stream, int64_t block, double x[4])
{
    uint32_t w[4];
    double u[4];
    fvi_rng_block(seed, stream, (uint64_t)block, w);
    for (int i = 0; i < 4; i++) u[i] = ((double)w[i] + 0.5) / 4294967296.0;
    if (init->kind == FV_INIT_UNIFORM) {
        for (int i = 0; i < 4; i++) x[i] = init->a + (init->b - init->a) * u[i];
        return;
    }
    for (int i = 0; i < 4; i += 2) {
        const double r = sqrt(-2 * log(u[i])), angle = 6.283185307179586477 * u[i + 1];
        x[i] = r * cos(angle);
        x[i + 1] = r * sin(angle);
    }
    for (int i = 0; i < 4; i++) x[i] = init->a + init->b * x[i];
}

/* Truncated at +-2 (absolute): what falls outside is drawn again from streams of its own. */
static double redraw(const fv_init *init, uint64_t seed, uint64_t stream, int64_t i, double x)
{
    for (uint64_t attempt = 1; fabs(x) > 2 && attempt < 1000; attempt++) {
        double again[4];
        draw(init, seed, fvi_rng_stream(stream, attempt, 0), i >> 2, again);
        x = again[i & 3];
    }
    return x;
}

static void initialise(const fvi_store *s, const fvi_var *v, void *plain)
{
    const int64_t n = fvi_type_numel(&v->type);
    const fv_init *init = &v->init;
    if (init->kind == FV_INIT_ZEROS || (init->kind == FV_INIT_CONSTANT && init->a == 0)) return;    /* blocks start zeroed */
    const uint64_t stream = fvi_hash_text(v->role == FV_EMA && v->base ? v->base->name : v->name);
#pragma omp parallel for if (n > 65536)
    for (int64_t block = 0; block < (n + 3) / 4; block++) {
        double x[4] = {init->a, init->a, init->a, init->a};
        if (init->kind != FV_INIT_CONSTANT) draw(init, s->seed, stream, block, x);
        for (int64_t i = 4 * block; i < FVI_MIN(n, 4 * block + 4); i++) {
            const double value = init->kind == FV_INIT_TRUNC_NORMAL ? redraw(init, s->seed, stream, i, x[i & 3]) : x[i & 3];
            if (v->type.dtype == FV_F32) ((float *)plain)[i] = (float)value;
            else if (v->type.dtype == FV_F64) ((double *)plain)[i] = value;
            else if (v->type.dtype == FV_I64) ((int64_t *)plain)[i] = (int64_t)value;
        }
    }
}

static fv_status fill(fvi_store *s, fvi_var *v)
{
    if (v->pending || v->home != FVI_PLAIN) {
        void *plain = v->pending ? v->pending : fvi_malloc_aligned(fvi_type_bytes(&v->type));
        if (!plain) return fvi_nomem(s->ctx);
        if (!v->pending) initialise(s, v, plain);
        const bool ok = fvi_layout_convert(&v->type, plain, FVI_PLAIN, v->data, v->home);
        if (v->pending) fvi_free(plain);
        else fvi_free_aligned(plain, fvi_type_bytes(&v->type));
        v->pending = NULL;
        return ok ? FV_OK : fvi_nomem(s->ctx);
    }
    initialise(s, v, v->data);
    return FV_OK;
}

static bool same_group(const fvi_var *a, const fvi_var *b)
{
    if (a->role != b->role || !a->companion != !b->companion) return false;
    return !a->companion || !strcmp(a->companion, b->companion);
}

/* All variables of the list of the same role and companion name stand in one block, in order. */
static fv_status materialise_group(fvi_store *s, fvi_var *const *vars, int n, int first)
{
    const fvi_var *like = vars[first];
    size_t bytes = 0;
    for (int i = first; i < n; i++) {
        fvi_var *v = vars[i];
        if (v->data || !same_group(v, like)) continue;
        if (v->base && fvi_type_same_shape(&v->type, &v->base->type)) v->home = v->base->home;
        v->home_fixed = true;
        v->bytes = fvi_layout_bytes(v->home, &v->type);
        v->block_offset = bytes;
        bytes += FVI_ALIGN_UP(FVI_MAX(v->bytes, 1), FVI_ALIGNMENT);
    }
    const fvi_block block = {fvi_malloc_aligned(bytes), bytes};
    if (!block.data) return fvi_nomem(s->ctx);
    if (!FVI_PUSH(&s->blocks, block)) {
        fvi_free_aligned(block.data, bytes);
        return fvi_nomem(s->ctx);
    }
    for (int i = first; i < n; i++) {
        fvi_var *v = vars[i];
        if (v->data || !same_group(v, like)) continue;
        v->data = (char *)block.data + v->block_offset;
        const fv_status status = fill(s, v);
        if (status != FV_OK) {
            v->data = NULL;
            return status;
        }
        fvi_var_touched(s, v);
    }
    return FV_OK;
}

fv_status fvi_store_materialise(fvi_store *s, fvi_var *const *vars, int n)
{
    for (int i = 0; i < n; i++)
        if (!vars[i]->data) FVI_TRY(s->ctx, materialise_group(s, vars, n, i));
    return FV_OK;
}

bool fvi_path_below(const char *name, const char *prefix)
{
    const size_t n = prefix ? strlen(prefix) : 0;
    return n == 0 || (!strncmp(name, prefix, n) && (name[n] == '.' || name[n] == 0));
}

uint64_t fvi_store_trainable_hash(const fvi_store *s)
{
    uint64_t h = 14695981039346656037u;
    for (int i = 0; i < s->vars.count; i++)
        if (s->vars.items[i]->role == FV_PARAMETER && !s->vars.items[i]->trainable) h = (h ^ (uint64_t)(i + 1)) * 1099511628211u;
    return h;
}

uint64_t fvi_store_gradient_hash(const fvi_store *s, const char *prefix)
{
    uint64_t h = 14695981039346656037u;
    for (int i = 0; i < s->vars.count; i++)
        if (s->vars.items[i]->role == FV_GRADIENT && s->vars.items[i]->base && fvi_path_below(s->vars.items[i]->base->name, prefix)) h = (h ^ (uint64_t)(i + 1)) * 1099511628211u;
    return h;
}

void fvi_var_touched(fvi_store *s, fvi_var *v)
{
    v->version = ++s->clock;
}
