"""Chooses an utterance's keyframes among the candidates of its window.

``best``: every shot gets a frame, long shots get more; within a stretch the sharpest frame wins unless it is dark,
flat, damaged, moving, close to a cut or far from the middle. Then duplicates go. Last, faces decide between the two
best of a stretch.
``uniform``: frames at equal distances, as most tools do; for comparison.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tasks.video.measure import difference, fingerprint
from tasks.video.shots import Shot, find_shots
from tasks.video.window import Candidate, Window

SECONDS_PER_FRAME = 1.2
COUNTED_SHOT_S = 0.33
"""Eight frames at 24 per second; a shorter shot need not be shown."""

FACE_WORTH = 0.5
"""What a face that fills a quarter of the picture adds to a score."""

FaceScore = Callable[[Candidate], float]
"""How prominently a frame shows a face, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Picked:
    """A chosen frame and its score against the others of its stretch; None where none was needed (uniform)."""

    candidate: Candidate
    score: float | None


Scored = tuple[float, Candidate]
"""A candidate after its score without faces."""


def choose(window: Window, max_frames: int, face_score: FaceScore | None = None) -> list[Picked]:
    """1 to ``max_frames`` frames in order of time; [] only for a window without any."""
    if not window.candidates:
        return []
    ranked: list[list[Scored]] = []
    for shot, count in _shares(find_shots(window.looks), max_frames):
        inside = [c for c in window.candidates if shot.first <= c.index <= shot.last]
        sharpest = max((look.sharpness for look in window.looks[shot.first : shot.last + 1]), default=0.0)
        for start, middle, end in _parts(shot, count):
            part = [c for c in inside if start <= c.look.time_s < end]
            if part:
                ranked.append(_two_best(part, shot, sharpest, middle))
    if not ranked:
        best = max(window.candidates, key=lambda c: (not c.look.unfit, c.look.sharpness))
        ranked = [[(_score(best, _whole(window), best.look.sharpness, best.look.time_s), best)]]
    fit = [two for two in ranked if not two[0][1].look.unfit]
    kept = _without_duplicates(fit or ranked[:1])
    return _by_faces(kept, face_score) if face_score else [Picked(best, score) for (score, best), *_ in kept]


def choose_uniform(window: Window, max_frames: int) -> list[Picked]:
    """The candidates nearest to the middles of equal parts, as many as the window's length allows."""
    if not window.candidates:
        return []
    whole = _whole(window)
    parts = _parts(whole, _budget(whole.seconds, max_frames))
    near = [min(window.candidates, key=lambda c: abs(c.look.time_s - middle)) for _, middle, _ in parts]
    return [Picked(candidate, None) for candidate in {one.index: one for one in near}.values()]


def _whole(window: Window) -> Shot:
    return Shot(0, len(window.looks) - 1, window.looks[0].time_s, window.looks[-1].time_s)


def _budget(seconds: float, max_frames: int) -> int:
    return min(max(math.ceil(seconds / SECONDS_PER_FRAME), 1), max_frames)


def _shares(shots: Sequence[Shot], max_frames: int) -> list[tuple[Shot, int]]:
    """How many frames each shot gets: one each, longest shots first, then where a frame stands for most seconds."""
    counted = [shot for shot in shots if shot.seconds >= COUNTED_SHOT_S]
    if not counted:
        counted = [max(shots, key=lambda shot: shot.seconds)]
    longest = sorted(counted, key=lambda shot: -shot.seconds)[:max_frames]
    budget = _budget(sum(shot.seconds for shot in shots), max_frames)
    share = dict.fromkeys(longest, 1)
    for _ in range(budget - len(longest)):
        share[max(longest, key=lambda shot: shot.seconds / share[shot])] += 1
    return sorted(share.items(), key=lambda item: item[0].first)


def _parts(shot: Shot, count: int) -> list[tuple[float, float, float]]:
    """Start, middle and end of ``count`` equal parts; the last one is open, for frames on the very end."""
    width = shot.seconds / count
    starts = [shot.start_s + width * at for at in range(count)]
    return [(start, start + width / 2, end) for start, end in zip(starts, [*starts[1:], math.inf], strict=True)]


def _two_best(part: Sequence[Candidate], shot: Shot, sharpest: float, middle: float) -> list[Scored]:
    scored = [(_score(candidate, shot, sharpest, middle), candidate) for candidate in part]
    return sorted(scored, key=lambda one: (-one[0], one[1].index))[:2]


def _by_faces(ranked: Sequence[Sequence[Scored]], face_score: FaceScore) -> list[Picked]:
    """One of the two best of each stretch, with what their faces add.

    To look for faces costs as much as two decoded frames: a second is looked at only where the best shows none and
    another stretch's does, or there is no other.
    """
    faces = [face_score(two[0][1]) for two in ranked]
    picked = [Picked(best, score + FACE_WORTH * face) for face, ((score, best), *_) in zip(faces, ranked, strict=True)]
    hopeful = any(faces) or len(ranked) == 1
    for at, ((score, _), *others) in enumerate(ranked):
        chosen = [one.candidate for one in picked if one is not picked[at]]
        for second, other in others:
            if hopeful and not faces[at] and _may_win(second, other, score, chosen):
                with_face = second + FACE_WORTH * face_score(other)
                if with_face > score:
                    picked[at] = Picked(other, with_face)
    return picked


def _may_win(score: float, candidate: Candidate, best: float, chosen: Sequence[Candidate]) -> bool:
    """Whether a face could lift a fit candidate, unlike those chosen elsewhere, above the ``best`` of its stretch."""
    hopeless = candidate.look.unfit or score + FACE_WORTH <= best
    return not hopeless and not any(_same(candidate, one) for one in chosen)


def _score(candidate: Candidate, shot: Shot, sharpest: float, middle: float) -> float:
    """1 at best, without faces; below 0 only for a frame that is unfit or fails in several ways."""
    look, half = candidate.look, max(shot.seconds / 2, 1e-6)
    at_edge = candidate.index - shot.first < 2 or shot.last - candidate.index < 2
    return (
        look.sharpness / max(sharpest, 1e-6)
        - 0.3 * abs(look.time_s - middle) / half
        - 0.3 * min(look.change / 20, 1.0)
        - 0.6 * at_edge
        - 2.0 * look.unfit
    )


def _without_duplicates(ranked: Sequence[Sequence[Scored]]) -> list[Sequence[Scored]]:
    """Drops a stretch whose best is another one's over again; a changed expression is not (that is the signal)."""
    kept: list[Sequence[Scored]] = []
    for two in ranked:
        if not any(_same(two[0][1], other[0][1]) for other in kept):
            kept.append(two)
    return kept


def _same(one: Candidate, other: Candidate) -> bool:
    apart = (fingerprint(one.thumb) ^ fingerprint(other.thumb)).bit_count()
    return apart <= 3 and difference(one.thumb, other.thumb) < 4
