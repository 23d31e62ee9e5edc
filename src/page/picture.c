/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures inside of pages and JSON: PNG data as a URI. */
#include "page/picture.h"

#define PNG_URI "data:image/png;base64,"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *fvi_png_uri(const uint8_t *png, size_t bytes)
{
    size_t head = sizeof PNG_URI - 1;
    char *text = fvi_malloc(head + (bytes + 2) / 3 * 4 + 1), *out = text;
    if (!text) return NULL;
    memcpy(out, PNG_URI, head);
    out += head;
    for (size_t i = 0; i < bytes; i += 3) {
        uint32_t v = (uint32_t)png[i] << 16 | (i + 1 < bytes ? (uint32_t)png[i + 1] << 8 : 0) | (i + 2 < bytes ? png[i + 2] : 0);
        *out++ = alphabet[v >> 18];
        *out++ = alphabet[v >> 12 & 63];
        *out++ = i + 1 < bytes ? alphabet[v >> 6 & 63] : '=';
        *out++ = i + 2 < bytes ? alphabet[v & 63] : '=';
    }
    *out = 0;
    return text;
}

/* Nothing but base64 behind the head: the text goes into an attribute of a page. */
bool fvi_is_png_uri(const char *uri)
{
    size_t head = sizeof PNG_URI - 1;
    if (strncmp(uri, PNG_URI, head) != 0) return false;
    size_t body = strspn(uri + head, alphabet), pad = strspn(uri + head + body, "=");
    return pad <= 2 && uri[head + body + pad] == 0;
}

