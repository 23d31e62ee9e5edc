/* SPDX-License-Identifier: Apache-2.0 */
/* Protocol buffers, the wire format alone: which field numbers mean what is said where they are used (src/onnx, event
 * files). The reader borrows the bytes, copies nothing and does not recurse; what does not fit is a FORMAT error that names
 * the file and the byte. */
#ifndef FVI_PROTOBUF_H
#define FVI_PROTOBUF_H

#include "base/base.h"

typedef enum fvi_pb_wire { FVI_PB_VARINT = 0, FVI_PB_FIXED64 = 1, FVI_PB_BYTES = 2, FVI_PB_FIXED32 = 5 } fvi_pb_wire;

enum { FVI_PB_DEPTH = 32, FVI_PB_LAST_FIELD = (1 << 29) - 1 };

/* ---- writing ---- */

/* A zeroed struct is an empty message. Memory that runs out is remembered in `failed`; then nothing is added any more. */
typedef struct fvi_pb {
    unsigned char *data;
    size_t bytes, capacity;
    size_t start[FVI_PB_DEPTH];          /* of the open sub-messages */
    int depth;
    bool failed;
} fvi_pb;

void fvi_pb_free(fvi_pb *p);
/* int32, int64, bool and enum; a negative number takes ten bytes, as the format wants. */
void fvi_pb_int(fvi_pb *p, int field, int64_t value);
void fvi_pb_float(fvi_pb *p, int field, float value);
void fvi_pb_double(fvi_pb *p, int field, double value);
void fvi_pb_bytes(fvi_pb *p, int field, const void *data, size_t bytes);
void fvi_pb_string(fvi_pb *p, int field, const char *text);
/* A sub-message: what is written up to the matching end. */
void fvi_pb_begin(fvi_pb *p, int field);
void fvi_pb_end(fvi_pb *p);
/* Fields that were written elsewhere (`fields` is kept), or the bytes that were announced. */
void fvi_pb_append(fvi_pb *p, const fvi_pb *fields);
/* Packed repeats. */
void fvi_pb_ints(fvi_pb *p, int field, const int64_t *values, size_t n);
void fvi_pb_floats(fvi_pb *p, int field, const float *values, size_t n);
void fvi_pb_doubles(fvi_pb *p, int field, const double *values, size_t n);
/* Tag and length of `bytes` bytes that the caller writes by himself behind it: large tensors need not be copied. */
void fvi_pb_announce(fvi_pb *p, int field, uint64_t bytes);

/* ---- reading ---- */

/* What all readers of one file share; the first error stays in `status`, and then every reader is at its end. */
typedef struct fvi_pb_source {
    fv_context *ctx;
    const char *name;                    /* of the file, for messages; borrowed */
    const unsigned char *data;
    size_t bytes;
    fv_status status;
} fvi_pb_source;

/* One message, being read. */
typedef struct fvi_pb_reader { fvi_pb_source *source; const unsigned char *at, *end; int depth; } fvi_pb_reader;

typedef struct fvi_pb_field {
    int number;
    fvi_pb_wire wire;
    uint64_t value;                      /* VARINT; the bits of FIXED64 and FIXED32 */
    const unsigned char *data;           /* BYTES, borrowed */
    size_t bytes;
    size_t offset;                       /* of the field in the file */
    bool taken;                          /* fvi_pb_number gave the only value */
} fvi_pb_field;

/* The whole of the source as a message. */
fvi_pb_reader fvi_pb_read(fvi_pb_source *s);
/* The next field; false at the end, and after an error: look at source->status when the loop is over. Fields that the
 * caller does not know are passed over by not looking at them. */
bool fvi_pb_next(fvi_pb_reader *r, fvi_pb_field *f);
/* The sub-message in a field; empty after an error. */
fvi_pb_reader fvi_pb_enter(const fvi_pb_reader *r, const fvi_pb_field *f);
/* Values of a field that must have this kind; 0 or "" after an error. */
int64_t fvi_pb_get_int(const fvi_pb_reader *r, const fvi_pb_field *f);
float fvi_pb_get_float(const fvi_pb_reader *r, const fvi_pb_field *f);
double fvi_pb_get_double(const fvi_pb_reader *r, const fvi_pb_field *f);
/* Copied into the arena; must be UTF-8 without NUL. */
const char *fvi_pb_get_string(const fvi_pb_reader *r, const fvi_pb_field *f, fvi_arena *arena);
/* One after the other the numbers of a repeated field, packed or not; false when there is no further one.
 * `wire`: how one number is stored. */
bool fvi_pb_number(const fvi_pb_reader *r, fvi_pb_field *f, fvi_pb_wire wire, uint64_t *value);
/* Sets the source's status with a message about the field: "FILE: byte 12: field 3: ...". */
void fvi_pb_fail(const fvi_pb_reader *r, const fvi_pb_field *f, const char *fmt, ...) FV_PRINTF(3, 4);

#endif
