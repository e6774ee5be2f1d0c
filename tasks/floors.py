"""What no language model at all reaches: the commonest label, and words counted by a linear classifier."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence

from model.dialogue import Utterance

WORDS_AND_MARKS = r"\w+|[^\w\s]"
"""Punctuation counts as words: "?!" says much about surprise and anger."""


def majority(train: Sequence[Utterance], lines: Sequence[Utterance]) -> dict[str, str]:
    """The commonest label of ``train`` (at least one row; the first in the alphabet of equals) for every line."""
    counts = Counter(row.emotion for row in train)
    commonest = min(counts, key=lambda label: (-counts[label], label))
    return {row.utterance_id: commonest for row in lines}


def tfidf_lr(train: Sequence[Utterance], lines: Sequence[Utterance]) -> dict[str, str]:
    """Labels by TF-IDF and logistic regression on each line's own text, without its context. Deterministic.

    The settings were chosen by weighted F1 on the dev splits of MELD and EmoryNLP, never on test.
    """
    if len({row.emotion for row in train}) < 2:
        return majority(train, lines)
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    rare = 2 if len(train) >= 1000 else 1  # in a small corpus every word may stand once
    words = TfidfVectorizer(token_pattern=WORDS_AND_MARKS, ngram_range=(1, 2), min_df=rare, sublinear_tf=True)
    with threadpool_limits(1):  # threads make this small problem ten times slower on a busy machine
        model = make_pipeline(words, LogisticRegression(C=4.0, max_iter=1000))
        model.fit([row.text for row in train], [row.emotion for row in train])
        found = model.predict([row.text for row in lines])
    return {row.utterance_id: str(label) for row, label in zip(lines, found, strict=True)}


FLOORS: dict[str, Callable[[Sequence[Utterance], Sequence[Utterance]], dict[str, str]]] = {
    "majority": majority,
    "tfidf_lr": tfidf_lr,
}
"""Each learns from train lines (the first) and labels lines (the second)."""


def floors(
    utterances: Sequence[Utterance], scored: Collection[str], names: Collection[str] = tuple(FLOORS)
) -> dict[str, dict[str, str]]:
    """What the floors say of the lines named in ``scored``, all of one corpus, learned from its train lines.

    Empty where the corpus has no train line or no line is named.
    """
    lines = [row for row in utterances if row.utterance_id in scored]
    corpora = {row.corpus for row in lines}
    train = [row for row in utterances if row.split == "train" and row.corpus in corpora]
    return {name: FLOORS[name](train, lines) for name in names} if train else {}
