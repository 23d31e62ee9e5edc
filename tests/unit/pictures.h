/* SPDX-License-Identifier: Apache-2.0 */
/* Folders of tiny pictures for tests of data sets, and what is logged about them. */
#ifndef TEST_PICTURES_H
#define TEST_PICTURES_H

#include "test.h"

#include "base/file.h"

#include <stdlib.h>

static char test_logged[8192];            /* a line for each message since test_context */

TEST_UNUSED static void test_take_log(void *user, fv_log_level level, const char *text)
{
    size_t used = strlen(test_logged);
    (void)user;
    (void)level;
    snprintf(test_logged + used, sizeof test_logged - used, "%s\n", text);
}

TEST_UNUSED static fv_context *test_context(void)
{
    fv_context *ctx = fv_context_create();
    fv_context_set_log(ctx, test_take_log, NULL);
    test_logged[0] = 0;
    return ctx;
}

/* A picture of one pixel; its colour tells it from others. Folders are made. */
TEST_UNUSED static void test_put(const char *path, int number)
{
    char text[64], *folder = fvi_path_dir(path);
    int n = snprintf(text, sizeof text, "P6\n1 1\n255\n%c%c%c", 1 + number % 255, 1 + number / 255 % 255, 7);
    if (fvi_make_dirs(NULL, folder) != FV_OK || fvi_file_write(NULL, path, text, (size_t)n) != FV_OK) printf("cannot write %s\n", path);
    fvi_free(folder);
}

TEST_UNUSED static void test_put_text(const char *path, const char *text)
{
    char *folder = fvi_path_dir(path);
    if (fvi_make_dirs(NULL, folder) != FV_OK || fvi_file_write(NULL, path, text, strlen(text)) != FV_OK) printf("cannot write %s\n", path);
    fvi_free(folder);
}

/* It is there, and empty. */
TEST_UNUSED static bool test_fresh(const char *folder)
{
    char command[256];
    snprintf(command, sizeof command, "chmod -R u+rwx %s 2> /dev/null; rm -rf %s && mkdir -p %s", folder, folder, folder);
    return system(command) == 0;
}

/* `n` pictures in root/class, numbered from `first` on. */
TEST_UNUSED static void test_fill(const char *root, const char *class, int n, int first)
{
    char path[1024];
    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof path, "%s/%s/%03d.ppm", root, class, i);
        test_put(path, first + i);
    }
}

#endif
