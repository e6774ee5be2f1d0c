"""The lake and the facts of a finished run, made by hand, for tests of what publishes and reads them."""

from __future__ import annotations

from typing import Any

from example_rows import ROWS

from model.dialogue import Metric
from storage.layout import Layout
from storage.queries import connect, query
from storage.shards import write_shard
from storage.warehouse import RunFacts

STAGES = {
    "ingest": "utterances",
    "keyframes": "keyframes",
    "captions": "captions",
    "instructions": "instructions",
    "finetune": "training_log",
    "calibrate": "dev_predictions",
    "evaluate": "predictions",
    "score": "metrics",
    "report": "reports",
}
SCORES = [
    Metric("demo", "test", "tuned", "accuracy", None, None, 0.5, 0.4, 0.6049),
    Metric("demo", "test", "tuned", "macro_f1", None, None, 0.25),
    Metric("demo", "test", "tuned", "support", None, None, 2.0),
]


def write(layout: Layout, run_id: str = "demo-1", **more: list[Any]) -> RunFacts:
    """The lake and the facts of a finished run; ``more`` adds rows to what a stage yields."""
    shards: list[dict[str, Any]] = []
    stages: list[dict[str, Any]] = []
    for position, (stage, table) in enumerate(STAGES.items()):
        key = f"key-{stage}"
        rows = [*(SCORES if stage == "score" else ROWS[table]), *more.get(stage, [])]
        manifest = write_shard(layout, table, key, 0, rows, {})
        about = {"run_id": run_id, "stage": stage, "stage_key": key, "row_count": manifest["rows"], "seconds": 2.0}
        about |= {name: manifest[name] for name in ("rejects", "bytes")}
        shards.append({**about, "shard": 0, "state": "done", "sha256": manifest["sha256"], "error": None})
        stages.append({**about, "position": position, "output": table, "shards": 1, "done": 1, "settings": {"a": [1]}})
    time = "2026-01-02T03:04:05.678+00:00"
    attempt = {"run_id": run_id, "attempt": 1, "parent": None, "state": "completed", "started_at": time, "pending": {}}
    read = {"run_id": run_id, "attempt": 1, "stage": "evaluate", "read_at": time, "why": "run", "shards": 1}
    run = {"run_id": run_id, "name": "demo", "created_at": time, "machine": {"cpus": 2}, "settings": {}}
    tables: dict[str, list[dict[str, Any]]] = {
        "runs": [run],
        "attempts": [attempt],
        "stages": stages,
        "shards": shards,
        "test_reads": [read],
        "exports": [{"run_id": run_id, "export": 1, "exported_at": time, "largest_gap": 0.01, "passed": True}],
    }
    return RunFacts(run_id, tables, {"metrics": [layout.part("metrics", "key-score", 0)]})


def ask(layout: Layout, text: str) -> list[tuple[Any, ...]]:
    """The rows that answer a query."""
    with connect(layout) as connection:
        return query(connection, text)[1]
