/* SPDX-License-Identifier: Apache-2.0 */
/* The one EXIF tag that matters to pixels: 0x0112, orientation, a SHORT in the first directory of a TIFF block. */
#include "image/codec.h"

int fvi_exif_orientation(const uint8_t *data, size_t bytes)
{
    if (bytes >= 6 && !memcmp(data, "Exif\0\0", 6)) {
        data += 6;
        bytes -= 6;
    }
    if (bytes < 8) return 1;
    bool little = data[0] == 'I' && data[1] == 'I', big = data[0] == 'M' && data[1] == 'M';
    if ((!little && !big) || (little ? fvi_le16(data + 2) : fvi_be16(data + 2)) != 42) return 1;
    size_t at = little ? fvi_le32(data + 4) : fvi_be32(data + 4);
    if (at > bytes || bytes - at < 2) return 1;
    unsigned entries = little ? fvi_le16(data + at) : fvi_be16(data + at);
    at += 2;
    for (unsigned i = 0; i < FVI_MIN(entries, 512u) && bytes - at >= 12; i++, at += 12) {
        const uint8_t *p = data + at;
        unsigned tag = little ? fvi_le16(p) : fvi_be16(p), type = little ? fvi_le16(p + 2) : fvi_be16(p + 2);
        uint32_t count = little ? fvi_le32(p + 4) : fvi_be32(p + 4);
        if (tag != 0x0112) continue;
        unsigned value = little ? fvi_le16(p + 8) : fvi_be16(p + 8);
        return type == 3 && count == 1 && value >= 1 && value <= 8 ? (int)value : 1;
    }
    return 1;
}
