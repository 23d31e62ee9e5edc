/* SPDX-License-Identifier: Apache-2.0 */
/* Reports: one HTML file that shows what runs did, readable without a network. */
#ifndef FOVEA_REPORT_H
#define FOVEA_REPORT_H

#include "fovea/task.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Reads run folders (1 to 64; a folder of several seeds stands for its runs) and writes `output`, complete or not at all. One run is
 * shown in full, several are overlaid. Parts that a folder lacks are left out, damaged ones are said on the page; a folder without
 * config.json is an IO error, a config.json that cannot be read a FORMAT one. `task`: your own, of runs that it trained; else NULL. */
FV_API fv_status fv_report_write(fv_context *ctx, const fv_task_def *task, const char *const *runs, int n, const char *output) FV_CHECKED;

#ifdef __cplusplus
}
#endif
#endif
