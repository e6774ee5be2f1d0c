"""A description by facts alone: what the keyframes and the face detector measured, in words, with the numbers.

It knows faces as boxes, and how much the picture changed; nothing of expressions, bodies or places. So it is right
where a model may guess, on any video, and says less.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from model.captioner import Described
from model.dialogue import FaceBox, Keyframe
from model.errors import VideoError

VERSION = 1
"""To be raised with every change of what is said."""

ANOTHER_PICTURE = 40.0
"""Luma difference (0 to 255) to the frame before from which a frame shows something else, a cut or a swift pan."""

STILL, MOVING = 5.0, 15.0
UNSURE = 0.75
FEW = 3
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_SIZES = ((0.5, "very near"), (0.25, "near"), (0.15, "at some distance"), (0.0, "far away"))


@dataclass(frozen=True, slots=True)
class _View:
    """A frame's faces in words without numbers, from left to right, and the share of the picture's height of each."""

    words: tuple[str, ...]
    heights: tuple[float, ...]
    sure: bool


def cues(frames: Sequence[Keyframe]) -> str:
    """What is known of frames of one utterance, in order of time, on all of which a face detector ran.

    A face's height is given as a share of the picture's.

    "0.7 s to 1.8 s: one face, in the middle, very near (height 61 %). 3.5 s to 5.7 s, another picture: no face."
    """
    groups: list[list[tuple[Keyframe, _View]]] = []
    for frame in frames:
        view = _view(frame)
        if groups and groups[-1][-1][1].words == view.words and frame.novelty < ANOTHER_PICTURE:
            groups[-1].append((frame, view))
        else:
            groups.append([(frame, view)])
    return " ".join([*(_sentence(group) for group in groups), *_change(frames)])


def describe(frames: Sequence[Keyframe]) -> Described | VideoError:
    """``cues`` as a captioner's answer; VideoError ``no_frames`` where there are none."""
    if not frames:
        return VideoError("no_frames", "there is no keyframe to describe")
    started = time.perf_counter()
    return Described(cues(frames), len({frame.jpeg for frame in frames}), 0, time.perf_counter() - started)


def _view(frame: Keyframe) -> _View:
    boxes = sorted(frame.face_boxes or (), key=_middle)
    words = tuple(f"{_place(box, frame)}, {_size(box[3] / frame.height)}" for box in boxes)
    return _View(words, tuple(box[3] / frame.height for box in boxes), all(box[4] >= UNSURE for box in boxes))


def _sentence(group: Sequence[tuple[Keyframe, _View]]) -> str:
    first, last = group[0][0], group[-1][0]
    when = f"{first.time_s:.1f} s" + (f" to {last.time_s:.1f} s" if last is not first else "")
    another = ", another picture" if first.novelty >= ANOTHER_PICTURE else ""
    unsure = "" if all(view.sure for _, view in group) else "perhaps "
    return f"{when}{another}: {unsure}{_faces([view for _, view in group])}{_gap(group[0][0])}."


def _faces(views: Sequence[_View]) -> str:
    """Of views that differ in numbers only."""
    words = views[0].words
    heights = list(zip(*(view.heights for view in views), strict=True))
    each = [f"{said} (height {_percent(shares)})" for said, shares in zip(words, heights, strict=True)]
    count = f"{_NUMBERS[len(words)] if len(words) < len(_NUMBERS) else len(words)} face{'s' * (len(words) > 1)}"
    if len(words) <= 1:
        return ", ".join([count, *each])
    largest = max(range(len(words)), key=lambda place: max(heights[place]))
    if len(words) > FEW:
        return f"{count}, the largest {each[largest]}"
    return f"{count}: {'; '.join(each)}"


def _percent(shares: Sequence[float]) -> str:
    low, high = round(100 * min(shares)), round(100 * max(shares))
    return f"{low} %" if low == high else f"{low} to {high} %"


def _gap(frame: Keyframe) -> str:
    """How far two faces are from each other, in widths of a face."""
    if len(frame.face_boxes or ()) != 2:
        return ""
    left, right = sorted(frame.face_boxes or (), key=_middle)
    widths = (_middle(right) - _middle(left)) / max((left[2] + right[2]) / 2, 1.0)
    return f"; their middles are {widths:.1f} face widths apart"


def _change(frames: Sequence[Keyframe]) -> Iterator[str]:
    """How much moves within a shot."""
    moved = [frame.novelty for frame in frames[1:] if frame.novelty < ANOTHER_PICTURE]
    if moved and max(moved) < STILL:
        yield "The picture hardly changes."
    elif moved and max(moved) >= MOVING:
        yield "There is much movement."


def _middle(box: FaceBox) -> float:
    return box[0] + box[2] / 2


def _place(box: FaceBox, frame: Keyframe) -> str:
    across = _middle(box) / frame.width
    return "on the left" if across < 1 / 3 else "on the right" if across > 2 / 3 else "in the middle"


def _size(share: float) -> str:
    return next(words for least, words in _SIZES if share >= least)
