"""The command that says what moved an answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from described_run import described
from typer.testing import CliRunner

from flows.cli import app
from model.errors import SettingsError, UnknownRun


def ask(root: Path, *arguments: str) -> str:
    found = CliRunner().invoke(app, ["explain", *arguments, "-w", str(root / "workspace")])
    if found.exception and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found.stdout


@pytest.mark.usefixtures("one_thread")
def test_a_table_json_and_a_picture(tiny_model: Path, tmp_path: Path) -> None:
    run = described(tmp_path, tiny_model)
    picture = tmp_path / "moved.svg"
    table = ask(tmp_path, "demo", "demo/dev/2/2", "--out", str(picture))
    assert f"{run.run_id}, demo/dev/2/2: Ana: What happened to the dev 2 in the room?" in table
    assert "description" in table
    assert "Each part is left out in turn" in table
    assert "</svg>" in picture.read_text()
    rows = json.loads(ask(tmp_path, run.run_id, "demo/dev/2/2", "--json"))
    assert [row["part"] for row in rows] == ["context 2", "context 1", "speakers", "description"]
    assert f"predicted {rows[0]['predicted']} ({100 * rows[0]['predicted_probability']:.1f} %)" in table
    assert rows[3]["predicted_moved"] == pytest.approx(rows[3]["predicted_probability"] - rows[3]["predicted_without"])


def test_what_cannot_be_asked_is_said(tiny_model: Path, tmp_path: Path) -> None:
    described(tmp_path, tiny_model, splits=(), finetune={"enabled": False})
    with pytest.raises(SettingsError, match=r"--out moved.gif: a name that ends in .svg or .png"):
        ask(tmp_path, "demo", "demo/dev/2/2", "--out", "moved.gif")
    with pytest.raises(UnknownRun, match="no run 'nobody'"):
        ask(tmp_path, "nobody", "demo/dev/2/2")
