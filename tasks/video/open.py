"""Opens a video file that nobody vouches for.

The name must lead to a regular file inside the corpus folder. Its first bytes, not its name, choose the container
format, and the demuxer gets nothing but the open file descriptor: a playlist or a reference inside the file cannot
make it open another file or a connection. Size, length and codec are checked before a picture is decoded.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import Any

from tasks.video.reasons import refuse

CODECS = frozenset(
    {"h264", "hevc", "av1", "libdav1d", "vp8", "libvpx", "vp9", "libvpx-vp9", "mpeg4", "msmpeg4", "msmpeg4v2"}
    | {"mpeg1video", "mpeg2video", "mjpeg", "dvvideo", "prores", "cinepak"}
)
"""Decoders of moving pictures that people record with; the other five hundred are only attack surface."""

HEAD_BYTES = 1024

MOST_STREAMS = 100
"""Each costs a decoder's memory before it is known whether it is wanted."""

SPARE_PACKETS, PACKETS_PER_S = 10_000, 1_000
SPARE_BYTES, BYTES_PER_S = 2**29, 2**28
"""What a stream may hold: far more than any camera writes, far less than a crafted index can promise."""


@dataclass(frozen=True, slots=True)
class Video:
    """An open file. ``seconds`` is the container's claim (None where it makes none), ``start_s`` the time of its
    streams that is its time 0."""

    container: Any
    stream: Any
    start_s: float
    seconds: float | None
    frame_rate: float | None

    @property
    def aspect(self) -> Fraction:
        """Width of a pixel over its height, known once a picture is decoded; an absurd claim counts as square."""
        aspect = Fraction(self.stream.sample_aspect_ratio or self.stream.codec_context.sample_aspect_ratio or 1)
        return aspect if Fraction(1, 4) <= aspect <= 4 else Fraction(1)

    def most(self, time_s: float) -> tuple[float, float]:
        """Packets and bytes that a stream may come to by ``time_s``, or by the end that its container claims."""
        seconds = max(time_s, self.seconds or 0.0)
        return SPARE_PACKETS + PACKETS_PER_S * seconds, SPARE_BYTES + BYTES_PER_S * seconds


@contextmanager
def open_video(root: Path, name: str, max_pixels: int, max_seconds: float) -> Iterator[Video]:
    """The video ``name`` (relative to ``root``), closed again at the end of the block; else VideoError."""
    descriptor = open_file(root, name)
    try:
        form = container_format(os.pread(descriptor, HEAD_BYTES, 0))
        if form is None:
            raise refuse("not_a_video", f"{name}: its first bytes are those of no supported video container")
        container = _opened(descriptor, form, name, max_pixels)
        with container:
            yield _checked(container, name, max_pixels, max_seconds)
    finally:
        os.close(descriptor)


def open_file(root: Path, name: str) -> int:
    """A descriptor of the regular file ``root/name``; never waits (named pipes) and never leaves ``root``."""
    path = PurePosixPath(name)
    if not name or "\0" in name or path.is_absolute() or ".." in path.parts:
        raise refuse("outside_root", f"{name!r} is not a name inside the video folder")
    try:
        real = (root / path).resolve(strict=True)
        if not real.is_relative_to(root.resolve(strict=True)):
            raise refuse("outside_root", f"{name} leads to {real}")
        if not stat.S_ISREG(real.stat().st_mode):  # opening a device may set it to work
            raise refuse("not_a_video", f"{name} is not a regular file")
        descriptor = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except PermissionError as error:
        raise refuse("unreadable", f"{name}: {error.strerror}") from error
    except (OSError, RuntimeError, UnicodeError) as error:
        raise refuse("missing_video", f"{name}: no such file in {root} ({error})") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise refuse("not_a_video", f"{name} is not a regular file")
    return descriptor


def container_format(head: bytes) -> str | None:
    """The demuxer for a file that begins with ``head`` (HEAD_BYTES of it), None for anything else."""
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide"):
        return "mov"
    if head[:4] == b"\x1a\x45\xdf\xa3":
        return "matroska"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "avi"
    if len(head) > 376 and head[0] == head[188] == head[376] == 0x47:
        return "mpegts"
    return None


