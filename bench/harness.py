# SPDX-License-Identifier: Apache-2.0
"""Running programs one at a time, noticing what disturbs them, and the statistics of what they say. For bench/run.py."""

import json
import math
import os
import pathlib
import re
import statistics
import subprocess
import sys
import threading
import time

RIVALS = pathlib.Path(__file__).resolve().parent / "rivals"
TICK = 1.0 / os.sysconf("SC_CLK_TCK")

MOST_LOAD = 0.5          # load average over a minute before anything is measured
MOST_OTHERS = 0.10       # cores that other programs used beside a process;
MOST_OTHERS_BELOW = 0.30     # at real-time priority they get only what the process leaves idle (start, input)
LEAST_QUIET = 3          # undisturbed samples of a process
PREEMPTIONS_PER_MS = 0.02    # in an undisturbed sample: the kernel's own threads need as much on a quiet machine
SETTLED = 0.08           # quartiles of the rounds' ratios this near to each other end the rounds;
MORE_ROUNDS = 2              # otherwise there are so many more,
LEAST_ROUNDS = 4             # of which so many must be undisturbed
CLOSE = 1.1              # rivals this near to the best one in the first round go on with it
ATTEMPTS = 3


class Disturbed(Exception):
    """A measurement that says more about other programs than about the measured one."""


def say(text):
    print(text, file=sys.stderr, flush=True)


def machine_busy():
    """CPU seconds that all programs together have used, those that the host took away included."""
    with open("/proc/stat") as file:
        user, nice, system, _idle, _wait, irq, softirq, steal = map(int, file.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) * TICK


class Process:
    """A program that has run: its JSON line, wall time, peak memory, the load beside it, and when a line of its standard
    error first matched `watch`."""

    def __init__(self, command, environment, watch=None):
        command = [str(word) for word in command]
        busy, own, begin = machine_busy(), sum(os.times()[:2]), time.monotonic()
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.watched_s = None
        errors = []

        def read_errors():
            for line in process.stderr:
                errors.append(line)
                if watch and self.watched_s is None and re.search(watch, line):
                    self.watched_s = time.monotonic() - begin

        reader = threading.Thread(target=read_errors)
        reader.start()
        output = process.stdout.read()
        reader.join()
        _pid, status, usage = os.wait4(process.pid, 0)
        process.returncode = code = os.waitstatus_to_exitcode(status)
        self.wall_s = time.monotonic() - begin
        self.rss_mb = usage.ru_maxrss / 1024
        others = machine_busy() - busy - (usage.ru_utime + usage.ru_stime) - (sum(os.times()[:2]) - own)
        self.others = max(others, 0.0) / self.wall_s
        if code != 0:
            raise RuntimeError(f"exit code {code}: {' '.join(command)}\n{''.join(errors)[-2000:]}")
        try:
            self.json = json.loads(output.strip().splitlines()[-1])
        except (IndexError, ValueError):
            raise RuntimeError(f"no JSON on standard output: {' '.join(command)}\n{output[-500:]}") from None


def real_time():
    """Words that give a program round-robin real-time priority where we may: it keeps out all but the kernel and the host."""
    words = ["chrt", "-r", "10"]
    try:
        return words if subprocess.run([*words, "true"], capture_output=True, check=False).returncode == 0 else []
    except OSError:
        return []


class Runner:
    """Starts our program and the rivals, each in the environment that is fair to it."""

    def __init__(self, fovea, python, threads, force):
        self.program, self.python, self.threads, self.force = fovea, python, threads, force
        self.priority = real_time()
        ours = ("OMP_", "MKL_", "MALLOC_", "OPENBLAS_", "FOVEA_")
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith(ours) or (force and k == "OMP_WAIT_POLICY")}
        self.environment["OMP_NUM_THREADS"] = str(threads)

    def alone(self, name, command, watch=None):
        """Repeats until no other program ran beside it."""
        for _ in range(ATTEMPTS):
            process = Process([*self.priority, *command], self.environment, watch)
            if process.others <= (MOST_OTHERS_BELOW if self.priority else MOST_OTHERS) or self.force:
                return process
            say(f"    {name}: other programs used {process.others:.2f} cores; again")
            time.sleep(10)
        raise Disturbed(f"{name}: other programs used {process.others:.2f} cores")

    def fovea(self, *words, watch=None):
        return self.alone("fovea", [self.program, *words], watch)

    def rival(self, script, *words):
        return self.alone(script, ["sh", "-c", '. "$0" && exec "$@"', RIVALS / "env.sh", self.python, RIVALS / script, *words])


# ---- statistics -------------------------------------------------------------------------------------------------------

def quantile(values, q):
    values = sorted(values)
    at = q * (len(values) - 1)
    low = int(at)
    return values[low] + (values[min(low + 1, len(values) - 1)] - values[low]) * (at - low)


def samples_of(report):
    """(milliseconds, preemptions) of every sample: of `fovea bench --json` or of bench/rivals."""
    if "samples_ms" in report:
        return list(zip(report["samples_ms"], report["nivcsw"]))
    columns = report["samples"]
    return [pair for ms, counts in zip(columns["ms"], columns["nivcsw"]) for pair in zip(ms, counts)]


