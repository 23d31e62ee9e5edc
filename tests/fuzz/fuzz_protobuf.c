/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes the wire format's reader: every field with a length is read as a message, as text and as packed numbers, down to
 * the limit of depth; what is read as fields is written again and must read the same. */
#include "io/protobuf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void try_values(const fvi_pb_reader *r, fvi_pb_field f)
{
    static const fvi_pb_wire wires[] = {FVI_PB_VARINT, FVI_PB_FIXED64, FVI_PB_FIXED32};
    fvi_arena arena = {0};
    for (int i = 0; i < FVI_COUNT(wires); i++) {
        fvi_pb_source s = *r->source;                    /* an error of these attempts is no error of the file */
        fvi_pb_reader copy = {&s, r->at, r->end, r->depth};
        fvi_pb_field one = f;
        uint64_t v;
        size_t count = 0;
        while (fvi_pb_number(&copy, &one, wires[i], &v)) count++;
        if (count > FVI_MAX(f.bytes, (size_t)1)) __builtin_trap();
        const char *text = fvi_pb_get_string(&copy, &f, &arena);
        if (strlen(text) > f.bytes) __builtin_trap();
        double sum = fvi_pb_get_double(&copy, &f) + (double)fvi_pb_get_float(&copy, &f) + (double)fvi_pb_get_int(&copy, &f);
        (void)sum;
    }
    fvi_arena_free(&arena);
}

static fv_status reread(const fvi_pb *p, size_t fields)
{
    fvi_pb_source s = {.name = "again", .data = p->data, .bytes = p->bytes};
    fvi_pb_reader r = fvi_pb_read(&s);
    fvi_pb_field f;
    while (fvi_pb_next(&r, &f)) fields--;
    if (fields || s.status != FV_OK) __builtin_trap();
    return s.status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    fvi_pb_source s = {.name = "fuzz", .data = data, .bytes = bytes};
    fvi_pb_reader stack[FVI_PB_DEPTH + 2];
    int depth = 0;
    size_t fields = 0;
    fvi_pb again = {0};
    stack[0] = fvi_pb_read(&s);
    while (depth >= 0) {
        fvi_pb_field f;
        if (!fvi_pb_next(&stack[depth], &f)) {
            if (depth && s.status == FV_ERROR_FORMAT) s.status = FV_OK;      /* those bytes were no message */
            depth--;
            continue;
        }
        try_values(&stack[depth], f);
        if (!depth) {
            fields++;
            if (f.wire == FVI_PB_BYTES) fvi_pb_bytes(&again, f.number, f.data, f.bytes);
            else if (f.wire == FVI_PB_VARINT) fvi_pb_int(&again, f.number, (int64_t)f.value);
            else if (f.wire == FVI_PB_FIXED32) fvi_pb_float(&again, f.number, fvi_pb_get_float(&stack[0], &f));
            else fvi_pb_double(&again, f.number, fvi_pb_get_double(&stack[0], &f));
        }
        if (f.wire != FVI_PB_BYTES) continue;
        const fvi_pb_reader child = fvi_pb_enter(&stack[depth], &f);
        if (s.status == FV_OK) stack[++depth] = child;
        else s.status = FV_OK;                           /* too deep: that is refused, go on behind it */
    }
    if (!again.failed && s.status == FV_OK) s.status = reread(&again, fields);
    fvi_pb_free(&again);
    return 0;
}
