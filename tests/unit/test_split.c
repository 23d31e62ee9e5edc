/* SPDX-License-Identifier: Apache-2.0 */
/* Splits by seed: shares and fairness where files are there several times, folds, a column of folds, and what cannot be obeyed. */
#include "test.h"
#include "pictures.h"

#include "data/open.h"

#include <unistd.h>

/* ---- identical files ---------------------------------------------------------------------------------------------------- */

/* A list of classes whose groups of twins have the sizes given, 0 at the end: split without files, by a table of twins. */
typedef struct made { fvi_list list; int32_t twin[4096]; int size[4096]; int n; } made;

static void make(made *m, int n_classes, const int *const *sizes)
{
    char name[64];
    memset(m, 0, sizeof *m);
    for (int c = 0; c < n_classes; c++) {
        int32_t label;
        snprintf(name, sizeof name, "class %d", c);
        CHECK_EQ(fvi_list_class(NULL, &m->list, name, &label), FV_OK);
        for (int g = 0; sizes[c][g]; g++) {
            const int first = m->n;
            for (int i = 0; i < sizes[c][g]; i++, m->n++) {
                fvi_file f = {.path = fvi_arena_format(&m->list.arena, "c%d/%d of %d", c, (g * 7919 + i * 104729) % 1000003, i), .label = c, .set = FVI_NO_SET, .fold = FVI_NO_FOLD};
                CHECK_EQ(fvi_list_add(NULL, &m->list, &f), FV_OK);
                m->twin[m->n] = first;
                m->size[m->n] = sizes[c][g];
            }
        }
    }
}

static void split(made *m, fvi_split_rules r)
{
    r.twin = m->twin;
    for (int i = 0; i < m->n; i++) m->list.items[i].set = FVI_NO_SET;
    CHECK_EQ(fvi_list_split(NULL, &m->list, &r), FV_OK);
    for (int i = 0; i < m->n; i++) CHECK(m->list.items[i].set == m->list.items[m->twin[i]].set && m->list.items[i].fold == m->list.items[m->twin[i]].fold);
}

static int in_set(const made *m, int set, int label)
{
    int n = 0;
    for (int i = 0; i < m->n; i++) n += m->list.items[i].set == set && m->list.items[i].label == label;
    return n;
}

/* n groups of `size`, appended. */
static void add(int *sizes, int n, int size)
{
    while (*sizes) sizes++;
    for (int i = 0; i < n; i++) sizes[i] = size;
}

/* Whatever is there twice: each class gives its share, as closely as groups allow. */
static void shares_are_kept(void)
{
    static const struct { int groups[3][2], n, val, least, most; } rows[] = {    /* count and size; files; percent; expected */
        {{{1, 61}, {39, 1}}, 100, 20, 20, 20},  {{{40, 2}, {120, 1}}, 200, 20, 40, 40}, {{{50, 2}}, 100, 20, 20, 20},
        {{{49, 2}, {1, 1}}, 99, 20, 20, 20},    {{{20, 3}}, 60, 33, 19, 21},            {{{2, 50}}, 100, 20, 50, 50},
        {{{1, 100}}, 100, 20, 0, 0},            {{{1, 60}, {1, 1}}, 61, 20, 1, 1},      {{{1, 2}, {8, 1}}, 10, 20, 2, 2},
        {{{3, 10}, {10, 4}, {30, 1}}, 100, 25, 25, 25}, {{{1, 9}, {1, 1}}, 10, 90, 1, 9}, {{{1, 3}}, 3, 90, 0, 0}};
    static made m;
    for (int i = 0; i < FVI_COUNT(rows); i++) {
        int sizes[256] = {0};
        for (int k = 0; k < 3; k++) add(sizes, rows[i].groups[k][0], rows[i].groups[k][1]);
        make(&m, 1, (const int *const[]){sizes});
        CHECK_EQ(m.n, rows[i].n);
        for (uint64_t seed = 0; seed < 50; seed++) {
            split(&m, (fvi_split_rules){.val = rows[i].val / 100.0, .seed = seed});
            const int val = in_set(&m, FV_SPLIT_VAL, 0);
            CHECK_MSG(val >= rows[i].least && val <= rows[i].most, "row %d, seed %d: %d files", i, (int)seed, val);
            CHECK(in_set(&m, FV_SPLIT_TRAIN, 0) > 0);
        }
        fvi_list_free(&m.list);
    }
}

