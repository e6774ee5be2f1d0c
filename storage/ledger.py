"""What has been done: runs and their attempts, and the state of every shard, read from the files themselves."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeGuard

from model.errors import UnknownRun, WorkspaceError
from storage import files
from storage.files import write_json
from storage.layout import Layout
from storage.shards import Manifest, read_manifest, read_record

Record = dict[str, Any]

VERSIONS = ("dialoguellm", "prefect", "torch", "transformers", "peft", "pyarrow", "duckdb", "av")


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def later_than(time: str) -> str:
    """Now, or just after ``time`` where the clock was set back since: what is compared must not go backwards."""
    found = now()
    if found > time:
        return found
    try:
        return (datetime.fromisoformat(time) + timedelta(milliseconds=1)).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError):
        return found


def machine() -> Record:
    """The machine and library versions that a run's record keeps."""
    return {
        "host": platform.node(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "versions": {name: version(name) for name in VERSIONS},
    }


# ---- shards


def shard_state(layout: Layout, table: str, stage_key: str, shard: int) -> tuple[str, Manifest | None]:
    """(state, manifest or failure record): done, missing, corrupt or failed.

    Corrupt means that a file's size, or that of its rejects, is not the manifest's; a damaged file of the right size
    is found when it is read. A failure record counts only while no manifest says that a later attempt succeeded.
    """
    manifest = read_manifest(layout.manifest(table, stage_key, shard))
    if manifest is None:
        failure = read_manifest(layout.failure(table, stage_key, shard))
        return ("failed", failure) if failure else ("missing", None)
    intact = files.size(layout, layout.part(table, stage_key, shard)) == manifest.get("bytes", -1)
    if intact and "rejects_bytes" in manifest:
        intact = files.size(layout, layout.part("rejects", stage_key, shard)) == manifest["rejects_bytes"]
    return ("done" if intact else "corrupt"), manifest


def shard_states(
    layout: Layout, table: str, stage_key: str, shards: Sequence[int]
) -> list[tuple[str, Manifest | None]]:
    """``shard_state`` of many shards of one key: their files are listed together, after their manifests were read."""
    folder = layout.folder(table, stage_key)
    manifests = [read_manifest(f"{folder}/part-{shard:05d}.json") for shard in shards]
    if layout.mirror or not all(manifests):
        return [shard_state(layout, table, stage_key, shard) for shard in shards]
    found = dict(zip(shards, filter(None, manifests), strict=True))
    parts = _sizes(folder)
    with_rejects = any("rejects_bytes" in manifest for manifest in found.values())
    rejects = _sizes(layout.folder("rejects", stage_key)) if with_rejects else {}
    states: list[tuple[str, Manifest | None]] = []
    for shard, manifest in found.items():
        name = f"part-{shard:05d}.parquet"
        intact = parts.get(name) == manifest.get("bytes", -1)
        intact &= "rejects_bytes" not in manifest or rejects.get(name) == manifest["rejects_bytes"]
        states.append(("done" if intact else "corrupt", manifest))
    return states


def _sizes(folder: Path) -> dict[str, int]:
    """The bytes of each Parquet file of a folder, by its name."""
    sizes = {}
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(".parquet"):
                with suppress(FileNotFoundError):
                    sizes[entry.name] = entry.stat().st_size
    return sizes


def shard_list(layout: Layout, ingest_key: str) -> list[Record] | None:
    """The shards that ingest cut, [{shard, split, rows}, …]; None until ingest has finished."""
    listed = (read_manifest(layout.shard_list(ingest_key)) or {}).get("shards")
    return listed if are_records(listed, "shard", "split", "rows") else None  # what is no list is made again


def record_failure(layout: Layout, table: str, stage_key: str, shard: int, failure: Record) -> None:
    write_json(layout, layout.failure(table, stage_key, shard), {**failure, "failed_at": now()})


# ---- runs and attempts


def save_run(layout: Layout, record: Record) -> Record:
    """Writes the run's record with its times; an earlier record of the same run keeps its creation time.

    The run that was used last is the one with the latest time, whatever the clock says.
    """
    path = layout.run_file(record["run_id"])
    earlier = read_manifest(path) or {}
    others = (read_manifest(other) or {} for other in layout.runs.glob("*.json"))
    latest = max((str(other.get("used_at", "")) for other in others), default="")
    saved = {**record, "created_at": earlier.get("created_at", now()), "used_at": later_than(latest)}
    write_json(layout, path, saved)
    return saved


def runs(layout: Layout) -> list[Record]:
    """All runs, the one used last at the end. Raises WorkspaceError naming a record that is damaged."""
    return sorted(map(_run_record, layout.runs.glob("*.json")), key=lambda record: str(record["used_at"]))


def find_run(layout: Layout, name: str | None = None) -> Record:
    """The run of that id, or the last one of that name; without a name the last one. Raises UnknownRun."""
    known = runs(layout)
    matches = [record for record in known if name in (None, record["run_id"], record["name"])]
    if not matches:
        ids = ", ".join(record["run_id"] for record in known[-8:]) or "none yet"
        wanted = "no run yet" if name is None else f"no run {name!r}"
        raise UnknownRun(f"{layout.name} has {wanted}: it has {ids}; `dialoguellm run CONFIG` makes one")
    return matches[-1]


def attempts(layout: Layout, run_id: str) -> list[Record]:
    """The attempts of a run, first to last. Raises WorkspaceError naming one that is damaged."""
    return numbered(layout, run_id, "attempt")


def save_attempt(layout: Layout, attempt: Record) -> None:
    write_json(layout, _attempt_file(layout, attempt["run_id"], attempt["attempt"]), attempt)


def start_attempt(
    layout: Layout, run_id: str, *, reason: str, pending: Record, engine: str, after: str = "", **more: str | None
) -> Record:
    """Begins an attempt. Attempts left running by a process that is gone are marked crashed first.

    It has begun later than ``after``. ``more`` goes on record too: a digest of the plan, the orchestrator's id of this
    execution.
    Call it only while holding the run's lock: that is what proves the other process is gone.
    """
    mark_crashed(layout, run_id)
    number = next_number(layout, run_id, "attempt")
    attempt: Record = {
        "run_id": run_id,
        "attempt": number,
        "parent": number - 1 or None,
        "reason": reason,
        "engine": engine,
        "state": "running",
        "started_at": later_than(after),
        "finished_at": None,
        "error": None,
        "pending": pending,
        "test_reads": [],
        "pid": os.getpid(),
        "host": platform.node(),
        **more,
    }
    save_attempt(layout, attempt)
    return attempt


def test_reads(layout: Layout, run_id: str, adapter_key: str | None) -> list[Record]:
    """Each opening of the test split by an adapter, in whatever run; without one those of this run. First to last."""
    if adapter_key is None:
        known = [run_id]
    else:
        same = (run for run in runs(layout) if (run["stages"].get("finetune") or {}).get("key") == adapter_key)
        known = [run["run_id"] for run in same]
    return sorted((read for name in known for read in readings(layout, name)), key=lambda read: str(read["read_at"]))


def readings(layout: Layout, run_id: str) -> list[Record]:
    """Each opening of the test split under a run's id: by its attempts, then by commands, whose attempt is None."""
    found = [read for attempt in attempts(layout, run_id) for read in attempt.get("test_reads", ())]
    return found + numbered(layout, run_id, "reading")


def record_reading(layout: Layout, run_id: str, adapter_key: str | None, command: str, shards: int) -> None:
    """Puts on record that a command opened ``shards`` of the test split; to be called before it does."""
    number = next_number(layout, run_id, "reading")
    about = {"run_id": run_id, "attempt": None, "stage": command, "adapter_key": adapter_key, "read_at": now()}
    write_json(
        layout, layout.attempts(run_id) / f"reading-{number:04d}.json", {**about, "why": command, "shards": shards}
    )


def mark_crashed(layout: Layout, run_id: str) -> int:
    """Marks this run's running attempts as crashed; how many there were."""
    dead = [attempt for attempt in attempts(layout, run_id) if attempt["state"] == "running"]
    for attempt in dead:
        save_attempt(layout, {**attempt, "state": "crashed", "finished_at": now(), "error": "the process is gone"})
    return len(dead)


def are_records(found: Any, *keys: str) -> TypeGuard[list[Record]]:
    """Whether something that was read is a list of records with these keys."""
    return isinstance(found, list) and all(isinstance(one, dict) and {*keys} <= one.keys() for one in found)


def safe_name(name: str) -> bool:
    """Whether a run's name can be part of a file name."""
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", name) is not None


def _run_record(path: Path) -> Record:
    record = read_manifest(path) or {}
    stages = record.get("stages")
    known = isinstance(stages, dict) and all(one is None or isinstance(one, dict) for one in stages.values())
    if not known or not {"run_id", "name", "used_at"} <= record.keys():
        raise WorkspaceError(
            f"{path} is damaged: `dialoguellm fsck --repair` sets it aside, `dialoguellm run CONFIG` records that run "
            "again"
        )
    return record


def numbered(layout: Layout, run_id: str, kind: str) -> list[Record]:
    """The records of a kind beside a run, first to last: one that is damaged may be of a reading of test."""
    return [read_record(path) for path in sorted(layout.attempts(run_id).glob(f"{kind}-*.json"))]


def next_number(layout: Layout, run_id: str, kind: str) -> int:
    """A number that none of them has: also where some are gone."""
    found = (re.fullmatch(rf"{kind}-(\d+)\.json", path.name) for path in layout.attempts(run_id).glob(f"{kind}-*.json"))
    return max((int(match[1]) for match in found if match), default=0) + 1


def _attempt_file(layout: Layout, run_id: str, number: int) -> Path:
    return layout.attempts(run_id) / f"attempt-{number:04d}.json"
