/* SPDX-License-Identifier: Apache-2.0 */
#include "train/position.h"

#include "base/json.h"

#include <math.h>
#include <stdio.h>

static const int64_t most = 1000000000000000;           /* of any count, as max_steps */

double fvi_position_metric(const fvi_position *p, const char *name)
{
    for (int i = 0; i < p->n_metrics; i++)
        if (!strcmp(p->metrics[i].name, name)) return p->metrics[i].value;
    return (double)NAN;
}

static void add_values(fvi_text *t, const fvi_measured *m, int n)
{
    for (int i = 0; i < n; i++) {
        if (i) fvi_text_add(t, ",");
        fvi_text_json_string(t, m[i].name);
        fvi_text_add(t, ":");
        fvi_text_json_number(t, m[i].value);
    }
}

char *fvi_position_text(const fvi_position *p)
{
    fvi_text t = {0};
    fvi_text_add(&t, "{\"step\":%lld,\"epoch\":%lld,\"index\":%lld,\"batches\":%lld,\"batch_size\":%lld,\"seed\":%lld", (long long)p->step,
                 (long long)p->epoch, (long long)p->index, (long long)p->batches, (long long)p->batch_size, (long long)p->seed);
    fvi_text_add(&t, ",\"validated_step\":%lld,\"best_step\":%lld,\"bad_checks\":%lld,\"threads\":%lld,\"finished\":%s,\"best\":",
                 (long long)p->validated_step, (long long)p->best_step, (long long)p->bad_checks, (long long)p->threads,
                 p->finished ? "true" : "false");
    fvi_text_json_number(&t, p->best);
    fvi_text_add(&t, ",\"last_loss\":");
    fvi_text_json_number(&t, p->last_loss);
    fvi_text_add(&t, ",\"last_norm\":");
    fvi_text_json_number(&t, p->last_norm);
    fvi_text_add(&t, ",\"last_rate\":");
    fvi_text_json_number(&t, p->last_rate);
    fvi_text_add(&t, ",\"stop_best\":");
    fvi_text_json_number(&t, p->stop_best);
    fvi_text_add(&t, ",\"plateau\":{\"seen\":%lld,\"bad\":%lld,\"cooldown\":%lld,\"reductions\":%lld,\"best\":", (long long)p->plateau.seen,
                 (long long)p->plateau.bad, (long long)p->plateau.cooldown, (long long)p->plateau.reductions);
    fvi_text_json_number(&t, p->plateau.best);
    fvi_text_add(&t, "}");
    fvi_text_add(&t, ",\"samples\":%lld,\"metrics\":{", (long long)p->samples);
    add_values(&t, p->metrics, p->n_metrics);
    if (p->n_results) {
        fvi_text_add(&t, "},\"results\":{");
        add_values(&t, p->results, p->n_results);
    }
    fvi_text_add(&t, "},\"measured\":\"%s\",\"validated_epoch\":", p->measured);
    fvi_text_json_number(&t, p->validated_epoch);
    fvi_text_add(&t, "}");
    return fvi_text_take(&t);
}

static int64_t integer_of(const fvi_json *object, const char *key, int64_t fallback)
{
    const fvi_json *v = fvi_json_get(object, key);
    return v && v->is_integer ? v->integer : fallback;
}

static double number_of(const fvi_json *object, const char *key)
{
    const fvi_json *v = fvi_json_get(object, key);
    return v && v->kind == FVI_JSON_NUMBER ? v->number : (double)NAN;
}

static void take(fvi_measured *list, int *n, int room, const char *name, const fvi_json *v)
{
    if (*n == room || strlen(name) >= FVI_METRIC_NAME) return;
    fvi_measured *m = &list[(*n)++];
    snprintf(m->name, sizeof m->name, "%s", name);
    m->value = v->kind == FVI_JSON_NUMBER ? v->number : (double)NAN;
}

