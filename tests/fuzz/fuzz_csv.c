/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes CSV lists of pictures: what is accepted is written and must be read back the same. */
#include "data/list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    fvi_list l = {0}, again = {0};
    const fvi_csv_rules rules = {.set = FVI_NO_SET, .split = bytes & 1, .folds = bytes & 2 ? 3 : 0, .fold = 1};
    if (fvi_list_csv(NULL, &l, "fuzz", (const char *)data, bytes, &rules) == FV_OK) {
        for (int i = 0; i < l.count; i++)
            if (l.items[i].label < 0 || l.items[i].label >= l.n_classes || !*l.items[i].path || l.items[i].path[0] == '/') __builtin_trap();
        const fvi_csv_rules same = {.set = FVI_NO_SET, .split = false};
        char *text = l.count ? fvi_list_text(&l) : NULL;
        bool whole = true;                               /* no class without a picture, which only a stored split may have */
        for (int c = 0; c < l.n_classes; c++) {
            bool found = false;
            for (int i = 0; i < l.count && !found; i++) found = l.items[i].label == c;
            whole = whole && found;
        }
        if (text && whole) {
            if (fvi_list_csv(NULL, &again, "again", text, strlen(text), &same) != FV_OK || again.count != l.count) __builtin_trap();
            for (int i = 0; i < l.count; i++)
                if (strcmp(l.items[i].path, again.items[i].path) || strcmp(l.classes[l.items[i].label], again.classes[again.items[i].label]) ||
                    l.items[i].set != again.items[i].set) __builtin_trap();
        }
        fvi_free(text);
        if (fvi_list_sort_classes(NULL, &l) != FV_OK) __builtin_trap();
    }
    fvi_list_free(&l);
    fvi_list_free(&again);
    return 0;
}
