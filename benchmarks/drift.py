"""A day's work in minutes: does a process that does shard after shard grow, and do queued runs each have their turn?

python benchmarks/drift.py [--quick] [--shards 500] [--runs 10] [--keep DIR] [--cache workspace/cache]

Real driver, real stages (keyframes, captions, instructions) over shards of one line with the same short clip, once in a
process of its own and once as a Prefect flow beside a real server. After each shard that process is looked at: file
handles, threads, child processes, temporary files, memory. The floor: after the first third, in which caches fill,
nothing of the first four grows, and memory by less than 4 KiB a shard (35 MB in a day of shards of 10 s).

Then runs are queued at once for one process worker, by the deployment of prefect.yaml with its concurrency limit of 1
and in a work pool with a limit of 1, without which Prefect 3.8 starts them in any order. The floor: each completes,
once, in the order in which they were asked for, with all of its rows and none twice.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from crashes.cycle import Soak
from crashes.setting import environment, make_workspace, narrow, server
from crashes.site import Site
from drifting.corpus import write
from drifting.queued import queued
from rich.console import Console
from rich.table import Table

COUNTED = ("handles", "threads", "children", "temporary")
MEMORY = ("rss", "children_rss")
TEXT = ["ingest", "instructions"]
LEARNING = [*TEXT, "finetune", "evaluate", "score", "report"]


def main() -> None:
    options = arguments()
    runs = options.runs or (4 if options.quick else 10)
    shards = options.shards or (150 if options.quick else 500)
    with tempfile.TemporaryDirectory(prefix="drift-") as temporary:
        folder = Path(options.keep or temporary).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        cache = options.cache.resolve()
        model = folder / "narrow"
        config = write(folder / "corpus", model if model.exists() else narrow(cache, model), shards)
        figures: dict[str, Any] = {}
        if options.only != "runs":
            figures |= day(folder, config, cache, prefect=not options.quick)
        if options.only != "shards":
            figures |= line_up(
                folder, model, cache, runs, TEXT if options.quick else LEARNING, options.pool_limit or None
            )
    print(json.dumps(figures))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--quick", action="store_true", help="150 shards, without Prefect; 4 runs queued that do not train"
    )
    parser.add_argument("--shards", type=int, help="of each stage; default 500")
    parser.add_argument("--only", choices=("shards", "runs"), help="one of the two parts")
    parser.add_argument("--runs", type=int, help="queued at once; default 10")
    parser.add_argument("--pool-limit", type=int, default=1, help="of the work pool; 0: the deployment's limit alone")
    parser.add_argument("--keep", type=Path, help="a folder for the workspaces, kept")
    parser.add_argument("--cache", type=Path, default=Path("workspace/cache"), help="weights are looked for here")
    return parser.parse_args()


def day(folder: Path, config: Path, cache: Path, *, prefect: bool) -> dict[str, Any]:
    """The shards by the driver alone, and by Prefect; what grew most."""
    found = {"direct": watched(folder, config, cache, "direct")}
    if prefect:
        with server(folder / "prefect-home") as api:
            found["prefect"] = watched(folder, config, cache, "prefect", PREFECT_API_URL=api)
    show(found)
    figures = {f"{engine}_{name}": value for engine, of in found.items() for name, value in worst(of).items()}
    return figures | {"shards": sum(stage["shards"] for of in found.values() for stage in of["stages"].values())}


def watched(folder: Path, config: Path, cache: Path, engine: str, **more: str) -> dict[str, Any]:
    """A run of the shards in a process of its own, with a folder for temporary files of its own."""
    workspace = make_workspace(folder / engine, cache, drawn=False)
    home, scratch = folder / "home", folder / f"{engine}-tmp"
    home.mkdir(exist_ok=True)
    scratch.mkdir()
    command = [sys.executable, "-m", "drifting.shards", str(config), str(workspace), engine]
    command.append("ingest,keyframes,captions,instructions")
    done = subprocess.run(
        command,
        cwd=Path(__file__).parent,
        env=environment(home, TMPDIR=str(scratch), PREFECT_LOGGING_LEVEL="WARNING", **more),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    left = [path for path in scratch.rglob("*") if path.is_file()]
    print(f"{engine}: {found['seconds']:.0f} s; temporary files left: {len(left)}", flush=True)
    return found


def worst(found: dict[str, Any]) -> dict[str, float]:
    """By how much each count grew at most in a stage, and the steepest memory in KiB a shard."""
    stages = found["stages"].values()
    grown = {f"{name}_grown": max(stage[name][1] - stage[name][0] for stage in stages) for name in COUNTED}
    return grown | {f"{name}_kib_a_shard": max(stage[f"{name}_slope"] for stage in stages) for name in MEMORY}


def show(found: dict[str, Any]) -> None:
    table = Table("run", "stage", "shards", *COUNTED, *MEMORY, title="after a third, at the end, at most; KiB a shard")
    for engine, of in found.items():
        for stage, counts in of["stages"].items():
            cells = [", ".join(map(str, counts[name])) for name in COUNTED]
            cells += [f"{counts[name][1] / 1024:.0f} MiB, {counts[f'{name}_slope']:+.2f}" for name in MEMORY]
            table.add_row(engine, stage, str(counts["shards"]), *cells)
    Console(width=150).print(table)


def line_up(
    folder: Path, model: Path, cache: Path, runs: int, stages: list[str], pool_limit: int | None
) -> dict[str, Any]:
    config = write(folder / "line", model, 12)
    settings = "[finetune]\nmax_steps = 3\nbatch_size = 4\n[evaluate]\nuntuned = false\n"
    config.write_text(config.read_text() + settings)
    workspace = make_workspace(folder / "queued", cache, drawn=False)
    with Site.standing(Soak(folder, config, cache), at_once=pool_limit) as site:
        found = queued(site, config, workspace, runs, stages, seconds=120.0 * runs)
    table = Table("queued at once", "")
    for name, value in found.items():
        table.add_row(name.replace("_", " "), str(value))
    Console().print(table)
    return found


if __name__ == "__main__":
    os.nice(5)
    main()
