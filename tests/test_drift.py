"""What a process holds does not grow with its shards; benchmarks/drift.py watches real stages, and for longer."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import fake_stages
import psutil
import pytest
from fake_stages import make

from flows.direct import execute
from tasks.drive import Failure, Selection, drive
from tasks.plan import Run
from tasks.stage import Stage

SHARDS = 60
SPLITS = {"train": SHARDS - 4, "dev": 2, "test": 2}


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files, empty."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def held(root: Path) -> tuple[int, int, int, list[str]]:
    """File handles, threads, child processes, and temporary files in any folder of the test."""
    own = psutil.Process()
    waiting = [path.name for path in root.rglob("*") if path.is_file() and path.name.startswith((".", "tmp"))]
    return own.num_fds(), own.num_threads(), len(own.children(recursive=True)), waiting


def test_sixty_shards_hold_what_ten_did(tmp_path: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_stages.install(monkeypatch, publishing=True)
    run = make(tmp_path, ingest={"dialogues": SPLITS, "lines": 1, "shard_utterances": 1})
    after: list[tuple[int, int, int, list[str]]] = []

    def watched(run: Run, stage: Stage, shards: Sequence[int]) -> list[Failure]:
        failures: list[Failure] = []
        for shard in shards:
            failures += execute(run, stage, [shard])
            if stage.name == "captions":
                after.append(held(tmp_path))
        return failures

    done = drive(run, Selection(), watched, engine="direct").done
    assert done["captions"] == len(after) == SHARDS
    assert [one for one in after[10:] if one != after[10]] == []
    before = held(tmp_path)
    for _ in range(3):
        drive(run, Selection(), watched, engine="direct")
    assert held(tmp_path) == before
    assert list(scratch.iterdir()) == []
