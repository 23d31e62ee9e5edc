/* SPDX-License-Identifier: Apache-2.0 */
/* TensorBoard event files: the bytes of its own writer (tools/golden/events.py), reading, check sums, cut tails, names. */
#include "test.h"

#include "base/file.h"
#include "io/crc32c.h"
#include "io/events.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const unsigned char picture[] = "\xfa\xfb\xfc\xfd\xfe\xffnot a picture";
static const fvi_event_value train[] = {{.tag = "train/loss", .scalar = 2.302585f}, {.tag = "train/lr", .scalar = 0.001f}};
static const fvi_event_value accuracy = {.tag = "val/\xe7\xb2\xbe\xe5\xba\xa6", .scalar = 0};
static const fvi_event_value painted = {.tag = "val/picture", .png = picture, .png_bytes = sizeof picture - 1, .width = 300, .height = 2, .channels = 3};

static void empty_folder(const char *path)
{
    DIR *dir = opendir(path);
    char name[600];
    for (struct dirent *d; dir && (d = readdir(dir));)
        if (d->d_name[0] != '.' && snprintf(name, sizeof name, "%s/%s", path, d->d_name) > 0) unlink(name);
    if (dir) closedir(dir);
}

static void write_golden(fv_context *ctx, char path[600])
{
    fvi_events *e;
    empty_folder("t_events");
    CHECK_EQ(fvi_events_open(ctx, "t_events", 7, 1700000000.5, &e), FV_OK);
    CHECK_EQ(fvi_events_add(e, &(fvi_event){1700000001.25, 8, NULL, false, train, 2}), FV_OK);
    CHECK_EQ(fvi_events_add(e, &(fvi_event){1700000002.0, 1000000000000, NULL, false, &accuracy, 1}), FV_OK);
    CHECK_EQ(fvi_events_add(e, &(fvi_event){1700000003.0, 0, NULL, false, &painted, 1}), FV_OK);
    snprintf(path, 600, "%s", fvi_events_path(e));
    fvi_events_close(e);
}

static void check_sum(void)
{
    CHECK_EQ(fvi_crc32c("123456789", 9), 0xE3069283);
    CHECK_EQ(fvi_crc32c("", 0), 0);
    unsigned char zeros[32] = {0};
    CHECK_EQ(fvi_crc32c(zeros, 32), 0x8A9136AA);          /* RFC 3720, B.4 */
}

static void same_bytes_as_tensorboard(void)
{
    char path[600] = "", *ours = NULL, *theirs = NULL;
    size_t n = 0, m = 0;
    write_golden(NULL, path);
    CHECK_EQ(fvi_file_read(NULL, path, 1 << 20, &ours, &n), FV_OK);
    CHECK_EQ(fvi_file_read(NULL, FOVEA_TESTS_DIR "/golden/events.bin", 1 << 20, &theirs, &m), FV_OK);
    CHECK_EQ(n, m);
    CHECK(!memcmp(ours, theirs, n));
    fvi_free(ours);
    fvi_free(theirs);
}

static void reading(void)
{
    char *data;
    size_t bytes, n;
    const unsigned char *payload;
    fvi_arena arena = {0};
    fvi_event e[6];
    int count = 0;
    CHECK_EQ(fvi_file_read(NULL, FOVEA_TESTS_DIR "/golden/events.bin", 1 << 20, &data, &bytes), FV_OK);
    fvi_event_reader r = {.name = "events.bin", .data = (const unsigned char *)data, .bytes = bytes};
    for (;; count++) {
        CHECK_EQ(fvi_event_next(&r, &payload, &n), FV_OK);
        if (!payload) break;
        CHECK(count < 5);
        CHECK_EQ(fvi_event_decode(NULL, r.name, payload, n, &arena, &e[count]), FV_OK);
    }
    CHECK_EQ(count, 5);
    CHECK(!r.cut);
    CHECK_STR(e[0].file_version, "brain.Event:2");
    CHECK(e[1].start);
    CHECK_EQ(e[1].step, 8);
    CHECK_EQ(e[2].n_values, 2);
    CHECK_STR(e[2].values[1].tag, "train/lr");
    CHECK_CLOSE(e[2].values[0].scalar, 2.302585, 1e-7);
    CHECK_CLOSE(e[2].wall_time, 1700000001.25, 0);
    CHECK_EQ(e[3].step, 1000000000000);
    CHECK_STR(e[3].values[0].tag, accuracy.tag);
    CHECK_EQ(e[4].values[0].width, 300);
    CHECK_EQ(e[4].values[0].png_bytes, sizeof picture - 1);
    CHECK(!memcmp(e[4].values[0].png, picture, sizeof picture - 1));
    fvi_arena_free(&arena);
    fvi_free(data);
}

/* Records until the end or an error. */
static fv_status read_through(fv_context *ctx, const unsigned char *data, size_t bytes, int *records, bool *cut)
{
    fvi_event_reader r = {.ctx = ctx, .name = "e", .data = data, .bytes = bytes};
    const unsigned char *payload;
    size_t n;
    fv_status status;
    *records = 0;
    while ((status = fvi_event_next(&r, &payload, &n)) == FV_OK && payload) ++*records;
    *cut = r.cut;
    return status;
}

