/* SPDX-License-Identifier: Apache-2.0 */
/* What the update graph and those who save its state agree on. The builders themselves are public: fovea/nn.h. */
#ifndef FVI_OPTIM_H
#define FVI_OPTIM_H

#include "fovea/session.h"

/* Parameters and float buffers of the model: what a weight file holds and what the moving average follows. */
bool fvi_var_is_model(const fv_var *v);

#endif
