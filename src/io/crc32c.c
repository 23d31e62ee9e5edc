/* SPDX-License-Identifier: Apache-2.0 */
/* Four bits at a time: the table is short enough to be read, and event files are small. */
#include "io/crc32c.h"

uint32_t fvi_crc32c(const void *data, size_t bytes)
{
    /* Entry i: i run through four steps of the reflected polynomial 0x82F63B78. */
    static const uint32_t table[16] = {0x00000000, 0x105EC76F, 0x20BD8EDE, 0x30E349B1, 0x417B1DBC, 0x5125DAD3, 0x61C69362, 0x7198540D,
                                       0x82F63B78, 0x92A8FC17, 0xA24BB5A6, 0xB21572C9, 0xC38D26C4, 0xD3D3E1AB, 0xE330A81A, 0xF36E6F75};
    const unsigned char *p = data;
    uint32_t c = ~(uint32_t)0;
    for (size_t i = 0; i < bytes; i++) {
        c ^= p[i];
        c = table[c & 15] ^ c >> 4;
        c = table[c & 15] ^ c >> 4;
    }
    return ~c;
}
