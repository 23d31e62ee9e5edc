/* SPDX-License-Identifier: Apache-2.0 */
/* The order of the passes. */
#include "compile/compile.h"

fv_status fvi_passes_parse(fv_context *ctx, const char *text, fvi_passes *out)
{
    *out = (fvi_passes){true, true, true, true, true, true, false};
    if (!text || !*text || !strcmp(text, "all")) return FV_OK;
    if (!strcmp(text, "none")) {
        *out = (fvi_passes){0};
        return FV_OK;
    }
    struct { const char *name; bool *flag; } const list[] = {{"kernels", &out->kernels}, {"cse", &out->cse}, {"fold", &out->fold},
                                                              {"fuse", &out->fuse}, {"hoist", &out->hoist}, {"layout", &out->layout},
                                                              {"recompute", &out->recompute}};
    for (const char *p = text; *p;) {
        const size_t length = strcspn(p, ",");
        bool known = false;
        for (int i = 0; i < FVI_COUNT(list); i++)
            if ((p[0] == '-' || p[0] == '+') && strlen(list[i].name) == length - 1 && !strncmp(p + 1, list[i].name, length - 1)) {
                *list[i].flag = p[0] == '+';
                known = true;
            }
        if (!known)
            return fvi_fail(ctx, FV_ERROR_CONFIG, "passes '%s': use \"all\", \"none\" or a list of -kernels -cse -fold -fuse -hoist -layout +recompute", text);
        p += length;
        if (*p == ',') p++;
    }
    return FV_OK;
}

static fv_status lower(fv_graph *g, const fvi_compiler *c)
{
    fv_context *ctx = g->ctx;
    FVI_TRY(ctx, fvi_graph_sweep(g));
    if (c->passes.cse) FVI_TRY(ctx, fvi_pass_cse(g));
    if (c->passes.fold && c->passes.kernels) FVI_TRY(ctx, fvi_pass_fold(g, c));
    if (c->passes.fuse && c->passes.kernels) FVI_TRY(ctx, fvi_pass_fuse(g, c));
    FVI_TRY(ctx, fvi_pass_expand(g, c));
    if (c->passes.cse) FVI_TRY(ctx, fvi_pass_cse(g));
    if (c->passes.recompute) {                                    /* after the last merging of equal nodes */
        FVI_TRY(ctx, fvi_pass_recompute(g, c));
        FVI_TRY(ctx, fvi_pass_expand(g, c));
    }
    FVI_TRY(ctx, fvi_graph_sort(g));
    if (c->passes.hoist) FVI_TRY(ctx, fvi_pass_hoist(g, c));
    FVI_TRY(ctx, fvi_pass_layout(g, c));
    if (c->passes.hoist) FVI_TRY(ctx, fvi_pass_hoist(g, c));      /* again: reorders of parameters */
    return fvi_graph_sweep(g);
}

static void find_poison(fvi_plan *p, const char *text)
{
    if (!text || !*text) return;
    const char *colon = strrchr(text, ':');
    const bool backward = colon && !strcmp(colon, ":backward");
    const size_t length = backward ? (size_t)(colon - text) : strlen(text);
    for (int i = 0; i < p->code.count && !p->poison; i++) {
        const fvi_node *n = p->code.items[i].node;
        if (strlen(n->path) == length && !strncmp(n->path, text, length) && (n->origin != NULL) == backward && n->n_out) p->poison = &p->code.items[i];
    }
}

/* A compilation that failed must not decide where variables live: one made later chooses as if it were the first. */
static void forget_homes(fvi_store *store)
{
    for (int i = 0; i < store->vars.count; i++) store->vars.items[i]->note = store->vars.items[i]->data != NULL;
    for (int i = 0; i < store->vars.count; i++)
        if (store->vars.items[i]->data && store->vars.items[i]->base) store->vars.items[i]->base->note = 1;
    for (int i = 0; i < store->vars.count; i++) {
        fvi_var *v = store->vars.items[i];
        if (!v->note) {
            v->home_fixed = false;
            v->home = FVI_PLAIN;
        }
        v->note = 0;
    }
}

fv_status fvi_compile(const fvi_compiler *c, const fv_graph *graph, int64_t n, bool in_flight, fvi_plan **out)
{
    fv_graph *g = NULL;
    const int64_t failures = fvi_memory_failures();
    FVI_TRY(graph->ctx, fvi_graph_bind(graph, n, &g));
    fv_status status = lower(g, c);
    if (status == FV_OK) status = fvi_plan_create(g, &c->env, c->derived, in_flight, out);
    else fvi_graph_destroy(g);
    /* A kernel that had no memory to be tried looks like one that does not fit; another choice would change the results. */
    if (fvi_memory_failures() != failures && status != FV_ERROR_NOMEM) {
        if (status == FV_OK) fvi_plan_destroy(*out);
        status = fvi_nomem(graph->ctx);
    }
    if (status == FV_OK) find_poison(*out, c->poison);
    else forget_homes(graph->store);
    return status;
}
