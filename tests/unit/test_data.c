/* SPDX-License-Identifier: Apache-2.0 */
/* Data sets of pictures: class folders and CSV lists with names of every kind, sets and splits, identical files, a hundred
 * thousand files in a folder, MNIST and CIFAR-100, and tables of what can be wrong. */
#include "test.h"
#include "pictures.h"

#include "base/file.h"
#include "data/csv.h"
#include "data/idx.h"
#include "unit/loading.h"
#include "data/open.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

static int64_t count(const fv_data *d, fv_split set)
{
    const fv_source *s = fv_data_source(d, set);
    return s ? s->count : 0;
}

/* Files of one class in a set. */
static int64_t of_class(const fv_data *d, fv_split set, int label)
{
    int64_t n = 0;
    for (int i = 0; i < d->list.count; i++) n += d->list.items[i].set == (int)set && d->list.items[i].label == label;
    return n;
}

/* ---- class folders ---------------------------------------------------------------------------------------------------- */

static void splits_every_class(void)
{
    fv_context *ctx = test_context();
    fv_data *d, *again;
    CHECK(test_fresh("d_split"));
    test_fill("d_split", "cat", 40, 0);
    test_fill("d_split", "dog", 10, 100);
    test_fill("d_split", "rare", 1, 200);
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "d_split", .val = .2, .test = .1, .seed = 3}, &d), FV_OK);
    CHECK_STR(fv_data_format(d), "folder");
    CHECK_EQ(of_class(d, FV_SPLIT_VAL, 0), 8);
    CHECK_EQ(of_class(d, FV_SPLIT_TEST, 0), 4);
    CHECK_EQ(of_class(d, FV_SPLIT_TRAIN, 0), 28);
    CHECK_EQ(of_class(d, FV_SPLIT_VAL, 1), 2);
    CHECK_EQ(of_class(d, FV_SPLIT_TEST, 1), 1);
    CHECK_EQ(of_class(d, FV_SPLIT_TRAIN, 2), 1);         /* a single one is learned, not tested */
    CHECK_HAS(test_logged, "no picture to validate with, as \"rare\"");
    const fv_source *s = fv_data_source(d, FV_SPLIT_TRAIN);
    CHECK_EQ(s->classes, 3);
    CHECK_STR(s->class_names[1], "dog");
    fv_sample sample = {0};
    char name[64];
    CHECK_EQ(fvi_source_sample(s, ctx, 0, &sample), FV_OK);
    CHECK_EQ(sample.image.width, 1);
    CHECK_EQ(sample.label, 0);
    fvi_source_name(s, 0, name, sizeof name);
    CHECK(!strncmp(name, "cat/", 4));
    fv_sample_free(&sample);
    /* The same seed: the same split; another: another. */
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "d_split/", .val = .2, .test = .1, .seed = 3}, &again), FV_OK);
    for (int i = 0; i < d->list.count; i++) CHECK_EQ(d->list.items[i].set, again->list.items[i].set);
    fv_data_destroy(again);
    int moved = 0;
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "d_split", .val = .2, .test = .1, .seed = 4}, &again), FV_OK);
    for (int i = 0; i < d->list.count; i++) moved += d->list.items[i].set != again->list.items[i].set;
    CHECK(moved > 5);
    fv_data_destroy(again);
    /* One picture more moves few of the others. */
    test_put("d_split/cat/new.ppm", 250);
    moved = 0;
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "d_split", .val = .2, .test = .1, .seed = 3}, &again), FV_OK);
    CHECK_EQ(again->list.count, d->list.count + 1);
    for (int i = 0; i < d->list.count; i++)
        for (int k = 0; k < again->list.count; k++)
            if (!strcmp(d->list.items[i].path, again->list.items[k].path)) moved += d->list.items[i].set != again->list.items[k].set;
    CHECK(moved <= 3);
    fv_data_destroy(again);
    fv_data_destroy(d);
    fv_context_destroy(ctx);
}

