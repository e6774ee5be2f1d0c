"""What orchestration costs: planning, and Prefect itself, with stages that do nothing; beside a task for each clip.

python benchmarks/orchestration.py [--quick] [--utterances 13708] [--clips 2000] [--shards 15000]

Real server, real client, real driver, tasks and manifests; the stages yield nothing (orchestrated/noop.py). Floors
aimed at: overhead_share below 0.03, noop_seconds below 10, plan_15k_seconds well below 1.

* overhead_share: wall time of a whole run of MELD's size whose shards do nothing (flow, plans, tasks, manifests,
  publishing), over itself plus 30 s for each of its shards, one at a time as the pipeline does them.
* noop_seconds: a second run of it in a new process, imports included, the server's start not; noop_cpu_seconds: its
  CPU time, which a busy machine disturbs least.
* plan_15k_seconds: 15,000 finished shards of a stage, beside the floor of reading their manifests and nothing else.
* million_…: a million utterances in shards of 256 are 3,907 tasks a stage. Server CPU, database, memory of our design
  and of a task a clip (clips_…) are measured on runs of two sizes; what a task adds is the difference, a million of it
  is that times the tasks, extrapolated and not run. Planning of all stages is measured on as many manifests.
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from orchestrated.server import Watched, start
from rich.console import Console
from rich.table import Table

from flows.settings import prepare
from tasks.plan import Run, plan, plan_stage
from tasks.stages import BY_NAME

SHARD_SECONDS = 30
MILLION = 1_000_000
PER_SHARD = 256
STAGES_BY_SHARD = ("keyframes", "captions", "instructions")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer clips and repetitions")
    parser.add_argument("--utterances", type=int, default=13_708)
    parser.add_argument("--clips", type=int, help="tasks of the larger run of a task a clip; default 2000")
    parser.add_argument("--shards", type=int, default=15_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = planning(Path(folder) / "plans", options.shards, 3 if options.quick else 9)
        figures |= million_plan(Path(folder) / "million", MILLION // PER_SHARD + 1)
        server = start(Path(folder) / "server", free_port())
        try:
            clips = options.clips or (400 if options.quick else 2000)
            figures |= orchestrated(server, Path(folder), options.utterances, clips)
        finally:
            server.stop()
    table = Table("figure", "value", title="orchestration")
    for name, value in figures.items():
        table.add_row(name, str(value))
    Console().print(table)
    print(json.dumps(figures))


def planning(folder: Path, shards: int, rounds: int) -> dict[str, Any]:
    run = make_finished(folder, shards, ("captions",))
    ours, floor, cpu = [], [], []
    for _ in range(rounds):  # interleaved: both see the same noise
        before = time.process_time()
        ours.append(seconds(lambda: planned(run, shards)))
        cpu.append(time.process_time() - before)
        floor.append(seconds(lambda: read_all(run)))
    return {
        "plan_15k_seconds": round(statistics.median(ours) * 15_000 / shards, 3),
        "plan_15k_cpu_seconds": round(statistics.median(cpu) * 15_000 / shards, 3),
        "listing_floor": round(statistics.median(floor) * 15_000 / shards, 3),
        "plan_vs_floor": round(statistics.median(ours) / statistics.median(floor), 2),
    }


def million_plan(folder: Path, shards: int) -> dict[str, Any]:
    """All stages by shard finished, the others not."""
    run = make_finished(folder, shards, STAGES_BY_SHARD)
    return {"million_shards": shards, "million_plan_seconds": round(seconds(lambda: plan(run)), 2)}


def orchestrated(server: Watched, folder: Path, utterances: int, clips: int) -> dict[str, Any]:
    small = server.run("ours", str(folder / "small"), str(utterances // 4), "128")
    whole = server.run("ours", str(folder / "whole"), str(utterances), "128")
    again = server.run("ours", str(folder / "whole"), str(utterances), "128")
    if again["tasks"]:
        raise SystemExit(f"the second run did {again['tasks']} shards, expected 0")
    few, many = server.run("clips", str(clips // 4)), server.run("clips", str(clips))
    print_runs({"ours, a quarter": small, "ours": whole, "ours again": again, "clips, a quarter": few, "clips": many})
    tasks = len(STAGES_BY_SHARD) * (MILLION // PER_SHARD + 1)
    return {
        "server_start_seconds": round(server.starts_in, 1),
        "shards": whole["tasks"],
        "noop_run_seconds": round(whole["seconds"], 1),
        "overhead_share": round(whole["seconds"] / (whole["seconds"] + SHARD_SECONDS * whole["tasks"]), 4),
        "noop_seconds": round(again["process_seconds"], 1),
        "noop_cpu_seconds": round(again["process_cpu"], 1),
        **million("million", small, whole, tasks),
        **million("clips", few, many, len(STAGES_BY_SHARD) * MILLION),
    }


def million(name: str, small: dict[str, Any], large: dict[str, Any], tasks: int) -> dict[str, Any]:
    """What a million utterances through three stages would add, from what a task adds between two runs."""
    more = large["tasks"] - small["tasks"]
    each = {key: (large[key] - small[key]) / more for key in ("server_cpu", "db_bytes", "peak_mib")}
    wall = (large["seconds"] + large["drained_seconds"] - small["seconds"] - small["drained_seconds"]) / more
    return {
        f"{name}_tasks": tasks,
        f"{name}_server_cpu_hours": round(max(0.0, each["server_cpu"]) * tasks / 3600, 2),
        f"{name}_db_gb": round(max(0.0, each["db_bytes"]) * tasks / 1e9, 2),
        f"{name}_client_gib": round((small["peak_mib"] + max(0.0, each["peak_mib"]) * tasks) / 1024, 2),
        f"{name}_orchestration_hours": round(max(0.0, wall) * tasks / 3600, 2),
    }


def print_runs(runs: dict[str, dict[str, Any]]) -> None:
    names = ("tasks", "seconds", "process_seconds", "drained_seconds", "server_cpu", "db_bytes", "peak_mib", "lost")
    table = Table("run", *names, title="runs through the server")
    for name, found in runs.items():
        table.add_row(name, *(f"{found[column]:,.1f}".removesuffix(".0") for column in names))
    Console(width=140).print(table)


def make_finished(folder: Path, shards: int, stages: tuple[str, ...]) -> Run:
    """A run in which these stages are done: every shard has a part of the size that its manifest says."""
    run = prepare("demo", workspace=folder / "workspace")
    layout = run.layout
    listed = [{"shard": shard, "split": "train", "rows": 64} for shard in range(shards)]
    listing = layout.shard_list(run.key(BY_NAME["ingest"]))
    listing.parent.mkdir(parents=True)
    listing.write_text(json.dumps({"shards": listed}))
    for name in stages:
        table, key = BY_NAME[name].writes, run.key(BY_NAME[name])
        layout.folder(table, key).mkdir(parents=True)
        for shard in range(shards):
            layout.part(table, key, shard).write_bytes(b"row")
            manifest = {"rows": 64, "rejects": 0, "bytes": 3, "seconds": 30.0, "stage_key": key, "shard": shard}
            layout.manifest(table, key, shard).write_text(json.dumps(manifest))
    return run


def planned(run: Run, shards: int) -> None:
    found = plan_stage(run, BY_NAME["captions"])
    if found.total != shards or found.pending:
        raise SystemExit(f"planned {len(found.pending)} of {found.total} shards, expected 0 of {shards}")


def read_all(run: Run) -> None:
    folder = run.layout.folder("captions", run.key(BY_NAME["captions"]))
    for path in folder.glob("*.json"):
        json.loads(path.read_bytes())


def seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


if __name__ == "__main__":
    main()
