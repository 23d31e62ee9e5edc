/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes IDX files, plain and packed: what is accepted is exactly as long as it says. */
#include "data/idx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    for (int rank = 1; rank <= 3; rank += 2) {
        fvi_idx x;
        if (fvi_idx_parse(NULL, "fuzz", data, bytes, rank, &x) != FV_OK) continue;
        int64_t n = 1;
        for (int i = 0; i < rank; i++) n *= x.dims[i];
        uint64_t sum = fvi_hash64(x.data, (size_t)n, 0);
        if (sum == 1 || n < 1) __builtin_trap();
        fvi_idx_free(&x);
    }
    return 0;
}
