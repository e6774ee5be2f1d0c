"""What planning costs: 15,000 finished shards, beside the floor of reading their manifests and nothing else.

python benchmarks/orchestration.py [--quick] [--shards 15000]
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from flows.settings import prepare
from tasks.plan import Run, plan_stage
from tasks.stages import BY_NAME


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    parser.add_argument("--shards", type=int, default=15_000)
    options = parser.parse_args()
    rounds = 3 if options.quick else 9
    with tempfile.TemporaryDirectory() as folder:
        run = make_finished(Path(folder), options.shards)
        ours, floor = [], []
        for _ in range(rounds):  # interleaved: both see the same noise
            ours.append(seconds(lambda: planned(run, options.shards)))
            floor.append(seconds(lambda: read_all(run)))
    figures = {
        "shards": options.shards,
        "plan_15k_seconds": round(statistics.median(ours) * 15_000 / options.shards, 3),
        "listing_floor": round(statistics.median(floor) * 15_000 / options.shards, 3),
        "plan_vs_floor": round(statistics.median(ours) / statistics.median(floor), 2),
    }
    table = Table("figure", "value", title=f"planning, median of {rounds} rounds")
    for name, value in figures.items():
        table.add_row(name, str(value))
    Console().print(table)
    print(json.dumps(figures))


def make_finished(folder: Path, shards: int) -> Run:
    """A run whose captions are all done: every shard has a part of the size that its manifest says."""
    run = prepare("demo", workspace=folder / "workspace")
    layout, key = run.layout, run.key(BY_NAME["captions"])
    listed = [{"shard": shard, "split": "train", "rows": 64} for shard in range(shards)]
    listing = layout.shard_list(run.key(BY_NAME["ingest"]))
    listing.parent.mkdir(parents=True)
    listing.write_text(json.dumps({"shards": listed}))
    layout.folder("captions", key).mkdir(parents=True)
    for shard in range(shards):
        layout.part("captions", key, shard).write_bytes(b"row")
        manifest = {"rows": 64, "rejects": 0, "bytes": 3, "seconds": 30.0, "stage_key": key, "shard": shard}
        layout.manifest("captions", key, shard).write_text(json.dumps(manifest))
    return run


def planned(run: Run, shards: int) -> None:
    found = plan_stage(run, BY_NAME["captions"])
    if found.total != shards or found.pending:
        raise SystemExit(f"planned {len(found.pending)} of {found.total} shards, expected 0 of {shards}")


def read_all(run: Run) -> None:
    folder = run.layout.folder("captions", run.key(BY_NAME["captions"]))
    for path in folder.glob("*.json"):
        json.loads(path.read_bytes())


def seconds(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
