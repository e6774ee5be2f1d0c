"""The worked examples most like the line to label, by TF-IDF over words and marks; fitted on the examples alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any

from model.dialogue import Utterance
from tasks.corpora.leaks import normalise
from tasks.floors import WORDS_AND_MARKS

VERSION = 1
"""To be raised with every change of what is found: it is part of the instructions' key."""

Pair = tuple[str, str]
"""Normalised text of a line and of the line before it."""

_TOGETHER = 256  # lines compared in one product: 20 MB for ten thousand candidates
_DIGITS = 6  # what differs by rounding only is equally like, on every machine


class Nearest:
    """The ``n`` lines of ``pool`` most like a line, by the cosine of their TF-IDF; deterministic.

    ``pool`` holds whole dialogues of one corpus; of equally alike lines, and for a line like none, the first in it
    count. Never a line of the dialogue itself, never one that says the same after the same line (a dialogue that
    stands in the corpus twice), and no text twice.
    """

    def __init__(self, pool: Sequence[Utterance], n: int) -> None:
        self._pool, self._n = pool, n
        self._texts = [row.text.casefold() for row in pool]
        self._pairs = _pairs(sorted(pool, key=lambda row: (_dialogue(row), row.turn)))
        self._words: Any = None
        if n and any(map(normalise, self._texts)):
            from sklearn.feature_extraction.text import TfidfVectorizer

            self._words = TfidfVectorizer(token_pattern=WORDS_AND_MARKS, ngram_range=(1, 2), sublinear_tf=True)
            self._known = self._words.fit_transform(row.text for row in pool).T.tocsc()

    def of(self, lines: Sequence[Utterance]) -> Iterator[tuple[Utterance, ...]]:
        """The examples of each of ``lines`` (whole dialogues, in order of turn), the most alike first."""
        pairs = _pairs(lines)
        for start in range(0, len(lines), _TOGETHER):
            some = lines[start : start + _TOGETHER]
            for line, order in zip(some, self._orders(some), strict=True):
                yield tuple(islice(self._allowed(line, pairs[line.utterance_id], order), self._n))

    def _orders(self, lines: Sequence[Utterance]) -> Iterator[Sequence[int]]:
        """Places in the pool, the most alike first."""
        if self._words is None:
            yield from (range(len(self._pool)) for _ in lines)
            return
        import numpy as np

        likeness = (self._words.transform(line.text for line in lines) @ self._known).toarray()
        yield from np.argsort(-likeness.round(_DIGITS), axis=1, kind="stable")

    def _allowed(self, line: Utterance, pair: Pair, order: Sequence[int]) -> Iterator[Utterance]:
        shown: set[str] = set()
        for place in order:
            row = self._pool[place]
            if _dialogue(row) == _dialogue(line) or self._pairs[row.utterance_id] == pair:
                continue
            if self._texts[place] not in shown:
                shown.add(self._texts[place])
                yield row


@lru_cache(maxsize=4)
def fitted(pool: tuple[Utterance, ...], n: int) -> Nearest:
    """The same ``Nearest`` for all shards of a stage in this process."""
    return Nearest(pool, n)


def _pairs(lines: Sequence[Utterance]) -> dict[str, Pair]:
    """Utterance id to what it says and what the line before it says, "" for a dialogue's first."""
    found: dict[str, Pair] = {}
    before: dict[str, str] = {}
    for line in lines:
        words = normalise(line.text)
        found[line.utterance_id] = words, before.get(_dialogue(line), "")
        before[_dialogue(line)] = words
    return found


def _dialogue(line: Utterance) -> str:
    return line.utterance_id.rsplit("/", 1)[0]
