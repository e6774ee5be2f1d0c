"""What can be said of a corpus's video files from their heads: missing, unusable, too long, too short, nobody's.

Each file is opened in a decoder process (tasks/video/pool.py). No picture is decoded, so damage further on is only
found by keyframes.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from model.dialogue import Utterance
from model.errors import VideoError
from tasks.check_text import Finding
from tasks.keyframes import KeyframesSettings
from tasks.stage import Progress, no_progress
from tasks.video.outcome import Length, Stretch
from tasks.video.stretches import by_file, fault

LONG_S = 60.0
LONG_TIMES, SHORT_S = 10.0, 5.0
"""More than ten times its line, and not one of the few frames that a line of a hundredth of a second gets."""

SHORT_TIMES, PICTURE_S = 0.5, 0.1
"""Less than half its line, or hardly more than one picture."""

NAMED = 5
"""Extra files that are named; the others are counted."""


def all_of(
    utterances: Sequence[Utterance],
    root: Path,
    settings: KeyframesSettings,
    spoken: Mapping[str, float],
    *,
    whole: bool,
    progress: Progress = no_progress,
) -> Iterator[Finding]:
    """Every finding of the files that ``utterances`` name below ``root``.

    ``spoken`` is utterance id to seconds by the transcript, for those that have times. Files that no line names
    are told only where the corpus is ``whole``.
    """
    lost = 0
    for row in utterances:
        if error := fault(row):
            lost += 1
            yield Finding("error", error.reason, row.utterance_id, str(error))
        elif spoken and row.utterance_id not in spoken:
            yield Finding("info", "no_times", row.utterance_id, "the transcript's times of this line make no sense")
    files = by_file(utterances)
    found = _lengths(list(files), root, settings, progress)
    for name, length in found.items():
        late = _after_the_end(files[name], length)
        lost += len(files[name]) if isinstance(length, VideoError) else len(late)
        yield from _of_file(name, length, _seconds(files[name], spoken))
        for line in late:
            detail = f"{name} is {length:.1f} s long, the line begins at {files[name][line][0]:.1f} s; correct start_s"
            yield Finding("error", "outside_video", line, detail)
    if lost > settings.max_rejects * len(utterances):
        told = f"{lost} of {len(utterances)} lines have no usable video, over keyframes.max_rejects = "
        yield Finding("error", "too_many_rejects", "keyframes", f"{told}{settings.max_rejects:g}: a run stops")
    if whole:
        yield from _nobodys(root, files)


def _lengths(names: Sequence[str], root: Path, settings: KeyframesSettings, progress: Progress) -> Mapping[str, Length]:
    from tasks.video.pool import shared_pool

    options = settings.options()
    pool = shared_pool(settings.workers or len(os.sched_getaffinity(0)), settings.memory_mb * 2**20)
    pending = {name: pool.length(root.resolve(), name, options) for name in names}
    found: dict[str, Length] = {}
    for done, (name, future) in enumerate(pending.items(), 1):
        found[name] = future.result()
        progress(done, len(pending), "clips")
    return found


def _seconds(stretches: Mapping[str, Stretch], spoken: Mapping[str, float]) -> float | None:
    """How long a file of one line should be; None where that is not known, infinity where it holds more than that."""
    if len(stretches) > 1 or any(stretch != (0.0, None) for stretch in stretches.values()):
        return math.inf
    return spoken.get(next(iter(stretches)))


def _of_file(name: str, length: Length, line: float | None) -> Iterator[Finding]:
    """``line`` is what ``_seconds`` says."""
    if isinstance(length, VideoError):
        yield Finding("error", length.reason, name, str(length))
    elif length is None:
        yield Finding("info", "length_unknown", name, "its container does not say how long it is")
    elif length < PICTURE_S:
        yield Finding("warning", "too_short", name, f"{length:.2f} s: hardly more than one picture; cut it again")
    elif line is None or line == math.inf:
        if length > LONG_S and line is None:
            yield Finding("warning", "over_long", name, f"{length:.1f} s for one line; cut it")
    else:
        yield from _against_line(name, length, line)


def _against_line(name: str, length: float, line: float) -> Iterator[Finding]:
    told = f"{length:.1f} s for a line of {line:.1f} s"
    if length > max(LONG_TIMES * line, SHORT_S):
        yield Finding("warning", "over_long", name, f"{told}: it shows other scenes too; cut it")
    elif length > LONG_S:
        yield Finding("warning", "over_long", name, f"{length:.1f} s for one line; cut it")
    elif length < SHORT_TIMES * line:
        yield Finding("warning", "too_short", name, f"{told}: part of it is missing; cut it again")
    elif length - line > max(1.0, line / 2):
        yield Finding("info", "length_differs", name, f"{length:.1f} s, {line:.1f} s by the transcript")


def _after_the_end(stretches: Mapping[str, Stretch], length: Length) -> list[str]:
    """The lines that begin where the file has ended."""
    if length is None or isinstance(length, VideoError):
        return []
    return [line for line, (start, _) in stretches.items() if start and start >= length]


def _nobodys(root: Path, files: Mapping[str, object]) -> Iterator[Finding]:
    """Files that lie beside those of the corpus, one finding a folder."""
    named = {str(PurePosixPath(name)) for name in files}
    for folder in sorted({PurePosixPath(name).parent for name in named}):
        try:
            with os.scandir(root / folder) as entries:
                there = sorted(entry.name for entry in entries if not entry.is_dir())
        except OSError:  # its files are told as missing
            continue
        extra = [name for name in there if str(folder / name) not in named]
        if extra:
            listed = ", ".join(extra[:NAMED]) + (", …" if len(extra) > NAMED else "")
            yield Finding("info", "extra_files", str(folder), f"{len(extra)} files that no line names: {listed}")
