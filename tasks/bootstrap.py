"""How far scores would move with other dialogues: whole ones are drawn anew, for their lines resemble each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.tally import OVERALL, scores

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEVEL = 0.95
_AT_A_TIME = 4_000_000  # numbers, 32 MB

Interval = tuple[float, float]


def resample(rows: NDArray[np.float64], resamples: int, seed: int) -> NDArray[np.float64]:
    """Sums of ``rows[dialogue, ...]`` over dialogues drawn with replacement, as many as there are: [resample, ...].

    A resample is how often each dialogue was drawn (multinomial), so that all are one product of matrices. The same
    seed and number of dialogues draw the same, whatever is summed: two systems meet the same resamples.
    """
    import numpy as np

    count = len(rows)
    flat = rows.reshape(count, -1)
    random = np.random.default_rng(seed)
    found = np.empty((resamples, flat.shape[1]))
    step = max(1, _AT_A_TIME // count)
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        drawn = random.multinomial(count, np.full(count, 1 / count), size=size)
        found[start : start + size] = drawn.astype(np.float64) @ flat
    return found.reshape(resamples, *rows.shape[1:])


def swap(pairs: NDArray[np.float64], times: int, seed: int) -> NDArray[np.float64]:
    """Sums of ``pairs[dialogue, side, ...]`` (two sides) with the sides of some dialogues swapped: [time, side, ...].

    Each dialogue is swapped or not by a coin. Where the sides do not differ but by chance, any of these sums might have
    been the one that was seen.
    """
    import numpy as np

    count = len(pairs)
    flat = pairs.reshape(count, 2, -1)
    random = np.random.default_rng(seed)
    first = np.empty((times, flat.shape[2]))
    step = max(1, _AT_A_TIME // count)
    for start in range(0, times, step):
        kept = random.integers(0, 2, size=(min(step, times - start), count)).astype(np.float64)
        first[start : start + len(kept)] = kept @ flat[:, 0] + (1 - kept) @ flat[:, 1]
    both = np.stack([first, flat.sum((0, 1)) - first], axis=1)
    return both.reshape(times, *pairs.shape[1:])


def resampled_scores(drawn: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """``scores`` of resampled counts [resample, gold, said]; a label's are NaN where no gold line has it."""
    import numpy as np

    found = scores(drawn)
    absent = drawn.sum(-1) == 0
    return {name: values if name in OVERALL else np.where(absent, np.nan, values) for name, values in found.items()}


def interval(values: NDArray[np.float64]) -> Interval | None:
    """The percentile interval of resampled values; NaN among them are left out.

    None where the resamples do not differ (one dialogue, no right answer at all, no wrong one): they cannot say how
    uncertain the score is.
    """
    import numpy as np

    known = values[np.isfinite(values)]
    if not known.size or np.ptp(known) < 1e-12:
        return None
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
