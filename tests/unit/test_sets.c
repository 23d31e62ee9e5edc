/* SPDX-License-Identifier: Apache-2.0 */
/* Sets by the names of folders and lists, what is no class, the order of classes and names that are hardly two. */
#include "test.h"
#include "pictures.h"

#include "data/open.h"
#include "data/sets.h"

#include <unistd.h>

static int64_t count(const fv_data *d, fv_split set)
{
    const fv_source *s = fv_data_source(d, set);
    return s ? s->count : 0;
}

static void names_of_sets(void)
{
    static const struct { const char *name; int set; } rows[] = {
        {"train", 0}, {"Train", 0}, {"TRAINING", 0}, {"training_set", 0}, {"train-set", 0}, {"trainset", 0}, {"train2017", 0}, {"Training Data", 0}, {"train_images", 0},
        {"val", 1}, {"valid", 1}, {"Validation", 1}, {"val_set", 1}, {"dev", 1}, {"eval", 1}, {"evaluation", 1}, {"val2017", 1}, {"imgs.val", 1},
        {"test", 2}, {"Testing", 2}, {"test_set", 2}, {"TestSet", 2}, {"images_test", 2},
        {"", -1}, {"set", -1}, {"images", -1}, {"2017", -1}, {"trainval", -1}, {"train_val", -1}, {"train_station", -1}, {"crash_test_dummy", -1}, {"contest", -1},
        {"trains", -1}, {"valley", -1}, {"cat", -1}, {"\xC3\xA9val", -1}, {"test/", -1}, {"averyveryveryveryverylongname", -1}};
    for (int i = 0; i < FVI_COUNT(rows); i++) CHECK_MSG(fvi_set_of_name(rows[i].name) == rows[i].set, "%s: %d", rows[i].name, fvi_set_of_name(rows[i].name));
    CHECK_EQ(fvi_set_of_list("Train.CSV"), FV_SPLIT_TRAIN);
    CHECK_EQ(fvi_set_of_list("validation.csv"), FV_SPLIT_VAL);
    CHECK_EQ(fvi_set_of_list("train_images.csv"), FVI_NO_SET);
    CHECK_EQ(fvi_set_of_list("train"), FVI_NO_SET);
    CHECK_EQ(fvi_set_of_list("data.csv"), FVI_NO_SET);
    CHECK_EQ(fvi_set_of_list(".csv"), FVI_NO_SET);
}

/* Two classes of `n` pictures in each of the folders, up to a NULL. */
static void make(const char *root, const char *const *sets, int n)
{
    char path[256];
    CHECK(test_fresh(root));
    for (int i = 0; sets[i]; i++) {
        snprintf(path, sizeof path, "%s/%s", root, sets[i]);
        test_fill(path, "cat", n, 20 * i);
        test_fill(path, "dog", n, 20 * i + 10);
    }
}

static void spellings(void)
{
    static const char *const rows[][4] = {{"Train", "Test", NULL}, {"training_set", "test_set", NULL}, {"train", "Validation", "test", NULL}, {"TRAIN", "DEV", "Testing", NULL}};
    static const int val[] = {0, 0, 8, 8}, test[] = {8, 8, 8, 8};
    for (int i = 0; i < FVI_COUNT(rows); i++) {
        fv_context *ctx = test_context();
        fv_data *d;
        make("k_sets", rows[i], 4);
        CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "k_sets", .val = 0}, &d), FV_OK);
        CHECK_EQ(d->list.n_classes, 2);
        CHECK_EQ(count(d, FV_SPLIT_TRAIN), 8);
        CHECK_EQ(count(d, FV_SPLIT_VAL), val[i]);
        CHECK_EQ(count(d, FV_SPLIT_TEST), test[i]);
        CHECK(!strstr(test_logged, "not used"));
        fv_data_destroy(d);
        fv_context_destroy(ctx);
    }
}

