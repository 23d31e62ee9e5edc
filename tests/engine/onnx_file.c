/* SPDX-License-Identifier: Apache-2.0 */
#include "onnx_file.h"

#include <stdio.h>

static void read_attribute(fvi_pb_reader r, onnx_seen *s, onnx_node_seen *n)
{
    fvi_pb_field f;
    onnx_attribute a = {0};
    uint64_t v;
    while (fvi_pb_next(&r, &f)) {
        if (f.number == 1) a.name = fvi_pb_get_string(&r, &f, &s->arena);
        else if (f.number == 2) a.f = (double)fvi_pb_get_float(&r, &f);
        else if (f.number == 3) a.i = fvi_pb_get_int(&r, &f);
        else if (f.number == 8) while (fvi_pb_number(&r, &f, FVI_PB_VARINT, &v) && a.n < 16) a.ints[a.n++] = (int64_t)v;
        else if (f.number == 20) a.kind = fvi_pb_get_int(&r, &f);
    }
    if (n->n_attributes < 8) n->attributes[n->n_attributes++] = a;
}

static void read_node(fvi_pb_reader r, onnx_seen *s)
{
    fvi_pb_field f;
    onnx_node_seen n = {0};
    while (fvi_pb_next(&r, &f)) {
        if (f.number == 5) read_attribute(fvi_pb_enter(&r, &f), s, &n);
        if (f.number > 4) continue;
        const char *text = fvi_pb_get_string(&r, &f, &s->arena);
        if (f.number == 1 && n.n_in < ONNX_NODE_MAX) n.in[n.n_in++] = text;
        else if (f.number == 2 && n.n_out < 4) n.out[n.n_out++] = text;
        else if (f.number == 3) n.name = text;
        else if (f.number == 4) n.type = text;
    }
    (void)!FVI_PUSH(&s->nodes, n);
}

static void read_tensor(fvi_pb_reader r, onnx_seen *s)
{
    fvi_pb_field f;
    onnx_tensor_seen t = {0};
    uint64_t v;
    while (fvi_pb_next(&r, &f)) {
        if (f.number == 1) while (fvi_pb_number(&r, &f, FVI_PB_VARINT, &v) && t.rank < 8) t.dims[t.rank++] = (int64_t)v;
        else if (f.number == 2) t.type = fvi_pb_get_int(&r, &f);
        else if (f.number == 8) t.name = fvi_pb_get_string(&r, &f, &s->arena);
        else if (f.number == 9) {
            float *copy = fvi_arena_alloc(&s->arena, f.bytes + 1);
            if (copy && f.bytes) memcpy(copy, f.data, f.bytes);
            t.values = copy;
            t.bytes = (int64_t)f.bytes;
        }
    }
    (void)!FVI_PUSH(&s->tensors, t);
}

/* "batch_size,3,32,32" */
static const char *read_shape(fvi_pb_reader r, onnx_seen *s)
{
    fvi_pb_field f, g;
    const char *text = "";
    while (fvi_pb_next(&r, &f)) {
        fvi_pb_reader dim = fvi_pb_enter(&r, &f);
        while (fvi_pb_next(&dim, &g)) {
            const char *comma = *text ? "," : "";
            if (g.number == 1) text = fvi_arena_format(&s->arena, "%s%s%lld", text, comma, (long long)fvi_pb_get_int(&dim, &g));
            else if (g.number == 2) text = fvi_arena_format(&s->arena, "%s%s%s", text, comma, fvi_pb_get_string(&dim, &g, &s->arena));
        }
    }
    return text;
}

static onnx_value_seen read_value(fvi_pb_reader r, onnx_seen *s)
{
    onnx_value_seen v = {0};
    fvi_pb_field f, g, h;
    while (fvi_pb_next(&r, &f)) {
        if (f.number == 1) v.name = fvi_pb_get_string(&r, &f, &s->arena);
        if (f.number != 2) continue;
        fvi_pb_reader type = fvi_pb_enter(&r, &f);
        while (fvi_pb_next(&type, &g)) {
            fvi_pb_reader tensor = fvi_pb_enter(&type, &g);
            while (fvi_pb_next(&tensor, &h)) {
                if (h.number == 1) v.type = fvi_pb_get_int(&tensor, &h);
                if (h.number == 2) v.shape = read_shape(fvi_pb_enter(&tensor, &h), s);
            }
        }
    }
    return v;
}

