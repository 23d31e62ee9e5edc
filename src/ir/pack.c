/* SPDX-License-Identifier: Apache-2.0 */
/* Memory packing: intervals in time get offsets in one block. Largest first, each at the lowest place where it overlaps
 * nothing alive at the same time (the "greedy by size" of Pisarchyk and Lee, arXiv 2001.03288, section 4.2). */
#include "ir/plan.h"

#include <stdlib.h>

static int by_size(const void *a, const void *b)
{
    const fvi_interval *x = *(fvi_interval *const *)a, *y = *(fvi_interval *const *)b;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? 1 : -1;
    return x->first != y->first ? (x->first < y->first ? -1 : 1) : (x < y ? -1 : 1);
}

/* The lowest offset for x: `placed` is sorted by offset. */
static size_t lowest(const fvi_interval *x, fvi_interval *const *placed, int n)
{
    size_t at = 0;
    for (int i = 0; i < n; i++) {
        const fvi_interval *y = placed[i];
        if (y->last < x->first || y->first > x->last) continue;
        if (y->offset >= at + x->bytes) break;
        at = FVI_MAX(at, y->offset + FVI_ALIGN_UP(y->bytes, FVI_ALIGNMENT));
    }
    return at;
}

fv_status fvi_pack(fv_context *ctx, fvi_interval *items, int n, size_t *total)
{
    *total = 0;
    fvi_interval **order = fvi_malloc(((size_t)n + 1) * sizeof *order), **placed = fvi_malloc(((size_t)n + 1) * sizeof *placed);
    fv_status status = order && placed ? FV_OK : fvi_nomem(ctx);
    int count = 0, done = 0;
    for (int i = 0; i < n && status == FV_OK; i++)
        if (items[i].bytes) order[count++] = &items[i];
    if (status == FV_OK) qsort(order, (size_t)count, sizeof *order, by_size);
    for (int i = 0; i < count && status == FV_OK; i++) {
        fvi_interval *x = order[i];
        x->offset = lowest(x, placed, done);
        *total = FVI_MAX(*total, x->offset + FVI_ALIGN_UP(x->bytes, FVI_ALIGNMENT));
        int at = done++;
        for (; at > 0 && placed[at - 1]->offset > x->offset; at--) placed[at] = placed[at - 1];
        placed[at] = x;
    }
    fvi_free(order);
    fvi_free(placed);
    return status;
}
