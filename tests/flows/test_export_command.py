"""The command that exports: what it prints, and that it is a reader."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from exported_run import finished
from tuned_run import tuned
from typer.testing import CliRunner

from flows.cli import app
from model.errors import SettingsError, UnknownRun, WorkspaceError


def invoke(root: Path, *arguments: str, out: str = "--out") -> str:
    where = ["--workspace", str(root / "workspace"), out, str(root / "out")]
    found = CliRunner().invoke(app, ["export", *arguments, *where])
    if found.exception and not isinstance(found.exception, SystemExit):
        raise found.exception
    assert found.exit_code == 0 or "Usage" in found.output
    return found.output


def test_it_prints_what_it_wrote(tmp_path: Path) -> None:
    finished(tmp_path)
    rows = json.loads(invoke(tmp_path, "demo", "--format", "messages", "--json"))
    assert [(row["split"], row["rows"]) for row in rows] == [("train", 6), ("dev", 3)]
    assert all(Path(row["file"]).stat().st_size == row["bytes"] for row in rows)


def test_one_split_of_a_run_by_its_id(tmp_path: Path) -> None:
    run = finished(tmp_path)
    assert "validation.parquet" in invoke(tmp_path, run.run_id, "--format", "text", "--splits", " dev ")
    assert not (tmp_path / "out" / "train.parquet").exists()


@pytest.mark.usefixtures("one_thread")
def test_an_adapter_and_a_merged_model(tiny_model: Path, tmp_path: Path) -> None:
    run = tuned(tmp_path, tiny_model)
    rows = json.loads(invoke(tmp_path, run.run_id, "--json", out="--adapter"))
    assert {Path(row["file"]).name for row in rows} == {path.name for path in (tmp_path / "out").iterdir()}
    (tmp_path / "out").rename(tmp_path / "adapter")
    (row,) = json.loads(invoke(tmp_path, "demo", "--dtype", "bfloat16", "--lines", "2", "--json", out="--merged"))
    assert (row["folder"], row["lines"], row["same_label"]) == (str(tmp_path / "out"), 2, 2)
    assert 0 < row["largest_gap"] <= row["tolerance"] == 0.05 < row["effect"]
    with pytest.raises(SettingsError, match="not an empty folder"):
        invoke(tmp_path, "demo", out="--merged")


def test_one_thing_at_a_time_is_exported(tmp_path: Path) -> None:
    finished(tmp_path)
    wrong = [("demo",), ("demo", "--format", "text", "--adapter", "x"), ("demo", "--merged", "x")]
    for arguments in wrong:
        with pytest.raises(
            SettingsError, match="export takes one of: --format FORM --out DIR, --adapter DIR, --merged"
        ):
            invoke(tmp_path, *arguments)
    with pytest.raises(SettingsError, match="export takes one of"):
        invoke(tmp_path, "demo", "--adapter", "x", out="--merged")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["workspace"]


def test_what_cannot_be_done_is_said(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="holds no workspace yet"):
        invoke(tmp_path, "demo", "--format", "text")
    finished(tmp_path)
    with pytest.raises(UnknownRun, match="no run 'nobody'"):
        invoke(tmp_path, "nobody", "--format", "text")
    with pytest.raises(SettingsError, match="the test split is not exported"):
        invoke(tmp_path, "demo", "--format", "text", "--splits", "train,test")
    with pytest.raises(SettingsError, match="none named"):
        invoke(tmp_path, "demo", "--format", "text", "--splits", ",")
    assert "Usage" in invoke(tmp_path, "demo", "--format", "csv")
    assert not (tmp_path / "out").exists()


def test_an_out_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    finished(tmp_path)
    (tmp_path / "file").write_text("")
    words = ["export", "demo", "--format", "text", "--out", str(tmp_path / "file" / "out")]
    line = [sys.executable, "-m", "flows.cli", *words, "-w", str(tmp_path / "workspace")]
    found = subprocess.run(line, capture_output=True, text=True, check=False)
    assert found.returncode == 1
    assert "check the path and its permissions" in found.stderr
    assert "Traceback" not in found.stderr
