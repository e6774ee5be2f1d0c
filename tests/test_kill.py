"""SIGKILL in the middle of three stages: the run goes on, and ends with the tables of a run that was let be."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from dying_child import in_a_child_that_dies_at
from example_rows import ROWS
from pipeline_runs import command, dialoguellm, environment, tables, write_config

from model.dialogue import Rejected
from storage.layout import Layout
from storage.ledger import shard_state
from storage.shards import read_rows, write_shard

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
    dialoguellm(tmp_path / "home", "fsck", "--repair", "-w", str(workspace))
    aside = [path for path in (workspace / "damaged").rglob("*") if path.is_file()]
    assert all(any(part.startswith(".") for part in path.parts[-3:]) for path in aside), "temporary files alone"
    assert "0 faults" in dialoguellm(tmp_path / "home", "fsck", "-w", str(workspace))


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


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_at_every_step_of_a_commit_a_shard_is_the_old_one_the_new_one_or_not_there(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    old = ROWS["captions"]
    new = [replace(row, text=f"{row.text} again") for row in old[1:]]
    refused = Rejected(old[0].utterance_id, "captions", "no_frames", "the video has no frames")
    found = set()
    for step in count():
        write_shard(layout, "captions", "k", 0, old, {"by": "old"})
        ended = in_a_child_that_dies_at(step, tmp_path, lambda: commit(layout, [*new, refused]))
        state, manifest = shard_state(layout, "captions", "k", 0)
        found.add((state, manifest and manifest["by"]))
        if state == "done" and manifest:
            assert read_rows(layout, "captions", "k", 0) == {"old": old, "new": new}[manifest["by"]]
            assert len(read_rows(layout, "rejects", "k", 0)) == manifest["rejects"]
        commit(layout, [*new, refused])
        assert read_rows(layout, "captions", "k", 0) == new
        assert read_rows(layout, "rejects", "k", 0) == [refused]
        if ended:
            break
    assert step > 6
    assert found == {("done", "old"), ("missing", None), ("done", "new")}


def commit(layout: Layout, rows: list[Any]) -> None:
    write_shard(layout, "captions", "k", 0, rows, {"by": "new"})