/* The stored split is obeyed whatever came since, and is itself a list that can be opened. */
static void a_stored_split_stays(void)
{
    fv_context *ctx = test_context();
    fv_data *d, *again;
    CHECK(test_fresh("d_stored"));
    test_fill("d_stored", "a,\"quoted\"", 9, 0);
    test_fill("d_stored", "b\nwith a line end", 9, 50);
    CHECK_EQ(fvi_make_dirs(ctx, "d_stored/empty"), FV_OK);
    fv_data_options o = {.root = "d_stored", .val = .25, .allow_empty = true, .split_file = "d_split.csv"};
    unlink("d_split.csv");
    CHECK_EQ(fv_data_open(ctx, &o, &d), FV_OK);
    CHECK_EQ(d->list.n_classes, 3);
    CHECK_EQ(fv_data_write_split(ctx, d, "d_split.csv"), FV_OK);
    test_fill("d_stored", "c", 5, 100);
    CHECK_EQ(fv_data_open(ctx, &o, &again), FV_OK);
    CHECK_EQ(again->list.count, d->list.count);
    CHECK_EQ(again->list.n_classes, 3);
    for (int i = 0; i < d->list.count; i++) {
        CHECK_STR(again->list.items[i].path, d->list.items[i].path);
        CHECK_EQ(again->list.items[i].set, d->list.items[i].set);
        CHECK_EQ(again->list.items[i].label, d->list.items[i].label);
    }
    for (int i = 0; i < 3; i++) CHECK_STR(again->list.classes[i], d->list.classes[i]);
    fv_data_destroy(again);
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "d_split.csv", .images = "d_stored", .allow_empty = true}, &again), FV_ERROR_FORMAT);
    CHECK_HAS(fv_error_message(ctx), "no path");         /* the class without pictures */
    fv_data_destroy(d);
    fv_context_destroy(ctx);
}

static void sets_of_their_own(void)
{
    fv_context *ctx = test_context();
    fv_data *d;
    CHECK(test_fresh("d_sets"));
    test_fill("d_sets/train", "a", 5, 0);
    test_fill("d_sets/train", "b", 5, 10);
    test_fill("d_sets/valid", "a", 2, 20);
    test_fill("d_sets/valid", "b", 3, 30);
    test_fill("d_sets/test", "b", 1, 40);
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "d_sets"}, &d), FV_OK);
    CHECK_EQ(count(d, FV_SPLIT_TRAIN), 10);
    CHECK_EQ(count(d, FV_SPLIT_VAL), 5);
    CHECK_EQ(count(d, FV_SPLIT_TEST), 1);
    fv_data_destroy(d);
    /* Without a validation set a part of train is split off, never of test. */
    CHECK(system("rm -r d_sets/valid") == 0);
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "d_sets", .val = .2}, &d), FV_OK);
    CHECK_EQ(count(d, FV_SPLIT_TRAIN), 8);
    CHECK_EQ(count(d, FV_SPLIT_VAL), 2);
    CHECK_EQ(count(d, FV_SPLIT_TEST), 1);
    fv_data_destroy(d);
    /* Evaluation of other data: everything. Given classes keep their order; a class that is not theirs is an error. */
    static const char *const names[] = {"b", "never seen", "a"};
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "d_sets/train", .whole = true, .classes = names, .n_classes = 3}, &d), FV_OK);
    CHECK_EQ(count(d, FV_SPLIT_TEST), 10);
    CHECK_EQ(d->list.items[0].label, 2);
    fv_data_destroy(d);
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "d_sets/train", .whole = true, .classes = names, .n_classes = 2}, &d), FV_ERROR_FORMAT);
    CHECK_HAS(fv_error_message(ctx), "d_sets/train: class \"a\" is none of the 2 known ones");
    fv_context_destroy(ctx);
}

static void folds(void)
{
    fv_context *ctx = test_context();
    int seen[20] = {0};
    CHECK(test_fresh("d_folds"));
    test_fill("d_folds", "a", 10, 0);
    test_fill("d_folds", "b", 10, 20);
    for (int fold = 0; fold < 5; fold++) {
        fv_data *d;
        CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "d_folds", .folds = 5, .fold = fold, .seed = 1}, &d), FV_OK);
        CHECK_EQ(of_class(d, FV_SPLIT_VAL, 0), 2);
        CHECK_EQ(of_class(d, FV_SPLIT_VAL, 1), 2);
        for (int i = 0; i < 20; i++) {
            CHECK_EQ(d->list.items[i].set == FV_SPLIT_VAL, d->list.items[i].fold == fold);
            seen[i] += d->list.items[i].set == FV_SPLIT_VAL;
        }
        fv_data_destroy(d);
    }
    for (int i = 0; i < 20; i++) CHECK_EQ(seen[i], 1);
    fv_data *d;
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "d_folds", .folds = 5, .fold = 5}, &d), FV_ERROR_CONFIG);
    fv_context_destroy(ctx);
}

