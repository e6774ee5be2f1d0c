"""The bias to common labels, taken back: log-probabilities less tau times the log of each label's share of train.

tau is one number a corpus and system, chosen on dev (logit adjustment: Menon et al., ICLR 2021). A tau of 0 changes
nothing, one of 1 takes the whole prior back, one below 0 strengthens it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from model.dialogue import Prediction, Utterance, corpus_of
from model.emotions import labels
from tasks.tally import scores

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Goal = Literal["weighted_f1", "macro_f1"]

SUFFIX = "+prior"
GRID = tuple(step / 20 for step in range(-20, 41))
_LEAST = 1e-30

Taus = dict[tuple[str, str], float]
"""(corpus, system) to its tau."""


def corrected(
    predictions: Sequence[Prediction], dev: Sequence[Prediction], utterances: Sequence[Utterance], goal: Goal
) -> tuple[list[Prediction], Taus]:
    """``predictions`` corrected, as systems of their own ("tuned+prior"), and each tau, fitted on ``dev`` alone.

    Systems that did not predict dev, and those with answers that have no scores, are left as they are.
    """
    taus: Taus = {}
    found: list[Prediction] = []
    for corpus in dict.fromkeys(corpus_of(row.utterance_id) for row in dev):
        prior = shares(corpus, utterances)
        own = [row for row in predictions if corpus_of(row.utterance_id) == corpus]
        for system in dict.fromkeys(row.system for row in dev):
            known = [row for row in dev if (corpus_of(row.utterance_id), row.system) == (corpus, system)]
            said = [row for row in own if row.system == system]
            if known and all(row.scores for row in (*known, *said)):
                tau = fit(corpus, known, prior, goal)
                taus[corpus, system] = tau
                found += [correct(row, prior, tau) for row in said]
    return found, taus


def shares(corpus: str, utterances: Sequence[Utterance]) -> dict[str, float]:
    """Each label's share of the corpus's train lines, each counted once more than it occurs (none is 0)."""
    names = labels(corpus)
    counts = Counter(row.emotion for row in utterances if (row.corpus, row.split) == (corpus, "train"))
    total = sum(counts[name] for name in names) + len(names)
    return {name: (counts[name] + 1) / total for name in names}


def fit(corpus: str, dev: Sequence[Prediction], prior: Mapping[str, float], goal: Goal) -> float:
    """The tau of ``GRID`` with the highest score on ``dev``, of equals the one nearest to 0."""
    import numpy as np

    names = labels(corpus)
    gold = np.array([names.index(row.gold) for row in dev])
    logs = np.log([[max(row.scores[name], _LEAST) for name in names] for row in dev])
    weights = np.log([prior[name] for name in names])
    found = {tau: float(scores(_counts(gold, logs - tau * weights))[goal]) for tau in GRID}
    return min(GRID, key=lambda tau: (-round(found[tau], 12), abs(tau), tau))


def _counts(gold: NDArray[np.int64], logs: NDArray[np.float64]) -> NDArray[np.float64]:
    import numpy as np

    counts = np.zeros((logs.shape[1], logs.shape[1] + 1))
    np.add.at(counts, (gold, logs.argmax(1)), 1)
    return counts


def correct(row: Prediction, prior: Mapping[str, float], tau: float) -> Prediction:
    """One prediction with each probability divided by ``prior ** tau``; they still sum to 1."""
    weighed = {label: max(share, _LEAST) / prior[label] ** tau for label, share in row.scores.items()}
    total = sum(weighed.values())
    best = max(weighed, key=weighed.__getitem__)
    new = {label: share / total for label, share in weighed.items()}
    return replace(row, system=row.system + SUFFIX, predicted=best, scores=new, raw=best)
