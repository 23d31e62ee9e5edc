/* SPDX-License-Identifier: Apache-2.0 */
/* JPEG by libjpeg-turbo: the accurate DCT and smooth up-sampling, which give Pillow's pixels. Errors of the library jump
 * back here; its warnings are counted. A file that ends before its picture does is an error, since the rest would be grey. */
#include "image/codec.h"

#include <setjmp.h>
#include <stddef.h>
#include <stdio.h>

#include <jpeglib.h>
#include <jerror.h>

#define JPEG_MEMORY ((long)1 << 30)
enum { EDGE = 4 };                       /* columns beside a part that are decoded too */

typedef struct jpeg_job {
    struct jpeg_error_mgr errors;        /* first: the library hands this back */
    jmp_buf out;
    char message[JMSG_LENGTH_MAX];
    fvi_image_info *info;
    bool ended, cut;                     /* the file ended; data were missing then */
    struct jpeg_progress_mgr progress;
} jpeg_job;

static void on_error(j_common_ptr c)
{
    jpeg_job *job = (jpeg_job *)(void *)c->err;
    job->errors.format_message(c, job->message);
    longjmp(job->out, 1);
}

static void on_message(j_common_ptr c, int level)
{
    jpeg_job *job = (jpeg_job *)(void *)c->err;
    if (level >= 0) return;                              /* traces */
    if (job->errors.msg_code == JWRN_JPEG_EOF) job->ended = true;
    if (job->errors.msg_code == JWRN_HIT_MARKER && job->ended) job->cut = true;
    char text[JMSG_LENGTH_MAX];
    job->errors.format_message(c, text);
    fvi_image_warn(job->info, "%.*s", (int)sizeof job->info->warning - 1, text);
}

static void on_output(j_common_ptr c)
{
    (void)c;
}

/* A progressive file of few bytes may ask for a pass over the picture thousands of times. */
static void on_progress(j_common_ptr c)
{
    j_decompress_ptr d = (j_decompress_ptr)(void *)c;
    jpeg_job *job = (jpeg_job *)(void *)c->err;
    if (d->input_scan_number <= FVI_IMAGE_MAX_SCANS) return;
    snprintf(job->message, sizeof job->message, "more than %d scans", FVI_IMAGE_MAX_SCANS);
    longjmp(job->out, 1);
}

/* Ink to light. CMYK is stored inverted, as Adobe's programs began it: with their marker or without, as Pillow reads it. */
static void row_from_cmyk(uint8_t *row, unsigned width)
{
    for (unsigned x = 0; x < width; x++, row += 4) {
        unsigned k = row[3];
        for (int c = 0; c < 3; c++) {
            unsigned t = (255u - row[c]) * k + 128;
            row[c] = (uint8_t)(k - ((t + (t >> 8)) >> 8));
        }
        row[3] = 255;
    }
}

static bool is_marked(jpeg_saved_marker_ptr m, const char *mark, size_t n) { return m->data_length >= n && !memcmp(m->data, mark, n); }

static int orientation_of(const struct jpeg_decompress_struct *d)
{
    static const char exif_mark[] = "Exif\0", xmp_mark[] = "http://ns.adobe.com/xap/1.0/";      /* and a NUL */
    int exif = -1, xmp = 0;
    for (jpeg_saved_marker_ptr m = d->marker_list; m; m = m->next) {
        if (exif < 0 && is_marked(m, exif_mark, sizeof exif_mark)) exif = fvi_exif_orientation(m->data, m->data_length);
        if (!xmp && is_marked(m, xmp_mark, sizeof xmp_mark)) xmp = fvi_xmp_orientation(m->data, m->data_length);
    }
    return exif > 0 ? exif : xmp;
}

static fv_status read_header(const fvi_encoded *e, struct jpeg_decompress_struct *d, fvi_image_info *info)
{
    jpeg_mem_src(d, e->data, (unsigned long)e->bytes);
    jpeg_save_markers(d, JPEG_APP0 + 1, 0xFFFF);
    if (jpeg_read_header(d, TRUE) != JPEG_HEADER_OK) return fvi_image_fail(e, FV_ERROR_FORMAT, "JPEG without a picture");
    FVI_TRY(e->ctx, fvi_image_check_size(e, d->image_width, d->image_height));
    info->width = (int)d->image_width;
    info->height = (int)d->image_height;
    info->orientation = orientation_of(d);
    return FV_OK;
}

static fv_status truncated(const fvi_encoded *e, const struct jpeg_decompress_struct *d)
{
    return fvi_image_fail(e, FV_ERROR_FORMAT, "truncated JPEG: the file ends at byte %zu, in row %u of %u", e->bytes, d->output_scanline, d->output_height);
}

/* Does the picture's data end as they should? For then rows that nobody wants need not be read to know it. Inside of them
 * 0xFF is never followed by 0xD9. */
