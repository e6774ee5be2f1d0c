"""What a caption says of people, held against the faces and the people that detectors found."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from model.cues import UNSURE
from model.dialogue import FoundPerson, Keyframe

_PEOPLE = r"(?:people|persons?|m[ae]n|wom[ae]n|boys?|girls?|child(?:ren)?|guys?|lad(?:y|ies)|faces?|figures?)"
_NUMBERS = {
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
}
_COUNTED = re.compile(rf"\b(\d{{1,2}}|an?|another|{'|'.join(_NUMBERS)}) (?:[\w-]+ ){{0,2}}?{_PEOPLE}\b")
_MENTIONED = re.compile(rf"\b{_PEOPLE}\b")
_DENIED = re.compile(rf"\b(?:nobody|no one|no (?:\w+ )?{_PEOPLE}|without (?:any )?{_PEOPLE})\b(?! else)")
_VAGUE = re.compile(r"\b(?:others?|several|some|many|few|group|crowd|pair|couple|audience|more)\b")


def contradiction(text: str, frames: Sequence[Keyframe], people: Sequence[FoundPerson] | None = None) -> str | None:
    """In a word what speaks against a caption of ``frames``; None where nobody looked, "none" where nothing.

    ``no_face``: people are spoken of, but no frame has a face (a back, or an invention); ``no_person``: and no body
    either, where those were looked for. ``people_denied``: nobody is said to be in view, but a face or somebody is.
    ``too_few_people``: fewer are counted than one frame has faces, or people.
    """
    if not frames or (people is None and any(frame.face_boxes is None for frame in frames)):
        return None
    faces = [frame.face_boxes or () for frame in frames]
    bodies = Counter(rank for rank, *_, score in people or () if score >= UNSURE)
    sure = max(*(sum(box[4] >= UNSURE for box in boxes) for boxes in faces), *bodies.values(), 0)
    plain = text.casefold()
    others, denials = _DENIED.subn(" ", plain)
    if _MENTIONED.search(others) and not any(faces) and not people:
        return "no_face" if people is None else "no_person"
    if denials and sure and not _MENTIONED.search(others):
        return "people_denied"
    counted = [_number(word) for word in _COUNTED.findall(others)]
    explicit = any(word in _NUMBERS or word.isdigit() for word in _COUNTED.findall(others))
    return "too_few_people" if explicit and sum(counted) < sure and not _VAGUE.search(others) else "none"


def _number(word: str) -> int:
    return int(word) if word.isdigit() else _NUMBERS.get(word, 1)
