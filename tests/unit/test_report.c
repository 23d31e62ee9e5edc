/* SPDX-License-Identifier: Apache-2.0 */
/* Reports: well-formed pages that refer to nothing outside, whatever names and files come in. */
#include "test.h"

#include "base/file.h"
#include "fovea/report.h"
#include "page/paint.h"
#include "page/picture.h"
#include "page/sheet.h"
#include "report/page.h"
#include "report/record.h"
#include "tasks/classify.h"

#include <stdlib.h>
#include <unistd.h>

#define HEADER "step,epoch,lr,loss,grad_norm,val_loss,val_acc,val_top5,val_f1,val_precision,val_recall,val_f1_weighted,val_balanced_acc,val_acc_raw\n"
#define PNG "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="

/* ---- run folders ---- */

static void write_file(const char *run, const char *name, const char *text)
{
    char path[300];
    snprintf(path, sizeof path, "%s/%s", run, name);
    CHECK_EQ(fvi_file_write(NULL, path, text, strlen(text)), FV_OK);
}

static void new_run(const char *run, const char *model)
{
    static const char *const names[] = {"config.json", "origins.json", "environment.json", "summary.json", "command.txt", "metrics.csv", "evaluation.json"};
    char text[600];
    CHECK_EQ(fvi_make_dirs(NULL, run), FV_OK);
    for (int i = 0; i < FVI_COUNT(names); i++) {
        snprintf(text, sizeof text, "%s/%s", run, names[i]);
        unlink(text);
    }
    snprintf(text, sizeof text, "{\"model\": \"%s\", \"data\": {\"root\": \"/pictures\", \"split.val\": 0.%zu}, \"batch_size\": 32, \"model_args\": {}}", model,
             strlen(model));
    write_file(run, "config.json", text);
    write_file(run, "origins.json", "{\"model\": \"command line\", \"data\": {\"root\": \"a.json:2\", \"split.val\": \"a.json:3\"}, \"batch_size\": \"default\"}");
}

static void add_metrics(const char *run, int rows, int every)
{
    fvi_text t = {0};
    fvi_text_add(&t, HEADER);
    for (int i = 1; i <= rows; i++) {
        fvi_text_add(&t, "%d,%g,0.001,%g,2.5", i, i / 10.0, 2.0 / i);
        if (every && i % every == 0) fvi_text_add(&t, ",%g,0.5,0.9,0.4,0.4,0.4,0.4,0.4,\n", 2.1 / i);
        else fvi_text_add(&t, ",,,,,,,,,\n");
    }
    char *text = fvi_text_take(&t);
    write_file(run, "metrics.csv", text);
    fvi_free(text);
}

/* An evaluation of `n` classes, each once right and once taken for the next. */
static void add_evaluation(const char *run, int n, const char *const *names)
{
    int64_t *counts = fvi_calloc((size_t)n * (size_t)n, sizeof *counts);
    const char **list = fvi_calloc((size_t)n, sizeof *list);
    static char numbers[200][12];
    fv_metric metrics[] = {{"acc", .5, false}, {"f1", .5, false}, {"loss", NAN, false}, {"precision", .5, false}};
    for (int i = 0; i < n; i++) {
        snprintf(numbers[i], sizeof numbers[i], "%d", i);
        list[i] = names ? names[i] : numbers[i];
        counts[i * n + i] += 1;
        counts[i * n + (i + 1) % n] += 1;
    }
    fvi_class_mistake mistakes[] = {{"a/<b>.jpg", 3, 0, n - 1, .9, .1, 2.3, PNG, 1, 1}, {"gone.jpg", 4, n - 1, 0, .8, .1, 2.2, NULL, 0, 0}};
    const fvi_record r = {.split = "val", .data = "/pictures", .step = 5, .samples = 2 * n, .metrics = metrics, .n_metrics = 4};
    const fvi_class_record c = {.classes = n, .names = list, .counts = counts, .mistakes = mistakes, .n_mistakes = 2};
    fvi_text t = {0};
    fvi_record_begin(&r, &t);
    fvi_class_record_text(&c, &t);
    fvi_record_end(&t);
    char *text = fvi_text_take(&t);
    write_file(run, "evaluation.json", text);
    fvi_free(text);
    fvi_free(counts);
    fvi_free(list);
}

/* ---- judging a page ---- */