/* A picture with twins validates as often as one without, in large classes and in small ones, and with a test set too. */
static void groups_are_drawn_fairly(void)
{
    enum { SEEDS = 4000, SIZES = 4 };
    static const struct { int groups[3][2]; double val, test; } rows[] = {
        {{{40, 2}, {120, 1}}, .2, 0}, {{{1, 2}, {8, 1}}, .2, 0}, {{{3, 3}, {5, 2}, {31, 1}}, .2, .1}, {{{2, 2}, {6, 1}}, .25, .25}};
    static made m;
    for (int i = 0; i < FVI_COUNT(rows); i++) {
        int sizes[256] = {0}, n[SIZES] = {0}, val[SIZES] = {0}, test[SIZES] = {0};
        for (int k = 0; k < 3; k++) add(sizes, rows[i].groups[k][0], rows[i].groups[k][1]);
        make(&m, 1, (const int *const[]){sizes});
        for (uint64_t seed = 0; seed < SEEDS / (i ? 1 : 10); seed++) {
            split(&m, (fvi_split_rules){.val = rows[i].val, .test = rows[i].test, .seed = seed});
            for (int k = 0; k < m.n; k++) {
                n[m.size[k]]++;
                val[m.size[k]] += m.list.items[k].set == FV_SPLIT_VAL;
                test[m.size[k]] += m.list.items[k].set == FV_SPLIT_TEST;
            }
        }
        for (int size = 1; size < SIZES; size++) {
            if (!n[size]) continue;
            const double of_val = (double)val[size] / n[size], of_test = (double)test[size] / n[size];
            CHECK_MSG(fabs(of_val - round(rows[i].val * m.n) / m.n) < .025, "row %d: of groups of %d %.3f validate", i, size, of_val);
            CHECK_MSG(fabs(of_test - round(rows[i].test * m.n) / m.n) < .025, "row %d: of groups of %d %.3f test", i, size, of_test);
        }
        fvi_list_free(&m.list);
    }
}

/* Folds are as even as groups allow; each file validates in one of them, or is held out for the test in all. */
static void folds_of_groups(void)
{
    static const struct { int groups[2][2], uneven; double test; } rows[] = {
        {{{40, 2}, {120, 1}}, 0, 0}, {{{1, 61}, {39, 1}}, 60, 0}, {{{42, 2}}, 2, 0}, {{{7, 3}, {30, 1}}, 1, 0}, {{{10, 2}, {80, 1}}, 0, .2}};
    static made m;
    for (int i = 0; i < FVI_COUNT(rows); i++) {
        int sizes[256] = {0}, counts[5] = {0}, tests = 0;
        for (int k = 0; k < 2; k++) add(sizes, rows[i].groups[k][0], rows[i].groups[k][1]);
        make(&m, 1, (const int *const[]){sizes});
        for (int fold = 0; fold < 5; fold++) {
            split(&m, (fvi_split_rules){.val = .2, .test = rows[i].test, .folds = 5, .fold = fold, .seed = 3});
            counts[fold] = in_set(&m, FV_SPLIT_VAL, 0);
            for (int k = 0; k < m.n; k++) {
                const fvi_file *f = &m.list.items[k];
                CHECK((f->set == FV_SPLIT_VAL) == (f->fold == fold) && (f->set == FV_SPLIT_TEST) == (f->fold == FVI_NO_FOLD));
            }
            tests += in_set(&m, FV_SPLIT_TEST, 0);
        }
        int least = counts[0], most = counts[0], all = tests / 5;
        for (int k = 0; k < 5; k++) least = FVI_MIN(least, counts[k]), most = FVI_MAX(most, counts[k]), all += counts[k];
        CHECK_EQ(all, m.n);
        CHECK_EQ(tests / 5, rows[i].test > 0 ? 20 : 0);
        CHECK_MSG(most - least <= rows[i].uneven, "row %d: %d to %d", i, least, most);
        fvi_list_free(&m.list);
    }
}

/* Without twins nothing has changed since the first version: hashes of what that made of these names. */
static void single_files_as_ever(void)
{
    static const struct { fvi_split_rules rules; uint64_t hash; } rows[] = {
        {{.val = .2, .seed = 0}, 0x4d4d88e83a53ee5c}, {{.val = .13, .test = .3, .seed = 5}, 0xc20f17c96c91797a}, {{.val = .2, .seed = 1, .random = true}, 0x4cc108f076b162a8},
        {{.folds = 5, .fold = 2, .seed = 9}, 0xa6d7ce94e6bfc920}, {{.folds = 7, .fold = 6, .seed = 2, .random = true}, 0x70d6675b9a476e21}};
    static made m;
    int a[128] = {0}, b[128] = {0};
    add(a, 43, 1);
    add(b, 18, 1);
    make(&m, 2, (const int *const[]){a, b});
    for (int i = 0; i < FVI_COUNT(rows); i++) {
        uint64_t h = 0;
        split(&m, rows[i].rules);
        for (int k = 0; k < m.n; k++) {
            const int8_t at[2] = {m.list.items[k].set, rows[i].rules.folds ? (int8_t)m.list.items[k].fold : 0};
            h = fvi_hash64(at, sizeof at, h);
        }
        CHECK_MSG(h == rows[i].hash, "row %d: 0x%016" PRIx64, i, h);
    }
    fvi_list_free(&m.list);
}

