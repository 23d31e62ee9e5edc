/* SPDX-License-Identifier: Apache-2.0 */
/* Picture readers: the pixels of Pillow for files of every kind (tests/golden/decode.txt), smaller DCTs, alpha, and a
 * table of bad files with what must be said about each. */
#include "test.h"

#include "base/file.h"
#include "image/codec.h"

#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h>

#define CORPUS FOVEA_TESTS_DIR "/fuzz/corpus/"

static uint64_t fnv(const fvi_picture *p)
{
    uint64_t h = 0xCBF29CE484222325u;
    for (int i = 0; i < p->width * p->height; i++)
        for (int c = 0; c < 3; c++) h = (h ^ p->pixels[4 * i + c]) * 0x100000001B3u;
    return h;
}

static uint8_t *load(const char *name, size_t *bytes)
{
    char path[512], *data = NULL;
    snprintf(path, sizeof path, CORPUS "%s", name);
    if (fvi_file_read(NULL, path, 1 << 20, &data, bytes) != FV_OK) printf("    cannot read %s\n", path);
    return (uint8_t *)data;
}

static void pixels_of_pillow(void)
{
    FILE *f = fopen(FOVEA_TESTS_DIR "/golden/decode.txt", "r");
    CHECK(f);
    char name[64];
    int w, h, cases = 0;
    uint64_t want;
    fvi_picture p = {0};
    while (fscanf(f, "%63s %d %d %" SCNx64, name, &w, &h, &want) == 4) {
        size_t bytes;
        fvi_image_info info;
        uint8_t *data = load(name, &bytes);
        CHECK(data);
        CHECK_EQ(fvi_image_probe(NULL, name, data, bytes, NULL, &info), FV_OK);
        CHECK_EQ(info.width, w);
        CHECK_EQ(info.height, h);
        CHECK_EQ(fvi_image_decode(NULL, name, data, bytes, NULL, &p, &info), FV_OK);
        CHECK_EQ(p.width, w);
        CHECK_EQ(p.height, h);
        CHECK_EQ(info.warnings, 0);
        CHECK_MSG(fnv(&p) == want, "%s: the pixels differ from Pillow's", name);
        free(data);
        cases++;
    }
    fclose(f);
    fvi_picture_free(&p);
    CHECK(cases > 55);
}

/* The orientation tag as a number of each kind; Pillow takes whole numbers and leaves bytes and text alone. */
static void orientation_of_each_type(void)
{
    static const struct { int type, count, want; } rows[] = {{1, 1, 1}, {2, 2, 1}, {3, 1, 6}, {3, 2, 6}, {3, 3, 1}, {4, 1, 6}, {4, 2, 1}, {5, 1, 1},
                                                             {6, 1, 6}, {7, 1, 1}, {8, 1, 6}, {9, 1, 6}, {11, 1, 1}, {13, 1, 6}, {3, 0, 1}};
    for (int i = 0; i < FVI_COUNT(rows); i++) {
        uint8_t block[26] = "II*\0\x08\0\0\0\1\0\x12\1";
        block[12] = (uint8_t)rows[i].type;
        block[14] = (uint8_t)rows[i].count;
        block[18] = 6;
        CHECK_MSG(fvi_exif_orientation(block, sizeof block) == rows[i].want, "type %d, %d of it", rows[i].type, rows[i].count);
        block[10] = 0x13;
        CHECK_EQ(fvi_exif_orientation(block, sizeof block), 0);
    }
}

