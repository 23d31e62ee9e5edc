/* SPDX-License-Identifier: Apache-2.0 */
/* safetensors: u64 header length, JSON header, raw little-endian data. The reader is strict: sorted by offset there is
 * no hole and no overlap, sizes are checked before anything is touched, and what does not fit is a FORMAT error that
 * names file and tensor. */
#ifndef FVI_SAFETENSORS_H
#define FVI_SAFETENSORS_H

#include "base/file.h"
#include "base/json.h"

/* X(name, bytes) */
#define FVI_ST_LIST(X) \
    X(BOOL, 1) X(U8, 1) X(I8, 1) X(I16, 2) X(U16, 2) X(F16, 2) X(BF16, 2) X(I32, 4) X(U32, 4) X(F32, 4) X(F64, 8) X(I64, 8) X(U64, 8)
typedef enum fvi_st_dtype {
#define FVI_ST_ENUM(name, bytes) FVI_ST_##name,
    FVI_ST_LIST(FVI_ST_ENUM)
#undef FVI_ST_ENUM
    FVI_ST_DTYPES
} fvi_st_dtype;
size_t fvi_st_size(fvi_st_dtype dtype);
const char *fvi_st_name(fvi_st_dtype dtype);
fvi_st_dtype fvi_st_from(fv_dtype dtype);

enum { FVI_ST_RANK = 8 };

typedef struct fvi_st_tensor {
    const char *name;
    fvi_st_dtype dtype;
    int rank;
    int64_t dims[FVI_ST_RANK];
    int64_t numel;
    size_t offset, bytes;                /* in the data section */
    const unsigned char *data;           /* not aligned */
} fvi_st_tensor;

typedef struct fvi_st_file {
    const char *path;                    /* for messages; in the arena */
    fvi_map map;                         /* of fvi_st_open */
    fvi_arena arena;
    fvi_st_tensor *tensors;              /* in order of their data */
    int count;
    const unsigned char *header, *data;  /* the two sections */
    size_t header_bytes, data_bytes;
    const fvi_json *metadata;            /* string -> string, or NULL */
} fvi_st_file;

FV_CHECKED fv_status fvi_st_open(fv_context *ctx, const char *path, fvi_st_file *out);
/* The same from memory, borrowed. */
FV_CHECKED fv_status fvi_st_parse(fv_context *ctx, const char *name, const unsigned char *bytes, size_t n, fvi_st_file *out);
void fvi_st_close(fvi_st_file *f);       /* a zeroed struct is allowed */
const fvi_st_tensor *fvi_st_find(const fvi_st_file *f, const char *name);
const char *fvi_st_metadata(const fvi_st_file *f, const char *key);       /* NULL when absent */
/* Copies the values as `dtype`; float types convert among each other, whole numbers to i64, anything else is an error. */
FV_CHECKED fv_status fvi_st_read(fv_context *ctx, const fvi_st_file *f, const fvi_st_tensor *t, fv_dtype dtype, void *out);

/* Files that fovea wrote carry a hash, XXH3-128 of header and data with zeros in the place of the hash, as their first
 * metadata entry. fvi_st_check: FORMAT when there is none or it differs. */
#define FVI_ST_HASH_KEY "fovea.hash"
#define FVI_ST_HASH_START "{\"__metadata__\":{\"" FVI_ST_HASH_KEY "\":\""
#define FVI_ST_HASH_AT (sizeof FVI_ST_HASH_START - 1)
FV_CHECKED fv_status fvi_st_check(fv_context *ctx, const fvi_st_file *f);

/* ---- writing ---- */
typedef struct fvi_st_entry { const char *name; fvi_st_dtype dtype; int rank; int64_t dims[FVI_ST_RANK]; } fvi_st_entry;
typedef struct fvi_st_pair { const char *key, *value; } fvi_st_pair;
typedef struct fvi_st_output {
    const fvi_st_entry *entries;
    int count;
    /* Puts the values of entry `index` into `buffer`. Called twice for each entry: for the hash, then for the file. */
    fv_status (*fetch)(void *user, int index, void *buffer);
    void *user;
    const fvi_st_pair *metadata;
    int n_metadata;
} fvi_st_output;
/* Writes aside and syncs; the caller commits (fvi_writer_commit) or aborts. `hash` gets the hash that is in the file. */
FV_CHECKED fv_status fvi_st_write(fv_context *ctx, const char *path, const fvi_st_output *o, char hash[33], fvi_writer **out);

#endif
