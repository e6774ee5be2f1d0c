"""What small detectors find in the frames of a shard's lines, where the settings of captions ask for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from model import detectors, pinned_cache, small_network
from model.detectors import EXPRESSIONS, OBJECTS, OBJECTS_LAYERS, PEOPLE, Detected
from model.dialogue import Keyframe
from model.errors import SettingsError, VideoError
from model.pinned_file import PinnedFile
from tasks.check_text import Finding
from tasks.stage import Context

Expressions = Literal["off", "measure", "tell"]
SECONDS = {"people": 0.016, "expressions": 0.006, "objects": 0.094}
"""Of a core for a picture, with one face in it; measured, as docs/captions.md says."""
Found = Mapping[str, Detected | VideoError]
NO_FACES = 'captions.expressions are read in faces: set keyframes.face_model = "yunet", or captions.expressions = "off"'


@dataclass(frozen=True, slots=True)
class Asked:
    """Which detectors shall look: the settings of these names."""

    people: bool = False
    expressions: Expressions = "off"
    objects: bool = False

    def pins(self) -> Mapping[str, Sequence[PinnedFile]]:
        """The files of each detector, by its setting."""
        wanted = {
            "people": ((PEOPLE,), self.people),
            "expressions": ((EXPRESSIONS,), self.expressions != "off"),
            "objects": ((OBJECTS, OBJECTS_LAYERS), self.objects),
        }
        return {name: pins for name, (pins, on) in wanted.items() if on}

    def seconds(self) -> Mapping[str, float]:
        """Of a core for a picture, by each detector."""
        return {name: SECONDS[name] for name in self.pins()}


def detected(frames: Mapping[str, Sequence[Keyframe]], asked: Asked, context: Context) -> Found:
    """By utterance id what is found in its frames, or why they cannot be looked at; nothing where nothing is asked.

    SettingsError without the extra that people and expressions need, or for expressions where nobody looked for faces;
    WeightsError.
    """
    if not asked.pins():
        return {}
    reads = asked.expressions != "off"
    if reads and any(frame.face_boxes is None for shown in frames.values() for frame in shown):
        raise SettingsError(NO_FACES)
    loaded = detectors.load(
        people=asked.people,
        expressions=reads,
        objects=asked.objects,
        cache=context.cache,
        progress=context.progress,
    )
    found: dict[str, Detected | VideoError] = {}
    for utterance_id, shown in frames.items():
        try:
            found[utterance_id] = loaded.look(shown)
        except VideoError as error:
            found[utterance_id] = error
        context.progress(len(found), len(frames), "lines looked at")
    return found


def identity(asked: Asked) -> Mapping[str, str]:
    """The weights that decide what is found."""
    return {
        name: "-".join([*(pinned.sha256 for pinned in pins), str(detectors.VERSION)])
        for name, pins in asked.pins().items()
    }


def findings(asked: Asked, faces: bool, cache: Path) -> Iterator[Finding]:
    """What a run would stop for, and which weights are yet to come. ``faces``: a face detector will run."""
    wanted = asked.pins()
    if {"people", "expressions"} & wanted.keys() and not small_network.installed():
        yield Finding("error", "captioner", "captions", small_network.MISSING)
    if asked.expressions != "off" and not faces:
        yield Finding("error", "captioner", "captions", NO_FACES)
    for pins in wanted.values():
        here = pinned_cache.at_hand(pins, cache)
        told = "on this machine" if here else "not on this machine yet: a run fetches it first"
        yield Finding("info", "weights", pins[0].name, told)


def room(asked: Asked, cache: Path) -> int:
    """Bytes that the files yet to be fetched take."""
    return sum(pinned_cache.room(pins, cache) for pins in asked.pins().values())