/* Grey of 16 bits whose data have 12 is nearly black: read as it stands, and said. */
static void dark_grey_is_said(void)
{
    size_t bytes;
    fvi_image_info info;
    fvi_picture p = {0};
    uint8_t *data = load("png/dark.png", &bytes);
    CHECK(data);
    CHECK_EQ(fvi_image_decode(NULL, "x", data, bytes, NULL, &p, &info), FV_OK);
    CHECK_EQ(p.pixels[4 * 31], 31 * 132 >> 8);
    CHECK_EQ(info.warnings, 1);
    CHECK_HAS(info.warning, "nearly black");
    free(data);
    static const char pgm[] = "P5 1 2 65535\n\x0F\xFF\0\0", light[] = "P5 1 2 65535\n\x11\xFF\0\0";
    CHECK_EQ(fvi_image_decode(NULL, "x", (const uint8_t *)pgm, sizeof pgm - 1, NULL, &p, &info), FV_OK);
    CHECK_HAS(info.warning, "nearly black");
    CHECK_EQ(fvi_image_decode(NULL, "x", (const uint8_t *)light, sizeof light - 1, NULL, &p, &info), FV_OK);
    CHECK_EQ(info.warnings, 0);
    fvi_picture_free(&p);
}

/* What the first frame does not cover is transparent where alpha counts, whatever colour lies below. */
static void gif_outside_of_its_frame(void)
{
    static const char *const files[] = {"gif/part.gif", "gif/part_clear.gif"};
    fvi_picture p = {0};
    for (int i = 0; i < FVI_COUNT(files); i++) {
        size_t bytes;
        uint8_t *data = load(files[i], &bytes);
        CHECK(data);
        CHECK_EQ(fvi_image_decode(NULL, "x", data, bytes, &(fvi_decode_options){.alpha = FVI_ALPHA_WHITE}, &p, NULL), FV_OK);
        CHECK_EQ(p.pixels[0], 255);
        CHECK_EQ(p.pixels[4 * (5 * 40 + 10)], 10);       /* the frame's first pixel */
        free(data);
    }
    fvi_picture_free(&p);
}

static void keeps_orientation_when_asked(void)
{
    size_t bytes;
    fvi_image_info info;
    fvi_picture p = {0};
    uint8_t *data = load("jpeg/turn6.jpg", &bytes);
    CHECK(data);
    CHECK_EQ(fvi_image_decode(NULL, "x", data, bytes, &(fvi_decode_options){.keep_orientation = true}, &p, &info), FV_OK);
    CHECK_EQ(info.orientation, 6);
    CHECK_EQ(p.width, 40);
    CHECK_EQ(p.height, 30);
    free(data);
    fvi_picture_free(&p);
}

static void smaller_dcts(void)
{
    size_t bytes;
    fvi_image_info info;
    fvi_picture p = {0};
    uint8_t *data = load("jpeg/turn6.jpg", &bytes);
    CHECK(data);
    for (int scale = 2; scale <= 8; scale *= 2) {
        CHECK_EQ(fvi_image_decode(NULL, "x", data, bytes, &(fvi_decode_options){.scale = scale}, &p, &info), FV_OK);
        CHECK_EQ(info.width, 30);                        /* of the full picture, turned */
        CHECK_EQ(p.width, (30 + scale - 1) / scale);
        CHECK_EQ(p.height, (40 + scale - 1) / scale);
        CHECK_EQ(info.scale, scale);
    }
    free(data);
    data = load("png/rgb.png", &bytes);
    CHECK_EQ(fvi_image_decode(NULL, "x", data, bytes, &(fvi_decode_options){.scale = 2}, &p, &info), FV_OK);
    CHECK_EQ(p.width, 40);
    CHECK_EQ(info.scale, 1);
    free(data);
    fvi_picture_free(&p);
}

