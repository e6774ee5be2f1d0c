"""Whether two systems differ on the same lines: bootstrap and swaps of dialogues, McNemar's test, what flipped."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from model.dialogue import corpus_of
from model.emotions import labels
from model.errors import SettingsError
from tasks.bootstrap import interval, resample, swap
from tasks.systems import Said
from tasks.tally import OVERALL, dialogue_of, scores, tally

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DETECTABLE = 1.959964 + 0.841621
"""Standard errors that a difference must have to be found by 80 % of samples of this size at the 5 % level:
z(0.975) + z(0.8)."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One score of two systems on the same lines of a corpus (shares in 0..1).

    ``difference`` is ``first - second`` with its 95 % interval (``low``, ``high``; None where no resample differs) and
    two-sided ``p``, both of a paired bootstrap over dialogues, which is too sure of few of them. ``swap_p`` is that of
    swapping whole dialogues between the two, right for few as well. ``mcnemar_p`` is McNemar's exact test, for accuracy
    alone; it takes lines for independent. ``detectable`` is the smallest difference that 80 % of such samples would
    show. ``first_only`` and ``second_only`` count lines that one of them alone predicted and that were left out.
    """

    first: str
    second: str
    corpus: str
    split: str
    metric: str
    utterances: int
    dialogues: int
    first_only: int
    second_only: int
    first_value: float
    second_value: float
    difference: float
    low: float | None
    high: float | None
    p: float
    swap_p: float
    mcnemar_p: float | None
    detectable: float


@dataclass(frozen=True, slots=True)
class Flips:
    """Lines of one gold label by who was right."""

    first: str
    second: str
    corpus: str
    label: str
    both_right: int
    first_right: int
    second_right: int
    both_wrong: int


@dataclass(frozen=True, slots=True)
class Pair:
    """Two systems on the same lines of one corpus and split. ``left_out`` counts lines of one side alone."""

    first: Said
    second: Said
    corpus: str
    split: str
    left_out: tuple[int, int]


def pairs(first: Said, second: Said, split: str, *, intersect: bool = False) -> list[Pair]:
    """The two systems on the lines that both predicted, corpus by corpus.

    Raises SettingsError where corpora (and so label sets), lines or gold labels differ. With ``intersect`` lines of
    one side alone are left out and counted; different gold labels of one line never pass.
    """
    homes = [sorted({corpus_of(name) for name in side.answers}) for side in (first, second)]
    both = [name for name in homes[0] if name in homes[1]]
    if homes[0] != homes[1] and not (intersect and both):
        sets = " against ".join("; ".join(f"{name} ({', '.join(labels(name))})" for name in home) for home in homes)
        raise SettingsError(
            f"{first.name} and {second.name} are of different corpora or label sets: {sets}"
            + (f"; --intersect compares {', '.join(both)} alone" if both else "")
        )
    found = [_pair(first, second, corpus, split) for corpus in both]
    if any(one.left_out != (0, 0) for one in found) and not intersect:
        raise SettingsError(_differ(found))
    if empty := [one.corpus for one in found if not one.first.answers]:
        raise SettingsError(f"{first.name} and {second.name} have no line of {', '.join(empty)} in common")
    return found


def _pair(first: Said, second: Said, corpus: str, split: str) -> Pair:
    sides = [[name for name in side.answers if corpus_of(name) == corpus] for side in (first, second)]
    common = [name for name in sides[0] if name in second.answers]
    if other := [name for name in common if first.gold[name] != second.gold[name]]:
        raise SettingsError(
            f"{len(other)} of {len(common)} lines have another gold label in {second.run.run_id}, the first {other[0]} "
            f"({first.gold[other[0]]} and {second.gold[other[0]]}): the corpora are not the same"
        )
    kept = [
        replace(
            side, gold={name: side.gold[name] for name in common}, answers={name: side.answers[name] for name in common}
        )
        for side in (first, second)
    ]
    return Pair(kept[0], kept[1], corpus, split, (len(sides[0]) - len(common), len(sides[1]) - len(common)))


def _differ(found: Sequence[Pair]) -> str:
    parts = []
    for one in found:
        parts += [
            f"{side.name} alone has {count} lines of {one.corpus}"
            for side, count in zip((one.first, one.second), one.left_out, strict=True)
            if count
        ]
    common = sum(len(one.first.answers) for one in found)
    return f"{'; '.join(parts)}: --intersect compares the {common} lines that both have"


def differences(pair: Pair, resamples: int = 10_000, seed: int = 0) -> list[Difference]:
    """Accuracy, weighted and macro F1 of both, and what lies between them."""
    return mean_differences([pair], resamples, seed)


def mean_differences(found: Sequence[Pair], resamples: int = 10_000, seed: int = 0) -> list[Difference]:
    """The same of the mean scores of several pairs on the same lines, such as seeds of one training.

    All pairs meet the same draws and the same swaps of dialogues, so that what is said is of these trainings: how far
    others would lie is their standard deviation's to say. The names are the first pair's; McNemar's test is of one.
    """
    import numpy as np

    pair = found[0]
    dialogues = list(dict.fromkeys(map(dialogue_of, pair.first.answers)))
    sides = [
        [tally(one.corpus, one.first.gold, one.first.answers, dialogues) for one in found],
        [tally(one.corpus, one.second.gold, one.second.answers, dialogues) for one in found],
    ]
    both = np.stack([np.stack(side, axis=1) for side in sides], axis=1)  # [dialogue, side, pair, gold, said]
    values, drawn, swapped = (
        {name: one[name].mean(-1) for name in OVERALL}
        for one in (scores(both.sum(0)), scores(resample(both, resamples, seed)), scores(swap(both, resamples, seed)))
    )
    return [
        Difference(
            first=pair.first.name,
            second=pair.second.name,
            corpus=pair.corpus,
            split=pair.split,
            metric=name,
            utterances=len(pair.first.answers),
            dialogues=len(dialogues),
            first_only=pair.left_out[0],
            second_only=pair.left_out[1],
            first_value=float(values[name][0]),
            second_value=float(values[name][1]),
            difference=float(values[name][0] - values[name][1]),
            swap_p=_swap_p(values[name], swapped[name]),
            mcnemar_p=_mcnemar(pair) if name == "accuracy" and len(found) == 1 else None,
            **_spread(drawn[name][:, 0] - drawn[name][:, 1]),
        )
        for name in OVERALL
    ]


def _spread(resampled: NDArray[np.float64]) -> dict[str, Any]:
    """What the resampled differences say; ``p`` is twice the share of them on the far side of 0, itself counted in."""
    low, high = interval(resampled) or (None, None)
    beyond = min((resampled <= 0).sum(), (resampled >= 0).sum())
    p = min(1.0, 2 * float(beyond + 1) / (len(resampled) + 1))
    return {"low": low, "high": high, "p": p, "detectable": DETECTABLE * float(resampled.std())}


def _swap_p(seen: NDArray[np.float64], swapped: NDArray[np.float64]) -> float:
    """The share of swaps with a difference as large as the one that was seen, either way, itself counted in."""
    large = abs(swapped[:, 0] - swapped[:, 1]) >= abs(seen[0] - seen[1]) - 1e-12
    return float((large.sum() + 1) / (len(swapped) + 1))


def _mcnemar(pair: Pair) -> float:
    """The exact two-sided test of whether the lines that one system alone has right fall to both alike."""
    from scipy.stats import binomtest

    counts = Counter(_right(pair, name) for name in pair.first.answers)
    first, second = counts[True, False], counts[False, True]
    return float(binomtest(first, first + second).pvalue) if first + second else 1.0


def flips(pair: Pair) -> list[Flips]:
    """By gold label (those that occur, in the corpus's order), how many lines each system has right."""
    counts = Counter((pair.first.gold[name], *_right(pair, name)) for name in pair.first.answers)
    outcomes = ((True, True), (True, False), (False, True), (False, False))
    return [
        Flips(pair.first.name, pair.second.name, pair.corpus, label, *(counts[label, *both] for both in outcomes))
        for label in labels(pair.corpus)
        if any(counts[label, *both] for both in outcomes)
    ]


def _right(pair: Pair, name: str) -> tuple[bool, bool]:
    gold = pair.first.gold[name]
    return pair.first.answers[name] == gold, pair.second.answers[name] == gold


def record(found: Sequence[Difference], resamples: int, seed: int) -> dict[str, Any]:
    """What the workspace keeps of a comparison: the same comparison has the same ``comparison``, its key."""
    how = {"resamples": resamples, "seed": seed}
    named = [[one.first, one.second, one.corpus, one.split, one.utterances] for one in found]
    key = hashlib.sha256(json.dumps([how, named], sort_keys=True).encode()).hexdigest()[:16]
    return {"comparison": key, "rows": [{"comparison": key, **how, **asdict(one)} for one in found]}
