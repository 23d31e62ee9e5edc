/* SPDX-License-Identifier: Apache-2.0 */
#include "synth/annotate.h"

void fvi_annotate_voc(fvi_text *t, const char *file, int size, const fvi_scene_box *boxes, int n)
{
    fvi_text_add(t,
                 "<annotation>\n\t<folder>JPEGImages</folder>\n\t<filename>%s</filename>\n\t<source>\n\t\t<database>fovea "
                 "synth planes</database>\n"
                 "\t</source>\n\t<size>\n\t\t<width>%d</width>\n\t\t<height>%d</height>\n\t\t<depth>3</depth>\n\t</size>\n"
                 "\t<segmented>0</segmented>\n",
                 file, size, size);
    for (int i = 0; i < n; i++) {
        const fvi_scene_box *b = &boxes[i];
        fvi_text_add(
            t,
            "\t<object>\n\t\t<name>%s</name>\n\t\t<pose>Unspecified</pose>\n\t\t<truncated>0</truncated>\n\t\t<difficult>0</"
            "difficult>\n"
            "\t\t<bndbox>\n\t\t\t<xmin>%d</xmin>\n\t\t\t<ymin>%d</ymin>\n\t\t\t<xmax>%d</xmax>\n\t\t\t<ymax>%d</ymax>\n"
            "\t\t</bndbox>\n\t</object>\n",
            fvi_plane_row_at(b->label)->name, b->x0 + 1, b->y0 + 1, b->x1, b->y1);
    }
    fvi_text_add(t, "</annotation>\n");
}

/* twice / (2 size) to six digits, rounded. In integers: neither the locale nor libc has a say. */
static void add_share(fvi_text *t, int twice, int size)
{
    const long long millionths = ((long long)twice * 1000000 + size) / (2LL * size);
    fvi_text_add(t, " %lld.%06lld", millionths / 1000000, millionths % 1000000);
}

void fvi_annotate_yolo(fvi_text *t, int size, const fvi_scene_box *boxes, int n)
{
    for (int i = 0; i < n; i++) {
        const fvi_scene_box *b = &boxes[i];
        fvi_text_add(t, "%d", b->label);
        add_share(t, b->x0 + b->x1, size);
        add_share(t, b->y0 + b->y1, size);
        add_share(t, 2 * (b->x1 - b->x0), size);
        add_share(t, 2 * (b->y1 - b->y0), size);
        fvi_text_add(t, "\n");
    }
}

void fvi_annotate_yaml(fvi_text *t, int classes, bool val, bool test)
{
    /* Every training tool wants a val entry; without validation pictures it is the training ones. */
    fvi_text_add(t,
                 "# Aircraft from above, made by fovea synth planes. Paths count from this file's folder.\ntrain: "
                 "images/train\nval: images/%s\n",
                 val ? "val" : "train");
    if (test) fvi_text_add(t, "test: images/test\n");
    fvi_text_add(t, "\nnc: %d\nnames:\n", classes);
    for (int i = 0; i < classes; i++) fvi_text_add(t, "  %d: %s\n", i, fvi_plane_row_at(i)->name);
}
