/* SPDX-License-Identifier: Apache-2.0 */
/* A function's graph, with the session's values, to ONNX. */
#include "tasks/export.h"
#include "compile/session.h"
#include "onnx/onnx.h"

static fv_status fetch(void *user, fvi_var *v, fv_dtype dtype, void *out)
{
    fv_tensor t = {.dtype = dtype, .rank = v->type.rank, .data = out};
    memcpy(t.dims, v->type.dim, sizeof t.dims);
    return fv_var_get(user, v, &t);
}

fv_status fvi_graph_export_onnx(fv_session *s, fv_graph *g, const char *path, const fv_onnx_options *o, fv_onnx_result *result)
{
    fvi_onnx_options options = {.opset = FVI_ONNX_LAST_OPSET, .name = "fovea", .fetch = fetch, .user = s};
    fvi_onnx_size size;
    fvi_onnx_text *pairs = fvi_calloc(o ? (size_t)o->n_metadata + 1 : 1, sizeof *pairs);
    if (!pairs) return fvi_nomem(s->ctx);
    if (o) {
        if (o->opset) options.opset = o->opset;
        if (o->name) options.name = o->name;
        options.keep_batch_norm = o->keep_batch_norm;
        for (int i = 0; i < o->n_metadata; i++) pairs[i] = (fvi_onnx_text){o->metadata[i].key, o->metadata[i].value};
        options.metadata = pairs;
        options.n_metadata = o->n_metadata;
    }
    const fv_status status = fvi_onnx_write(s->ctx, g, path, &options, &size);
    fvi_free(pairs);
    FVI_TRY(s->ctx, status);
    if (result) *result = (fv_onnx_result){options.opset, size.nodes, size.initializers, size.bytes};
    return FV_OK;
}

fv_status fv_function_export_onnx(fv_function *f, const fv_tensor *in, int n_in, const char *path, const fv_onnx_options *o, fv_onnx_result *result)
{
    fv_session *s;
    fv_graph *g = NULL;
    fv_status status = fvi_function_graph(f, in, n_in, &s, &g);
    fv_onnx_options named = o ? *o : (fv_onnx_options){0};
    if (!named.name) named.name = fvi_function_name(f);
    if (status == FV_OK) status = fvi_graph_export_onnx(s, g, path, &named, result);
    fvi_graph_destroy(g);
    return status;
}
