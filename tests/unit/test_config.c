/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration: layers and their order, aliases, short forms, origins, the resolved form read back, and a table of
 * mistakes with file, line, key and what was meant. */
#include "test.h"

#include "base/file.h"
#include "train/config.h"

#include <unistd.h>

static bool put(const char *path, const char *text)
{
    return fvi_file_write(NULL, path, text, strlen(text)) == FV_OK;
}

/* The configuration of one file text and settings; NULL and the message otherwise. */
static fv_config *load(const char *text, int n, const char *const *settings, char message[1024])
{
    fv_context *ctx = fv_context_create();
    fv_config *c = NULL;
    static fv_context *kept;
    fv_context_destroy(kept);
    kept = ctx;                                          /* lives as long as the configuration */
    message[0] = 0;
    if (text && !put("c.json", text)) return NULL;
    if (fv_config_create(ctx, text ? "c.json" : NULL, n, settings, &c) != FV_OK) snprintf(message, 1024, "%s", fv_error_message(ctx));
    return c;
}

#define SETTINGS(...) ((const char *const[]){__VA_ARGS__})
#define COUNT(...) (int)(sizeof SETTINGS(__VA_ARGS__) / sizeof(char *))
#define LOAD(text, ...) load((text), COUNT(__VA_ARGS__), SETTINGS(__VA_ARGS__), message)

static const char base[] =
    "{ // comment\n"
    " \"model\": \"resnet18\", \"model_args\": {\"stem\": \"imagenet\"},\n"
    " \"data\": {\"root\": \"pictures\", \"workers\": 2},\n"
    " \"batch_size\": 16, \"betas\": [0.8, 0.99], \"milestones\": [1, 2, 3],\n"
    " \"augment\": {\"pad_crop\": 4, \"horizontal_flip\": {\"p\": 0.25}},\n"
    " \"validate_every\": 50, \"save_every\": \"2 epochs\", \"freeze\": [\"conv1\", \"layer1\"],\n"
    " \"loss\": {\"label_smoothing\": 0.1, \"class_weights\": [1, 2.5]},\n"
    " \"variants\": {\n"
    "  \"big\": {\"batch_size\": 64, \"model_args\": {\"zero_init_residual\": true}, \"augment\": null},\n"
    "  \"slow\": {\"learning_rate\": 1e-5, \"batch_size\": 8, \"model_args\": {\"stem\": \"cifar\"}},\n"
    " },\n}\n";

static void file_values(void)
{
    char message[1024], cwd[512], want[700];
    fv_config *c = load(base, 0, NULL, message);
    CHECK_MSG(c, "%s", message);
    CHECK(getcwd(cwd, sizeof cwd) != NULL);
    snprintf(want, sizeof want, "%s/pictures", cwd);
    CHECK_STR(c->v.data_root, want);                     /* from the folder of the file, absolute */
    CHECK_EQ(c->v.batch_size, 16);
    CHECK_EQ(c->v.workers, 2);
    CHECK_CLOSE(c->v.betas[1], .99, 0);
    CHECK_EQ(c->v.milestones.n, 3);
    CHECK_EQ(c->v.pad_crop, 4);
    CHECK_CLOSE(c->v.horizontal_flip, .25, 0);
    CHECK_STR(c->v.validate_every, "50");
    CHECK_STR(c->v.save_every, "2 epochs");
    CHECK_STR(c->v.freeze, "conv1,layer1");
    const fvi_row weights = c->rows[fvi_config_row(c, "loss.class_weights")];          /* a key of the task's */
    CHECK_STR(*(char **)((char *)weights.base + weights.key->offset), "1,2.5");
    CHECK_EQ(c->v.epochs, 30);                           /* neither epochs nor max_steps */
    CHECK_STR(c->stem, "c");
    fv_config_destroy(c);
}

static void order_of_layers(void)
{
    char message[1024];
    fv_config *c = LOAD(base, "learning_rate=0.5", "+slow", "+big", "seed=4");
    CHECK_MSG(c, "%s", message);
    CHECK_EQ(c->v.batch_size, 64);                       /* the later variant wins */
    CHECK_CLOSE(c->v.learning_rate, .5, 0);              /* key=value wins over variants wherever it stands */
    CHECK_EQ(c->v.pad_crop, 0);                          /* null on a group: defaults */
    CHECK_CLOSE(c->v.horizontal_flip, 0, 0);
    CHECK_STR(c->variants, "slow.big");
    char *args = fvi_config_model_args(c), *origins = fv_config_text(c, true);
    CHECK_STR(args, "{\"stem\": \"cifar\", \"zero_init_residual\": true}");
    CHECK_HAS(origins, "\"batch_size\": \"c.json:9 (variant big)\"");
    CHECK_HAS(origins, "\"learning_rate\": \"command line\"");
    CHECK_HAS(origins, "\"gamma\": \"default\"");
    CHECK_HAS(origins, "\"pad_crop\": \"default\"");
    fvi_free(args);
    fvi_free(origins);
    fv_config_destroy(c);
}