static void read_graph(fvi_pb_reader r, onnx_seen *s)
{
    fvi_pb_field f;
    while (fvi_pb_next(&r, &f)) {
        if (f.number == 1) read_node(fvi_pb_enter(&r, &f), s);
        else if (f.number == 2) s->graph = fvi_pb_get_string(&r, &f, &s->arena);
        else if (f.number == 5) read_tensor(fvi_pb_enter(&r, &f), s);
        else if (f.number == 11) (void)!FVI_PUSH(&s->inputs, read_value(fvi_pb_enter(&r, &f), s));
        else if (f.number == 12) (void)!FVI_PUSH(&s->outputs, read_value(fvi_pb_enter(&r, &f), s));
        else fvi_pb_fail(&r, &f, "no field of a graph");
    }
}

static void read_model(fvi_pb_source *source, onnx_seen *s)
{
    fvi_pb_reader r = fvi_pb_read(source), child;
    fvi_pb_field f, g;
    while (fvi_pb_next(&r, &f)) {
        if (f.number == 1) s->ir = fvi_pb_get_int(&r, &f);
        else if (f.number == 2) s->producer = fvi_pb_get_string(&r, &f, &s->arena);
        else if (f.number == 7) read_graph(fvi_pb_enter(&r, &f), s);
        else if (f.number == 8) {
            for (child = fvi_pb_enter(&r, &f); fvi_pb_next(&child, &g);)
                if (g.number == 2) s->opset = fvi_pb_get_int(&child, &g);
        } else if (f.number == 14) {
            onnx_pair_seen p = {"", ""};
            for (child = fvi_pb_enter(&r, &f); fvi_pb_next(&child, &g);) {
                const char *text = fvi_pb_get_string(&child, &g, &s->arena);
                if (g.number == 1) p.key = text;
                else p.value = text;
            }
            (void)!FVI_PUSH(&s->metadata, p);
        }
    }
}

/* ---- checks ---- */

static bool wrong(const char *path, const char *what, const char *name)
{
    printf("    %s: %s %s\n", path, what, name ? name : "(nameless)");
    return false;
}

/* Is the tensor an input, an initializer or made by one of the first `nodes` nodes? */
static int known(const onnx_seen *s, const char *name, int nodes)
{
    int times = 0;
    for (int i = 0; i < s->inputs.count; i++) times += !strcmp(s->inputs.items[i].name, name);
    for (int i = 0; i < s->tensors.count; i++) times += !strcmp(s->tensors.items[i].name, name);
    for (int i = 0; i < nodes; i++)
        for (int k = 0; k < s->nodes.items[i].n_out; k++) times += !strcmp(s->nodes.items[i].out[k], name);
    return times;
}

static bool check_node(const char *path, const onnx_seen *s, int index)
{
    const onnx_node_seen *n = &s->nodes.items[index];
    if (!n->type || !n->name || !*n->name || !n->n_out) return wrong(path, "incomplete node", n->name);
    for (int k = 0; k < n->n_in; k++)
        if (*n->in[k] && known(s, n->in[k], index) != 1) return wrong(path, "not exactly one source of", n->in[k]);
    for (int k = 0; k < n->n_out; k++)
        if (known(s, n->out[k], s->nodes.count) != 1) return wrong(path, "made more than once:", n->out[k]);
    for (int k = 0; k < n->n_attributes; k++) {
        const onnx_attribute *a = &n->attributes[k];
        if (!a->name || (a->kind != 1 && a->kind != 2 && a->kind != 3 && a->kind != 7) || (a->n && a->kind != 7)) return wrong(path, "attribute", a->name);
    }
    for (int i = 0; i < index; i++)
        if (!strcmp(s->nodes.items[i].name, n->name)) return wrong(path, "two nodes named", n->name);
    return true;
}

static bool check_tensor(const char *path, const onnx_tensor_seen *t)
{
    int64_t bytes = t->type == 7 ? 8 : t->type == 1 || t->type == 6 ? 4 : t->type == 2 || t->type == 9 ? 1 : -1;
    for (int i = 0; i < t->rank; i++) bytes *= t->dims[i];
    return (t->name && *t->name && bytes == t->bytes) || wrong(path, "type, shape and size do not fit:", t->name);
}

