/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes the reader of event files: the bytes as a file, and, since a check sum keeps a fuzzer out, as one message too. */
#include "io/events.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void decode(const unsigned char *payload, size_t bytes)
{
    fvi_arena arena = {0};
    fvi_event e;
    if (fvi_event_decode(NULL, "fuzz", payload, bytes, &arena, &e) == FV_OK)
        for (int i = 0; i < e.n_values; i++) {
            const fvi_event_value *v = &e.values[i];
            if (!v->tag || (v->png && (v->png < payload || v->png + v->png_bytes > payload + bytes))) __builtin_trap();
        }
    fvi_arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    fvi_event_reader r = {.name = "fuzz", .data = data, .bytes = bytes};
    const unsigned char *payload;
    size_t n;
    while (fvi_event_next(&r, &payload, &n) == FV_OK && payload) decode(payload, n);
    decode(data, bytes);
    return 0;
}
