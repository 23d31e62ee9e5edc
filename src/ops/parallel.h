/* SPDX-License-Identifier: Apache-2.0 */
/* References use threads only where it pays: waking a team costs as much as some ten thousand operations, and far more on
 * a busy machine (the gradient test walks tiny tensors: 230 s with a team of 2 on loaded cores, 1 s without). */
#ifndef FVI_OPS_PARALLEL_H
#define FVI_OPS_PARALLEL_H

#define FVI_WORTH_THREADS(operations) ((operations) > 1 << 17)

#endif
