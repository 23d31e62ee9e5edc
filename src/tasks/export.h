/* SPDX-License-Identifier: Apache-2.0 */
/* Writing graphs of a session to files for other programs. */
#ifndef FVI_TASKS_EXPORT_H
#define FVI_TASKS_EXPORT_H

#include "fovea/onnx.h"
#include "ir/graph.h"

/* `g` is used up: it can only be destroyed afterwards. */
FV_CHECKED fv_status fvi_graph_export_onnx(fv_session *s, fv_graph *g, const char *path, const fv_onnx_options *o, fv_onnx_result *result);

#endif
