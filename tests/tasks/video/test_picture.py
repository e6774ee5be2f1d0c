"""Pictures as stored: upright, square pixels, right colours, never enlarged."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from video_clips import FFMPEG, scene, three_shots

from tasks.video.picture import Renderer, encode, fitted


@pytest.mark.parametrize(
    ("size", "aspect", "expected"),
    [
        ((1280, 720), Fraction(1), (512, 288)),
        ((720, 1280), Fraction(1), (288, 512)),
        ((320, 180), Fraction(1), (320, 180)),
        ((720, 576), Fraction(16, 15), (512, 384)),
        ((1440, 1080), Fraction(4, 3), (512, 288)),
        ((176, 144), Fraction(12, 11), (176, 132)),
        ((100, 100), Fraction(1, 2), (50, 100)),
        ((9000, 2), Fraction(1), (512, 1)),
    ],
)
def test_sizes(size: tuple[int, int], aspect: Fraction, expected: tuple[int, int]) -> None:
    assert fitted(*size, aspect, 512) == expected


def first_frame(path: Path) -> av.VideoFrame:
    with av.open(str(path)) as container:
        return next(container.decode(video=0))


@pytest.mark.parametrize("mirrored", [[], ["-display_hflip"], ["-display_vflip"], ["-display_hflip", "-display_vflip"]])
@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_a_turned_video_is_shown_as_players_show_it(tmp_path: Path, degrees: int, mirrored: list[str]) -> None:
    three_shots(tmp_path / "a.mp4")
    turned, shown = tmp_path / "turned.mp4", tmp_path / "shown.png"
    how = ["-display_rotation", str(degrees), *mirrored]
    subprocess.run([FFMPEG, "-v", "error", *how, "-i", tmp_path / "a.mp4", "-c", "copy", turned], check=True)
    subprocess.run([FFMPEG, "-v", "error", "-i", turned, "-frames:v", "1", shown], check=True)
    image = Renderer(512, Fraction(1)).render(first_frame(turned))
    expected = cv2.imread(str(shown))
    assert image.shape == expected.shape
    assert np.abs(image.astype(int) - expected).mean() < 4


@pytest.mark.parametrize(("tag", "lines"), [("bt709", 360), ("bt601", 360), (None, 720), (None, 360)])
def test_colours_follow_the_matrix_or_the_convention(tmp_path: Path, tag: str | None, lines: int) -> None:
    matrix = tag or ("bt709" if lines >= 720 else "bt601")
    named = ["-colorspace", {"bt709": "bt709", "bt601": "smpte170m"}[matrix]] if tag else []
    source = f"color=0xC03010:s={lines * 16 // 9}x{lines}:d=0.1"
    command = [FFMPEG, "-v", "error", "-f", "lavfi", "-i", source, "-vf", f"scale=out_color_matrix={matrix}"]
    subprocess.run([*command, "-pix_fmt", "yuv420p", "-c:v", "mpeg4", *named, tmp_path / "a.mkv"], check=True)
    image = Renderer(512, Fraction(1)).render(first_frame(tmp_path / "a.mkv"))
    assert np.abs(image.reshape(-1, 3).mean(axis=0) - [0x10, 0x30, 0xC0]).max() < 8


def test_jpegs_are_the_same_every_time() -> None:
    image = scene(3)
    assert encode(image, 90) == encode(image.copy(), 90)
    assert len(encode(image, 40)) < len(encode(image, 90))
    assert np.abs(cv2.imdecode(np.frombuffer(encode(image, 90), np.uint8), 1).astype(int) - image).mean() < 6