static bool is_complete(const fvi_encoded *e, const struct jpeg_decompress_struct *d)
{
    const uint8_t *begin = d->src->next_input_byte;
    for (const uint8_t *p = e->data + e->bytes - 2; p >= begin; p--)
        if (p[0] == 0xFF && p[1] == 0xD9) return true;
    return false;
}

/* Grey, or colour with every or every second sample of it: what cameras and programs write. */
static bool is_common(const struct jpeg_decompress_struct *d)
{
    if (d->num_components != 1 && d->num_components != 3) return false;
    for (int i = 0; i < d->num_components; i++)
        if (d->comp_info[i].h_samp_factor > (i ? 1 : 2) || d->comp_info[i].v_samp_factor > (i ? 1 : 2)) return false;
    return true;
}

/* Can rows and columns outside of the wanted part be left out? Turned pictures have it elsewhere; several passes over the data gain
 * little and smooth over neighbours; rare samplings are not worth the library's rarely used ways. */
static bool may_skip(const fvi_encoded *e, struct jpeg_decompress_struct *d, const fvi_image_info *info)
{
    return e->part && is_common(d) && info->orientation < 2 && !jpeg_has_multiple_scans(d) && e->bytes > 2 && is_complete(e, d);
}

/* Columns of the wanted part, and some more: up-sampling looks at neighbours, and a cut begins where a block does. */
static void cut_columns(const int part[4], struct jpeg_decompress_struct *d, JDIMENSION *left)
{
    const int width = (int)d->output_width, first = FVI_MAX(part[0] - EDGE, 0), last = FVI_MIN(part[2] + EDGE, width);
    JDIMENSION x = (JDIMENSION)first, n = (JDIMENSION)(last - first);
    if (first >= last || (first == 0 && last == width)) return;
    jpeg_crop_scanline(d, &x, &n);
    *left = x;
}

static fv_status read_rows(const fvi_encoded *e, struct jpeg_decompress_struct *d, jpeg_job *job, fvi_picture *out)
{
    bool ink = d->jpeg_color_space == JCS_CMYK || d->jpeg_color_space == JCS_YCCK;
    d->out_color_space = ink ? JCS_CMYK : JCS_EXT_RGBX;
    d->dct_method = JDCT_ISLOW;
    d->scale_num = 1;
    d->scale_denom = (unsigned)job->info->scale;
    const bool skip = may_skip(e, d, job->info);
    jpeg_start_decompress(d);
    FVI_TRY(e->ctx, fvi_picture_size(e->ctx, out, (int)d->output_width, (int)d->output_height));
    JDIMENSION left = 0, end = d->output_height;
    if (skip) {
        cut_columns(e->part, d, &left);
        end = (JDIMENSION)FVI_MIN(FVI_MAX(e->part[3], 1), (int)end);
        if (e->part[1] > 0) jpeg_skip_scanlines(d, (JDIMENSION)FVI_MIN(e->part[1], (int)end - 1));
    }
    while (d->output_scanline < end && !job->cut) {
        JSAMPROW row = out->pixels + 4 * ((size_t)d->output_scanline * (size_t)out->width + left);
        jpeg_read_scanlines(d, &row, 1);
        if (ink) row_from_cmyk(row, d->output_width);
    }
    return job->cut || (job->ended && d->progressive_mode) ? truncated(e, d) : FV_OK;
}

/* In a function of its own: no local of it lives across the jump. */
static fv_status guarded(const fvi_encoded *e, struct jpeg_decompress_struct *d, jpeg_job *job, fvi_picture *out)
{
    if (setjmp(job->out)) {
        bool memory = job->errors.msg_code == JERR_OUT_OF_MEMORY;
        bool kind = job->errors.msg_code == JERR_BAD_PRECISION || job->errors.msg_code == JERR_SOF_UNSUPPORTED;
        if (memory) return fvi_image_fail(e, FV_ERROR_NOMEM, "out of memory");
        if (job->ended) return truncated(e, d);
        return fvi_image_fail(e, kind ? FV_ERROR_UNSUPPORTED : FV_ERROR_FORMAT, "%s JPEG: %s", kind ? "unsupported" : "damaged", job->message);
    }
    jpeg_create_decompress(d);
    d->mem->max_memory_to_use = JPEG_MEMORY;
    d->progress = &job->progress;
    FVI_TRY(e->ctx, read_header(e, d, job->info));
    return out ? read_rows(e, d, job, out) : FV_OK;
}

fv_status fvi_jpeg_read(const fvi_encoded *e, fvi_picture *out, fvi_image_info *info)
{
    jpeg_job job = {.info = info};
    struct jpeg_decompress_struct d;
    memset(&d, 0, sizeof d);
    d.err = jpeg_std_error(&job.errors);
    job.errors.error_exit = on_error;
    job.errors.emit_message = on_message;
    job.errors.output_message = on_output;
    job.progress.progress_monitor = on_progress;
    fv_status status = guarded(e, &d, &job, out);
    jpeg_destroy_decompress(&d);
    return status;
}
