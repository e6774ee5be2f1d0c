"""Drives a run: stage after stage, only what is pending, under the run's lock, with an attempt on record.

How shards are executed is the caller's: in this process, or as tasks of an orchestrator.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from model.errors import DialogueError, RunFailed, SettingsError, WorkspaceError
from storage import journal, ledger, model_folders
from storage.ledger import Record
from storage.locks import holding
from tasks.headline import scored
from tasks.plan import Run, StagePlan, plan_stage
from tasks.publish import publish
from tasks.run import reject_share
from tasks.stage import Stage
from tasks.stages import BY_NAME, STAGES

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which part of a run is wanted: all of it by default.

    ``since`` is when something forced was begun that is now retried: what has been done since is not done again.
    """

    stages: tuple[str, ...] | None = None
    shards: tuple[int, ...] | None = None
    force: bool = False
    reason: str = "run"
    since: str | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """One shard that failed, with its first line of explanation."""

    shard: int
    error: str


@dataclass(slots=True)
class Outcome:
    """What an attempt did: shards done by stage."""

    done: dict[str, int] = field(default_factory=dict)

    @property
    def shards(self) -> int:
        return sum(self.done.values())


Execute = Callable[[Run, Stage, Sequence[int]], Sequence[Failure]]


def drive(run: Run, selection: Selection, execute: Execute, *, engine: str, flow_run: str | None = None) -> Outcome:
    """Does what is pending of the selected part. Raises RunFailed, WorkspaceLocked or what stopped it.

    ``flow_run`` is how an orchestrator calls this execution; it goes on record with the attempt.
    """
    _check(run, selection)
    outcome = Outcome()
    with holding(run.layout, run.name), journal.keeping(run.layout, run.run_id):
        run.record.update(ledger.save_run(run.layout, run.record))
        plans = planned(run, selection)
        to_do = {item.stage.name: item.reasons() for item in plans if item.pending}
        attempt = ledger.start_attempt(
            *(run.layout, run.run_id),
            reason=selection.reason,
            pending=to_do,
            engine=engine,
            plan_digest=plan_digest(plans),
            flow_run=flow_run,
            after=max((item.newest for item in plans), default="") if selection.force else "",
        )
        try:
            with journal.about(run_id=run.run_id, attempt=attempt["attempt"]):
                log.info(f"attempt begins: {selection.reason}, {engine}; to do: {to_do or 'nothing'}")
                for stage in _selected(run, selection):
                    _run_stage(run, stage, selection, execute, attempt, outcome)
                    if stage.name == "score" and outcome.done.get(stage.name):
                        attempt["scores"] = scored(run)
        except BaseException as error:
            with suppress(OSError, DialogueError):  # a full disk must not hide why the run stopped
                if isinstance(error, Exception):
                    _finish(run, attempt, "failed", str(error) or type(error).__name__)
                else:  # Ctrl-C, or a signal that an orchestrator passes on
                    _finish(run, attempt, "cancelled", f"interrupted ({type(error).__name__})")
            raise
        _finish(run, attempt, "completed", None)
    return outcome


def planned(run: Run, selection: Selection) -> list[StagePlan]:
    """What the selected part of a run has to do, stage by stage. Raises SettingsError where there is no such part."""
    _check(run, selection)
    plans = []
    for stage in _selected(run, selection):
        item = plan_stage(run, stage, force=selection.force, since=selection.since)
        if selection.shards is not None and not stage.unit:
            item.pending[:] = [entry for entry in item.pending if entry.shard in selection.shards]
        plans.append(item)
    return plans


def plan_digest(plans: Sequence[StagePlan]) -> str:
    """Of the shards to do and why, with their keys: equal where the work is."""
    work = [
        [item.key, *sorted((entry.shard, entry.reason) for entry in item.pending)] for item in plans if item.pending
    ]
    return hashlib.sha256(json.dumps(work).encode()).hexdigest()[:16]


def _selected(run: Run, selection: Selection) -> list[Stage]:
    return [stage for stage in run.stages() if selection.stages is None or stage.name in selection.stages]


def _check(run: Run, selection: Selection) -> None:
    unknown = [name for name in selection.stages or () if name not in BY_NAME]
    if unknown:
        known = ", ".join(stage.name for stage in STAGES)
        raise SettingsError(f"no stage is called {', '.join(unknown)}: the stages are {known}")
    if not _selected(run, selection):
        on = ", ".join(stage.name for stage in run.stages())
        raise SettingsError(f"{', '.join(selection.stages or ())} is off in {run.run_id}: it has {on}")
    cut = [item["shard"] for item in run.shards() or []]
    if cut and (beyond := sorted({*(selection.shards or ())} - {*cut})):
        raise SettingsError(f"{run.run_id} has no shard {', '.join(map(str, beyond))}: it has 0 to {cut[-1]}")


