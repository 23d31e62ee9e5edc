/* SPDX-License-Identifier: Apache-2.0 */
/* A collective is three meetings: everyone has published its memory; everyone has summed its share of the elements into
 * all copies; everyone is done. Nothing is allocated, so it may run inside a step. */
#include "dist/local.h"

#include <pthread.h>

typedef struct member { struct fvi_local *group; fvi_comm comm; void *data; int64_t count; fv_dtype dtype; } member;

struct fvi_local {
    pthread_mutex_t lock;
    pthread_cond_t met;
    int size, waiting;
    uint64_t meetings;
    bool broken;
    member members[];
};

/* false: a rank has given up. */
static bool meet(fvi_local *l)
{
    pthread_mutex_lock(&l->lock);
    const uint64_t now = l->meetings;
    if (!l->broken && ++l->waiting == l->size) {
        l->waiting = 0;
        l->meetings++;
        pthread_cond_broadcast(&l->met);
    }
    while (!l->broken && l->meetings == now) pthread_cond_wait(&l->met, &l->lock);
    const bool ok = l->meetings != now;
    pthread_mutex_unlock(&l->lock);
    return ok;
}

void fvi_local_abort(fvi_local *l)
{
    pthread_mutex_lock(&l->lock);
    l->broken = true;
    pthread_cond_broadcast(&l->met);
    pthread_mutex_unlock(&l->lock);
}

#define SUM_SHARE(type)                                                                              \
    do {                                                                                             \
        for (int64_t i = begin; i < end; i++) {                                                      \
            type sum = ((const type *)l->members[0].data)[i];                                        \
            for (int r = 1; r < l->size; r++) sum += ((const type *)l->members[r].data)[i];          \
            for (int r = 0; r < l->size; r++) ((type *)l->members[r].data)[i] = sum;                 \
        }                                                                                            \
    } while (0)

static void sum_share(fvi_local *l, const member *m)
{
    const int64_t rank = m->comm.rank, begin = m->count * rank / l->size, end = m->count * (rank + 1) / l->size;
    if (m->dtype == FV_F64) SUM_SHARE(double);
    else if (m->dtype == FV_F32) SUM_SHARE(float);
    else SUM_SHARE(int64_t);
}

/* Publishes this rank's memory and looks at the others'; between the first meeting and the last all memory stands still
 * but for the shares. */
static fv_status publish(member *m, void *data, int64_t count, fv_dtype dtype)
{
    m->data = data;
    m->count = count;
    m->dtype = dtype;
    if (!meet(m->group)) return FV_ERROR_CANCELED;
    for (int r = 0; r < m->group->size; r++)
        if (m->group->members[r].count != count || m->group->members[r].dtype != dtype) return FV_ERROR_INVALID;     /* seen by all */
    return FV_OK;
}

static fv_status all_reduce_sum(fvi_comm *c, void *data, int64_t count, fv_dtype dtype)
{
    member *m = c->self;
    if (dtype != FV_F64 && dtype != FV_F32 && dtype != FV_I64) return FV_ERROR_UNSUPPORTED;
    const fv_status status = publish(m, data, count, dtype);
    if (status == FV_ERROR_CANCELED) return status;
    if (status == FV_OK) sum_share(m->group, m);
    return meet(m->group) ? status : FV_ERROR_CANCELED;
}

static fv_status broadcast(fvi_comm *c, void *data, int64_t count, fv_dtype dtype, int root)
{
    member *m = c->self;
    if (root < 0 || root >= m->group->size) return FV_ERROR_INVALID;
    const fv_status status = publish(m, data, count, dtype);
    if (status == FV_ERROR_CANCELED) return status;
    if (status == FV_OK && c->rank != root) memcpy(data, m->group->members[root].data, (size_t)count * fv_dtype_size(dtype));
    return meet(m->group) ? status : FV_ERROR_CANCELED;
}

fv_status fvi_local_create(fv_context *ctx, int size, fvi_local **out)
{
    if (size < 1) return fvi_fail(ctx, FV_ERROR_INVALID, "a group of %d ranks", size);
    fvi_local *l = fvi_calloc(1, sizeof *l + (size_t)size * sizeof *l->members);
    if (!l) return fvi_nomem(ctx);
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->met, NULL);
    l->size = size;
    for (int r = 0; r < size; r++) {
        member *m = &l->members[r];
        m->group = l;
        m->comm = (fvi_comm){m, r, size, all_reduce_sum, broadcast};
    }
    *out = l;
    return FV_OK;
}

void fvi_local_destroy(fvi_local *l)
{
    if (!l) return;
    pthread_cond_destroy(&l->met);
    pthread_mutex_destroy(&l->lock);
    fvi_free(l);
}

fvi_comm *fvi_local_rank(fvi_local *l, int rank)
{
    return rank >= 0 && rank < l->size ? &l->members[rank].comm : NULL;
}
