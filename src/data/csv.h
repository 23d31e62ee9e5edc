/* SPDX-License-Identifier: Apache-2.0 */
/* CSV as RFC 4180: cells in quotes may hold commas, line ends and doubled quotes. UTF-8 with or without a byte order mark,
 * lines ended by \n, \r\n or \r. */
#ifndef FVI_CSV_H
#define FVI_CSV_H

#include "base/json.h"

typedef struct fvi_csv {
    const char *name;                    /* in errors */
    const char *at, *end;
    int line;                            /* of the row that was read last, 1-based */
    int next_line;
    fvi_text text;                       /* cells of the row, each with its NUL */
    char separator;                      /* ',' or what the first line has more of: ';' or tab */
} fvi_csv;

/* `data` is borrowed until fvi_csv_close. */
void fvi_csv_open(fvi_csv *c, const char *name, const char *data, size_t bytes);
void fvi_csv_close(fvi_csv *c);
/* The next row that is not blank: up to `limit` cells, borrowed until the next call; *n: how many, 0: the end. A row with
 * more cells is an error, as are a quote that is not closed and NUL bytes. */
FV_CHECKED fv_status fvi_csv_row(fv_context *ctx, fvi_csv *c, const char **cells, int limit, int *n);
/* One cell, quoted where it must be. */
void fvi_csv_add(fvi_text *t, const char *cell);

#endif
