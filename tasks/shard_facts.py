"""What a shard's manifest says besides its rows: time, tokens, failures before it; and the record of a failure."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from model.dialogue import Prediction
from model.errors import DialogueError
from storage import ledger, model_folders
from storage.layout import Layout
from storage.ledger import Record
from storage.shards import read_manifest
from storage.tables import Columns
from tasks.plan import Run
from tasks.stage import ByColumn, Progress, Stage

log = logging.getLogger(__name__)

TOLD_EVERY_S = 10.0


def timed(results: Iterable[Any], facts: Record, started: float) -> Iterator[Any]:
    """Passes on what a stage yields; then the facts hold its seconds since ``started`` and when it was done."""
    yield from results
    facts["seconds"] = time.monotonic() - started
    facts["finished_at"] = ledger.now()


def filed(results: Iterable[Any], layout: Layout, folder: Path, facts: Record) -> Iterator[Any]:
    """Passes on what a stage yields; then the facts hold what it left in its folder."""
    yield from results
    if found := model_folders.listed(layout, folder):
        facts["files"] = found


def reads(run: Run, parts: Mapping[str, Sequence[tuple[str, str, int]]]) -> dict[str, str]:
    """A digest of the rows in each table's parts, by what their manifests say; without tables that are not known so."""
    found = {}
    for table, own in parts.items():
        manifests = [read_manifest(run.layout.manifest(*part)) or {} for part in own]
        contents = [str(manifest.get("content", "")) for manifest in manifests]
        if contents and all(contents):
            found[table] = contents[0] if len(contents) == 1 else sha256("\n".join(contents).encode()).hexdigest()[:16]
    return found


def told(progress: Progress) -> Progress:
    """The same, with a line in the log now and then."""
    last = time.monotonic()

    def tell(done: int, total: int, what: str) -> None:
        nonlocal last
        progress(done, total, what)
        if time.monotonic() - last >= TOLD_EVERY_S:
            last = time.monotonic()
            log.info(f"{done} of {total} {what}", extra={"facts": {"done": done, "total": total}})

    return tell


def summed(results: Iterable[Any], rows: ByColumn, stage: Stage, facts: Record) -> Iterator[Any]:
    """Passes on what a stage yields, with the sums of its totals in the manifest, and of those that count tokens."""
    facts["totals"] = totals = dict.fromkeys(stage.totals, 0)
    prompts: Mapping[str, int] = {}
    if stage.row is Prediction:  # where labels are scored a row does not say how long its prompt was
        names, lengths = rows.columns("instructions", ("utterance_id", "n_prompt_tokens"))
        prompts = dict(zip(names, lengths, strict=True))
    for row in results:
        if isinstance(row, Columns):
            for name in totals:
                totals[name] += sum(row.lists[name])
        elif isinstance(row, stage.row):
            for name in totals:
                value = getattr(row, name)
                if value is None and name == "n_prompt_tokens":
                    value = prompts.get(str(getattr(row, "utterance_id", "")), 0)
                totals[name] += value or 0
        yield row
    facts["tokens"] = sum(count for name, count in totals.items() if "tokens" in name)


def failures(run: Run, stage: Stage, shard: int) -> int:
    """How often a shard failed since it last succeeded."""
    found = read_manifest(run.layout.failure(stage.writes, run.key(stage), shard)) or {}
    return int(found.get("failures", bool(found)))


def record_failure(run: Run, stage: Stage, shard: int, error: Exception) -> None:
    """Writes the failure beside where the shard would be, and logs it."""
    detail: Record = {"run_id": run.run_id, "stage": stage.name, "shard": shard, "type": type(error).__name__}
    detail["error"] = str(error) or type(error).__name__
    detail["failures"] = failures(run, stage, shard) + 1
    log.error(detail["error"], exc_info=None if isinstance(error, DialogueError) else error, extra={"facts": detail})
    if not isinstance(error, DialogueError):
        detail["traceback"] = traceback.format_exc()[-4000:]
    try:
        ledger.record_failure(run.layout, stage.writes, run.key(stage), shard, detail)
    except OSError as second:  # a full disk must not hide the first error
        error.add_note(f"the failure could not be recorded: {second}")
