/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes the safetensors reader: whatever is accepted is read through, value by value. */
#include "io/safetensors.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    fvi_st_file f;
    if (fvi_st_parse(NULL, "fuzz", data, bytes, &f) != FV_OK) return 0;
    size_t total = 0;
    for (int i = 0; i < f.count; i++) {
        const fvi_st_tensor *t = &f.tensors[i];
        total += t->bytes;
        double *out = malloc((size_t)t->numel * 8 + 1);  /* no more values than bytes: checked by the reader */
        if (out && (fvi_st_read(NULL, &f, t, FV_F64, out) != FV_OK) && t->dtype == FVI_ST_F32) __builtin_trap();
        free(out);
        if (!fvi_st_find(&f, t->name)) __builtin_trap();
    }
    if (total != f.data_bytes) __builtin_trap();
    fv_status checked = fvi_st_check(NULL, &f);
    (void)checked;
    fvi_st_close(&f);
    return 0;
}
