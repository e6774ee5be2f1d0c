"""Runs a pipeline of many shards and prints, as JSON, what its process held after each: ``shards_watched.py DIR``.

A process of its own, since one that has run other tests still lets go of what those held.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import fake_stages
import psutil
import pytest

from flows.direct import execute
from tasks.drive import Failure, Selection, drive
from tasks.plan import Run
from tasks.stage import Stage

SHARDS = 60
SPLITS = {"train": SHARDS - 4, "dev": 2, "test": 2}


def held(root: Path) -> dict[str, Any]:
    """File handles, threads, child processes, and temporary files in any folder of the test."""
    own = psutil.Process()
    waiting = [path.name for path in root.rglob("*") if path.is_file() and path.name.startswith((".", "tmp"))]
    children = len(own.children(recursive=True))
    return {"files": own.num_fds(), "threads": own.num_threads(), "children": children, "temporary": waiting}


def main(root: Path) -> None:
    scratch = root / "scratch"
    scratch.mkdir()
    tempfile.tempdir = str(scratch)
    after: list[dict[str, Any]] = []

    def watched(run: Run, stage: Stage, shards: Sequence[int]) -> list[Failure]:
        failures: list[Failure] = []
        for shard in shards:
            failures += execute(run, stage, [shard])
            if stage.name == "captions":
                after.append(held(root))
        return failures

    with pytest.MonkeyPatch.context() as patch:
        fake_stages.install(patch, publishing=True)
        run = fake_stages.make(root, ingest={"dialogues": SPLITS, "lines": 1, "shard_utterances": 1})
        done = drive(run, Selection(), watched, engine="direct").done["captions"]
        once = held(root)
        for _ in range(3):
            drive(run, Selection(), watched, engine="direct")
        again = held(root)
    left = [path.name for path in scratch.iterdir()]
    print(json.dumps({"done": done, "after": after, "once": once, "again": again, "left": left}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
