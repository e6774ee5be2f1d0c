"""The demo corpus before it is drawn: script.toml as dialogues, lines and the shots that the camera takes.

All people in view, the place and their looks stay the same through a line, so that every line has a true
description (tasks/demo/world.py); shot size and the speaker's expression may change from shot to shot.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from model.dialogue import SPLITS
from model.errors import CorpusError
from tasks.demo.world import (
    CLOTHES,
    EXPRESSIONS,
    FIGURES,
    HAIR,
    MAX_PEOPLE,
    PLACES,
    POSTURES,
    SHOTS,
    Person,
    Scene,
)

SCRIPT = Path(__file__).with_name("script.toml")
SENTIMENTS = ("positive", "negative", "neutral")
LINE_KEYS = (
    "speaker",
    "text",
    "emotion",
    "sentiment",
    "face",
    "before",
    "listeners",
    "posture",
    "view",
    "shots",
)
SHOT_WEIGHTS = {"close-up": 1.6, "medium shot": 1.1, "wide shot": 1.0}


class Shot(NamedTuple):
    """What the camera sees for ``seconds``."""

    scene: Scene
    seconds: float


@dataclass(frozen=True, slots=True)
class Line:
    """One utterance: 2 to 4 shots, 1.6 to 4 seconds in all."""

    speaker: str
    text: str
    emotion: str
    sentiment: str
    shots: tuple[Shot, ...]


@dataclass(frozen=True, slots=True)
class Dialogue:
    """``dialogue_id`` counts from 0 within its split, as MELD's does: ids repeat between splits."""

    split: str
    dialogue_id: str
    lines: tuple[Line, ...]


def load_script(path: Path = SCRIPT) -> tuple[Dialogue, ...]:
    """The dialogues of a script in file order.

    Raises CorpusError, naming dialogue and line, for a word that the drawn world or the script does not know.
    """
    try:
        script = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CorpusError(f"cannot read the script {path}: {error}; restore the file") from error
    _check_keys(script, ("cast", "faces", "emotions", "dialogue"), (), path.name)
    _check_tables(script, path.name)
    dialogues: list[Dialogue] = []
    for block in script["dialogue"]:
        _check_keys(block, ("split", "place", "people", "lines"), ("posture",), f"dialogue {len(dialogues)}")
        split = _one_of(block["split"], SPLITS, "split", f"dialogue {len(dialogues)}")
        number = str(sum(dialogue.split == split for dialogue in dialogues))
        dialogues.append(_dialogue(split, number, block, script))
    return tuple(dialogues)


def _check_tables(script: Mapping[str, Any], name: str) -> None:
    for actor, look in script["cast"].items():
        at = f"{name}, cast {actor}"
        _check_keys(look, ("figure", "hair", "clothing"), (), at)
        for key, allowed in (("figure", FIGURES), ("hair", HAIR), ("clothing", CLOTHES)):
            _one_of(look[key], allowed, key, at)
    for face, expression in script["faces"].items():
        _one_of(expression, EXPRESSIONS, "expression", f"{name}, face {face}")
    for emotion, usual in script["emotions"].items():
        at = f"{name}, emotion {emotion}"
        _check_keys(usual, ("face",), ("sentiment",), at)
        _one_of(usual["face"], script["faces"], "face", at)


def _dialogue(split: str, number: str, block: Mapping[str, Any], script: Mapping[str, Any]) -> Dialogue:
    at = f"dialogue {split}/{number}"
    _one_of(block["place"], PLACES, "place", at)
    _one_of(block.get("posture", POSTURES[0]), POSTURES, "posture", at)
    if not 2 <= len(block["people"]) <= MAX_PEOPLE:
        raise CorpusError(f"{at}: {len(block['people'])} people; 2 to {MAX_PEOPLE} can be drawn")
    for actor in block["people"]:
        _one_of(actor, script["cast"], "person", at)
    lines = (_line(line, turn, block, script, f"{at}, line {turn}") for turn, line in enumerate(block["lines"]))
    return Dialogue(split, number, tuple(lines))


def _line(line: Mapping[str, Any], turn: int, block: Mapping[str, Any], script: Mapping[str, Any], at: str) -> Line:
    _check_keys(line, LINE_KEYS[:3], LINE_KEYS[3:], at)
    speaker = _one_of(line["speaker"], block["people"], "speaker", at)
    usual = script["emotions"][_one_of(line["emotion"], script["emotions"], "emotion", at)]
    sentiment = _one_of(line.get("sentiment", usual.get("sentiment")), SENTIMENTS, "sentiment", at)
    if not isinstance(line["text"], str) or not line["text"].strip():
        raise CorpusError(f"{at}: no text; write what {speaker} says")
    face = line.get("face", usual["face"])
    for key in ("face", "before", "listeners"):
        _one_of(line.get(key, face), script["faces"], key, at)
    _one_of(line.get("posture", POSTURES[0]), POSTURES, "posture", at)
    default_view = "all" if turn % 2 == 0 or "listeners" in line else "speaker"
    everyone = _one_of(line.get("view", default_view), ("all", "speaker"), "view", at) == "all"
    seconds = round(min(4.0, max(1.6, 1.2 + 0.22 * len(line["text"].split()))), 2)
    sizes = line.get("shots") or _shot_sizes(seconds, everyone)
    if not 2 <= len(sizes) <= 4:
        raise CorpusError(f"{at}: {len(sizes)} shots; a line has 2 to 4")
    in_view = block["people"] if everyone else [speaker]
    weights = [SHOT_WEIGHTS[_one_of(size, SHOTS, "shot", at)] for size in sizes]
    shots = []
    for index, (size, weight) in enumerate(zip(sizes, weights, strict=True)):
        now = line.get("before", face) if index == 0 else face
        people = tuple(_person(actor, line, now, block, script) for actor in in_view)
        scene = Scene(block["place"], size, people, in_view.index(speaker))
        shots.append(Shot(scene, seconds * weight / sum(weights)))
    return Line(speaker, line["text"], line["emotion"], sentiment, tuple(shots))


def _shot_sizes(seconds: float, everyone: bool) -> tuple[str, ...]:
    """The camera comes closer on the words and, in a long line, steps back to see how they are taken."""
    first = "wide shot" if everyone else "medium shot"
    if seconds < 2.5:
        return first, "close-up"
    return (first, "close-up", "medium shot") if seconds < 3.4 else (first, "close-up", "medium shot", "close-up")


def _person(
    actor: str, line: Mapping[str, Any], face: str, block: Mapping[str, Any], script: Mapping[str, Any]
) -> Person:
    posture = block.get("posture", POSTURES[0])
    if actor == line["speaker"]:
        posture = line.get("posture", posture)
    else:
        face = line.get("listeners", "calm")
    return Person(**script["cast"][actor], expression=script["faces"][face], posture=posture)


def _check_keys(table: Mapping[str, Any], needed: Collection[str], optional: Collection[str], at: str) -> None:
    missing = [key for key in needed if key not in table]
    unknown = [key for key in table if key not in needed and key not in optional]
    if missing or unknown:
        faults = [f"{key!r} is missing" for key in missing] + [f"{key!r} is not known" for key in unknown]
        raise CorpusError(f"{at}: {', '.join(faults)}; keys: {', '.join([*needed, *optional])}")


def _one_of(value: object, allowed: Collection[str], what: str, at: str) -> str:
    if not isinstance(value, str) or value not in allowed:
        raise CorpusError(f"{at}: {what} {value!r} is not known; use one of: {', '.join(allowed)}")
    return value