/* What is neither clear nor used is said. */
static void sets_that_are_not_clear(void)
{
    fv_context *ctx = test_context();
    fv_data *d;
    make("k_sets", (const char *const[]){"val", "test", NULL}, 4);
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "k_sets"}, &d), FV_ERROR_FORMAT);
    CHECK_STR(fv_error_message(ctx), "k_sets: there is a set val, but none to train on: train is missing; data.train=... names it");
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "k_sets", .leave_out = 1u << FV_SPLIT_TRAIN}, &d), FV_OK);      /* evaluation wants none */
    CHECK_EQ(count(d, FV_SPLIT_TEST), 8);
    fv_data_destroy(d);
    make("k_sets", (const char *const[]){"train", "Train", "val", NULL}, 4);
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "k_sets"}, &d), FV_ERROR_FORMAT);
    CHECK_STR(fv_error_message(ctx), "k_sets: which of Train and train is the set? data.train=Train says so");
    test_logged[0] = 0;
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "k_sets", .sets = {"train"}}, &d), FV_OK);
    CHECK_EQ(count(d, FV_SPLIT_VAL), 8);
    CHECK_HAS(test_logged, "k_sets: beside its sets, Train is not used");
    fv_data_destroy(d);
    make("k_sets", (const char *const[]){"train", "extra", "more", "a", "b", "c", NULL}, 4);
    test_logged[0] = 0;
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "k_sets", .val = .25}, &d), FV_OK);
    CHECK_HAS(test_logged, "k_sets: beside its sets, a, b, c, extra and 1 more are not used");
    fv_data_destroy(d);
    /* Sets by other names, or classes that are divided further. */
    make("k_sets", (const char *const[]){"first", "second", NULL}, 4);
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "k_sets"}, &d), FV_ERROR_FORMAT);
    CHECK_STR(fv_error_message(ctx), "k_sets: first and second hold the same folders. If they are sets, say which, as data.train=first data.val=second; if they are "
              "classes, say so: classes=first,second");
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "k_sets", .sets = {"first", "second"}}, &d), FV_OK);
    CHECK_STR(d->list.classes[0], "cat");
    CHECK_EQ(count(d, FV_SPLIT_VAL), 8);
    fv_data_destroy(d);
    static const char *const classes[] = {"second", "first"};
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "k_sets", .classes = classes, .n_classes = 2}, &d), FV_OK);
    CHECK_STR(d->list.classes[0], "second");
    fv_data_destroy(d);
    CHECK(system("rm -r k_sets/second/cat && cp -r k_sets/first k_sets/third") == 0);       /* one that they do not share is enough not to ask */
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "k_sets"}, &d), FV_OK);
    CHECK_EQ(d->list.n_classes, 3);
    fv_data_destroy(d);
    fv_context_destroy(ctx);
}

/* Classes that are called as sets are: they hold no folders, or are named as classes. */
static void classes_that_are_called_so(void)
{
    fv_context *ctx = test_context();
    fv_data *d;
    CHECK(test_fresh("k_sets"));
    test_fill("k_sets", "train", 4, 0);
    test_fill("k_sets", "bus", 4, 10);
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "k_sets", .val = .25}, &d), FV_OK);
    CHECK_STR(d->list.classes[1], "train");
    CHECK(!strstr(test_logged, "not used"));
    fv_data_destroy(d);
    test_fill("k_sets/train", "steam", 4, 20);
    static const char *const classes[] = {"bus", "train"};
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "k_sets", .val = .25, .classes = classes, .n_classes = 2}, &d), FV_OK);
    CHECK_EQ(d->list.count, 12);
    fv_data_destroy(d);
    fv_context_destroy(ctx);
}

