"""Helpers of the tests that run the whole program: a small configuration, the command line, tables to compare."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

CONFIG = """
name = "small"
workspace = {workspace!r}
seed = 3
model = {model!r}

[ingest]
corpus = "demo"
dialogues = {{train = 3, dev = 1, test = 2}}
shard_utterances = 6

[keyframes]
max_frames = 2

[captions]
model = "demo"

[finetune]
epochs = 2
batch_size = 4
learning_rate = 1e-3
checkpoint_every = 1

[calibrate]
enabled = true
"""

TIMINGS = {"seconds", "memory_mib"}
PAGE = {"bytes", "sha256"}
"""Of a report, which says how long each stage took."""


def write_config(folder: Path, model: Path, workspace: Path) -> Path:
    """A configuration over a slice of the demo corpus with a tiny language model."""
    path = folder / "small.toml"
    path.write_text(CONFIG.format(workspace=str(workspace), model=str(model)))
    return path


def command(home: Path, *arguments: str) -> list[str]:
    """The command line of the program under test."""
    home.mkdir(exist_ok=True)
    return [sys.executable, "-m", "flows.cli", *arguments]


def environment(home: Path) -> dict[str, str]:
    """The environment of a new user: an empty home, no Prefect profile, no hub."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    return {**kept, "HOME": str(home), "PREFECT_HOME": str(home / "prefect"), "HF_HUB_OFFLINE": "1"}


def dialoguellm(home: Path, *arguments: str, code: int = 0) -> str:
    """Runs a command, checks its exit code and returns its standard output."""
    found = subprocess.run(
        command(home, *arguments), env=environment(home), cwd=home, capture_output=True, text=True, timeout=400
    )
    assert found.returncode == code, f"exit {found.returncode}\n{found.stdout}\n{found.stderr}"
    return found.stdout + (found.stderr if code else "")


def tables(workspace: Path) -> dict[str, list[dict[str, Any]]]:
    """Every row of the lake by table, in order of key and shard, without what was measured of the machine."""
    found: dict[str, list[dict[str, Any]]] = {}
    for folder in sorted((workspace / "lake").iterdir()):
        parts = sorted(path for path in folder.glob("*/part-*.parquet") if path.with_suffix(".json").exists())
        data = [pq.read_table(path) for path in parts]
        rows = pa.concat_tables(data).to_pylist() if data else []
        left_out = TIMINGS | (PAGE if folder.name == "reports" else set())
        found[folder.name] = [{name: row[name] for name in row if name not in left_out} for row in rows]
    return found
