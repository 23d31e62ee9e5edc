/* SPDX-License-Identifier: Apache-2.0 */
/* fovea data bench, a part of cmd_data.c. */
#ifndef FOVEA_DATA_BENCH_H
#define FOVEA_DATA_BENCH_H

#include "cli.h"

int cli_data_bench(cli *c);

#endif