/* What stands in another layer is laid over; null on a group comes before what differs from it; of settings the last
 * one counts. */
static void a_key_in_several_places(void)
{
    static const char text[] =
        "{\"data.root\": \"a\", \"augment\": null, \"augment.pad_crop\": 3, \"model_args\": null,\n"
        " \"model_args.stem\": \"cifar\","
        " \"seed\": null, \"variants\": {\"a\": {\"data\": {\"root\": \"b\"}, \"augment\": {\"pad_crop\": 4}},\n"
        " \"b\": {\"data\": \"c\", \"model_args\": {\"stem\": \"imagenet\"}}}}";
    char message[1024];
    fv_config *c = LOAD(text, "+a", "+b", "seed=4", "seed=5", "data.workers=3", "data={\"workers\": 4}");
    CHECK_MSG(c, "%s", message);
    CHECK_HAS(c->v.data_root, "/c");
    CHECK_EQ(c->v.pad_crop, 4);
    CHECK_EQ(c->v.seed, 5);
    CHECK_EQ(c->v.workers, 4);
    char *args = fvi_config_model_args(c);
    CHECK_STR(args, "{\"stem\": \"imagenet\"}");
    fvi_free(args);
    fv_config_destroy(c);
}

static void command_line_forms(void)
{
    char message[1024], cwd[512], want[700];
    fv_config *c = LOAD(NULL, "model=resnet34", "data=here", "betas=0.7,0.8", "augment={\"pad_crop\": 2, \"horizontal_flip\": 0.5}", "early_stop=4",
                        "model_args.stem=cifar", "model_args.zero_init_residual=true", "freeze=all_but_head", "imgsz=64", "workers=0", "lr=0.25",
                        "validate_every=1 epoch", "max_steps=7", "normalize.mean=0.5", "momentum=null", "milestones=[3,4]");
    CHECK_MSG(c, "%s", message);
    CHECK(getcwd(cwd, sizeof cwd) != NULL);
    snprintf(want, sizeof want, "%s/here", cwd);
    CHECK_STR(c->v.data_root, want);
    CHECK_CLOSE(c->v.betas[0], .7, 0);
    CHECK_EQ(c->v.pad_crop, 2);
    CHECK_EQ(c->v.patience, 4);
    CHECK_EQ(c->v.image_size[0], 64);
    CHECK_EQ(c->v.image_size[1], 64);
    CHECK_EQ(c->v.workers, 0);
    CHECK_CLOSE(c->v.learning_rate, .25, 0);
    CHECK_EQ(c->v.max_steps, 7);
    CHECK_EQ(c->v.epochs, 0);
    CHECK_CLOSE(c->v.mean[2], .5, 0);
    CHECK_CLOSE(c->v.momentum, .9, 0);
    CHECK_EQ(c->v.milestones.n, 2);
    fv_config_destroy(c);
}

static void resolved_form_reads_back(void)
{
    char message[1024];
    fv_config *c = LOAD(base, "+slow", "max_steps=12"), *again = NULL;
    CHECK_MSG(c, "%s", message);
    char *text = fv_config_text(c, false);
    CHECK_MSG(fvi_config_from_text(c->ctx, NULL, "resolved", text, 0, NULL, &again) == FV_OK, "%s", fv_error_message(c->ctx));
    char *second = fv_config_text(again, false), *difference = fvi_config_difference(c, again);
    CHECK_STR(second, text);
    CHECK_STR(difference, "");
    fvi_free(difference);
    again->v.batch_size = 99;
    again->v.threads = 3;                                /* of the machine: no difference */
    const int arguments = again->model_args.count;
    again->model_args.count = 0;
    difference = fvi_config_difference(c, again);
    again->model_args.count = arguments;                 /* for fv_config_destroy */
    CHECK_STR(difference, "batch_size (8, now 99), model_args ({\"stem\": \"cifar\"}, now {})");
    fvi_free(difference);
    fvi_free(text);
    fvi_free(second);
    fv_config_destroy(again);
    fv_config_destroy(c);
}

