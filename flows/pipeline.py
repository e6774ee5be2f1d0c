"""The flow that runs a configuration: whole, or one stage of it. What is finished already is not done again.

A retry from the UI, ``prefect flow-run retry``, a new run and ``dialoguellm rerun`` all come here and do the same
least work, because the planner decides from the files what is pending.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.task_runners import ThreadPoolTaskRunner

from flows import stages
from flows.guard import guard
from flows.settings import prepare
from model.errors import RunFailed
from storage.layout import open_workspace
from tasks.drive import Outcome, Selection, drive
from tasks.plan import Run, load_current

RUNNER: Any = ThreadPoolTaskRunner(max_workers=1)
"""One shard at a time: a stage uses the machine's cores itself."""


@flow(name="dialoguellm", flow_run_name="{config}", task_runner=RUNNER, persist_result=False)
def pipeline(
    config: str,
    workspace: str | None = None,
    overrides: list[str] | None = None,
    stages: list[str] | None = None,
    check: bool = True,
    reason: str = "run",
) -> dict[str, int]:
    """Runs a configuration end to end, doing only what is pending; returns shards done by stage.

    Args:
        config: path of a TOML configuration, or the name of a shipped one.
        workspace: folder of the workspace; the configuration's own by default.
        overrides: single settings as KEY=VALUE, for example captions.prompt=facial-cues.
        stages: only these stages; all by default.
        check: look at the input before ingest, and stop where the run could not succeed.
        reason: why, as the attempt's record and each reading of the test split tell it.
    """
    if check:
        with _artifact_of_failure(config):
            if lesser := guard(config, Path(workspace) if workspace else None, overrides or (), stages):
                get_run_logger().warning(lesser)
    run = prepare(config, workspace=Path(workspace) if workspace else None, overrides=overrides or ())
    return _drive(run, Selection(tuple(stages) if stages else None, reason=reason)).done


@flow(name="dialoguellm-rerun", flow_run_name="{run}", task_runner=RUNNER, persist_result=False)
def rerun(
    workspace: str,
    run: str,
    stages: list[str] | None = None,
    shards: list[int] | None = None,
    force: bool = False,
    reason: str = "rerun",
) -> dict[str, int]:
    """Takes up a recorded run again: pending shards of the chosen stages, with ``force`` finished ones too."""
    known = load_current(open_workspace(Path(workspace)), run)
    selection = Selection(tuple(stages) if stages else None, tuple(shards) if shards else None, force, reason)
    return _drive(known, selection).done


def _drive(run: Run, selection: Selection) -> Outcome:
    with _artifact_of_failure(run.run_id):
        return drive(run, selection, stages.execute, engine="prefect")


@contextmanager
def _artifact_of_failure(name: str) -> Iterator[None]:
    try:
        yield
    except RunFailed as error:
        create_markdown_artifact(
            markdown="```\n" + str(error).replace("```", "'''") + "\n```",
            key="failure",
            description=f"why {name} stopped, and the line that takes it up again",
        )
        raise
