"""Fifty readers while a run publishes: is anybody refused, told half of something, or kept waiting?

python benchmarks/readers.py [--quick] [--readers 50] [--seconds 180] [--utterances 100000] [--pause 1.0]

A fifth of the readers keep a connection, a tenth are `dialoguellm sql` itself, three tenths browse the gallery, the
rest open the database for each question; most are threads of a few processes. Meanwhile one run's predictions, scores
and counts are replaced and published, over and over, each time all of another generation. The floor aimed at: no error,
no refusal, no answer that is not whole and of one generation, and a publication that costs no more CPU time than
without readers. Its wall time grows by what the readers take of the cores.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
from asking import lake, readers

from flows.gallery_server import HOST, application, listen
from model.dialogue import Metric
from storage import warehouse
from storage.tables import to_arrow
from tasks.gallery.links import Served
from tasks.gallery.pages import Pages
from tasks.gallery.snapshot import Snapshot
from tasks.plan import Run
from tasks.publish import facts, publish
from tasks.stages import BY_NAME

RUNS = 3
SPAWN = multiprocessing.get_context("spawn")
A_PROCESS = 8
"""Threads of readers in a process."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a minute, a tenth of the lines")
    parser.add_argument("--readers", type=int, default=50)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--utterances", type=int)
    parser.add_argument("--pause", type=float, default=1.0, help="seconds between a reader's questions")
    options = parser.parse_args()
    seconds = options.seconds or (60 if options.quick else 180)
    utterances = options.utterances or (10_000 if options.quick else 100_000)
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder), utterances, options.readers, seconds, options.pause)
    for name, value in figures.items():
        print(f"{name:<32} {value}")
    print(json.dumps(figures))


