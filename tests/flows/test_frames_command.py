"""The command that draws sheets: what it prints and writes, and that it is a reader."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from framed_run import REFUSED, SUSPECT, WITH_FACES, framed
from PIL import Image
from typer.testing import CliRunner

from flows.cli import app
from model.errors import SettingsError, UnknownRun, WorkspaceError


def invoke(root: Path, *arguments: str, out: str = "sheet.png") -> str:
    where = ["--workspace", str(root / "workspace"), *(["--out", str(root / out)] if out else [])]
    found = CliRunner().invoke(app, ["frames", *arguments, *where])
    if found.exception and not isinstance(found.exception, SystemExit):
        raise found.exception
    assert found.exit_code == 0 or "Usage" in found.output
    return found.output


def test_it_draws_the_lines_and_prints_their_evidence(tmp_path: Path) -> None:
    framed(tmp_path)
    rows = json.loads(invoke(tmp_path, "demo", WITH_FACES, SUSPECT, REFUSED, "--json"))
    assert [(row["utterance_id"], row["rank"], row["score"], row["faces"], row["suspect"]) for row in rows] == [
        (WITH_FACES, 0, 0.8, 1, False),
        (WITH_FACES, 1, 0.8, 0, False),
        (SUSPECT, 0, None, 0, True),
        (REFUSED, None, None, None, None),
    ]
    assert rows[0]["note"] == "best-2"
    assert rows[3]["note"].startswith("missing_video")
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.format == "PNG"
        sheet.load()
        assert sheet.width == 688


def test_lines_can_be_drawn_by_chance(tmp_path: Path) -> None:
    framed(tmp_path)
    first = invoke(tmp_path, "demo", "--sample", "3", "--seed", "1", "--csv", out="a.png")
    assert first == invoke(tmp_path, "demo", "--sample", "3", "--seed", "1", "--csv", out="b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert "demo/test" not in first


def test_what_cannot_be_done_is_said_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="holds no workspace yet"):
        invoke(tmp_path, "demo", WITH_FACES)
    framed(tmp_path)
    with pytest.raises(UnknownRun, match="no run 'nobody'"):
        invoke(tmp_path, "nobody", WITH_FACES)
    with pytest.raises(SettingsError, match="did you mean"):
        invoke(tmp_path, "demo", WITH_FACES, "demo/train/0/7")
    for words in ([], [WITH_FACES, "--sample", "3"]):
        with pytest.raises(SettingsError, match="one of the two"):
            invoke(tmp_path, "demo", *words)
    with pytest.raises(SettingsError, match=r"does not end in \.png"):
        invoke(tmp_path, "demo", WITH_FACES, out="sheet.jpg")
    with pytest.raises(SettingsError, match="cannot be a file"):
        invoke(tmp_path, "demo", WITH_FACES, "--out", "~nobody-here/a.png", out="")
    assert "Usage" in invoke(tmp_path, "demo", "--sample", "0")
    assert {path.name for path in tmp_path.iterdir()} == {"workspace"}


def test_a_file_that_is_there_is_kept(tmp_path: Path) -> None:
    framed(tmp_path)
    (tmp_path / "sheet.png").write_text("mine")
    with pytest.raises(SettingsError, match="is there already"):
        invoke(tmp_path, "demo", WITH_FACES)
    assert (tmp_path / "sheet.png").read_text() == "mine"


def test_it_loads_neither_prefect_nor_torch(tmp_path: Path) -> None:
    framed(tmp_path)
    words = ["frames", "demo", WITH_FACES, "--out", str(tmp_path / "a.png"), "-w", str(tmp_path / "workspace")]
    script = (
        f"import sys; sys.argv[1:] = {words!r}; from flows.cli import app; app(standalone_mode=False); "
        "print(*sorted({'torch', 'prefect', 'duckdb', 'av', 'cv2'} & {name.partition('.')[0] for name in sys.modules}))"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert found.splitlines()[-1] == ""
    assert (tmp_path / "a.png").exists()
