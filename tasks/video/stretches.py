"""Which stretch of which file each utterance is."""

from __future__ import annotations

import math
from collections.abc import Sequence

from model.dialogue import Utterance
from model.errors import VideoError
from tasks.video.outcome import Stretch
from tasks.video.reasons import refuse


def by_file(utterances: Sequence[Utterance]) -> dict[str, dict[str, Stretch]]:
    """File name to utterance id to stretch, in the order of the utterances; those with a ``fault`` left out."""
    files: dict[str, dict[str, Stretch]] = {}
    for utterance in utterances:
        if fault(utterance) is None and utterance.video:
            stretch = (utterance.start_s or 0.0, utterance.end_s)
            files.setdefault(utterance.video, {})[utterance.utterance_id] = stretch
    return files


def fault(utterance: Utterance) -> VideoError | None:
    """What rules an utterance out before its file is looked at."""
    if not utterance.video:
        return refuse("no_video_named", "the corpus names no video for this line")
    start, end = utterance.start_s or 0.0, utterance.end_s
    if not math.isfinite(start) or start < 0 or (end is not None and not start < end < math.inf):
        return refuse("bad_times", f"{utterance.start_s} s to {end} s is no stretch of a video")
    return None
