"""Two workspaces of one configuration, table by table: rows lost, doubled and changed, and adapters byte for byte."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

EXCEPTED = {
    "*": {"seconds", "memory_mib", "finished_at"},
    "reports": {"bytes", "sha256"},
    "shards": {"bytes", "sha256"},
    "stages": {"bytes"},
}
"""Columns that say when and how fast, in all tables. The report's page tells of each reading of the test split, and a
run that was killed in evaluate has more of them; Parquet files with other seconds have other bytes."""

IDENTITY = {
    "utterances": ("utterance_id",),
    "keyframes": ("utterance_id", "rank"),
    "captions": ("utterance_id",),
    "instructions": ("utterance_id", "variant"),
    "training_log": ("step",),
    "dev_predictions": ("utterance_id", "system"),
    "predictions": ("utterance_id", "system"),
    "metrics": ("corpus", "split", "system", "metric", "label", "predicted"),
    "reports": ("path",),
    "rejects": ("utterance_id", "stage", "reason"),
    "runs": ("run_id",),
    "stages": ("run_id", "stage"),
    "shards": ("run_id", "stage", "shard"),
}
PUBLISHED = ("predictions", "metrics", "stages", "shards")
COUNTS = ("rows", "lost", "doubled", "changed")


def compare(reference: Path, other: Path) -> dict[str, dict[str, int]]:
    """By table of the lake, ``db.`` table of results.duckdb and ``adapter``: rows, lost, doubled and changed."""
    ours, theirs = lake(other), lake(reference)
    found = {name: differences(name, theirs[name], ours.get(name, [])) for name in theirs}
    for name in PUBLISHED:
        found[f"db.{name}"] = differences(name, published(reference, name), published(other, name))
    adapters = [{str(path.relative_to(root)): digest(path) for path in files(root)} for root in (reference, other)]
    changed = sum(adapters[0].get(name) != adapters[1].get(name) for name in {**adapters[0], **adapters[1]})
    found["adapter"] = {"rows": len(adapters[0]), "lost": 0, "doubled": 0, "changed": changed}
    return found


def differences(table: str, wanted: Iterable[dict[str, Any]], found: Iterable[dict[str, Any]]) -> dict[str, int]:
    left_out = EXCEPTED["*"] | EXCEPTED.get(table, set())
    sides = []
    for rows in (wanted, found):
        known: dict[str, list[str]] = {}
        for row in rows:
            identity = json.dumps([row["stage_key"], *(row[name] for name in IDENTITY[table])], default=str)
            kept = {name: row[name] for name in row if name not in left_out}
            known.setdefault(identity, []).append(json.dumps(kept, sort_keys=True, default=repr))
        sides.append(known)
    old, new = sides
    lost = sum(max(0, len(old[name]) - len(new.get(name, []))) for name in old)
    doubled = sum(max(0, len(new[name]) - len(old.get(name, []))) for name in new)
    changed = sum(sum((Counter(old[name]) - Counter(new[name])).values()) for name in old if name in new)
    return {"rows": sum(map(len, old.values())), "lost": lost, "doubled": doubled, "changed": changed}


def lake(workspace: Path) -> dict[str, list[dict[str, Any]]]:
    """Every row of every part that has a manifest, with its stage key; of tables that have any."""
    found: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(workspace.glob("lake/*/*/part-*.parquet")):
        key = path.parent.name
        vouched = path.with_suffix(".json").exists()
        if path.parts[-3] == "rejects":  # one manifest for the rows and the rejects of a shard
            vouched = any(workspace.glob(f"lake/*/{key}/{path.stem}.json"))
        if vouched:
            data: pa.Table = pq.read_table(path)
            found.setdefault(path.parts[-3], []).extend({**row, "stage_key": key} for row in data.to_pylist())
    return found


def published(workspace: Path, table: str) -> list[dict[str, Any]]:
    with duckdb.connect(str(workspace / "results.duckdb"), read_only=True) as connection:
        rows: list[dict[str, Any]] = connection.sql(f"FROM {table}").to_arrow_table().to_pylist()
    return rows


def files(workspace: Path) -> list[Path]:
    return sorted(workspace.glob("models/*/adapter/*"))


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def total(tables: Iterable[dict[str, dict[str, int]]]) -> dict[str, int]:
    """The same four counts over all tables of all comparisons."""
    rows = [counts for table in tables for counts in table.values()]
    return {name: sum(row[name] for row in rows) for name in COUNTS}