/* Identical files are never divided; when the folders themselves divide them, that is said. */
static void identical_files_stay_together(void)
{
    fv_context *ctx = test_context();
    fv_data *d;
    char path[64];
    CHECK(test_fresh("d_twins"));
    for (int i = 0; i < 60; i++) {                       /* twenty pictures, three times each */
        snprintf(path, sizeof path, "d_twins/%s/%02d.ppm", i % 20 < 10 ? "a" : "b", i);
        test_put(path, i % 20);
    }
    for (uint64_t seed = 0; seed < 10; seed++) {
        CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "d_twins", .val = .3, .seed = seed}, &d), FV_OK);
        for (int i = 0; i < 60; i++)
            for (int k = 0; k < 60; k++)
                if (atoi(fvi_path_base(d->list.items[i].path)) % 20 == atoi(fvi_path_base(d->list.items[k].path)) % 20)
                    CHECK_EQ(d->list.items[i].set, d->list.items[k].set);
        CHECK(count(d, FV_SPLIT_VAL) >= 18 && count(d, FV_SPLIT_VAL) <= 24);
        fv_data_destroy(d);
    }
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "d_twins", .val = .3, .split_duplicates = true}, &d), FV_OK);
    CHECK(d->doubles_across > 0);
    CHECK_HAS(test_logged, "in two sets");
    fv_data_destroy(d);
    CHECK(test_fresh("d_twins2"));
    test_fill("d_twins2/train", "a", 3, 0);
    test_fill("d_twins2/train", "b", 3, 10);
    test_fill("d_twins2/val", "a", 2, 1);
    test_fill("d_twins2/val", "b", 1, 0);
    test_logged[0] = 0;
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "d_twins2"}, &d), FV_OK);
    CHECK_EQ(d->doubles_across, 3);
    CHECK_HAS(test_logged, "3 pictures are in two sets");
    CHECK_HAS(test_logged, "1 pictures are in two classes");
    fv_data_destroy(d);
    fv_context_destroy(ctx);
}

/* Any bytes but NUL and the slash may stand in a name. */
static void names_of_every_kind(void)
{
    fv_context *ctx = test_context();
    fv_data *d;
    static const char *const names[] = {"d_names/\xE9\xBE\x99/\xE5\xA5\xB6\xE9\xBE\x99.ppm", "d_names/\xE9\xBE\x99/line\nend.ppm", "d_names/\xE9\xBE\x99/tab\t'\" .ppm",
                                        "d_names/plain/\xFF\xFE.ppm", "d_names/plain/deep/er/still.ppm", "d_names/plain/UPPER.PPM",
                                        "d_names/plain/no extension", "d_names/plain/wrong.jpg", "d_names/plain/-rf.ppm", "d_names/plain/%s%n.ppm"};
    CHECK(test_fresh("d_names"));
    for (int i = 0; i < FVI_COUNT(names); i++) test_put(names[i], i);
    test_put_text("d_names/plain/notes.txt", "hello");
    test_put_text("d_names/plain/.DS_Store", "x");
    test_put("d_names/.hidden/1.ppm", 99);
    test_put_text("d_names/readme.md", "x");
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "d_names", .whole = true}, &d), FV_OK);
    CHECK_EQ(d->list.count, FVI_COUNT(names));
    CHECK_EQ(d->list.ignored, 4);
    CHECK_EQ(d->list.n_classes, 2);
    CHECK_STR(d->list.classes[1], "\xE9\xBE\x99");
    const fv_source *s = fv_data_source(d, FV_SPLIT_TEST);
    bool shown = false;
    for (int64_t i = 0; i < s->count; i++) {
        fv_sample sample = {0};
        char name[128];
        CHECK_EQ(fvi_source_sample(s, ctx, i, &sample), FV_OK);
        fv_sample_free(&sample);
        fvi_source_name(s, i, name, sizeof name);
        CHECK(!strchr(name, '\n'));
        shown = shown || !strcmp(name, "plain/\\xff\\xfe.ppm") || !strcmp(name, "\xE9\xBE\x99/line\\nend.ppm");
    }
    CHECK(shown);
    fv_data_destroy(d);
    /* A class name must be text that can be stored with the weights. */
    test_put("d_names/\xFFzz/1.ppm", 1);
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "d_names"}, &d), FV_ERROR_FORMAT);
    CHECK_HAS(fv_error_message(ctx), "\\xffzz is not UTF-8");
    fv_context_destroy(ctx);
}

