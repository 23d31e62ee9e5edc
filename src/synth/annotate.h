/* SPDX-License-Identifier: Apache-2.0 */
/* Annotations as Pascal VOC and YOLO tools read them. */
#ifndef FVI_SYNTH_ANNOTATE_H
#define FVI_SYNTH_ANNOTATE_H

#include "base/json.h"
#include "synth/scene.h"

/* Pascal VOC: 1-based pixels, the last one included. */
void fvi_annotate_voc(fvi_text *t, const char *file, int size, const fvi_scene_box *boxes, int n);
/* YOLO: class, centre, width, height in shares of the picture. */
void fvi_annotate_yolo(fvi_text *t, int size, const fvi_scene_box *boxes, int n);
/* data.yaml beside images/; paths count from its own folder. */
void fvi_annotate_yaml(fvi_text *t, int classes, bool val, bool test);

#endif
