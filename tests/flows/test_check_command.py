"""The command that looks before anything runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from flows.cli import app
from model.errors import SettingsError

HEADER = "Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for split in ("train", "dev", "test"):
        (tmp_path / f"{split}_sent_emo.csv").write_text(f"{HEADER}Hi {split}.,Ana,joy,positive,0,0\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ask(*arguments: str) -> Result:
    found = CliRunner().invoke(app, ["check", "meld", "--set", "ingest.folder=.", *arguments])
    if found.exception and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found


@pytest.mark.usefixtures("folder")
def test_without_an_error_it_ends_well() -> None:
    found = ask("--json")
    assert found.exit_code == 0
    rows = json.loads(found.stdout)
    assert {*rows[0]} == {"level", "check", "id", "detail"}
    assert {row["level"] for row in rows} == {"warning", "info"}
    assert "meld: 0 errors, " in ask().stdout
    assert {row["level"] for row in json.loads(ask("--json", "--level", "warning").stdout)} == {"warning"}
    assert ask("--csv", "--level", "error").stdout.splitlines() == ["level,check,id,detail"]


def test_an_error_is_exit_code_3_in_every_form(folder: Path) -> None:
    with (folder / "dev_sent_emo.csv").open("a") as file:
        file.write("x\x1b[2J,Ana,r\x1b[2Jage,positive,0,1\n")
    for form in ("--table", "--csv", "--json"):
        found = ask(form, "--level", "error")
        assert found.exit_code == 3
        assert "meld/dev/0/1" in found.stdout
        assert "\x1b" not in found.stdout


def test_it_makes_no_workspace(folder: Path) -> None:
    before = sorted(folder.iterdir())
    ask("--workspace", str(folder / "new"))
    assert sorted(folder.iterdir()) == before


@pytest.mark.usefixtures("folder")
def test_a_bad_configuration_is_told_as_ever() -> None:
    with pytest.raises(SettingsError, match="bogus"):
        ask("--set", "ingest.bogus=1")


def test_another_corpus_s_test_split_is_looked_at_on_request(folder: Path) -> None:
    (folder / "other.toml").write_text('name = "other"\n[ingest]\ncorpus = "meld"\nfolder = "."\n')
    found = ask("--against", "other.toml", "--json")
    assert [row["detail"] for row in json.loads(found.stdout) if row["check"] == "leak"] == [
        "no line of it stands in meld/test"
    ]
    with pytest.raises(SettingsError, match="no configuration 'gone"):
        ask("--against", "gone.toml")
