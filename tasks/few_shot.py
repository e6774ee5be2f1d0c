"""The worked examples of a prompt: train lines of its corpus, drawn by seed for all alike or the most alike to each."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import accumulate, chain, groupby, zip_longest
from typing import Literal

from model.dialogue import Utterance, split_of
from model.emotions import labels
from tasks import nearest

By = Literal["seed", "class", "nearest"]

VERSION = 1
"""To be raised with every change of what is drawn: it is part of the instructions' key."""

POOL = 2048
"""Train utterances that are enough to draw from: a shard's work must not grow with the corpus."""


def shards_of_pool(sizes: Sequence[int], seed: int, enough: int) -> list[int]:
    """Which train shards (places in ``sizes``, their numbers of rows) are the pool: drawn until they hold enough."""
    order = list(range(len(sizes)))
    random.Random(seed).shuffle(order)
    before = accumulate((sizes[place] for place in order), initial=0)
    return [place for place, rows in zip(order, before, strict=False) if rows < enough]


def examples(
    utterances: Sequence[Utterance], pool: Sequence[Utterance], n: int, by: By, seed: int
) -> Iterator[tuple[Utterance, ...]]:
    """The ``n`` examples of each of ``utterances`` (whole dialogues, in order), from ``pool``'s lines of its corpus.

    The first is the one to keep longest where a prompt has no room for all.
    """
    drawn: dict[str, Draw | nearest.Nearest] = {}
    for corpus, lines in groupby(utterances, key=lambda line: line.corpus):
        if corpus not in drawn:
            own = [row for row in pool if row.corpus == corpus]
            drawn[corpus] = (
                Draw(own, n, by, seed) if by != "nearest" else nearest.fitted(_shuffled(own, random.Random(seed)), n)
            )
        yield from drawn[corpus].of(list(lines))


class Draw:
    """Draws ``n`` lines from ``pool`` (its train lines only), at random or one of each label in turn.

    The pool is of one corpus: examples show its labels. The same pool and seed give the same lines; no text comes
    twice, perhaps with two labels. A dialogue whose own line is among them gets the next ones instead.
    """

    def __init__(self, pool: Sequence[Utterance], n: int, by: By, seed: int) -> None:
        rng = random.Random(seed)
        order = _shuffled(pool, rng)
        self._labels = list(labels(order[0].corpus)) if order else []
        rng.shuffle(self._labels)  # else fewer examples than labels would always leave out the same ones
        self._order = list({row.text.casefold(): row for row in reversed(order)}.values())[::-1]
        self._n, self._by = n, by
        self._common = self._first(self._order)
        self._homes = {dialogue_of(row.utterance_id) for row in self._common}

    def of(self, lines: Sequence[Utterance]) -> Iterator[tuple[Utterance, ...]]:
        """The examples of each line."""
        return (self.examples(dialogue_of(line.utterance_id)) for line in lines)

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


def _shuffled(pool: Sequence[Utterance], rng: random.Random) -> tuple[Utterance, ...]:
    """The train lines of ``pool`` in an order that only the generator decides."""
    order = sorted((row for row in pool if split_of(row.utterance_id) == "train"), key=lambda row: row.utterance_id)
    rng.shuffle(order)
    return tuple(order)


def dialogue_of(utterance_id: str) -> str:
    """``dialogue_of("meld/train/38/4") == "meld/train/38"``."""
    return utterance_id.rsplit("/", 1)[0]
