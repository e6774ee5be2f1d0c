"""The cues of an SRT or WebVTT file. A damaged one costs itself alone, and every line of the file is in a result.

A file that begins with WEBVTT is WebVTT: it may have NOTE, STYLE and REGION blocks, and names for cues. The packages
srt, pysubs2 and webvtt-py were tried: what they cannot read they add to the text of the cue before or leave out
without a word, or they refuse the whole file.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass

from tasks.corpora.transcript import BadRow

ARROW = "-->"
_HEADER = re.compile(r"WEBVTT(?![^ \t\r\n])")
_ASIDE = re.compile(r"(?:NOTE|STYLE|REGION)(?:[ \t]|$)")
_CLOCK = r"(?:(\d{1,4}):)?([0-5]?\d):([0-5]?\d)[,.](\d{3})"
_TIMES = re.compile(rf"{_CLOCK}\s*{ARROW}\s*{_CLOCK}(?:\s.*)?", re.ASCII)

Line = tuple[int, str]
"""A line that is not empty, and its number in the file, from 1."""


@dataclass(frozen=True, slots=True)
class Cue:
    """One cue as it stands: ``times`` is its line with the arrow, ``line`` that line's number, ``text`` the rest."""

    line: int
    times: str
    text: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OddLines:
    """Lines that are no cue; ``reason`` is the fixed word for ``rejects.reason``, ``line`` the number of the first."""

    line: int
    reason: str
    detail: str


def is_vtt(text: str) -> bool:
    """Whether the text of a file is WebVTT."""
    return _HEADER.match(text) is not None


def cues(text: str) -> Iterator[Cue | OddLines]:
    """Everything that the file holds, in its order. Cues are parted by empty lines; their times may make no sense."""
    vtt = is_vtt(text)
    for at, block in enumerate(_blocks(text)):
        yield from _block(_without_header(block) if vtt and at == 0 else block, vtt)


def seconds(times: str) -> tuple[float, float]:
    """Start and end of ``00:00:01,000 --> 00:00:02.500``; hours may be left out, settings may follow.

    Raises BadRow (``bad_times``, ``end_before_start``). Three digits must follow the comma or point: of fewer no one
    knows whether ",5" is half a second.
    """
    found = _TIMES.fullmatch(times)
    if not found:
        raise BadRow("bad_times", f"{times[:60]!r} is not like 00:00:01,000 --> 00:00:02,500")
    start, end = (_clock(found.groups()[at : at + 4]) for at in (0, 4))
    if end <= start:
        raise BadRow("end_before_start", f"the cue ends at {end:g} s, not after its start at {start:g} s")
    return start, end


def _clock(parts: tuple[str | None, ...]) -> float:
    hours, minutes, whole, thousandths = (int(part or 0) for part in parts)
    return (((hours * 60 + minutes) * 60 + whole) * 1000 + thousandths) / 1000


def _blocks(text: str) -> Iterator[list[Line]]:
    block: list[Line] = []
    for number, line in enumerate(io.StringIO(text, newline=None), 1):
        if bare := line.strip(" \t\n"):  # strip() would also take \x85, which may be a Windows-1252 ellipsis
            block.append((number, bare))
        elif block:
            yield block
            block = []
    if block:
        yield block


def _without_header(block: list[Line]) -> list[Line]:
    """The first block of a WebVTT file from its first times on: what stands above them describes the file."""
    return next((block[at:] for at, (_, line) in enumerate(block) if ARROW in line), [])


def _block(block: list[Line], vtt: bool) -> Iterator[Cue | OddLines]:
    at = [place for place, (_, line) in enumerate(block) if ARROW in line]
    if len(at) > 1:
        for place in at:
            yield OddLines(block[place][0], "no_gap", "no empty line parts this cue from the next or the one before")
    elif at:
        above, (number, times), below = block[: at[0]], block[at[0]], block[at[0] + 1 :]
        if len(above) > 1 or not all(vtt or line.isdecimal() for _, line in above):
            yield _stray(above)
        yield Cue(number, times, tuple(line for _, line in below))
    elif block and not (vtt and _ASIDE.match(block[0][1])):
        yield _stray(block)


def _stray(lines: list[Line]) -> OddLines:
    number, first = lines[0]
    return OddLines(number, "stray_text", f"{first[:40]!r} stands outside of a cue")
