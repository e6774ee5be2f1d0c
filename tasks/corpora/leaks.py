"""Train and dev lines that stand in a test split, their own or another corpus's: MELD and EmoryNLP are one series."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Literal

from model.dialogue import Rejected, Utterance
from model.errors import CorpusError

_WORD = re.compile(r"[^\W_]+")
_INSIDE = re.compile(r"['’`\u0300-\u036f]")
"""Apostrophes and, once letters are decomposed, their accents: "y'serious" and "Y’serious" are one word."""

Rule = Literal["drop", "refuse", "keep"]

REASON = "leak"

VERSION = 1
"""To be raised with every change of what is a leak: it is part of ingest's key where leaks are dropped."""

LONG_WORDS = 8
"""A line of so many words is told by itself: where two transcripts cut a scene differently, the line before differs."""

SAME = f"after the same line or in {LONG_WORDS} words or more"

Said = tuple[str, ...]
"""Normalised text of a line and of the line before it, or of a long line alone."""


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
    """Training utterance id to the test utterances that say the same.

    A line counts with the line before it, since "What?" alone stands in every script, and by itself from LONG_WORDS
    words on. Labels are not looked at. Leave the keys out of training before scoring on ``test``.
    """
    places: dict[Said, list[str]] = {}
    for said, row in _said(test):
        places.setdefault(said, []).append(row.utterance_id)
    found: dict[str, list[str]] = {}
    for said, row in _said(train):
        if said in places:
            found.setdefault(row.utterance_id, []).extend(places[said])
    return {line: tuple(dict.fromkeys(lines)) for line, lines in found.items()}


def settle(rows: Sequence[Utterance | Rejected], rule: Rule) -> list[Utterance | Rejected]:
    """``rows`` of one corpus or several with their train and dev lines that stand in any of their test splits settled.

    "drop" makes them Rejected and counts ``turn`` anew, so that the lines after one lose it from their context too;
    "keep" does nothing; "refuse" raises CorpusError where there is one.
    """
    if rule == "keep":
        return list(rows)
    lines = [row for row in rows if isinstance(row, Utterance)]
    found = leaks([row for row in lines if row.split != "test"], [row for row in lines if row.split == "test"])
    if found and rule == "refuse":
        raise CorpusError(
            f"{len(found)} lines of train and dev stand in a test split, {SAME} ({', '.join([*found][:3])}"
            f'{", …" if len(found) > 3 else ""}): set ingest.leaks = "drop" to leave them out, "keep" to keep them'
        )
    turns: dict[str, int] = {}
    settled: list[Utterance | Rejected] = []
    for row in rows:
        if isinstance(row, Rejected):
            settled.append(row)
        elif row.utterance_id in found:
            settled.append(_rejected(row.utterance_id, found[row.utterance_id]))
        else:
            dialogue = row.utterance_id.rsplit("/", 1)[0]
            turn = turns[dialogue] = turns.get(dialogue, -1) + 1
            settled.append(replace(row, turn=turn))
    return settled


def _rejected(utterance_id: str, places: Sequence[str]) -> Rejected:
    named = ", ".join(places[:3]) + (f" and {len(places) - 3} more" if len(places) > 3 else "")
    detail = f'it stands in {named}, {SAME}; left out of training (ingest.leaks = "keep" keeps it)'
    return Rejected(utterance_id, "ingest", REASON, detail)


def _said(utterances: Iterable[Utterance]) -> Iterator[tuple[Said, Utterance]]:
    for rows in dialogues(utterances).values():
        before = ""
        for row in rows:
            words = normalise(row.text)
            if words and before:
                yield (words, before), row
            if words.count(" ") + 1 >= LONG_WORDS:
                yield (words,), row
            before = words
