/* SPDX-License-Identifier: Apache-2.0 */
/* ONNX files: structure, through our own reader of the wire format; folding; bad functions; no memory, full disks. Where
 * FOVEA_PEERS names a Python with onnx and onnxruntime, tools/onnx_check.py judges every file, and ONNX Runtime must compute
 * what we compute: each op on each of its samples, and whole networks for batches of 1 and 7. */
#include "test.h"

#include "compile/registry.h"
#include "compile/sample.h"
#include "fovea/model.h"
#include "fovea/nn.h"
#include "fovea/onnx.h"
#include "onnx/onnx.h"
#include "onnx_file.h"
#include "io/safetensors.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- numbers for the peers ---- */

typedef struct numbers { fvi_st_entry entries[64]; const void *data[64]; int count; char names[64][64]; } numbers;

static void put_number(numbers *n, int64_t batch, const char *way, const char *name, fv_dtype dtype, int rank, const int64_t *dims, const void *data)
{
    if (n->count == 64) return;
    fvi_st_entry *e = &n->entries[n->count];
    snprintf(n->names[n->count], sizeof n->names[0], "%lld/%s/%s", (long long)batch, way, name);
    *e = (fvi_st_entry){n->names[n->count], fvi_st_from(dtype), rank, {0}};
    for (int i = 0; i < rank; i++) e->dims[i] = dims[i];
    n->data[n->count++] = data;
}

static fv_status fetch_number(void *user, int index, void *buffer)
{
    const numbers *n = user;
    size_t bytes = fvi_st_size(n->entries[index].dtype);
    for (int i = 0; i < n->entries[index].rank; i++) bytes *= (size_t)n->entries[index].dims[i];
    memcpy(buffer, n->data[index], bytes);
    return FV_OK;
}

static bool save_numbers(fv_context *ctx, const numbers *n, const char *path)
{
    char hash[33];
    fvi_writer *w;
    const fvi_st_output o = {n->entries, n->count, fetch_number, (void *)(uintptr_t)n, NULL, 0};
    return fvi_st_write(ctx, path, &o, hash, &w) == FV_OK && fvi_writer_commit(w) == FV_OK;
}

static const char *peers(void)
{
    const char *python = getenv("FOVEA_PEERS");
    return python && *python ? python : NULL;
}

static bool judge(const char *folder)
{
    char command[2048];
    snprintf(command, sizeof command, "'%s' '%s/../tools/onnx_check.py' %s", peers(), FOVEA_TESTS_DIR, folder);
    fflush(stdout);
    return system(command) == 0;
}

static void empty_folder(const char *folder)
{
    char command[256];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (system(command) == 0) mkdir(folder, 0777);
}

/* ---- every op ---- */

/* What only training has, and what ONNX has no words for. Anything else needs a form: `onnx`, `onnx_emit` or `expand`. */
static bool exempt(const fvi_op *op)
{
    static const char *const names[] = {"input", "var_read", "var_write", "conv2d_dgrad", "conv2d_wgrad", "batch_norm_train", "sgd", "adam", "ema",
                                        "clip_scale", "all_reduce", "dropout", "ragged_sum", "topk_correct",
                                        "index_add", "scatter_add", "drop_path"};
    if (strstr(op->name, "_backward")) return true;
    for (int i = 0; i < FVI_COUNT(names); i++)
        if (!strcmp(names[i], op->name)) return true;
    return false;
}

static void every_op_has_a_form(void)
{
    int forms = 0;
    for (int i = 0; i < fvi_registry_op_count(); i++) {
        const fvi_op *op = fvi_registry_op(i);
        const bool has = op->onnx || op->onnx_emit || op->expand;
        CHECK_MSG(has || exempt(op), "%s has no ONNX form; if there can be none, say so here", op->name);
        CHECK_MSG(!(op->onnx && op->onnx_emit), "%s has two ONNX forms", op->name);
        forms += has;
    }
    CHECK(forms > 45);
}