def _run_stage(
    run: Run, stage: Stage, selection: Selection, execute: Execute, attempt: Record, outcome: Outcome
) -> None:
    item = plan_stage(run, stage, force=selection.force, since=selection.since)
    shards = [entry.shard for entry in item.pending]
    if selection.shards is not None and not stage.unit:
        shards = [shard for shard in shards if shard in selection.shards]
    if shards:
        _require_inputs(run, stage)
        _record_test_read(run, stage, shards, attempt, selection)
        with holding(run.layout, f"_{stage.name}-{run.key(stage)}"):  # other configurations may share this stage
            if selection.force and stage.unit:
                _set_aside(run, stage, selection.since)
            failures = execute(run, stage, shards)
        outcome.done[stage.name] = len(shards) - len(failures)
        publish(run)
        if failures:
            raise RunFailed(_failed_message(run, stage, failures, len(shards), selection))
    share, limit = reject_share(run, stage), run.settings[stage.name].max_rejects
    if share > limit:
        raise RunFailed(
            f"{stage.name} rejected {share:.1%} of its utterances, over its limit of {limit:.1%}: "
            f"see `{run.typed(f'rejects {run.run_id} {stage.name}')}`, mend the input and "
            f"`{run.typed(f'rerun {run.run_id} --stage {stage.name} --downstream --force')}`, "
            f"or raise {stage.name}.max_rejects",
            exit_code=3,
        )


def _set_aside(run: Run, stage: Stage, since: str | None) -> None:
    """A finished training run would only be read again: a forced one begins anew, the old one is kept beside it.

    A retry of a forced one goes on with what was begun since.
    """
    folder = run.layout.model(run.key(stage))
    begun = _aside(folder.name, since) if since else None
    if not (begun and any(path.name >= begun for path in folder.parent.glob(_aside(folder.name, "*")))):
        model_folders.move(run.layout, folder, folder.with_name(_aside(folder.name, ledger.now())))


def _aside(name: str, time: str) -> str:
    return f"{name}.before-{time.replace(':', '')}"


def _require_inputs(run: Run, stage: Stage) -> None:
    """A stage may only start when all it reads is there."""
    needed = {*run.record["stages"][stage.name]["upstream"]}
    for earlier in run.stages():
        if earlier.name in needed and (item := plan_stage(run, earlier)).pending:
            raise WorkspaceError(
                f"{stage.name} needs {earlier.name}, which has {len(item.pending)} pending shards: "
                f"`{run.typed(f'rerun {run.run_id} --stage {earlier.name} --downstream')}`"
            )


def _record_test_read(run: Run, stage: Stage, shards: Sequence[int], attempt: Record, selection: Selection) -> None:
    """Each opening of a test split for evaluation is a row; the adapter's key says what was measured."""
    if stage.name != "evaluate":
        return
    attempt["test_reads"].append(
        {
            "run_id": run.run_id,
            "attempt": attempt["attempt"],
            "stage": stage.name,
            "adapter_key": run.keys["finetune"],
            "read_at": ledger.now(),
            "why": selection.reason,
            "shards": len(shards),
        }
    )
    ledger.save_attempt(run.layout, attempt)


def _finish(run: Run, attempt: Record, state: str, error: str | None) -> None:
    with journal.about(run_id=run.run_id, attempt=attempt["attempt"]):
        said = f"attempt {state}" + (f": {error}" if error else "")
        log.log(logging.ERROR if error else logging.INFO, said, extra={"facts": {"state": state}})
    ledger.save_attempt(run.layout, {**attempt, "state": state, "error": error, "finished_at": ledger.now()})
    publish(run)


def _failed_message(run: Run, stage: Stage, failures: Sequence[Failure], total: int, selection: Selection) -> str:
    first = failures[0]
    # a forced shard that fails keeps its old result, so --failed would find nothing to do
    again = f"rerun {run.run_id} --failed"
    if selection.force:
        numbers = "" if stage.unit else " --shards " + ",".join(str(item.shard) for item in failures)
        again = f"rerun {run.run_id} --stage {stage.name}{numbers} --force"
    return (
        f"{stage.name}: {len(failures)} of {total} shards failed; shard {first.shard}: {first.error}\n"
        f"  again: {run.typed(again)}"
    )