/* Tags closed in order, attributes in double quotes, no stray "<". */
static bool well_formed(const char *p)
{
    static const char *const empty[] = {"meta", "img", "br", NULL};
    char open[64][16];
    int depth = 0;
    if (strncmp(p, "<!DOCTYPE html>\n", 16)) return false;
    for (p += 16; (p = strchr(p, '<'));) {
        bool closing = p[1] == '/', alone = false;
        char name[16];
        size_t n = strspn(p + 1 + closing, "abcdefghijklmnopqrstuvwxyz0123456789");
        if (!n || n >= sizeof name) return false;
        memcpy(name, p + 1 + closing, n);
        name[n] = 0;
        for (p += 1 + closing + n; *p && *p != '>'; p++) {
            if (*p == '<') return false;
            if (*p == '/') alone = true;
            if (*p == '"' && !(p = strchr(p + 1, '"'))) return false;
        }
        for (int i = 0; empty[i]; i++) alone = alone || !strcmp(name, empty[i]);
        if (closing && (!depth || strcmp(open[--depth], name))) return false;
        if (!closing && !alone && depth == 64) return false;
        if (!closing && !alone) memcpy(open[depth++], name, sizeof name);
        if (!strcmp(name, "style") && !closing && !(p = strstr(p, "</style>"))) return false;
    }
    return depth == 0;
}

/* Nothing is fetched: pictures are in the page, and there are no links, scripts or imports. */
static bool stands_alone(const char *page)
{
    static const char *const none[] = {"<script", "<link", "<iframe", "<object", "<a ", "href", "@import", "url(", "http:", "https:", "srcset", "onload=", "<base"};
    for (int i = 0; i < FVI_COUNT(none); i++)
        if (strstr(page, none[i])) return false;
    for (const char *p = page; (p = strstr(p, "src=\"")); p++)
        if (strncmp(p + 5, "data:image/png;base64,", 22)) return false;
    return strstr(page, "default-src 'none'") != NULL;
}

static char *page_of(const char *const *runs, int n)
{
    char *page = NULL;
    size_t bytes;
    fv_context *ctx = fv_context_create();
    if (fv_report_write(ctx, NULL, runs, n, "t_report.html") != FV_OK || fvi_file_read(ctx, "t_report.html", 1 << 28, &page, &bytes) != FV_OK)
        printf("    %s\n", fv_error_text(ctx));
    fv_context_destroy(ctx);
    return page;
}

#define CHECK_PAGE(page)            \
    do {                            \
        CHECK(page != NULL);        \
        CHECK(well_formed(page));   \
        CHECK(stands_alone(page));  \
    } while (0)

/* CHECK_HAS without printing the page. */
#define HAS(page, part) CHECK_MSG(strstr((page), (part)), "the page lacks %s", (part))

/* ---- cases ---- */

static void a_run(void)
{
    static const char *const names[] = {"cat", "dog", "bird"}, *run = "t_run_a";
    new_run(run, "resnet18");
    add_metrics(run, 30, 10);
    add_evaluation(run, 3, names);
    write_file(run, "environment.json", "{\"cpu\": \"A & B\", \"cores\": 2}");
    write_file(run, "summary.json", "{\"parameters\": 11181642, \"seconds\": 4000, \"peak_bytes\": 2.5e9, \"data_wait\": 0.01}");
    write_file(run, "command.txt", "step 0: a.json\n");
    char *page = page_of(&run, 1);
    CHECK_PAGE(page);
    static const char *const parts[] = {"<h1><bdi>t_run_a</bdi></h1>", "11,181,642", "1\u00a0h 06\u00a0min", "2.50\u00a0GB", "A &amp; B", "Confusion matrix",
                                        "Worst mistakes", "a/&lt;b&gt;.jpg", PNG, "no picture", "a.json:2", "class=\"default\"", "<title>validation, 30: ",
                                        "Learning rate", "step 0: a.json", "50.0\u00a0%"};
    for (int i = 0; i < FVI_COUNT(parts); i++) HAS(page, parts[i]);
    CHECK(strstr(page, "nan") == NULL);
    fvi_free(page);
}

