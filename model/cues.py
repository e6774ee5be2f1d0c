"""A description by facts alone: what the keyframes and the detectors measured, in words, with the numbers.

It knows faces as boxes, and how much the picture changed; of bodies, expressions and things what small detectors found,
where they were asked, and then it says whose word it is; nothing of places. So it is right where a model may guess, on
any video, and says less.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from model.captioner import Described
from model.detectors import Detected
from model.dialogue import FaceBox, Keyframe
from model.errors import VideoError
from model.expressions import CLEAR, NAMES
from model.objects import plural

VERSION = 1
"""To be raised with every change of what is said."""

NOTHING = Detected()

ANOTHER_PICTURE = 40.0
"""Luma difference (0 to 255) to the frame before from which a frame shows something else, a cut or a swift pan."""

STILL, MOVING = 5.0, 15.0
UNSURE = 0.75
FEW = 3
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_SIZES = ((0.5, "very near"), (0.25, "near"), (0.15, "at some distance"), (0.0, "far away"))


@dataclass(frozen=True, slots=True)
class _View:
    """A frame's faces in words without numbers, from left to right, and the share of the picture's height of each.

    ``readings`` has the name and the score of the likeliest expression of each, without a name where none is likely;
    it is empty where expressions are not told. ``people`` has their scores, ``objects`` each name of a thing with the
    scores of all of that name; None where nobody looked.
    """

    words: tuple[str, ...]
    heights: tuple[float, ...]
    sure: bool
    readings: tuple[tuple[str, float], ...] = ()
    people: tuple[float, ...] | None = None
    objects: tuple[tuple[str, tuple[float, ...]], ...] | None = None

    def shows(self) -> tuple[object, ...]:
        """What makes it another view."""
        names = tuple(name for name, _ in self.readings)
        people = None if self.people is None else (len(self.people), _sure(self.people))
        return self.words, names, people, [(name, len(each), _sure(each)) for name, each in self.objects or ()]


def cues(frames: Sequence[Keyframe], detected: Detected = NOTHING) -> str:
    """What is known of frames of one utterance, in order of time, on all of which a face detector ran.

    A face's height is given as a share of the picture's, what else was ``detected`` with its score.

    "0.7 s to 1.8 s: one face, in the middle, very near (height 61 %). 3.5 s to 5.7 s, another picture: no face."
    """
    groups: list[list[tuple[Keyframe, _View]]] = []
    for frame in frames:
        view = _view(frame, detected)
        if groups and groups[-1][-1][1].shows() == view.shows() and frame.novelty < ANOTHER_PICTURE:
            groups[-1].append((frame, view))
        else:
            groups.append([(frame, view)])
    return " ".join([*(_sentence(group) for group in groups), *_change(frames)])


def describe(
    frames: Sequence[Keyframe], detected: Detected | VideoError = NOTHING, *, tell: bool = True
) -> Described | VideoError:
    """``cues`` as a captioner's answer, without expressions unless ``tell``.

    VideoError ``no_frames`` where there are none, or the one that the detectors met.
    """
    if isinstance(detected, VideoError):
        return detected
    if not frames:
        return VideoError("no_frames", "there is no keyframe to describe")
    started = time.perf_counter()
    told = detected if tell else replace(detected, expressions=None)
    return Described(cues(frames, told), len({frame.jpeg for frame in frames}), 0, time.perf_counter() - started)


def _view(frame: Keyframe, detected: Detected) -> _View:
    read = {place: scores for rank, place, *scores in detected.expressions or () if rank == frame.rank}
    placed = sorted(enumerate(frame.face_boxes or ()), key=lambda item: _middle(item[1]))
    boxes = [box for _, box in placed]
    words = tuple(f"{_place(box, frame)}, {_size(box[3] / frame.height)}" for box in boxes)
    people = detected.people
    return _View(
        words,
        tuple(box[3] / frame.height for box in boxes),
        _sure([box[4] for box in boxes]),
        tuple(_reading(read[place]) for place, _ in placed if place in read),
        None if people is None else tuple(score for rank, *_, score in people if rank == frame.rank),
        _things(detected, frame),
    )


def _things(detected: Detected, frame: Keyframe) -> tuple[tuple[str, tuple[float, ...]], ...] | None:
    if detected.objects is None:
        return None
    scores: dict[str, list[float]] = {}
    for rank, name, *_, score in detected.objects:
        if rank == frame.rank:
            scores.setdefault(name, []).append(score)
    return tuple((name, tuple(scores[name])) for name in sorted(scores))


def _reading(scores: Sequence[float]) -> tuple[str, float]:
    score, name = max(zip(scores, NAMES, strict=True))
    return (name if score >= CLEAR else ""), score


def _sure(scores: Sequence[float]) -> bool:
    return all(score >= UNSURE for score in scores)


def _sentence(group: Sequence[tuple[Keyframe, _View]]) -> str:
    first, last = group[0][0], group[-1][0]
    when = f"{first.time_s:.1f} s" + (f" to {last.time_s:.1f} s" if last is not first else "")
    another = ", another picture" if first.novelty >= ANOTHER_PICTURE else ""
    unsure = "" if all(view.sure for _, view in group) else "perhaps "
    views = [view for _, view in group]
    return f"{when}{another}: {unsure}{_faces(views)}{_gap(group[0][0])}{_bodies(views)}{_objects(views)}."


def _faces(views: Sequence[_View]) -> str:
    """Of views that differ in numbers only."""
    words = views[0].words
    heights = list(zip(*(view.heights for view in views), strict=True))
    read = list(zip(*(view.readings for view in views), strict=True)) or [()] * len(words)
    each = [
        f"{said} (height {_percent(shares)}{_read_as(readings)})"
        for said, shares, readings in zip(words, heights, read, strict=True)
    ]
    count = f"{_number(len(words))} face{'s' * (len(words) > 1)}"
    if len(words) <= 1:
        return ", ".join([count, *each])
    largest = max(range(len(words)), key=lambda place: max(heights[place]))
    if len(words) > FEW:
        return f"{count}, the largest {each[largest]}"
    return f"{count}: {'; '.join(each)}"


def _read_as(readings: Sequence[tuple[str, float]]) -> str:
    """Of one face in views that differ in numbers only."""
    if not readings:
        return ""
    name, scores = readings[0][0], _range([score for _, score in readings])
    if name:
        return f"; a small classifier reads it as {name}, {scores}"
    return f"; a small classifier reads nothing clear in it, {scores} at most"


def _bodies(views: Sequence[_View]) -> str:
    if views[0].people is None:
        return ""
    count = len(views[0].people)
    if not count:
        return "; no person by a body detector"
    unsure = "" if _sure(views[0].people) else "perhaps "
    scores = _range([score for view in views for score in view.people or ()])
    return f"; {unsure}{_number(count)} {'people' if count > 1 else 'person'} by a body detector ({scores})"


def _objects(views: Sequence[_View]) -> str:
    """Of views that differ in scores only. Where none is found nothing is said: the detector misses most."""
    each = []
    for place, (name, scores) in enumerate(views[0].objects or ()):
        unsure = "" if _sure(scores) else "perhaps "
        told = name if len(scores) == 1 else plural(name)
        between = _range([score for view in views for score in (view.objects or ())[place][1]])
        each.append(f"{unsure}{_number(len(scores))} {told} ({between})")
    return f"; {', '.join(each)} by an object detector" if each else ""


def _number(count: int) -> str:
    return _NUMBERS[count] if count < len(_NUMBERS) else str(count)


def _range(scores: Sequence[float]) -> str:
    low, high = f"{min(scores):.2f}", f"{max(scores):.2f}"
    return low if low == high else f"{low} to {high}"


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
