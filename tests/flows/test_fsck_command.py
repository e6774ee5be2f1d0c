"""The command fsck: a table of faults, an exit code, and what makes good again."""

from __future__ import annotations

import json
from pathlib import Path

import fake_stages
import pytest
from fake_stages import go, make
from typer.testing import CliRunner

from flows.cli import app
from flows.fsck_command import FAULTY


def test_from_damage_to_repair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_stages.install(monkeypatch)
    run = make(tmp_path)
    go(run)
    here = ["-w", str(run.layout.root)]
    sound = CliRunner().invoke(app, ["fsck", *here])
    assert sound.exit_code == 0, sound.output
    assert "0 faults" in sound.output
    part = run.layout.part("captions", run.keys["captions"] or "", 1)
    part.write_bytes(part.read_bytes()[:-1])
    for arguments in (["fsck"], ["fsck", run.run_id]):
        found = CliRunner().invoke(app, [*arguments, *here, "--json"])
        assert found.exit_code == FAULTY
        (fault,) = json.loads(found.stdout)
        assert (fault["fault"], fault["stage"], fault["shard"]) == ("truncated", "captions", 1)
        assert fault["file"] == part.relative_to(run.layout.root).as_posix()
    repaired = CliRunner().invoke(app, ["fsck", *here, "--repair"])
    assert repaired.exit_code == 0, repaired.output
    assert f"rerun {run.run_id} --failed" in repaired.output
    assert (run.layout.damaged / "0001" / part.relative_to(run.layout.root)).exists()
    assert go(run).done == {"captions": 1}
    assert CliRunner().invoke(app, ["fsck", *here]).exit_code == 0