/* ---- folds and sets that are given -------------------------------------------------------------------------------------- */

/* A list with a column of folds: `rows` are "class,split,fold", one picture each. */
static fv_status open_rows(fv_context *ctx, const char *header, const char *rows, const fv_data_options *o, fv_data **out)
{
    char text[4096] = "", path[64];
    size_t used = (size_t)snprintf(text, sizeof text, "path,%s\n", header);
    int n = 0;
    for (const char *p = rows; *p; n++) {
        const size_t length = strcspn(p, " ");
        snprintf(path, sizeof path, "s_rows/%d.ppm", n);
        test_put(path, n);
        used += (size_t)snprintf(text + used, sizeof text - used, "%d.ppm,%.*s\n", n, (int)length, p);
        p += length + (p[length] == ' ');
    }
    test_put_text("s_rows/list.csv", text);
    fv_data_options all = *o;
    all.root = "s_rows/list.csv";
    return fv_data_open(ctx, &all, out);
}

/* Sets of the list's rows, a letter each. */
static const char *sets_of(const fv_data *d)
{
    static char text[64];
    for (int i = 0; i < d->list.count; i++) text[i] = "?TVX"[d->list.items[i].set + 1];
    text[d->list.count] = 0;
    return text;
}

static void a_column_of_folds_is_obeyed(void)
{
    static const char header[] = "label,split,fold";
    static const char rows[] = "a,,0 a,,1 a,,2 b,,2 b,,1 b,,0 a,test, b,test,7";
    static const char *const want[] = {"VTTTTVXX", "TVTTVTXX", "TTVVTTXX"};
    fv_context *ctx = test_context();
    fv_data *d;
    CHECK(test_fresh("s_rows"));
    for (int fold = 0; fold < 3; fold++) {
        CHECK_EQ(open_rows(ctx, header, rows, &(fv_data_options){.folds = 3, .fold = fold}, &d), FV_OK);
        CHECK_STR(sets_of(d), want[fold]);
        fv_data_destroy(d);
    }
    /* What a run stored has both columns: the folds decide, so that the next one can follow. */
    CHECK_EQ(open_rows(ctx, header, "a,train,0 a,val,1 b,train,0 b,val,1 b,train,0 a,train,0", &(fv_data_options){.folds = 2, .fold = 0}, &d), FV_OK);
    CHECK_STR(sets_of(d), "VTVTVV");
    CHECK_EQ(fv_data_write_split(ctx, d, "s_rows/stored.csv"), FV_OK);
    fv_data_destroy(d);
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "s_rows/stored.csv", .folds = 2, .fold = 1}, &d), FV_OK);
    CHECK_STR(sets_of(d), "TVTVTT");
    fv_data_destroy(d);
    /* As other data everything is evaluated; without folds the column is not looked at, and that is said. */
    CHECK_EQ(open_rows(ctx, "label,fold", "a,0 a,1 b,0 b,1", &(fv_data_options){.folds = 2, .fold = 0, .whole = true}, &d), FV_OK);
    CHECK_EQ(fv_data_source(d, FV_SPLIT_TEST)->count, 4);
    fv_data_destroy(d);
    test_logged[0] = 0;
    CHECK_EQ(open_rows(ctx, "label,fold", "a,0 a,1 b,0 b,1", &(fv_data_options){.val = .5}, &d), FV_OK);
    CHECK_HAS(test_logged, "the list's column of folds is not looked at");
    fv_data_destroy(d);
    /* Words in it trouble nobody who does not want folds. */
    CHECK_EQ(open_rows(ctx, "label,fold", "a,train a,x b,train b,y", &(fv_data_options){.val = .5}, &d), FV_OK);
    fv_data_destroy(d);
    fv_context_destroy(ctx);
}