/* Every cut is a quiet end with the whole records before it; every changed byte is found. */
static void damage(void)
{
    char *data;
    size_t bytes;
    int records, previous = 0;
    bool cut;
    fv_context *ctx = fv_context_create();
    CHECK_EQ(fvi_file_read(NULL, FOVEA_TESTS_DIR "/golden/events.bin", 1 << 20, &data, &bytes), FV_OK);
    unsigned char *d = (unsigned char *)data;
    for (size_t n = 0; n <= bytes; n++) {
        CHECK_EQ(read_through(ctx, d, n, &records, &cut), FV_OK);
        CHECK(records == previous ? cut || !n : records == previous + 1 && !cut);
        previous = records;
    }
    CHECK_EQ(previous, 5);
    for (size_t i = 0; i < bytes; i++) {
        d[i] ^= 1 << i % 8;
        CHECK_EQ(read_through(ctx, d, bytes, &records, &cut), FV_ERROR_FORMAT);
        CHECK_HAS(fv_error_text(ctx), "check sum is wrong");
        d[i] ^= 1 << i % 8;
    }
    /* A length with a right check sum that no file holds. */
    static const unsigned char huge[8] = {0, 0, 0, 0, 1, 0, 0, 0};
    uint32_t c = fvi_crc32c(huge, 8);
    c = (c >> 15 | c << 17) + 0xA282EAD8u;
    memcpy(d, huge, 8);
    for (int i = 0; i < 4; i++) d[8 + i] = (unsigned char)(c >> 8 * i);
    CHECK_EQ(read_through(ctx, d, bytes, &records, &cut), FV_ERROR_FORMAT);
    CHECK_HAS(fv_error_text(ctx), "e: byte 0: a record of 4294967296 bytes");
    fvi_free(data);
    fv_context_destroy(ctx);
}

static void bad_messages(void)
{
    static const struct { const char *bytes; size_t n; } cases[] = {
        {"\x09\x00", 2},                                 /* a double of one byte */
        {"\x2a\x7f", 2},                                 /* a summary longer than the message */
        {"\x2a\x02\x0a\x05", 4},                         /* a value longer than the summary */
        {"\x2a\x04\x0a\x02\x0a\x01", 6},                 /* a tag without its byte */
        {"\x2a\x06\x0a\x04\x0a\x02\xff\xfe", 8},         /* a tag that is no UTF-8 */
        {"\x2b", 1},                                     /* a group */
        {"\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12},
    };
    for (int i = 0; i < (int)(sizeof cases / sizeof *cases); i++) {
        fvi_arena arena = {0};
        fvi_event e;
        CHECK_MSG(fvi_event_decode(NULL, "e", (const unsigned char *)cases[i].bytes, cases[i].n, &arena, &e) == FV_ERROR_FORMAT, "case %d", i);
        fvi_arena_free(&arena);
    }
}

/* A later process's file sorts behind, even within the same second and after a clock that went back. */
static void names(void)
{
    fvi_events *a, *b, *c;
    empty_folder("t_events");
    CHECK_EQ(fvi_events_open(NULL, "t_events", 0, 1700000000, &a), FV_OK);
    CHECK_EQ(fvi_events_open(NULL, "t_events", 5, 1700000000, &b), FV_OK);
    CHECK_EQ(fvi_events_open(NULL, "t_events", 6, 1600000000, &c), FV_OK);
    CHECK_HAS(fvi_events_path(a), "t_events/events.out.tfevents.1700000000.");
    CHECK(strcmp(fvi_events_path(a), fvi_events_path(b)) < 0);
    CHECK(strcmp(fvi_events_path(b), fvi_events_path(c)) < 0);
    fvi_events_close(a);
    fvi_events_close(b);
    fvi_events_close(c);
    fvi_events_close(NULL);
}

/* What was added is in the file at once; a full disk is an error that names the file; NaN is left out. */
static void failures(void)
{
    fv_context *ctx = fv_context_create();
    fvi_events *e;
    struct stat before, after;
    fvi_event_value nan = {.tag = "x", .scalar = NAN};
    empty_folder("t_events");
    CHECK_EQ(fvi_events_open(ctx, "t_events", 0, 0, &e), FV_OK);
    CHECK_EQ(stat(fvi_events_path(e), &before), 0);
    CHECK_EQ(fvi_events_add(e, &(fvi_event){.step = 1, .values = train, .n_values = 2}), FV_OK);
    CHECK_EQ(stat(fvi_events_path(e), &after), 0);
    CHECK(after.st_size > before.st_size + 40);
    CHECK_EQ(fvi_events_add(e, &(fvi_event){1, 1, NULL, false, &nan, 1}), FV_OK);
    CHECK_EQ(stat(fvi_events_path(e), &before), 0);
    CHECK_EQ(before.st_size, after.st_size + 16 + 9 + 2 + 2);       /* framing, time, step, an empty summary */
    fvi_file_set_faults((fvi_file_faults){.write_at = 1, .error = ENOSPC});
    CHECK_EQ(fvi_events_add(e, &(fvi_event){.step = 2, .values = train, .n_values = 2}), FV_ERROR_IO);
    CHECK_HAS(fv_error_text(ctx), "cannot write t_events/events.out.tfevents.");
    fvi_file_set_faults((fvi_file_faults){0});
    fvi_events_close(e);
    CHECK_EQ(fvi_events_open(ctx, FOVEA_TESTS_DIR "/golden/events.bin", 0, 0, &e), FV_ERROR_IO);
    CHECK(e == NULL);
    fv_context_destroy(ctx);
}

TEST_MAIN(CASE(check_sum), CASE(same_bytes_as_tensorboard), CASE(reading), CASE(damage), CASE(bad_messages), CASE(names), CASE(failures))