static bool knows_batch(const fv_graph *g)
{
    for (int i = 0; i < g->inputs.count; i++)
        for (int d = 0; d < g->inputs.items[i]->type.rank; d++)
            if (fvi_dim_symbolic(g->inputs.items[i]->type.dim[d])) return true;
    return false;
}

/* The op of an opened sample as a file of one opset; the sample's graph is used up. A graph without N in any input gets one
 * more, as a network has. */
static bool write_sample(fvi_sample_run *s, int opset, const char *path, onnx_seen *seen)
{
    fv_graph *g = s->graph;
    fvi_node *n = g->nodes.items[g->nodes.count - 1];
    const fvi_type rows = fvi_type_make(FV_F32, 1, (const int64_t[]){FV_N});
    if (!knows_batch(g)) fvi_input(g, "rows", &rows);
    for (int k = 0; k < n->n_out; k++) fv_result(g, "y", &n->out[k]);
    const fvi_onnx_options o = {.opset = opset, .name = s->op->name};
    if (fvi_onnx_write(s->ctx, g, path, &o, NULL) == FV_OK) return onnx_look(s->ctx, path, seen);
    printf("    %s, sample %s: %s\n", s->op->name, s->sample->name, fv_error_message(s->ctx));
    memset(seen, 0, sizeof *seen);
    return false;
}

/* Inputs and expected outputs of one batch size, named as in the file. */
static void put_sample(numbers *n, const fvi_sample_run *s, const onnx_seen *seen)
{
    for (int k = 0; k < s->n_in; k++)
        put_number(n, s->batch, "in", seen->inputs.items[k].name, s->in[k].type.dtype, s->in[k].type.rank, s->in[k].type.dim, s->in[k].data);
    static const float zeros[3];
    if (seen->inputs.count > s->n_in) put_number(n, s->batch, "in", "rows", FV_F32, 1, &s->batch, zeros);
    for (int k = 0; k < s->n_out; k++) {
        const fvi_type *t = &s->out[k].type;
        put_number(n, s->batch, "out", seen->outputs.items[k].name, fv_dtype_is_float(t->dtype) ? FV_F64 : FV_I64, t->rank, t->dim, s->out[k].wide);
    }
}

static bool export_sample(fv_context *ctx, const fvi_op *op, const fvi_sample *sample, int opset)
{
    fvi_sample_run two, three;
    onnx_seen seen;
    numbers *n = calloc(1, sizeof *n);
    char path[256];
    bool ok = n && fvi_sample_open(ctx, op, sample, 2, FVI_SAMPLE_F32, &two) == FV_OK;
    if (!ok) {
        free(n);
        return false;
    }
    const int stem = snprintf(path, sizeof path, "onnx_ops/%s.%s.%d", op->name, sample->name, opset);
    snprintf(path + stem, sizeof path - (size_t)stem, ".onnx");
    ok = write_sample(&two, opset, path, &seen);
    if (ok && peers() && fvi_sample_open(ctx, op, sample, 3, FVI_SAMPLE_F32, &three) == FV_OK) {
        put_sample(n, &two, &seen);
        put_sample(n, &three, &seen);
        snprintf(path + stem, sizeof path - (size_t)stem, ".safetensors");
        ok = save_numbers(ctx, n, path);
        fvi_sample_close(&three);
    } else if (ok) {
        unlink(path);
    }
    onnx_forget(&seen);
    fvi_sample_close(&two);
    free(n);
    return ok;
}

