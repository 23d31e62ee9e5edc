/* SPDX-License-Identifier: Apache-2.0 */
/* The disk gets full (and stays so) at every creation of a file or folder, write, sync and rename of a whole run with everything
 * on, and of report, export, synth and a stored split: the error names the file, nothing half written stands under its name
 * and nothing lies about, what was saved loads, and the run goes on to the files of a straight one. */
#include "test.h"

#include "base/file.h"
#include "base/rng.h"
#include "fovea/nn.h"
#include "fovea/onnx.h"
#include "fovea/report.h"
#include "fovea/synth.h"
#include "fovea/train.h"
#include "io/events.h"
#include "io/safetensors.h"
#include "report/run_data.h"

#include <errno.h>
#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { SIDE = 6, CLASSES = 3, CREATE = 0, WRITE, SYNC, RENAME, KINDS };
static const char *const kinds[KINDS] = {"creation", "write", "sync", "rename"};

static fv_status get(const fv_source *s, fv_context *ctx, int64_t index, fv_sample *out)
{
    fv_image *image = &out->image;
    int64_t *label = &out->label;
    const int64_t *base = s->user;
    fvi_rng r = fvi_rng_at(78, (uint64_t)(*base + index));
    *label = index % CLASSES;
    FVI_TRY(ctx, fv_image_resize(ctx, image, SIDE, SIDE));
    for (int i = 0; i < 3 * SIDE * SIDE; i++) image->pixels[i] = (uint8_t)(fvi_rng_u32(&r) % 256);
    return FV_OK;
}

static int64_t train_base = 0, val_base = 100000;
static fv_source train_data = {.count = 14, .classes = CLASSES, .user = &train_base, .get = get};
static fv_source val_data = {.count = 9, .classes = CLASSES, .user = &val_base, .get = get};

static fv_value *tiny(fv_graph *g, fv_value *x, void *user)
{
    (void)user;
    x = fv_conv_bn_act(g, "stem", x, &FV_CONV(.out = 4, .kernel = 3, .stride = 2));
    return fv_linear(g, "head", fv_global_average_pool(g, x), CLASSES);
}

static void set_fault(int kind, int nth)
{
    fvi_file_faults f = {.error = ENOSPC, .lasting = true};
    *(kind == CREATE ? &f.create_at : kind == WRITE ? &f.write_at : kind == SYNC ? &f.sync_at : &f.rename_at) = nth;
    fvi_file_set_faults(f);
}

/* How often the fault struck; it is off from here on. */
static int end_fault(void)
{
    int hits = fvi_file_fault_hits();
    fvi_file_set_faults((fvi_file_faults){0});
    return hits;
}

static void clean(const char *path)
{
    char command[256];
    snprintf(command, sizeof command, "rm -rf %s %s.tmp.* %s.old*", path, path, path);
    if (system(command)) printf("cannot clean %s\n", path);
}

/* ---- what lies about -------------------------------------------------------------------------------------------------- */

static char temporary[512];

static int look(const char *path, const struct stat *info, int kind, struct FTW *at)
{
    (void)info, (void)kind, (void)at;
    if (strstr(path, ".tmp.")) snprintf(temporary, sizeof temporary, "%s", path);
    return 0;
}

/* No file that was written aside is left below `folder`. */
static bool is_tidy(const char *folder)
{
    temporary[0] = 0;
    nftw(folder, look, 16, FTW_PHYS);
    return !*temporary;
}

static fv_context *reader;
static int torn;

static void check_events(const char *path, const unsigned char *data, size_t bytes)
{
    fvi_event_reader r = {.ctx = reader, .name = path, .data = data, .bytes = bytes};
    const unsigned char *payload;
    size_t n;
    fv_status status;
    do status = fvi_event_next(&r, &payload, &n);
    while (status == FV_OK && payload);
    torn += status != FV_OK || r.cut;
}

