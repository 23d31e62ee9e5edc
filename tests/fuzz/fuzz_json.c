/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes the JSON reader: the first bit says relaxed or strict. What is read must survive being written and read again:
 * the second text equals the first. */
#include "base/json.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* The text as the writer writes it; NULL when it is refused. */
static char *rewrite(const char *text, size_t bytes, bool relaxed, int indent)
{
    fvi_arena arena = {0};
    fvi_json *v;
    fvi_text t = {0};
    char *out = NULL;
    if (fvi_json_parse(NULL, &arena, "fuzz", text, bytes, relaxed, &v) == FV_OK) {
        fvi_text_json(&t, v, indent);
        out = fvi_text_take(&t);
    }
    fvi_arena_free(&arena);
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (!bytes) return 0;
    char *copy = malloc(bytes);                         /* exact size: overruns are seen */
    if (!copy) return 0;
    memcpy(copy, data + 1, bytes - 1);
    char *first = rewrite(copy, bytes - 1, data[0] & 1, 0);
    free(copy);
    if (!first) return 0;
    char *lines = rewrite(first, strlen(first), false, 2);
    char *second = lines ? rewrite(lines, strlen(lines), false, 0) : NULL;
    if (!second || strcmp(first, second)) __builtin_trap();
    fvi_free(second);
    fvi_free(lines);
    fvi_free(first);
    return 0;
}