static void every_sample(void)
{
    fv_context *ctx = fv_context_create();
    empty_folder("onnx_ops");
    int files = 0;
    for (int i = 0; i < fvi_registry_op_count(); i++) {
        const fvi_op *op = fvi_registry_op(i);
        if (exempt(op) || (!op->onnx && !op->onnx_emit && (!strcmp(op->name, "bn_act_train") || op->kind == FVI_EFFECT))) continue;
        for (int k = 0; k < op->n_samples; k++)
            for (int opset = 11; opset <= 17; opset++, files++)
                CHECK_MSG(export_sample(ctx, op, &op->samples[k], opset), "%s, sample %s, opset %d: %s", op->name, op->samples[k].name, opset, fv_error_message(ctx));
    }
    printf("    %d files\n", files);
    fv_context_destroy(ctx);
    if (peers()) CHECK(judge("onnx_ops"));
    else printf("    NOT COMPARED with ONNX Runtime: FOVEA_PEERS names no Python with onnx and onnxruntime\n");
    empty_folder("onnx_ops");
}

/* ---- networks ---- */

static fv_value *tiny_resnet(fv_graph *g, fv_value *x)
{
    x = fv_relu(g, fv_batch_norm(g, "bn1", fv_conv2d(g, "conv1", x, &FV_CONV(.out = 8, .kernel = 3, .padding = 1)), NULL));
    x = fv_max_pool2d(g, x, &(fv_pool2d_options){.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}});
    x = fv_basic_block(g, "layer1.0", x, 8, 1);
    x = fv_basic_block(g, "layer2.0", x, 16, 2);
    return fv_linear(g, "fc", fv_global_average_pool(g, x), 5);
}

/* ConvNeXt's parts: depthwise convolution, layer norm over channels, GELU, layer scale. */
static fv_value *tiny_convnext(fv_graph *g, fv_value *x)
{
    const int64_t width = 12;
    x = fv_layer_norm(g, "stem.1", fv_conv2d(g, "stem.0", x, &FV_CONV(.out = width, .kernel = 4, .stride = 4, .bias = true)), 1, NULL);
    fv_value *y = fv_conv2d(g, "dw", x, &FV_CONV(.out = width, .kernel = 7, .padding = 3, .groups = width, .bias = true));
    y = fv_permute(g, y, (const int[]){0, 2, 3, 1});
    y = fv_layer_norm(g, "norm", y, -1, NULL);
    y = fv_linear(g, "fc2", fv_gelu(g, fv_linear(g, "fc1", y, 4 * width), false), width);
    y = fv_mul(g, y, fv_param(g, "gamma", FV_PARAM_WEIGHT, 1, &width, (fv_init){FV_INIT_CONSTANT, 0.5, 0}));
    x = fv_add(g, x, fv_permute(g, y, (const int[]){0, 3, 1, 2}));
    x = fv_layer_norm(g, "head.norm", fv_global_average_pool(g, x), -1, NULL);
    return fv_softmax(g, fv_linear(g, "head.fc", x, 5), -1);
}