static int check_part(const char *path, const struct stat *info, int kind, struct FTW *at)
{
    char *data;
    size_t bytes, length = strlen(path);
    fvi_st_file f;
    int before = torn;
    (void)at;
    if (kind != FTW_F || fvi_file_read(reader, path, (size_t)info->st_size, &data, &bytes) != FV_OK) return 0;
    if (length > 12 && !strcmp(path + length - 12, ".safetensors")) {
        torn += fvi_st_parse(reader, path, (unsigned char *)data, bytes, &f) != FV_OK || fvi_st_check(reader, &f) != FV_OK;
        fvi_st_close(&f);
    }
    if (strstr(path, "tfevents")) check_events(path, (unsigned char *)data, bytes);
    if (strstr(path, "/command.txt") && !bytes) bytes = 1, data[0] = '\n';      /* a log: no line yet */
    if (strstr(path, ".csv") || strstr(path, ".txt") || strstr(path, ".json")) torn += !bytes || data[bytes - 1] != '\n';
    if (strstr(path, ".html")) torn += bytes < 8 || memcmp(data + bytes - 8, "</html>\n", 8) != 0;
    if (torn > before) printf("    %s is not whole: %s\n", path, fv_error_message(reader));
    fvi_free(data);
    return 0;
}

/* Every file of the run is whole: weights with their hash, event records, the last line of each text. */
static bool is_whole(const char *folder)
{
    torn = 0;
    nftw(folder, check_part, 16, FTW_PHYS);
    return !torn;
}

/* ---- a run -------------------------------------------------------------------------------------------------------------- */

typedef struct outcome { fv_status status; int64_t start, saved; char message[1024]; } outcome;

static bool note_saved(void *user, fv_train_event event, const fv_train_progress *p)
{
    outcome *o = user;
    if (event == FV_TRAIN_SAVED) o->saved = p->step;
    return true;
}

static outcome train(const char *run)
{
    static const char *const settings[] = {"image_size=6", "batch_size=4", "max_steps=5", "learning_rate=0.01", "ema_decay=0.9", "validate_every=2",
                                           "save_every=2", "threads=1", "data.workers=0", "paint_images=2", "augment.pad_crop=1"};
    outcome r = {.saved = -1};
    fv_train_options o = {.settings = settings, .n_settings = FVI_COUNT(settings), .train_data = &train_data, .val_data = &val_data, .run = run,
                          .callback = note_saved, .callback_user = &r};
    fv_context *ctx = fv_context_create();
    fv_model *m = fv_model_define(ctx, "tiny", tiny, NULL);
    fv_trainer *t = NULL;
    r.status = fv_trainer_create(ctx, m, &o, &t);
    if (r.status == FV_OK) {
        r.start = fv_trainer_progress(t)->start_step;
        r.status = fv_trainer_run(t);
    }
    if (r.status != FV_OK) snprintf(r.message, sizeof r.message, "%s", fv_error_message(ctx));
    fv_trainer_destroy(t);
    fv_model_destroy(m);
    fv_context_destroy(ctx);
    return r;
}

/* The same bytes behind the header, which names the run's folder. */
static bool same_weights(const char *name)
{
    char a[128], b[128];
    fvi_st_file x, y;
    snprintf(a, sizeof a, "d_straight/checkpoints/%s", name);
    snprintf(b, sizeof b, "d_run/checkpoints/%s", name);
    bool opened = fvi_st_open(reader, a, &x) == FV_OK, both = opened && fvi_st_open(reader, b, &y) == FV_OK;
    bool same = both && x.data_bytes == y.data_bytes && !memcmp(x.data, y.data, x.data_bytes);
    if (opened) fvi_st_close(&x);
    if (both) fvi_st_close(&y);
    return same;
}

static bool same_text(const char *name)
{
    char command[256];
    snprintf(command, sizeof command, "cmp -s d_straight/%s d_run/%s", name, name);
    return system(command) == 0;
}

