# SPDX-License-Identifier: Apache-2.0
"""Clocks, memory and disturbance counters shared by the rival scripts.

Standard library only: importing it must not move the start-up figures.
"""

import json
import os
import resource
import statistics
import time

TUNING = (
    "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OMP_PROC_BIND", "OMP_PLACES", "OMP_WAIT_POLICY",
    "MALLOC_MMAP_MAX_", "MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_", "OPENBLAS_CORETYPE",
)
TICK = 1.0 / os.sysconf("SC_CLK_TCK")


def seconds_since_start():
    """Seconds since the kernel started this process: interpreter and imports are in it."""
    with open("/proc/self/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    started = int(fields[19]) * TICK  # field 22 of the line, "starttime"
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started


def machine_busy_seconds():
    """CPU seconds that all programs together have used, and those the host took away."""
    with open("/proc/stat") as file:
        user, nice, system, _idle, _wait, irq, softirq, steal = map(int, file.readline().split()[1:9])
    return (user + nice + system + irq + softirq) * TICK, steal * TICK


class Disturbance:
    """What kept this process from having the machine to itself since the last call of take()."""

    def __init__(self):
        self.take()

    def take(self):
        usage = resource.getrusage(resource.RUSAGE_SELF)
        busy, stolen = machine_busy_seconds()
        now = (usage.ru_nivcsw, usage.ru_nvcsw, usage.ru_minflt,
               busy - usage.ru_utime - usage.ru_stime, stolen)
        before = getattr(self, "last", now)
        self.last = now
        delta = [a - b for a, b in zip(now, before)]
        return {"nivcsw": delta[0], "nvcsw": delta[1], "minor_faults": delta[2],
                "others_cpu_s": round(max(delta[3], 0.0), 3), "stolen_s": round(delta[4], 3)}


class PeakMemory:
    """Peak resident set in kB: of the whole run, and of the part after mark_steady()."""

    def __init__(self):
        self.before_steady = 0

    @staticmethod
    def _peak():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    @staticmethod
    def current():
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))

    def mark_steady(self):
        """Forget the peak of start-up and compilation; needs Linux' clear_refs."""
        self.before_steady = self._peak()
        try:
            with open("/proc/self/clear_refs", "w") as file:
                file.write("5")
        except OSError:
            pass

    def report(self):
        steady = self._peak()
        return {"peak_rss_kb": max(steady, self.before_steady), "peak_rss_steady_kb": steady}


def time_rounds(run, warmup, iters, rounds, memory):
    """Times run() one call at a time. Every sample carries its own disturbance counters."""
    begin = time.perf_counter()
    run()
    first = time.perf_counter() - begin
    first_from_start = seconds_since_start()
    for _ in range(warmup):
        run()
    memory.mark_steady()
    columns = {"ms": [], "nivcsw": [], "nvcsw": [], "minor_faults": [], "others_cpu_s": [], "stolen_s": []}
    for _ in range(rounds):
        rows = []
        for _ in range(iters):
            disturbance = Disturbance()
            begin = time.perf_counter()
            run()
            elapsed = time.perf_counter() - begin
            rows.append({"ms": round(elapsed * 1e3, 4), **disturbance.take()})
        for name, rounds_so_far in columns.items():
            rounds_so_far.append([row[name] for row in rows])
    return {"first_call_s": round(first, 4), "start_to_first_call_end_s": round(first_from_start, 4),
            **summary(columns), "samples": columns, **memory.report()}


def summary(columns):
    """Medians over all samples, over each round, and over samples in which nothing preempted us."""
    times = [ms for row in columns["ms"] for ms in row]
    switches = [count for row in columns["nivcsw"] for count in row]
    quiet = [ms for ms, count in zip(times, switches) if count == 0]
    return {
        "median_ms": round(statistics.median(times), 4),
        "min_ms": min(times),
        "max_ms": max(times),
        "round_median_ms": [round(statistics.median(row), 4) for row in columns["ms"]],
        "undisturbed": len(quiet),
        "undisturbed_median_ms": round(statistics.median(quiet), 4) if quiet else None,
    }


def emit(record):
    """One JSON line on standard output."""
    record["tuning"] = {name: os.environ[name] for name in TUNING if name in os.environ}
    record["load_average_1min"] = round(os.getloadavg()[0], 2)
    print(json.dumps(record), flush=True)
