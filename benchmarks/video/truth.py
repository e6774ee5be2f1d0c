"""A made video and what is known of it: its shots, cuts, blurred and black frames, frame by frame."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

RATE = 24
COUNTED = 8
"""Frames that a shot must last to count as one that should be shown."""

Image = NDArray[np.uint8]
"""Blue, green, red; shape (height, width, 3)."""

Span = tuple[int, int]
"""First and last frame, inclusive."""


@dataclass
class Truth:
    """``sharpness`` is the variance of the Laplacian of each frame at 512 pixels, ``hashes`` its 64-bit pHash."""

    name: str
    shots: list[Span] = field(default_factory=list)
    black: list[Span] = field(default_factory=list)
    blurred: list[Span] = field(default_factory=list)
    fades: list[Span] = field(default_factory=list)
    sharpness: list[float] = field(default_factory=list)
    hashes: list[int] = field(default_factory=list)

    @property
    def frames(self) -> int:
        return len(self.sharpness)

    @cached_property
    def cuts(self) -> list[int]:
        """First frames of shots and black runs, save the first one and those that a fade leads into."""
        starts = sorted(first for first, _ in [*self.shots, *self.black])[1:]
        return [start for start in starts if not within(start, self.fades)]

    @cached_property
    def counted(self) -> list[Span]:
        return [(first, last) for first, last in self.shots if last - first + 1 >= COUNTED]


def within(frame: int, spans: Iterable[Span]) -> bool:
    return any(first <= frame <= last for first, last in spans)


def write(folder: Path, truth: Truth, images: Iterable[Image], gop: int, faster: str = "veryfast") -> None:
    """Encodes the images (H.264, MP4, no sound), measures the result and keeps the truth beside it."""
    import ffmpeg
    import imageio_ffmpeg

    path, images = folder / truth.name, iter(images)
    first = next(images)
    size = f"{first.shape[1]}x{first.shape[0]}"
    picture = ffmpeg.input("pipe:0", format="rawvideo", pix_fmt="bgr24", s=size, framerate=RATE)
    form = {"vcodec": "libx264", "pix_fmt": "yuv420p", "preset": faster, "crf": 19.5, "g": gop, "threads": 1}
    output = ffmpeg.output(picture, f"file:{path}", loglevel="error", **form)
    command = ffmpeg.compile(output, cmd=imageio_ffmpeg.get_ffmpeg_exe(), overwrite_output=True)
    with subprocess.Popen(command, stdin=subprocess.PIPE) as encoder:
        assert encoder.stdin is not None
        for image in (first, *images):
            encoder.stdin.write(image.tobytes())
    if encoder.returncode:
        raise SystemExit(f"ffmpeg could not write {path}")
    for picture in small_pictures(path):
        truth.sharpness.append(round(float(cv2.Laplacian(picture, cv2.CV_64F).var()), 3))
        truth.hashes.append(perceptual_hash(picture))
    path.with_suffix(".json").write_text(json.dumps(asdict(truth)))


def join(clips: Iterable[Path], path: Path) -> None:
    """One long file of the same packets, one clip after the other."""
    import ffmpeg
    import imageio_ffmpeg

    listing = path.with_suffix(".txt")
    listing.write_text("".join(f"file '{clip.resolve()}'\n" for clip in clips))
    output = ffmpeg.input(str(listing), format="concat", safe=0).output(f"file:{path}", c="copy", loglevel="error")
    subprocess.run(ffmpeg.compile(output, cmd=imageio_ffmpeg.get_ffmpeg_exe(), overwrite_output=True), check=True)


def read(folder: Path) -> list[Truth]:
    """What ``write`` kept, by name."""
    return [_truth(json.loads(path.read_text())) for path in sorted(folder.glob("*.json"))]


def small_pictures(path: Path) -> Iterator[Image]:
    """Every frame in grey, 512 pixels wide."""
    import av

    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            gray = frame.to_ndarray(format="gray")
            scale = 512 / max(gray.shape)
            yield cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else gray


def perceptual_hash(gray: Image) -> int:
    """64 bits: which of the lowest 8 × 8 cosine coefficients lie above their median."""
    waves = cv2.dct(cv2.resize(gray, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32))[:8, :8]
    return int.from_bytes(np.packbits(waves > np.median(waves)).tobytes(), "big")


def _truth(kept: dict[str, Any]) -> Truth:
    for name in ("shots", "black", "blurred", "fades"):
        kept[name] = [(first, last) for first, last in kept[name]]
    return Truth(**kept)