/* ViT's parts: class token repeated N times, positions, attention of two heads, GELU by tanh. */
static fv_value *tiny_vit(fv_graph *g, fv_value *x)
{
    enum { WIDTH = 8, HEADS = 2, TOKENS = 17 };
    const fv_init small = {FV_INIT_NORMAL, 0, 0.5};
    x = fv_conv2d(g, "patch", x, &FV_CONV(.out = WIDTH, .kernel = 4, .stride = 4, .bias = true));
    x = fv_permute(g, fv_flatten(g, x, 2), (const int[]){0, 2, 1});
    fv_value *token = fv_param(g, "cls_token", FV_PARAM_TOKEN, 3, (const int64_t[]){1, 1, WIDTH}, small);
    token = fv_broadcast_to(g, token, 3, (const int64_t[]){FV_N, 1, WIDTH});
    x = fv_concat(g, 1, 2, (fv_value *const[]){token, x});
    x = fv_add(g, x, fv_param(g, "pos_embed", FV_PARAM_TOKEN, 3, (const int64_t[]){1, TOKENS, WIDTH}, small));
    fv_value *y = fv_linear(g, "qkv", fv_layer_norm(g, "norm1", x, -1, NULL), 3 * WIDTH), *part[3];
    for (int i = 0; i < 3; i++) {
        part[i] = fv_reshape(g, fv_slice(g, y, 2, i * WIDTH, WIDTH), 4, (const int64_t[]){FV_N, TOKENS, HEADS, WIDTH / HEADS});
        part[i] = fv_reshape(g, fv_permute(g, part[i], (const int[]){0, 2, 1, 3}), 3, (const int64_t[]){HEADS * FV_N, TOKENS, WIDTH / HEADS});
    }
    y = fv_softmax(g, fv_scale(g, fv_matmul(g, part[0], part[1], false, true), 0.5), -1);
    y = fv_reshape(g, fv_matmul(g, y, part[2], false, false), 4, (const int64_t[]){FV_N, HEADS, TOKENS, WIDTH / HEADS});
    y = fv_reshape(g, fv_permute(g, y, (const int[]){0, 2, 1, 3}), 3, (const int64_t[]){FV_N, TOKENS, WIDTH});
    x = fv_add(g, x, fv_dropout(g, fv_linear(g, "proj", y, WIDTH), 0.1));
    y = fv_gelu(g, fv_linear(g, "fc1", fv_layer_norm(g, "norm2", x, -1, NULL), 16), true);
    x = fv_layer_norm(g, "norm", fv_add(g, x, fv_linear(g, "fc2", y, WIDTH)), -1, NULL);
    return fv_linear(g, "head", fv_reshape(g, fv_slice(g, x, 1, 0, 1), 2, (const int64_t[]){FV_N, WIDTH}), 5);
}

typedef struct net { const char *name; fv_value *(*build)(fv_graph *g, fv_value *x); const char *model; int64_t side; int first, last; } net;

typedef struct opened { fv_context *ctx; fv_session *s; fv_model *model; fv_function *f; const net *net; } opened;

static fv_status build_net(fv_graph *g, fv_value *const *in, int n_in, void *user)
{
    const opened *o = user;
    (void)n_in;
    fv_result(g, "output", o->net->build ? o->net->build(g, in[0]) : fv_model_build(g, o->model, in[0]));
    return fv_graph_status(g);
}

/* Running statistics and scales as a trained network has them, neither 0 nor 1. */
static bool unsettle(opened *o)
{
    for (int i = 0; i < fv_session_var_count(o->s); i++) {
        fv_var *v = fv_session_var(o->s, i);
        fv_tensor t;
        fv_var_shape(v, &t);
        if (t.rank != 1 || t.dtype != FV_F32) continue;
        float *values = malloc((size_t)t.dims[0] * sizeof *values);
        t.data = values;
        for (int64_t k = 0; k < t.dims[0]; k++) values[k] = 0.75f + 0.05f * (float)((k * 7 + i * 3) % 11);
        const bool ok = fv_var_set(o->s, v, &t) == FV_OK;
        free(values);
        if (!ok) return false;
    }
    return true;
}

static fv_tensor pictures(int64_t batch, int64_t side)
{
    fv_tensor x = {FV_F32, 4, {batch, 3, side, side}, NULL};
    float *p = malloc((size_t)(batch * 3 * side * side) * sizeof *p);
    uint32_t state = 12345;
    for (int64_t i = 0; i < batch * 3 * side * side; i++) {
        state = state * 1664525u + 1013904223u;
        p[i] = (float)(state >> 8) / 8388608.0f - 1;
    }
    x.data = p;
    return x;
}

static bool open_net(opened *o, const net *n, bool amp)
{
    *o = (opened){.ctx = fv_context_create(), .net = n};
    const fv_input_spec spec = {"input", FV_F32, 4, {FV_N, 3, n->side, n->side}};
    fv_status status = fv_session_create(o->ctx, &(fv_session_options){.seed = 3, .amp = amp}, &o->s);
    if (status == FV_OK && n->model) status = fv_model_create(o->ctx, n->model, &(fv_model_options){10, NULL}, &o->model);
    if (status == FV_OK) status = fv_function_create(o->s, n->name, &spec, 1, build_net, o, NULL, &o->f);
    const fv_tensor x = {FV_F32, 4, {1, 3, n->side, n->side}, NULL};
    if (status == FV_OK) status = fv_function_compile(o->f, &x, 1, NULL);
    if (status != FV_OK) printf("    %s\n", fv_error_message(o->ctx));
    return status == FV_OK && unsettle(o);
}

