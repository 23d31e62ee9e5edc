/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions: options, variables from outside, freezing, adapters. */
#include "compile/session.h"
#include "compile/registry.h"

#include "cpu/cpu.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const char *option(const char *env, const char *given)
{
    const char *e = getenv(env);
    return e && *e ? e : given;
}

static fv_status set_up(fv_session *s, const fv_session_options *o)
{
    fv_context *ctx = s->ctx;
    FVI_TRY(ctx, fvi_store_create(ctx, o->dtype, o->seed, &s->store));
    fvi_isa isa;
    FVI_TRY(ctx, fvi_cpu_choose_isa(ctx, option("FOVEA_ISA", o->isa), &isa));
    FVI_TRY(ctx, fvi_passes_parse(ctx, option("FOVEA_PASSES", o->passes), &s->compiler.passes));
    if (o->kernel_table) FVI_TRY(ctx, fvi_table_load(ctx, o->kernel_table, &s->table));
    s->compiler.env = (fvi_env){.ctx = ctx, .threads = fv_context_threads(ctx), .isa = isa, .layouts = s->compiler.passes.layout,
                                .conv_layout = isa >= FVI_ISA_AVX512 ? FVI_NCHW16C : isa == FVI_ISA_AVX2 ? FVI_NCHW8C : FVI_PLAIN,
                                .table = s->table.choices ? &s->table.face : NULL};
    s->compiler.derived = &s->derived;
    const char *poison = getenv("FOVEA_INJECT_NAN");
    if (poison && *poison && !(s->poison = fvi_strdup(poison))) return fvi_nomem(ctx);
    s->compiler.poison = s->poison;
    return FV_OK;
}

fv_status fv_session_create(fv_context *ctx, const fv_session_options *options, fv_session **out)
{
    static const fv_session_options none = {0};
    const fv_session_options *o = options ? options : &none;
    if (o->dtype != FV_F32 && o->dtype != FV_F64) return fvi_fail(ctx, FV_ERROR_INVALID, "a session computes in f32 or f64, not %s", fv_dtype_name(o->dtype));
    fv_session *s = fvi_calloc(1, sizeof *s);
    if (!s) return fvi_nomem(ctx);
    s->ctx = ctx;
    s->amp = o->amp && o->dtype == FV_F32;
    const fv_status status = set_up(s, o);
    if (status == FV_OK) *out = s;
    else fv_session_destroy(s);
    return status;
}

void fv_session_destroy(fv_session *s)
{
    if (!s) return;
    fvi_store_destroy(s->store);
    fvi_derived_store_free(&s->derived);
    fvi_table_free(&s->table);
    fvi_free_aligned(s->scratch.data, s->scratch.bytes);
    fvi_free(s->poison);
    fvi_free(s);
}

fv_context *fv_session_context(fv_session *s) { return s->ctx; }

fv_status fvi_session_scratch(fv_session *s, size_t bytes)
{
    if (bytes <= s->scratch.bytes) return FV_OK;
    fvi_free_aligned(s->scratch.data, s->scratch.bytes);
    s->scratch = (fvi_block){0};
    void *data = fvi_malloc_aligned(bytes);
    if (!data) return fvi_fail(s->ctx, FV_ERROR_NOMEM, "out of memory: the plan needs %.1f MB of scratch; use a smaller batch or picture", (double)bytes / 1e6);
    s->scratch = (fvi_block){data, bytes};
    return FV_OK;
}

int64_t fvi_session_bytes(const fv_session *s)
{
    int64_t n = (int64_t)s->scratch.bytes + s->saved_bytes;
    for (int i = 0; i < s->store->blocks.count; i++) n += (int64_t)s->store->blocks.items[i].bytes;
    for (int i = 0; i < s->derived.list.count; i++) n += (int64_t)s->derived.list.items[i]->bytes;
    return n;
}

void fvi_session_set_comm(fv_session *s, fvi_comm *comm) { s->comm = comm; }

/* ---- variables ---- */

int fv_session_var_count(const fv_session *s) { return s->store->vars.count; }
fv_var *fv_session_var(fv_session *s, int index) { return index >= 0 && index < s->store->vars.count ? s->store->vars.items[index] : NULL; }
fv_var *fv_session_find(fv_session *s, const char *name) { return fvi_store_find(s->store, name); }
const char *fv_var_name(const fv_var *v) { return v->name; }
fv_role fv_var_role(const fv_var *v) { return v->role; }
fv_param_kind fv_var_param_kind(const fv_var *v) { return v->kind; }
bool fv_var_trainable(const fv_var *v) { return v->trainable; }
fv_var *fv_var_base(const fv_var *v) { return v->base; }
int64_t fv_var_numel(const fv_var *v) { return fvi_type_numel(&v->type); }

