"""How often each label comes among the train rows, and what a loss may make of it; corpus by corpus."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from model.dialogue import Instruction, corpus_of
from model.emotions import labels
from tasks.label_scoring import gold_of

Counts = Mapping[str, Mapping[str, int]]
"""Corpus to label of its set to rows; labels without a row count 0."""


def counts(rows: Sequence[Instruction]) -> Counts:
    """Every row's answer must name a label."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        found[corpus_of(row.utterance_id)][gold_of(row) or ""] += 1
    return {corpus: {label: some[label] for label in labels(corpus)} for corpus, some in found.items()}


def missing(found: Counts) -> list[str]:
    """Labels without a row, as ``corpus/label``."""
    return [f"{corpus}/{label}" for corpus, some in found.items() for label, count in some.items() if not count]


def weights(found: Counts) -> dict[tuple[str, str], float]:
    """(corpus, label) to rows / (labels x rows of the label): a label's rows together weigh as much as any other's.

    Labels without a row are no labels here. A corpus's weights add up to its rows.
    """
    balanced: dict[tuple[str, str], float] = {}
    for corpus, some in found.items():
        present = {label: count for label, count in some.items() if count}
        rows = sum(present.values())
        balanced |= {(corpus, label): rows / (len(present) * count) for label, count in present.items()}
    return balanced


def log_priors(found: Counts, tau: float) -> dict[str, tuple[float, ...]]:
    """Corpus to tau x log of each label's share of its rows, in the order of its labels; one without a row counts as
    one."""
    return {
        corpus: tuple(tau * math.log(max(count, 1) / sum(some.values())) for count in some.values())
        for corpus, some in found.items()
    }