static void close_net(opened *o)
{
    fv_function_destroy(o->f);
    fv_session_destroy(o->s);
    fv_model_destroy(o->model);
    fv_context_destroy(o->ctx);
}

static bool write_net(opened *o, const char *path, const fv_onnx_options *options, onnx_seen *seen)
{
    const fv_tensor x = {FV_F32, 4, {1, 3, o->net->side, o->net->side}, NULL};
    if (fv_function_export_onnx(o->f, &x, 1, path, options, NULL) == FV_OK) return onnx_look(o->ctx, path, seen);
    printf("    %s\n", fv_error_message(o->ctx));
    return false;
}

static bool save_logits(opened *o, const char *path)
{
    static const int64_t batches[] = {1, 7};
    numbers *n = calloc(1, sizeof *n);
    float logits[2][7 * 10];
    fv_tensor x[2];
    bool ok = n != NULL;
    for (int i = 0; i < 2 && ok; i++) {
        x[i] = pictures(batches[i], o->net->side);
        const int64_t dims[2] = {batches[i], o->net->model ? 10 : 5};
        const fv_tensor y = {FV_F32, 2, {dims[0], dims[1]}, logits[i]};
        ok = fv_function_call(o->f, &x[i], 1, &y, 1) == FV_OK;
        for (int64_t k = 0; k < dims[0] * dims[1]; k++) ok = ok && isfinite(logits[i][k]);
        put_number(n, batches[i], "in", "input", FV_F32, 4, x[i].dims, x[i].data);
        put_number(n, batches[i], "out", "output", FV_F32, 2, dims, logits[i]);
    }
    ok = ok && save_numbers(o->ctx, n, path);
    for (int i = 0; i < 2; i++) free(x[i].data);
    free(n);
    return ok;
}

static const net nets[] = {
    {"tiny_resnet", tiny_resnet, NULL, 16, 11, 17}, {"tiny_convnext", tiny_convnext, NULL, 16, 11, 17}, {"tiny_vit", tiny_vit, NULL, 16, 11, 17},
    {"resnet18", NULL, "resnet18", 64, 11, 17},     {"resnet34", NULL, "resnet34", 64, 11, 11},        {"resnet50", NULL, "resnet50", 64, 17, 17},
};

static void networks(void)
{
    empty_folder("onnx_nets");
    for (int i = 0; i < FVI_COUNT(nets); i++) {
        opened o;
        char path[128];
        CHECK(open_net(&o, &nets[i], false));
        for (int opset = nets[i].first; opset <= nets[i].last; opset++)
            for (int keep = 0; keep < 2; keep++) {
                onnx_seen seen;
                if (keep && opset != 13) continue;
                snprintf(path, sizeof path, "onnx_nets/%s.%d%s.onnx", nets[i].name, opset, keep ? ".kept" : "");
                CHECK(write_net(&o, path, &(fv_onnx_options){.opset = opset, .keep_batch_norm = keep}, &seen));
                CHECK_STR(seen.inputs.items[0].name, "input");
                CHECK_HAS(seen.inputs.items[0].shape, "batch_size,3,");
                CHECK_STR(seen.outputs.items[0].name, "output");
                CHECK_STR(seen.outputs.items[0].shape, nets[i].model ? "batch_size,10" : "batch_size,5");
                CHECK_EQ(onnx_count(&seen, "BatchNormalization") > 0, keep && strstr(nets[i].name, "resnet"));
                CHECK_EQ(onnx_count(&seen, "LayerNormalization") > 0, opset == 17 && !strstr(nets[i].name, "resnet"));
                CHECK_EQ(onnx_count(&seen, "Shape"), !strcmp(nets[i].name, "tiny_vit"));
                onnx_forget(&seen);
                snprintf(path, sizeof path, "onnx_nets/%s.%d%s.safetensors", nets[i].name, opset, keep ? ".kept" : "");
                if (peers()) CHECK(save_logits(&o, path));
            }
        close_net(&o);
        if (peers()) CHECK(judge("onnx_nets"));
        empty_folder("onnx_nets");
    }
    if (!peers()) printf("    NOT COMPARED with ONNX Runtime: FOVEA_PEERS names no Python with onnx and onnxruntime\n");
}

