"""What a process holds does not grow with its shards; benchmarks/drift.py watches real stages, and for longer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from shards_watched import SHARDS

TESTS = Path(__file__).parent


def test_sixty_shards_hold_what_ten_did(tmp_path: Path) -> None:
    command = [sys.executable, str(TESTS / "shards_watched.py"), str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS.parent), str(TESTS)])}
    ran = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout.splitlines()[-1])
    after = found["after"]
    assert found["done"] == len(after) == SHARDS
    assert [one for one in after[10:] if one != after[10]] == []
    assert found["again"] == found["once"]
    assert found["left"] == []
