"""What a peer says about itself: CPU seconds, wall, peak memory, bytes written. The same figures as our side's.

Import it first: it binds the process to as many processors as threads were asked for, before a library counts them.
Measured is the work from its start until everything is on disk and closed; the start of the interpreter is not.
"""

import argparse
import json
import os
import pathlib
import resource
import time

parser = argparse.ArgumentParser()
parser.add_argument("--data")
parser.add_argument("--store", type=pathlib.Path)
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--sample")
parser.add_argument("--traits")
parser.add_argument("--repeat", type=int, default=3)
parser.add_argument("--variant", default="")
parser.add_argument("--out")
arguments = parser.parse_args()

os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: arguments.threads])

DAY_MS = 86_400_000
AS_OF_MS = 1_735_689_600_000 + 90 * DAY_MS + 3_600_000


def lines():
    """The lines of the data."""
    with open(arguments.data, encoding="utf-8") as data:
        yield from data


def count_lines():
    with open(arguments.data, "rb") as data:
        return sum(block.count(b"\n") for block in iter(lambda: data.read(1 << 20), b""))


def cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def proc_number(file, name):
    with open(f"/proc/self/{file}") as text:
        return next((int(line.split()[1]) for line in text if line.startswith(name)), 0)


class Meter:
    """Measures from its making on."""

    def __init__(self):
        self.begin = (time.perf_counter(), cpu_seconds(), proc_number("io", "wchar:"), proc_number("io", "write_bytes:"))

    def stop(self):
        wall, cpu, written, to_disk = self.begin
        return {
            "cpu_seconds": cpu_seconds() - cpu,
            "wall_seconds": time.perf_counter() - wall,
            "written_bytes": proc_number("io", "wchar:") - written,
            "disk_bytes": proc_number("io", "write_bytes:") - to_disk,
            "peak_megabytes": proc_number("status", "VmHWM:") / 1024,
        }


class Latencies:
    """The latencies of single calls in microseconds."""

    def __init__(self):
        self.wall, self.cpu = [], []

    def measure(self, call, *values):
        cpu, wall = time.thread_time_ns(), time.perf_counter_ns()
        answer = call(*values)
        self.wall.append((time.perf_counter_ns() - wall) / 1e3)
        self.cpu.append((time.thread_time_ns() - cpu) / 1e3)
        return answer

    def summary(self):
        def percentile(values, share):
            return sorted(values)[round((len(values) - 1) * share)]

        named = [("cpu", self.cpu), ("wall", self.wall)]
        shares = [("p50", 0.5), ("p99", 0.99)]
        summary = {f"{name}_{word}_us": percentile(values, share) for name, values in named for word, share in shares}
        return {"calls": len(self.wall), **summary}


WARM_UP, FIRST_PEOPLE, HOT_PEOPLE, HOT_ROUNDS = 20_000, 1_000, 500, 10


def read_latencies(read, sample):
    """Reads everybody of a sample once, then a few again and again. The first people only warm up, but for those of a
    process that has just begun, which are a figure of their own."""
    cut = min(WARM_UP, len(sample) // 2)
    warm_up, rest = sample[:cut], sample[cut:]
    first, everybody, again = Latencies(), Latencies(), Latencies()
    for one in warm_up[:FIRST_PEOPLE]:
        first.measure(read, one)
    for one in warm_up[FIRST_PEOPLE:]:
        read(one)
    for one in rest:
        everybody.measure(read, one)
    hot = rest[:HOT_PEOPLE]
    for one in hot:
        read(one)
    for one in hot * HOT_ROUNDS:
        again.measure(read, one)
    named = [("first", first), ("everybody", everybody), ("again", again)]
    return {part: latencies.summary() for part, latencies in named}


def stored_bytes(path):
    if path.is_dir():
        return sum(file.stat().st_size for file in path.iterdir())
    files = [path, path.with_name(path.name + "-wal"), path.with_name(path.name + ".wal")]
    return sum(file.stat().st_size for file in files if file.exists())


def say(**figures):
    print(json.dumps(figures))