/* Versions before this one kept the metrics of the user's own in a list: they are called #0, #1 until their names are known. */
static void read_metrics(const fvi_json *position, fvi_position *p)
{
    const fvi_json *metrics = fvi_json_get(position, "metrics"), *own = fvi_json_get(position, "own"), *results = fvi_json_get(position, "results");
    for (const fvi_json *m = metrics && metrics->kind == FVI_JSON_OBJECT ? metrics->child : NULL; m; m = m->next)
        take(p->metrics, &p->n_metrics, FVI_METRICS_MAX, m->key, m);
    for (const fvi_json *m = results && results->kind == FVI_JSON_OBJECT ? results->child : NULL; m; m = m->next)
        take(p->results, &p->n_results, FVI_TRAIN_RESULTS, m->key, m);
    int n = 0;
    for (const fvi_json *m = own && own->kind == FVI_JSON_ARRAY ? own->child : NULL; m; m = m->next) {
        char name[16];
        snprintf(name, sizeof name, "#%d", n++);
        take(p->metrics, &p->n_metrics, FVI_METRICS_MAX, name, m);
    }
}

fv_status fvi_position_parse(fv_context *ctx, fvi_arena *arena, const char *path, const char *text, fvi_position *p)
{
    fvi_json *v;
    FVI_TRY(ctx, fvi_json_parse(ctx, arena, path, text, strlen(text), false, &v));
    *p = (fvi_position){.step = integer_of(v, "step", -1), .epoch = integer_of(v, "epoch", -1), .index = integer_of(v, "index", -1),
                        .batches = integer_of(v, "batches", 0), .batch_size = integer_of(v, "batch_size", 0), .seed = integer_of(v, "seed", 0),
                        .validated_step = integer_of(v, "validated_step", -1), .best_step = integer_of(v, "best_step", -1),
                        .bad_checks = integer_of(v, "bad_checks", 0), .threads = integer_of(v, "threads", 0), .best = number_of(v, "best"),
                        .last_loss = number_of(v, "last_loss"), .last_norm = number_of(v, "last_norm")};
    p->samples = integer_of(v, "samples", 0);
    read_metrics(v, p);
    const fvi_json *plateau = fvi_json_get(v, "plateau");
    p->plateau = (fvi_plateau){.seen = integer_of(plateau, "seen", 0), .bad = integer_of(plateau, "bad", 0), .cooldown = integer_of(plateau, "cooldown", 0),
                               .reductions = integer_of(plateau, "reductions", 0), .best = plateau ? number_of(plateau, "best") : 0};
    p->last_rate = number_of(v, "last_rate");
    p->validated_epoch = number_of(v, "validated_epoch");
    const fvi_json *measured = fvi_json_get(v, "measured");
    if (measured && measured->kind == FVI_JSON_STRING && strspn(measured->string, "0123456789abcdef") == strlen(measured->string))
        snprintf(p->measured, sizeof p->measured, "%s", measured->string);
    p->stop_best = fvi_json_get(v, "stop_best") ? number_of(v, "stop_best") : p->best;       /* versions before it had one for both */
    const fvi_json *finished = fvi_json_get(v, "finished");
    p->finished = finished && finished->kind == FVI_JSON_BOOL && finished->number != 0;
    /* Those that may be -1 (none yet) stand first. */
    const int64_t counts[] = {p->validated_step, p->best_step, p->step, p->epoch, p->index, p->batches, p->batch_size, p->bad_checks, p->threads,
                              p->samples, p->plateau.seen, p->plateau.bad, p->plateau.cooldown, p->plateau.reductions};
    for (int i = 0; i < FVI_COUNT(counts); i++)
        if (counts[i] < (i < 2 ? -1 : 0) || counts[i] > most)
            return fvi_fail(ctx, FV_ERROR_FORMAT, "%s holds an impossible position; restore the file, or start again with --new", path);
    return FV_OK;
}