static void bad_folders(void)
{
    fv_context *ctx = test_context();
    fv_data *d;
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "d_absent"}, &d), FV_ERROR_IO);
    CHECK_HAS(fv_error_message(ctx), "d_absent does not exist; give data=DIR");
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){0}, &d), FV_ERROR_CONFIG);
    CHECK(test_fresh("d_bad"));
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "d_bad"}, &d), FV_ERROR_IO);
    CHECK_HAS(fv_error_message(ctx), "no data that fovea knows");
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "d_bad", .format = "folder"}, &d), FV_ERROR_FORMAT);
    CHECK_HAS(fv_error_message(ctx), "no pictures in class folders");
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "d_bad", .format = "voc"}, &d), FV_ERROR_CONFIG);
    test_fill("d_bad", "only", 5, 0);
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "d_bad"}, &d), FV_ERROR_FORMAT);
    CHECK_HAS(fv_error_message(ctx), "one class only (only)");
    CHECK_EQ(fvi_make_dirs(ctx, "d_bad/nothing here"), FV_OK);
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "d_bad"}, &d), FV_ERROR_FORMAT);
    CHECK_HAS(fv_error_message(ctx), "class \"nothing here\" has no picture to train on");
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "d_bad", .allow_empty = true}, &d), FV_OK);
    CHECK_EQ(fv_data_source(d, FV_SPLIT_TRAIN)->classes, 2);
    fv_data_destroy(d);
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "d_bad", .val = .6, .test = .5}, &d), FV_ERROR_CONFIG);
    CHECK(symlink("..", "d_bad/nothing here/circle") == 0);
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "d_bad"}, &d), FV_ERROR_FORMAT);
    CHECK_HAS(fv_error_message(ctx), "a link that leads in a circle?");
    fv_context_destroy(ctx);
}

/* A folder that may not be read is an error that names it: a class must not vanish in silence. */
static void folders_without_permission(void)
{
    CHECK(test_fresh("d_locked"));
    test_fill("d_locked", "a", 3, 0);
    test_fill("d_locked", "b", 3, 10);
    CHECK(chmod("d_locked/b", 0) == 0);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {                                    /* root may read everything */
        fv_context *ctx = fv_context_create();
        fv_data *d;
        if (geteuid() == 0 && (chmod(".", 0755) != 0 || setuid(65534) != 0)) _exit(77);
        fv_status status = fv_data_open(ctx, &(fv_data_options){.root = "d_locked"}, &d);
        bool named = strstr(fv_error_message(ctx), "d_locked/b: Permission denied") != NULL;
        if (access("d_locked", R_OK) != 0) _exit(77);
        _exit(status == FV_ERROR_IO && named ? 0 : 1);
    }
    int code = 0;
    CHECK(child > 0 && waitpid(child, &code, 0) == child);
    CHECK(chmod("d_locked/b", 0755) == 0);
    if (WIFEXITED(code) && WEXITSTATUS(code) == 77) SKIP("the test's folder is closed to other users");
    CHECK(WIFEXITED(code) && WEXITSTATUS(code) == 0);
}

static void a_hundred_thousand_files(void)
{
    fv_context *ctx = test_context();
    fv_data *d;
    enum { N = 100000 };
    CHECK(test_fresh("d_many/a"));
    test_fill("d_many", "b", 5, 1);
    int folder = open("d_many/a", O_RDONLY | O_DIRECTORY);
    char name[32];
    bool made = true;
    for (int i = 0; i < N && made; i++) {
        snprintf(name, sizeof name, "%06d.jpg", i);
        int fd = openat(folder, name, O_WRONLY | O_CREAT, 0644);
        made = fd >= 0;
        close(fd);
    }
    close(folder);
    CHECK(made);
    double begin = fvi_seconds();
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "d_many", .val = .2}, &d), FV_OK);
    double seconds = fvi_seconds() - begin;
    CHECK_EQ(of_class(d, FV_SPLIT_VAL, 0), N / 5);
    begin = fvi_seconds();
    CHECK_EQ(fv_data_write_split(ctx, d, "d_many.csv"), FV_OK);
    fv_data_destroy(d);
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "d_many", .split_file = "d_many.csv"}, &d), FV_OK);
    CHECK_EQ(of_class(d, FV_SPLIT_VAL, 0), N / 5);
    printf("    opened in %.2f s, split written and read in %.2f s\n", seconds, fvi_seconds() - begin);
    CHECK(seconds < 20);                                 /* far more than it takes, for slow disks and sanitizers */
    fv_data_destroy(d);
    CHECK(system("rm -rf d_many d_many.csv") == 0);
    fv_context_destroy(ctx);
}

