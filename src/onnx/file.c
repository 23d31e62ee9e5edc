/* SPDX-License-Identifier: Apache-2.0 */
/* The ONNX messages. Nodes are small and built in memory; the initializers' values go from the variables to the file one
 * after the other, so a model needs no second copy. */
#include "onnx/file.h"
#include "base/file.h"

#include <limits.h>
#include <stdio.h>

void onnx_file_free(onnx_file *f)
{
    fvi_pb_free(&f->nodes);
    fvi_pb_free(&f->io);
    fvi_free(f->tensors.items);
    fvi_free(f->names.items);
    fvi_arena_free(&f->arena);
}

void onnx_fail(onnx_file *f, fv_status status, const char *fmt, ...)
{
    char text[512];
    va_list args;
    if (f->status != FV_OK) return;
    va_start(args, fmt);
    fvi_vprint(text, sizeof text, fmt, args);
    va_end(args);
    f->status = fvi_fail(f->ctx, status, "%s", text);
}

static const char *no_memory(onnx_file *f)
{
    if (f->status == FV_OK) f->status = fvi_nomem(f->ctx);
    return "";
}

/* ---- names ---- */

static const char **slot(const onnx_file *f, const char *name)
{
    const uint64_t mask = (uint64_t)f->names.capacity - 1;
    uint64_t i = fvi_hash_text(name) & mask;
    while (f->names.items[i] && strcmp(f->names.items[i], name)) i = (i + 1) & mask;
    return &f->names.items[i];
}

static bool grow_names(onnx_file *f)
{
    const int capacity = f->names.capacity ? 2 * f->names.capacity : 256, before = f->names.capacity;
    const char **old = f->names.items, **items = fvi_calloc((size_t)capacity, sizeof *items);
    if (!items) return false;
    f->names.items = items;
    f->names.capacity = capacity;
    for (int i = 0; i < before; i++)
        if (old[i]) *slot(f, old[i]) = old[i];
    fvi_free(old);
    return true;
}

const char *onnx_unique(onnx_file *f, const char *wanted)
{
    if (f->status != FV_OK) return "";
    if (2 * (f->names.count + 1) > f->names.capacity && !grow_names(f)) return no_memory(f);
    const char *name = fvi_arena_strdup(&f->arena, wanted);
    for (int i = 1; name && *slot(f, name); i++) name = fvi_arena_format(&f->arena, "%s_%d", wanted, i);
    if (!name) return no_memory(f);
    *slot(f, name) = name;
    f->names.count++;
    return name;
}

/* ---- nodes ---- */

static void put_attribute(fvi_pb *p, const fvi_onnx_attr *a)
{
    static const int kinds[] = {[FVI_ONNX_IS_INT] = ATTRIBUTE_KIND_INT, [FVI_ONNX_IS_FLOAT] = ATTRIBUTE_KIND_FLOAT,
                                [FVI_ONNX_IS_INTS] = ATTRIBUTE_KIND_INTS, [FVI_ONNX_IS_TEXT] = ATTRIBUTE_KIND_TEXT};
    fvi_pb_begin(p, NODE_ATTRIBUTE);
    fvi_pb_string(p, ATTRIBUTE_NAME, a->name);
    if (a->kind == FVI_ONNX_IS_FLOAT) fvi_pb_float(p, ATTRIBUTE_FLOAT, (float)a->f);
    else if (a->kind == FVI_ONNX_IS_INT) fvi_pb_int(p, ATTRIBUTE_INT, a->i);
    else if (a->kind == FVI_ONNX_IS_TEXT) fvi_pb_string(p, ATTRIBUTE_TEXT, a->text);
    for (int i = 0; a->kind == FVI_ONNX_IS_INTS && i < a->n; i++) fvi_pb_int(p, ATTRIBUTE_INTS, a->ints[i]);
    fvi_pb_int(p, ATTRIBUTE_KIND, kinds[a->kind]);
    fvi_pb_end(p);
}

