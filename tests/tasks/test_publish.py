"""From the files of runs to results.duckdb, and the same again from nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fake_stages
import pytest
from fake_stages import go, make

from model.errors import RunFailed, WorkspaceError
from storage import findings, ledger
from storage.layout import Layout
from storage.queries import connect, query
from tasks.drive import Selection
from tasks.plan import load
from tasks.publish import facts, publish, rebuild

FILLED = (
    *("runs", "attempts", "stages", "shards", "predictions", "metrics", "test_reads", "exports", "copies", "keys"),
    *("utterances", "captions", "training_log", "rejects_history", "reports", "captions_history"),
    *("lineage", "scores", "rejected", "stage_costs", "wrong_predictions", "confusions", "worst_dialogues"),
)


@pytest.fixture(autouse=True)
def _stages(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_stages.install(monkeypatch, publishing=True)


def ask(layout: Layout, text: str) -> list[tuple[Any, ...]]:
    with connect(layout) as connection:
        return query(connection, text)[1]


def contents(layout: Layout) -> dict[str, list[str]]:
    """Every table and view, row by row, but for what is noted of files that only readers of older databases need."""
    with connect(layout) as connection:
        names = [row[0] for row in query(connection, "SELECT table_name FROM information_schema.tables")[1]]
        names.remove("left_copies")
        return {name: sorted(map(repr, query(connection, f"FROM {name}")[1])) for name in names}


def test_a_rebuild_is_what_was_published(tmp_path: Path) -> None:
    """After runs that completed, failed, rejected, and shared their results."""
    run = make(tmp_path, captions={"reject": ("fake/test/0/0",), "max_rejects": 1})
    go(run)
    with pytest.raises(RunFailed):
        go(make(tmp_path, captions={"prompt": "faces", "broken": (1,)}))
    go(make(tmp_path, "other", captions={"prompt": "faces"}))
    findings.record_export(run.layout, run.run_id, {"folder": "out", "largest_gap": 0.5, "passed": False})
    publish(load(run.layout, run.run_id))
    publish(load(run.layout, "fake"))  # the shard that had failed is done now: both runs share it
    found = contents(run.layout)
    assert rebuild(run.layout) == 3
    assert contents(run.layout) == found
    run.layout.database.unlink()
    rebuild(run.layout)
    assert contents(run.layout) == found
    assert all(found[name] for name in FILLED)


def test_publishing_again_changes_nothing(tmp_path: Path) -> None:
    run = make(tmp_path)
    go(run)
    first = contents(run.layout)
    publish(run)
    publish(run)
    assert contents(run.layout) == first


def test_the_times_of_a_run_are_published(tmp_path: Path) -> None:
    run = make(tmp_path)
    go(run, Selection(stages=("ingest",)))
    times = ask(
        run.layout, "SELECT created_at, used_at, started_at, finished_at FROM runs JOIN attempts USING (run_id)"
    )
    assert list(times[0]) == sorted(times[0])


def test_a_run_that_has_only_begun_can_be_queried(tmp_path: Path) -> None:
    run = make(tmp_path)
    ledger.save_run(run.layout, run.record)
    publish(run)
    assert ask(run.layout, "SELECT stage, shards, done FROM stages ORDER BY position") == [
        ("ingest", 0, 0),
        ("captions", None, 0),
        ("finetune", 1, 0),
        ("evaluate", None, 0),
        ("score", 1, 0),
        ("report", 1, 0),
    ]
    assert ask(run.layout, "FROM lineage") == ask(run.layout, "FROM utterances") == []


def test_counts_per_stage(tmp_path: Path) -> None:
    run = make(tmp_path, captions={"reject": ("fake/test/0/0",), "max_rejects": 1})
    go(run)
    rows = ask(run.layout, "SELECT stage, output, shards, done, row_count, rejects FROM stages ORDER BY position")
    assert rows == [
        ("ingest", "utterances", 4, 4, 21, 0),
        ("captions", "captions", 4, 4, 20, 1),
        ("finetune", "training_log", 1, 1, 1, 0),
        ("evaluate", "predictions", 1, 1, 6, 0),
        ("score", "metrics", 1, 1, 2, 0),
        ("report", "reports", 1, 1, 1, 0),
    ]
    assert ask(run.layout, "SELECT utterance_id, reason FROM rejected") == [("fake/test/0/0", "no_frames")]


def test_a_failed_shard_is_a_row_with_its_error(tmp_path: Path) -> None:
    run = make(tmp_path, captions={"broken": (1,)})
    with pytest.raises(RunFailed):
        go(run)
    rows = ask(
        run.layout, "SELECT shard, state, error, made_by FROM shards WHERE stage = 'captions' AND state <> 'done'"
    )
    assert rows == [(1, "failed", "shard 1 is broken", run.run_id)]
    ((state, error),) = ask(run.layout, "SELECT state, error FROM attempts")
    assert state == "failed"
    assert "again: dialoguellm rerun" in error


def test_settings_and_machine_can_be_queried_as_json(tmp_path: Path) -> None:
    run = make(tmp_path, captions={"prompt": "faces"})
    run.record.update(machine=ledger.machine(), git_commit=None)
    go(run, Selection(stages=("ingest",)))
    text = "SELECT settings->>'$.captions.prompt', machine->>'$.versions.duckdb', git_commit FROM runs"
    ((prompt, version, commit),) = ask(run.layout, text)
    assert (prompt, commit) == ("faces", None)
    assert version.startswith("2")


def test_a_stage_that_is_off_has_no_row(tmp_path: Path) -> None:
    run = make(tmp_path, captions={"enabled": False})
    assert {row["stage"] for row in facts(run).rows["stages"]} == {"ingest", "finetune", "evaluate", "score", "report"}


def test_a_rebuild_names_a_record_that_it_cannot_read(tmp_path: Path) -> None:
    run = make(tmp_path)
    go(run, Selection(stages=("ingest",)))
    run.layout.run_file("fake-broken").write_text("{}")
    with pytest.raises(WorkspaceError, match=r"fake-broken\.json is damaged"):
        rebuild(run.layout)
