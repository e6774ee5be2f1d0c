"""What can be said of a corpus's video files from their heads: missing, unusable, too long, too short, nobody's.

Each file is opened in a decoder process (tasks/video/pool.py). No picture is decoded, so damage further on is only
found by keyframes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from model import machine
from model.dialogue import Utterance
from model.errors import VideoError
from tasks.check_text import Finding
from tasks.corpora.subtitles_layout import SUFFIXES
from tasks.keyframes import KeyframesSettings
from tasks.stage import Progress, no_progress
from tasks.video.outcome import Length, Stretch
from tasks.video.reasons import refuse
from tasks.video.stretches import by_file, fault

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
    for row in utterances:
        if error := fault(row):
            yield Finding("error", error.reason, row.utterance_id, str(error))
        elif spoken and row.utterance_id not in spoken:
            yield Finding("info", "no_times", row.utterance_id, "the transcript's times of this line make no sense")
    files = by_file(utterances)
    found = _lengths(list(files), root, settings, progress)
    for name, length in found.items():
        (first, stretch), *more = files[name].items()
        if more or stretch[1] is not None:
            yield from _of_stretches(name, length, files[name], settings.max_line_seconds)
        else:
            yield from _of_file(name, length, spoken.get(first), settings.max_line_seconds)
    if whole:
        yield from _nobodys(root, files)


def too_many(utterances: Sequence[Utterance], found: Sequence[Finding], limit: float) -> Iterator[Finding]:
    """Whether ``found``, of every corpus with videos, costs more than ``limit``, a share (0 to 1) of their lines."""
    bad = {item.id for item in found if item.level == "error"}
    lost = sum(row.utterance_id in bad or row.video in bad for row in utterances)
    if lost > limit * len(utterances):
        told = f"{lost} of {len(utterances)} lines have no usable video, over keyframes.max_rejects = {limit:g}"
        yield Finding("error", "too_many_rejects", "keyframes", f"{told}: a run stops")


def _lengths(names: Sequence[str], root: Path, settings: KeyframesSettings, progress: Progress) -> Mapping[str, Length]:
    from tasks.video.pool import shared_pool

    options = settings.options()
    pool = shared_pool(settings.workers or machine.cores(), settings.memory_mb * 2**20)
    pending = {name: pool.length(root.resolve(), name, options) for name in names}
    found: dict[str, Length] = {}
    for done, (name, future) in enumerate(pending.items(), 1):
        found[name] = future.result()
        progress(done, len(pending), "clips")
    return found


def _of_stretches(name: str, length: Length, stretches: Mapping[str, Stretch], longest_s: float) -> Iterator[Finding]:
    """A file of many lines: how long it is says nothing, but lines may lie behind its end, or have none."""
    if not isinstance(length, float):
        yield from _of_file(name, length, None, longest_s)
        return
    for line, (start, end) in stretches.items():
        if end is None and length - start > longest_s:
            yield _mis_cut(line, f"it has no end, and {name} goes on for {length - start:.1f} s")
        if start >= length:
            detail = f"it starts at {start:g} s, and {name} ends at {length:.1f} s: is that its video?"
            yield Finding("error", "outside_video", line, detail)


def _mis_cut(identity: str, found: str) -> Finding:
    """What keyframes will reject."""
    refused = refuse("mis_cut", found)
    return Finding("error", refused.reason, identity, str(refused))


def _of_file(name: str, length: Length, spoken: float | None, longest_s: float) -> Iterator[Finding]:
    """A clip of one line, which lasts ``spoken`` seconds by the transcript, where that says so."""
    if isinstance(length, VideoError):
        yield Finding("error", length.reason, name, str(length))
    elif length is None:
        yield Finding("info", "length_unknown", name, "its container does not say how long it is")
    elif length < PICTURE_S:
        yield Finding("warning", "too_short", name, f"{length:.2f} s: hardly more than one picture; cut it again")
    elif length > longest_s:
        yield _mis_cut(name, f"{length:.1f} s for one line")
    elif spoken is not None:
        yield from _against_line(name, length, spoken)


def _against_line(name: str, length: float, spoken: float) -> Iterator[Finding]:
    told = f"{length:.1f} s for a line of {spoken:.1f} s"
    if length > max(LONG_TIMES * spoken, SHORT_S):
        yield Finding("warning", "over_long", name, f"{told}: it shows other scenes too; cut it")
    elif length < SHORT_TIMES * spoken:
        yield Finding("warning", "too_short", name, f"{told}: part of it is missing; cut it again")
    elif length - spoken > max(1.0, spoken / 2):
        yield Finding("info", "length_differs", name, f"{length:.1f} s, {spoken:.1f} s by the transcript")


def _nobodys(root: Path, files: Mapping[str, object]) -> Iterator[Finding]:
    """Files that lie beside those of the corpus, one finding a folder."""
    named = {str(PurePosixPath(name)) for name in files}
    for folder in sorted({PurePosixPath(name).parent for name in named}):
        try:
            with os.scandir(root / folder) as entries:
                there = sorted(entry.name for entry in entries if not (entry.is_dir() or _is_subtitles(entry.name)))
        except OSError:  # its files are told as missing
            continue
        extra = [name for name in there if str(folder / name) not in named]
        if extra:
            listed = ", ".join(extra[:NAMED]) + (", …" if len(extra) > NAMED else "")
            yield Finding("info", "extra_files", str(folder), f"{len(extra)} files that no line names: {listed}")


def _is_subtitles(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)
