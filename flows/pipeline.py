"""The flows: one runs a configuration, whole or one stage of it, the other takes up a recorded run again.

A retry from the UI, ``prefect flow-run retry``, a new run and ``dialoguellm rerun`` all come here and do the same
least work, because the planner decides from the files what is pending.
"""

from __future__ import annotations

import shlex
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger
from prefect.artifacts import create_table_artifact
from prefect.client.schemas.objects import FlowRun
from prefect.context import FlowRunContext
from prefect.task_runners import ThreadPoolTaskRunner

from flows import runner, server_keys, stages
from flows.announce import announce, said
from flows.failure import key_of, told
from flows.guard import guard
from flows.output import printable
from flows.parameters import PipelineRequest, RerunRequest
from flows.settings import prepare, read
from storage import ledger
from storage.layout import open_workspace
from tasks.drive import Outcome, Selection, drive, planned
from tasks.plan import Run, load_current

RUNNER: Any = ThreadPoolTaskRunner(max_workers=1)
"""One shard at a time: a stage uses the machine's cores itself."""

MOST = 1000
"""Shards of a stage that a plan shows."""


@flow(name="dialoguellm", flow_run_name="{request.config}", task_runner=RUNNER, persist_result=False)
def pipeline(request: PipelineRequest) -> dict[str, int]:
    """Runs a configuration end to end, doing only what is pending; returns shards done by stage.

    Args:
        request: The configuration, and how much of it is to be run.
    """
    workspace = Path(request.workspace) if request.workspace else None
    with told(Path(request.config).stem, _typed(request)):
        if request.check:
            _look(request, workspace)
        run = prepare(request.config, workspace=workspace, overrides=request.overrides)
    return _drive(run, Selection(tuple(request.stages) or None, reason=_reason(request.reason)), request.f1_drop).done


@flow(name="dialoguellm-rerun", flow_run_name="{request.run}", task_runner=RUNNER, persist_result=False)
def rerun(request: RerunRequest) -> dict[str, int]:
    """Takes up a recorded run again: pending shards of the chosen part, with force finished ones too.

    Args:
        request: The run, and which part of it.
    """
    with told(request.run, f"dialoguellm {request.typed()} -w {shlex.quote(request.workspace)}"):
        known = load_current(open_workspace(Path(request.workspace)), request.run)
        selection = replace(request.selection(_reason(request.typed())), since=_begun(known) if request.force else None)
        if request.dry_run:
            return _shown(known, selection)
    return _drive(known, selection, request.f1_drop).done


def _drive(run: Run, selection: Selection, f1_drop: float) -> Outcome:
    known = _flow_run()
    with told(run.name, run.typed(f"rerun {run.run_id} --failed")), runner.engaged(run):
        outcome = drive(run, selection, stages.execute, engine="prefect", flow_run=str(known.id) if known else None)
    if outcome.done.get("score"):
        for line in announce(run, f1_drop):
            get_run_logger().warning(said(line))
    return outcome


def _look(request: PipelineRequest, workspace: Path | None) -> None:
    """The check before ingest, with the servers' keys."""
    _, settings, _ = read(request.config, request.overrides)
    with ExitStack() as keys:
        for values in settings.values():
            keys.enter_context(server_keys.given(values))
        lesser = guard(request.config, workspace, request.overrides, request.stages or None)
    if lesser:
        get_run_logger().warning(lesser)


def _shown(run: Run, selection: Selection) -> dict[str, int]:
    """What there is to do, as an artifact; does none of it."""
    plans = planned(run, selection)
    table = [
        {
            "stage": item.stage.name,
            "shard": entry.shard,
            "reason": entry.reason,
            "detail": printable(entry.detail)[:500],
        }
        for item in plans
        for entry in item.pending[:1000]
    ]
    create_table_artifact(table, key=key_of("plan", run.name), description=f"what {run.run_id} has to do")
    return {item.stage.name: len(item.pending) for item in plans if item.pending}


def _reason(asked: str) -> str:
    """Why this attempt is made: what was asked for, by whom, and whether this is a retry of it."""
    known = _flow_run()
    if known is None:
        return asked
    asked = f"scheduled {asked}" if known.auto_scheduled else asked
    return f"retry {known.run_count - 1} of {asked}" if known.run_count > 1 else asked


def _begun(run: Run) -> str | None:
    """When the first attempt of this flow run began, where this is a retry of it."""
    known = _flow_run()
    earlier = ledger.attempts(run.layout, run.run_id) if known else []
    return next((item["started_at"] for item in earlier if known and item.get("flow_run") == str(known.id)), None)


def _flow_run() -> FlowRun | None:
    context = FlowRunContext.get()
    return context.flow_run if context else None


def _typed(request: PipelineRequest) -> str:
    """The command that asks for the same."""
    words = ["dialoguellm", "run", request.config, *(["-w", request.workspace] if request.workspace else [])]
    words += [word for override in request.overrides for word in ("--set", override)]
    return shlex.join([*words, *(["--stages", ",".join(request.stages)] if request.stages else [])])