/* The file of ResNet-18, line by line; a difference is written to onnx_resnet18.txt. */
static void golden_structure(void)
{
    static const net cifar = {"resnet18", NULL, "resnet18", 32, 17, 17};
    static const fv_onnx_text metadata[] = {{"names", "{0: '\xe9\xa3\x9e\xe6\x9c\xba'}"}, {"empty", ""}};
    opened o;
    onnx_seen seen;
    char *want = NULL;
    size_t bytes;
    CHECK(open_net(&o, &cifar, true));                   /* mixed precision changes nothing in the file */
    CHECK(write_net(&o, "onnx_golden.onnx", &(fv_onnx_options){.metadata = metadata, .n_metadata = 2}, &seen));
    CHECK_STR(onnx_metadata(&seen, "names"), metadata[0].value);
    CHECK_STR(onnx_metadata(&seen, "empty"), "");
    char *text = onnx_text(&seen);
    CHECK(fvi_file_write(o.ctx, "onnx_resnet18.txt", text, strlen(text)) == FV_OK);
    CHECK(fvi_file_read(o.ctx, FOVEA_TESTS_DIR "/golden/onnx_resnet18.txt", 1 << 20, &want, &bytes) == FV_OK);
    CHECK_MSG(!strcmp(text, want), "the structure of the file has changed: compare onnx_resnet18.txt with tests/golden");
    fvi_free(want);
    fvi_free(text);
    onnx_forget(&seen);
    close_net(&o);
    unlink("onnx_golden.onnx");
}

/* ---- folding ---- */

/* w' = w s, b' = shift - mean s, computed here again from the variables. */
static void folded_values(void)
{
    opened o;
    onnx_seen seen;
    float w[8 * 27], scale[8], shift[8], mean[8], var[8];
    const struct { const char *name; float *to; int rank; int64_t dims[4]; } reads[] = {
        {"conv1.weight", w, 4, {8, 3, 3, 3}}, {"bn1.weight", scale, 1, {8}}, {"bn1.bias", shift, 1, {8}},
        {"bn1.running_mean", mean, 1, {8}},   {"bn1.running_var", var, 1, {8}}};
    CHECK(open_net(&o, &nets[0], false));
    CHECK(write_net(&o, "onnx_folded.onnx", NULL, &seen));
    CHECK_EQ(seen.opset, 17);
    for (int i = 0; i < FVI_COUNT(reads); i++) {
        fv_tensor t = {FV_F32, reads[i].rank, {0}, reads[i].to};
        memcpy(t.dims, reads[i].dims, sizeof reads[i].dims);
        CHECK(fv_var_get(o.s, fv_session_find(o.s, reads[i].name), &t) == FV_OK);
    }
    const onnx_tensor_seen *fw = onnx_find(&seen, "conv1.weight"), *fb = onnx_find(&seen, "conv1.bias");
    CHECK(fw && fb && fw->rank == 4 && fb->rank == 1 && fb->dims[0] == 8);
    for (int c = 0; c < 8; c++) {
        const double s = (double)scale[c] / sqrt((double)var[c] + 1e-5);
        CHECK_CLOSE(fb->values[c], (double)shift[c] - (double)mean[c] * s, 1e-6);
        for (int i = 0; i < 27; i++) CHECK_CLOSE(fw->values[c * 27 + i], (double)w[c * 27 + i] * s, 1e-6);
    }
    CHECK(!onnx_find(&seen, "bn1.weight") && onnx_find(&seen, "fc.weight") && onnx_find(&seen, "layer2.0.downsample.0.bias"));
    CHECK_EQ(onnx_count(&seen, "Conv"), 6);
    onnx_forget(&seen);
    close_net(&o);
    unlink("onnx_folded.onnx");
}