static void well_known_example(void)
{
    char message[1024];
    fv_config *c = load("{\"model\": \"resnet18\", \"checkpoint_dir\": \"ckpt\", \"tensorboard_dir\": \"tb\", \"device\": \"auto\", \"enable_amp\": true,\n"
                        "\"enable_compile\": false, \"enable_cudnn_benchmark\": true, \"learning_rate\": 1, \"max_learning_rate\": 1e-3, \"betas\": [0.9, 0.999],\n"
                        "\"eps\": 1e-8, \"weight_decay\": 0.05, \"max_steps\": 1000, \"max_grad_norm\": 1.0, \"save_every\": 100,\n"
                        "\"gradient_accumulation_steps\": 4, \"batch_size\": 32, \"scheduler\": \"warmup_cosine\", \"warmup_iters\": 500, \"min_lr\": 1e-4,\n"
                        "\"lr_decay_iters\": 1000}", 0, NULL, message);
    CHECK_MSG(c, "%s", message);
    CHECK_CLOSE(c->v.max_learning_rate, 1e-3, 0);
    CHECK_EQ(c->v.accumulation, 4);
    fv_config_destroy(c);
}

static void mistakes_in_files(void)
{
    static const struct { const char *text, *message; } cases[] = {
        {"{\n \"batchsize\": 3}", "c.json:2: batchsize: unknown key; did you mean \"batch_size\"?"},
        {"{\"zzzzzzzzzz\": 3}", "c.json:1: zzzzzzzzzz: unknown key, nothing known is near"},
        {"{\"pad_crop\": 3}", "did you mean \"augment.pad_crop\"?"},
        {"{\"data\": {\"rot\": \"x\"}}", "c.json:1: data.rot: unknown key; did you mean \"data.root\"?"},
        {"{\"batch_size\": \"32\"}", "c.json:1: batch_size: wrong type, a whole number is wanted"},
        {"{\"batch_size\": 1.5}", "c.json:1: batch_size: \"1.5\" is not a whole number"},
        {"{\"batch_size\": 0}", "c.json:1: batch_size: 0 is out of range"},
        {"{\"batch_size\": true}", "wrong type"},
        {"{\"batch_size\": [1, 2]}", "wrong type"},
        {"{\"batch_size\": {\"p\": 1}}", "wrong type"},
        {"{\"enable_amp\": 1}", "c.json:1: enable_amp: wrong type, true or false is wanted"},
        {"{\"betas\": [0.9]}", "c.json:1: betas: wrong type, a list of 2 numbers is wanted"},
        {"{\"betas\": [0.9, 1.5]}", "c.json:1: betas: 1.5 is out of range"},
        {"{\"betas\": [0.9, \"a\"]}", "wrong type, a list of 2 numbers"},
        {"{\"optimizer\": \"adamww\"}", "c.json:1: optimizer: unknown value \"adamww\"; did you mean \"adamw\"?"},
        {"{\"model\": \"resnet81\"}", "c.json:1: model: unknown model \"resnet81\"; did you mean \"resnet18\"?"},
        {"{\"model\": 18}", "c.json:1: model: wrong type, text is wanted"},
        {"{\"model\": \"resnet18\",\n\"model_args\": {\n\"stam\": \"cifar\"}}", "c.json:3: unknown argument stam of model resnet18; did you mean \"stem\"?"},
        {"{\"model_args\": 3}", "c.json:1: model_args: an object is wanted"},
        {"{\"augment\": {\"horizontal_flip\": {\"q\": 1}}}", "augment.horizontal_flip.q: unknown key"},
        {"{\"augment\": {\"horizontal_flip\": 1.5}}", "c.json:1: augment.horizontal_flip: 1.5 is out of range"},
        {"{\"augment\": 3}", "augment: wrong type, an object is wanted"},
        {"{\"validate_every\": \"3 weeks\"}", "validate_every: \"3 weeks\" is neither a number of updates nor \"1 epoch\""},
        {"{\"save_every\": 0}", "save_every: \"0\" is neither"},
        {"{\"batch_size\": 3,\n\"batch\": 4}", "c.json:2: batch is the same key as batch_size on line 1; give one of"},
        {"{\"data\": {\"root\": \"a\"},\n\n\"data.root\": \"b\"}",
         "c.json:3: data.root is the same key as data.root on line 1"},
        {"{\"data\": \"a\",\n\"data.root\": \"b\"}", "c.json:2: data.root is the same key as data.root on line 1"},
        {"{\"data.root\": \"a\",\n\"data\": {\"workers\": 1, \"root\": \"b\"}}", "c.json:2: data.root is the same key"},
        {"{\"lr\": 1,\n\"lr0\": 1}", "c.json:2: lr0 is the same key as lr on line 1"},
        {"{\"augment.horizontal_flip\": 0.5,\n\"augment\": {\"horizontal_flip\": {\"p\": 0.5}}}",
         "c.json:2: augment.horizontal_flip is the same key"},
        {"{\"early_stop\": 3,\n\"patience\": 3}", "c.json:2: patience is the same key as early_stop.patience on"},
        {"{\"data.split.val\": 0.5,\n\"data\": {\"split\": {\"val\": 0.25}}}",
         "c.json:2: data.split.val is the same key"},
        {"{\"seed\": null,\n\"seed \": 3}", "unknown key"},
        {"{\"augment.pad_crop\": 2,\n\"augment\": null}",
         "c.json:2: augment.pad_crop is the same key as augment.pad_crop on line 1"},
        {"{\"model_args\": {\"stem\": \"cifar\"},\n\"model_args.stem\": \"imagenet\"}",
         "c.json:2: model_args.stem is the same key as model_args.stem on line 1"},
        {"{\"model_args.stem\": \"cifar\",\n\"model_args\": null}",
         "c.json:2: model_args is the same key as model_args on line 1"},
        {"{\"device\": \"cuda\"}", "c.json:1: device: this fovea has no CUDA; set device=cpu"},
        {"{\"enable_amp\": true, \"amp_dtype\": \"fp16\"}", "set amp_dtype=bf16"},
        {"{\"nesterov\": true, \"momentum\": 0, \"optimizer\": \"sgd\"}", "Nesterov needs a momentum"},
        {"{\"scheduler\": \"multi_step\"}", "multi_step needs milestones"},
        {"{\"scheduler\": \"sgdr\"}", "c.json:1: scheduler: warm_restarts needs restart_iters or restart_epochs"},
        {"{\"restart_iters\": 5,\n\"restart_epochs\": 1}", "c.json:2: restart_epochs and restart_iters say the same"},
        {"{\"restart_mult\": 0}", "c.json:1: restart_mult: 0 is out of range"},
        {"{\"plateau\": {\"factor\": 1}}", "plateau.factor: 1 is out of range"},
        {"{\"plateau\": {\"threshold_mode\": \"relative\"}}", "plateau.threshold_mode: unknown value \"relative\""},
        {"{\"plateau\": {\"patient\": 1}}", "did you mean \"plateau.patience\"?"},
        {"{\"seeds\": [1, 2]}", "c.json:1: seeds: wrong type, a whole number is wanted"},
        {"{\"seeds\": 1001}", "seeds: 1001 is out of range"},
        {"{\"min_lr\": 1, \"learning_rate\": 0.1}", "min_lr 1 is above the peak 0.1"},
        {"{\"warmup_iters\": 500, \"lr_decay_iters\": 400}", "lr_decay_iters: 400 is not above warmup_iters 500"},
        {"{\"pretrained\": \"w.pth\"}", "c.json:1: pretrained: this version of fovea does not have it yet"},
        {"{\"variants\": {\"a\": {\"variants\": {}}}}", NULL},
        {"{\"variants\": 3}", "c.json:1: variants: an object of named overlays is wanted"},
        {"[]", "c.json:1: an object is wanted"},
        {"{\"seed\": 1,\n\n\"seed\": 2}", "c.json:3"},
        {"{\"seed\": 1", "c.json:1: the file ends inside"},
        {"", "c.json:1: the file is empty"},
        {"{\"seed\": 9007199254740993}", "seed"},
        {"{\"seed\": -1}", "c.json:1: seed: -1 is out of range"},
    };
    char message[1024];
    for (int i = 0; i < FVI_COUNT(cases); i++) {
        fv_config *c = load(cases[i].text, 0, NULL, message);
        if (cases[i].message) {
            CHECK_MSG(!c, "accepted: %s", cases[i].text);
            CHECK_HAS(message, cases[i].message);
        }
        fv_config_destroy(c);
    }
}