static void folders_of_systems(void)
{
    static const char *const names[] = {"@eaDir", "$RECYCLE.BIN", "$Recycle.Bin", "lost+found", "System Volume Information", "__MACOSX", ".git", "#recycle"};
    char path[256];
    fv_context *ctx = test_context();
    fv_data *d;
    make("k_sets", (const char *const[]){"train", NULL}, 6);
    for (int i = 0; i < FVI_COUNT(names); i++) {
        test_fill("k_sets", names[i], 2, 50);
        test_fill("k_sets/train", names[i], 2, 60);
        snprintf(path, sizeof path, "k_sets/train/cat/%s", names[i]);
        test_fill(path, "1.jpg", 2, 70);
    }
    test_put_text("k_sets/train/cat/Thumbs.db", "x");
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "k_sets", .val = .2}, &d), FV_OK);
    CHECK_EQ(d->list.n_classes, 2);
    CHECK_EQ(d->list.count, 12);
    CHECK(!strstr(test_logged, "not used"));
    fv_data_destroy(d);
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "k_sets/train", .val = .2}, &d), FV_OK);
    CHECK_EQ(d->list.n_classes, 2);
    CHECK_EQ(d->list.count, 12);
    CHECK_EQ(d->list.ignored, 2 * FVI_COUNT(names) + 1);
    fv_data_destroy(d);
    fv_context_destroy(ctx);
}

static void lists_as_sets(void)
{
    fv_context *ctx = test_context();
    fv_data *d;
    CHECK(test_fresh("k_lists"));
    for (int i = 0; i < 6; i++) {
        char path[64];
        snprintf(path, sizeof path, "k_lists/pictures/%d.ppm", i);
        test_put(path, i);
    }
    test_put_text("k_lists/Train.csv", "path,label\npictures/0.ppm,a\npictures/1.ppm,b\n");
    test_put_text("k_lists/Valid.CSV", "path,label\npictures/2.ppm,a\n");
    test_put_text("k_lists/sample.csv", "id,x\n");
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "k_lists"}, &d), FV_OK);
    CHECK_EQ(count(d, FV_SPLIT_TRAIN), 2);
    CHECK_EQ(count(d, FV_SPLIT_VAL), 1);
    CHECK_HAS(test_logged, "beside its sets, sample.csv is not used");
    CHECK(!strstr(test_logged, "count from"));
    fv_data_destroy(d);
    CHECK(unlink("k_lists/Train.csv") == 0 && system("mv k_lists/pictures k_pictures") == 0);
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "k_lists"}, &d), FV_ERROR_FORMAT);
    CHECK_HAS(fv_error_message(ctx), "there is a set Valid.CSV, but none to train on");
    /* Lists in a folder of their own: where their paths count from is said. */
    test_put_text("k_lists/lists/t.csv", "path,label\n0.ppm,a\n1.ppm,b\n");
    test_put_text("k_lists/lists/v.csv", "path,label\n2.ppm,a\n");
    test_logged[0] = 0;
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "k_lists", .sets = {"lists/t.csv", "lists/v.csv"}}, &d), FV_OK);
    CHECK_STR(fv_data_format(d), "csv");                 /* by the name of the set, folders or not */
    CHECK_HAS(test_logged, "the paths in lists/t.csv count from k_lists, not from the list's own folder; data.images=DIR names another one");
    fv_data_destroy(d);
    test_logged[0] = 0;
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "k_lists", .sets = {"lists/t.csv", "lists/v.csv"}, .images = "../k_pictures"}, &d), FV_OK);
    CHECK(!strstr(test_logged, "count from"));
    fv_sample sample = {0};
    const fv_source *s = fv_data_source(d, FV_SPLIT_VAL);
    CHECK_EQ(s->get(s, ctx, 0, &sample), FV_OK);
    fv_sample_free(&sample);
    fv_data_destroy(d);
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "k_lists/lists", .format = "csv"}, &d), FV_ERROR_IO);
    CHECK_HAS(fv_error_message(ctx), "k_lists/lists: there is no list train.csv");
    CHECK(system("rm -r k_pictures") == 0);
    fv_context_destroy(ctx);
}

/* ---- classes ---------------------------------------------------------------------------------------------------------- */