/* One run whose n-th call of a kind fails, and its going on. False when the fault was not reached. */
static bool fail_and_go_on(int kind, int nth)
{
    static const char *const weights[] = {"best.safetensors", "latest.safetensors", "latest.state.safetensors"};
    clean("d_run");
    set_fault(kind, nth);
    outcome r = train("d_run");
    int hits = end_fault();
    bool reached = hits > 0;
#define NEED(cond, ...) do { if (!test_check((cond), TEST_PLACE, __VA_ARGS__)) return false; } while (0)
    NEED(reached == (r.status != FV_OK), "%s %d failed %d times, and the run ends with: %s", kinds[kind], nth, hits, fv_status_text(r.status));
    if (!reached) return false;
    NEED(r.status == FV_ERROR_IO, "%s %d: %s", kinds[kind], nth, r.message);
    NEED(strstr(r.message, "d_run") && strstr(r.message, "No space left on device"), "%s %d: \"%s\"", kinds[kind], nth, r.message);
    NEED(is_tidy("d_run"), "%s %d leaves %s", kinds[kind], nth, temporary);
    NEED(is_whole("d_run"), "%s %d (%s)", kinds[kind], nth, r.message);
    outcome again = train("d_run");
    NEED(again.status == FV_OK, "after %s %d (%s): %s", kinds[kind], nth, r.message, again.message);
    NEED(again.start >= r.saved, "after %s %d: saved at step %d, goes on at %d", kinds[kind], nth, (int)r.saved, (int)again.start);
    for (int i = 0; i < FVI_COUNT(weights); i++) NEED(same_weights(weights[i]), "after %s %d: %s differs", kinds[kind], nth, weights[i]);
    NEED(fvi_file_exists("d_run/report.html"), "after %s %d: no report", kinds[kind], nth);
    NEED(same_text("metrics.csv") && same_text("evaluation.json"), "after %s %d: metrics or evaluation differ", kinds[kind], nth);
    NEED(is_tidy("d_run") && is_whole("d_run"), "after %s %d: not tidy or not whole", kinds[kind], nth);
    return true;
}

static void whole_runs(void)
{
    int counts[KINDS] = {0};
    reader = fv_context_create();
    clean("d_straight");
    CHECK_EQ(train("d_straight").status, FV_OK);
    CHECK(is_whole("d_straight"));
    for (int kind = 0; kind < KINDS; kind++) {
        while (fail_and_go_on(kind, counts[kind] + 1)) counts[kind]++;
        if (test_state.failures) break;
    }
    fv_context_destroy(reader);
    printf("    %d creations, %d writes, %d syncs, %d renames failed in turn\n", counts[0], counts[1], counts[2], counts[3]);
    CHECK(counts[CREATE] > 15 && counts[WRITE] > 25 && counts[SYNC] > 25 && counts[RENAME] > 10);
}

/* ---- a run with several seeds --------------------------------------------------------------------------------------------- */

static fv_status train_seeds(char message[1024])
{
    static const char *const settings[] = {"image_size=6", "batch_size=8", "max_steps=2", "validate_every=2", "threads=1", "data.workers=0", "paint_images=1", "seeds=2"};
    fv_train_options o = {.settings = settings, .n_settings = FVI_COUNT(settings), .train_data = &train_data, .val_data = &val_data, .run = "d_seeds"};
    fv_context *ctx = fv_context_create();
    fv_model *m = fv_model_define(ctx, "tiny", tiny, NULL);
    fv_seeds *s = NULL;
    fv_status status = fv_train(ctx, m, &o, NULL, &s);
    snprintf(message, 1024, "%s", status == FV_OK ? "" : fv_error_message(ctx));
    fv_seeds_destroy(s);
    fv_model_destroy(m);
    fv_context_destroy(ctx);
    return status;
}

static void several_seeds(void)
{
    enum { STRIDE = 4 };
    char message[1024], again[1024];
    int failed = 0;
    reader = fv_context_create();
    for (int kind = 0; kind < KINDS; kind++)
        for (int nth = 1;; nth += STRIDE) {
            clean("d_seeds");
            set_fault(kind, nth);
            fv_status status = train_seeds(message);
            if (!end_fault()) break;
            failed++;
            CHECK_MSG(status == FV_ERROR_IO && strstr(message, "d_seeds") && strstr(message, "No space left on device"), "%s %d: %s", kinds[kind], nth, message);
            CHECK_MSG(is_tidy("d_seeds") && is_whole("d_seeds"), "%s %d (%s): %s", kinds[kind], nth, message, temporary);
            CHECK_MSG(train_seeds(again) == FV_OK, "after %s %d (%s): %s", kinds[kind], nth, message, again);
            CHECK(fvi_file_exists("d_seeds/seeds.json") && fvi_file_exists("d_seeds/seed-1/report.html"));
            CHECK(is_tidy("d_seeds") && is_whole("d_seeds"));
        }
    fv_context_destroy(reader);
    printf("    %d calls failed, every %dth in turn\n", failed, STRIDE);
    CHECK(failed > 20);
}

