"""What comes out of a stretch of a video: keyframes, or the reason why there are none; or its length alone."""

from __future__ import annotations

from dataclasses import dataclass

from model.dialogue import FaceBox
from model.errors import VideoError

Stretch = tuple[float, float | None]
"""Start and end in seconds of the video, as the corpus gives them; None is the file's end."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """One keyframe; the fields mean what they mean in model.dialogue.Keyframe."""

    time_s: float
    jpeg: bytes
    width: int
    height: int
    sharpness: float
    novelty: float
    score: float | None
    suspect: bool
    faces: int | None
    face_boxes: tuple[FaceBox, ...] | None
    method: str


Outcome = list[Chosen] | VideoError
"""Never an empty list."""

Length = float | None | VideoError
"""Seconds by the container's own claim, None where it makes none; or why the file cannot be used."""
