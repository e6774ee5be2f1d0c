"""What small detectors find in the frames of a shard's lines, where the settings of captions ask for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from model import detectors, pinned_cache, small_network
from model.detectors import EXPRESSIONS, PEOPLE, Detected
from model.dialogue import Keyframe
from model.errors import SettingsError, VideoError
from model.pinned_file import PinnedFile
from tasks.check_text import Finding
from tasks.stage import Context

Expressions = Literal["off", "measure", "tell"]
Found = Mapping[str, Detected | VideoError]
NO_FACES = 'captions.expressions are read in faces: set keyframes.face_model = "yunet", or captions.expressions = "off"'


def detected(
    frames: Mapping[str, Sequence[Keyframe]], people: bool, expressions: Expressions, context: Context
) -> Found:
    """By utterance id what is found in its frames, or why they cannot be looked at; nothing where nothing is asked.

    SettingsError without the extra, or for expressions where nobody looked for faces; WeightsError.
    """
    if not asked(people, expressions):
        return {}
    if expressions != "off" and any(frame.face_boxes is None for shown in frames.values() for frame in shown):
        raise SettingsError(NO_FACES)
    loaded = detectors.load(people, expressions != "off", context.cache, context.progress)
    found: dict[str, Detected | VideoError] = {}
    for utterance_id, shown in frames.items():
        try:
            found[utterance_id] = loaded.look(shown)
        except VideoError as error:
            found[utterance_id] = error
        context.progress(len(found), len(frames), "lines looked at")
    return found


def identity(people: bool, expressions: Expressions) -> Mapping[str, str]:
    """The weights that decide what is found."""
    return {name: f"{pinned.sha256}-{detectors.VERSION}" for name, pinned in asked(people, expressions).items()}


def findings(people: bool, expressions: Expressions, faces: bool, cache: Path) -> Iterator[Finding]:
    """What a run would stop for, and which weights are yet to come. ``faces``: a face detector will run."""
    wanted = asked(people, expressions)
    if wanted and not small_network.installed():
        yield Finding("error", "captioner", "captions", small_network.MISSING)
    if expressions != "off" and not faces:
        yield Finding("error", "captioner", "captions", NO_FACES)
    for pinned in wanted.values():
        here = pinned_cache.at_hand(pinned, cache)
        told = "on this machine" if here else "not on this machine yet: a run fetches it first"
        yield Finding("info", "weights", pinned.name, told)


def asked(people: bool, expressions: Expressions) -> Mapping[str, PinnedFile]:
    """The detectors that these settings want, by the setting."""
    found = {"people": PEOPLE} if people else {}
    return found if expressions == "off" else {**found, "expressions": EXPRESSIONS}
