"""Executes shards in this process, one after another, without an orchestrator."""

from __future__ import annotations

from collections.abc import Sequence

from flows.progress import showing
from flows.server_keys import must_be_set
from tasks.drive import Failure
from tasks.plan import Run
from tasks.run import run_shard
from tasks.stage import Stage


def execute(run: Run, stage: Stage, shards: Sequence[int]) -> list[Failure]:
    """Does the shards of one stage; a failed one does not stop the others."""
    must_be_set(run.settings[stage.name])
    failures = []
    with showing(stage, shards) as progress:
        for shard in shards:
            try:
                run_shard(run, stage.name, shard, progress.callback(shard))
            except Exception as error:
                failures.append(Failure(shard, f"{type(error).__name__}: {error}"))
            progress.finished(shard)
    return failures
