"""Progress bars with a rate and the time left on a terminal; one plain line per stage elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import TimeRemainingColumn as TimeLeft

from flows.output import counted
from tasks.stage import Progress as Callback
from tasks.stage import Stage

RATE_OVER_S = 1800.0
"""The time left is told from the pace of this long: a training step may take minutes."""


class StageProgress:
    """The bar of one stage. A sharded stage counts shards, with the running ones as fractions."""

    def __init__(self, bars: Progress, task: TaskID, stage: Stage, shards: Sequence[int]) -> None:
        self._bars, self._task, self._stage, self._shards = bars, task, stage, len(shards)
        self._running: dict[int, float] = {}
        self._done = 0
        self._lock = threading.Lock()

    def callback(self, shard: int) -> Callback:
        """The function that a stage calls while it works on ``shard``."""

        def report(done: int, total: int, what: str) -> None:
            with self._lock:
                self._running[shard] = done / total if total else 0.0
                detail = f"{_count(done)}/{_count(total)} {what}"
                if self._shards > 1:
                    detail = f"shard {self._done + len(self._running)}/{self._shards}, {detail}"
                self._bars.update(self._task, completed=self._completed(), detail=detail)

        return report

    def share(self) -> float:
        """What is done, 0 to 1."""
        with self._lock:
            return self._completed() / max(1, self._shards)

    def told(self) -> str:
        """What is being done, and the time left where it can be told, for a page that draws its own bar."""
        task = self._bars.tasks[self._task]
        left = task.time_remaining
        detail = str(task.fields["detail"])
        return detail if left is None or task.finished else f"{detail}, {timedelta(seconds=round(left))} left"

    def finished(self, shard: int) -> None:
        with self._lock:
            self._running.pop(shard, None)
            self._done += 1
            self._bars.update(self._task, completed=self._completed())

    def _completed(self) -> float:
        """In shards; what is done is a number, for there may be a million."""
        return self._done + sum(self._running.values())


@contextmanager
def counting() -> Iterator[Callback]:
    """A bar on a terminal's standard error, from the first thing that is counted on; gone at the end."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeLeft())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        task = bars.add_task("", total=None, visible=False)
        yield lambda done, total, what: bars.update(task, completed=done, total=total, description=what, visible=True)


def _count(number: int) -> str:
    """Bytes are counted too, and are many."""
    return f"{number / 1e6:.0f} M" if number >= 1_000_000 else str(number)


@contextmanager
def showing(stage: Stage, shards: Sequence[int]) -> Iterator[StageProgress]:
    """Shows the progress of one stage on standard error."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description:<13}"),
        BarColumn(bar_width=28),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeLeft(compact=True),
        TextColumn("{task.fields[detail]}", markup=False),
    )
    started = monotonic()
    hidden = not console.is_terminal
    with Progress(*columns, console=console, disable=hidden, speed_estimate_period=RATE_OVER_S) as bars:
        task = bars.add_task(stage.name, total=len(shards), detail="")
        yield StageProgress(bars, task, stage, shards)
    if hidden:
        done = counted(len(shards), "shard")
        console.print(f"{stage.name}: {done} in {monotonic() - started:.1f} s", highlight=False)
