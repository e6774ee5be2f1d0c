"""What a process holds, looked at after each shard: does it grow?"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

WARM = 0.3
"""The share of the shards that fills caches; what is held is looked at after it."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Handles, threads and children by number, memory in KiB (``rss`` of the process, ``children_rss`` of what it
    started), ``temporary`` files in the folder for them and half-written ones in the workspace."""

    handles: int
    threads: int
    children: int
    rss: int
    children_rss: int
    temporary: int


class Watch(logging.Handler):
    """Takes a sample whenever a shard is told as done."""

    def __init__(self, workspace: Path) -> None:
        super().__init__(logging.INFO)
        self._workspace, self._own = workspace, psutil.Process()
        self.samples: dict[str, list[Sample]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        from storage import journal

        if record.getMessage().startswith("done: "):
            self.samples.setdefault(str(journal.where().get("stage")), []).append(self.sample())

    def sample(self) -> Sample:
        children = self._own.children(recursive=True)
        return Sample(
            self._own.num_fds(),
            self._own.num_threads(),
            len(children),
            self._own.memory_info().rss >> 10,
            sum(child.memory_info().rss for child in children) >> 10,
            temporary(self._workspace),
        )


def temporary(workspace: Path) -> int:
    """Files in the folder for temporary ones, and those in the workspace that wait to be moved into place."""
    there = sum(1 for path in Path(tempfile.gettempdir()).rglob("*") if path.is_file())
    return there + sum(1 for path in workspace.glob("lake/*/*/.*") if path.is_file())


def growth(samples: Sequence[Sample]) -> dict[str, Any]:
    """Of each count what there was after warming up, at the end and at most; of memory the slope in KiB a shard."""
    warm = [*samples][int(WARM * len(samples)) :]
    found: dict[str, Any] = {"shards": len(samples)}
    for name in asdict(warm[0]):
        values = [getattr(sample, name) for sample in warm]
        found[name] = [values[0], values[-1], max(values)]
        found[f"{name}_slope"] = round(slope(values), 3)
    return found


def slope(values: Sequence[float]) -> float:
    """Of the least-squares line through values at 0, 1, 2 …"""
    number = len(values)
    if number < 2:
        return 0.0
    middle, mean = (number - 1) / 2, sum(values) / number
    over = sum((at - middle) ** 2 for at in range(number))
    return sum((at - middle) * (value - mean) for at, value in enumerate(values)) / over
