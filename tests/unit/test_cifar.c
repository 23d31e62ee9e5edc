/* SPDX-License-Identifier: Apache-2.0 */
/* CIFAR-10 binary batches: several files, sub-folder, names, and a table of what can be wrong with them. */
#include "test.h"

#include "base/file.h"
#include "data/data.h"

#include <stdlib.h>
#include <unistd.h>

enum { RECORD = 3073 };

static void put(const char *path, int records, int first, int bad_label)
{
    size_t n = (size_t)records * RECORD;
    unsigned char *bytes = calloc(1, n + 1);
    for (int i = 0; i < records; i++) {
        bytes[i * RECORD] = (unsigned char)(i == bad_label ? 10 : (first + i) % 10);
        memset(bytes + i * RECORD + 1, first + i, RECORD - 1);
    }
    if (fvi_file_write(NULL, path, bytes, n) != FV_OK) printf("cannot write %s\n", path);
    free(bytes);
}

static void put_text(const char *path, const char *text)
{
    if (fvi_file_write(NULL, path, text, strlen(text)) != FV_OK) printf("cannot write %s\n", path);
}

static bool fresh(const char *folder)
{
    char command[256];
    snprintf(command, sizeof command, "rm -rf %s && mkdir -p %s", folder, folder);
    return system(command) == 0;
}

static void reads_all_files_in_order(void)
{
    fv_source *s;
    fv_sample sample = {0};
    char name[64];
    CHECK(fresh("cifar_a/cifar-10-batches-bin"));
    put("cifar_a/cifar-10-batches-bin/data_batch_10.bin", 2, 7, -1);
    put("cifar_a/cifar-10-batches-bin/data_batch_2.bin", 3, 4, -1);
    put("cifar_a/cifar-10-batches-bin/data_batch_1.bin", 4, 0, -1);
    put("cifar_a/cifar-10-batches-bin/test_batch.bin", 1, 9, -1);
    put_text("cifar_a/cifar-10-batches-bin/batches.meta.txt", "a\nb\nc\nd\ne\nf\ng\nh\ni\n\xE9\xBE\x99\n\n");
    CHECK_EQ(fv_source_cifar10(NULL, "cifar_a", true, &s), FV_OK);
    CHECK_EQ(s->count, 9);
    CHECK_EQ(s->classes, 10);
    CHECK_STR(s->class_names[9], "\xE9\xBE\x99");
    for (int64_t i = 0; i < 9; i++) {
        CHECK_EQ(fvi_source_sample(s, NULL, i, &sample), FV_OK);
        CHECK_EQ(sample.label, i);
        CHECK_EQ(sample.image.pixels[0], i);
        CHECK_EQ(sample.image.pixels[3071], i);
    }
    CHECK_EQ(sample.image.height, 32);
    fvi_source_name(s, 5, name, sizeof name);
    CHECK_STR(name, "data_batch_2.bin, record 1");
    CHECK_EQ(fvi_source_sample(s, NULL, 9, &sample), FV_ERROR_INVALID);
    fv_source_destroy(s);
    CHECK_EQ(fv_source_cifar10(NULL, "cifar_a/cifar-10-batches-bin", false, &s), FV_OK);
    CHECK_EQ(s->count, 1);
    fv_source_destroy(s);
    fv_sample_free(&sample);
}

static void known_names_without_meta(void)
{
    fv_source *s;
    CHECK(fresh("cifar_b"));
    put("cifar_b/test_batch.bin", 1, 0, -1);
    CHECK_EQ(fv_source_cifar10(NULL, "cifar_b", false, &s), FV_OK);
    CHECK_STR(s->class_names[0], "airplane");
    CHECK_STR(s->class_names[9], "truck");
    fv_source_destroy(s);
}

static void check_bad(fv_status want, const char *part)
{
    fv_context *ctx = fv_context_create();
    fv_source *s;
    fv_status status = fv_source_cifar10(ctx, "cifar_c", true, &s);
    CHECK_EQ(status, want);
    CHECK_HAS(fv_error_message(ctx), part);
    CHECK(s == NULL);
    fv_context_destroy(ctx);
}

static void bad_data(void)
{
    CHECK(system("rm -rf cifar_c") == 0);
    check_bad(FV_ERROR_IO, "folder cifar_c does not exist; give data=DIR");
    CHECK(fresh("cifar_c"));
    check_bad(FV_ERROR_IO, "no data_batch_*.bin in cifar_c nor in its sub-folder");
    put("cifar_c/data_batch_1.bin", 0, 0, -1);
    check_bad(FV_ERROR_FORMAT, "data_batch_1.bin: 0 bytes is not a whole number");
    put("cifar_c/data_batch_1.bin", 5, 0, 3);
    check_bad(FV_ERROR_FORMAT, "data_batch_1.bin: record 3 has label 10, CIFAR-10 labels are 0 to 9");
    put("cifar_c/data_batch_1.bin", 5, 0, -1);
    CHECK(truncate("cifar_c/data_batch_1.bin", 5 * RECORD - 1) == 0);
    check_bad(FV_ERROR_FORMAT, "15364 bytes is not a whole number of CIFAR-10 records");
    put("cifar_c/data_batch_1.bin", 5, 0, -1);
    put_text("cifar_c/batches.meta.txt", "one\ntwo\n");
    check_bad(FV_ERROR_FORMAT, "batches.meta.txt: 2 class names, expected 10");
    put_text("cifar_c/batches.meta.txt", "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n");
    check_bad(FV_ERROR_FORMAT, "more than 10 class names");
}

TEST_MAIN(CASE(reads_all_files_in_order), CASE(known_names_without_meta), CASE(bad_data))
