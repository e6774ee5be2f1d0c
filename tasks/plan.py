"""Stage keys, and what is to be done: pending shards with the reason of each.

A stage's key is a digest of its name, version, settings, weights or sources (``identity``) and the keys of the
stages it reads. A changed setting therefore makes a new key, its results lie beside the old ones, and what depends
on it gets a new key too. Nothing here needs torch, prefect or a decoder.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from model.errors import WorkspaceError
from storage import files, ledger
from storage.layout import Layout
from storage.ledger import Record
from storage.shards import read_manifest
from tasks.stage import Stage, StageSettings
from tasks.stages import STAGES, producer


@dataclass(frozen=True, slots=True)
class Run:
    """A configuration resolved against a workspace: settings and key of every stage, None where it is off."""

    run_id: str
    name: str
    layout: Layout
    settings: Mapping[str, StageSettings]
    keys: Mapping[str, str | None]
    record: Record

    def stages(self) -> list[Stage]:
        """The stages that are on, in order."""
        return [stage for stage in STAGES if self.keys[stage.name]]

    def key(self, stage: Stage) -> str:
        key = self.keys[stage.name]
        if key is None:
            raise ValueError(f"stage {stage.name} is off in {self.run_id}")
        return key

    def typed(self, command: str) -> str:
        """``command`` as a person types it for this run's workspace: ``dialoguellm status demo -w elsewhere``."""
        here = self.layout.name == str(Path("workspace").resolve())
        return f"dialoguellm {command}" + ("" if here else f" -w {shlex.quote(self.layout.name)}")

    def shards(self) -> list[Record] | None:
        return ledger.shard_list(self.layout, self.keys["ingest"] or "")

    def shards_of(self, stage: Stage) -> list[int] | None:
        """The shard numbers that a stage works on; None until ingest has cut them."""
        if stage.unit:
            return [0]
        cut = self.shards()
        if cut is None:
            return None
        shown = [item for item in cut if not stage.videos or item.get("videos", True)]
        return [item["shard"] for item in shown if item["split"] in stage.splits]


