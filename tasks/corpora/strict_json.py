"""JSON of a transcript, in which nothing is read in two ways."""

from __future__ import annotations

import json
from typing import Any


def loads(text: str) -> Any:
    """The value of ``text``; in the place of an object that has a key twice None, as which of the two counts is a
    guess. Raises ValueError for what is no JSON, NaN and Infinity included, and for nesting without end."""
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
    except RecursionError as error:
        raise ValueError("too many brackets in each other") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any] | None:
    found = dict(pairs)
    return found if len(found) == len(pairs) else None


def _constant(name: str) -> None:
    raise ValueError(f"{name} is no number in JSON")
