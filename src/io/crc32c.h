/* SPDX-License-Identifier: Apache-2.0 */
/* CRC-32C (Castagnoli), the check sum of event files. "123456789" gives 0xE3069283. */
#ifndef FVI_CRC32C_H
#define FVI_CRC32C_H

#include <stddef.h>
#include <stdint.h>

uint32_t fvi_crc32c(const void *data, size_t bytes);

#endif
