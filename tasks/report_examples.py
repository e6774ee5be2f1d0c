"""The report's examples: a few lines of dialogue with what the model saw and what it made of it."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from model.dialogue import Caption, Keyframe, Prediction, Utterance
from model.errors import VideoError
from model.pictures import decode_jpeg
from tasks.stage import Rows

CONTEXT_LINES = 2
_THUMBNAIL = (240, 240)  # pixels, width and height at most
_FRAMES = 4
_TOP = 3


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """``source`` is a data: address, None where the keyframe is no picture; sizes are in pixels, ``time_s`` is the
    line's. ``evidence`` says why the frame was chosen: ["score 0.91", "2 faces"]."""

    source: str | None
    width: int
    height: int
    time_s: float
    evidence: list[str]


@dataclass(frozen=True, slots=True)
class Example:
    """One line: ``before`` holds the lines before it, ``top`` the likeliest labels with their probability (0 to 1)."""

    prediction: Prediction
    right: bool
    line: Utterance
    before: list[Utterance]
    caption: str | None
    thumbnails: list[Thumbnail]
    top: list[tuple[str, float]]


def examples(rows: Rows, predictions: Iterable[Prediction], count: int) -> list[Example]:
    """At most ``count`` examples, half of them right where there are so many, the right ones first."""
    dialogues: dict[str, list[Utterance]] = {}
    lines: dict[str, Utterance] = {}
    for line in rows.get("utterances", ()):
        lines[line.utterance_id] = line
        dialogues.setdefault(_dialogue(line), []).append(line)
    chosen = choose([row for row in predictions if row.utterance_id in lines], count)
    ids = [row.utterance_id for row in chosen]
    captions: dict[str, Caption] = {row.utterance_id: row for row in few(rows, "captions", ids)}
    frames: dict[str, list[Keyframe]] = {}
    for frame in few(rows, "keyframes", ids):
        frames.setdefault(frame.utterance_id, []).append(frame)
    return [
        Example(
            prediction=row,
            right=row.predicted == row.gold,
            line=(line := lines[row.utterance_id]),
            before=_before(line, dialogues[_dialogue(line)]),
            caption=captions[row.utterance_id].text if row.utterance_id in captions else None,
            thumbnails=[thumbnail(frame) for frame in sorted(frames.get(row.utterance_id, ()), key=_rank)[:_FRAMES]],
            top=likeliest(row),
        )
        for row in chosen
    ]


def choose(predictions: Sequence[Prediction], count: int) -> list[Prediction]:
    """``count`` predictions, half of them right and half wrong as far as there are so many, the right ones first.

    Nobody picks them: a digest of the id decides, the gold labels taking turns.
    """
    ordered = sorted(predictions, key=lambda row: hashlib.sha256(row.utterance_id.encode("utf-8", "replace")).digest())
    seen: dict[tuple[bool, str], int] = {}
    turns = []
    for row in ordered:
        kind = (row.predicted == row.gold, row.gold)
        turns.append((seen.setdefault(kind, 0), row))
        seen[kind] += 1
    ordered = [row for _, row in sorted(turns, key=lambda item: item[0])]
    right = [row for row in ordered if row.predicted == row.gold]
    wrong = [row for row in ordered if row.predicted != row.gold]
    n_right = min(len(right), max((count + 1) // 2, count - len(wrong)))
    return [*right[:n_right], *wrong[: count - n_right]]


def likeliest(row: Prediction) -> list[tuple[str, float]]:
    """The likeliest labels with their probability (0 to 1); of a generated answer none."""
    return sorted(row.scores.items(), key=lambda item: (-item[1], item[0]))[:_TOP]


def few(rows: Rows, table: str, utterance_ids: Sequence[str]) -> list[Any]:
    """The rows of a few utterances; of a lake only these are read."""
    if select := getattr(rows, "select", None):
        return list(select(table, utterance_ids))
    wanted = set(utterance_ids)
    return [row for row in rows.get(table, ()) if row.utterance_id in wanted]


def thumbnail(frame: Keyframe) -> Thumbnail:
    """A keyframe made small and encoded anew: nothing but its pixels reaches the page."""
    try:
        picture = decode_jpeg(frame.jpeg)
    except VideoError:
        return Thumbnail(None, *_THUMBNAIL, frame.time_s, _evidence(frame))
    picture.thumbnail(_THUMBNAIL)
    picture.info.clear()  # a comment would be written again
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=80, optimize=True)
    source = f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    return Thumbnail(source, picture.width, picture.height, frame.time_s, _evidence(frame))


def _evidence(frame: Keyframe) -> list[str]:
    score = [] if frame.score is None else [f"score {frame.score:.2f}"]
    faces = [] if frame.faces is None else ["1 face" if frame.faces == 1 else f"{frame.faces} faces"]
    return [*score, *faces, *["out of a damaged stretch"] * frame.suspect]


def _before(line: Utterance, dialogue: Sequence[Utterance]) -> list[Utterance]:
    earlier = sorted((other for other in dialogue if other.turn < line.turn), key=lambda other: other.turn)
    return earlier[-CONTEXT_LINES:]


def _dialogue(line: Utterance) -> str:
    return line.utterance_id.rsplit("/", 1)[0]


def _rank(frame: Keyframe) -> int:
    return frame.rank
