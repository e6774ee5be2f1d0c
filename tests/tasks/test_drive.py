"""Driving a run: least work, failures contained, attempts on record."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import fake_stages
import pytest
from fake_stages import SEEN, go, lake, make

from flows.direct import execute
from model.errors import RunFailed, WorkspaceError, WorkspaceLocked
from storage import ledger
from storage.locks import holding
from storage.queries import connect, query
from tasks.drive import Failure, Selection, drive
from tasks.plan import Run, load, plan
from tasks.publish import publish
from tasks.stage import Stage

ALL = {"ingest": 1, "captions": 4, "finetune": 1, "evaluate": 1, "score": 1, "report": 1}


@pytest.fixture(autouse=True)
def _stages(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_stages.install(monkeypatch)


def attempts(run: Run) -> list[tuple[Any, ...]]:
    return [(item["attempt"], item["state"], item["reason"]) for item in ledger.attempts(run.layout, run.run_id)]


@pytest.fixture
def publishing(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the database."""
    monkeypatch.setattr("tasks.drive.publish", publish)


def failed(run: Run, selection: Selection | None = None) -> RunFailed:
    with pytest.raises(RunFailed) as caught:
        go(run, selection)
    return caught.value


# ---- least work


def test_a_run_does_everything_once_and_then_nothing(tmp_path: Path) -> None:
    run = make(tmp_path)
    assert go(run).done == ALL
    before = lake(run.layout)
    seen = {name: list(rows) for name, rows in SEEN.items()}
    assert go(run).shards == go(load(run.layout)).shards == 0
    assert lake(run.layout) == before
    assert seen == SEEN
    assert attempts(run) == [(number, "completed", "run") for number in (1, 2, 3)]
    assert ledger.attempts(run.layout, run.run_id)[1]["pending"] == {}


def test_only_the_selected_stages_are_done(tmp_path: Path) -> None:
    run = make(tmp_path)
    assert go(run, Selection(stages=("ingest", "captions"))).done == {"ingest": 1, "captions": 4}
    assert go(run).done == {name: count for name, count in ALL.items() if name not in ("ingest", "captions")}


def test_only_the_selected_shards_are_done(tmp_path: Path) -> None:
    run = make(tmp_path)
    go(run, Selection(stages=("ingest",)))
    assert go(run, Selection(stages=("captions",), shards=(0, 2))).done == {"captions": 2}
    assert [entry.shard for entry in plan(run, ["captions"])[0].pending] == [1, 3]
    assert go(run, Selection(stages=("captions",), shards=(2, 3))).done == {"captions": 1}


def test_force_does_finished_shards_again(tmp_path: Path) -> None:
    run = make(tmp_path)
    go(run)
    before = lake(run.layout)
    assert go(run, Selection(("captions", "finetune"), force=True)).done == {"captions": 4, "finetune": 1}
    assert go(run, Selection(("captions",), (3,), force=True)).done == {"captions": 1}
    assert lake(run.layout) == before


def test_a_stage_does_not_start_on_unfinished_input(tmp_path: Path) -> None:
    run = make(tmp_path)
    with pytest.raises(WorkspaceError, match=r"captions needs ingest.*rerun fake-\w+ --stage ingest --downstream"):
        go(run, Selection(stages=("captions",)))
    go(run, Selection(stages=("ingest",)))
    go(run, Selection(stages=("captions",), shards=(0,)))
    with pytest.raises(WorkspaceError, match=r"finetune needs captions, which has 3 pending shards"):
        go(run, Selection(stages=("finetune",)))
    assert attempts(run)[-1][1] == "failed"


# ---- failures


def test_a_failing_shard_stops_the_next_stages_but_not_the_others_of_its_own(tmp_path: Path) -> None:
    run = make(tmp_path, captions={"broken": (1, 2)})
    error = failed(run)
    (found,) = plan(run, ["captions"])
    assert [(entry.shard, entry.reason) for entry in found.pending] == [(1, "failed"), (2, "failed")]
    assert "finetune" not in SEEN
    assert error.exit_code == 1
    again = f"again: dialoguellm rerun {run.run_id} --failed -w {run.layout.root}"
    assert str(error) == f"captions: 2 of 4 shards failed; shard 1: RuntimeError: shard 1 is broken\n  {again}"
    (attempt,) = ledger.attempts(run.layout, run.run_id)
    assert (attempt["state"], attempt["error"]) == ("failed", str(error))


def test_the_next_attempt_does_what_failed_and_what_follows(tmp_path: Path) -> None:
    failed(make(tmp_path, captions={"broken": (1,)}))
    run = make(tmp_path)
    assert go(run).done == {"captions": 1, "finetune": 1, "evaluate": 1, "score": 1, "report": 1}
    assert attempts(run) == [(1, "failed", "run"), (2, "completed", "run")]


def test_a_forced_shard_that_fails_keeps_its_result_and_says_how_to_force_it_again(tmp_path: Path) -> None:
    go(make(tmp_path))
    run = make(tmp_path, captions={"broken": (2,)})
    before = lake(run.layout)
    error = failed(run, Selection(stages=("captions",), force=True, reason="rerun"))
    assert f"again: dialoguellm rerun {run.run_id} --stage captions --shards 2 --force" in str(error)
    assert lake(run.layout) == before


