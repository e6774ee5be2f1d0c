"""What a workspace and the machine look like between two kills."""

from __future__ import annotations

import os
import random
from contextlib import suppress
from importlib.resources import files
from pathlib import Path

import psutil

from storage.layout import Layout
from tasks.plan import load, plan_stage


def pending(workspace: Path) -> set[str] | None:
    """Names of the stages that have something to do; None where there is no run yet."""
    layout = Layout(workspace.resolve())
    if not any(layout.runs.glob("*.json")):
        return None
    run = load(layout)
    return {stage.name for stage in run.stages() if plan_stage(run, stage).pending}


def share_left(workspace: Path, place: str) -> float:
    """How much of a stage is still to be done, 0 to 1."""
    layout = Layout(workspace.resolve())
    if not any(layout.runs.glob("*.json")):
        return 1.0
    run = load(layout)
    for stage in run.stages():
        if stage.name == place and not stage.unit:
            found = plan_stage(run, stage)
            return len(found.pending) / found.total if found.total else 1.0
    return 1.0


def manifests(workspace: Path) -> dict[str, int]:
    """When each finished shard was written. Ingest is one piece of work, finished with its list of shards."""
    paths = [path for path in workspace.glob("lake/*/*/part-*.json") if ".failed." not in path.name]
    whole = [path for path in paths if path.parts[-3] != "utterances" or path.with_name("stage.json").exists()]
    return {str(path): path.stat().st_mtime_ns for path in whole if path.with_suffix(".parquet").exists()}


def age(database: Path, chance: random.Random) -> None:
    """Puts a database of an older version in place: some of the first migrations, and no run."""
    import duckdb

    known = sorted((item for item in files("storage").joinpath("migrations").iterdir()), key=lambda item: item.name)
    database.unlink()
    with duckdb.connect(str(database)) as connection:
        connection.execute("CREATE TABLE about (name VARCHAR PRIMARY KEY, value VARCHAR)")
        for item in [item for item in known if item.name.endswith(".sql")][: chance.randint(1, len(known) - 1)]:
            connection.execute(item.read_text())
            connection.execute("INSERT OR REPLACE INTO about VALUES ('migration', ?)", [item.name])


def alive(groups: list[int]) -> list[int]:
    """Processes of these groups that are still there."""
    found = []
    for process in psutil.process_iter(["pid", "status"]):
        with suppress(ProcessLookupError, psutil.Error):
            if os.getpgid(process.pid) in groups and process.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
    return found
