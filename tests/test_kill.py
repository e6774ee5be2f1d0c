"""SIGKILL in the middle of three stages: the run goes on, and ends with the tables of a run that was let be."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from pipeline_runs import command, dialoguellm, environment, tables, write_config

KILLED_AFTER = {
    "keyframes": "lake/keyframes/*/part-00001.json",
    "captions": "lake/captions/*/part-00000.json",
    "finetune": "models/*/checkpoints/*",
}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    config = write_config(folder, tiny_model, folder / "workspace")
    dialoguellm(folder / "home", "run", str(config), "--direct")
    return folder / "workspace"


def test_a_killed_run_goes_on(undisturbed: Path, tmp_path: Path, tiny_model: Path) -> None:
    workspace = tmp_path / "workspace"
    shutil.copytree(undisturbed / "cache", workspace / "cache")
    (workspace / "workspace.json").write_text('{"format": 1}')
    config = write_config(tmp_path, tiny_model, workspace)
    for sign in KILLED_AFTER.values():
        kill_when(workspace, sign, tmp_path, str(config))
    output = dialoguellm(tmp_path / "home", "run", str(config), "--direct")
    assert "0 shards done" not in output
    assert tables(workspace) == tables(undisturbed)
    assert not list(workspace.glob("models/*/checkpoints"))


def kill_when(workspace: Path, sign: str, folder: Path, config: str) -> None:
    """Starts the run, kills it with everything it started as soon as ``sign`` exists, which must be before its end."""
    arguments = command(folder / "home", "run", config, "--direct")
    process = subprocess.Popen(
        arguments, env=environment(folder / "home"), stderr=subprocess.DEVNULL, start_new_session=True
    )
    while process.poll() is None and not list(workspace.glob(sign)):
        time.sleep(0.002)
    ended = process.poll()
    if ended is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert ended is None, f"the run ended ({ended}) before {sign} was there"
    assert not list(workspace.glob("reports/*/index.html"))