static bool check(const char *path, const onnx_seen *s)
{
    static const int64_t ir[] = {6, 7, 7, 7, 8, 8, 8};
    if (s->opset < 11 || s->opset > 17 || s->ir != ir[s->opset - 11]) return wrong(path, "opset and IR version", "");
    if (!s->producer || !s->graph || !*s->graph || !s->outputs.count) return wrong(path, "incomplete model", s->graph);
    for (int i = 0; i < s->tensors.count; i++)
        if (!check_tensor(path, &s->tensors.items[i])) return false;
    for (int i = 0; i < s->nodes.count; i++)
        if (!check_node(path, s, i)) return false;
    for (int i = 0; i < s->inputs.count; i++)
        if (!s->inputs.items[i].type || !s->inputs.items[i].shape) return wrong(path, "input without a type", s->inputs.items[i].name);
    for (int i = 0; i < s->outputs.count; i++) {
        const onnx_value_seen *v = &s->outputs.items[i];
        if (!v->type || !v->shape || known(s, v->name, s->nodes.count) != 1) return wrong(path, "output", v->name);
    }
    return true;
}

bool onnx_look(fv_context *ctx, const char *path, onnx_seen *out)
{
    memset(out, 0, sizeof *out);
    if (fvi_file_map(ctx, path, &out->map) != FV_OK) return wrong(path, fv_error_message(ctx), "");
    fvi_pb_source source = {.ctx = ctx, .name = path, .data = out->map.data, .bytes = out->map.bytes};
    read_model(&source, out);
    if (source.status != FV_OK) return wrong(path, fv_error_message(ctx), "");
    return check(path, out);
}

void onnx_forget(onnx_seen *s)
{
    fvi_file_unmap(&s->map);
    fvi_free(s->nodes.items);
    fvi_free(s->tensors.items);
    fvi_free(s->inputs.items);
    fvi_free(s->outputs.items);
    fvi_free(s->metadata.items);
    fvi_arena_free(&s->arena);
}

int onnx_count(const onnx_seen *s, const char *type)
{
    int n = 0;
    for (int i = 0; i < s->nodes.count; i++) n += !strcmp(s->nodes.items[i].type, type);
    return n;
}

const onnx_tensor_seen *onnx_find(const onnx_seen *s, const char *name)
{
    for (int i = 0; i < s->tensors.count; i++)
        if (!strcmp(s->tensors.items[i].name, name)) return &s->tensors.items[i];
    return NULL;
}

const char *onnx_metadata(const onnx_seen *s, const char *key)
{
    for (int i = 0; i < s->metadata.count; i++)
        if (!strcmp(s->metadata.items[i].key, key)) return s->metadata.items[i].value;
    return NULL;
}

char *onnx_text(const onnx_seen *s)
{
    fvi_text t = {0};
    fvi_text_add(&t, "ir %lld, opset %lld, producer %s, graph %s\n", (long long)s->ir, (long long)s->opset, s->producer, s->graph);
    for (int i = 0; i < s->inputs.count; i++) fvi_text_add(&t, "input %s (%s)\n", s->inputs.items[i].name, s->inputs.items[i].shape);
    for (int i = 0; i < s->outputs.count; i++) fvi_text_add(&t, "output %s (%s)\n", s->outputs.items[i].name, s->outputs.items[i].shape);
    for (int i = 0; i < s->nodes.count; i++) {
        const onnx_node_seen *n = &s->nodes.items[i];
        fvi_text_add(&t, "%s", n->out[0]);
        for (int k = 1; k < n->n_out; k++) fvi_text_add(&t, ", %s", n->out[k]);
        fvi_text_add(&t, " = %s(", n->type);
        for (int k = 0; k < n->n_in; k++) fvi_text_add(&t, "%s%s", k ? ", " : "", n->in[k]);
        fvi_text_add(&t, ")");
        for (int k = 0; k < n->n_attributes; k++) {
            const onnx_attribute *a = &n->attributes[k];
            fvi_text_add(&t, " %s=", a->name);
            if (a->kind == 1) fvi_text_add(&t, "%g", a->f);
            else if (a->kind == 2) fvi_text_add(&t, "%lld", (long long)a->i);
            for (int j = 0; j < a->n; j++) fvi_text_add(&t, "%s%lld", j ? "," : "", (long long)a->ints[j]);
        }
        fvi_text_add(&t, "\n");
    }
    for (int i = 0; i < s->tensors.count; i++) {
        const onnx_tensor_seen *x = &s->tensors.items[i];
        fvi_text_add(&t, "%s: %s (", x->name, x->type == 1 ? "f32" : x->type == 7 ? "i64" : "other");
        for (int k = 0; k < x->rank; k++) fvi_text_add(&t, "%s%lld", k ? ", " : "", (long long)x->dims[k]);
        fvi_text_add(&t, ")\n");
    }
    return fvi_text_take(&t);
}
