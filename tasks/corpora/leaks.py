"""Training lines of one corpus that stand in the test split of another: MELD and EmoryNLP are the same series."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from model.dialogue import Utterance

_WORD = re.compile(r"[^\W_]+")
_INSIDE = re.compile(r"['’`\u0300-\u036f]")
"""Apostrophes and, once letters are decomposed, their accents: "y'serious" and "Y’serious" are one word."""

Pair = tuple[str, str]
"""Normalised text of a line and of the line before it."""


def normalise(text: str) -> str:
    """The words alone, so that two transcribers' spellings meet; empty for a line without a word."""
    plain = _INSIDE.sub("", unicodedata.normalize("NFKD", text)).casefold()
    return " ".join(_WORD.findall(plain))


def dialogues(utterances: Iterable[Utterance]) -> dict[tuple[str, str, str], list[Utterance]]:
    """The lines by (corpus, split, dialogue id), in order of turn."""
    found: dict[tuple[str, str, str], list[Utterance]] = {}
    for row in utterances:
        found.setdefault((row.corpus, row.split, row.dialogue_id), []).append(row)
    return {key: sorted(rows, key=lambda row: row.turn) for key, rows in found.items()}


def leaks(train: Sequence[Utterance], test: Sequence[Utterance]) -> Mapping[str, tuple[str, ...]]:
    """Training utterance id to the test utterances that say the same after the same line.

    A line with its line before it counts, since "What?" alone stands in every script; so a dialogue's first line
    never does. Labels are not looked at. Leave the keys out of training before scoring on ``test``.
    """
    said: dict[Pair, list[str]] = {}
    for pair, row in _pairs(test):
        said.setdefault(pair, []).append(row.utterance_id)
    return {row.utterance_id: tuple(said[pair]) for pair, row in _pairs(train) if pair in said}


def _pairs(utterances: Iterable[Utterance]) -> Iterator[tuple[Pair, Utterance]]:
    for rows in dialogues(utterances).values():
        for before, row in pairwise(rows):
            pair = normalise(row.text), normalise(before.text)
            if all(pair):
                yield pair, row
