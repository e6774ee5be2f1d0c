"""Interlaced films: no combs where something moves, no rows lost where nothing does."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from video_clips import FFMPEG, Image, real_data, scene, write_clip

from tasks.video.interlace import combs
from tasks.video.picture import Renderer

CODERS = {
    "h264": ["-c:v", "libx264", "-qp", "4", "-x264opts", "tff=1"],
    "mpeg2": ["-c:v", "mpeg2video", "-q:v", "2"],
    "mpeg4": ["-c:v", "mpeg4", "-q:v", "2"],
}


def panning(count: int, upper_half_stands: bool = False) -> list[Image]:
    """A scene that moves nine pixels a picture."""
    still = scene(3, 720, 480)
    moved = [np.roll(still, 9 * at, axis=1) for at in range(count)]
    return [np.concatenate([still[:240], one[240:]]) for one in moved] if upper_half_stands else moved


def interlaced(path: Path, images: list[Image], coder: str) -> Path:
    """Each two of the pictures woven into a frame."""
    source = write_clip(path.with_name("whole.mkv"), images, rate=50, options={"qp": "0"}, pixels="yuv444p")
    command = [FFMPEG, "-v", "error", "-y", "-i", source, "-vf", "format=yuv420p,tinterlace=interleave_top"]
    subprocess.run([*command, *CODERS[coder], "-flags", "+ilme+ildct", path], check=True)
    return path


def rendered(path: Path, long_side: int = 512) -> list[NDArray[np.int64]]:
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    return [Renderer(long_side, Fraction(1)).render(frame).astype(np.int64) for frame in frames]


def luma(image: NDArray[np.int64]) -> NDArray[np.uint8]:
    return image.mean(axis=2).astype(np.uint8)


@pytest.mark.parametrize("coder", CODERS)
@pytest.mark.parametrize("long_side", [720, 512, 320])
def test_what_moves_is_shown_at_one_time(tmp_path: Path, coder: str, long_side: int) -> None:
    found = rendered(interlaced(tmp_path / "a.mkv", panning(12), coder), long_side)
    whole = rendered(tmp_path / "whole.mkv", long_side)
    for at, picture in enumerate(found[1:5], 1):
        assert not combs(luma(picture)).any()
        at_its_time, at_the_other = (np.abs(picture - whole[2 * at + late]).mean() for late in (0, 1))
        assert at_its_time < 8
        assert at_its_time < at_the_other / 2


def test_what_stands_still_keeps_every_row(tmp_path: Path) -> None:
    images = panning(12, upper_half_stands=True)
    found = rendered(interlaced(tmp_path / "a.mkv", images, "h264"), 720)[2]
    whole = rendered(tmp_path / "whole.mkv", 720)[4]
    assert np.abs(found - whole)[:200].mean() < 1.5
    assert np.abs(found - whole)[280:].mean() > 2 * np.abs(found - whole)[:200].mean(), "one field has half the rows"


@pytest.mark.parametrize("long_side", [720, 512, 320])
def test_a_whole_picture_that_is_called_interlaced_is_not_harmed(tmp_path: Path, long_side: int) -> None:
    """The same pixels to the last bit, in two files of which one says so."""
    images = panning(3)
    plain = write_clip(tmp_path / "plain.mkv", images, options={"qp": "0"})
    flags = ["-vf", "setfield=tff", "-c:v", "libx264", "-qp", "0", "-flags", "+ilme+ildct", "-x264opts", "tff=1"]
    subprocess.run([FFMPEG, "-v", "error", "-i", plain, *flags, tmp_path / "called.mkv"], check=True)
    with av.open(str(tmp_path / "called.mkv")) as container:
        assert next(container.decode(video=0)).interlaced_frame
    for one, other in zip(rendered(plain, long_side), rendered(tmp_path / "called.mkv", long_side), strict=True):
        assert np.abs(one - other).max() <= 1


@pytest.mark.parametrize("shape", [(480, 720), (100, 50), (17, 33), (3, 3), (1, 1)])
def test_every_size_has_its_blocks(shape: tuple[int, int]) -> None:
    assert combs(np.zeros(shape, np.uint8)).shape == (-(-shape[0] // 16), -(-shape[1] // 16))
    striped = np.zeros(shape, np.uint8)
    striped[1::2] = 200
    assert combs(striped).any() == (shape[0] > 1)


def test_whole_pictures_of_real_films_have_no_comb() -> None:
    for path in sorted(real_data("videos").iterdir()):
        with av.open(str(path)) as container:
            pictures = [
                frame.to_ndarray(format="gray8") for _, frame in zip(range(12), container.decode(video=0), strict=False)
            ]
        assert not any(combs(picture).any() for picture in pictures), path.name
