/* SPDX-License-Identifier: Apache-2.0 */
/* op_list.inc and kernel_list.inc are written by the build, one line a file; nothing here is edited for a new op. */
#include "compile/registry.h"

#include "ir/source.h"

#define FVI_OP_FILE(file) extern const fvi_op_list fvi_ops_##file;
#include "op_list.inc"
#undef FVI_OP_FILE
#define FVI_KERNEL_FILE(file) extern const fvi_kernel_list fvi_kernels_##file;
#include "kernel_list.inc"
#undef FVI_KERNEL_FILE

static const fvi_op_list *const op_files[] = {
    &fvi_ops_source,
#define FVI_OP_FILE(file) &fvi_ops_##file,
#include "op_list.inc"
#undef FVI_OP_FILE
};

static const fvi_kernel_list *const kernel_files[] = {
#define FVI_KERNEL_FILE(file) &fvi_kernels_##file,
#include "kernel_list.inc"
#undef FVI_KERNEL_FILE
    NULL};

int fvi_registry_op_count(void)
{
    int n = 0;
    for (int i = 0; i < FVI_COUNT(op_files); i++) n += op_files[i]->count;
    return n;
}

const fvi_op *fvi_registry_op(int index)
{
    for (int i = 0; i < FVI_COUNT(op_files); i++) {
        if (index < op_files[i]->count) return op_files[i]->ops[index];
        index -= op_files[i]->count;
    }
    return NULL;
}

const fvi_op *fvi_registry_find_op(const char *name)
{
    for (int i = 0; i < FVI_COUNT(op_files); i++)
        for (int k = 0; k < op_files[i]->count; k++)
            if (!strcmp(op_files[i]->ops[k]->name, name)) return op_files[i]->ops[k];
    return NULL;
}

const fvi_op_table fvi_registry_table = {fvi_registry_find_op};

int fvi_registry_kernel_count(void)
{
    int n = 0;
    for (int i = 0; kernel_files[i]; i++) n += kernel_files[i]->count;
    return n;
}

const fvi_kernel *fvi_registry_kernel(int index)
{
    for (int i = 0; kernel_files[i]; i++) {
        if (index < kernel_files[i]->count) return kernel_files[i]->kernels[index];
        index -= kernel_files[i]->count;
    }
    return NULL;
}

const fvi_kernel *fvi_registry_next_kernel(const char *op, const fvi_kernel *last)
{
    const fvi_kernel *best = NULL;
    bool passed = !last;               /* is the walk behind `last`? */
    for (int i = 0; kernel_files[i]; i++)
        for (int k = 0; k < kernel_files[i]->count; k++) {
            const fvi_kernel *c = kernel_files[i]->kernels[k];
            passed |= c == last;
            if (c == last || strcmp(c->op, op)) continue;
            const bool later = !last || c->priority < last->priority || (c->priority == last->priority && passed);
            if (later && (!best || c->priority > best->priority)) best = c;
        }
    return best;
}
