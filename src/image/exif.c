/* SPDX-License-Identifier: Apache-2.0 */
/* The one thing that files tell beside their pixels and that matters to them: orientation. In EXIF tag 0x0112, a whole number in the
 * first directory of a TIFF block; in XMP tiff:Orientation, an attribute or an element, looked for as text, as Pillow does. */
#include "image/codec.h"

typedef struct tiff { const uint8_t *data; size_t bytes; bool little; } tiff;

static uint32_t read16(const tiff *t, size_t at) { return t->little ? fvi_le16(t->data + at) : fvi_be16(t->data + at); }
static uint32_t read32(const tiff *t, size_t at) { return t->little ? fvi_le32(t->data + at) : fvi_be32(t->data + at); }

/* Value of the entry at `at` when it is a whole number that stands in the entry itself; 0: it is not. */
static uint32_t entry_value(const tiff *t, size_t at)
{
    enum { SBYTE = 6, SHORT = 3, LONG = 4, SSHORT = 8, SLONG = 9, IFD = 13 };
    const uint32_t type = read16(t, at + 2), count = read32(t, at + 4);
    if (type == SBYTE && count >= 1 && count <= 4) return t->data[at + 8];
    if ((type == SHORT || type == SSHORT) && count >= 1 && count <= 2) return read16(t, at + 8);
    return (type == LONG || type == SLONG || type == IFD) && count == 1 ? read32(t, at + 8) : 0;
}

int fvi_exif_orientation(const uint8_t *data, size_t bytes)
{
    if (bytes >= 6 && !memcmp(data, "Exif\0\0", 6)) {
        data += 6;
        bytes -= 6;
    }
    if (bytes < 8) return 1;
    tiff t = {data, bytes, data[0] == 'I' && data[1] == 'I'};
    if ((!t.little && (data[0] != 'M' || data[1] != 'M')) || read16(&t, 2) != 42) return 1;
    size_t at = read32(&t, 4);
    if (at > bytes || bytes - at < 2) return 1;
    unsigned entries = read16(&t, at);
    at += 2;
    for (unsigned i = 0; i < FVI_MIN(entries, 512u) && bytes - at >= 12; i++, at += 12) {
        if (read16(&t, at) != 0x0112) continue;
        const uint32_t value = entry_value(&t, at);
        return value >= 1 && value <= 8 ? (int)value : 1;
    }
    return 0;
}

int fvi_xmp_orientation(const uint8_t *data, size_t bytes)
{
    static const char name[] = "tiff:Orientation";
    enum { LENGTH = sizeof name - 1 };
    const uint8_t *end = data + bytes;
    for (const uint8_t *p = data; (p = memmem(p, (size_t)(end - p), name, LENGTH));) {
        p += LENGTH;
        if (end - p >= 2 && *p == '>') p++;
        else if (end - p >= 3 && p[0] == '=' && p[1] == '"') p += 2;
        else continue;
        if (*p >= '0' && *p <= '9') return *p >= '1' && *p <= '8' ? *p - '0' : 1;
    }
    return 0;
}
