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
    "captions": "lake/captions/*/.part-00001.parquet.*",  # the second shard is being described
    "finetune": "models/*/checkpoints/*",
}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """A folder with a configuration and the workspace of its finished run."""
    folder = tmp_path_factory.mktemp("undisturbed")
    config = write_config(folder, tiny_model, folder / "workspace")
    dialoguellm(folder / "home", "run", str(config), "--direct")
    return folder


def test_a_killed_run_goes_on(undisturbed: Path, tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    shutil.copytree(undisturbed / "workspace" / "cache", workspace / "cache")
    (workspace / "workspace.json").write_text('{"format": 1}')
    arguments = ("run", str(undisturbed / "small.toml"), "--direct", "-w", str(workspace))
    for sign in KILLED_AFTER.values():
        kill_when(workspace, sign, tmp_path / "home", arguments)
    output = dialoguellm(tmp_path / "home", *arguments)
    assert "0 shards done" not in output
    assert tables(workspace) == tables(undisturbed / "workspace")
    assert not list(workspace.glob("models/*/checkpoints"))


def kill_when(workspace: Path, sign: str, home: Path, arguments: tuple[str, ...]) -> None:
    """Starts the run, kills it with everything it started as soon as ``sign`` exists, which must be before its end."""
    process = subprocess.Popen(
        command(home, *arguments), env=environment(home), stderr=subprocess.DEVNULL, start_new_session=True
    )
    while process.poll() is None and not list(workspace.glob(sign)):
        time.sleep(0.002)
    ended = process.poll()
    if ended is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert ended is None, f"the run ended ({ended}) before {sign} was there"
    assert not list(workspace.glob("reports/*/index.html"))
