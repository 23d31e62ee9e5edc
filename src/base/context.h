/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of fv_context: the last error as text in fixed buffers (so that being out of memory can be reported), the
 * log callback, the number of compute threads. Loader threads may report errors and log while the owner works, hence
 * the locks; what fv_error_text returns is borrowed until the next call that fails. */
#ifndef FVI_CONTEXT_H
#define FVI_CONTEXT_H

#include "base/base.h"
#include <pthread.h>

enum { FVI_MESSAGE_BYTES = 4096, FVI_CHAIN_BYTES = 2048 };

struct fv_context {
    pthread_mutex_t lock;                                /* of the error */
    fv_status status;
    char message[FVI_MESSAGE_BYTES];
    char text[FVI_MESSAGE_BYTES + FVI_CHAIN_BYTES];      /* message, then "\n  at file:line" for each place */
    pthread_mutex_t log_lock;                            /* calls of log, one at a time; recursive */
    fv_log_fn *log;                                      /* may be NULL */
    void *log_user;                                      /* borrowed: the program's */
    int threads;                                         /* 0: all cores */
};

#endif