def _opened(descriptor: int, form: str, name: str, max_pixels: int) -> Any:
    """The container with its streams."""
    import av

    options = {
        "fd": str(descriptor),
        "protocol_whitelist": "fd",
        "codec_whitelist": ",".join(sorted(CODECS)),
        "max_pixels": str(max_pixels),  # already where FFmpeg decodes a frame to learn its format
        "max_streams": str(MOST_STREAMS),
    }
    if form == "mov":  # its header says all but the aspect; the first key frame need not be decoded twice
        options["skip_frame"] = "all"
    try:
        return av.open("fd:", format=form, options=options, metadata_errors="replace")
    except (MemoryError, av.MemoryError) as error:  # FFmpeg's word for too many streams, too
        found = f"{name}: the {form} container needs more than {MOST_STREAMS} streams, or more memory than there is"
        raise refuse("too_large", found) from error
    except av.FFmpegError as error:
        raise refuse("undecodable", f"{name}: the {form} container cannot be read ({error.strerror})") from error


def _checked(container: Any, name: str, max_pixels: int, max_seconds: float) -> Video:
    stream = _main_stream(container)
    if stream is None:
        raise refuse("no_video_stream", f"{name} holds no moving pictures")
    codec = stream.codec_context
    if codec is None or codec.name not in CODECS:
        raise refuse("unsupported_codec", f"{name} is coded as {codec.name if codec else 'an unknown codec'}")
    if codec.width * codec.height > max_pixels:
        raise refuse("too_large", f"{name} is {codec.width} × {codec.height}, more than {max_pixels} pixels")
    start = _start(container, stream)
    seconds = _seconds(container, stream, start)
    if seconds is not None and seconds > max_seconds:
        raise refuse("too_long", f"{name} lasts {seconds:.0f} s, more than {max_seconds:.0f} s")
    codec.thread_count = 1  # parallel over files; frame threads cost more and slice threads have deadlocked
    codec.options = {"max_pixels": str(max_pixels)}  # also for a size that changes on the way
    rate = stream.average_rate
    video = Video(container, stream, start, seconds, float(rate) if rate else None)
    listed = stream.index_entries
    listed_s = float((listed[-1].timestamp - listed[0].timestamp) * stream.time_base) if len(listed) else 0.0
    if len(listed) > video.most(listed_s)[0]:
        raise refuse("too_dense", f"{name} lists {len(listed)} packets for {max(listed_s, seconds or 0.0):.1f} s")
    return video


def _main_stream(container: Any) -> Any | None:
    """The largest stream of moving pictures, the first of several. A cover is one JPEG, whatever it is called."""
    moving = [one for one in container.streams.video if not one.disposition & type(one.disposition).attached_pic]
    codecs = {one.index: one.codec_context for one in moving}

    def rank(stream: Any) -> tuple[bool, bool, int]:
        codec = codecs[stream.index]
        known = codec is not None and codec.name in CODECS
        return known, known and codec.name != "mjpeg", codec.width * codec.height if codec else 0

    return max(moving, key=rank, default=None)


def _start(container: Any, stream: Any) -> float:
    """Where time 0 of the file lies, in seconds of its streams: where the first of them begins, as in a player."""
    if container.start_time is not None:
        return float(container.start_time) / 1_000_000
    return float((stream.start_time or 0) * stream.time_base)


def _seconds(container: Any, stream: Any, start_s: float) -> float | None:
    """From time 0 to the end of the pictures, as claimed; a claim of nothing or less is none."""
    if stream.duration is None:
        return container.duration / 1_000_000 if (container.duration or 0) > 0 else None
    before = float(stream.start_time * stream.time_base) - start_s if stream.start_time is not None else 0.0
    seconds = float(stream.duration * stream.time_base)
    return max(before, 0.0) + seconds if seconds > 0 else None