/* ---- CSV -------------------------------------------------------------------------------------------------------------- */

static void csv_lists(void)
{
    fv_context *ctx = test_context();
    fv_data *d;
    CHECK(test_fresh("d_csv"));
    test_put("d_csv/1.ppm", 1);
    test_put("d_csv/two, with comma.ppm", 2);
    test_put("d_csv/line\nend.ppm", 3);
    test_put("d_csv/\"q\".ppm", 4);
    test_put_text("d_csv/list.csv", "\xEF\xBB\xBF" "Label,Filename,split\r\n10,1.ppm,train\r\n9,\"two, with comma.ppm\",train\r\n\r\n9,\"line\nend.ppm\",valid\r\n10,\"\"\"q\"\".ppm\",TEST");
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "d_csv/list.csv"}, &d), FV_OK);
    CHECK_STR(fv_data_format(d), "csv");
    CHECK_STR(d->list.classes[0], "10");                 /* in the order of bytes, as folders are */
    CHECK_EQ(count(d, FV_SPLIT_TRAIN), 2);
    for (int k = 0; k < FV_SPLITS; k++) {
        const fv_source *s = fv_data_source(d, (fv_split)k);
        for (int64_t i = 0; i < s->count; i++) {
            fv_sample sample = {0};
            CHECK_EQ(fvi_source_sample(s, ctx, i, &sample), FV_OK);
            fv_sample_free(&sample);
        }
    }
    fv_data_destroy(d);
    test_put_text("d_csv/train.csv", "path;label\n1.ppm;x\n\"line\nend.ppm\";y\n");
    test_put_text("d_csv/val.csv", "path\tlabel\n\"\"\"q\"\".ppm\"\tx\n");
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "d_csv"}, &d), FV_OK);
    CHECK_EQ(count(d, FV_SPLIT_TRAIN), 2);
    CHECK_EQ(count(d, FV_SPLIT_VAL), 1);
    fv_data_destroy(d);
    fv_context_destroy(ctx);
}

static void bad_lists(void)
{
    static const struct { const char *text, *says; } rows[] = {
        {"", "the list is empty"}, {"\n\r\n\n", "the list is empty"}, {"1.ppm,cat\n2.ppm,dog\n", "x.csv:1: the first line must name the columns"},
        {"path,label\n", "names no picture"}, {"path,label\n1.ppm\n", "x.csv:2: no label"}, {"path,label\n,cat\n", "x.csv:2: no path"},
        {"path,label\n\n\n\"1.ppm,cat\n", "x.csv:4: a quote is opened and never closed"}, {"path,label\n\"1.ppm\"x,cat\n", "x.csv:2: text behind a closing quote"},
        {"path,label\n/etc/passwd,cat\n", "x.csv:2: path /etc/passwd leads out"}, {"path,label\na/../../b.ppm,cat\n", "leads out of the list's folder"},
        {"path,label\n..,cat\n", "leads out"}, {"path,label,split\n1.ppm,cat,maybe\n", "x.csv:2: split \"maybe\" is none of train, val, test"},
        {"path,label\n1.ppm,\xFF\n", "\\xff is not UTF-8"}};
    fv_context *ctx = test_context();
    for (int i = 0; i < FVI_COUNT(rows); i++) {
        fvi_list l = {0};
        fv_status status = fvi_list_csv(ctx, &l, "x.csv", rows[i].text, strlen(rows[i].text), &(fvi_csv_rules){.set = FVI_NO_SET});
        CHECK_MSG(status == FV_ERROR_FORMAT, "accepted: %s", rows[i].text);
        CHECK_HAS(fv_error_message(ctx), rows[i].says);
        fvi_list_free(&l);
    }
    fvi_list l = {0};
    static const char zero[] = "path,label\n1\0.ppm,cat\n", inside[] = "path,label\n/x/1.ppm,cat\n..a/..b,cat\n";
    CHECK_EQ(fvi_list_csv(ctx, &l, "x.csv", zero, sizeof zero - 1, &(fvi_csv_rules){.set = FVI_NO_SET}), FV_ERROR_FORMAT);
    CHECK_HAS(fv_error_message(ctx), "a zero byte");
    CHECK_EQ(fvi_list_csv(ctx, &l, "x.csv", inside, sizeof inside - 1, &(fvi_csv_rules){.set = 0, .outside = true}), FV_OK);
    fvi_list_free(&l);
    fv_context_destroy(ctx);
}