/* A JPEG of noise and edges; samples: horizontal * 10 + vertical of the first component. */
static uint8_t *make_jpeg(int w, int h, int samples, bool progressive, int restart, unsigned long *bytes)
{
    struct jpeg_compress_struct c;
    struct jpeg_error_mgr errors;
    uint8_t *data = NULL, *row = malloc(3 * (size_t)w);
    c.err = jpeg_std_error(&errors);
    jpeg_create_compress(&c);
    jpeg_mem_dest(&c, &data, bytes);
    c.image_width = (JDIMENSION)w;
    c.image_height = (JDIMENSION)h;
    c.input_components = 3;
    c.in_color_space = JCS_RGB;
    jpeg_set_defaults(&c);
    jpeg_set_quality(&c, 90, TRUE);
    if (samples) c.comp_info[0].h_samp_factor = samples / 10, c.comp_info[0].v_samp_factor = samples % 10;
    else jpeg_set_colorspace(&c, JCS_GRAYSCALE);
    c.restart_interval = (unsigned)restart;
    if (progressive) jpeg_simple_progression(&c);
    jpeg_start_compress(&c, TRUE);
    for (int y = 0; y < h && row; y++) {
        for (int i = 0; i < 3 * w; i++) row[i] = (uint8_t)((((i / 3 + y) / 8 & 1) ? 200 : 20) + (((unsigned)(i + 3 * w * y) * 2654435761u) >> 27) + 8 * (i % 3));
        jpeg_write_scanlines(&c, &row, 1);
    }
    jpeg_finish_compress(&c);
    jpeg_destroy_compress(&c);
    free(row);
    return data;
}

/* Is the wanted part that of the whole picture, whatever is around it? */
static bool part_is_equal(const uint8_t *data, size_t bytes, const fvi_picture *whole, const int part[4])
{
    static fvi_picture p;
    fvi_image_info info;
    const fvi_decode_options o = {.part = {part[0], part[1], part[2], part[3]}};
    if (whole->width == 0) {
        fvi_picture_free(&p);
        return true;
    }
    if (fvi_image_decode(NULL, "x", data, bytes, &o, &p, &info) != FV_OK || p.width != whole->width || p.height != whole->height) return false;
    for (int y = part[1]; y < part[3]; y++) {
        const size_t at = 4 * ((size_t)y * (size_t)p.width + (size_t)part[0]);
        if (memcmp(p.pixels + at, whole->pixels + at, 4 * (size_t)(part[2] - part[0]))) return false;
    }
    return true;
}

static void parts_are_those_of_the_whole(void)
{
    static const struct { int w, h, samples, restart; bool progressive; } rows[] = {
        {203, 157, 22, 0, false}, {203, 157, 21, 0, false}, {203, 157, 11, 0, false}, {203, 157, 12, 0, false}, {203, 157, 41, 0, false}, {203, 157, 0, 0, false},
        {203, 157, 22, 5, false}, {203, 157, 22, 0, true}, {16, 16, 22, 0, false}, {17, 5, 22, 0, false}, {1, 40, 22, 0, false}, {40, 1, 21, 0, false},
        {320, 64, 22, 0, false}, {33, 300, 21, 3, false}};
    unsigned state = 1;
    for (int i = 0; i < FVI_COUNT(rows); i++) {
        unsigned long bytes = 0;
        uint8_t *data = make_jpeg(rows[i].w, rows[i].h, rows[i].samples, rows[i].progressive, rows[i].restart, &bytes);
        fvi_picture whole = {0};
        fvi_image_info info;
        const int w = rows[i].w, h = rows[i].h;
        CHECK(data);
        CHECK_EQ(fvi_image_decode(NULL, "x", data, bytes, NULL, &whole, &info), FV_OK);
        for (int k = 0; k < 400; k++) {
            int v[4];
            for (int n = 0; n < 4; n++) state = state * 1664525u + 1013904223u, v[n] = (int)(state >> 8) % (n % 2 ? h : w);
            const int part[4] = {FVI_MIN(v[0], v[2]), FVI_MIN(v[1], v[3]), FVI_MAX(v[0], v[2]) + 1, FVI_MAX(v[1], v[3]) + 1};
            CHECK_MSG(part_is_equal(data, bytes, &whole, part), "%d x %d, sampling %d: pixels of %d, %d to %d, %d differ", w, h, rows[i].samples, part[0], part[1], part[2],
                      part[3]);
        }
        /* A file that is cut below the part is as bad as ever; bytes behind its end change nothing. */
        if (bytes > 3000) {
            fvi_picture p = {0};
            const fvi_decode_options o = {.part = {1, 1, 9, 9}};
            CHECK_EQ(fvi_image_decode(NULL, "x", data, bytes * 4 / 5, &o, &p, &info), FV_ERROR_FORMAT);
            uint8_t *longer = calloc(1, bytes + 100);
            CHECK(longer);
            memcpy(longer, data, bytes);
            CHECK(part_is_equal(longer, bytes + 100, &whole, (const int[4]){3, 3, 15, 15}));
            free(longer);
            fvi_picture_free(&p);
        }
        fvi_picture_free(&whole);
        free(data);
    }
    part_is_equal(NULL, 0, &(fvi_picture){0}, (const int[4]){0});
}

