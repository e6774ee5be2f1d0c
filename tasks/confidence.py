"""Whether a system is as often right as it is sure: reliability by bin, calibration error, Brier score, NLL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import ceil, isclose, isfinite, log

from model.dialogue import Prediction
from model.emotions import labels
from model.errors import CorpusError
from tasks.bootstrap import Interval, interval, resample
from tasks.tally import dialogue_of

BINS = 10
_LEAST = 1e-15
"""A probability of 0 would make one line's loss infinite; scikit-learn clips it so too."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Lines whose confidence (the probability of the label that was chosen) lies in ``low`` to ``high``, the upper end
    among them: their number, their mean confidence and the share of them that is right (0 to 1)."""

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


def reliability(predictions: Sequence[Prediction]) -> list[Bin]:
    """Bins of equal width, those without lines left out. Predictions without scores are not counted."""
    sure = sorted((_confidence(row), row.predicted == row.gold) for row in predictions if row.scores)
    found = []
    for place, group in groupby(sure, key=lambda item: _place(item[0])):
        lines = list(group)
        mean, right = (sum(item[side] for item in lines) / len(lines) for side in (0, 1))
        found.append(Bin(place / BINS, (place + 1) / BINS, len(lines), mean, right))
    return found


def calibration_error(bins: Sequence[Bin]) -> float:
    """The expected calibration error (0 to 1): the mean distance of accuracy and confidence, bins weighed by lines."""
    return sum(item.count * abs(item.accuracy - item.confidence) for item in bins) / sum(item.count for item in bins)


def losses(
    corpus: str, predictions: Sequence[Prediction], resamples: int, seed: int
) -> Iterator[tuple[str, float, Interval | None]]:
    """("brier", "nll", "ece") with value and 95 % interval over dialogues; nothing where a prediction has no scores.

    Brier: the sum over labels of squared differences to the truth (0 to 2). NLL: nats of the gold label. The error is
    biased upward, since chance alone moves a bin's accuracy away from its confidence, and a resample adds chance to
    chance: its interval lies too high and may lie above the value. Raises CorpusError where scores are no
    probabilities of the corpus's labels.
    """
    import numpy as np

    if not predictions or not all(row.scores for row in predictions):
        return
    for row in predictions:
        _check(corpus, row)
    place = {name: at for at, name in enumerate(dict.fromkeys(dialogue_of(row.utterance_id) for row in predictions))}
    sums = np.zeros((len(place), 3 + BINS))  # of a bin, how many more are right than its confidence says
    for row in predictions:
        brier, sure = sum((share - (label == row.gold)) ** 2 for label, share in row.scores.items()), _confidence(row)
        here = sums[place[dialogue_of(row.utterance_id)]]
        here[:3] += (brier, -log(max(row.scores[row.gold], _LEAST)), 1)
        here[3 + _place(sure)] += (row.predicted == row.gold) - sure
    total, drawn = sums.sum(0), resample(sums, resamples, seed)
    for at, name in enumerate(("brier", "nll")):
        yield name, float(total[at] / total[2]), interval(drawn[:, at] / drawn[:, 2])
    yield "ece", calibration_error(reliability(predictions)), interval(abs(drawn[:, 3:]).sum(1) / drawn[:, 2])


def _confidence(row: Prediction) -> float:
    return row.scores[row.predicted] if row.predicted in row.scores else max(row.scores.values())


def _place(confidence: float) -> int:
    """The bin, the upper end among its lines; 0 is in the first."""
    return min(max(ceil(confidence * BINS), 1), BINS) - 1


def _check(corpus: str, row: Prediction) -> None:
    whole = sum(row.scores.values())
    possible = all(isfinite(share) and 0 <= share <= 1 for share in row.scores.values())
    if {*row.scores} != {*labels(corpus)} or not possible or not isclose(whole, 1, abs_tol=1e-3):
        raise CorpusError(
            f"{row.utterance_id}: the scores of {row.system} are no probabilities of the labels of {corpus} "
            f"({', '.join(f'{label} {share:.3g}' for label, share in row.scores.items())}): "
            "run evaluate again with --downstream --force"
        )