@dataclass(frozen=True, slots=True)
class Pending:
    """One shard that is to be done: reason is missing, changed, stale, corrupt, failed or forced."""

    shard: int
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class StagePlan:
    """What a stage has done and what it has to do. ``total`` is None until ingest has cut the shards."""

    stage: Stage
    key: str
    total: int | None
    pending: list[Pending] = field(default_factory=list)
    rows: int = 0
    rejects: int = 0
    seconds: float = 0.0
    newest: str = ""
    """When the last of what is done was finished."""

    def reasons(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for item in self.pending:
            counts[item.reason] = counts.get(item.reason, 0) + 1
        return counts


def resolve(name: str, layout: Layout, settings: Mapping[str, StageSettings], source: str) -> Run:
    """The run of these settings: keys computed, record made (not yet saved)."""
    keys: dict[str, str | None] = {}
    stages: dict[str, Record] = {}
    for stage in STAGES:
        values = settings[stage.name]
        if not getattr(values, "enabled", True):
            keys[stage.name] = None
            stages[stage.name] = {"key": None, "settings": values.model_dump(mode="json")}
            continue
        own = {
            "stage": stage.name,
            "version": stage.version,
            "settings": values.key_fields(),
            "identity": dict(stage.identity(values)),
        }
        if stage.name == "report":
            own["run"] = name
        upstream = {needed: keys[needed] for needed in _needs(stage)}
        keys[stage.name] = key_of(own, upstream)
        stages[stage.name] = {
            "key": keys[stage.name],
            "own": own,
            "upstream": upstream,
            "settings": values.model_dump(mode="json"),
        }
    files.local(layout, layout.shard_list(keys["ingest"] or ""))
    run_id = f"{name}-{_digest(keys)[:6]}"
    record = {"run_id": run_id, "name": name, "source": source, "stages": stages}
    return Run(run_id, name, layout, settings, keys, record)


def key_of(own: Record, upstream: Mapping[str, str | None]) -> str:
    """A stage's key: a digest of what decides it and of the keys of the stages that it reads."""
    return _digest({**own, "upstream": upstream})


def load(layout: Layout, name: str | None = None, record: Record | None = None) -> Run:
    """A run as it was recorded, by id or name (None: the last one), or by its ``record``.

    Raises UnknownRun, and WorkspaceError where the record is of a program with other stages or settings.
    """
    record = record or ledger.find_run(layout, name)
    try:
        recorded = dict(record["stages"])
        stages = {stage.name: recorded.get(stage.name) or _unknown_then(stage) for stage in STAGES}
        settings = {stage.name: stage.settings.model_validate(stages[stage.name]["settings"]) for stage in STAGES}
        keys = {name: found["key"] for name, found in stages.items()}
    except (KeyError, TypeError, ValueError, ValidationError) as error:
        raise WorkspaceError(
            f"{layout.run_file(record['run_id'])} was recorded by another version of this program: "
            "delete it, `dialoguellm run CONFIG` records that run again"
        ) from error
    files.local(layout, layout.shard_list(keys["ingest"]))
    return Run(record["run_id"], record["name"], layout, settings, keys, record)


def _unknown_then(stage: Stage) -> Record:
    """How a run stands to a stage that its program did not have. Raises KeyError unless that stage is off by itself."""
    if getattr(stage.settings(), "enabled", True):
        raise KeyError(stage.name)
    return {"key": None, "settings": {}}


def load_current(layout: Layout, name: str) -> Run:
    """A recorded run that can still be taken up: today's program and sources would give the same keys.

    Raises WorkspaceError where they would not: results under the old keys would not be what the keys say.
    """
    run = load(layout, name)
    today = resolve(run.name, layout, run.settings, run.record["source"])
    changed = [stage for stage in run.keys if run.keys[stage] != today.keys[stage]]
    if changed:
        own = differences(run.record["stages"][changed[0]], today.record["stages"][changed[0]])
        again = run.typed(f"run {run.record['source']}")
        raise WorkspaceError(
            f"{run.run_id} cannot be taken up: {changed[0]} is no longer what it was recorded with ({own}). "
            f"`{again}` makes a new run beside it"
        )
    return run


def plan(run: Run, names: Sequence[str] | None = None) -> list[StagePlan]:
    """The state of each stage that is on (or of those named), in order."""
    return [plan_stage(run, stage) for stage in run.stages() if names is None or stage.name in names]


def plan_stage(run: Run, stage: Stage, *, force: bool = False, since: str | None = None) -> StagePlan:
    """The state of one stage; with ``force`` finished shards are pending too, but those finished after ``since``."""
    key = run.key(stage)
    files.refresh(run.layout, run.layout.folder(stage.writes, key))
    shards = run.shards_of(stage)
    if shards is None:
        return StagePlan(stage, key, None, [Pending(-1, *_why_new(run, stage))])
    pending, rows, rejects, seconds, newest = [], 0, 0, 0.0, ""
    states = [_state(run, stage, shard) for shard in shards]
    new = all(state == "missing" for state, _ in states)  # else what is missing was deleted, or never reached
    why = _why_new(run, stage) if new else ("missing", "")
    for shard, (state, found) in zip(shards, states, strict=True):
        if state == "done" and found:
            rows, rejects = rows + found["rows"], rejects + found["rejects"]
            seconds += found.get("seconds", 0.0)
            newest = max(newest, str(found.get("finished_at", "")))
            if force and (since is None or str(found.get("finished_at", "")) < since):
                pending.append(Pending(shard, "forced"))
        elif state == "missing":
            pending.append(Pending(shard, *why))
        else:
            detail = str((found or {}).get("error", "")) if state == "failed" else "not the file that was written"
            pending.append(Pending(shard, state, detail))
    return StagePlan(stage, key, len(shards), pending, rows, rejects, seconds, newest)


def done(run: Run, stage: Stage) -> int | None:
    """How many shards of a stage are whole; None until ingest has cut them."""
    shards = run.shards_of(stage)
    return None if shards is None else sum(_state(run, stage, shard)[0] == "done" for shard in shards)


def differences(old: Record, new: Record) -> str:
    """What changed between two records of a stage, settings first: ``prompt: 'a' → 'b'``."""
    before, after = old.get("own", {}), new.get("own", {})
    changes: list[str] = []
    for part in ("settings", "identity"):
        ours, theirs = before.get(part, {}), after.get(part, {})
        names = [name for name in {**ours, **theirs} if ours.get(name) != theirs.get(name)]
        changes = changes or [f"{name}: {_short(ours.get(name))} → {_short(theirs.get(name))}" for name in names]
    if before.get("version") != after.get("version"):
        changes.append(f"version: {before.get('version')} → {after.get('version')}")
    return ", ".join(changes)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}…"


def _why_new(run: Run, stage: Stage) -> tuple[str, str]:
    """Why a stage has no result under its key: nothing yet, its own settings changed, or those before it."""
    for earlier in reversed(ledger.runs(run.layout)):
        if earlier["name"] != run.name or earlier["run_id"] == run.run_id:
            continue
        old, new = earlier["stages"].get(stage.name, {}), run.record["stages"][stage.name]
        if not old.get("key") or old["key"] == new["key"]:
            continue
        if not files.holds(run.layout, run.layout.folder(stage.writes, old["key"]), "part-*.parquet"):
            continue  # that run never came so far
        if old["own"] != new["own"]:
            return "changed", differences(old, new)
        return "stale", "what it reads has changed"
    return "missing", ""


def _state(run: Run, stage: Stage, shard: int) -> tuple[str, Record | None]:
    if stage.name == "ingest":
        return _ingest_state(run)
    return ledger.shard_state(run.layout, stage.writes, run.key(stage), shard)


def _ingest_state(run: Run) -> tuple[str, Record | None]:
    """Ingest is done when its list of shards is written and every one of them is whole."""
    key = run.keys["ingest"] or ""
    done = read_manifest(run.layout.shard_list(key))
    if done is None:
        failure = read_manifest(run.layout.failure("utterances", key, 0))
        return ("failed", failure) if failure else ("missing", None)
    states = {ledger.shard_state(run.layout, "utterances", key, item["shard"])[0] for item in done["shards"]}
    return ("done" if states <= {"done"} else "corrupt"), done


def _needs(stage: Stage) -> list[str]:
    """Names of the stages that a stage depends on."""
    return [*(producer(table).name for table in stage.reads), *stage.after]


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
