"""Ratings of four feelings that a story calls for, ten points shared out: how they are asked for and read.

The task is that of SECEU (Wang et al., Emotional Intelligence of Large Language Models, 2023).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from model.chat import Messages
from model.plain import plain

VERSION = 1
"""To be raised with every change of the text below: it is part of the key under which answers are kept."""

TOTAL = 10.0

Points = tuple[float, ...]
"""Of each option, in their order."""

_TASK = (
    "Read the story and say how much its main character feels each of the four emotions: share out 10 points between "
    "them, from 0 to 10 each, 10 in total. Answer with one line that gives each emotion and its points, nothing else."
)
_EXAMPLES = (
    (
        "Mara had saved for two years to see her brother abroad. On the morning of the flight the airport was closed "
        "for fog and she was given a seat for the next day. She would feel:",
        (("Annoyed", 3.0), ("Hopeful", 2.0), ("Disappointed", 4.0), ("Ashamed", 1.0)),
    ),
    (
        "Tomas told his friends that he could not cook. For his birthday they secretly paid for a course, and the "
        "first bread that he baked there was the best in the room. He would feel:",
        (("Guilty", 0.0), ("Grateful", 3.0), ("Proud", 5.0), ("Surprised", 2.0)),
    ),
)
EXAMPLES = len(_EXAMPLES)

_THOUGHT = re.compile(r"<think>.*?(?:</think>|$)", re.DOTALL)
_TAG = re.compile(r"</?[a-z][^<>]{0,40}>")
_NUMBER = r"(?<![-−.\d])\d{1,2}(?:\.\d{1,4})?(?![\w%]|\.\d|\s?%)"
_BETWEEN = r"[^\w\n]{0,8}(?:(?:score|rating|points|is)\b[^\w\n]{0,8})?"
_FOUR = re.compile(rf"[\s(\[]*({_NUMBER})" + rf"[,;/\s]+({_NUMBER})" * 3 + r"[\s)\].]*")
_LONGEST = 20_000


def ask(story: str, options: Sequence[str], examples: int, controls: Sequence[str] = ()) -> Messages:
    """The chat that asks for one story's ratings, with the first ``examples`` (0 to 2) worked ones before it.

    Story and options are from outside: they come as plain text, without the tokenizer's ``controls``.
    """
    task = _TASK
    if examples:
        task += "\n\nExamples:"
        for text, given in _EXAMPLES[:examples]:
            task += f"\n\n{_question(text, [name for name, _ in given])}\nAnswer: {_written(given)}"
    story, options = plain(story, controls), [plain(name, controls) for name in options]
    return ("system", task), ("user", f"{_question(story, options)}\nAnswer:")


def read(text: str, options: Sequence[str]) -> Points | None:
    """The points that an answer gives to each of ``options``, 0 to 10 each, as they stand: their sum may not be 10.

    None where an option has no number or two different ones, where a number is beyond 0 to 10 or a percentage, and
    where all are 0. Four numbers and nothing else are those of the options in their order. Markup does not matter.
    """
    said = _TAG.sub("", _THOUGHT.sub("", _folded(text[:_LONGEST])))
    if bare := _FOUR.fullmatch(said):
        return _in_range([float(number) for number in bare.groups()])
    names = [_folded(name) for name in options]
    either = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    found: dict[str, set[float]] = {name: set() for name in names}
    for name, number in re.findall(rf"(?<!\w)({either})(?!\w){_BETWEEN}({_NUMBER})", said):
        found[name].add(float(number))
    if any(len(values) != 1 for values in found.values()):
        return None
    return _in_range([found[name].pop() for name in names])


def _in_range(values: list[float]) -> tuple[float, ...] | None:
    return tuple(values) if max(values) <= TOTAL and sum(values) > 0 else None


def _question(story: str, options: Sequence[str]) -> str:
    return f"Story: {story}\nEmotions: {', '.join(options)}"


def _written(given: Sequence[tuple[str, float]]) -> str:
    return ", ".join(f"{name}: {points:g}" for name, points in given)


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()