static void hostile_names(void)
{
    static const char *const names[] = {"<script>alert(1)</script>", "\"'><img src=x onerror=alert(1)>", "奶龙", "\u202Egnp.exe", "bad \xff\xfe utf-8",
                                        "a\nb\tc\x01\x1b[2J", "</style></title><!--", "&lt;", ""},
                            *run = "t_run_\"<b>'&amp;";
    new_run(run, "\\\"><script src=//x></script>");
    add_metrics(run, 20, 5);
    add_evaluation(run, FVI_COUNT(names), names);
    write_file(run, "environment.json", "{\"cpu\": \"</td></table><script>\", \"cores\": 1e300}");
    write_file(run, "command.txt", "</pre><script>x</script> $(rm -rf) \xc3\x28\n");
    char *page = page_of(&run, 1);
    CHECK_PAGE(page);
    CHECK(strstr(page, "alert(1)>") == NULL);
    HAS(page, "<bdi>&lt;script&gt;alert(1)&lt;/script&gt;</bdi>");
    HAS(page, "<bdi>奶龙</bdi>");
    HAS(page, "<bdi>\u202Egnp.exe</bdi>");
    HAS(page, "&amp;lt;");
    HAS(page, "<title>t_run_&quot;&lt;b&gt;&#39;&amp;amp; – fovea</title>");
    CHECK(strchr(page, 0x01) == NULL && strchr(page, 0x1b) == NULL);
    for (const char *p = page, *end = page + strlen(page); p < end;) {
        int n = fvi_utf8_next(p, (size_t)(end - p), NULL);
        CHECK(n > 0);
        p += n;
    }
    fvi_free(page);
}

static void little_to_show(void)
{
    static const char *const run = "t_run_little";
    new_run(run, "m");
    char *page = page_of(&run, 1);                       /* nothing but a configuration */
    CHECK_PAGE(page);
    HAS(page, "Nothing was measured yet");
    HAS(page, "data.split.val</td><td>0.1</td><td class=\"from\"><bdi>a.json:3</bdi>");
    HAS(page, "There is no evaluation");
    fvi_free(page);
    write_file(run, "metrics.csv", HEADER);
    page = page_of(&run, 1);
    CHECK_PAGE(page);
    HAS(page, "Nothing was measured yet");
    fvi_free(page);
    add_metrics(run, 1, 1);                              /* one epoch of one update */
    add_evaluation(run, 1, NULL);
    page = page_of(&run, 1);
    CHECK_PAGE(page);
    HAS(page, "<circle");
    HAS(page, "No picture was misclassified");
    fvi_free(page);
    new_run(run, "m");                                   /* without validation */
    add_metrics(run, 50, 0);
    page = page_of(&run, 1);
    CHECK_PAGE(page);
    HAS(page, "Gradient norm");
    CHECK(strstr(page, "Validation,") == NULL);
    fvi_free(page);
}

static void much_to_show(void)
{
    static const char *const run = "t_run_much";
    new_run(run, "m");
    add_metrics(run, 20000, 100);
    add_evaluation(run, 100, NULL);
    char *page = page_of(&run, 1);
    CHECK_PAGE(page);
    HAS(page, "class=\"map\"");
    HAS(page, "class=\"band");
    CHECK(strstr(page, "class=\"matrix\"") == NULL);
    CHECK(strlen(page) < 150000);                        /* long runs and many classes do not make a heavy page */
    fvi_free(page);
}

static void several_runs(void)
{
    static const char *const runs[] = {"t_run_a", "t_run_b", "t_more/t_run_a", "t_run_none"};
    for (int i = 0; i < 4; i++) {
        new_run(runs[i], i == 1 ? "convnext_tiny" : "resnet18");
        if (i < 3) add_metrics(runs[i], 30, 10 - i);
        if (i < 3) add_evaluation(runs[i], 3 + i, NULL);
    }
    char *page = page_of(runs, 4);
    CHECK_PAGE(page);
    HAS(page, "<h1>4 runs</h1>");
    HAS(page, "Where the configurations differ");
    HAS(page, "convnext_tiny");
    HAS(page, "<td>data.split.val</td><td>0.8</td><td>0.13</td>");
    HAS(page, "/t_more/t_run_a</bdi>");            /* two of one name: by their paths */
    HAS(page, "s0");
    HAS(page, "s2");
    fvi_free(page);
}

