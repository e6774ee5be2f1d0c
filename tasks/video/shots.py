"""Finds the cuts in a row of looks: a change that is large, larger than its surroundings, and a local maximum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tasks.video.measure import Look
from tasks.video.window import CUT_CHANGE

SHORTEST_S = 0.2
"""Two cuts closer than this are one (a flash, a whip pan)."""


@dataclass(frozen=True, slots=True)
class Shot:
    """Looks ``first`` to ``last`` (inclusive), from ``start_s`` to ``end_s``."""

    first: int
    last: int
    start_s: float
    end_s: float

    @property
    def seconds(self) -> float:
        return self.end_s - self.start_s


def find_shots(looks: Sequence[Look]) -> list[Shot]:
    """The shots in order, at least one; they cover all looks. The last one ends one step after its last look."""
    starts = [0, *find_cuts(looks)]
    times = [look.time_s for look in looks]
    step = (times[-1] - times[0]) / (len(times) - 1) if len(times) > 1 else 0.0
    ends = [*starts[1:], len(looks)]
    return [
        Shot(first, after - 1, times[first], times[after] if after < len(times) else times[-1] + step)
        for first, after in zip(starts, ends, strict=True)
    ]


def find_cuts(looks: Sequence[Look]) -> list[int]:
    """Indices of the first look after each cut, rising."""
    if len(looks) < 2:
        return []
    change = np.array([look.change for look in looks])
    change[0] = 0.0  # against a frame outside the window
    around = np.lib.stride_tricks.sliding_window_view(np.pad(change, 6, constant_values=np.nan), 13).copy()
    around[:, 6] = np.nan  # not the change itself
    usual = np.nanmedian(around, axis=1)
    near = np.lib.stride_tricks.sliding_window_view(np.pad(change, 2), 5).max(axis=1)
    found = np.flatnonzero((change > CUT_CHANGE) & (change > 3 * usual + 4) & (change >= near))
    cuts: list[int] = []
    for at in (int(index) for index in found):
        if cuts and looks[at].time_s - looks[cuts[-1]].time_s < SHORTEST_S:
            if change[at] > change[cuts[-1]]:
                cuts[-1] = at
        else:
            cuts.append(at)
    return cuts