def measure(folder: Path, utterances: int, count: int, seconds: float, pause: float) -> dict[str, Any]:
    made = lake.runs_of(folder, utterances, RUNS)
    shards = lake.cut(utterances)
    lines = sum(rows for split, _, rows in shards if split == "test")
    for run in made:
        replace(run, shards, 0)
    warehouse.publish(made[0].layout, [facts(run) for run in made], rebuild=True)
    alone = [published(made[-1], shards, generation) for generation in (1, 2, 3)]
    until = time.time() + seconds
    shares = {"holding": count // 5, "commanding": count // 10, "browsing": 3 * count // 10}
    shares["asking"] = count - sum(shares.values())
    root, more = made[0].layout.root, (2 * lines, pause)
    with (
        served(made[0]) as (address, cookies),
        workers(count) as pool,
    ):
        asked = {
            name: [
                pool.submit(readers.of_threads, getattr(readers, name), size, until, *given)
                for size in cut(shares[name])
                for given in [(address, cookies, lines // lake.LINES, pause) if name == "browsing" else (root, *more)]
            ]
            for name in shares
        }
        loaded = []
        while not all(one.done() for futures in asked.values() for one in futures):
            loaded.append(published(made[-1], shards, 4 + len(loaded)))
        seen = {name: together([one.result() for one in futures]) for name, futures in asked.items()}
    return summary(shares, seen, alone, loaded) | {"predictions": 2 * lines * RUNS, "cpus": os.cpu_count()}


def workers(count: int) -> Executor:
    """Processes, but for few readers: those are threads of this one."""
    return ProcessPoolExecutor(count, SPAWN) if count > A_PROCESS else ThreadPoolExecutor(count)


def cut(count: int) -> list[int]:
    """Readers a process."""
    return [min(A_PROCESS, count - first) for first in range(0, count, A_PROCESS)]


def replace(run: Run, shards: list[tuple[str, int, int]], generation: int) -> None:
    """Predictions and scores of a run anew, each row with its generation's mark."""
    for number, (split, first, rows) in enumerate(shards):
        if split == "test":
            data = lake.predictions(lake.np.random.default_rng([generation, number]), split, first, rows)
            marks = pa.array([f"{readers.MARK} {generation}"] * data.num_rows, data.schema.field("raw").type)
            data = data.set_column(data.schema.get_field_index("raw"), data.schema.field("raw"), marks)
            write(run, "evaluate", "predictions", number, data)
    mark = Metric("demo", "test", "tuned", readers.MARK, None, None, float(generation))
    scores = [*lake.metrics(lake.np.random.default_rng(generation)), mark]
    write(run, "score", "metrics", 0, to_arrow("metrics", scores))


def write(run: Run, stage: str, table: str, shard: int, data: pa.Table) -> None:
    path = run.layout.part(table, run.key(BY_NAME[stage]), shard)
    path.unlink(missing_ok=True)  # runs share drawn parts by links
    lake.write_part(run, stage, table, shard, data, 0)


def published(run: Run, shards: list[tuple[str, int, int]], generation: int) -> tuple[float, float]:
    """Wall and CPU seconds of publishing the next generation."""
    replace(run, shards, generation)
    began, used = time.perf_counter(), _cpu()
    publish(run)
    return time.perf_counter() - began, _cpu() - used


def _cpu() -> float:
    found = resource.getrusage(resource.RUSAGE_SELF)
    return found.ru_utime + found.ru_stime


@contextmanager
def served(run: Run) -> Iterator[tuple[str, dict[str, str]]]:
    """The gallery of a run in a process of its own: its address, and the cookie that its token was given for."""
    ready, told = SPAWN.Pipe(False)
    process = SPAWN.Process(target=serve, args=(run.layout.root, run.run_id, told))
    process.start()
    told.close()  # so that one that ends before it has told is noticed
    try:
        address = f"http://{HOST}:{ready.recv()}"
        with httpx.Client(base_url=address, trust_env=False, timeout=60) as client:
            client.get("/", params={"token": "a-token"})
            cookies = dict(client.cookies)
        yield address, cookies
    finally:
        process.terminate()
        process.join()


def serve(root: Path, run_id: str, told: Any) -> None:
    import uvicorn

    from storage.layout import open_workspace
    from tasks.plan import load

    bound: socket.socket = listen(0)
    port = bound.getsockname()[1]
    app = application(Pages(Snapshot(load(open_workspace(root), run_id)), Served()), port, "a-token")
    threading.Timer(0, lambda: told.send(port)).start()
    uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1)).run(sockets=[bound])


def together(found: list[readers.Seen]) -> readers.Seen:
    whole = readers.Seen()
    for one in found:
        whole.add(one)
    return whole


def summary(
    shares: dict[str, int],
    seen: dict[str, readers.Seen],
    alone: list[tuple[float, float]],
    loaded: list[tuple[float, float]],
) -> dict[str, Any]:
    figures: dict[str, Any] = {f"readers_{name}": count for name, count in shares.items()}
    for name, one in seen.items():
        figures[f"answers_{name}"] = len(one.seconds)
        if one.seconds:
            figures[f"median_s_{name}"] = round(statistics.median(one.seconds), 3)
            figures[f"slowest_s_{name}"] = round(max(one.seconds), 3)
    faults = [fault for one in seen.values() for fault in one.faults]
    for fault in list(dict.fromkeys(faults))[:10]:
        print(f"fault: {fault}")
    wall, cpu = ([statistics.median(one[place] for one in times) for times in (alone, loaded)] for place in (0, 1))
    return figures | {
        "faults": len(faults),
        "publications": len(loaded),
        "generations_seen": max(one.generations for one in seen.values()),
        "publishing_s_alone": round(wall[0], 3),
        "publishing_s_loaded": round(wall[1], 3),
        "publishing_cpu_s_alone": round(cpu[0], 3),
        "publishing_cpu_s_loaded": round(cpu[1], 3),
        "publishing_wall_ratio": round(wall[1] / wall[0], 2),
        "publishing_cpu_ratio": round(cpu[1] / cpu[0], 2),
    }


if __name__ == "__main__":
    main()
