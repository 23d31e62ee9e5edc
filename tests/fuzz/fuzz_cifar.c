/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes a CIFAR folder: the first byte says which version it is and whether the rest is the file of class names or records;
 * the other file is a sound one. What is accepted has a label within range and a picture for each record. */
#include "data/data.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static char folder[64];
static const char *const names[2] = {"batches.meta.txt", "fine_label_names.txt"}, *const records[2] = {"test_batch.bin", "test.bin"};

static const char *path_of(char path[128], const char *name)
{
    snprintf(path, 128, "%s/%s", folder, name);
    return path;
}

static void put(const char *name, const void *data, size_t bytes)
{
    char path[128];
    FILE *f = fopen(path_of(path, name), "wb");
    if (!f || fwrite(data, 1, bytes, f) != bytes || fclose(f)) abort();
}

static void clean(void)
{
    char path[128];
    for (int i = 0; i < 2; i++) {
        unlink(path_of(path, names[i]));
        unlink(path_of(path, records[i]));
    }
    rmdir(folder);
}

static void begin(void)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%.40s/fuzz_cifar_XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(folder)) abort();
    atexit(clean);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const uint8_t sound[3074];                    /* label 0, all black */
    if (!bytes) return 0;
    if (!folder[0]) begin();
    const int hundred = data[0] & 1;
    char path[128];
    unlink(path_of(path, names[hundred]));
    if (data[0] & 2) put(records[hundred], data + 1, bytes - 1);
    else {
        put(names[hundred], data + 1, bytes - 1);
        put(records[hundred], sound, hundred ? 3074 : 3073);
    }
    fv_context *ctx = fv_context_create();
    fv_source *s = NULL;
    if (ctx && (hundred ? fv_source_cifar100(ctx, folder, false, false, &s) : fv_source_cifar10(ctx, folder, false, &s)) == FV_OK) {
        fv_sample sample = {0};
        const int64_t classes = hundred ? 100 : 10;
        if (s->count < 1) __builtin_trap();
        for (int64_t i = 0; i < s->count; i++) {
            char text[64];
            if (fvi_source_sample(s, ctx, i, &sample) != FV_OK || sample.label < 0 || sample.label >= classes) __builtin_trap();
            s->name(s, i, text, sizeof text);
        }
        for (int64_t k = 0; s->class_names && k < classes; k++)
            if (!s->class_names[k] || !*s->class_names[k] || strpbrk(s->class_names[k], "\r\n")) __builtin_trap();
        fv_sample_free(&sample);
        fv_source_destroy(s);
    }
    fv_context_destroy(ctx);
    return 0;
}