void fv_var_shape(const fv_var *v, fv_tensor *out)
{
    *out = (fv_tensor){.dtype = v->type.dtype, .rank = v->type.rank};
    for (int i = 0; i < v->type.rank; i++) out->dims[i] = v->type.dim[i];
}

static fv_status check_shape(fv_session *s, const fvi_var *v, const fv_tensor *t, const char *verb)
{
    const fvi_type type = fvi_type_make(t->dtype, t->rank, t->dims);
    char a[FVI_TYPE_TEXT], b[FVI_TYPE_TEXT];
    const bool kinds = fv_dtype_is_float(t->dtype) == fv_dtype_is_float(v->type.dtype);
    if (!fvi_type_same_shape(&type, &v->type) || !kinds)
        return fvi_fail(s->ctx, FV_ERROR_SHAPE, "%s: is %s, cannot be %s %s", v->name, fvi_type_text(&v->type, a), verb, fvi_type_text(&type, b));
    return FV_OK;
}

static double get_number(const void *p, fv_dtype d, int64_t i)
{
    uint32_t u;
    float f;
    switch (d) {
    case FV_F32: return ((const float *)p)[i];
    case FV_F64: return ((const double *)p)[i];
    case FV_BF16: u = (uint32_t)((const uint16_t *)p)[i] << 16; memcpy(&f, &u, 4); return f;
    case FV_I64: return (double)((const int64_t *)p)[i];
    case FV_I32: return ((const int32_t *)p)[i];
    case FV_U8: case FV_BOOL: return ((const uint8_t *)p)[i];
    case FV_F16: case FV_DTYPE_COUNT: default: return 0;
    }
}

static void put_number(void *p, fv_dtype d, int64_t i, double x)
{
    uint32_t u;
    float f = (float)x;
    switch (d) {
    case FV_F32: ((float *)p)[i] = f; break;
    case FV_F64: ((double *)p)[i] = x; break;
    case FV_BF16: memcpy(&u, &f, 4); ((uint16_t *)p)[i] = isnan(f) ? 0x7fc0 : (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16); break;
    case FV_I64: ((int64_t *)p)[i] = (int64_t)x; break;
    case FV_I32: ((int32_t *)p)[i] = (int32_t)x; break;
    case FV_U8: case FV_BOOL: ((uint8_t *)p)[i] = (uint8_t)x; break;
    case FV_F16: case FV_DTYPE_COUNT: default: break;
    }
}

static void convert(const void *src, fv_dtype from, void *dst, fv_dtype to, int64_t n)
{
    if (from == to) memcpy(dst, src, (size_t)n * fv_dtype_size(to));
    else
        for (int64_t i = 0; i < n; i++) put_number(dst, to, i, get_number(src, from, i));
}

fv_status fv_var_get(fv_session *s, const fv_var *v, const fv_tensor *out)
{
    FVI_TRY(s->ctx, check_shape(s, v, out, "read as"));
    if (!v->data && !v->pending) {                      /* not needed by any plan yet: its initial value */
        fvi_var *list[1] = {s->store->vars.items[v->index]};
        if (v->base && !v->base->data) FVI_TRY(s->ctx, fvi_store_materialise(s->store, &s->store->vars.items[v->base->index], 1));
        FVI_TRY(s->ctx, fvi_store_materialise(s->store, list, 1));
    }
    const int64_t n = fvi_type_numel(&v->type);
    const void *plain = v->data ? v->data : v->pending;
    void *temporary = NULL;
    if (v->data && v->home != FVI_PLAIN) {
        if (!(temporary = fvi_malloc(fvi_type_bytes(&v->type)))) return fvi_nomem(s->ctx);
        if (!fvi_layout_convert(&v->type, v->data, v->home, temporary, FVI_PLAIN)) {
            fvi_free(temporary);
            return fvi_nomem(s->ctx);
        }
        plain = temporary;
    }
    convert(plain, v->type.dtype, out->data, out->dtype, n);
    fvi_free(temporary);
    return FV_OK;
}

