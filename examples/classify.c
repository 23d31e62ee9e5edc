/* SPDX-License-Identifier: Apache-2.0 */
/* A classifier inside a program of one's own: loads trained weights once, then names pictures from files and from pixels in
 * memory, as a camera gives them. Usage: classify RUN|FILE.safetensors PICTURE... */
#include <fovea/predict.h>

#include <stdio.h>
#include <stdlib.h>

#define TRY(call) do { fv_status status_ = (call); if (status_ != FV_OK) return status_; } while (0)

static void show(const char *name, const fv_predictor_info *info, const float *probabilities)
{
    int64_t best = 0;
    for (int64_t c = 1; c < info->classes; c++)
        if (probabilities[c] > probabilities[best]) best = c;
    printf("%s: %s %.1f %%\n", name, info->class_names[best], 100 * (double)probabilities[best]);
}

/* The same picture as a camera would give it: rows of red, green, blue bytes. */
static fv_status from_pixels(fv_context *ctx, fv_predictor *p, const char *name, const fv_image *image, float *probabilities)
{
    const size_t n = (size_t)image->width * (size_t)image->height;
    uint8_t *rgb = malloc(3 * n);
    if (!rgb) return FV_ERROR_NOMEM;
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < 3; c++) rgb[3 * i + c] = image->pixels[c * n + i];
    const fv_picture frame = {.path = name, .rgb = rgb, .width = image->width, .height = image->height};
    const fv_status status = fv_predict(p, &frame, 1, probabilities, NULL);
    free(rgb);
    return (void)ctx, status;
}

static fv_status read_file(const char *path, fv_context *ctx, fv_bytes *bytes)
{
    FILE *f = fopen(path, "rb");
    fv_status status = f ? FV_OK : FV_ERROR_IO;
    if (!f) perror(path);
    for (size_t n = 1; status == FV_OK && n;) {
        const size_t used = bytes->size;
        status = fv_bytes_resize(ctx, bytes, used + 65536);
        if (status != FV_OK) break;
        n = fread(bytes->data + used, 1, 65536, f);
        bytes->size = used + n;
    }
    if (f) fclose(f);
    return status;
}

static fv_status run(fv_context *ctx, fv_predictor *p, char **paths, int n, float *probabilities)
{
    const fv_predictor_info *info = fv_predictor_describe(p);
    printf("%s: %s, %lld classes, pictures of %lld x %lld pixels\n", info->model, info->architecture, (long long)info->classes, (long long)info->width,
           (long long)info->height);
    for (int i = 0; i < n; i++) {                        /* from the file */
        TRY(fv_predict(p, &(fv_picture){.path = paths[i]}, 1, probabilities, NULL));
        show(paths[i], info, probabilities);
    }
    fv_bytes bytes = {0};
    fv_image image = {0};
    fv_status status = read_file(paths[0], ctx, &bytes);
    if (status == FV_OK) status = fv_image_decode(ctx, paths[0], bytes.data, bytes.size, &image);
    if (status == FV_OK) status = from_pixels(ctx, p, paths[0], &image, probabilities);
    if (status == FV_OK) show("pixels of the first", info, probabilities);
    fv_bytes_free(&bytes), fv_image_free(&image);
    return status;
}

int main(int argc, char **argv)
{
    fv_predictor *p = NULL;
    fv_context *ctx = fv_context_create();
    if (!ctx || argc < 3) return fprintf(stderr, "usage: classify RUN|FILE.safetensors PICTURE...\n"), 2;
    fv_status status = fv_predictor_create(ctx, &(fv_predictor_options){.model = argv[1]}, &p);
    float *probabilities = status == FV_OK ? malloc((size_t)fv_predictor_describe(p)->classes * sizeof *probabilities) : NULL;
    if (status == FV_OK) status = probabilities ? run(ctx, p, argv + 2, argc - 2, probabilities) : FV_ERROR_NOMEM;
    if (status != FV_OK) fprintf(stderr, "classify: %s\n", fv_error_message(ctx));
    free(probabilities);
    fv_predictor_destroy(p);
    fv_context_destroy(ctx);
    return status != FV_OK;
}
