"""Commands that only read."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import fake_stages
import pytest
from fake_stages import go, make
from typer.testing import CliRunner

from flows.cli import app
from model.errors import DialogueError, RunFailed, SettingsError, UnknownRun, WorkspaceError
from storage import ledger
from tasks.drive import Selection

Ask = Callable[..., str]
HOSTILE = "cannot open \x1b[2Jbad[/name].mp4 \udcff"


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Runs a reading command in a folder of its own; its output, or what it raises."""
    fake_stages.install(monkeypatch, publishing=True)
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments: str, given: str | None = None) -> str:
        found = CliRunner().invoke(app, arguments, input=given)
        if found.exception and not isinstance(found.exception, SystemExit):
            raise found.exception
        return found.stdout

    return invoke


def rows(text: str) -> dict[str, Any]:
    return {row["stage"]: row for row in json.loads(text)}


def test_status_of_a_finished_run(ask: Ask, tmp_path: Path) -> None:
    run = make(tmp_path)
    go(run)
    found = rows(ask("status", "--json"))
    assert {name: (row["done"], row["shards"], row["state"]) for name, row in found.items()} == {
        "ingest": (1, 1, "done"),
        "captions": (4, 4, "done"),
        "finetune": (1, 1, "done"),
        "evaluate": (1, 1, "done"),
        "score": (1, 1, "done"),
        "report": (1, 1, "done"),
    }
    table = ask("status", "fake")
    assert f"{run.run_id}: attempt 1 (run, direct) completed; test split read once" in table
    assert "66.7 [50.0, 80.1]" in table
    go(run, Selection(("evaluate",), force=True))
    assert "completed; test split read 2 times" in ask("status", "fake")
    assert ask("report").strip() == str(run.layout.report(run.run_id) / "index.html")


def test_status_says_what_failed_what_waits_and_what_is_superseded(ask: Ask, tmp_path: Path) -> None:
    old = make(tmp_path)
    go(old)
    with suppress(RunFailed):
        go(make(tmp_path, captions={"prompt": "faces", "broken": (1,)}))
    assert rows(ask("status", "--json"))["captions"]["state"] == "1 failed: shard 1 is broken"
    found = rows(ask("status", old.run_id, "--json"))
    assert found["ingest"]["state"] == "done"
    assert found["captions"]["state"].startswith("done; superseded by fake-")


def test_status_before_the_first_shard(ask: Ask, tmp_path: Path) -> None:
    run = make(tmp_path)
    ledger.save_run(run.layout, run.record)
    assert rows(ask("status", "--json"))["captions"]["state"] == "waits for ingest"
    assert "never run" in ask("status")
    with pytest.raises(WorkspaceError, match=f"has no report yet: `dialoguellm rerun {run.run_id} --failed`"):
        ask("report")


def test_nothing_from_outside_reaches_the_terminal(ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError(HOSTILE)

    monkeypatch.setattr(fake_stages, "see", fail)
    with suppress(RunFailed):
        go(make(tmp_path))
    for line in (
        "status",
        "logs fake",
        "logs fake --stage captions --shard 0",
        "sql 'from shards'",
        "sql 'from attempts'",
    ):
        said = ask(*shlex.split(line))
        assert "\x1b" not in said
        assert "bad" in said
    assert "Traceback" in ask("logs", "fake", "--stage", "captions", "--shard", "0")


def test_rejects_are_listed_by_stage(ask: Ask, tmp_path: Path) -> None:
    left_out = {"reject": ("fake/test/0/0",), "max_rejects": 1}
    go(make(tmp_path, ingest={"reject": ("fake/train/0/0",)}, captions=left_out), Selection(("ingest", "captions")))
    assert [row["utterance_id"] for row in json.loads(ask("rejects", "--json"))] == ["fake/train/0/0", "fake/test/0/0"]
    (row,) = json.loads(ask("rejects", "fake", "captions", "--json"))
    assert row == {
        "stage": "captions",
        "utterance_id": "fake/test/0/0",
        "reason": "no_frames",
        "detail": "the video has no frames",
    }
    with pytest.raises(SettingsError, match="no stage is called dance"):
        ask("rejects", "fake", "dance")


def test_sql_answers_in_every_form(ask: Ask, tmp_path: Path) -> None:
    go(make(tmp_path))
    query = "select utterances, accuracy from scores"
    assert json.loads(ask("sql", query, "--json")) == [{"utterances": 6, "accuracy": 0.6667}]
    assert ask("sql", query, "--csv").splitlines() == ["utterances,accuracy", "6,0.6667"]
    assert "0.6667" in ask("sql", query)
    assert ask("sql", "-", "--csv", given=query) == ask("sql", query, "--csv")
    assert {"scores", "lineage", "utterances"} < {row["name"] for row in json.loads(ask("sql", "--json"))}


@pytest.mark.parametrize("query", ["drop table runs", "select * from nowhere", "select", "copy runs to 'x.csv'", ""])
def test_sql_that_cannot_be_answered_is_one_error(ask: Ask, tmp_path: Path, query: str) -> None:
    go(make(tmp_path), Selection(("ingest",)))
    with pytest.raises(DialogueError):
        ask("sql", query)
    assert not (tmp_path / "x.csv").exists()


@pytest.mark.parametrize("command", ["status", "rejects", "report", "sql"])
def test_a_reader_makes_no_workspace(ask: Ask, tmp_path: Path, command: str) -> None:
    with pytest.raises(WorkspaceError, match="holds no workspace yet"):
        ask(command)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_run_is_named(ask: Ask, tmp_path: Path) -> None:
    go(make(tmp_path), Selection(("ingest",)))
    with pytest.raises(UnknownRun, match=r"no run '\.\./x': it has fake-"):
        ask("status", "../x")
