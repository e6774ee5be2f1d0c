"""The command `logs`."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import fake_stages
import pytest
from fake_stages import go, make
from typer.testing import CliRunner

from flows.cli import app
from model.errors import RunFailed, SettingsError


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_stages.install(monkeypatch)
    monkeypatch.chdir(tmp_path)


def ask(*arguments: str) -> str:
    found = CliRunner().invoke(app, ["logs", "fake", *arguments])
    if found.exception and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found.stdout


def test_a_shard_shows_its_record_and_its_lines(tmp_path: Path) -> None:
    go(make(tmp_path))
    said = ask("--stage", "captions", "--shard", "2")
    assert "sha256" in said
    assert "done: 3 rows, 0 rejects" in said
    assert said.count("begins") == 1
    assert "missing" in ask("--stage", "captions", "--shard", "99")
    with pytest.raises(SettingsError, match="has no stage dance"):
        ask("--stage", "dance")
    with pytest.raises(SettingsError, match="name it with --stage"):
        ask("--shard", "2")


def test_lines_are_chosen_by_stage_shard_and_attempt(tmp_path: Path) -> None:
    with suppress(RunFailed):
        go(make(tmp_path, captions={"broken": (1,)}))
    run = make(tmp_path)
    go(run)
    lines = json.loads(ask("--json"))
    assert {line["run_id"] for line in lines} == {run.run_id}
    assert [line["message"].split(":")[0] for line in lines if line["stage"] is None] == [
        *("attempt begins", "attempt failed", "attempt begins", "attempt completed"),
    ]
    shard = json.loads(ask("--stage", "captions", "--shard", "1", "--json"))
    assert [(line["attempt"], line["level"], line["message"].split(":")[0]) for line in shard] == [
        (1, "INFO", "begins"),
        (1, "ERROR", "shard 1 is broken"),
        (2, "INFO", "begins"),
        (2, "INFO", "done"),
    ]
    assert "RuntimeError" in shard[1]["traceback"]
    assert (shard[3]["rows"], shard[3]["retries"]) == (6, 1)
    assert len(json.loads(ask("--stage", "captions", "--shard", "1", "--attempt", "2", "--json"))) == 2
