"""Names that look the same and are not: two dialogues, or two speakers of one, that nobody could tell apart."""

from __future__ import annotations

import unicodedata

_LIKE_LATIN = str.maketrans(
    "аеорсухіјѕһԁԛԝАВЕКМНОРСТУХІЈЅαονιΑΒΕΖΗΙΚΜΝΟΡΤΥΧ\u2010\u2011\u2012\u2013\u2014\u2212\u2018\u2019",
    "aeopcyxijshdqwABEKMHOPCTYXIJSaoviABEZHIKMNOPTYX------''",
)
"""Cyrillic and Greek letters that most typefaces draw as Latin ones; dashes and apostrophes."""


class LookAlikes:
    """Remembers names, each in a ``place`` of its own kind."""

    def __init__(self) -> None:
        self._first: dict[tuple[str, ...], str] = {}

    def other(self, name: str, *place: str) -> str | None:
        """The first name in the place that looks like ``name`` and is not it; None where there is none."""
        first = self._first.setdefault((skeleton(name), *place), name)
        return None if first == name else first


def skeleton(name: str) -> str:
    """Equal for names that look the same: compatible forms as one, nothing invisible, Latin letters for their doubles.

    Not every pair of Unicode's list of confusables is known: letters of other scripts, "l" and "1", "rn" and "m" stay.
    """
    if name.isascii():
        return name
    seen = "".join(char for char in unicodedata.normalize("NFKC", name) if unicodedata.category(char) != "Cf")
    return seen.translate(_LIKE_LATIN)
