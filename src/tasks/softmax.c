/* SPDX-License-Identifier: Apache-2.0 */
#include "tasks/softmax.h"

#include <math.h>

bool fvi_softmax(const float *logits, int64_t classes, float *out)
{
    double most = (double)logits[0], sum = 0;
    for (int64_t c = 0; c < classes; c++) {
        if (!isfinite(logits[c])) return false;
        most = FVI_MAX(most, (double)logits[c]);
    }
    for (int64_t c = 0; c < classes; c++) sum += exp((double)logits[c] - most);
    for (int64_t c = 0; c < classes; c++) out[c] = (float)(exp((double)logits[c] - most) / sum);
    return true;
}

void fvi_top_classes(const float *values, int64_t classes, int k, int64_t *out)
{
    int n = 0;
    for (int64_t c = 0; c < classes; c++) {              /* the best so far stay sorted; few of them, so insertion is quick */
        if (n == k && values[c] <= values[out[k - 1]]) continue;
        int at = n < k ? n++ : k - 1;
        for (; at > 0 && values[c] > values[out[at - 1]]; at--) out[at] = out[at - 1];
        out[at] = c;
    }
}
