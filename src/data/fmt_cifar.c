/* SPDX-License-Identifier: Apache-2.0 */
/* CIFAR-10 and CIFAR-100 in their binary form. */
#include "data/formats.h"
#include "data/open.h"

static bool detect_10(const char *root)
{
    char below[FVI_PATH_ROOM];
    return fvi_has_entry(root, "data_batch_*.bin") || fvi_has_below(root, "test_batch.bin") ||
           (fvi_path_in(below, root, "cifar-10-batches-bin") && fvi_has_entry(below, "data_batch_*.bin"));
}

static bool detect_100(const char *root)
{
    return fvi_has_below(root, "train.bin") || fvi_has_below(root, "cifar-100-binary/train.bin");
}

static fv_status open_10(fv_context *ctx, const fv_data_options *o, fv_split set, fv_source **out)
{
    return fv_source_cifar10(ctx, o->root, set == FV_SPLIT_TRAIN, out);
}

static fv_status open_100(fv_context *ctx, const fv_data_options *o, fv_split set, fv_source **out)
{
    return fv_source_cifar100(ctx, o->root, set == FV_SPLIT_TRAIN, o->coarse, out);
}

static const fvi_data_format formats[] = {
    {"cifar10", "CIFAR-10, binary", 10, "data_batch_*.bin (CIFAR-10)", detect_10, NULL, open_10, 0},
    {"cifar100", "CIFAR-100, binary", 20, "train.bin (CIFAR-100)", detect_100, NULL, open_100, 0}};
FVI_FORMATS(cifar, formats);