static void alpha_over_a_colour(void)
{
    size_t bytes;
    fvi_image_info info;
    fvi_picture p = {0}, q = {0};
    uint8_t *data = load("png/rgba.png", &bytes);
    CHECK(data);
    CHECK_EQ(fvi_image_decode(NULL, "x", data, bytes, NULL, &p, &info), FV_OK);
    CHECK(info.alpha);
    CHECK_EQ(fvi_image_decode(NULL, "x", data, bytes, &(fvi_decode_options){.alpha = FVI_ALPHA_WHITE}, &q, &info), FV_OK);
    for (int i = 0; i < 4 * 40 * 30; i++) {
        int a = p.pixels[i / 4 * 4 + 3];
        if (i % 4 < 3) CHECK_EQ(q.pixels[i], (p.pixels[i] * a + 255 * (255 - a) + 127) / 255);
    }
    free(data);
    fvi_picture_free(&p);
    fvi_picture_free(&q);
}

/* ---- bad files -------------------------------------------------------------------------------------------------------- */

static void put32(uint8_t *p, uint32_t v, bool big)
{
    for (int i = 0; i < 4; i++) p[i] = (uint8_t)(v >> (big ? 24 - 8 * i : 8 * i));
}

/* CRC-32 of PNG. */
static uint32_t crc(const uint8_t *p, size_t n)
{
    uint32_t c = 0xFFFFFFFFu;
    for (size_t i = 0; i < n; i++) {
        c ^= p[i];
        for (int k = 0; k < 8; k++) c = c & 1 ? 0xEDB88320u ^ c >> 1 : c >> 1;
    }
    return ~c;
}

/* What is done to a good file: bytes written at `at` (negative: from the end), then cut to `keep` per cent. */
typedef struct bad_case {
    const char *name, *file;
    int keep;                            /* per cent; 100: all */
    int at, n;
    const char *patch;
    fv_status status;
    const char *says;
} bad_case;

