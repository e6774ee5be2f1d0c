"""One utterance's stretch of a video while it is being decoded: every look, but few frames.

Holding frames is what costs memory (1.4 MB each at 720p), so only the best frame of each quarter of a second is kept,
and once there are too many, of each half, and so on: memory stays the same for a clip and for an hour.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Any

from tasks.video.measure import Look, Luma, difference

BUCKET_S = 0.25
CUT_CHANGE = 18.0
"""Least change of luma at a cut, of 255."""
CALM_CHANGE, CALM_TIMES = 10.0, 4.0
"""Least change at a cut between pictures that stand still, as in a dim room; and how many times theirs it is."""

PASSING_S = 0.33
"""What hides the same picture for no longer than this is no shot; a shot of so many seconds counts as one."""
SAME_PICTURE = CUT_CHANGE / 2


@dataclass(frozen=True, slots=True)
class Candidate:
    """A frame that may be chosen: the ``index``-th of the window's looks, after ``run`` likely cuts."""

    look: Look
    thumb: Luma
    frame: Any
    index: int
    run: int


@dataclass(slots=True)
class Window:
    """From ``start_s`` to ``end_s`` (infinity: to the end of the file), seconds of the video.

    What it keeps depends on its own frames alone, never on the other windows of the file.

    ``most`` bounds the candidates. With ``best`` a bucket keeps its best frame, without it its first.
    """

    start_s: float
    end_s: float
    most: int = 48
    best: bool = True
    looks: list[Look] = field(default_factory=list)
    candidates: list[Candidate] = field(default_factory=list)
    _bucket_s: float = BUCKET_S
    _thumb: Luma | None = None
    _run: int = 0
    _recent: deque[float] = field(default_factory=lambda: deque(maxlen=8))
    _hidden: tuple[int, Luma] | None = None

    def wants(self, time_s: float, least_gap_s: float) -> bool:
        """Whether a frame at ``time_s`` is far enough from the last one looked at."""
        return not self.looks or time_s - self.looks[-1].time_s >= least_gap_s

    def add(self, look: Look, thumb: Luma, frame: Any) -> None:
        """Takes the next frame; times must rise."""
        before, self._thumb = self._thumb, thumb
        if before is not None:
            look = self._compared(look, thumb, before)
        if before is not None and is_jump(look.change, self._recent):
            self._hidden = self._hidden or (len(self.looks), before)
            self._run += 1
            self._recent.clear()
        elif self.looks:
            self._recent.append(look.change)
        candidate = Candidate(look, thumb, frame, len(self.looks), self._run)
        self.looks.append(look)
        if not self.candidates or self._bucket(self.candidates[-1]) != self._bucket(candidate):
            self.candidates.append(candidate)
            if len(self.candidates) > self.most:
                self._thin()
        elif self.best and worth(candidate) > worth(self.candidates[-1]):
            self.candidates[-1] = candidate

    def _compared(self, look: Look, thumb: Luma, before: Luma) -> Look:
        """The look with its change; where it shows again what a jump hid, what lies between is passing."""
        if self._hidden:
            first, hidden = self._hidden
            if look.time_s - self.looks[first].time_s > PASSING_S:
                self._hidden = None
            elif (change := difference(thumb, hidden)) < SAME_PICTURE:
                self._hidden = None
                self.looks[first:] = [replace(one, change=0.0, passing=True) for one in self.looks[first:]]
                self.candidates = [
                    replace(c, look=self.looks[c.index]) if c.index >= first else c for c in self.candidates
                ]
                return look.changed(change)
        return look.changed(difference(thumb, before))

    def _bucket(self, candidate: Candidate) -> tuple[int, int]:
        return candidate.run, int(candidate.look.time_s / self._bucket_s)  # overlapping windows hold the same frames

    def _thin(self) -> None:
        """Doubles the bucket; where cuts alone fill the list, neighbours compete across them."""
        self._bucket_s *= 2
        kept: list[Candidate] = []
        for candidate in self.candidates:
            if not kept or self._bucket(kept[-1]) != self._bucket(candidate):
                kept.append(candidate)
            elif self.best and worth(candidate) > worth(kept[-1]):
                kept[-1] = candidate
        if len(kept) > self.most:
            pairs = (kept[at : at + 2] for at in range(0, len(kept), 2))
            kept = [max(pair, key=worth) for pair in pairs]
        self.candidates = kept


def worth(candidate: Candidate) -> float:
    """How good a frame is before its surroundings are known: sharp, still, and fit to be seen."""
    look = candidate.look
    return look.sharpness / (1 + look.change / CUT_CHANGE) * (0.01 if look.unfit else 1.0)


def is_jump(change: float, before: deque[float]) -> bool:
    """A likely cut, judged by the past alone."""
    if change > CUT_CHANGE:
        return change > 3 * (median(before) if before else 0.0) + 4
    return change > CALM_CHANGE and bool(before) and change > CALM_TIMES * max(list(before)[-2:])
