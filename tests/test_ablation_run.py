"""A grid as a person runs it: killed in the middle, it goes on through Prefect, and no finished shard is done again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import grid_files
from pipeline_runs import command, dialoguellm, environment

GRID = """
name = "tiny-grid"
base = "small.toml"
[settings]
finetune.enabled = false
[grid]
instructions.context = [0, 1, 2]
"""


def test_a_killed_grid_goes_on_and_repeats_nothing(tmp_path: Path, tiny_model: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    grid_files.write(home, tiny_model, GRID)
    arguments = ("ablation", "tiny-grid.toml", "--no-check")
    process = subprocess.Popen(
        command(home, *arguments, "--direct"),
        env=environment(home),
        cwd=home,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    record = home / "workspace/ablations/tiny-grid/grid.json"
    while process.poll() is None and not (record.exists() and '"done"' in record.read_text()):
        time.sleep(0.01)
    assert process.poll() is None, "the grid ended before it could be killed"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    before = {path: path.stat().st_mtime_ns for path in (home / "workspace/lake").rglob("part-0*.json")}
    assert before
    dialoguellm(home, *arguments)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    runs = json.loads(dialoguellm(home, "sql", "select cell, state from ablation_runs", "--json"))
    assert [run["state"] for run in runs] == ["done"] * 3
    reads = json.loads(dialoguellm(home, "sql", "select engine, count(*) as n from attempts group by engine", "--json"))
    assert {row["engine"] for row in reads} == {"direct", "prefect"}