static void mistakes_on_the_command_line(void)
{
    static const struct { const char *setting, *message; } cases[] = {
        {"batchsize=3", "batchsize: unknown key; did you mean \"batch_size\"?"},
        {"batch_size=many", "batch_size: \"many\" is not a whole number"},
        {"batch_size=0", "batch_size: 0 is out of range"},
        {"enable_amp=maybe", "enable_amp: \"maybe\" is neither true nor false"},
        {"optimizer=adamww", "did you mean \"adamw\"?"},
        {"+bigg", "c.json has no variant \"bigg\"; did you mean \"+big\"?"},
        {"+batch_size=3", "a variant is +name; for a value write batch_size=3 without the plus"},
        {"=3", "\"=3\" is neither key=value nor +variant"},
        {"word", "\"word\" is neither key=value nor +variant"},
        {"augment={\"pad\": 3}", "augment.pad: unknown key; did you mean"},
        {"augment={", "augment:1: the file ends inside"},
        {"augment=3", "augment"},
        {"model_args.stem=cifer", "did you mean \"cifar\"?"},
        {"model_args.depth=3", "unknown argument depth"},
        {"betas=0.9,", "betas"},
        {"device=cuda", "device: this fovea has no CUDA; set device=cpu"},
    };
    char message[1024];
    for (int i = 0; i < FVI_COUNT(cases); i++) {
        fv_config *c = load(base, 1, &cases[i].setting, message);
        CHECK_MSG(!c, "accepted: %s", cases[i].setting);
        CHECK_HAS(message, cases[i].message);
    }
    fv_config *c = LOAD(base, "batch=3", "batch_size=4");
    CHECK(!c);
    CHECK_HAS(message, "batch_size and batch are the same key");
    fv_context *ctx = fv_context_create();
    CHECK_EQ(fv_config_create(ctx, "absent.json", 0, NULL, &c), FV_ERROR_CONFIG);
    CHECK_HAS(fv_error_message(ctx), "configuration absent.json does not exist");
    fv_context_destroy(ctx);
}