static void bad_folds(void)
{
    static const struct { const char *header, *rows; int folds, fold; double test; fv_status status; const char *says; } rows[] = {
        {"label,fold", "a,0 a,1 b,0 b,2", 2, 0, 0, FV_ERROR_FORMAT, "list.csv:5: fold \"2\" is none of 0 to 1"},
        {"label,fold", "a,1 a,2 b,1 b,2", 2, 0, 0, FV_ERROR_FORMAT, "where the column counts from 1 to 2, give data.split.folds=3"},
        {"label,fold", "a,0 a,x b,0 b,1", 2, 0, 0, FV_ERROR_FORMAT, "list.csv:3: fold \"x\" is none of 0 to 1"},
        {"label,fold", "a,0 a, b,0 b,1", 2, 0, 0, FV_ERROR_FORMAT, "list.csv:3: fold \"\" is none of 0 to 1"},
        {"label,fold", "a,0 a,-1 b,0 b,1", 2, 0, 0, FV_ERROR_FORMAT, "fold \"-1\" is none"},
        {"label,fold", "a,0 a,99999999999999999999 b,0 b,1", 2, 0, 0, FV_ERROR_FORMAT, "is none of 0 to 1"},
        {"label,fold", "a,0 a,1 b,0 b,1", 3, 2, 0, FV_ERROR_CONFIG, "data.split.fold=2: no row of the list has that fold"},
        {"label,fold", "a,0 a,0 b,0 b,0", 3, 0, 0, FV_ERROR_CONFIG, "data.split.fold=0: every row of the list has that fold"},
        {"label,fold", "a,0 a,1 b,0 b,1", 2, 0, .2, FV_ERROR_CONFIG, "data.split.test cannot be obeyed, since the list's column of folds decides"},
        {"label,split", "a,train a,val b,train b,val", 2, 0, 0, FV_ERROR_CONFIG, "data.split.folds cannot be obeyed, since the list's column of sets decides what validates"},
        {"label,split", "a,train a,val b,train b,val", 0, 0, .2, FV_ERROR_CONFIG, "data.split.test cannot be obeyed, since the list's column of sets decides what is held out"}};
    fv_context *ctx = test_context();
    fv_data *d = NULL;
    CHECK(test_fresh("s_rows"));
    for (int i = 0; i < FVI_COUNT(rows); i++) {
        fv_status status = open_rows(ctx, rows[i].header, rows[i].rows, &(fv_data_options){.folds = rows[i].folds, .fold = rows[i].fold, .test = rows[i].test}, &d);
        CHECK_MSG(status == rows[i].status, "row %d: %d", i, (int)status);
        CHECK_HAS(fv_error_message(ctx), rows[i].says);
    }
    CHECK_EQ(open_rows(ctx, "label,fold", "a,1 a,2 b,1 b,2", &(fv_data_options){.folds = 3, .fold = 1}, &d), FV_OK);      /* as the message says */
    CHECK_STR(sets_of(d), "VTVT");
    fv_data_destroy(d);
    fv_context_destroy(ctx);
}

static void sets_and_shares_that_contradict(void)
{
    fv_context *ctx = test_context();
    fv_data *d;
    CHECK(test_fresh("s_sets"));
    for (int i = 0; i < 2; i++) {
        test_fill("s_sets/train", i ? "b" : "a", 10, 20 * i);
        test_fill("s_sets/val", i ? "b" : "a", 2, 50 + 5 * i);
        test_fill("s_sets/test", i ? "b" : "a", 2, 80 + 5 * i);
    }
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "s_sets", .folds = 5}, &d), FV_ERROR_CONFIG);
    CHECK_STR(fv_error_message(ctx), "data.split.folds cannot be obeyed, since the set val decides what validates; leave it away, or put what is in val into the training set");
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "s_sets", .test = .1}, &d), FV_ERROR_CONFIG);
    CHECK_HAS(fv_error_message(ctx), "data.split.test cannot be obeyed, since the set val decides what is held out");
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "s_sets", .folds = 5, .test = .1, .whole = true}, &d), FV_OK);
    fv_data_destroy(d);
    CHECK(system("rm -r s_sets/val") == 0);
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "s_sets", .test = .1}, &d), FV_ERROR_CONFIG);
    CHECK_HAS(fv_error_message(ctx), "data.split.test cannot be obeyed, since the set test decides");
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "s_sets", .folds = 5, .fold = 1}, &d), FV_OK);         /* of train; test stays what it is */
    CHECK_EQ(fv_data_source(d, FV_SPLIT_VAL)->count, 4);
    CHECK_EQ(fv_data_source(d, FV_SPLIT_TEST)->count, 4);
    fv_data_destroy(d);
    test_put_text("s_lists/train.csv", "path,label\n1.ppm,a\n2.ppm,b\n");
    test_put_text("s_lists/val.csv", "path,label\n3.ppm,a\n");
    for (int i = 1; i < 4; i++) test_put(i == 1 ? "s_lists/1.ppm" : i == 2 ? "s_lists/2.ppm" : "s_lists/3.ppm", i);
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "s_lists", .folds = 2}, &d), FV_ERROR_CONFIG);
    CHECK_HAS(fv_error_message(ctx), "since the set val.csv decides what validates");
    /* Records come with their sets. */
    static uint8_t records[2 * 3073];
    CHECK(test_fresh("s_cifar"));
    CHECK_EQ(fvi_file_write(ctx, "s_cifar/data_batch_1.bin", records, sizeof records), FV_OK);
    CHECK_EQ(fvi_file_write(ctx, "s_cifar/test_batch.bin", records, sizeof records), FV_OK);
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "s_cifar", .folds = i ? 5 : 0, .test = i ? 0 : .1}, &d), FV_ERROR_CONFIG);
        CHECK_HAS(fv_error_message(ctx), i ? "data.split.folds cannot be obeyed, since the data's own test set decides what validates" : "data.split.test cannot be obeyed");
    }
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "s_cifar", .val = .2}, &d), FV_OK);
    fv_data_destroy(d);
    fv_context_destroy(ctx);
}

