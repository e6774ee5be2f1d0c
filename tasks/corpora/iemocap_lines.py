"""The two line formats of IEMOCAP's release: evaluations and transcriptions of a dialogue.

An evaluation is a line of times, name, majority label and [valence, activation, dominance], then a line a rater::

    [6.2901 - 8.2357]	Ses01F_impro01_F000	neu	[2.5000, 2.5000, 2.5000]
    C-E2:	Neutral;	()
    A-E3:	val 3; act 2; dom  2;	()

A transcription is ``Ses01F_impro01_F000 [006.2901-008.2357]: Excuse me.``
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from tasks.corpora.transcript import clean

_TIME = r"(\d{1,6}(?:\.\d{1,9})?)"
_EVALUATION = re.compile(rf"\[{_TIME} *- *{_TIME}\]\s+(\w{{1,60}})\s+(\w{{1,20}})\s+\[[^\]]*\]\s*", re.ASCII)
_TRANSCRIPTION = re.compile(rf"(\w{{1,60}}) +\[{_TIME} *- *{_TIME}\]:(.*)", re.ASCII)
_RATER = re.compile(r"C-([A-Z]\d):([^(]*)", re.ASCII)
_EMOTION = re.compile(r"[a-z]{1,20}(?: [a-z]{1,20})?", re.ASCII)
_OTHER_LINES = ("%", "C-", "A-")
"""Heading, categorical ratings, and ratings in numbers (which are not kept)."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One evaluated line: seconds in the dialogue's recording, the majority's code ("neu"), and what raters said.

    ``raters`` holds one "E2:neutral" or "E1:anger,frustration" each; E are onlookers, F and M the actors themselves.
    """

    name: str
    start_s: float
    end_s: float
    code: str
    raters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Transcription:
    """One spoken line; its times repeat the evaluation's and are not kept."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class OddLine:
    """A line of neither form; ``number`` counts from 1."""

    number: int
    start: str


def evaluations(text: str) -> Iterator[Evaluation | OddLine]:
    """The evaluations of one dialogue in the file's order. Times may still be backwards and names foreign.

    A rating that is not of the usual form is left out: the majority label does not come from it.
    """
    current: Evaluation | None = None
    for number, line in _lines(text):
        if found := _EVALUATION.fullmatch(line):
            if current:
                yield current
            start, end, name, code = found.groups()
            current = Evaluation(name, float(start), float(end), code)
        elif not line.startswith(_OTHER_LINES):
            if current:
                yield current
            current = None  # the ratings that follow belong to a line that is not known
            yield OddLine(number, line[:60])
        elif current and (rating := _rating(line)):
            current = replace(current, raters=(*current.raters, rating))
    if current:
        yield current


def transcriptions(text: str) -> Iterator[Transcription | OddLine]:
    """The spoken lines of one dialogue in the file's order, with clean text."""
    for number, line in _lines(text):
        if found := _TRANSCRIPTION.fullmatch(line):
            yield Transcription(found[1], clean(found[4]))
        else:
            yield OddLine(number, line[:60])


def _rating(line: str) -> str | None:
    found = _RATER.match(line)
    if not found:
        return None
    words = [word.strip().lower() for word in found[2].split(";")]
    emotions = [word for word in words if _EMOTION.fullmatch(word)]
    return f"{found[1]}:{','.join(emotions)}" if emotions else None


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines that hold anything, with their numbers; only line feeds and carriage returns end a line."""
    for number, line in enumerate(io.StringIO(text, newline=None), 1):
        if bare := line.strip(" \t\n"):  # strip() would also take \x85, which may be a Windows-1252 ellipsis
            yield number, bare