/* ---- records ---------------------------------------------------------------------------------------------------------- */

static void put_idx(const char *path, int rank, int n, int side, bool packed)
{
    uint8_t bytes[4096] = {0, 0, 8, (uint8_t)rank};
    int dims[3] = {n, side, side}, at = 4;
    for (int i = 0; i < rank; i++, at += 4) bytes[at + 3] = (uint8_t)dims[i];
    for (int i = 0; i < (rank == 1 ? n : n * side * side); i++) bytes[at++] = (uint8_t)(rank == 1 ? i % 10 : i);
    if (!packed) {
        if (fvi_file_write(NULL, path, bytes, (size_t)at) != FV_OK) printf("cannot write %s\n", path);
        return;
    }
    gzFile f = gzopen(path, "wb");
    if (gzwrite(f, bytes, (unsigned)at) != at) printf("cannot write %s\n", path);
    gzclose(f);
}

static void mnist(void)
{
    fv_context *ctx = test_context();
    fv_data *d;
    for (int packed = 0; packed < 2; packed++) {
        CHECK(test_fresh("d_mnist"));
        const char *end = packed ? ".gz" : "", *folder = packed ? "d_mnist/raw" : "d_mnist";
        char path[128];
        CHECK_EQ(fvi_make_dirs(ctx, "d_mnist/raw"), FV_OK);
        for (int i = 0; i < 4; i++) {
            snprintf(path, sizeof path, "%s/%s-%s-ubyte%s", folder, i < 2 ? "train" : "t10k", i % 2 ? "labels-idx1" : "images-idx3", end);
            put_idx(path, i % 2 ? 1 : 3, i < 2 ? 12 : 4, 6, packed);
        }
        CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "d_mnist"}, &d), FV_OK);
        CHECK_STR(fv_data_format(d), "mnist");
        CHECK_EQ(count(d, FV_SPLIT_TRAIN), 12);
        CHECK_EQ(count(d, FV_SPLIT_VAL), 4);
        const fv_source *s = fv_data_source(d, FV_SPLIT_TRAIN);
        CHECK_EQ(s->classes, 10);
        fv_sample sample = {0};
        CHECK_EQ(fvi_source_sample(s, ctx, 3, &sample), FV_OK);
        CHECK_EQ(sample.label, 3);
        CHECK_EQ(sample.image.width, 6);
        for (int i = 0; i < 108; i++) CHECK_EQ(sample.image.pixels[i], (3 * 36 + i % 36) & 255);
        fv_sample_free(&sample);
        fv_data_destroy(d);
    }
    CHECK(unlink("d_mnist/raw/t10k-labels-idx1-ubyte.gz") == 0);
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "d_mnist"}, &d), FV_ERROR_IO);
    CHECK_HAS(fv_error_message(ctx), "no t10k-labels-idx1-ubyte in d_mnist");
    put_idx("d_mnist/raw/t10k-labels-idx1-ubyte.gz", 1, 5, 0, true);
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "d_mnist"}, &d), FV_ERROR_FORMAT);
    CHECK_HAS(fv_error_message(ctx), "4 pictures, but 5 labels");
    fv_context_destroy(ctx);
}