def test_too_many_rejects_end_with_exit_code_3(tmp_path: Path) -> None:
    rejects = tuple(f"fake/train/{dialogue}/0" for dialogue in range(2))
    run = make(tmp_path, captions={"reject": rejects, "max_rejects": 0.09})
    for _ in range(2):  # the second finds nothing to do, and is not content either
        error = failed(run)
        assert error.exit_code == 3
        assert "captions rejected 9.5% of its utterances, over its limit of 9.0%" in str(error)
        assert f"dialoguellm rejects {run.run_id} captions" in str(error)
        assert f"rerun {run.run_id} --stage captions --downstream --force" in str(error)
    assert "finetune" not in SEEN
    go(make(tmp_path, captions={"reject": rejects, "max_rejects": 0.1}))


def test_a_corpus_with_too_many_rejects_ends_with_exit_code_3(tmp_path: Path) -> None:
    run = make(tmp_path, ingest={"reject": ("fake/train/0/0", "fake/dev/0/0"), "max_rejects": 0})
    assert failed(run).exit_code == 3


def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    run = make(tmp_path)

    def interrupted(run: Run, stage: Stage, shards: Sequence[int]) -> Sequence[Failure]:
        if stage.name == "captions":
            execute(run, stage, shards[:2])
            raise KeyboardInterrupt
        return execute(run, stage, shards)

    with pytest.raises(KeyboardInterrupt):
        drive(run, Selection(), interrupted, engine="direct")
    assert attempts(run) == [(1, "cancelled", "run")]
    assert ledger.attempts(run.layout, run.run_id)[-1]["error"] == "interrupted (KeyboardInterrupt)"
    assert go(run).done == {"captions": 2, "finetune": 1, "evaluate": 1, "score": 1, "report": 1}


@pytest.mark.usefixtures("publishing")
def test_a_publisher_that_fails_does_not_hide_why_the_run_failed(tmp_path: Path) -> None:
    run = make(tmp_path)

    def fail(run: Run, stage: Stage, shards: Sequence[int]) -> Sequence[Failure]:  # noqa: ARG001
        run.layout.database.mkdir()  # nothing can be published here
        raise ValueError("the first error")

    with pytest.raises(ValueError, match="the first error"):
        drive(run, Selection(), fail, engine="direct")
    (attempt,) = ledger.attempts(run.layout, run.run_id)
    assert (attempt["state"], attempt["error"]) == ("failed", "the first error")


# ---- one at a time


def test_a_second_run_of_the_same_name_is_refused(tmp_path: Path) -> None:
    run = make(tmp_path)
    with holding(run.layout, run.name), pytest.raises(WorkspaceLocked, match="'fake' is in use by process"):
        go(run)
    assert attempts(run) == []
    assert go(run).done == ALL


@pytest.mark.usefixtures("publishing")
def test_a_run_may_have_the_name_of_any_thing(tmp_path: Path) -> None:
    """Also the name of the warehouse, which is published while the run is locked."""
    for name in ("warehouse", "results.duckdb", "workspace"):
        assert go(make(tmp_path, name), Selection(stages=("ingest",))).shards <= 1


# ---- the record


@pytest.mark.usefixtures("publishing")
def test_the_database_is_brought_up_to_date_after_every_stage(tmp_path: Path) -> None:
    counts = []

    def look_first(run: Run, stage: Stage, shards: Sequence[int]) -> Sequence[Failure]:
        if stage.name != "ingest":
            with connect(run.layout) as connection:
                counts.append(query(connection, "SELECT count(*) FROM shards WHERE state = 'done'")[1][0][0])
        return execute(run, stage, shards)

    run = make(tmp_path)
    drive(run, Selection(), look_first, engine="direct")
    assert counts == [4, 8, 9, 10, 11]
    with connect(run.layout) as connection:
        assert query(connection, "SELECT state, engine FROM attempts")[1] == [("completed", "direct")]


def test_a_crashed_attempt_is_marked_by_the_next(tmp_path: Path) -> None:
    run = make(tmp_path)
    ledger.start_attempt(run.layout, run.run_id, reason="run", pending={}, engine="prefect")
    go(run)
    assert attempts(run) == [(1, "crashed", "run"), (2, "completed", "run")]


@pytest.mark.usefixtures("publishing")
def test_every_opening_of_the_test_split_is_on_record(tmp_path: Path) -> None:
    run = make(tmp_path)
    go(run)
    go(run)
    go(run, Selection(stages=("evaluate",), force=True, reason="rerun fake --stage evaluate --force"))
    with connect(run.layout) as connection:
        _, rows = query(connection, "SELECT attempt, stage, adapter_key, why, shards FROM test_reads ORDER BY attempt")
    key = run.keys["finetune"]
    assert rows == [(1, "evaluate", key, "run", 1), (3, "evaluate", key, "rerun fake --stage evaluate --force", 1)]


def test_a_test_read_is_on_record_even_if_the_evaluation_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Any:
        raise RuntimeError("no memory")

    broken = [replace(stage, run=fail) if stage.name == "evaluate" else stage for stage in fake_stages.STAGES]
    fake_stages.install(monkeypatch, broken)
    run = make(tmp_path)
    with suppress(RunFailed):
        go(run)
    assert len(ledger.attempts(run.layout, run.run_id)[0]["test_reads"]) == 1


def test_a_forced_training_run_begins_anew_and_keeps_the_old_one(tmp_path: Path) -> None:
    run = make(tmp_path)
    go(run)
    folder = run.layout.model(str(run.keys["finetune"]))
    (folder / "adapter").write_text("older weights")
    go(run, Selection(stages=("finetune",), force=True))
    assert (folder / "adapter").read_text() == "weights"
    (before,) = folder.parent.glob(f"{folder.name}.before-*")
    assert (before / "adapter").read_text() == "older weights"
