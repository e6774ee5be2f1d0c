"""A helper ends with the process that it helps, whatever it is doing."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import pytest

from model import lora
from model.training_group import Meeting, Place
from model.training_plan import TrainOptions
from model.training_processes import Job


def started(folder: Path, base: Path) -> tuple[subprocess.Popen[bytes], Meeting]:
    meet = str(folder / "meet")
    meeting = Meeting(meet, lead=True)
    meeting.say("job", json.dumps(asdict(Job(str(base), lora.LoraOptions(r=2), TrainOptions(), 2, share=True))))
    command = [sys.executable, "-m", "model.training_helper", json.dumps(asdict(Place(1, 2, meet, 1, str(folder))))]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE), meeting


def test_it_ends_when_the_one_that_asks_never_comes(tiny_model: Path, tmp_path: Path) -> None:
    helper, meeting = started(tmp_path, tiny_model)
    with helper:
        while not meeting.said("ready/1"):  # from here on it waits for process 0
            assert helper.poll() is None
            time.sleep(0.1)
        with pytest.raises(subprocess.TimeoutExpired):
            helper.wait(0.2)
        assert helper.stdin
        helper.stdin.close()
        assert helper.wait(60) == 1


def test_a_model_that_cannot_be_loaded_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    helper, _ = started(tmp_path, tmp_path / "nothing")
    with helper:
        assert helper.wait(60) == 1
        assert helper.stderr
        (line,) = helper.stderr.read().decode().strip().splitlines()
        assert "nothing" in line
        assert "config.json" in line
