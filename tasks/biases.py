"""A bias for each label, fitted on dev: what is added to a label's log-probability before the likeliest wins.

It is the freer way beside tasks/prior.py: as many numbers as there are labels, where that has one. So it is held back:
the biases are multiplied by a share from 0 to 1, the one whose answers are best on dev dialogues that the biases were
not fitted on. Where no share is better than none, nothing changes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import exp, log
from typing import TYPE_CHECKING

from model.dialogue import Prediction, corpus_of
from model.emotions import labels
from tasks.prior import Goal
from tasks.tally import dialogue_of, scores

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SUFFIX = "+biases"
FOLDS = 5
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
_GRID = tuple(step / 10 for step in range(-30, 31))
_SWEEPS = 5
_LEAST = 1e-30


@dataclass(frozen=True, slots=True)
class Biases:
    """``of`` each label in nats, ``share`` taken already. ``folds``: by dialogue of dev those that were fitted without
    it, times the same share; empty where ``share`` is 0."""

    share: float
    of: dict[str, float]
    folds: dict[str, dict[str, float]]


Found = dict[tuple[str, str], Biases]
"""(corpus, system) to its biases."""


def corrected(
    predictions: Sequence[Prediction], dev: Sequence[Prediction], goal: Goal
) -> tuple[list[Prediction], Found]:
    """``predictions`` corrected, as systems of their own ("tuned+biases"), and the biases, fitted on ``dev`` alone.

    A line of dev meets the biases that were fitted without its dialogue, any other those of all dev. Systems that did
    not predict dev, and those with answers that have no scores, are left as they are.
    """
    found: Found = {}
    more: list[Prediction] = []
    kinds = dict.fromkeys((corpus_of(row.utterance_id), row.system) for row in dev)
    for corpus, system in kinds:
        known, said = (
            [row for row in rows if (corpus_of(row.utterance_id), row.system) == (corpus, system)]
            for rows in (dev, predictions)
        )
        if all(row.scores for row in (*known, *said)):
            biases = found[corpus, system] = fit(corpus, known, goal)
            more += [correct(row, biases.folds.get(dialogue_of(row.utterance_id), biases.of)) for row in said]
    return more, found


def fit(corpus: str, dev: Sequence[Prediction], goal: Goal) -> Biases:
    """The biases with the highest score on ``dev``, held back as far as dialogues that are left out demand."""
    import numpy as np

    names = labels(corpus)
    gold = np.array([names.index(row.gold) for row in dev])
    logs = np.log([[max(row.scores[name], _LEAST) for name in names] for row in dev])
    folds = _folds(dialogue_of(row.utterance_id) for row in dev)
    fold = np.array([folds[dialogue_of(row.utterance_id)] for row in dev])
    if len({*folds.values()}) < 2:
        return Biases(0.0, dict.fromkeys(names, 0.0), {})
    without = np.array([_climb(gold[fold != left], logs[fold != left], goal) for left in range(fold.max() + 1)])
    reached = {
        share: round(float(scores(_counts(gold, (logs + share * without[fold]).argmax(1)))[goal]), 12)
        for share in SHARES
    }
    share = min(SHARES, key=lambda one: (-reached[one], one))
    if not share:
        return Biases(0.0, dict.fromkeys(names, 0.0), {})
    named = [dict(zip(names, (share * row).tolist(), strict=True)) for row in (_climb(gold, logs, goal), *without)]
    return Biases(share, named[0], {dialogue: named[1 + left] for dialogue, left in folds.items()})


def correct(row: Prediction, biases: Mapping[str, float]) -> Prediction:
    """One prediction with each label's probability multiplied by e to its bias; they still sum to 1."""
    weighed = {label: exp(log(max(share, _LEAST)) + biases[label]) for label, share in row.scores.items()}
    total, best = sum(weighed.values()), max(weighed, key=weighed.__getitem__)
    new = {label: share / total for label, share in weighed.items()}
    return replace(row, system=row.system + SUFFIX, predicted=best, scores=new, raw=best)


def _folds(dialogues: Iterable[str]) -> dict[str, int]:
    """Which fold each dialogue is left out in: by a digest of their names, as evenly as can be."""
    ordered = sorted({*dialogues}, key=lambda name: hashlib.sha256(name.encode("utf-8", "replace")).digest())
    return {name: place % FOLDS for place, name in enumerate(ordered)}


def _climb(gold: NDArray[np.int64], logs: NDArray[np.float64], goal: Goal) -> NDArray[np.float64]:
    """Biases found one label after the other, each the best of ``_GRID`` for the others as they are."""
    import numpy as np

    biases = np.zeros(logs.shape[1])
    for _ in range(_SWEEPS):
        before = biases.copy()
        for label in range(len(biases)):
            biases[label] = _best(gold, logs + biases * (np.arange(len(biases)) != label), label, goal)
        if (biases == before).all():
            break
    centred: NDArray[np.float64] = biases - biases.mean()
    return centred


def _best(gold: NDArray[np.int64], logs: NDArray[np.float64], label: int, goal: Goal) -> float:
    """Of ``_GRID`` the best bias for ``label``, of equals the one nearest to 0; ``logs`` hold the other labels'."""
    import numpy as np

    count = logs.shape[1]
    others = logs.copy()
    others[:, label] = -np.inf
    rival = others.argmax(1)
    needed = others.max(1) - logs[:, label]  # the label wins a line with a larger bias
    pairs = np.zeros((len(gold), count * count))
    pairs[np.arange(len(gold)), gold * count + rival] = 1
    wins = (np.array(_GRID)[:, None] > needed).astype(np.float64)
    counts = np.zeros((len(_GRID), count, count + 1))
    counts[:, :, :count] = ((1 - wins) @ pairs).reshape(-1, count, count)
    counts[:, :, label] += (wins @ pairs).reshape(-1, count, count).sum(2)
    found = scores(counts)[goal].round(12).tolist()
    return _GRID[min(range(len(_GRID)), key=lambda at: (-found[at], abs(_GRID[at]), _GRID[at]))]


def _counts(gold: NDArray[np.int64], said: NDArray[np.int64]) -> NDArray[np.float64]:
    import numpy as np

    size = int(max(gold.max(), said.max())) + 1
    found = np.zeros((size, size + 1))
    np.add.at(found, (gold, said), 1)
    return found