static void bad_idx(void)
{
    static const struct { const char *bytes; int n, rank; const char *says; } rows[] = {
        {"", 0, 1, "no IDX header"}, {"\0\0\x08\1\0\0", 6, 1, "truncated"}, {"\0\0\x08\3\0\0\0\2xy", 10, 1, "not an IDX file"},
        {"\0\0\x0D\1\0\0\0\2xy", 10, 1, "not an IDX file"}, {"\0\0\x08\1\0\0\0\3xy", 10, 1, "truncated"}, {"\0\0\x08\1\0\0\0\1xy", 10, 1, "damaged"},
        {"\0\0\x08\1\0\0\0\0", 8, 1, "dimension 0 is 0"}, {"\0\0\x08\3\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 16, 3, "damaged"},
        {"\x1F\x8B\x08\0\0\0\0\0\0\0", 10, 1, "truncated gzip"}, {"\x1F\x8B\x08\0\0\0\0\0\0\0\xFF\xFF", 12, 1, "damaged gzip"}};
    fv_context *ctx = test_context();
    for (int i = 0; i < FVI_COUNT(rows); i++) {
        fvi_idx x;
        CHECK_EQ(fvi_idx_parse(ctx, "x", (const uint8_t *)rows[i].bytes, (size_t)rows[i].n, rows[i].rank, &x), FV_ERROR_FORMAT);
        CHECK_HAS(fv_error_message(ctx), rows[i].says);
    }
    fv_context_destroy(ctx);
}

static void cifar100(void)
{
    fv_context *ctx = test_context();
    enum { RECORD = 3074 };
    static uint8_t records[4 * RECORD];
    fv_data *d;
    CHECK(test_fresh("d_cifar"));
    for (int i = 0; i < 4; i++) {
        records[i * RECORD] = (uint8_t)i;
        records[i * RECORD + 1] = (uint8_t)(90 + i);
        memset(records + i * RECORD + 2, 10 + i, 3072);
    }
    CHECK_EQ(fvi_file_write(ctx, "d_cifar/train.bin", records, sizeof records), FV_OK);
    CHECK_EQ(fvi_file_write(ctx, "d_cifar/test.bin", records, 2 * RECORD), FV_OK);
    for (int coarse = 0; coarse < 2; coarse++) {
        CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "d_cifar", .coarse = coarse}, &d), FV_OK);
        CHECK_STR(fv_data_format(d), "cifar100");
        const fv_source *s = fv_data_source(d, FV_SPLIT_TRAIN);
        fv_sample sample = {0};
        CHECK_EQ(s->classes, coarse ? 20 : 100);
        CHECK(!s->class_names);
        CHECK_EQ(fvi_source_sample(s, ctx, 3, &sample), FV_OK);
        CHECK_EQ(sample.label, coarse ? 3 : 93);
        CHECK_EQ(sample.image.pixels[0], 13);
        CHECK_EQ(sample.image.pixels[3071], 13);
        CHECK_EQ(count(d, FV_SPLIT_VAL), 2);
        fv_sample_free(&sample);
        fv_data_destroy(d);
    }
    records[RECORD + 1] = 100;
    CHECK_EQ(fvi_file_write(ctx, "d_cifar/test.bin", records, 2 * RECORD), FV_OK);
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "d_cifar"}, &d), FV_ERROR_FORMAT);
    CHECK_HAS(fv_error_message(ctx), "record 1 has label 100, CIFAR-100 labels are 0 to 99");
    fv_context_destroy(ctx);
}

/* ---- checking --------------------------------------------------------------------------------------------------------- */

static void checks_everything(void)
{
    fv_context *ctx = test_context();
    fv_data_report *r;
    CHECK(test_fresh("d_check"));
    test_fill("d_check/train", "a", 4, 0);
    test_fill("d_check/train", "b", 4, 10);
    test_fill("d_check/val", "a", 1, 2);
    test_fill("d_check/val", "b", 1, 30);
    test_put_text("d_check/train/a/empty.jpg", "");
    test_put_text("d_check/train/a/cut.ppm", "P6\n9 9\n255\nxyz");
    test_put("d_check/train/b/named.png", 50);
    CHECK_EQ(fv_data_check(ctx, &(fv_data_options){.root = "d_check"}, 3, &r), FV_OK);
    CHECK_EQ(r->samples, 13);
    CHECK_EQ(r->count[FV_SPLIT_TRAIN], 11);
    CHECK_EQ(r->per_class[0].count[FV_SPLIT_TRAIN], 6);
    CHECK_EQ(r->n_bad, 2);
    CHECK_STR(r->bad[0].name, "train/a/cut.ppm");
    CHECK_HAS(r->bad[0].reason, "truncated PNM");
    CHECK_HAS(r->bad[1].reason, "the file is empty");
    CHECK_EQ(r->misnamed, 1);
    CHECK_EQ(r->duplicates, 1);
    CHECK_EQ(r->across_sets, 1);
    CHECK_EQ(r->across_classes, 0);
    CHECK_EQ(r->n_doubles, 1);
    CHECK_EQ(r->max_width, 1);
    fv_data_report_destroy(r);
    fv_context_destroy(ctx);
}