class Contestant:
    """One way to do a piece of work, and its samples over all rounds. `crowded`: its own threads and processes outnumber the
    cores, so preemptions say nothing about others."""

    def __init__(self, name, start, crowded=False):
        self.name, self.start, self.crowded = name, start, crowded
        self.rounds, self.least, self.taken, self.quiet, self.rss_mb, self.report = [], math.inf, 0, 0, 0.0, None

    def run(self, force):
        for attempt in range(ATTEMPTS):
            process = self.start()
            samples = samples_of(process.json)
            quiet = [ms for ms, preempted in samples if self.crowded or force or preempted <= ms * PREEMPTIONS_PER_MS]
            if len(quiet) >= min(LEAST_QUIET, len(samples)):
                break
            if attempt == ATTEMPTS - 1:
                raise Disturbed(f"{self.name}: only {len(quiet)} of {len(samples)} samples undisturbed")
        self.rounds.append(statistics.median(quiet))
        self.least = min(self.least, *quiet)
        self.taken += len(samples)
        self.quiet += len(quiet)
        self.rss_mb = max(self.rss_mb, process.rss_mb)
        self.report = self.report or process.json
        say(f"    {self.name}: {self.rounds[-1]:.3f} ms, {len(quiet)} quiet samples")

    def result(self):
        return {"name": self.name, "median_ms": round(statistics.median(self.rounds), 4), "least_ms": round(self.least, 4),
                "round_medians_ms": [round(ms, 4) for ms in self.rounds],
                "samples": self.taken, "quiet": self.quiet, "peak_rss_mb": round(self.rss_mb, 1)}

    def ratios(self, ours):
        """Our time goes into this one's how often, round by round: neighbours in time saw the same machine."""
        return [theirs / mine for theirs, mine in zip(self.rounds, ours.rounds)]

    def settled(self, ours):
        ratios = self.ratios(ours)
        return quantile(ratios, 0.75) - quantile(ratios, 0.25) <= SETTLED * statistics.median(ratios)

    def against(self, ours):
        ratios = self.ratios(ours)
        return {**self.result(), "ratio": round(statistics.median(ratios), 4), "ratios": [round(r, 4) for r in ratios],
                "ratio_quartiles": [round(quantile(ratios, q), 4) for q in (0.25, 0.75)]}


def alternate(ours, always, field, rounds, force):
    """A first round of all; then of `field` only the best one, and what is close to it, goes on beside ours. A host that shares
    its caches and memory with others is slower by the second or the minute, so what counts is the ratio of neighbours in time:
    `rounds` of them, more while they differ. Results of ours, of the rivals, and of those left behind."""
    say("  first round")
    for contestant in [ours, *always, *field]:
        contestant.run(force)
    field = sorted(field, key=lambda c: c.rounds[0])
    kept = max(1, min(2, sum(c.rounds[0] <= CLOSE * field[0].rounds[0] for c in field)))
    field, dropped = field[:kept], field[kept:]
    rivals = [*always, *field]
    for contestant in [ours, *rivals]:
        contestant.rounds.clear()                       # minutes lie between the first ones
    everyone = [ours, *rivals]
    for number in range(rounds + MORE_ROUNDS):
        complete = len(rivals[0].ratios(ours))
        if complete >= rounds and all(c.settled(ours) for c in rivals):
            break
        say(f"  round {number + 1}")
        try:
            for contestant in everyone:
                contestant.run(force)
        except Disturbed as reason:
            say(f"    round dropped: {reason}")
            for contestant in everyone:
                del contestant.rounds[complete:]
            continue
        say("    times as fast: " + ", ".join(f"{c.ratios(ours)[-1]:.2f}" for c in rivals))
    if len(ours.rounds) < min(rounds, LEAST_ROUNDS):
        raise Disturbed(f"only {len(ours.rounds)} rounds undisturbed")
    return ours.result(), [c.against(ours) for c in rivals], [c.result() for c in dropped]


def student_975(freedom):
    """97.5 % point of Student's t (Abramowitz and Stegun 26.7.5); good to 1 % from 4 degrees of freedom on."""
    z, v = 1.959964, freedom
    terms = (z, (z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96, (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384)
    return sum(term / v**power for power, term in enumerate(terms))


def mean_difference(ours, theirs):
    """Difference of means and its 95 % interval (Welch); no interval from single values."""
    difference = statistics.mean(ours) - statistics.mean(theirs)
    if min(len(ours), len(theirs)) < 2:
        return {"difference": difference, "low": None, "high": None}
    a, b = statistics.variance(ours) / len(ours), statistics.variance(theirs) / len(theirs)
    half = 0.0
    if a + b > 0:
        freedom = (a + b) ** 2 / (a**2 / (len(ours) - 1) + b**2 / (len(theirs) - 1))
        half = student_975(freedom) * math.sqrt(a + b)
    return {"difference": difference, "low": difference - half, "high": difference + half}
