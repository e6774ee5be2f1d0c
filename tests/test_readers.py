"""Many readers while a run publishes: nobody is refused, and nobody is told half of something."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SMALL = ["--readers", "8", "--seconds", "5", "--utterances", "2000", "--pause", "0.3"]


def test_readers_are_not_disturbed_and_publishing_goes_on() -> None:
    """The benchmark itself, small: threads of the process that publishes, a kept connection, pages of the gallery."""
    found = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "readers.py", *SMALL],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    figures = json.loads(found.stdout.splitlines()[-1])
    assert figures["faults"] == 0, found.stdout
    assert figures["publications"] > 0
    for kind in ("asking", "holding", "browsing"):
        assert figures[f"answers_{kind}"] > 0