fv_status fv_var_set(fv_session *s, fv_var *v, const fv_tensor *in)
{
    FVI_TRY(s->ctx, check_shape(s, v, in, "set to"));
    const int64_t n = fvi_type_numel(&v->type);
    void *plain = v->data && v->home == FVI_PLAIN ? v->data : v->pending;
    const bool own = !plain;
    if (own && !(plain = fvi_malloc(fvi_type_bytes(&v->type)))) return fvi_nomem(s->ctx);
    convert(in->data, in->dtype, plain, v->type.dtype, n);
    if (!v->data) v->pending = plain;
    else if (v->home != FVI_PLAIN) {
        const bool ok = fvi_layout_convert(&v->type, plain, FVI_PLAIN, v->data, v->home);
        fvi_free(plain);
        if (!ok) return fvi_nomem(s->ctx);
    }
    fvi_var_touched(s->store, v);
    return FV_OK;
}

fv_status fv_var_set_number(fv_session *s, fv_var *v, double value)
{
    if (v->type.rank == 0 && v->data) {
        put_number(v->data, v->type.dtype, 0, value);
        fvi_var_touched(s->store, v);
        return FV_OK;
    }
    if (v->type.rank) return fvi_fail(s->ctx, FV_ERROR_SHAPE, "%s is not a scalar", v->name);
    fv_tensor t = {FV_F64, 0, {0}, &value};
    if (!fv_dtype_is_float(v->type.dtype)) return fvi_fail(s->ctx, FV_ERROR_INVALID, "%s is not a floating scalar", v->name);
    return fv_var_set(s, v, &t);
}

fv_status fv_session_set_scalar(fv_session *s, const char *name, double value)
{
    fvi_var *v;
    const fvi_type type = fvi_type_make(s->store->dtype, 0, NULL);
    FVI_TRY(s->ctx, fvi_store_get(s->store, name, FV_SCALAR, &type, (fv_init){FV_INIT_CONSTANT, value, 0}, &v));
    return fv_var_set_number(s, v, value);
}

fv_status fv_session_set_random(fv_session *s, uint64_t seed, int64_t step, int64_t first_sample)
{
    fvi_var *v;
    const int64_t three = 3;
    const fvi_type type = fvi_type_make(FV_I64, 1, &three);
    FVI_TRY(s->ctx, fvi_store_get(s->store, "random.state", FV_RANDOM, &type, (fv_init){FV_INIT_ZEROS, 0, 0}, &v));
    int64_t state[3] = {(int64_t)seed, step, first_sample};
    const fv_tensor t = {FV_I64, 1, {3}, state};
    return fv_var_set(s, v, &t);
}

int fv_session_set_trainable(fv_session *s, const char *pattern, bool trainable)
{
    int changed = 0;
    for (int i = 0; i < s->store->vars.count; i++) {
        fvi_var *v = s->store->vars.items[i];
        if (v->role != FV_PARAMETER || v->trainable == trainable || !fvi_glob(pattern, v->name)) continue;
        v->trainable = trainable;
        changed++;
    }
    return changed;
}

fv_status fv_session_adapt(fv_session *s, const char *path, int rank, double alpha)
{
    fvi_var *v = fvi_store_find(s->store, path);
    if (!v || v->role != FV_PARAMETER) return fvi_fail(s->ctx, FV_ERROR_INVALID, "no parameter '%s' to adapt (build the model first)", path);
    if (v->type.rank < 2 || rank < 1 || v->type.dim[0] == 0) return fvi_fail(s->ctx, FV_ERROR_INVALID, "%s: an adapter needs a weight of rank 2 or more and rank >= 1", path);
    if (v->lora_a) return fvi_fail(s->ctx, FV_ERROR_INVALID, "%s has an adapter already", path);
    const int64_t out = v->type.dim[0], in = fvi_type_numel(&v->type) / out;
    const fvi_type a = fvi_type_make(v->type.dtype, 2, (const int64_t[]){rank, in}), b = fvi_type_make(v->type.dtype, 2, (const int64_t[]){out, rank});
    const char *name_a = fvi_arena_format(&s->store->arena, "%s.lora_A", path);
    const char *name_b = fvi_arena_format(&s->store->arena, "%s.lora_B", path);
    fvi_var *va, *vb;
    if (!name_a || !name_b) return fvi_nomem(s->ctx);
    /* A as kaiming_uniform(a = sqrt 5) */
    FVI_TRY(s->ctx, fvi_store_get(s->store, name_a, FV_PARAMETER, &a, fv_init_linear(in), &va));
    FVI_TRY(s->ctx, fvi_store_get(s->store, name_b, FV_PARAMETER, &b, (fv_init){FV_INIT_ZEROS, 0, 0}, &vb));
    v->lora_a = va;
    v->lora_b = vb;
    v->lora_scale = alpha / rank;
    s->adapters++;
    return FV_OK;
}
