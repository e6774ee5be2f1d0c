"""Small video files with known contents, made on the spot: cuts, blur, black, turned, damaged."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import imageio_ffmpeg
import numpy as np
import pytest
from numpy.typing import NDArray

Image = NDArray[np.uint8]

FASTER = {"libx264": {"preset": "veryfast"}}

FFMPEG: str = imageio_ffmpeg.get_ffmpeg_exe()


def real_data(*parts: str) -> Path:
    """A file of the real test data; skips the test where there is none."""
    folder = os.environ.get("DIALOGUELLM_TEST_DATA")
    if folder is None or not Path(folder, *parts).exists():
        pytest.skip("real test data: set DIALOGUELLM_TEST_DATA to a folder with videos/ and weights/")
    return Path(folder, *parts)


def scene(seed: int, width: int = 320, height: int = 180) -> Image:
    """A sharp picture, RGB (height, width, 3): coloured boxes on a plain ground; another one for each seed."""
    rng = np.random.default_rng(seed)
    ground = 60 + 120 * (seed % 2)
    image = np.full((height, width, 3), ground, np.uint8)
    for _ in range(40):
        x, y = int(rng.integers(width)), int(rng.integers(height))
        colour = [int(c) for c in rng.integers(0, 255, 3)]
        cv2.rectangle(image, (x, y), (x + int(rng.integers(8, 50)), y + int(rng.integers(8, 40))), colour, -1)
    return image


def blurred(image: Image) -> Image:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 4), np.uint8)


def black(width: int = 320, height: int = 180) -> Image:
    return np.zeros((height, width, 3), np.uint8)


def moving(image: Image, count: int) -> list[Image]:
    """The picture, drifting a pixel a frame."""
    return [np.roll(image, at, axis=1) for at in range(count)]


def write_clip(
    path: Path,
    images: Iterable[Image],
    *,
    rate: int = 24,
    ticks: Sequence[int] | None = None,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    aspect: Fraction | None = None,
    gop: int = 250,
    options: dict[str, str] | None = None,
) -> Path:
    """Writes RGB pictures of one size. ``ticks`` are their times in 1/1000 s, else they come ``rate`` a second."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options={**FASTER.get(codec, {}), **(options or {})})
        stream.pix_fmt = pixels
        stream.codec_context.gop_size = gop
        if ticks is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        for at, image in enumerate(images):
            if at == 0:
                stream.height, stream.width = image.shape[:2]
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            if ticks is not None:
                frame.time_base, frame.pts = Fraction(1, 1000), ticks[at]
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def three_shots(path: Path, **options: object) -> Path:
    """Three seconds, three shots of one second (24 frames each), cuts at 1.0 and 2.0 s."""
    images = [image for seed in (1, 2, 3) for image in moving(scene(seed), 24)]
    return write_clip(path, images, **options)  # type: ignore[arg-type]


def write_sound(path: Path) -> Path:
    """A second of sound without pictures."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        for _ in range(16):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate = 16000
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def which_scene(jpeg: bytes, seeds: Sequence[int]) -> int:
    """The seed whose scene, drifted by up to 24 pixels, is nearest to a stored picture."""
    found = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1].astype(np.int16)

    def distance(seed: int) -> float:
        return min(float(np.abs(found - shifted).mean()) for shifted in moving(scene(seed), 24))

    return min(seeds, key=distance)
