"""The worked examples of a prompt: train lines drawn by seed, the same for all utterances as far as may be."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from itertools import chain, zip_longest
from typing import Literal

from model.dialogue import Utterance, split_of
from model.emotions import labels

By = Literal["seed", "class"]

VERSION = 1
"""To be raised with every change of what is drawn: it is part of the instructions' key."""

POOL = 2048
"""Train utterances that are enough to draw from: a shard's work must not grow with the corpus."""


class Draw:
    """Draws ``n`` lines from ``pool`` (its train lines only), at random or one of each label in turn.

    The pool is of one corpus: examples show its labels. The same pool and seed give the same lines; no text comes
    twice, perhaps with two labels. A dialogue whose own line is among them gets the next ones instead.
    """

    def __init__(self, pool: Sequence[Utterance], n: int, by: By, seed: int) -> None:
        order = sorted((row for row in pool if split_of(row.utterance_id) == "train"), key=lambda row: row.utterance_id)
        rng = random.Random(seed)
        rng.shuffle(order)
        self._labels = list(labels(order[0].corpus)) if order else []
        rng.shuffle(self._labels)  # else fewer examples than labels would always leave out the same ones
        self._order = list({row.text.casefold(): row for row in reversed(order)}.values())[::-1]
        self._n, self._by = n, by
        self._common = self._first(self._order)
        self._homes = {dialogue_of(row.utterance_id) for row in self._common}

    def examples(self, dialogue: str) -> tuple[Utterance, ...]:
        """The lines for an utterance of ``dialogue``, in the order in which they are shown; fewer in a tiny corpus."""
        if dialogue not in self._homes:
            return self._common
        return self._first([row for row in self._order if dialogue_of(row.utterance_id) != dialogue])

    def _first(self, rows: Sequence[Utterance]) -> tuple[Utterance, ...]:
        if self._by == "seed":
            return tuple(rows[: self._n])
        by_label: dict[str, list[Utterance]] = defaultdict(list)
        for row in rows:
            if len(by_label[row.emotion]) < self._n:
                by_label[row.emotion].append(row)
        turns = chain.from_iterable(zip_longest(*(by_label[label] for label in self._labels)))
        return tuple(row for row in turns if row is not None)[: self._n]


def dialogue_of(utterance_id: str) -> str:
    """``dialogue_of("meld/train/38/4") == "meld/train/38"``."""
    return utterance_id.rsplit("/", 1)[0]