static const bad_case bad_cases[] = {
    {"empty", "jpeg/plain.jpg", 0, 0, 0, "", FV_ERROR_FORMAT, "the file is empty"},
    {"text", "jpeg/plain.jpg", 100, 0, 6, "hello\n", FV_ERROR_FORMAT, "not a picture"},
    {"tiff", "jpeg/plain.jpg", 100, 0, 4, "II*\0", FV_ERROR_UNSUPPORTED, "TIFF"},
    {"jpeg half", "jpeg/plain.jpg", 80, 0, 0, "", FV_ERROR_FORMAT, "truncated JPEG"},
    {"jpeg almost", "jpeg/plain.jpg", 97, 0, 0, "", FV_ERROR_FORMAT, "truncated JPEG"},
    {"jpeg header", "jpeg/plain.jpg", 20, 0, 0, "", FV_ERROR_FORMAT, "JPEG"},
    {"jpeg progressive half", "jpeg/progressive.jpg", 60, 0, 0, "", FV_ERROR_FORMAT, "truncated JPEG"},
    {"png half", "png/rgb.png", 50, 0, 0, "", FV_ERROR_FORMAT, "truncated PNG"},
    {"png header", "png/rgb.png", 5, 0, 0, "", FV_ERROR_FORMAT, "truncated PNG"},
    {"png crc", "png/rgb.png", 100, 16, 4, "\0\0\0\x29", FV_ERROR_FORMAT, "damaged PNG"},
    {"png signature", "png/rgb.png", 100, 1, 3, "pNg", FV_ERROR_FORMAT, "not a picture"},
    {"webp half", "webp/lossy.webp", 50, 0, 0, "", FV_ERROR_FORMAT, "truncated WebP"},
    {"webp lossless half", "webp/lossless.webp", 50, 0, 0, "", FV_ERROR_FORMAT, "WebP"},
    {"webp animation half", "webp/animated.webp", 20, 0, 0, "", FV_ERROR_FORMAT, "WebP"},
    {"webp damaged", "webp/lossy.webp", 100, 20, 6, "\xFF\xFF\xFF\xFF\xFF\xFF", FV_ERROR_FORMAT, "damaged WebP"},
    {"gif half", "gif/plain.gif", 50, 0, 0, "", FV_ERROR_FORMAT, "truncated GIF"},
    {"gif header", "gif/plain.gif", 2, 0, 0, "", FV_ERROR_FORMAT, "truncated GIF"},
    {"gif bomb", "gif/plain.gif", 100, 6, 4, "\xFF\xFF\xFF\xFF", FV_ERROR_FORMAT, "65535 x 65535"},
    {"gif flat", "gif/plain.gif", 100, 13 + 3 * 64 + 5, 2, "\0\0", FV_ERROR_FORMAT, "0 x 30"},
    {"gif beyond", "gif/plain.gif", 100, 13 + 3 * 64 + 1, 4, "\xFF\xFF\xFF\xFF", FV_ERROR_FORMAT, "65575 x 65565"},
    {"gif no frame", "gif/plain.gif", 100, 13 + 3 * 64, 1, ";", FV_ERROR_FORMAT, "GIF without a frame"},
    {"bmp half", "bmp/rgb.bmp", 50, 0, 0, "", FV_ERROR_FORMAT, "truncated BMP"},
    {"bmp header", "bmp/rgb.bmp", 1, 0, 0, "", FV_ERROR_FORMAT, "truncated BMP"},
    {"bmp bomb", "bmp/rgb.bmp", 100, 18, 8, "\xFF\xFF\0\0\xFF\xFF\0\0", FV_ERROR_FORMAT, "65535 x 65535"},
    {"bmp huge", "bmp/rgb.bmp", 100, 18, 8, "\xDC\x05\0\0\xDC\x05\0\0", FV_ERROR_FORMAT, "truncated BMP"},
    {"bmp lowest height", "bmp/rgb.bmp", 100, 22, 4, "\0\0\0\x80", FV_ERROR_FORMAT, "limits"},
    {"bmp bits", "bmp/rgb.bmp", 100, 28, 2, "\x07\0", FV_ERROR_FORMAT, "7 bits"},
    {"bmp jpeg inside", "bmp/rgb.bmp", 100, 30, 4, "\4\0\0\0", FV_ERROR_UNSUPPORTED, "compression 4"},
    {"bmp header size", "bmp/rgb.bmp", 100, 14, 4, "\x11\0\0\0", FV_ERROR_FORMAT, "a header of 17 bytes"},
    {"bmp pixels outside", "bmp/rgb.bmp", 100, 10, 4, "\xFF\xFF\xFF\x7F", FV_ERROR_FORMAT, "in its pixels"},
    {"bmp mask", "bmp/bits16.bmp", 100, 54, 4, "\x05\xF8\0\0", FV_ERROR_FORMAT, "has a hole"},
    {"bmp rle cut", "bmp/rle8.bmp", 95, 0, 0, "", FV_ERROR_FORMAT, "truncated BMP"},
    {"bmp palette cut", "bmp/palette.bmp", 10, 0, 0, "", FV_ERROR_FORMAT, "colour table"},
    {"ppm cut", "pnm/rgb.ppm", 90, 0, 0, "", FV_ERROR_FORMAT, "truncated PNM"},
    {"ppm text", "pnm/rgb.ppm", 100, 3, 2, "xx", FV_ERROR_FORMAT, "damaged PNM"},
};