/* A damaged part is said, the rest is shown. */
static void damaged_parts(void)
{
    static const char *const cases[][3] = {
        {"evaluation.json", "{", "evaluation.json:1"},
        {"evaluation.json", "[]", "not an evaluation"},
        {"evaluation.json", "{\"classes\": []}", "no list of 1 to 10000"},
        {"evaluation.json", "{\"classes\": [1]}", "a class name is a text"},
        {"evaluation.json", "{\"classes\": [\"a\"], \"confusion\": {\"truth\": [0], \"predicted\": [0], \"count\": []}}", "three lists of one length"},
        {"evaluation.json", "{\"classes\": [\"a\"], \"confusion\": {\"truth\": [1], \"predicted\": [0], \"count\": [1]}}", "an impossible number"},
        {"evaluation.json", "{\"classes\": [\"a\"], \"confusion\": {\"truth\": [0], \"predicted\": [0], \"count\": [-1]}}", "an impossible number"},
        {"evaluation.json", "{\"classes\": [\"a\"], \"confusion\": {\"truth\": [0, 0], \"predicted\": [0, 0], \"count\": [9223372036854775807, 1]}}", "an impossible number"},
        {"evaluation.json", "{\"classes\": [\"a\"], \"confusion\": {\"truth\": [], \"predicted\": [], \"count\": []}, \"mistakes\": [{\"truth\": 0, \"predicted\": 1}]}",
         "do not exist"},
        {"evaluation.json", "{\"classes\": [\"a\"], \"confusion\": {\"truth\": [], \"predicted\": [], \"count\": []}, \"mistakes\": [{\"truth\": 0, \"predicted\": 0, "
         "\"width\": 1, \"height\": 1, \"picture\": \"data:image/png;base64,AA\\\" onerror=\\\"x\"}]}", "no PNG data"},
        {"evaluation.json", "{\"classes\": [\"a\"], \"confusion\": {\"truth\": [], \"predicted\": [], \"count\": []}, \"mistakes\": [{\"truth\": 0, \"predicted\": 0, "
         "\"width\": 1, \"height\": 1, \"picture\": \"//x/y.png\"}]}", "no PNG data"},
        {"environment.json", "\"text\"", "environment.json: not a JSON object"},
        {"summary.json", "{\"a\": 1,}", "summary.json:1"},
        {"origins.json", "", "origins.json:1"},
    };
    static const char *const run = "t_run_damaged";
    for (int i = 0; i < FVI_COUNT(cases); i++) {
        new_run(run, "m");
        add_metrics(run, 5, 5);
        write_file(run, cases[i][0], cases[i][1]);
        char *page = page_of(&run, 1);
        CHECK_PAGE(page);
        HAS(page, "class=\"note\"");
        CHECK_MSG(strstr(page, cases[i][2]), "case %d lacks: %s", i, cases[i][2]);
        HAS(page, "Gradient norm");
        fvi_free(page);
    }
}

static void no_run(void)
{
    static const char *const none = "t_run_absent", *const damaged = "t_run_damaged";
    fv_context *ctx = fv_context_create();
    unlink("t_report.html");
    CHECK_EQ(fv_report_write(ctx, NULL, &none, 1, "t_report.html"), FV_ERROR_IO);
    CHECK_HAS(fv_error_text(ctx), "t_run_absent is not a run");
    new_run(damaged, "m");
    write_file(damaged, "config.json", "{\"model\": ");
    CHECK_EQ(fv_report_write(ctx, NULL, &damaged, 1, "t_report.html"), FV_ERROR_FORMAT);
    CHECK_EQ(fv_report_write(ctx, NULL, &damaged, 0, "t_report.html"), FV_ERROR_INVALID);
    CHECK(!fvi_file_exists("t_report.html"));
    fv_context_destroy(ctx);
}

