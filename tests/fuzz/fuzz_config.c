/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes what is read from a configuration: the first byte says whether the rest is a file, a setting of the command line or a kernel
 * table. A configuration that is accepted is written in its resolved form, which must be accepted and read the same. */
#include "compile/table.h"
#include "train/config.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* The resolved form; NULL when it is refused. */
static char *resolve(fv_context *ctx, const char *text, int n, const char *const *settings)
{
    fv_config *c = NULL;
    char *out = NULL;
    if (fvi_config_from_text(ctx, NULL, "fuzz", text, n, settings, &c) == FV_OK) {
        char *origins = fv_config_text(c, true);
        out = fv_config_text(c, false);
        if (!origins || !out) __builtin_trap();
        fvi_free(origins);
    }
    fv_config_destroy(c);
    return out;
}

static void read_table(const char *text, size_t bytes)
{
    fvi_table t = {0};
    if (fvi_table_parse(NULL, "fuzz", text, bytes, &t) == FV_OK && t.face.find(&t.face, "conv2d", "x") && !t.choices) __builtin_trap();
    fvi_table_free(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (!bytes) return 0;
    char *text = malloc(bytes);                          /* exact size */
    fv_context *ctx = fv_context_create();
    if (!text || !ctx) return 0;
    memcpy(text, data + 1, bytes - 1);
    text[bytes - 1] = 0;
    const char *const setting = text, *const strong = "+strong";
    char *first = NULL;
    switch (data[0] % 4) {
    case 0: first = resolve(ctx, text, 0, NULL); break;
    case 1: first = resolve(ctx, NULL, 1, &setting); break;
    case 2: read_table(text, bytes - 1); break;
    case 3: first = resolve(ctx, text, 1, &strong); break;
    }
    if (first) {
        char *second = resolve(ctx, first, 0, NULL);
        if (!second || strcmp(first, second)) __builtin_trap();
        fvi_free(second);
    }
    fvi_free(first);
    fv_context_destroy(ctx);
    free(text);
    return 0;
}