/* Merged adapters are plain weights in the file; with B = 0 they are the old ones. */
static void adapters(void)
{
    opened o;
    onnx_seen plain, merged;
    CHECK(open_net(&o, &nets[2], false));
    CHECK(write_net(&o, "onnx_plain.onnx", NULL, &plain));
    CHECK(fv_session_adapt(o.s, "qkv.weight", 2, 4) == FV_OK);
    CHECK(write_net(&o, "onnx_merged.onnx", NULL, &merged));
    CHECK_EQ(merged.nodes.count, plain.nodes.count);
    CHECK_EQ(merged.tensors.count, plain.tensors.count);
    const onnx_tensor_seen *a = onnx_find(&plain, "qkv.weight"), *b = onnx_find(&merged, "qkv.weight");
    CHECK(a && b && a->bytes == b->bytes && !memcmp(a->values, b->values, (size_t)a->bytes));
    onnx_forget(&plain);
    onnx_forget(&merged);
    close_net(&o);
    unlink("onnx_plain.onnx");
    unlink("onnx_merged.onnx");
}

/* ---- what cannot be exported, and odd results ---- */

static fv_value *identity_net(fv_graph *g, fv_value *x)
{
    fv_result(g, "again", x);
    fv_result(g, "number", fv_const(g, 2.5));
    fv_result(g, "output_1", fv_stop_gradient(g, fv_relu(g, x)));
    return x;
}

static fv_value *writing_net(fv_graph *g, fv_value *x)
{
    fv_value *seen = fv_buffer(g, "seen", FV_F32, 0, NULL, (fv_init){FV_INIT_ZEROS, 0, 0});
    if (seen) fv_var_write(g, fv_graph_find_var(g, "seen"), fv_mean(g, x, 0, false));
    return fv_relu(g, x);
}

static fv_value *training_net(fv_graph *g, fv_value *x)
{
    fv_value *y = fv_conv2d(g, "c", x, &FV_CONV(.out = 3, .kernel = 1));
    fv_value *s = fv_param(g, "s", FV_PARAM_NORM, 1, (const int64_t[]){3}, (fv_init){FV_INIT_CONSTANT, 1, 0});
    return fv_op(g, "batch_norm_train", "", 3, y, s, s);
}

static void odd_functions(void)
{
    static const net identity = {"identity", identity_net, NULL, 4, 17, 17}, writing = {"writing", writing_net, NULL, 4, 17, 17},
                     training = {"training", training_net, NULL, 4, 17, 17};
    const fv_tensor x = {FV_F32, 4, {1, 3, 4, 4}, NULL};
    opened o;
    onnx_seen seen;
    CHECK(open_net(&o, &identity, false));
    CHECK(write_net(&o, "onnx_odd.onnx", NULL, &seen));
    CHECK_EQ(seen.outputs.count, 4);
    CHECK_EQ(onnx_count(&seen, "Identity"), 4);
    onnx_forget(&seen);
    unlink("onnx_odd.onnx");
    static const int opsets[] = {10, 18, -1};
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(fv_function_export_onnx(o.f, &x, 1, "onnx_odd.onnx", &(fv_onnx_options){.opset = opsets[i]}, NULL), FV_ERROR_INVALID);
        CHECK_HAS(fv_error_message(o.ctx), "11 to 17");
    }
    CHECK_EQ(fv_function_export_onnx(o.f, &x, 1, "no/such/folder/x.onnx", NULL, NULL), FV_ERROR_IO);
    close_net(&o);
    CHECK(open_net(&o, &writing, false));
    CHECK_EQ(fv_function_export_onnx(o.f, &x, 1, "onnx_odd.onnx", NULL, NULL), FV_ERROR_INVALID);
    CHECK_HAS(fv_error_message(o.ctx), "seen (var_write): a file cannot keep state");
    close_net(&o);
    CHECK(open_net(&o, &training, false));
    CHECK_EQ(fv_function_export_onnx(o.f, &x, 1, "onnx_odd.onnx", NULL, NULL), FV_ERROR_INVALID);
    CHECK_HAS(fv_error_message(o.ctx), "(batch_norm_train): there is nothing like it in ONNX");
    close_net(&o);
    CHECK(!fvi_file_exists("onnx_odd.onnx"));
}

