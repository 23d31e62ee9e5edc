/* SPDX-License-Identifier: Apache-2.0 */
/* Host memory: thin wrappers of malloc (with a fault for tests), large aligned blocks straight from the kernel, the
 * chunked arena, growing arrays, checked arithmetic. Under AddressSanitizer every block and every arena allocation is a
 * malloc block of its own, so overruns and leaks are seen. */
#include "base/base.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MEMORY_ASAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) && !defined(MEMORY_ASAN)
#define MEMORY_ASAN 1
#endif
#ifndef MEMORY_ASAN
#define MEMORY_ASAN 0
#endif

static const size_t map_threshold = MEMORY_ASAN ? SIZE_MAX : (size_t)1 << 20;
static const size_t huge_page = (size_t)2 << 20;

/* Test hooks; relaxed because only their totals matter. */
static atomic_llong allocations, fault_countdown;
static _Thread_local int64_t failures;

void fvi_memory_set_fault(int64_t nth)
{
    atomic_store_explicit(&fault_countdown, nth, memory_order_relaxed);
}

int64_t fvi_memory_count(void)
{
    return atomic_load_explicit(&allocations, memory_order_relaxed);
}

int64_t fvi_memory_failures(void)
{
    return failures;
}

static void *counted(void *p)
{
    if (!p) failures++;
    return p;
}

/* Counts an allocation; true when a test wants it to fail. */
static bool refused(void)
{
    atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
    if (atomic_load_explicit(&fault_countdown, memory_order_relaxed) <= 0) return false;
    return atomic_fetch_sub_explicit(&fault_countdown, 1, memory_order_relaxed) == 1;
}

void *fvi_malloc(size_t bytes)
{
    return counted(refused() ? NULL : malloc(bytes ? bytes : 1));
}

void *fvi_calloc(size_t count, size_t size)
{
    size_t bytes;
    const bool no = refused() || __builtin_mul_overflow(count, size, &bytes);
    return counted(no ? NULL : calloc(bytes ? bytes : 1, 1));
}

void *fvi_realloc(void *p, size_t bytes)
{
    return counted(refused() ? NULL : realloc(p, bytes ? bytes : 1));
}

void fvi_free(void *p)
{
    free(p);
}

static size_t page_up(size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return FVI_ALIGN_UP(bytes, page);
}

/* An anonymous map that starts on a huge page, so the kernel can back it with huge pages; pages come zeroed when they
 * are first touched. */
static void *map_block(size_t bytes)
{
    size_t wanted = page_up(bytes), slack = wanted >= huge_page ? huge_page : 0;
    unsigned char *p = mmap(NULL, wanted + slack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return NULL;
    size_t head = slack ? (huge_page - (uintptr_t)p % huge_page) % huge_page : 0;
    if (head) munmap(p, head);
    if (slack > head) munmap(p + head + wanted, slack - head);
    p += head;
    (void)madvise(p, wanted, MADV_HUGEPAGE);            /* a wish: kernels without huge pages refuse */
    return p;
}

void *fvi_malloc_aligned(size_t bytes)
{
    if (refused() || bytes > SIZE_MAX / 2) return counted(NULL);
    if (bytes >= map_threshold) return counted(map_block(bytes));
    size_t rounded = FVI_ALIGN_UP(FVI_MAX(bytes, 1), FVI_ALIGNMENT);
    void *p = counted(aligned_alloc(FVI_ALIGNMENT, rounded));
    return p ? memset(p, 0, rounded) : NULL;
}

void fvi_free_aligned(void *p, size_t bytes)
{
    if (!p) return;
    if (bytes >= map_threshold) munmap(p, page_up(bytes));
    else free(p);
}

char *fvi_strdup(const char *s)
{
    size_t bytes = strlen(s) + 1;
    char *copy = fvi_malloc(bytes);
    return copy ? memcpy(copy, s, bytes) : NULL;
}

/* ---- arena ------------------------------------------------------------------------------------------------------- */

enum { ARENA_ALIGN = 16, ARENA_FIRST = 16 << 10, ARENA_LARGEST = 1 << 20 };

struct fvi_arena_chunk {
    struct fvi_arena_chunk *next;
    size_t used, size;
    _Alignas(ARENA_ALIGN) unsigned char data[];
};

void *fvi_arena_alloc(fvi_arena *a, size_t bytes)
{
    if (bytes > SIZE_MAX / 2) return NULL;
    size_t need = FVI_ALIGN_UP(FVI_MAX(bytes, 1), (size_t)ARENA_ALIGN);
    struct fvi_arena_chunk *head = a->head;
    if (MEMORY_ASAN || !head || head->size - head->used < need) {
        /* Chunks grow with the arena; what is larger than half of one gets its own, behind the chunk in use. */
        size_t usual = FVI_MIN(FVI_MAX(a->total, (size_t)ARENA_FIRST), (size_t)ARENA_LARGEST);
        bool own = MEMORY_ASAN || need > usual / 2;
        size_t size = MEMORY_ASAN ? FVI_MAX(bytes, 1) : own ? need : usual;
        struct fvi_arena_chunk *chunk = fvi_calloc(1, sizeof *chunk + size);
        if (!chunk) return NULL;
        chunk->size = size;
        a->total += size;
        if (own && head) {
            chunk->next = head->next;
            head->next = chunk;
        } else {
            chunk->next = head;
            a->head = chunk;
        }
        head = chunk;
    }
    void *p = head->data + head->used;
    head->used += FVI_MIN(need, head->size - head->used);
    return p;
}

char *fvi_arena_strdup(fvi_arena *a, const char *s)
{
    size_t bytes = strlen(s) + 1;
    char *copy = fvi_arena_alloc(a, bytes);
    return copy ? memcpy(copy, s, bytes) : NULL;
}

void fvi_arena_free(fvi_arena *a)
{
    for (struct fvi_arena_chunk *chunk = a->head, *next; chunk; chunk = next) {
        next = chunk->next;
        fvi_free(chunk);
    }
    a->head = NULL;
    a->total = 0;
}

/* ---- growing arrays, checked arithmetic ---------------------------------------------------------------------------- */

bool fvi_grow(void *items, int *capacity, size_t size)
{
    if (*capacity > INT_MAX / 2) return false;
    int wanted = *capacity ? *capacity * 2 : 8;
    if ((size_t)wanted > SIZE_MAX / size) return false;
    void *p;                                            /* memcpy: the pointer's own type is the caller's */
    memcpy(&p, items, sizeof p);
    p = fvi_realloc(p, (size_t)wanted * size);
    if (!p) return false;
    memcpy(items, &p, sizeof p);
    *capacity = wanted;
    return true;
}

bool fvi_mul_i64(int64_t a, int64_t b, int64_t *out)
{
    return a >= 0 && b >= 0 && !__builtin_mul_overflow(a, b, out);
}

bool fvi_add_i64(int64_t a, int64_t b, int64_t *out)
{
    return a >= 0 && b >= 0 && !__builtin_add_overflow(a, b, out);
}
