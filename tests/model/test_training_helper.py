"""A helper ends with the process that it helps, whatever it is doing."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from model import lora
from model.training_plan import TrainOptions
from model.training_processes import Job


def started(folder: Path, base: Path) -> subprocess.Popen[bytes]:
    job = Job(str(base), lora.LoraOptions(r=2), TrainOptions(), 2, share=True)
    (folder / "job.json").write_text(json.dumps({**asdict(job), "examples": []}))
    command = [sys.executable, "-m", "model.training_helper", str(folder), "1"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE)


def test_it_ends_when_the_one_that_asks_never_comes(tiny_model: Path, tmp_path: Path) -> None:
    with started(tmp_path, tiny_model) as helper:
        while not (tmp_path / "ready-1").exists():  # from here on it waits for process 0
            assert helper.poll() is None
            with pytest.raises(subprocess.TimeoutExpired):
                helper.wait(0.1)
        assert helper.stdin
        helper.stdin.close()
        assert helper.wait(60) == 1


def test_a_model_that_cannot_be_loaded_is_one_line(tmp_path: Path) -> None:
    with started(tmp_path, tmp_path / "nothing") as helper:
        assert helper.wait(60) == 1
        assert helper.stderr
        (line,) = helper.stderr.read().decode().strip().splitlines()
        assert "nothing cannot be loaded as a causal language model" in line
