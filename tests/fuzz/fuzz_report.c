/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes what a report reads of a run: the first byte's low bits say whether the rest is evaluation.json, metrics.csv or
 * config.json. Whatever is accepted becomes a page, in which no markup from outside may stand. */
#include "report/page.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void make_page(fvi_run_data *r)
{
    fvi_text t = {0};
    if (fvi_page_text(NULL, r, 1, &t) == FV_OK) {
        char *page = fvi_text_take(&t);
        if (page && (strstr(page, "<script") || strstr(page, "<SCRIPT") || strstr(page, "<a ") || strstr(page, "<!--"))) __builtin_trap();
        fvi_free(page);
    }
    fvi_text_free(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (!bytes) return 0;
    char path[] = "/run";
    fvi_run_data r = {.path = path, .name = "run"};
    fv_status status = FV_OK;
    char *text = malloc(bytes);                          /* exact size */
    if (!text) return 0;
    memcpy(text, data + 1, bytes - 1);
    text[bytes - 1] = 0;
    if (data[0] % 3 == 0) {
        status = fvi_record_parse(NULL, "fuzz", text, bytes - 1, &r.arena, &r.record);
        r.have_record = status == FV_OK;
    } else if (data[0] % 3 == 1) {
        status = fvi_run_data_metrics(NULL, &r, text);
    } else {
        fvi_json *v = NULL;
        status = fvi_json_parse(NULL, &r.arena, "fuzz", text, bytes - 1, false, &v);
        if (status == FV_OK && v->kind == FVI_JSON_OBJECT) r.config = r.summary = r.environment = r.origins = v;
    }
    if (status == FV_OK) make_page(&r);
    free(text);
    r.path = NULL;
    fvi_run_data_free(&r);
    return 0;
}
