"""What of a workspace is damaged, and how it is put right: it is set aside, and the next run makes it again.

Nothing is removed. A shard whose manifest is not there is pending, so that a run makes exactly the damaged ones again;
its key is the same, and so are its rows where the stage gives the same for the same. Where they are others (captions
from a server), what was made of the old ones is ``stale`` here.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from model.errors import DialogueError
from storage import files, fsck, ledger
from storage.fsck import Fault, Look
from storage.fsck_files import files_of
from storage.fsck_warehouse import warehouse
from storage.layout import Layout
from storage.locks import holding
from storage.shards import read_manifest
from tasks.plan import Run, key_of, load
from tasks.publish import publish, rebuild
from tasks.run import ShardRows
from tasks.stage import Stage


def faults(layout: Layout, run: Run | None, look: Look = lambda _bytes: None) -> list[Fault]:
    """All faults of the workspace, or of what a run consists of; one to a file. Of a bucket every object is read."""
    keys = None if run is None else {key for key in run.keys.values() if key}

    def wanted(key: str) -> bool:
        return keys is None or key in keys

    found = [*(fsck.records(layout) if run is None else ()), *fsck.lake(layout, wanted, look)]
    found += fsck.models(layout, wanted, look)
    for folder in (layout.runs, layout.lake):
        files.refresh(layout, folder)
    known = [run] if run else list(_readable(layout))
    for one in known:
        found += _misplaced(one)
    bad = {(fault.stage_key, fault.shard) for fault in found}
    found += _derived(known, bad)
    found += warehouse(layout, wanted)
    return list({fault.file: fault for fault in reversed(found)}.values())[::-1]


def repair(layout: Layout, found: Sequence[Fault]) -> Path | None:
    """Sets aside what is damaged, under the locks of all runs, and brings results.duckdb up to date.

    The folder where it lies now, None where there was nothing to move. Raises WorkspaceLocked where a run goes on.
    """
    with ExitStack() as locks:
        for name in sorted({run.name for run in _readable(layout)}):
            locks.enter_context(holding(layout, name))
        held = files_of(layout)
        number = max((int(path.name) for path in held.glob("damaged/*") if path.name.isdigit()), default=0) + 1
        place = layout.damaged / f"{number:04d}"
        aside = dict.fromkeys(path for fault in found for path in fault.aside)
        moved = [held.move(path, place / path.relative_to(layout.root)) for path in aside]
        if any(fault.kind == "warehouse" for fault in found):
            rebuild(layout)
        else:
            for run in concerned(layout, found):
                publish(run)
    return place if any(moved) else None


def concerned(layout: Layout, found: Sequence[Fault]) -> list[Run]:
    """The runs that have a shard to make again: of each name the last."""
    keys = {fault.stage_key for fault in found} - {None}
    last = {run.name: run for run in _readable(layout) if keys & {*run.keys.values()}}
    return list(last.values())


def size(layout: Layout) -> int:
    """Bytes that a whole check reads, about."""
    if layout.mirror:
        there = layout.mirror.bucket.list("lake/").items()
        return sum(found.size for name, found in there if name.rpartition("/")[2].startswith("part-"))
    total = 0
    for place, _, names in os.walk(layout.lake):
        total += sum(Path(place, name).stat().st_size for name in names if name.startswith("part-"))
    return total


def _readable(layout: Layout) -> Iterator[Run]:
    """The runs whose records can be read, the one used last at the end."""
    records = (read_manifest(path) or {} for path in layout.runs.glob("*.json"))
    for record in sorted(records, key=lambda one: str(one.get("used_at", ""))):
        try:
            yield load(layout, str(record["run_id"]), record)
        except (DialogueError, KeyError):
            continue


def _misplaced(run: Run) -> Iterator[Fault]:
    """Where a key is not the digest of the settings that stand beside it, rows are called what they are not."""
    path = run.layout.run_file(run.run_id)
    for name, stage in run.record["stages"].items():
        if stage.get("key") and "own" in stage and key_of(stage["own"], stage["upstream"]) != stage["key"]:
            detail = f"the key of {name} is not that of its settings"
            todo = fsck.RECORDS["runs/*.json"]
            yield Fault("misplaced", path.relative_to(run.layout.root).as_posix(), detail, todo, aside=(path,))
            return


def _derived(runs: Sequence[Run], bad: Collection[tuple[str | None, int | None]]) -> Iterator[Fault]:
    """Finished shards that were made from rows which are others now."""
    seen = set()
    for run in runs:
        for stage in run.stages():
            if stage.name != "ingest" and run.key(stage) not in seen:
                seen.add(run.key(stage))
                for shard in run.shards_of(stage) or ():
                    if (run.key(stage), shard) not in bad:
                        yield from _of_shard(run, stage, shard)


def _of_shard(run: Run, stage: Stage, shard: int) -> Iterator[Fault]:
    layout, key = run.layout, run.key(stage)
    state, manifest = ledger.shard_state(layout, stage.writes, key, shard)
    known = (manifest or {}).get("reads", {})
    if state != "done" or not known:
        return
    now = ShardRows(run, stage, shard).reads()
    other = [table for table in known if table in now and now[table] != known[table]]
    if other:
        yield Fault(
            "stale",
            layout.part(stage.writes, key, shard).relative_to(layout.root).as_posix(),
            f"it was made from other rows of {' and '.join(other)} than are there now",
            fsck.AGAIN,
            stage.name,
            shard,
            key,
            (layout.manifest(stage.writes, key, shard), layout.part(stage.writes, key, shard)),
        )
