/* SPDX-License-Identifier: Apache-2.0 */
/* The machine: cores and memory of this process, the CPU's name, pinning, the clock. The set of allowed cores is read
 * once, before anything is pinned, because a pinned thread sees (and passes on to new threads) its own core only. */
#include "base/thread.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#ifdef _OPENMP
#include <omp.h>
#endif

enum { MAX_CORES = 4096 };

static pthread_once_t machine_once = PTHREAD_ONCE_INIT;
static struct {
    int cores;                                          /* usable at once: affinity and quota */
    cpu_set_t allowed[MAX_CORES / CPU_SETSIZE];
    char model[128];
} machine;

/* Reads the beginning of a small file of /proc or /sys into out, without allocating. */
static bool read_small(const char *path, char *out, size_t room)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    size_t used = 0;
    ssize_t n;
    while (used < room - 1 && (n = read(fd, out + used, room - 1 - used)) > 0) used += (size_t)n;
    out[used] = 0;
    close(fd);
    return used > 0;
}

/* Cores of a cgroup's CPU quota, rounded; 0 = no quota. Files: cpu.max holds "quota period" or "max period". */
static int quota_cores(const char *path)
{
    char text[64];
    long long quota, period;
    if (!read_small(path, text, sizeof text) || sscanf(text, "%lld %lld", &quota, &period) != 2) return 0;
    if (quota <= 0 || period <= 0) return 0;
    return (int)FVI_MAX((quota + period / 2) / period, 1);
}

/* The smallest quota of our cgroup (version 2) and its parents, or of version 1's usual mount; 0 = none. */
static int cgroup_cores(void)
{
    int least = 0;
    char text[4096], path[4400];
    char *group = read_small("/proc/self/cgroup", text, sizeof text) ? strstr(text, "0::/") : NULL;
    if (group) {
        group += 3;
        group[strcspn(group, "\n")] = 0;
        for (;;) {
            snprintf(path, sizeof path, "/sys/fs/cgroup%s/cpu.max", strcmp(group, "/") ? group : "");
            int cores = quota_cores(path);
            if (cores && (!least || cores < least)) least = cores;
            char *slash = strrchr(group, '/');
            if (!slash) break;
            *slash = 0;
        }
    }
    char quota[32], period[32];
    if (!least && read_small("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", quota, sizeof quota) &&
        read_small("/sys/fs/cgroup/cpu/cpu.cfs_period_us", period, sizeof period)) {
        long long q = atoll(quota), p = atoll(period);
        if (q > 0 && p > 0) least = (int)FVI_MAX((q + p / 2) / p, 1);
    }
    return least;
}

static void read_cpu_model(void)
{
    char text[4096];
    snprintf(machine.model, sizeof machine.model, "unknown CPU");
    if (!read_small("/proc/cpuinfo", text, sizeof text)) return;
    char *line = strstr(text, "model name");
    char *colon = line ? strchr(line, ':') : NULL;
    if (!colon) return;
    colon += 1 + strspn(colon + 1, " \t");
    snprintf(machine.model, sizeof machine.model, "%.*s", (int)strcspn(colon, "\n"), colon);
}

static void read_machine(void)
{
    if (sched_getaffinity(0, sizeof machine.allowed, machine.allowed) == 0)
        machine.cores = CPU_COUNT_S(sizeof machine.allowed, machine.allowed);
    if (machine.cores < 1) machine.cores = (int)FVI_MAX(sysconf(_SC_NPROCESSORS_ONLN), 1);
    int quota = cgroup_cores();
    if (quota && quota < machine.cores) machine.cores = quota;
    read_cpu_model();
}

int fvi_cpu_count(void)
{
    pthread_once(&machine_once, read_machine);
    return machine.cores;
}

const char *fvi_cpu_model(void)
{
    pthread_once(&machine_once, read_machine);
    return machine.model;
}

/* ---- memory ------------------------------------------------------------------------------------------------------- */

/* A "name: N kB" line of /proc/self/status in bytes, -1 when there is none. */
static int64_t status_bytes(const char *name)
{
    char text[4096];
    if (!read_small("/proc/self/status", text, sizeof text)) return -1;
    const char *line = strstr(text, name);
    return line ? (int64_t)atoll(line + strlen(name)) * 1024 : -1;
}

int64_t fvi_memory_peak(void)
{
    int64_t bytes = status_bytes("\nVmHWM:");
    struct rusage usage;
    if (bytes < 0 && getrusage(RUSAGE_SELF, &usage) == 0) bytes = (int64_t)usage.ru_maxrss * 1024;
    return FVI_MAX(bytes, 0);
}

int64_t fvi_memory_now(void)
{
    return FVI_MAX(status_bytes("\nVmRSS:"), 0);
}

/* ---- pinning ------------------------------------------------------------------------------------------------------ */

/* Number of the i-th allowed core, -1 when there is none. */
static int allowed_core(int i)
{
    for (int core = 0; core < MAX_CORES; core++)
        if (CPU_ISSET_S(core, sizeof machine.allowed, machine.allowed) && i-- == 0) return core;
    return -1;
}

static void pin_self(int i)
{
    int core = allowed_core(i);
    cpu_set_t set[MAX_CORES / CPU_SETSIZE];
    if (core < 0) return;
    CPU_ZERO_S(sizeof set, set);
    CPU_SET_S(core, sizeof set, set);
    (void)sched_setaffinity(0, sizeof set, set);
}

void fvi_pin_threads(int threads)
{
    pthread_once(&machine_once, read_machine);
    if (threads < 1 || allowed_core(threads - 1) < 0) return;              /* more threads than cores: leave them free */
#ifdef _OPENMP
#pragma omp parallel num_threads(threads)
    pin_self(omp_get_thread_num());
#else
    pin_self(0);
#endif
}

void fvi_unpin_self(void)
{
    pthread_once(&machine_once, read_machine);
    if (CPU_COUNT_S(sizeof machine.allowed, machine.allowed))
        (void)sched_setaffinity(0, sizeof machine.allowed, machine.allowed);
}

double fvi_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