static void bad_files(void)
{
    fv_context *ctx = fv_context_create();
    fvi_picture p = {0};
    for (int i = 0; i < FVI_COUNT(bad_cases); i++) {
        const bad_case *c = &bad_cases[i];
        size_t bytes;
        fvi_image_info info;
        uint8_t *data = load(c->file, &bytes);
        CHECK(data);
        memcpy(data + c->at, c->patch, (size_t)c->n);
        size_t keep = c->keep == 100 ? bytes : bytes * (size_t)c->keep / 100;
        uint8_t *exact = malloc(keep ? keep : 1);        /* so that sanitizers see what is read behind it */
        memcpy(exact, data, keep);
        fv_status status = fvi_image_decode(ctx, c->name, exact, keep, NULL, &p, &info);
        CHECK_MSG(status == c->status, "%s: %s (%s)", c->name, fv_status_text(status), status == FV_OK ? "" : fv_error_message(ctx));
        CHECK_HAS(fv_error_message(ctx), c->says);
        CHECK_MSG(!strncmp(fv_error_message(ctx), c->name, strlen(c->name)), "%s: not named: %s", c->name, fv_error_message(ctx));
        free(data);
        free(exact);
    }
    fvi_picture_free(&p);
    fv_context_destroy(ctx);
}

/* Headers that ask for more than there is: refused before anything is allocated. */
static void bombs(void)
{
    fv_context *ctx = fv_context_create();
    fvi_picture p = {0};
    size_t bytes;
    uint8_t *data = load("png/rgb.png", &bytes);
    CHECK(data);
    put32(data + 16, 60000, true);
    put32(data + 20, 60000, true);
    put32(data + 29, crc(data + 12, 17), true);
    CHECK_EQ(fvi_image_decode(ctx, "bomb.png", data, bytes, NULL, &p, NULL), FV_ERROR_FORMAT);
    CHECK_HAS(fv_error_message(ctx), "bomb.png: the header says 60000 x 60000");
    put32(data + 16, 0x7FFFFFFF, true);
    put32(data + 29, crc(data + 12, 17), true);
    CHECK_EQ(fvi_image_decode(ctx, "bomb.png", data, bytes, NULL, &p, NULL), FV_ERROR_FORMAT);
    CHECK_HAS(fv_error_message(ctx), "2147483647 x 60000");
    free(data);

    data = load("jpeg/plain.jpg", &bytes);
    for (size_t i = 0; i + 9 < bytes; i++)
        if (data[i] == 0xFF && data[i + 1] == 0xC0) memcpy(data + i + 5, "\xFF\xDC\xFF\xDC", 4);
    CHECK_EQ(fvi_image_decode(ctx, "bomb.jpg", data, bytes, NULL, &p, NULL), FV_ERROR_FORMAT);
    CHECK_HAS(fv_error_message(ctx), "65500 x 65500");
    CHECK(!p.pixels);
    free(data);

    /* Scans of a progressive file, one of them a thousand times. */
    data = load("jpeg/progressive.jpg", &bytes);
    size_t last = 0;
    for (size_t i = 0; i + 1 < bytes; i++)
        if (data[i] == 0xFF && data[i + 1] == 0xDA) last = i;
    size_t scan = bytes - 2 - last, total = last + 1000 * scan + 2;
    uint8_t *many = malloc(total);
    memcpy(many, data, last);
    for (size_t i = 0; i < 1000; i++) memcpy(many + last + i * scan, data + last, scan);
    memcpy(many + total - 2, "\xFF\xD9", 2);
    CHECK_EQ(fvi_image_decode(ctx, "scans.jpg", many, total, NULL, &p, NULL), FV_ERROR_FORMAT);
    CHECK_HAS(fv_error_message(ctx), "more than 100 scans");
    free(many);
    free(data);
    fvi_picture_free(&p);
    fv_context_destroy(ctx);
}

