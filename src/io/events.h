/* SPDX-License-Identifier: Apache-2.0 */
/* TensorBoard event files: records (length, check sum, payload, check sum) of protocol buffer messages. Files only grow; a
 * run that goes on starts another file, which tells readers to drop what older files hold beyond the step it stands at. */
#ifndef FVI_EVENTS_H
#define FVI_EVENTS_H

#include "base/base.h"

typedef struct fvi_event_value {
    const char *tag;
    float scalar;                        /* when png is NULL */
    const unsigned char *png;            /* a picture */
    size_t png_bytes;
    int width, height, channels;         /* 1 grey, 3 RGB, 4 RGBA */
} fvi_event_value;

typedef struct fvi_event {
    double wall_time;                    /* seconds since 1970 */
    int64_t step;
    const char *file_version;            /* the first record of a file: "brain.Event:2" */
    bool start;                          /* a process starts: what has this step or a later one is void */
    const fvi_event_value *values;
    int n_values;
} fvi_event;

/* ---- writing ---- */

#define FVI_EVENTS_PREFIX "events.out.tfevents."         /* of the names of event files */
bool fvi_events_any(const char *folder);                 /* are there event files? */

typedef struct fvi_events fvi_events;
/* A new file in `folder` (created when absent), named so that it sorts behind those that are there. `step`: updates done so
 * far. `wall_time`: 0 for now. */
FV_CHECKED fv_status fvi_events_open(fv_context *ctx, const char *folder, int64_t step, double wall_time, fvi_events **out);
/* One record, handed to the system at once. wall_time 0: now. Scalars that are NaN are left out. */
FV_CHECKED fv_status fvi_events_add(fvi_events *e, const fvi_event *event);
const char *fvi_events_path(const fvi_events *e);
void fvi_events_close(fvi_events *e);                    /* NULL allowed */

/* ---- reading ---- */

enum { FVI_EVENT_LIMIT = 256 << 20 };                    /* bytes of a record */

typedef struct fvi_event_reader {
    fv_context *ctx;
    const char *name;                    /* of the file, for messages */
    const unsigned char *data;
    size_t bytes, at;
    bool cut;                            /* at the end: the last record is not whole, its writer was stopped */
} fvi_event_reader;

/* The next record; *payload is NULL at the end. A wrong check sum or an impossible length is an error that names file and
 * byte; a cut tail is an end. */
FV_CHECKED fv_status fvi_event_next(fvi_event_reader *r, const unsigned char **payload, size_t *bytes);
/* What we write of an event; other fields are passed over. Texts and values live in the arena, pictures in the payload. */
FV_CHECKED fv_status fvi_event_decode(fv_context *ctx, const char *name, const unsigned char *payload, size_t bytes, fvi_arena *arena,
                                      fvi_event *out);

#endif
