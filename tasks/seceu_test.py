"""The emotional-understanding test SECEU as a file of the user's: its items, their standard scores, its norms."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from model.errors import CorpusError
from model.ratings import TOTAL
from tasks.corpora.transcript import read_bytes

OPTIONS = 4
LARGEST = 1_000_000
"""Bytes of a file; the 40 published items have 18,000."""


@dataclass(frozen=True, slots=True)
class Item:
    """One story: the points (0 to 10, 10 in all) that people gave to each of its four options on average, and the mean
    distance of a person's points from these (``human``)."""

    name: str
    story: str
    options: tuple[str, ...]
    standard: tuple[float, ...]
    human: float


@dataclass(frozen=True, slots=True)
class Test:
    """``mean`` and ``sd`` are people's of the mean distance over all items. ``key`` is a digest of the file (and of the
    order of the options, where it is another)."""

    __test__ = False  # pytest takes it for one of its own

    key: str
    items: tuple[Item, ...]
    mean: float
    sd: float

    def shuffled(self, seed: int) -> Test:
        """The options of each item in another order, so that their place says nothing."""
        order, items = random.Random(seed), []
        for item in self.items:
            places = order.sample(range(OPTIONS), OPTIONS)
            options = tuple(item.options[place] for place in places)
            items.append(replace(item, options=options, standard=tuple(item.standard[place] for place in places)))
        return replace(self, key=f"{self.key}-{seed}", items=tuple(items))


def load(path: Path) -> Test:
    """The test in a JSON file (docs/evaluation.md shows its form). Raises CorpusError, naming the item at fault."""
    try:
        content = read_bytes(path, LARGEST)
    except OSError as error:
        raise CorpusError(f"{path} cannot be read ({error.strerror}): name the file of the test's items") from error
    if len(content) > LARGEST:
        raise CorpusError(f"{path} has more than {LARGEST:,} bytes: name the JSON file of the test's items")
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise CorpusError(f"{path} is not JSON ({str(error)[:80]}): name the JSON file of the test's items") from error
    if not isinstance(found, dict) or not isinstance(found.get("items"), list):
        raise CorpusError(f'{path} holds no object with a list "items": docs/evaluation.md shows the form')
    norms = [_number(found, name, str(path)) for name in ("population_mean_distance", "population_sd_distance")]
    if min(norms) <= 0:
        raise CorpusError(f"{path}: population_mean_distance and population_sd_distance must be above 0")
    items = tuple(_item(one, f"{path}, item {at}") for at, one in enumerate(found["items"], 1))
    if len(items) < 3 or len({item.name for item in items}) < len(items):
        raise CorpusError(f"{path}: it takes three items or more, each with an id of its own")
    return Test(hashlib.sha256(content).hexdigest()[:16], items, *norms)


def _item(one: Any, where: str) -> Item:
    if not isinstance(one, dict):
        raise CorpusError(f"{where} is no object")
    name, story, options, standard = (one.get(key) for key in ("id", "story", "options", "standard_scores"))
    if not isinstance(name, str | int) or isinstance(name, bool) or not 0 < len(str(name)) <= 100:
        raise CorpusError(f"{where}: id must be a number or a short text")
    where = f"{where} (id {name})"
    if not isinstance(story, str) or not 0 < len(story.strip()) <= 5_000:
        raise CorpusError(f"{where}: story must be a text of up to 5,000 characters")
    texts = options if isinstance(options, list) else []
    kinds = {text.strip().casefold() for text in texts if isinstance(text, str) and 0 < len(text.strip()) <= 100}
    if len(texts) != OPTIONS or len(kinds) != OPTIONS:
        raise CorpusError(f"{where}: options must be {OPTIONS} different texts of up to 100 characters")
    values = standard if isinstance(standard, list) else []
    points = [_number(dict(enumerate(values)), at, f"{where}, standard_scores") for at in range(len(values))]
    if len(points) != OPTIONS or min(points) < 0 or abs(sum(points) - TOTAL) > 0.05:
        raise CorpusError(f"{where}: standard_scores must be {OPTIONS} numbers from 0 on that add up to {TOTAL:g}")
    human = _number(one, "human_pattern", where)
    if human < 0:
        raise CorpusError(f"{where}: human_pattern is a distance, 0 or more")
    return Item(str(name), story.strip(), tuple(text.strip() for text in texts), tuple(points), human)


def _number(found: Mapping[Any, Any], name: Any, where: str) -> float:
    value = found.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= 1_000:
        raise CorpusError(f"{where}: {name} must be a number, not {str(value)[:40]!r}")
    return float(value)