const char *onnx_node(onnx_file *f, const char *path, const fvi_onnx_op *op)
{
    fvi_pb *p = &f->nodes;
    int n = 0;
    const char *wanted = fvi_arena_format(&f->arena, *path ? "%s/%s" : "%s%s", path, op->type);
    if (!wanted) return no_memory(f);
    const char *name = onnx_unique(f, wanted), *const *in = op->list ? op->list : op->in, *out = op->out[0];
    if (!out) {
        wanted = fvi_arena_format(&f->arena, "%s_output", name);
        out = wanted ? onnx_unique(f, wanted) : no_memory(f);
    }
    if (op->list) n = op->n_list;
    else
        while (n < FVI_COUNT(op->in) && in[n]) n++;
    while (n && !*in[n - 1]) n--;                        /* optional ones at the end are left out, not empty */
    fvi_pb_begin(p, GRAPH_NODE);
    for (int i = 0; i < n; i++) fvi_pb_string(p, NODE_INPUT, in[i]);
    fvi_pb_string(p, NODE_OUTPUT, out);
    for (int i = 1; i < FVI_COUNT(op->out) && op->out[i]; i++) fvi_pb_string(p, NODE_OUTPUT, op->out[i]);
    fvi_pb_string(p, NODE_NAME, name);
    fvi_pb_string(p, NODE_TYPE, op->type);
    for (int i = 0; i < FVI_COUNT(op->attrs) && op->attrs[i].name; i++) put_attribute(p, &op->attrs[i]);
    fvi_pb_end(p);
    f->n_nodes++;
    return p->failed ? no_memory(f) : out;
}

/* ---- tensors ---- */

static size_t element_bytes(int type)
{
    return type == FVI_ONNX_I64 ? 8 : type == FVI_ONNX_F32 || type == FVI_ONNX_I32 ? 4 : 1;
}

static const char *add_tensor(onnx_file *f, const char *wanted, int type, int rank, const int64_t *dims, const void *data, fvi_var *var)
{
    onnx_tensor t = {.type = type, .rank = rank, .var = var};
    int64_t bytes = (int64_t)element_bytes(type);
    for (int i = 0; i < rank; i++) {
        t.dims[i] = dims[i];
        if (!fvi_mul_i64(bytes, dims[i], &bytes)) onnx_fail(f, FV_ERROR_INVALID, "%s: tensor \"%s\" is too large", f->path, wanted);
    }
    t.name = onnx_unique(f, wanted);
    if (f->status != FV_OK) return "";
    t.bytes = (size_t)bytes;
    if (data) {
        void *copy = fvi_arena_alloc(&f->arena, t.bytes + 1);
        if (!copy) return no_memory(f);
        memcpy(copy, data, t.bytes);
        t.data = copy;
    }
    return FVI_PUSH(&f->tensors, t) ? t.name : no_memory(f);
}

const char *onnx_values(onnx_file *f, const char *wanted, int type, int rank, const int64_t *dims, const void *data)
{
    for (int i = 0; i < f->tensors.count && f->status == FV_OK; i++) {
        const onnx_tensor *t = &f->tensors.items[i];
        if (t->data && t->type == type && t->rank == rank && rank < 2 && (!rank || t->dims[0] == dims[0]) && !memcmp(t->data, data, t->bytes)) return t->name;
    }
    return add_tensor(f, wanted, type, rank, dims, data, NULL);
}

const char *onnx_var(onnx_file *f, fvi_var *v)
{
    return add_tensor(f, v->name, fvi_onnx_type(v->type.dtype), v->type.rank, v->type.dim, NULL, v);
}

void onnx_value(onnx_file *f, int field, const char *name, const fvi_type *type)
{
    fvi_pb *p = &f->io;
    fvi_pb_begin(p, field);
    fvi_pb_string(p, VALUE_NAME, name);
    fvi_pb_begin(p, VALUE_TYPE);
    fvi_pb_begin(p, TYPE_TENSOR);
    fvi_pb_int(p, TENSOR_TYPE_ELEMENT, fvi_onnx_type(type->dtype));
    fvi_pb_begin(p, TENSOR_TYPE_SHAPE);
    for (int i = 0; i < type->rank; i++) {
        const int64_t d = type->dim[i];
        char text[48];
        snprintf(text, sizeof text, d == -1 ? "batch_size" : "%lld*batch_size", -(long long)d);
        fvi_pb_begin(p, SHAPE_DIM);
        if (d >= 0) fvi_pb_int(p, DIM_VALUE, d);
        else fvi_pb_string(p, DIM_PARAM, text);
        fvi_pb_end(p);
    }
    fvi_pb_end(p);
    fvi_pb_end(p);
    fvi_pb_end(p);
    fvi_pb_end(p);
    if (p->failed) no_memory(f);
}

/* ---- the file ---- */

/* Everything of a tensor but its values; `whole`: the length of the message. */
static void put_tensor_head(fvi_pb *p, const onnx_tensor *t)
{
    fvi_pb body = {0};
    for (int i = 0; i < t->rank; i++) fvi_pb_int(&body, TENSOR_DIMS, t->dims[i]);
    fvi_pb_int(&body, TENSOR_TYPE, t->type);
    fvi_pb_string(&body, TENSOR_NAME, t->name);
    fvi_pb_announce(&body, TENSOR_RAW, t->bytes);
    fvi_pb_announce(p, GRAPH_INITIALIZER, (uint64_t)body.bytes + t->bytes);
    fvi_pb_append(p, &body);
    fvi_pb_free(&body);
}