/* Folders, a list and the split that is stored of either: the same numbers. */
static void one_order_everywhere(void)
{
    static const char *const want[] = {"1", "10", "2", "20"};
    fv_context *ctx = test_context();
    fv_data *d[4];
    CHECK(test_fresh("k_order"));
    for (int i = 0; i < 4; i++) test_fill("k_order", want[i], 4, 10 * i);
    test_put_text("k_order.csv", "path,label\n2/000.ppm,2\n20/000.ppm,20\n1/000.ppm,1\n10/000.ppm,10\n2/001.ppm,2\n20/001.ppm,20\n1/001.ppm,1\n10/001.ppm,10\n");
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "k_order", .val = .25}, &d[0]), FV_OK);
    CHECK_HAS(test_logged, "classes are numbered in the order of their names' bytes, as folders are everywhere: 10 comes before 2; the key classes gives another order");
    CHECK_EQ(fv_data_write_split(ctx, d[0], "k_order_split.csv"), FV_OK);
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "k_order.csv", .images = "k_order", .val = .25}, &d[1]), FV_OK);
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "k_order_split.csv", .images = "k_order"}, &d[2]), FV_OK);
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "k_order", .split_file = "k_order_split.csv"}, &d[3]), FV_OK);
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(d[i]->list.n_classes, 4);
        for (int k = 0; k < 4; k++) CHECK_STR(d[i]->list.classes[k], want[k]);
        for (int k = 0; k < d[i]->list.count; k++) {
            const fvi_file *f = &d[i]->list.items[k];
            const size_t n = strlen(want[f->label]);
            CHECK(!strncmp(f->path, want[f->label], n) && f->path[n] == '/');
        }
        fv_data_destroy(d[i]);
    }
    /* Given names decide, whatever the data are; one that is not among them is named. */
    static const char *const given[] = {"20", "1", "2", "10"};
    const char *const roots[] = {"k_order", "k_order.csv", "k_order_split.csv"};
    for (int i = 0; i < 3; i++) {
        fv_data_options o = {.root = roots[i], .images = i ? "k_order" : NULL, .val = .25, .classes = given, .n_classes = 4};
        CHECK_EQ(fv_data_open(ctx, &o, &d[0]), FV_OK);
        for (int k = 0; k < d[0]->list.count; k++) {
            const fvi_file *f = &d[0]->list.items[k];
            CHECK(!strncmp(f->path, given[f->label], strlen(given[f->label])) && f->path[strlen(given[f->label])] == '/');
        }
        fv_data_destroy(d[0]);
        o.n_classes = 3;
        CHECK_EQ(fv_data_open(ctx, &o, &d[0]), FV_ERROR_FORMAT);
        CHECK_HAS(fv_error_message(ctx), "class \"10\" is none of the 3 known ones");
    }
    static const char *const twice[] = {"1", "2", "1"}, *const empty[] = {"1", ""}, *const torn[] = {"1", "\xFF"};
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "k_order", .classes = twice, .n_classes = 3}, &d[0]), FV_ERROR_CONFIG);
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "k_order", .classes = empty, .n_classes = 2}, &d[0]), FV_ERROR_CONFIG);
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "k_order", .classes = torn, .n_classes = 2}, &d[0]), FV_ERROR_FORMAT);
    fv_context_destroy(ctx);
}