/* Each key has a meaning, a heading and an example that may be written as it stands. */
static void every_key_is_described(void)
{
    fv_config_entry e;
    fv_context *ctx = fv_context_create();
    fv_config *c;
    int n = 0;
    CHECK_EQ(fvi_config_create(ctx, NULL, NULL, 0, NULL, &c), FV_OK);
    for (; fv_config_describe(n, &e); n++) {
        CHECK_MSG(*e.help && *e.heading && *e.kind && *e.fallback, "%s: what does it mean, and what is its default?", e.name);
        CHECK_MSG(*e.example && strcmp(e.example, "0") && strcmp(e.example, "null") ? true : !strcmp(e.name, "data.split.fold"),
                  "%s: its row wants an example", e.name);
        CHECK_MSG(fvi_config_apply_text(c, e.name, e.example) == FV_OK, "%s=%s: %s", e.name, e.example, fv_error_message(ctx));
        CHECK_EQ(fv_config_find(e.name), n);
        CHECK(strlen(e.fallback) < sizeof e.fallback - 1 && strlen(e.example) < sizeof e.example - 1);
    }
    CHECK(n > 40);
    CHECK(!fv_config_describe(-1, &e));
    CHECK_EQ(fv_config_find("lr"), fv_config_find("learning_rate"));
    CHECK_EQ(fv_config_find("data"), fv_config_find("data.root"));
    CHECK_EQ(fv_config_find("nowhere"), -1);
    fv_config_destroy(c);
    fv_context_destroy(ctx);
}

static void variants_of_a_file(void)
{
    fv_context *ctx = fv_context_create();
    CHECK(put("c.json", base));
    char *names = fv_config_variants(ctx, "c.json");
    CHECK_STR(names, "big\nslow");
    fv_text_free(names);
    CHECK(put("c.json", "{}"));
    names = fv_config_variants(ctx, "c.json");
    CHECK_STR(names, "");
    fv_text_free(names);
    CHECK(put("c.json", "{"));
    CHECK(fv_config_variants(ctx, "c.json") == NULL);
    CHECK(fv_config_variants(ctx, "absent.json") == NULL);
    fv_context_destroy(ctx);
}

TEST_MAIN(CASE(file_values), CASE(order_of_layers), CASE(a_key_in_several_places), CASE(command_line_forms),
          CASE(resolved_form_reads_back), CASE(well_known_example), CASE(mistakes_in_files),
          CASE(mistakes_on_the_command_line), CASE(every_key_is_described), CASE(variants_of_a_file))
