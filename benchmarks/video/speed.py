"""What ways through the same videos cost: CPU seconds, in turn on each block of clips: all see the same noise."""

from __future__ import annotations

import gc
import os
import re
import resource
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import wait
from pathlib import Path

import psutil
from video.peers import Way, decode

from tasks.video.extract import Span, extract
from tasks.video.options import Options
from tasks.video.pool import WorkerPool

MEMORY = 3 * 2**30


def cpu_seconds(work: Callable[[], object]) -> float:
    """Of this process, and of the processes that it started and saw end meanwhile."""
    before = _used()
    work()
    return _used() - before


def ratios(
    paths: Sequence[Path], ways: Mapping[str, Way], rounds: int, block: int
) -> tuple[dict[str, list[float]], float]:
    """Each way's cost over that of decoding alone, one value per block and round; and decoding's seconds a clip."""
    gc.freeze()  # as a decoder process does: what the peers have loaded is not ours to look through
    found: dict[str, list[float]] = {name: [] for name in ways}
    floors = []
    for _ in range(rounds):
        for at in range(0, len(paths), block):
            clips = paths[at : at + block]
            before = cpu_seconds(lambda clips=clips: [decode(path) for path in clips])
            costs = {name: cpu_seconds(lambda w=ways[name], c=clips: [w(path) for path in c]) for name in ways}
            after = cpu_seconds(lambda clips=clips: [decode(path) for path in clips])
            floor = (before + after) / 2
            floors.append(floor / len(clips))
            for name, cost in costs.items():
                found[name].append(cost / floor)
    return found, statistics.median(floors)


def ours(options: Options, spans: Sequence[Span] = ((0.0, float("inf")),)) -> Way:
    """The stage's work on a file, in this process."""
    return lambda path: extract(path.parent, path.name, spans, options)


def workers(paths: Sequence[Path], options: Options, rounds: int) -> tuple[float, float]:
    """How many times as fast two decoder processes are as one (wall time); the larger one's peak memory in MB."""
    pools = {count: WorkerPool(count, MEMORY) for count in (1, 2)}
    try:
        for pool in pools.values():
            _wall(pool, paths[:4], options)  # starts the processes
        gains = []
        for _ in range(rounds):
            seconds = {count: _wall(pool, paths, options) for count, pool in pools.items()}
            gains.append(seconds[1] / seconds[2])
        return statistics.median(gains), max(_peak_mb(child.pid) for child in psutil.Process().children())
    finally:
        for pool in pools.values():
            pool.close()


def _wall(pool: WorkerPool, paths: Sequence[Path], options: Options) -> float:
    start = time.perf_counter()
    wait([pool.submit((path.parent, path.name, [(0.0, None)]), options) for path in paths])
    return time.perf_counter() - start


def _peak_mb(process: int) -> float:
    return int(re.findall(r"VmHWM:\s+(\d+)", Path(f"/proc/{process}/status").read_text())[0]) / 1000


def _used() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def load() -> float:
    """How busy the machine is: processes that want to run, per core."""
    return os.getloadavg()[0] / (os.cpu_count() or 1)
