/* SPDX-License-Identifier: Apache-2.0 */
/* A short sorted list: most samples are looked at once and left. */
#include "metrics/mistakes.h"

#include <math.h>

fv_status fvi_mistakes_init(fv_context *ctx, fvi_mistakes *m, int limit)
{
    *m = (fvi_mistakes){.limit = limit};
    m->items = fvi_calloc((size_t)limit, sizeof *m->items);
    return m->items ? FV_OK : fvi_nomem(ctx);
}

void fvi_mistakes_free(fvi_mistakes *m)
{
    fvi_free(m->items);
    memset(m, 0, sizeof *m);
}

/* Whether a stands in front of b. */
static bool worse(const fvi_mistake *a, const fvi_mistake *b)
{
    double x = isnan(a->loss) ? (double)INFINITY : a->loss, y = isnan(b->loss) ? (double)INFINITY : b->loss;
    return x > y || (x == y && a->id < b->id);
}

void fvi_mistakes_add(fvi_mistakes *m, int64_t id, int64_t truth, int64_t predicted, const float *scores, int64_t classes)
{
    double top = (double)-INFINITY, sum = 0;
    if (!m->limit || truth == predicted) return;
    for (int64_t k = 0; k < classes; k++) top = FVI_MAX(top, (double)scores[k]);
    for (int64_t k = 0; k < classes; k++) sum += exp((double)scores[k] - top);
    fvi_mistake e = {.id = id, .truth = truth, .predicted = predicted, .probability = exp((double)scores[predicted] - top) / sum,
                     .truth_probability = exp((double)scores[truth] - top) / sum, .loss = log(sum) - ((double)scores[truth] - top)};
    if (m->count == m->limit && !worse(&e, &m->items[m->count - 1])) return;
    int at = m->count < m->limit ? m->count++ : m->count - 1;
    for (; at > 0 && worse(&e, &m->items[at - 1]); at--) m->items[at] = m->items[at - 1];
    m->items[at] = e;
}
