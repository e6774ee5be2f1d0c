"""A stage as Prefect tasks: one task a shard, with retries for machine faults and none for bad data."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import Any

from prefect import task
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import FlowRunContext
from prefect.futures import PrefectFuture
from prefect.tasks import Task

from flows import runner
from flows.failure import key_of
from flows.gpu import one_at_a_time
from flows.progress import StageProgress, showing
from flows.server_keys import given
from flows.server_log import sent_to_server
from model.errors import DialogueError
from storage.layout import open_workspace
from tasks.apart import apart, opened
from tasks.drive import Failure
from tasks.plan import Run, load
from tasks.run import run_shard
from tasks.stage import Stage
from tasks.stages import BY_NAME

UPDATE_S = 5.0
"""How often the bar of a running stage is told anew, at most."""


async def worth_retrying(task: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:  # noqa: ARG001
    """Machine faults are tried again; what our own checks refuse will be refused again."""
    try:
        await state.aresult()
    except DialogueError:
        return False
    except Exception:
        return True
    return False


@task(
    task_run_name="{stage}-{shard:05d}",
    cache_policy=NO_CACHE,
    persist_result=False,
    retries=2,
    retry_delay_seconds=[2, 10],
    retry_condition_fn=worth_retrying,
)
def shard_task(workspace: str, run_id: str, stage: str, shard: int, progress: Any = None) -> dict[str, Any]:
    """One shard of one stage; returns a small reference to what it wrote."""
    run = load(open_workspace(Path(workspace)), run_id)
    callback = {} if progress is None else {"progress": progress.callback(shard)}
    with given(run.settings[stage]), one_at_a_time(BY_NAME[stage], runner.settings_of(run).gpu_limit):
        process = opened(run, stage)
        manifest = process.run_shard(shard, **callback) if process else run_shard(run, stage, shard, **callback)
    return {"stage": stage, "shard": shard, "rows": manifest["rows"], "rejects": manifest["rejects"]}


def execute(run: Run, stage: Stage, shards: Sequence[int]) -> list[Failure]:
    """Hands the shards of one stage to the flow's task runner, some ahead of those that are done, and waits for all."""
    artifact = ProgressArtifact(run, stage)
    failures, rest, waiting = [], iter(shards), deque[tuple[int, PrefectFuture[Any]]]()
    most = runner.ahead(run)
    with showing(stage, shards) as progress, sent_to_server(), apart(run, stage):
        try:
            while True:
                for shard in islice(rest, most - len(waiting)):
                    waiting.append((shard, _submit(run, stage, shard, progress)))
                if not waiting:
                    break
                shard, future = waiting[0]
                future.wait(UPDATE_S)
                while not future.state.is_final() and not runner.lost(future):
                    artifact.show(progress)
                    future.wait(UPDATE_S)
                waiting.popleft()
                progress.finished(shard)
                if not future.state.is_completed():
                    failures.append(Failure(shard, runner.lost(future) or _first_line(future.state)))
                artifact.show(progress)
        finally:  # a run that is cancelled begins nothing more while it says so
            runner.give_up(future for _, future in waiting)
        artifact.show(progress, now=True)
    return failures


class ProgressArtifact:
    """The bar of a stage on Prefect's pages, told anew every few seconds at most."""

    def __init__(self, run: Run, stage: Stage) -> None:
        context = FlowRunContext.get()
        about = f"{run.run_id} in flow run {context.flow_run.name}" if context and context.flow_run else run.run_id
        key = key_of("progress", run.name, stage.name)
        self._about = f"{stage.name} of {about}"
        self._id: Any = create_progress_artifact(progress=0.0, key=key, description=self._about)
        self._told = monotonic()

    def show(self, progress: StageProgress, *, now: bool = False) -> None:
        if not now and monotonic() - self._told < UPDATE_S:
            return
        self._told = monotonic()
        words = progress.told()
        with suppress(Exception):  # a page that cannot be told must not end hours of training
            update_progress_artifact(
                self._id, 100.0 * progress.share(), f"{self._about}: {words}" if words else self._about
            )


def _submit(run: Run, stage: Stage, shard: int, progress: StageProgress) -> PrefectFuture[Any]:
    from prefect.utilities.annotations import opaque

    here = opaque(progress) if runner.shares_memory(run) else None
    with runner.placing(run, stage):
        return shard_task.submit(run.layout.name, run.run_id, stage.name, shard, here)


def _first_line(state: State[Any]) -> str:
    return (state.message or "failed").splitlines()[0].removeprefix("Task run encountered an exception ")
