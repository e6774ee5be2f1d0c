"""One video file, one pass, the keyframes of all its utterances."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from model.errors import VideoError
from tasks.video.decode import Decoder
from tasks.video.editor import Editor
from tasks.video.open import Video, open_video
from tasks.video.options import Options
from tasks.video.outcome import Chosen, Outcome
from tasks.video.reasons import refuse
from tasks.video.sweep import Sweep
from tasks.video.window import Window

CANDIDATE_BYTES = 96_000_000
"""Of decoded frames that one window holds (overlapping ones mostly hold the same)."""

CLAIM_ERROR_S = 1.0
"""How much longer than its pictures an intact file may say it is: its sound often is."""

Span = tuple[float, float]
"""Start and end in seconds of the video; infinity is its end."""


def extract(
    root: Path,
    name: str,
    stretches: Sequence[Span],
    options: Options,
    alive: Callable[[], None] = lambda: None,
) -> list[Outcome]:
    """The keyframes of each stretch of ``root/name``, or why there are none; in the order of ``stretches``.

    ``alive`` is called for every decoded frame. Raises VideoError where the whole file cannot be used.
    """
    with open_video(root, name, options.max_pixels, options.max_seconds) as video:
        fast = options.mode == "fast" and _can_skip(video)
        results = _extract(video, name, stretches, options, fast, alive)
    if results is None and fast:  # a stream in which no frame refers to another
        return extract(root, name, stretches, replace(options, mode="full"), alive)
    if results is None:
        raise refuse(
            "undecodable", f"{name}: not one picture decodes; none of over {options.max_pixels} pixels is tried"
        )
    return results


def _extract(
    video: Video, name: str, stretches: Sequence[Span], options: Options, fast: bool, alive: Callable[[], None]
) -> list[Outcome] | None:
    """One pass; None where nothing decodes."""
    decoder = Decoder(video, fast)
    windows = _windows(video, stretches, options)
    deadline = time.process_time() + options.timeout_s + (video.seconds or 0.0)
    sweep = Sweep(decoder, windows, fast, options.max_seconds, deadline, alive)
    editor: Editor | None = None
    found: dict[Span, list[Chosen]] = {}
    stopped: VideoError | None = None
    try:
        for window in sweep.finished():
            if editor is None:  # not before a picture is decoded: it tells the aspect
                editor = Editor(video, options, "fast" if fast else "full")
            found[window.start_s, window.end_s] = _edited(editor, window)
    except VideoError as error:
        stopped = VideoError(error.reason, f"{name}: {error}")
    if not sweep.decoded and stopped is None:
        return None

    def outcome(span: Span) -> Outcome:
        limited = _limited(span, options)
        if limited != span and decoder.time_s >= limited[1]:
            found_s = f"{name}: its pictures go on after {limited[1]:g} s"
            return refuse("mis_cut", f"{found_s}, too long for one line")
        return found.get(limited) or stopped or _nothing_there(name, span, decoder, video.seconds)

    return [outcome(span) for span in stretches]


def _can_skip(video: Video) -> bool:
    """Whether enough frames remain where those that no other frame needs are left out. By the file, not the lines."""
    return (video.frame_rate or 0.0) >= 20 and (video.seconds or 0.0) >= 1.0


def _edited(editor: Editor, window: Window) -> list[Chosen]:
    """The window's keyframes; its frames are gone after that."""
    import av

    try:
        return editor.edit(window)
    except MemoryError:
        raise
    except av.FFmpegError as error:  # YCgCo and other rare colours, or a number that names none
        raise refuse("unsupported_codec", f"its colours cannot be converted ({error.strerror})") from error
    finally:
        window.candidates.clear()
        gc.collect()  # in PyAV a frame whose side data was read refers to itself: megabytes that would pile up


def _limited(span: Span, options: Options) -> Span:
    """A line that lasts to the end of its file is watched for max_line_seconds, whatever the container claims."""
    start, end = span
    return (start, start + options.max_line_seconds) if end == float("inf") else span


def _windows(video: Video, stretches: Sequence[Span], options: Options) -> list[Window]:
    """A window per different stretch."""
    spans = sorted({_limited(span, options) for span in stretches})
    codec = video.stream.codec_context
    most = min(max(CANDIDATE_BYTES // max(codec.width * codec.height * 3 // 2, 1), 8), 48)
    return [Window(start, end, most, options.method == "best") for start, end in spans]


def _nothing_there(name: str, span: Span, decoder: Decoder, claimed_s: float | None) -> VideoError:
    """A file that ends well before its container says so is broken off, also where FFmpeg reads that as its end."""
    stretch = f"nothing is shown from {span[0]:.2f} s on"
    if decoder.broken or span[0] + CLAIM_ERROR_S < (claimed_s or 0.0):
        return refuse("partial", f"{name}: {stretch}, the last intact picture is at {decoder.time_s:.2f} s")
    return refuse("outside_video", f"{name}: {stretch}, the video ends at {decoder.time_s:.2f} s")
