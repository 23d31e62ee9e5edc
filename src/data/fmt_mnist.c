/* SPDX-License-Identifier: Apache-2.0 */
/* MNIST and its kin in IDX files. */
#include "data/formats.h"
#include "data/open.h"

static bool detect(const char *root)
{
    static const char *const names[] = {"train-images-idx3-ubyte", "train-images-idx3-ubyte.gz", "train-images.idx3-ubyte", "train-images.idx3-ubyte.gz",
                                        "raw/train-images-idx3-ubyte", "raw/train-images-idx3-ubyte.gz", "MNIST/raw/train-images-idx3-ubyte",
                                        "MNIST/raw/train-images-idx3-ubyte.gz"};
    for (int i = 0; i < FVI_COUNT(names); i++)
        if (fvi_has_below(root, names[i])) return true;
    return false;
}

static fv_status open_set(fv_context *ctx, const fv_data_options *o, fv_split set, fv_source **out)
{
    return fv_source_mnist(ctx, o->root, set == FV_SPLIT_TRAIN, out);
}

static const fvi_data_format formats[] = {{"mnist", "MNIST and its kin, IDX", 30, "train-images-idx3-ubyte (MNIST)", detect, NULL, open_set, 28}};
FVI_FORMATS(mnist, formats);
