"""What a captioner said of each utterance, cleaned, measured and judged: a row of captions or of rejects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from types import MappingProxyType

from model.caption_quality import Limits, fault_of, likeness, quality_of
from model.caption_text import clean, without_brackets
from model.captioner import Described
from model.contradiction import contradiction
from model.detectors import Detected
from model.dialogue import Caption, Keyframe, Rejected, Utterance
from model.emotions import emotion_words
from model.errors import VideoError

ALIKE = 0.5
"""Luma difference (0 to 255, on average) below which two frames show the same: of 76 pairs of real clips, taken in
equal distances, the five below show one small figure far away move; from 0.7 on arms move."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where captions come from, as ``Caption`` says."""

    model: str
    revision: str
    prompt_id: str


def frames_by_utterance(keyframes: Sequence[Keyframe], max_frames: int) -> dict[str, list[Keyframe]]:
    """The frames to show for each utterance id, in order of time, at most ``max_frames`` and evenly spread."""
    found: dict[str, list[Keyframe]] = {}
    ordered = sorted(keyframes, key=lambda frame: (frame.utterance_id, frame.rank))
    for utterance_id, group in groupby(ordered, key=lambda frame: frame.utterance_id):
        frames = list(group)
        count = min(max_frames, len(frames))
        found[utterance_id] = [frames[(2 * i + 1) * len(frames) // (2 * count)] for i in range(count)]
    return found


def different(keyframes: Sequence[Keyframe]) -> list[Keyframe]:
    """Of each utterance the frames that differ from the one shown before, the first always; by utterance and time.

    A frame that is left out differs from it by less than ``ALIKE``, since differences of pictures obey the triangle
    inequality and those of all frames between are added up.
    """
    kept: list[Keyframe] = []
    since = 0.0
    for frame in sorted(keyframes, key=lambda frame: (frame.utterance_id, frame.rank)):
        since += frame.novelty
        first = not kept or kept[-1].utterance_id != frame.utterance_id
        if first or since >= ALIKE:
            kept.append(frame)
            since = 0.0
    return kept


def rows_of(
    utterances: Sequence[Utterance],
    described: Iterable[Described | VideoError],
    frames: Mapping[str, Sequence[Keyframe]],
    provenance: Provenance,
    limits: Limits | None,
    detected: Mapping[str, Detected | VideoError] = MappingProxyType({}),
) -> Iterator[Caption | Rejected]:
    """One row an utterance, in their order; ``frames`` and what was ``detected`` in them by utterance id.

    Without ``limits`` no description is refused: for those that no model writes.
    """
    before: dict[tuple[str, str, str], str] = {}
    for utterance, result in zip(utterances, described, strict=True):
        if isinstance(result, VideoError):
            yield _rejected(utterance, result.reason, str(result))
            continue
        text = clean(result.text)
        if limits and (fault := fault_of(text, limits)):
            yield _rejected(utterance, *fault)
            continue
        text = without_brackets(text)
        looked = detected.get(utterance.utterance_id)
        seen = looked if isinstance(looked, Detected) else Detected()
        dialogue = (utterance.corpus, utterance.split, utterance.dialogue_id)
        previous, before[dialogue] = before.get(dialogue), text
        yield Caption(
            utterance_id=utterance.utterance_id,
            text=text,
            **asdict(provenance),
            n_frames=result.n_frames,
            n_tokens=result.n_tokens,
            emotion_words=emotion_words(text),
            seconds=result.seconds,
            **asdict(quality_of(text)),
            like_previous=None if previous is None else likeness(text, previous),
            contradiction=contradiction(text, frames.get(utterance.utterance_id, ()), seen.people),
            people=seen.people,
            expressions=seen.expressions,
            objects=seen.objects,
            n_prompt_tokens=result.n_prompt_tokens or None,
        )


def _rejected(utterance: Utterance, reason: str, detail: str) -> Rejected:
    return Rejected(utterance.utterance_id, "captions", reason, detail)
