from __future__ import annotations

from pathlib import Path

import pytest

from model import training_workers
from model.training_group import Place
from model.training_workers import LOST, Workers

PROGRAM = """
import json, sys
place = json.loads(sys.argv[1])
if place["rank"] == 1:
    sys.stdin.read()
print("said", place["meet"])
sys.exit({0: 0, 1: 0, 2: 3, 3: LOST}[place["rank"]])
""".replace("LOST", str(LOST))


def workers(folder: Path, monkeypatch: pytest.MonkeyPatch, *ranks: int) -> Workers:
    (folder / "a_worker.py").write_text(PROGRAM)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.setattr(training_workers, "PROGRAM", "a_worker")
    made = Workers([Place(rank, 4, "here") for rank in ranks], folder)
    made.start()
    return made


def test_those_that_end_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = workers(tmp_path, monkeypatch, 0)
    made.end()
    assert made.ended()
    assert not made.fault()


def test_one_that_fails_says_why_and_the_rest_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = workers(tmp_path, monkeypatch, 1, 2)
    assert made.fault(60) == "training process 2 ended (3): said here"
    assert made.running[0].poll() is None
    monkeypatch.setattr(training_workers, "LINGER_S", 0.1)
    made.end()
    assert made.running[0].poll() is not None
    assert not made.ended()


def test_one_that_has_lost_the_others_is_not_at_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = workers(tmp_path, monkeypatch, 3)
    made.running[0].wait(60)
    assert made.lost()
    assert not made.fault()
    made.end()
