"""How good chosen frames and found cuts are, by what is known of the made videos."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from video.truth import RATE, Truth, within

from tasks.video.decode import Decoder
from tasks.video.extract import extract
from tasks.video.open import open_video
from tasks.video.options import Options
from tasks.video.shots import find_cuts
from tasks.video.sweep import Sweep
from tasks.video.window import Window

ALIKE = 4
"""Bits of a 64-bit pHash in which near-duplicates differ at most."""

WHOLE = (0.0, float("inf"))

Picks = Mapping[str, Sequence[int]]
"""Numbers of the chosen frames, by clip."""


def ours(folder: Path, truths: Sequence[Truth], options: Options) -> Picks:
    """What the keyframes stage chooses."""
    picks: dict[str, list[int]] = {}
    for truth in truths:
        (found,) = extract(folder, truth.name, [WHOLE], options)
        if isinstance(found, Exception):
            raise found
        picks[truth.name] = [round(chosen.time_s * RATE) for chosen in found]
    return picks


def uniform(truths: Sequence[Truth], count: int = 4) -> Picks:
    """The middles of ``count`` equal parts, as most tools take them."""
    return {t.name: [int((part + 0.5) * t.frames / count) for part in range(count)] for t in truths}


def judged(truths: Sequence[Truth], picks: Picks) -> dict[str, float]:
    """Percentages; ``sharpness`` is relative to the 90th percentile of the frame's shot."""
    shots = [(t.counted, picks[t.name]) for t in truths]
    several = [(counted, frames) for counted, frames in shots if len(counted) > 1]
    chosen = [(t, frame) for t in truths for frame in picks[t.name]]
    sharp = [relative_sharpness(t, frame) for t, frame in chosen if not within(frame, t.black)]
    return {
        "frames": len(chosen) / len(truths),
        "coverage": _covered(shots),
        "multi_shot_coverage": _covered(several),
        "blur": _percent(within(frame, t.blurred) for t, frame in chosen),
        "black": _percent(within(frame, t.black) for t, frame in chosen),
        "blur_or_black": _percent(within(frame, [*t.blurred, *t.black]) for t, frame in chosen),
        "at_cut": _percent(any(abs(frame - cut) <= 1 for cut in t.cuts) for t, frame in chosen),
        "near_duplicates": _percent(flag for t in truths for flag in _repeats(t, picks[t.name])),
        "median_sharpness": statistics.median(sharp),
        "p10_sharpness": float(np.percentile(sharp, 10)),
    }


def relative_sharpness(truth: Truth, frame: int) -> float:
    first, last = next(span for span in truth.shots if within(frame, [span]))
    return truth.sharpness[frame] / max(float(np.percentile(truth.sharpness[first : last + 1], 90)), 1e-6)


def cuts(corpora: Sequence[tuple[Path, Sequence[Truth]]], fast: bool) -> dict[str, float]:
    """Precision, recall and F1 in percent; a cut counts as found within a frame (fast: two).

    What is found inside a fade counts neither way; ``fades`` is the share of them that hold something.
    """
    right = found_all = true_all = fades = seen_fades = 0
    for folder, truth in ((folder, truth) for folder, truths in corpora for truth in truths):
        found = found_cuts(folder, truth, fast)
        seen_fades += sum(any(first <= at <= last for at in found) for first, last in truth.fades)
        fades += len(truth.fades)
        hard = [at for at in found if not within(at, truth.fades)]
        right += _matches(hard, truth.cuts, 2 if fast else 1)
        found_all += len(hard)
        true_all += len(truth.cuts)
    precision, recall = 100 * right / max(found_all, 1), 100 * right / max(true_all, 1)
    scores = {"precision": precision, "recall": recall, "f1": 200 * right / max(found_all + true_all, 1)}
    return scores | ({"fades": 100 * seen_fades / fades} if fades else {})


def found_cuts(folder: Path, truth: Truth, fast: bool) -> list[int]:
    window = Window(*WHOLE)
    with open_video(folder, truth.name, 10**8, 10**5) as video:
        for _ in Sweep(Decoder(video, fast), [window], fast, 10**5, float("inf")).finished():
            return [round(window.looks[at].time_s * RATE) for at in find_cuts(window.looks)]
    return []


def _matches(found: Sequence[int], true: Sequence[int], within_frames: int) -> int:
    """How many pair up, one to one, in order of time."""
    left, count = list(found), 0
    for cut in true:
        near = [at for at in left if abs(at - cut) <= within_frames]
        if near:
            left.remove(near[0])
            count += 1
    return count


def _covered(shots: Sequence[tuple[Sequence[tuple[int, int]], Sequence[int]]]) -> float:
    return _percent(any(within(f, [span]) for f in frames) for counted, frames in shots for span in counted)


def _repeats(truth: Truth, frames: Sequence[int]) -> list[bool]:
    """For each frame, whether it is nearly one before it."""
    hashes = [truth.hashes[frame] for frame in frames]
    return [any((h ^ other).bit_count() <= ALIKE for other in hashes[:at]) for at, h in enumerate(hashes)]


def _percent(flags: object) -> float:
    values = [bool(flag) for flag in flags]  # type: ignore[attr-defined]
    return 100 * sum(values) / max(len(values), 1)