/* What was written is what is read. */
static void record(void)
{
    char *text;
    size_t bytes;
    fvi_arena arena = {0};
    fvi_record r;
    fvi_class_record c;
    static const char *const names[] = {"奶龙", "\"b\"\\"}, *run = "t_run_record";
    new_run(run, "m");
    add_evaluation(run, 2, names);
    CHECK_EQ(fvi_file_read(NULL, "t_run_record/evaluation.json", 1 << 20, &text, &bytes), FV_OK);
    CHECK_EQ(fvi_record_parse(NULL, "e", text, bytes, &arena, &r), FV_OK);
    CHECK_EQ(fvi_class_record_parse(NULL, "e", r.root, &arena, &c), FV_OK);
    CHECK_EQ(c.classes, 2);
    CHECK_STR(c.names[0], names[0]);
    CHECK_STR(c.names[1], names[1]);
    CHECK(c.counts[0] == 1 && c.counts[1] == 1 && c.counts[2] == 1 && c.counts[3] == 1);
    CHECK_EQ(r.n_metrics, 3);                            /* NaN is null, and left out */
    CHECK_EQ(c.n_mistakes, 2);
    CHECK_STR(c.mistakes[0].picture, PNG);
    CHECK_CLOSE(c.mistakes[1].loss, 2.2, 0);
    CHECK_EQ(r.step, 5);
    fvi_arena_free(&arena);
    fvi_free(text);
    char *uri = fvi_png_uri((const uint8_t *)"Man!", 4);
    CHECK_STR(uri, "data:image/png;base64,TWFuIQ==");
    fvi_free(uri);
}

static void painting(void)
{
    static const uint8_t pixels[3][4] = {{0, 100, 200, 40}, {10, 20, 30, 40}, {255, 255, 0, 0}};     /* planes of 2 x 2 */
    static const int64_t counts[4] = {3, 1, 0, 0};
    fvi_paint_source s = {pixels[0], 2, 2, 4, 1};
    fvi_canvas c;
    int width, height;
    fvi_paint_size(&s, 7, true, &width, &height);
    CHECK(width == 6 && height == 6);
    fvi_paint_size(&s, 7, false, &width, &height);
    CHECK(width == 2 && height == 2);
    fvi_paint_size(&(fvi_paint_source){NULL, 1000, 1, 0, 1}, 100, true, &width, &height);
    CHECK(width == 100 && height == 1);
    CHECK_EQ(fvi_canvas_create(NULL, 3, 3, 3, &c), FV_OK);
    fvi_paint(&c, 1, 1, 1, 1, &s);
    CHECK_EQ(c.pixels[12], 85);                          /* (0 + 100 + 200 + 40) / 4 */
    CHECK_EQ(c.pixels[13], 25);
    CHECK_EQ(c.pixels[14], 128);
    CHECK_EQ(c.pixels[9] + c.pixels[15], 0);
    fvi_paint(&c, 0, 0, 2, 2, &s);
    CHECK_EQ(c.pixels[3], 100);
    fvi_canvas_free(&c);
    CHECK_EQ(fvi_paint_confusion(NULL, counts, 2, &c), FV_OK);
    CHECK_EQ(c.width, 320);
    CHECK_EQ(c.pixels[3], 221);                          /* 255 * root of 3/4 */
    CHECK_EQ(c.pixels[4 * 319 + 3], 128);
    CHECK_EQ(c.pixels[4 * (320 * 319) + 3], 0);
    fvi_canvas_free(&c);
}

/* The n-th allocation fails, for all n. */
static void memory_runs_out(void)
{
    static const char *const runs[] = {"t_run_a", "t_run_b"};
    for (int i = 0; i < 2; i++) {
        new_run(runs[i], "m");
        add_metrics(runs[i], 300, 100);
        add_evaluation(runs[i], i ? 30 : 3, NULL);
    }
    fv_context *ctx = fv_context_create();
    int64_t before = fvi_memory_count();
    CHECK_EQ(fv_report_write(ctx, NULL, runs, 2, "t_report.html"), FV_OK);
    int64_t needed = fvi_memory_count() - before, failed = 0;
    for (int64_t n = 1; n <= needed; n++) {
        fvi_memory_set_fault(n);
        fv_status status = fv_report_write(ctx, NULL, runs, 2, "t_report.html");
        fvi_memory_set_fault(0);
        CHECK_MSG(status == FV_ERROR_NOMEM, "allocation %d of %d: %d %s", (int)n, (int)needed, (int)status, fv_error_text(ctx));
        failed += status == FV_ERROR_NOMEM;
    }
    CHECK(failed > 50);
    fv_context_destroy(ctx);
}

TEST_MAIN(CASE(a_run), CASE(hostile_names), CASE(little_to_show), CASE(much_to_show), CASE(several_runs), CASE(damaged_parts), CASE(no_run), CASE(record),
          CASE(painting), CASE(memory_runs_out))
