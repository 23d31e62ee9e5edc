/* SPDX-License-Identifier: Apache-2.0 */
/* Threads of the loader, and the machine's cores and memory. Kernels use one OpenMP team instead. */
#ifndef FVI_THREAD_H
#define FVI_THREAD_H

#include "base/base.h"
#include <pthread.h>

int fvi_cpu_count(void);                    /* cores this process may use (affinity, cgroup quota) */
int64_t fvi_memory_peak(void);              /* peak resident bytes of this process (VmHWM) */
int64_t fvi_memory_now(void);               /* resident bytes now */
const char *fvi_cpu_model(void);            /* "Intel(R) Xeon(R) ..."; constant text after the first call */
/* Pins OpenMP team thread i and the caller to core i of the allowed set; called by the program, never the library. */
void fvi_pin_threads(int threads);
/* Gives the calling thread all cores of the process again: a new thread inherits its creator's single core, so every
 * thread of the loader calls this first. */
void fvi_unpin_self(void);

#endif
