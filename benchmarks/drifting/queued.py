"""Runs that are asked for at once and wait for one worker: does each end, in its turn, and once?"""

from __future__ import annotations

import json
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from crashes.compare import lake, published
from crashes.site import Site

STATES = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


def queued(site: Site, config: Path, workspace: Path, runs: int, stages: list[str], seconds: float) -> dict[str, Any]:
    """Asks for ``runs`` runs, each with settings of its own, and waits for all; what became of them."""
    ids = [site.ask(request(config, workspace, number, stages)) for number in range(runs)]
    until = time.monotonic() + seconds
    while time.monotonic() < until and any(site.state(run) not in STATES for run in ids):
        time.sleep(2)
    found = [site.get(f"flow_runs/{run}") for run in ids]
    ended = [run["state"]["type"] for run in found]
    spans = [(run["start_time"] or "9", run["end_time"] or "9") for run in found]
    inside = sorted(spans)
    return {
        "queued": runs,
        "completed": ended.count("COMPLETED"),
        "in_order": sum(one < other for one, other in pairwise(start for start, _ in spans)) == runs - 1,
        "overlapping": sum(later[0] < earlier[1] for earlier, later in pairwise(inside)),
        "begun_more_than_once": sum(run["run_count"] != 1 for run in found),
        "longest_gap_s": round(max(gap(earlier[1], later[0]) for earlier, later in pairwise(inside)), 1),
        "server_busy": site.busy,
        **records(workspace, runs),
    }


def request(config: Path, workspace: Path, number: int, stages: list[str]) -> dict[str, Any]:
    own = [f'name="queued-{number}"', f"instructions.context={number}", f"finetune.seed={number}"]
    own += ["keyframes.enabled=false", "captions.enabled=false"]
    return {"config": str(config), "workspace": str(workspace), "overrides": own, "stages": stages, "check": False}


def records(workspace: Path, runs: int) -> dict[str, Any]:
    """What the workspace has of them: a run and a completed attempt each, each prompt and prediction once a run."""
    attempts = [json.loads(path.read_bytes()) for path in workspace.glob("runs/*/attempt-*.json")]
    tables = {name: rows for name, rows in lake(workspace).items() if rows}
    seen = {name: [(row["stage_key"], json.dumps(row, default=repr)) for row in rows] for name, rows in tables.items()}
    lines = len(tables.get("utterances", ()))
    return {
        "runs_recorded": len({row["run_id"] for row in published(workspace, "runs")}),
        "attempts_completed": sum(item["state"] == "completed" for item in attempts),
        "attempts": len(attempts),
        "rows_doubled": sum(len(rows) - len({*rows}) for rows in seen.values()),
        "prompts_missing": runs * lines - len(tables.get("instructions", ())),
    }


def gap(earlier: str, later: str) -> float:
    from datetime import datetime

    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()
