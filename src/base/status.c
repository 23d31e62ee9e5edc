/* SPDX-License-Identifier: Apache-2.0 */
/* Constant facts of the public base header: texts of status codes, element types, version. */
#include "base/base.h"

#ifndef FOVEA_VERSION
#error "the build defines FOVEA_VERSION"
#endif

const char *fv_version(void)
{
    return FOVEA_VERSION;
}

const char *fv_status_text(fv_status status)
{
    switch (status) {
#define STATUS_CASE(name, number, text) case FV_##name: return text;
        FV_STATUS_LIST(STATUS_CASE)
#undef STATUS_CASE
    }
    return "unknown status";
}

static const struct { const char *name; size_t size; bool is_float; } dtypes[FV_DTYPE_COUNT] = {
    [FV_F32] = {"f32", 4, true}, [FV_F64] = {"f64", 8, true},   [FV_BF16] = {"bf16", 2, true}, [FV_F16] = {"f16", 2, true},
    [FV_I64] = {"i64", 8, false}, [FV_I32] = {"i32", 4, false}, [FV_U8] = {"u8", 1, false},    [FV_BOOL] = {"bool", 1, false},
};

static bool known(fv_dtype dtype)
{
    return (unsigned)dtype < (unsigned)FV_DTYPE_COUNT;
}

size_t fv_dtype_size(fv_dtype dtype)
{
    return known(dtype) ? dtypes[dtype].size : 0;
}

const char *fv_dtype_name(fv_dtype dtype)
{
    return known(dtype) ? dtypes[dtype].name : "unknown";
}

bool fv_dtype_is_float(fv_dtype dtype)
{
    return known(dtype) && dtypes[dtype].is_float;
}
