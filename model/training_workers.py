"""Processes on this machine that compute for a training run (training_helper.py), and what they said last."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from model.training_group import Place

ROOM = Path(__file__).parents[1]
"""Where this program's rooms lie, for processes that are started in any directory."""

PROGRAM = "model.training_helper"
LOST = 75
"""A process's exit code where it lost the others, which is not its own fault."""
LINGER_S = 5.0
_POLL_S = 0.05


class Workers:
    """One process for each place. What they say goes into ``folder``."""

    def __init__(self, places: Sequence[Place], folder: Path) -> None:
        self.running: list[subprocess.Popen[bytes]] = []
        self._places, self._folder = places, folder

    def start(self) -> None:
        path = os.pathsep.join(filter(None, [str(ROOM), os.environ.get("PYTHONPATH")]))
        for place in self._places:
            command = [sys.executable, "-P", "-m", PROGRAM, json.dumps(asdict(place))]
            with self._log(place).open("wb") as said:
                more: dict[str, Any] = {"stdout": said, "stderr": said, "env": {**os.environ, "PYTHONPATH": path}}
                self.running.append(subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True, **more))

    def ended(self) -> bool:
        """Whether all of them have ended as they should."""
        return all(process.poll() == 0 for process in self.running)

    def lost(self) -> bool:
        """Whether one has lost the processes of this or another host."""
        return any(process.poll() == LOST for process in self.running)

    def fault(self, wait_s: float = 0.0) -> str:
        """What one that has failed said last, "" while none has."""
        until = time.monotonic() + wait_s  # a connection may break before the process is gone
        while True:
            for place, process in zip(self._places, self.running, strict=False):
                if process.poll() not in (None, 0, LOST):
                    return f"training process {place.rank} ended ({process.returncode}): {self._last_words(place)}"
            if time.monotonic() >= until:
                return ""
            time.sleep(_POLL_S)

    def end(self) -> None:
        """Waits a moment for them to end, then ends them."""
        until = time.monotonic() + LINGER_S
        for process in self.running:
            try:
                process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdin:
                process.stdin.close()

    def _last_words(self, place: Place) -> str:
        said = self._log(place).read_text(errors="replace").strip().splitlines()
        return said[-1] if said else "no message"

    def _log(self, place: Place) -> Path:
        return self._folder / f"said-{place.rank}.txt"
