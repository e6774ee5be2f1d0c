"""What answers to SECEU are worth, beside those of nobody who read a story.

Distance of an item: the Euclidean one between four ratings of 10 points in all and the standard scores. SECEU score:
its mean over the items. EQ = 15 * (mean - score) / sd + 100 with the norms of the file. Pattern: Pearson's correlation
of the distances with people's own, item by item (Wang et al. 2023).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model.ratings import TOTAL, Points
from tasks.bootstrap import interval, resample
from tasks.seceu_test import Test

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

UNIFORM, IN_ORDER, BEST_CONSTANT, RANDOM = "uniform", "in_order", "best_constant", "random"
CONTROLS = (UNIFORM, IN_ORDER, BEST_CONSTANT, RANDOM)
DRAWS = 1_000
_UNIFORM, _IN_ORDER = (2.5, 2.5, 2.5, 2.5), (4.0, 3.0, 2.0, 1.0)


@dataclass(frozen=True, slots=True)
class Worth:
    """``answered`` of the items have ratings, ``rescaled`` of these did not add up to 10 and were made to.

    ``distance`` is over the items that were answered, with its 95 % interval of a bootstrap over items (``random``:
    over draws). ``eq`` and ``percentile`` (0 to 100, of a normal distribution with the norms' mean and deviation) are
    of the whole test: None unless all items were answered. ``pattern``: None where it is not defined. ``uniform``: the
    distance of 2.5 points for each option on the same items, and ``gain`` how much smaller the distance is than that
    one, with its interval over items.
    """

    answered: int
    rescaled: int
    distance: float | None
    low: float | None
    high: float | None
    eq: float | None
    percentile: float | None
    pattern: float | None
    pattern_p: float | None
    uniform: float | None
    gain: float | None
    gain_low: float | None
    gain_high: float | None


def rescaled(ratings: Points) -> Points:
    """The same ratings, 10 points in all."""
    return tuple(points * TOTAL / sum(ratings) for points in ratings)


def distances(test: Test, answers: Mapping[str, Points]) -> dict[str, float]:
    """Of each answered item, by its name, in the test's order."""
    from math import dist

    return {item.name: dist(rescaled(answers[item.name]), item.standard) for item in test.items if item.name in answers}


def worth(test: Test, answers: Mapping[str, Points], resamples: int = 10_000, seed: int = 0) -> Worth:
    """What ``answers`` (by item; those that did not parse are not among them) are worth."""
    import numpy as np

    far = distances(test, answers)
    loose = sum(abs(sum(answers[name]) - TOTAL) > 0.01 for name in far)
    if not far:
        return Worth(0, 0, *[None] * 11)
    same = distances(test, dict.fromkeys(far, _UNIFORM))
    pairs = np.array([[far[name], same[name] - far[name]] for name in far])
    drawn = resample(pairs, resamples, seed) / len(far)
    (low, high), gain = interval(drawn[:, 0]) or (None, None), interval(drawn[:, 1]) or (None, None)
    mean, ahead = map(float, pairs.mean(0))
    eq, percentile = norms(test, mean) if len(far) == len(test.items) else (None, None)
    pattern = correlation(test, far)
    return Worth(len(far), loose, mean, low, high, eq, percentile, *pattern, mean + ahead, ahead, *gain)


def norms(test: Test, distance: float) -> tuple[float, float]:
    """EQ, and the share of people (0 to 100) with a larger distance if they are normally distributed."""
    from scipy.stats import norm

    above = (test.mean - distance) / test.sd
    return 15 * above + 100, float(100 * norm.cdf(above))


def correlation(test: Test, far: Mapping[str, float]) -> tuple[float | None, float | None]:
    """Pearson's r of the items' distances with people's and its two-sided p; None of fewer than three or equal ones."""
    from scipy.stats import pearsonr

    human = {item.name: item.human for item in test.items}
    pairs = [(value, human[name]) for name, value in far.items()]
    if len(pairs) < 3 or any(max(side) - min(side) < 1e-9 for side in zip(*pairs, strict=True)):
        return None, None
    found = pearsonr(*zip(*pairs, strict=True))
    return float(found.statistic), float(found.pvalue)


def controls(test: Test, resamples: int = 10_000, seed: int = 0) -> dict[str, Worth]:
    """What answers are worth that read no story.

    ``uniform``: 2.5 points for every option. ``in_order``: 4, 3, 2 and 1 in the options' order. ``best_constant``: of
    all ratings that are the same for every item the best; it is fitted on the standard scores, so that no constant
    answer can be nearer. ``random``: any four ratings of 10 points in all, each alike (the mean of 1,000 draws).
    """
    constant = {UNIFORM: _UNIFORM, IN_ORDER: _IN_ORDER, BEST_CONSTANT: best_constant(test)}
    names = [item.name for item in test.items]
    found = {name: worth(test, dict.fromkeys(names, ratings), resamples, seed) for name, ratings in constant.items()}
    return {**found, RANDOM: _random(test, seed)}


def best_constant(test: Test) -> Points:
    """The ratings that are nearest to the standard scores of all items at once (their geometric median)."""
    import numpy as np
    from scipy.optimize import minimize

    standard = np.array([item.standard for item in test.items])
    found = minimize(lambda point: np.linalg.norm(standard - point, axis=1).mean(), standard.mean(0), method="BFGS")
    return tuple(map(float, np.clip(found.x, 0, TOTAL)))


def _random(test: Test, seed: int) -> Worth:
    import numpy as np

    draws: NDArray[np.float64] = np.random.default_rng(seed).dirichlet(np.ones(4), (DRAWS, len(test.items))) * TOTAL
    standard = np.array([item.standard for item in test.items])
    far = np.linalg.norm(draws - standard, axis=2)
    low, high = interval(far.mean(1)) or (None, None)
    mean = float(far.mean())
    names = [item.name for item in test.items]
    patterns = [correlation(test, dict(zip(names, row, strict=True)))[0] for row in far.tolist()]
    pattern = float(np.mean(known)) if (known := [value for value in patterns if value is not None]) else None
    same = sum(distances(test, dict.fromkeys(names, _UNIFORM)).values()) / len(names)
    gains = (None, None) if low is None or high is None else (same - high, same - low)
    return Worth(len(names), 0, mean, low, high, *norms(test, mean), pattern, None, same, same - mean, *gains)
