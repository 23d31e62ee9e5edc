/* SPDX-License-Identifier: Apache-2.0 */
/* One step from a state of PyTorch's: a file of tools/parity/torch_states.py holds "param.<name>" (buffers too),
 * "grad.<name>" of the mean loss, "x", "y", "loss". */
#ifndef FOVEA_TEST_STATES_H
#define FOVEA_TEST_STATES_H

#include "nets.h"

typedef struct states_result {
    double loss, loss_error;           /* |ours - theirs| / max(1, theirs) */
    double median, worst;              /* of the tensors' relative L2 errors */
    char worst_name[128];
    int tensors;
} states_result;

/* false: the reason is printed. `n` has a session and no golden file. */
bool states_compare(nets *n, const char *path, fv_value *(*net)(fv_graph *g, fv_value *x), states_result *out);
/* Sets every parameter and buffer of the session that the file has. */
bool states_load(nets *n, const fvi_st_file *file);
/* The tensor in memory of n's arena; data NULL when it is missing. */
fv_tensor states_tensor(nets *n, const fvi_st_file *file, const char *name, fv_dtype dtype);

/* ResNet-18 of the library with 10 classes; a ResNet of one block of 8 and one of 16 channels. */
fv_value *states_resnet18(fv_graph *g, fv_value *x);
fv_value *states_tiny(fv_graph *g, fv_value *x);

#endif
