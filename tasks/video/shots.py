"""Finds the cuts in a row of looks: a change that is large, larger than its surroundings, and a local maximum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from tasks.video.measure import Look
from tasks.video.window import CALM_CHANGE, CALM_TIMES, CUT_CHANGE

MOTION_TIMES = 1.6
"""How many times the changes around it a cut is: somebody who walks by changes several looks in a row."""
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
    change = [0.0, *(look.change for look in looks[1:])]  # the first is against a frame outside the window
    found = [at for at, value in enumerate(change) if value > CALM_CHANGE and _stands_out(change, at)]
    cuts: list[int] = []
    for at in found:
        if cuts and looks[at].time_s - looks[cuts[-1]].time_s < SHORTEST_S:
            if change[at] > change[cuts[-1]]:
                cuts[-1] = at
        else:
            cuts.append(at)
    return cuts


def _stands_out(change: Sequence[float], at: int) -> bool:
    """Whether a change is the largest around, above what is usual there, and not one of three or more in a row."""
    near = sorted([*change[max(at - 2, 0) : at], *change[at + 1 : at + 3]], reverse=True)
    first, second = [*near, 0.0, 0.0][:2]  # a cut may have another one, or a flash, beside it
    if change[at] <= CUT_CHANGE:
        return change[at] > CALM_TIMES * first
    usual = median([*change[max(at - 6, 0) : at], *change[at + 1 : at + 7]])
    return change[at] >= first and change[at] > max(3 * usual + 4, MOTION_TIMES * second)
