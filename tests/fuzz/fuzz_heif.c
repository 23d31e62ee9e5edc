/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes the reader of HEIC and AVIF pictures. */
#include "fuzz/picture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    return fuzz_picture(fvi_image_sniff(data, bytes) == FVI_IMAGE_AVIF ? FVI_IMAGE_AVIF : FVI_IMAGE_HEIC, data, bytes);
}
