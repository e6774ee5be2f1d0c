"""What a cue says: who speaks, the emotion in square brackets, and the words."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from typing import NamedTuple

from model.emotions import labels
from tasks.corpora.transcript import BadRow, clean, shown

UNKNOWN = "Unknown"
"""The speaker where a cue names none."""
MAX_TEXT, MAX_NAME, NAME_WORDS = 10_000, 100, 4

_VOICE = re.compile(r"<v(?:\.[^\s<>]*)?[ \t]+([^<>]*)>", re.IGNORECASE)
_TAG = re.compile(
    r"</?(?:i|b|u|s|c|v|font|lang|ruby|rt)(?:[ \t.=][^<>]*)?>|<(?:\d+:)?\d\d:\d\d\.\d{3}>|\{\\[^{}]*\}", re.IGNORECASE
)
_BREAK = re.compile(r"<br ?/?>", re.IGNORECASE)
_NAMED = re.compile(r"([^:\[\]?!,;\"“”]{1,100}?)\s*((?:\[[^\[\]]*\]\s*)*):(?=\s|$)")
_DASH = re.compile(r"\A[-–—]\s+")
_TWO_DASHES = re.compile(r"(?:\[[^\[\]]*\]\s*)*[-–—].*\s[-–—]")
_MARK = re.compile(r"\[([^\[\]]*)\]\s*")


class Words(NamedTuple):
    """What one cue says; ``emotion`` is a label of the corpus."""

    speaker: str
    text: str
    emotion: str


def words(lines: Sequence[str], corpus: str, *, vtt: bool) -> Words:
    """The words of a cue's lines, as one line without markup.

    The speaker is a ``<v Ana>``, or what stands before the first colon: up to four words that do not begin with a
    small letter. The emotion is the one label of ``corpus`` among the brackets at the start, at the end, or beside the
    speaker; brackets with other words stay in the text. Raises BadRow: ``empty_text``, ``nul_byte``,
    ``text_too_long``, ``two_speakers``, ``bad_speaker``, ``unlabelled``, ``unknown_label``, ``two_labels``.
    """
    raw = _checked("\n".join(lines))
    voice, plain = _without_markup(raw, vtt)
    text = " ".join(plain.split())
    named = [line for line in plain.split("\n") if _named(_leading(line.strip())[1])]
    if _TWO_DASHES.match(text) or (voice is None and len(named) > 1):
        raise BadRow("two_speakers", "two speak in one cue; give each a cue")
    marks, text = _leading(text)
    inner, text = _leading(_DASH.sub("", text, count=1))
    marks += inner
    if voice is None and (found := _named(text)):
        voice, inner, text = found
        marks += inner
    inner, text = _leading(text)
    marks += inner
    text, last = _trailing(text)
    emotion = _emotion([*marks, *last], _MARK.findall(text), corpus)
    if not clean(text):
        raise BadRow("empty_text", "the cue has no words beside its brackets")
    before, after = ([f"[{mark}]" for mark in part if _label(mark) != emotion] for part in (marks, last))
    return Words(_speaker(voice), clean(" ".join([*before, text, *after])), emotion)


def _checked(raw: str) -> str:
    if "\0" in raw:
        raise BadRow("nul_byte", "the cue holds a NUL byte")
    if len(raw) > MAX_TEXT:
        raise BadRow("text_too_long", f"the cue has {len(raw)} characters, more than {MAX_TEXT}")
    if not raw.strip():
        raise BadRow("empty_text", "the cue has no text")
    return raw


def _without_markup(raw: str, vtt: bool) -> tuple[str | None, str]:
    """Who speaks by a ``<v Ana>`` (None without one), and the text without tags; lines stay apart."""
    voices = {" ".join(name.split()) for name in _VOICE.findall(raw)}
    if len(voices) > 1:
        raise BadRow("two_speakers", f"{len(voices)} speak in one cue; give each a cue")
    voice, text = (voices.pop() if voices else None), _TAG.sub("", _BREAK.sub(" ", raw))
    if vtt:
        voice, text = (html.unescape(voice) if voice else voice), html.unescape(text)
    return voice, text


def _named(text: str) -> tuple[str, list[str], str] | None:
    """``Ana [joy]: Hi.`` as speaker, brackets and the rest; None where no name stands before a colon."""
    bare = _DASH.sub("", text.strip())
    found = _NAMED.match(bare)
    if not found:
        return None
    name = found[1].split()
    if not 1 <= len(name) <= NAME_WORDS or any(word[0].islower() for word in name):
        return None
    return " ".join(name), _MARK.findall(found[2]), bare[found.end() :].strip()


def _leading(text: str) -> tuple[list[str], str]:
    """The brackets at the start, and what follows them."""
    marks: list[str] = []
    at = 0
    while found := _MARK.match(text, at):
        marks.append(found[1])
        at = found.end()
    return marks, text[at:]


def _trailing(text: str) -> tuple[str, list[str]]:
    """What stands before the brackets at the end, and those."""
    marks: list[str] = []
    while text.endswith("]") and (at := text.rfind("[")) >= 0 and "]" not in text[at:-1]:
        marks.insert(0, text[at + 1 : -1])
        text = text[:at].rstrip()
    return text, marks


def _label(mark: str) -> str:
    return clean(mark).lower()


def _emotion(marks: Sequence[str], inside: Sequence[str], corpus: str) -> str:
    """The label among the ``marks``; brackets ``inside`` the text give none, and may not hold one either."""
    known = labels(corpus)
    if not marks:
        raise BadRow("unlabelled", f"no emotion in square brackets at its start or end, such as [{known[0]}]")
    found = {_label(mark) for mark in marks} & {*known}
    if not found:
        raise BadRow("unknown_label", f"{shown(f'[{marks[0]}]')} is none of {', '.join(known)}")
    if len(found) > 1 or {_label(mark) for mark in inside} & {*known}:
        raise BadRow("two_labels", "more than one bracket names an emotion; leave one, at the start or the end")
    return found.pop()


def _speaker(voice: str | None) -> str:
    name = clean(voice or "") or UNKNOWN
    if len(name) > MAX_NAME:
        raise BadRow("bad_speaker", f"the speaker {name[:40]!r} has more than {MAX_NAME} characters")
    return name