/* The limit of open files at what is open: nothing more can be. False: it cannot be set. */
static bool close_the_door(struct rlimit *before)
{
    const int next = dup(0);
    struct rlimit none;
    if (next < 0 || close(next) != 0 || getrlimit(RLIMIT_NOFILE, before) != 0) return false;
    none = *before;
    none.rlim_cur = (rlim_t)next;
    return setrlimit(RLIMIT_NOFILE, &none) == 0;
}

/* Too many open files are no fault of a picture's: nothing is skipped, left out or split otherwise because of them. */
static void too_many_open_files(void)
{
    fv_context *ctx = test_context();
    struct rlimit before;
    fv_data *d, *none;
    CHECK(test_fresh("d_limit"));
    test_fill("d_limit", "a", 12, 0);
    test_fill("d_limit", "b", 12, 30);
    test_put("d_limit/b/without an ending", 99);
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "d_limit", .val = .2}, &d), FV_OK);
    pictures made;
    fvi_loader_options o = picture_loader(&made, fv_data_source(d, FV_SPLIT_TRAIN), &(fvi_augment){.width = 1, .height = 1, .std = {1, 1, 1}});
    o.batch_size = 4;
    o.skip_bad = true;
    const fvi_bad_sample *bad;
    const fv_batch *b;
    fvi_loader *l;
    fv_bytes bytes = {0};
    int32_t twin[64];
    uint8_t head[8];
    size_t n;
    CHECK_EQ(fvi_loader_create(ctx, &o, &l), FV_OK);
    CHECK(close_the_door(&before));
    const fv_status opened = fv_data_open(ctx, &(fv_data_options){.root = "d_limit", .format = "folder", .val = .2}, &none);
    const fv_status read = fvi_read_bytes(ctx, "d_limit/a/000.ppm", &bytes), begun = fvi_read_head(ctx, "d_limit/a/000.ppm", head, sizeof head, &n);
    const fv_status twins = fvi_list_twins(ctx, &d->list, twin), next = fvi_loader_next(l, &b);
    CHECK(setrlimit(RLIMIT_NOFILE, &before) == 0);
    CHECK_HAS(fv_error_message(ctx), "Too many open files; let the program have more of them (ulimit -n)");
    CHECK_EQ(opened, FV_ERROR_IO);
    CHECK_EQ(read, FV_ERROR_IO);
    CHECK_EQ(begun, FV_ERROR_IO);
    CHECK_EQ(twins, FV_ERROR_IO);
    CHECK_EQ(next, FV_ERROR_IO);
    CHECK_EQ(fvi_loader_bad(l, &bad), 0);
    CHECK_EQ(fvi_loader_next(l, &b), FV_OK);             /* with the door open again */
    CHECK_EQ(fvi_read_bytes(ctx, "d_limit/a/none.ppm", &bytes), FV_ERROR_FORMAT);
    CHECK_HAS(fv_error_message(ctx), "No such file");
    CHECK_EQ(fvi_read_bytes(ctx, "d_limit/a", &bytes), FV_ERROR_FORMAT);
    fv_bytes_free(&bytes);
    fvi_loader_destroy(l);
    fv_data_destroy(d);
    fv_context_destroy(ctx);
}

static void out_of_memory(void)
{
    fv_context *ctx = test_context();
    CHECK(test_fresh("d_oom"));
    test_fill("d_oom", "a", 12, 0);
    test_fill("d_oom", "b", 12, 0);
    fv_status status = FV_ERROR_NOMEM;
    for (int n = 1; n < 2000 && status != FV_OK; n++) {
        fv_data *d = NULL;
        fvi_memory_set_fault(n);
        status = fv_data_open(ctx, &(fv_data_options){.root = "d_oom", .val = .2}, &d);
        fvi_memory_set_fault(0);
        CHECK_MSG(status == FV_OK || status == FV_ERROR_NOMEM, "allocation %d: %s", n, fv_error_message(ctx));
        fv_data_destroy(d);
    }
    CHECK_EQ(status, FV_OK);
    fv_context_destroy(ctx);
}

TEST_MAIN(CASE(splits_every_class), CASE(a_stored_split_stays), CASE(sets_of_their_own), CASE(folds), CASE(identical_files_stay_together),
          CASE(names_of_every_kind), CASE(bad_folders), CASE(folders_without_permission), CASE(a_hundred_thousand_files), CASE(csv_lists), CASE(bad_lists),
          CASE(mnist), CASE(bad_idx), CASE(cifar100), CASE(checks_everything), CASE(too_many_open_files), CASE(out_of_memory))