/* Faults that do not touch the pixels, or little of them: read, and counted. */
static void forgives_and_counts(void)
{
    size_t bytes;
    fvi_image_info info;
    fvi_picture p = {0}, whole = {0};
    uint8_t *data = load("jpeg/plain.jpg", &bytes);
    CHECK(data);
    CHECK_EQ(fvi_image_decode(NULL, "x", data, bytes, NULL, &whole, &info), FV_OK);
    CHECK_EQ(fvi_image_decode(NULL, "x", data, bytes - 2, NULL, &p, &info), FV_OK);              /* without its end mark */
    CHECK(!memcmp(p.pixels, whole.pixels, 4 * 40 * 30));
    memset(data + bytes - 60, 0x55, 20);                                                        /* wrong codes in the middle */
    fv_status status = fvi_image_decode(NULL, "x", data, bytes, NULL, &p, &info);
    CHECK_EQ(status, FV_OK);
    free(data);
    fvi_picture_free(&p);
    fvi_picture_free(&whole);
}

/* Every file cut at every length: an error or a picture, never more. */
static void cut_anywhere(void)
{
    static const char *const files[] = {"jpeg/cmyk.jpg", "jpeg/progressive.jpg", "png/palette_clear.png", "webp/animated.webp", "webp/lossless.webp",
                                        "gif/interlaced.gif", "gif/animated.gif", "gif/part_beyond.gif", "jpeg/turn_xmp.jpg", "png/turn_profile.png",
                                        "bmp/rle8.bmp", "bmp/rgba.bmp", "pnm/grey.pgm"};
    fvi_picture p = {0};
    for (int i = 0; i < FVI_COUNT(files); i++) {
        size_t bytes;
        int ok = 0;
        uint8_t *data = load(files[i], &bytes);
        CHECK(data);
        for (size_t n = 0; n < bytes; n += n < 700 ? 1 : 23) {
            uint8_t *exact = malloc(n ? n : 1);
            memcpy(exact, data, n);
            ok += fvi_image_decode(NULL, "x", exact, n, NULL, &p, NULL) == FV_OK;
            free(exact);
        }
        CHECK_MSG(ok * 2 < (int)bytes, "%s: %d cut files were taken for whole", files[i], ok);
        free(data);
    }
    fvi_picture_free(&p);
}

static void out_of_memory(void)
{
    fv_context *ctx = fv_context_create();
    static const char *const files[] = {"jpeg/turn6.jpg", "png/rgb.png", "png/turn_xmp_packed.png", "webp/animated.webp", "gif/plain.gif", "bmp/rgb.bmp"};
    for (int i = 0; i < FVI_COUNT(files); i++) {
        size_t bytes;
        fv_status status = FV_ERROR_NOMEM;
        uint8_t *data = load(files[i], &bytes);
        CHECK(data);
        for (int n = 1; n < 20 && status != FV_OK; n++) {
            fvi_picture p = {0};
            fvi_memory_set_fault(n);
            status = fvi_image_decode(ctx, "x", data, bytes, NULL, &p, NULL);
            fvi_memory_set_fault(0);
            CHECK(status == FV_OK || status == FV_ERROR_NOMEM);
            fvi_picture_free(&p);
        }
        CHECK_EQ(status, FV_OK);
        free(data);
    }
    fv_context_destroy(ctx);
}

TEST_MAIN(CASE(pixels_of_pillow), CASE(orientation_of_each_type), CASE(dark_grey_is_said), CASE(gif_outside_of_its_frame),
          CASE(keeps_orientation_when_asked), CASE(smaller_dcts), CASE(parts_are_those_of_the_whole), CASE(alpha_over_a_colour), CASE(bad_files), CASE(bombs),
          CASE(forgives_and_counts), CASE(cut_anywhere), CASE(out_of_memory))
