/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes the reader of BMP pictures. */
#include "fuzz/picture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    return fuzz_picture(FVI_IMAGE_BMP, data, bytes);
}
