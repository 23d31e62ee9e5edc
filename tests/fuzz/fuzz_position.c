/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes the position of a run that checkpoints hold: what is accepted can be written, and is read the same again. */
#include "train/position.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    fvi_arena arena = {0};
    fvi_position p;
    char *text = malloc(bytes + 1);                      /* exact size */
    if (!text) return 0;
    memcpy(text, data, bytes);
    text[bytes] = 0;
    if (fvi_position_parse(NULL, &arena, "fuzz", text, &p) == FV_OK) {
        if (p.step < 0 || p.epoch < 0 || p.index < 0 || p.n_metrics < 0 || p.n_metrics > FVI_METRICS_MAX || p.n_results < 0 || p.n_results > FVI_TRAIN_RESULTS) __builtin_trap();
        char *first = fvi_position_text(&p);
        if (!first || fvi_position_parse(NULL, &arena, "fuzz", first, &p) != FV_OK) __builtin_trap();
        char *second = fvi_position_text(&p);
        if (!second || strcmp(first, second)) __builtin_trap();
        fvi_free(first);
        fvi_free(second);
    }
    fvi_arena_free(&arena);
    free(text);
    return 0;
}