/* A test set may be held out besides the folds; it is the same for all of them. */
static void folds_beside_a_test_set(void)
{
    fv_context *ctx = test_context();
    int seen[40] = {0}, tests[40] = {0};
    CHECK(test_fresh("s_folds"));
    test_fill("s_folds", "a", 20, 0);
    test_fill("s_folds", "b", 20, 30);
    for (int fold = 0; fold < 4; fold++) {
        fv_data *d;
        CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "s_folds", .folds = 4, .fold = fold, .test = .2}, &d), FV_OK);
        for (int i = 0; i < 40; i++) {
            seen[i] += d->list.items[i].set == FV_SPLIT_VAL;
            tests[i] += d->list.items[i].set == FV_SPLIT_TEST;
        }
        CHECK_EQ(fv_data_source(d, FV_SPLIT_TEST)->count, 8);
        CHECK_EQ(fv_data_source(d, FV_SPLIT_VAL)->count, 8);
        fv_data_destroy(d);
    }
    for (int i = 0; i < 40; i++) CHECK((seen[i] == 1 && !tests[i]) || (!seen[i] && tests[i] == 4));
    fv_context_destroy(ctx);
}

/* Split files of the first version, which wrote fold 0 where there was none, are read as they are. */
static void old_split_files(void)
{
    fv_context *ctx = test_context();
    fv_data *d;
    CHECK(test_fresh("s_old"));
    test_fill("s_old", "a", 3, 0);
    test_fill("s_old", "b", 3, 10);
    test_put_text("s_old.csv", "path,label,split,fold\na/000.ppm,a,train,0\na/001.ppm,a,val,0\nb/000.ppm,b,train,0\nb/002.ppm,b,test,0\n");
    for (int folds = 0; folds < 3; folds += 2) {
        CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "s_old", .split_file = "s_old.csv", .folds = folds}, &d), FV_OK);
        CHECK_STR(sets_of(d), "TVTX");
        fv_data_destroy(d);
    }
    CHECK_EQ(fv_data_open(ctx, &(fv_data_options){.root = "s_old.csv", .images = "s_old"}, &d), FV_OK);
    CHECK_STR(sets_of(d), "TVTX");
    CHECK_EQ(fv_data_write_split(ctx, d, "s_old_again.csv"), FV_OK);
    fv_data_destroy(d);
    char *text;
    size_t bytes;
    CHECK_EQ(fvi_file_read(ctx, "s_old_again.csv", 1000, &text, &bytes), FV_OK);
    CHECK_STR(text, "path,label,split,fold\na/000.ppm,a,train,\na/001.ppm,a,val,\nb/000.ppm,b,train,\nb/002.ppm,b,test,\n");
    fvi_free(text);
    fv_context_destroy(ctx);
}

TEST_MAIN(CASE(shares_are_kept), CASE(groups_are_drawn_fairly), CASE(folds_of_groups), CASE(single_files_as_ever),
          CASE(a_column_of_folds_is_obeyed), CASE(bad_folds), CASE(sets_and_shares_that_contradict), CASE(folds_beside_a_test_set), CASE(old_split_files))
