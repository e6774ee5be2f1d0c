"""The command that gives a model other descriptions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from described_run import described
from typer.testing import CliRunner

from flows.cli import app
from model.errors import SettingsError, UnknownRun


def ask(root: Path, *arguments: str) -> str:
    where = ["--resamples", "1000", "-w", str(root / "workspace")]
    found = CliRunner().invoke(app, ["counterfactual", *arguments, *where])
    if found.exception and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found.stdout


@pytest.mark.usefixtures("one_thread")
def test_a_table_csv_and_json_of_the_same_rows(tiny_model: Path, tmp_path: Path) -> None:
    run = described(tmp_path, tiny_model)
    table = ask(tmp_path, "demo")
    assert f"{run.run_id}:tuned on dev: 40 lines, the caption of 23 names an emotion, of 16 none; 1 without" in table
    assert "names none" in table
    assert "dropped" in table
    assert "captions_alone" in table
    assert "that 80 % of such samples would show" in table
    rows = json.loads(ask(tmp_path, run.run_id, "--json"))
    csv = ask(tmp_path, "demo", "--csv").splitlines()
    assert len(csv) == len(rows) + 1 == 46
    assert csv[0] == ",".join(rows[0])


def test_what_cannot_be_asked_is_said(tiny_model: Path, tmp_path: Path) -> None:
    described(tmp_path, tiny_model, splits=(), finetune={"enabled": False})
    with pytest.raises(SettingsError, match="--split train: it takes dev or test"):
        ask(tmp_path, "demo", "--split", "train")
    with pytest.raises(UnknownRun, match="no run 'nobody'"):
        ask(tmp_path, "nobody")