/* ---- single outputs ------------------------------------------------------------------------------------------------------- */

static fv_status write_report(fv_context *ctx, const char *path)
{
    const char *run = "d_straight";
    return fv_report_write(ctx, NULL, &run, 1, path);
}

static fv_status write_onnx(fv_context *ctx, const char *path)
{
    fv_exported *e = NULL;
    fv_status status = fv_export(ctx, &(fv_export_options){.model = "resnet20", .path = path, .classes = 2, .input = {3, 32, 32}}, &e);
    fv_exported_destroy(e);
    return status;
}

static fv_status write_list(fv_context *ctx, const char *path)
{
    fv_data *d = NULL;
    fv_status status = fv_data_open(ctx, &(fv_data_options){.root = "d_planes/train", .whole = false, .val = 0.2}, &d);
    if (status == FV_OK) status = fv_data_write_split(ctx, d, path);
    fv_data_destroy(d);
    return status;
}

static fv_status write_planes(fv_context *ctx, const char *path)
{
    fv_synth_options o;
    fv_synth_defaults(&o);
    o.classes = 2;
    o.per_class = 10;
    o.size = 16;
    o.threads = 1;
    return fv_synth_planes(ctx, path, &o, true, NULL, NULL, NULL);
}

/* The n-th call fails for all n, with nothing there before and with an old version: absent, or the old one. */
static void outputs(void)
{
    static const struct { const char *name; fv_status (*write)(fv_context *ctx, const char *path); bool folder; } cases[] = {
        {"d_report.html", write_report, false}, {"d_model.onnx", write_onnx, false}, {"d_planes", write_planes, true}, {"d_split.csv", write_list, false}};
    int failed = 0;
    clean("d_straight");
    CHECK_EQ(train("d_straight").status, FV_OK);
    for (int i = 0; i < FVI_COUNT(cases); i++)
        for (int old = 0; old < 2; old++) {
            const char *path = cases[i].name;
            fv_context *ctx = fv_context_create();
            char command[256];
            clean(path);
            if (old) {
                CHECK_MSG(cases[i].write(ctx, path) == FV_OK, "%s: %s", path, fv_error_message(ctx));
                snprintf(command, sizeof command, "rm -rf d_kept; cp -r %s d_kept", path);
                CHECK(system(command) == 0);
            }
            for (int kind = 0; kind < KINDS; kind++)
                for (int nth = 1, hits = 1; hits; nth++) {
                    if (!old) clean(path);
                    set_fault(kind, nth);
                    fv_status status = cases[i].write(ctx, path);
                    hits = end_fault();
                    CHECK_MSG(hits ? status == FV_ERROR_IO : status == FV_OK, "%s, %s %d: %s", path, kinds[kind], nth, fv_error_text(ctx));
                    if (!hits) break;
                    failed++;
                    CHECK_HAS(fv_error_message(ctx), path);
                    CHECK_HAS(fv_error_message(ctx), "No space left on device");
                    snprintf(command, sizeof command, "ls -d %s.tmp.* %s.old.* > /dev/null 2>&1", path, path);
                    CHECK_MSG(system(command) != 0, "%s, %s %d: something is left beside it", path, kinds[kind], nth);
                    snprintf(command, sizeof command, "diff -r %s d_kept > /dev/null", path);
                    /* The sync of the folder comes behind the rename: then the new one is there, the same as the old one here. */
                    if (old) CHECK_MSG(system(command) == 0, "%s, %s %d: the old one is not as it was", path, kinds[kind], nth);
                    if (!old && fvi_file_exists(path)) CHECK_MSG(kind == SYNC, "%s, %s %d: it is there", path, kinds[kind], nth);
                }
            fv_context_destroy(ctx);
        }
    printf("    %d calls failed in turn\n", failed);
    CHECK(failed > 60);
}

TEST_MAIN(CASE(whole_runs), CASE(several_seeds), CASE(outputs))
