"""The demo's drawn world: what a picture can show, and the sentence that describes it.

A scene is plain data. ``describe`` is the ground truth that the demo captioner learns; ``parse_description``
reads the attributes back from any text, so that a caption can be scored attribute by attribute. Descriptions
name only what can be seen and never an emotion, so a caption cannot leak the label of an utterance.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

PLACES = ("kitchen", "living room", "office", "street", "park", "cafe", "bedroom", "hospital room")
SHOTS = ("close-up", "medium shot", "wide shot")
FIGURES = ("man", "woman")
CLOTHES = ("red", "orange", "yellow", "green", "blue", "purple", "white", "black")
HAIR = (
    "short black hair",
    "short brown hair",
    "short grey hair",
    "long black hair",
    "long blond hair",
    "curly red hair",
    "curly brown hair",
    "a bald head",
)
EXPRESSIONS = (
    "with a calm face",
    "smiling broadly with raised cheeks",
    "crying with tears on the cheeks",
    "looking down with a turned-down mouth",
    "glaring with clenched teeth",
    "with wide eyes and a round open mouth",
    "with slanted brows and chattering teeth",
    "with a wrinkled nose and the tongue out",
)
POSTURES = ("standing", "sitting", "arms crossed", "arms raised", "hands on the cheeks", "pointing upwards")
COUNTS = ("no people", "one person", "two people", "three people")
MAX_PEOPLE = 3
MAX_FRAMES = 4


@dataclass(frozen=True, slots=True)
class Person:
    """One drawn person; every field is an entry of the tuple of that name above."""

    figure: str
    hair: str
    clothing: str
    expression: str
    posture: str


@dataclass(frozen=True, slots=True)
class Scene:
    """One picture: ``people`` (0 to 3) from left to right; the mouth of ``people[speaker]`` moves."""

    place: str
    shot: str
    people: tuple[Person, ...]
    speaker: int = 0


def random_person(rng: np.random.Generator) -> Person:
    figure = _pick(rng, FIGURES)
    hair = _pick(rng, HAIR if figure == "man" else HAIR[:-1])
    return Person(figure, hair, _pick(rng, CLOTHES), _pick(rng, EXPRESSIONS), _pick(rng, POSTURES))


def random_scene(rng: np.random.Generator) -> Scene:
    """One scene, every attribute uniform; 1 or 2 people are more common than 0 or 3."""
    count = int(rng.choice(MAX_PEOPLE + 1, p=(0.05, 0.4, 0.35, 0.2)))
    people = tuple(random_person(rng) for _ in range(count))
    return Scene(_pick(rng, PLACES), _pick(rng, SHOTS), people, int(rng.integers(max(count, 1))))


def random_frames(rng: np.random.Generator, frames: int) -> tuple[Scene, ...]:
    """The scenes of one utterance: same people and place; the speaker's expression may change once.

    The camera stays (40 %), moves once (25 %), or every frame has a shot of its own, as in an edited film.
    """
    first = random_scene(rng)
    after = first
    camera = rng.random()
    if camera < 0.25:
        after = replace(after, shot=_pick(rng, SHOTS))
    if first.people and rng.random() < 0.5:
        people = list(first.people)
        people[first.speaker] = replace(people[first.speaker], expression=_pick(rng, EXPRESSIONS))
        after = replace(after, people=tuple(people))
    change = int(rng.integers(1, frames + 1))
    scenes = tuple(first if index < change else after for index in range(frames))
    if camera > 0.65:
        scenes = tuple(replace(scene, shot=_pick(rng, SHOTS)) for scene in scenes)
    return scenes


def describe(scenes: Sequence[Scene]) -> str:
    """The true description of the 1 to 4 frames of one utterance, in time order.

    Raises ValueError when the frames do not show the same place and the same people.
    """
    if not scenes:
        raise ValueError("describe needs at least one scene")
    first = scenes[0]
    for scene in scenes[1:]:
        if scene.place != first.place or list(map(_look, scene.people)) != list(map(_look, first.people)):
            raise ValueError("the frames of one utterance must share their place and people; split them")
    shot = ", then a ".join(_changes([scene.shot for scene in scenes]))
    opening = f"A {shot} {where(first.place)} shows {COUNTS[len(first.people)]}"
    if not first.people:
        return f"{opening}: the place is empty and nobody is in view."
    people = [_describe_person([scene.people[i] for scene in scenes]) for i in range(len(first.people))]
    if len(people) > 1:
        people[-1] = f"and {people[-1]}"
    return f"{opening}: {'; '.join(people)}."


def where(place: str) -> str:
    """The place with its preposition: "in a kitchen", "on a street"."""
    return f"{'on' if place == 'street' else 'in'} {_article(place)}"


def parse_description(text: str) -> dict[str, Any]:
    """Attributes named in ``text``, None for what is missing; never raises.

    Keys: ``place``, ``shots`` (tuple, in order), ``count`` (int), ``people`` (left to right; each a dict of
    ``figure``, ``hair``, ``clothing``, ``expressions`` (tuple, in order), ``posture``).
    """
    text = " ".join(text.lower().split())
    head, _, rest = text.partition(":")
    counts = [index for index, name in enumerate(COUNTS) if name in head]
    people = re.findall(r"\ban? (?:man|woman) in .*?(?=\ban? (?:man|woman) in |$)", rest)
    return {
        "place": _first(PLACES, head),
        "shots": tuple(_found(SHOTS, head)),
        "count": counts[0] if counts else None,
        "people": [_parse_person(person) for person in people],
    }


def _parse_person(text: str) -> dict[str, Any]:
    figure = re.match(r"an? (man|woman) in (\w+)", text)
    return {
        "figure": figure[1] if figure else None,
        "clothing": figure[2] if figure and figure[2] in CLOTHES else None,
        "hair": _first(HAIR, text),
        "posture": _first(POSTURES, text),
        "expressions": tuple(_found(EXPRESSIONS, text)),
    }


def _describe_person(frames: Sequence[Person]) -> str:
    person = frames[0]
    postures = _over_time([frame.posture for frame in frames])
    expressions = _over_time([frame.expression for frame in frames])
    return f"{_article(person.figure)} in {person.clothing} with {person.hair}, {postures}, {expressions}"


def _over_time(values: Sequence[str]) -> str:
    changed = _changes(values)
    return changed[0] if len(changed) == 1 else f"at first {', then '.join(changed)}"


def _changes(values: Sequence[str]) -> list[str]:
    return [values[0], *(after for before, after in pairwise(values) if after != before)]


def _look(person: Person) -> tuple[str, str, str]:
    return person.figure, person.hair, person.clothing


def _article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _found(names: Sequence[str], text: str) -> list[str]:
    at = [(match.start(), name) for name in names for match in re.finditer(re.escape(name), text)]
    return [name for _, name in sorted(at)]


def _first(names: Sequence[str], text: str) -> str | None:
    found = _found(names, text)
    return found[0] if found else None


def _pick(rng: np.random.Generator, names: Sequence[str]) -> str:
    return names[int(rng.integers(len(names)))]
