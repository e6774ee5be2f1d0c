"""From the files of a run to the rows that the warehouse holds of it."""

from __future__ import annotations

from typing import Any

from storage import files, findings, ledger, warehouse
from storage.layout import Layout
from storage.ledger import Record
from storage.warehouse import RunFacts
from tasks.plan import Run, load
from tasks.stage import Stage


def publish(run: Run) -> None:
    """Brings one run in results.duckdb up to date with its files."""
    warehouse.publish(run.layout, [facts(run)])


def rebuild(layout: Layout) -> int:
    """Makes results.duckdb anew from the lake and the records of all runs; returns how many runs."""
    known: dict[str, list[Record]] = {}
    found = [facts(load(layout, record["run_id"]), known) for record in ledger.runs(layout)]
    warehouse.publish(layout, found, rebuild=True)
    return len(found)


def facts(run: Run, known: dict[str, list[Record]] | None = None) -> RunFacts:
    """Everything the warehouse holds of a run, read from its record, attempts and manifests.

    ``known`` keeps shards by stage key: runs share them, and each is a file to read.
    """
    known = {} if known is None else known
    for stage in run.stages():
        if run.key(stage) not in known:
            files.refresh(run.layout, run.layout.folder(stage.writes, run.key(stage)))
    attempts = ledger.attempts(run.layout, run.run_id)
    for stage in run.stages():
        if run.key(stage) not in known:
            known[run.key(stage)] = _shards(run, stage)
    shards = [row for stage in run.stages() for row in known[run.key(stage)]]
    stages = [_stage(run, position, stage, known[run.key(stage)]) for position, stage in enumerate(run.stages())]
    rows: dict[str, list[Record]] = {
        "runs": [_run(run)],
        "attempts": [_attempt(attempt) for attempt in attempts],
        "stages": stages,
        "shards": shards,
        "exports": findings.exports(run.layout, run.run_id),
        "counterfactuals": findings.counterfactuals(run.layout, run.run_id),
        "test_reads": ledger.readings(run.layout, run.run_id),
    }
    scored = [row for row in shards if row["stage"] == "score" and row["state"] == "done"]
    made = {"metrics": [run.layout.part("metrics", row["stage_key"], row["shard"]) for row in scored]}
    return RunFacts(run.run_id, rows, made)


def _run(run: Run) -> Record:
    record = run.record
    return {
        "run_id": run.run_id,
        "name": run.name,
        "source": record["source"],
        "created_at": record.get("created_at"),
        "used_at": record.get("used_at"),
        "git_commit": record.get("git_commit"),
        "machine": record.get("machine", {}),
        "settings": {name: stage["settings"] for name, stage in record["stages"].items()},
    }


def _attempt(attempt: Record) -> Record:
    left_out = {"pid", "host", "test_reads"}
    return {name: value for name, value in attempt.items() if name not in left_out}


def _shards(run: Run, stage: Stage) -> list[Record]:
    key = run.key(stage)
    if stage.name == "ingest":
        numbers: list[int] = [item["shard"] for item in run.shards() or []]
    else:
        numbers = run.shards_of(stage) or []
    states = ledger.shard_states(run.layout, stage.writes, key, numbers)
    return [_shard(run, stage, key, number, *found) for number, found in zip(numbers, states, strict=True)]


def _shard(run: Run, stage: Stage, key: str, number: int, state: str, found: Record | None) -> Record:
    known: dict[str, Any] = found or {}
    return {
        "run_id": run.run_id,
        "stage": stage.name,
        "stage_key": key,
        "shard": number,
        "state": state,
        "row_count": known.get("rows"),
        "rejects": known.get("rejects"),
        "bytes": known.get("bytes"),
        "seconds": known.get("seconds"),
        "tokens": known.get("tokens"),
        "retries": known.get("retries", known.get("failures")),
        "finished_at": known.get("finished_at"),
        "made_by": known.get("run_id"),
        "sha256": known.get("sha256"),
        "error": known.get("error"),
    }


def _stage(run: Run, position: int, stage: Stage, mine: list[Record]) -> Record:
    cut = run.shards_of(stage)
    known = run.record["stages"][stage.name]
    own = known.get("own", {})
    return {
        "run_id": run.run_id,
        "position": position,
        "stage": stage.name,
        "stage_key": run.key(stage),
        "output": stage.writes,
        "shards": len(mine) if stage.name == "ingest" else (None if cut is None else len(cut)),
        "done": sum(row["state"] == "done" for row in mine),
        "row_count": sum(row["row_count"] or 0 for row in mine),
        "rejects": sum(row["rejects"] or 0 for row in mine),
        "bytes": sum(row["bytes"] or 0 for row in mine),
        "seconds": sum(row["seconds"] or 0.0 for row in mine),
        "settings": known["settings"],
        "version": own.get("version"),
        "identity": own.get("identity"),
        "upstream": known.get("upstream"),
        "tokens": sum(row["tokens"] or 0 for row in mine) if any(row["tokens"] is not None for row in mine) else None,
        "retries": sum(row["retries"] or 0 for row in mine),
    }
