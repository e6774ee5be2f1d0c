"""Why a video, or one line's stretch of it, gives no keyframes: the fixed words of ``rejects.reason``.

A new reason is one line here; ``refuse`` adds what to do about it to what was found.
"""

from __future__ import annotations

from model.errors import VideoError

ADVICE: dict[str, str] = {
    "no_video_named": "name its file in the corpus table, or run without keyframes",
    "missing_video": "put the file there, or correct the name in the corpus table",
    "outside_root": "name a file inside the corpus's video folder; links out of it are not followed",
    "unreadable": "make the file readable for the user that runs this",
    "not_a_video": "convert it to MP4 (H.264), MKV, WebM, AVI or MPEG-TS",
    "no_video_stream": "replace it by a file with moving pictures",
    "unsupported_codec": "convert it to H.264 in MP4",
    "undecodable": "fetch or export the file again",
    "partial": "the file is damaged or breaks off: fetch or export it again",
    "too_large": "scale the file down, or raise keyframes.max_pixels or keyframes.memory_mb",
    "too_long": "cut the file, or raise keyframes.max_seconds",
    "too_dense": "convert the file to H.264 in MP4; do not trust it",
    "mis_cut": "cut the file to its line, give the line's start_s and end_s, or raise keyframes.max_line_seconds",
    "bad_times": "correct start_s and end_s in the corpus table",
    "outside_video": "correct start_s and end_s in the corpus table",
    "timed_out": "raise keyframes.timeout_s, or convert the file to H.264 in MP4",
    "decoder_crashed": "convert the file to H.264 in MP4; do not trust it",
    "decoder_error": "a fault of this program: report it with the file",
}


def refuse(reason: str, found: str) -> VideoError:
    """The error for ``reason`` (a key of ADVICE, KeyError otherwise): what was found, then what to do."""
    return VideoError(reason, f"{found}; {ADVICE[reason]}")