static void names_that_are_hardly_two(void)
{
    /* Equal pairs, then pairs that are not. The letters: e and its acute, one and two accents, Hangul, kana, Cyrillic, Greek. */
    static const char *const same[][2] = {
        {"Cat", "cat"}, {"cat ", "cat"}, {"\t cat", "CAT"}, {"cat\xC2\xA0", "cat"}, {"caf\xC3\xA9", "cafe\xCC\x81"}, {"\xC3\x89", "e\xCC\x81"},
        {"\xE1\xBA\xBF", "e\xCC\x82\xCC\x81"}, {"\xED\x95\x9C\xEA\xB8\x80", "\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB\xE1\x84\x80\xE1\x85\xB3\xE1\x86\xAF"},
        {"\xE3\x82\xAC", "\xE3\x82\xAB\xE3\x82\x99"}, {"\xD0\x99", "\xD0\xB8\xCC\x86"}, {"\xCE\xA9", "\xCF\x89"}, {"\xC5\xB8", "\xC3\xBF"}, {"", "  "}};
    static const char *const other[][2] = {{"cat", "cut"}, {"cat", "cats"}, {"a b", "ab"}, {"\xC3\xA9", "e"}, {"\xC3\xA9", "\xC3\xA8"}, {"\xFF", "\xFE"},
                                           {"\xED\x95\x9C", "\xED\x95\x98"}, {"", "a"}};
    for (int i = 0; i < FVI_COUNT(same); i++) CHECK_MSG(fvi_fold_hash(same[i][0]) == fvi_fold_hash(same[i][1]), "%s, %s", same[i][0], same[i][1]);
    for (int i = 0; i < FVI_COUNT(other); i++) CHECK_MSG(fvi_fold_hash(other[i][0]) != fvi_fold_hash(other[i][1]), "%s, %s", other[i][0], other[i][1]);
    fv_context *ctx = test_context();
    fv_data *d;
    CHECK(test_fresh("k_like"));
    test_fill("k_like", "Cat", 3, 0);
    test_fill("k_like", "cat ", 3, 10);
    test_fill("k_like", "caf\xC3\xA9", 3, 20);
    test_fill("k_like", "cafe\xCC\x81", 3, 30);
    test_fill("k_like", "dog", 3, 40);
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "k_like", .val = .3}, &d), FV_OK);
    CHECK_EQ(d->list.n_classes, 5);
    CHECK_HAS(test_logged, "classes \"Cat\" and \"cat \" are two, though they differ only by letter case, blanks at the ends or the way letters are composed");
    CHECK_HAS(test_logged, "classes \"cafe\xCC\x81\" and \"caf\xC3\xA9\" are two");
    CHECK(!strstr(test_logged, "dog"));
    fv_data_destroy(d);
    static const char *const known[] = {"cat", "dog"};
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "k_like", .classes = known, .n_classes = 2}, &d), FV_ERROR_FORMAT);
    CHECK_HAS(fv_error_message(ctx), "class \"Cat\" is none of the 2 known ones; known is \"cat\", which differs by letter case");
    fv_context_destroy(ctx);
}

static void cifar_in_part(void)
{
    static uint8_t records[2 * 3073];
    fv_context *ctx = test_context();
    fv_data *d;
    CHECK(test_fresh("k_cifar"));
    CHECK_EQ(fvi_file_write(ctx, "k_cifar/data_batch_1.bin", records, sizeof records), FV_OK);
    CHECK_EQ(fvi_file_write(ctx, "k_cifar/data_batch_3.bin", records, sizeof records), FV_OK);
    CHECK_EQ(fvi_file_write(ctx, "k_cifar/test_batch.bin", records, sizeof records), FV_OK);
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "k_cifar"}, &d), FV_OK);
    CHECK_HAS(test_logged, "k_cifar: without data_batch_2.bin, data_batch_4.bin, data_batch_5.bin there are 4 pictures to train on");
    fv_data_destroy(d);
    for (int i = 2; i <= 5; i++) {
        char path[64];
        snprintf(path, sizeof path, "k_cifar/data_batch_%d.bin", i);
        CHECK_EQ(fvi_file_write(ctx, path, records, sizeof records), FV_OK);
    }
    test_logged[0] = 0;
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "k_cifar"}, &d), FV_OK);
    CHECK_STR(test_logged, "");
    fv_data_destroy(d);
    /* Their classes are fixed. */
    static const char *const names[] = {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "lorry"};
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "k_cifar", .classes = names, .n_classes = 10}, &d), FV_ERROR_FORMAT);
    CHECK_HAS(fv_error_message(ctx), "class 9 of cifar10 is truck, where the given classes have lorry");
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "k_cifar", .classes = names, .n_classes = 9}, &d), FV_ERROR_FORMAT);
    CHECK_HAS(fv_error_message(ctx), "class 9 of cifar10 is truck, where the given classes have none");
    fv_context_destroy(ctx);
}

TEST_MAIN(CASE(names_of_sets), CASE(spellings), CASE(sets_that_are_not_clear), CASE(classes_that_are_called_so), CASE(folders_of_systems), CASE(lists_as_sets),
          CASE(one_order_everywhere), CASE(names_that_are_hardly_two), CASE(cifar_in_part))