static void put_model_head(const onnx_file *f, fvi_pb *p)
{
    static const int ir_versions[] = {6, 7, 7, 7, 8, 8, 8};           /* those of the ONNX releases with opset 11 .. 17 */
    fvi_pb_int(p, MODEL_IR_VERSION, ir_versions[f->o->opset - FVI_ONNX_FIRST_OPSET]);
    fvi_pb_string(p, MODEL_PRODUCER, "fovea");
    fvi_pb_string(p, MODEL_PRODUCER_VERSION, FOVEA_VERSION);
    fvi_pb_begin(p, MODEL_OPSET);
    fvi_pb_int(p, OPSET_VERSION, f->o->opset);
    fvi_pb_end(p);
    for (int i = 0; i < f->o->n_metadata; i++) {
        fvi_pb_begin(p, MODEL_METADATA);
        fvi_pb_string(p, PAIR_KEY, f->o->metadata[i].key);
        fvi_pb_string(p, PAIR_VALUE, f->o->metadata[i].value);
        fvi_pb_end(p);
    }
}

static fv_status write_tensors(const onnx_file *f, fvi_writer *w)
{
    fv_status status = FV_OK;
    size_t largest = 1;
    for (int i = 0; i < f->tensors.count; i++) largest = FVI_MAX(largest, f->tensors.items[i].bytes);
    void *buffer = fvi_malloc_aligned(largest);
    if (!buffer) return fvi_nomem(f->ctx);
    for (int i = 0; i < f->tensors.count && status == FV_OK; i++) {
        const onnx_tensor *t = &f->tensors.items[i];
        fvi_pb head = {0};
        put_tensor_head(&head, t);
        status = head.failed ? fvi_nomem(f->ctx) : fvi_writer_write(w, head.data, head.bytes);
        if (status == FV_OK && t->var) status = f->o->fetch(f->o->user, t->var, t->type == FVI_ONNX_F32 ? FV_F32 : t->var->type.dtype, buffer);
        if (status == FV_OK && t->bytes) status = fvi_writer_write(w, t->var ? buffer : t->data, t->bytes);
        fvi_pb_free(&head);
    }
    fvi_free_aligned(buffer, largest);
    return status;
}

/* The head of the model and all of the graph but its initializers; *total: bytes of the whole file. */
static void put_all_heads(const onnx_file *f, fvi_pb *p, uint64_t *total)
{
    fvi_pb name = {0}, one = {0};
    uint64_t graph, values = 0;
    fvi_pb_string(&name, GRAPH_NAME, f->o->name);
    graph = (uint64_t)f->nodes.bytes + f->io.bytes + name.bytes;
    for (int i = 0; i < f->tensors.count; i++) {
        put_tensor_head(&one, &f->tensors.items[i]);
        values += one.bytes + f->tensors.items[i].bytes;
        if (one.failed) p->failed = true;
        fvi_pb_free(&one);
    }
    put_model_head(f, p);
    fvi_pb_announce(p, MODEL_GRAPH, graph + values);
    fvi_pb_append(p, &name);
    fvi_pb_append(p, &f->nodes);
    fvi_pb_append(p, &f->io);
    *total = p->bytes + values;
    fvi_pb_free(&name);
}

fv_status onnx_file_write(onnx_file *f, fvi_onnx_size *size)
{
    fvi_pb head = {0};
    fvi_writer *w = NULL;
    uint64_t total = 0;
    fv_status status = f->status;
    if (status == FV_OK) put_all_heads(f, &head, &total);
    if (status == FV_OK && head.failed) status = fvi_nomem(f->ctx);
    if (status == FV_OK && total > INT_MAX)
        status = fvi_fail(f->ctx, FV_ERROR_INVALID, "%s: the model takes %llu bytes, and an ONNX file holds at most %d", f->path, (unsigned long long)total, INT_MAX);
    if (status == FV_OK) status = fvi_writer_open(f->ctx, f->path, &w);
    if (status == FV_OK) status = fvi_writer_write(w, head.data, head.bytes);
    if (status == FV_OK) status = write_tensors(f, w);
    fvi_pb_free(&head);
    if (status != FV_OK) {
        fvi_writer_abort(w);
        return status;
    }
    if (size) *size = (fvi_onnx_size){f->n_nodes, f->tensors.count, (int64_t)total};
    return fvi_writer_commit(w);
}