/* ---- no memory, full disks ---- */

static void no_memory(void)
{
    opened o;
    onnx_seen seen;
    int failures = 0;
    CHECK(open_net(&o, &nets[2], false));
    const fv_tensor x = {FV_F32, 4, {1, 3, 16, 16}, NULL};
    for (int64_t nth = 1;; nth++) {
        CHECK(nth < 5000);
        fvi_memory_set_fault(nth);
        const fv_status status = fv_function_export_onnx(o.f, &x, 1, "onnx_memory.onnx", NULL, NULL);
        fvi_memory_set_fault(0);
        if (status == FV_OK) break;
        CHECK_MSG(status == FV_ERROR_NOMEM, "allocation %lld: %d, %s", (long long)nth, (int)status, fv_error_message(o.ctx));
        if (fvi_file_exists("onnx_memory.onnx")) {      /* it was renamed already: then it is whole */
            CHECK(onnx_look(o.ctx, "onnx_memory.onnx", &seen));
            onnx_forget(&seen);
            unlink("onnx_memory.onnx");
        }
        failures++;
    }
    printf("    %d allocations\n", failures);
    CHECK(onnx_look(o.ctx, "onnx_memory.onnx", &seen));
    onnx_forget(&seen);
    close_net(&o);
    unlink("onnx_memory.onnx");
}

static void full_disk(void)
{
    opened o;
    onnx_seen seen;
    const fv_tensor x = {FV_F32, 4, {1, 3, 16, 16}, NULL};
    CHECK(open_net(&o, &nets[0], false));
    CHECK(write_net(&o, "onnx_disk.onnx", &(fv_onnx_options){.opset = 11}, &seen));
    onnx_forget(&seen);
    int failures = 0;
    for (int kind = 0; kind < 3; kind++)
        for (int nth = 1; nth < 200; nth++) {
            const fvi_file_faults faults = {.write_at = kind == 0 ? nth : 0, .sync_at = kind == 1 ? nth : 0, .rename_at = kind == 2 ? nth : 0, .error = ENOSPC};
            fvi_file_set_faults(faults);
            const fv_status status = fv_function_export_onnx(o.f, &x, 1, "onnx_disk.onnx", &(fv_onnx_options){.opset = 13}, NULL);
            fvi_file_set_faults((fvi_file_faults){0});
            const bool look = onnx_look(o.ctx, "onnx_disk.onnx", &seen);
            const int64_t opset = seen.opset;
            onnx_forget(&seen);
            CHECK(look && (status == FV_OK || status == FV_ERROR_IO));
            if (status == FV_OK) break;
            failures++;
            CHECK_HAS(fv_error_message(o.ctx), "onnx_disk.onnx");
            CHECK(opset == 11 || kind);                  /* a failed sync of the folder comes after the renaming */
        }
    CHECK(failures > 2);
    close_net(&o);
    unlink("onnx_disk.onnx");
}

TEST_MAIN(CASE(every_op_has_a_form), CASE(every_sample), CASE(networks), CASE(golden_structure), CASE(folded_values), CASE(adapters),
          CASE(odd_functions), CASE(no_memory), CASE(full_disk))
