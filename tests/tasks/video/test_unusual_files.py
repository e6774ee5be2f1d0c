"""Files that others read wrongly: times that do not start at 0, odd pixels, several streams, changes on the way."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from video_clips import FFMPEG, moving, scene, three_shots, which_scene, write_clip

from tasks.video.extract import Span, extract
from tasks.video.open import open_video
from tasks.video.options import Options
from tasks.video.outcome import Chosen

WHOLE: Span = (0.0, float("inf"))
BLUE = (0x40, 0x80, 0xC0)


def ffmpeg(*arguments: object) -> None:
    subprocess.run([FFMPEG, "-v", "error", "-y", *map(str, arguments)], check=True)


def frames(path: Path, span: Span = WHOLE, options: Options | None = None) -> list[Chosen]:
    outcome = extract(path.parent, path.name, [span], options or Options())[0]
    assert isinstance(outcome, list), outcome
    return outcome


def pixels(chosen: Chosen) -> np.ndarray:
    return np.asarray(cv2.imdecode(np.frombuffer(chosen.jpeg, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1])


# ---- times


@pytest.mark.parametrize("ending", ["ts", "mkv", "mp4", "mov"])
def test_a_file_whose_clock_starts_at_100_seconds(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    ffmpeg("-i", three_shots(tmp_path / "whole.mp4"), "-c", "copy", "-output_ts_offset", 100, path)
    found = extract(tmp_path, path.name, [(0.0, 1.0), (1.0, 2.0), (2.0, 3.0)], Options())
    assert [[which_scene(one.jpeg, range(6)) for one in clip] for clip in found if isinstance(clip, list)] == [
        [1],
        [2],
        [3],
    ]


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_pictures_that_begin_after_the_sound_keep_their_distance(tmp_path: Path, ending: str) -> None:
    sound = ["-f", "lavfi", "-i", "sine=d=6", "-map", "0", "-map", "1", "-c:v", "copy", "-c:a", "aac"]
    ffmpeg("-itsoffset", 2, "-i", three_shots(tmp_path / "whole.mp4"), *sound, tmp_path / f"a.{ending}")
    found = frames(tmp_path / f"a.{ending}", (3.0, 4.0))
    assert [which_scene(one.jpeg, range(6)) for one in found] == [2]
    with open_video(tmp_path, f"a.{ending}", 10**7, 600) as video:
        assert video.seconds is not None
        assert video.seconds >= 4.9


@pytest.mark.parametrize("mode", ["fast", "full"])
def test_a_variable_rate(tmp_path: Path, mode: str) -> None:
    ticks = [*range(0, 1000, 20), *range(1000, 2000, 100), *range(2000, 3000, 40)]
    images = [image for seed, count in ((1, 50), (2, 10), (3, 25)) for image in moving(scene(seed), count)]
    path = write_clip(tmp_path / "a.mkv", images, ticks=ticks)
    found = frames(path, options=Options(mode=mode))
    assert {which_scene(one.jpeg, range(6)): int(one.time_s) for one in found} == {1: 0, 2: 1, 3: 2}


# ---- pixels


CODED: dict[str, list[str]] = {
    "10 bits": ["-c:v", "libx264", "-pix_fmt", "yuv420p10le"],
    "4:4:4": ["-c:v", "libx264", "-pix_fmt", "yuv444p"],
    "4:4:4, 10 bits": ["-c:v", "libx265", "-pix_fmt", "yuv444p10le", "-x265-params", "log-level=none"],
    "RGB": ["-c:v", "libx264rgb", "-pix_fmt", "bgr24"],
    "RGB, planar": ["-c:v", "libx265", "-pix_fmt", "gbrp", "-x265-params", "log-level=none"],
    "alpha": ["-vf", "format=yuva420p", "-c:v", "libvpx-vp9", "-pix_fmt", "yuva420p"],
    "alpha, 10 bits": ["-c:v", "prores_ks", "-pix_fmt", "yuva444p10le"],
    "full range, by its format": ["-c:v", "mjpeg", "-pix_fmt", "yuvj422p"],
    "full range, by its tag": ["-vf", "scale=out_range=pc,format=yuv420p", "-c:v", "libx264", "-color_range", "pc"],
    "limited range": ["-vf", "scale=out_range=tv,format=yuv420p", "-c:v", "libx264", "-color_range", "tv"],
}


@pytest.mark.parametrize("kind", CODED)
def test_every_kind_of_pixel_shows_the_same_colour(tmp_path: Path, kind: str) -> None:
    path = tmp_path / ("a.mov" if "prores_ks" in CODED[kind] else "a.mkv")
    ffmpeg("-f", "lavfi", "-i", "color=0x4080C0:s=320x180:r=25:d=1", *CODED[kind], path)
    (found,) = frames(path)
    assert np.abs(pixels(found).reshape(-1, 3).mean(axis=0) - BLUE).max() < 3


@pytest.mark.parametrize("kind", CODED)
def test_every_kind_of_pixel_is_measured(tmp_path: Path, kind: str) -> None:
    whole = write_clip(tmp_path / "whole.mkv", moving(scene(1), 12), options={"qp": "0"})
    path = tmp_path / ("a.mov" if "prores_ks" in CODED[kind] else "a.mkv")
    ffmpeg("-i", whole, *CODED[kind], path)
    assert frames(path)[0].sharpness == pytest.approx(frames(whole)[0].sharpness, rel=0.5)


# ---- shape


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_turned_file_is_upright(tmp_path: Path, degrees: int) -> None:
    turned = tmp_path / "turned.mp4"
    ffmpeg("-display_rotation", degrees, "-i", three_shots(tmp_path / "a.mp4"), "-c", "copy", turned)
    for chosen, plain in zip(frames(turned), frames(tmp_path / "a.mp4"), strict=True):
        assert pixels(chosen).shape[:2] == (chosen.height, chosen.width)
        expected = np.rot90(pixels(plain), degrees // 90)
        assert np.abs(pixels(chosen).astype(int) - expected).mean() < 4


@pytest.mark.parametrize("aspect", [Fraction(16, 15), Fraction(64, 45), Fraction(8, 9)])
def test_pixels_that_are_not_square(tmp_path: Path, aspect: Fraction) -> None:
    (found,) = frames(write_clip(tmp_path / "a.mp4", moving(scene(1, 720, 576), 6), aspect=aspect))
    assert found.width / found.height == pytest.approx(720 / 576 * aspect, rel=0.01)


def test_a_size_that_changes_on_the_way(tmp_path: Path) -> None:
    parts = [
        write_clip(tmp_path / f"{at}.ts", moving(scene(at, *size), 48))
        for at, size in ((1, (320, 180)), (2, (640, 360)))
    ]
    ffmpeg("-i", "concat:" + "|".join(map(str, parts)), "-c", "copy", tmp_path / "a.ts")
    found = frames(tmp_path / "a.ts")
    assert [(one.width, one.height) for one in found] == [(320, 180)] * 2 + [(512, 288)] * 2
    assert [int(one.time_s) for one in found] == [0, 1, 2, 3]


# ---- several streams


@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts", "avi"])
@pytest.mark.parametrize("small_first", [True, False])
def test_of_two_streams_the_large_one(tmp_path: Path, ending: str, small_first: bool) -> None:
    write_clip(tmp_path / "small.mp4", moving(scene(2, 64, 36), 24))
    write_clip(tmp_path / "large.mp4", moving(scene(1), 24))
    names = ["small.mp4", "large.mp4"] if small_first else ["large.mp4", "small.mp4"]
    inputs = [word for name in names for word in ("-i", tmp_path / name)]
    ffmpeg(*inputs, "-map", 0, "-map", 1, "-c", "copy", tmp_path / f"a.{ending}")
    assert [which_scene(one.jpeg, range(6)) for one in frames(tmp_path / f"a.{ending}")] == [1]


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
@pytest.mark.parametrize("called", ["attached_pic", "default"])
def test_a_cover_is_not_the_film_whatever_it_is_called(tmp_path: Path, ending: str, called: str) -> None:
    write_clip(tmp_path / "cover.avi", [scene(5, 1280, 1280)], codec="mjpeg", pixels="yuvj420p")
    write_clip(tmp_path / "film.mp4", moving(scene(1), 24))
    called_so = ["-disposition:v:0", called, "-disposition:v:1", 0]
    inputs = ["-i", tmp_path / "cover.avi", "-i", tmp_path / "film.mp4", "-map", 0, "-map", 1]
    ffmpeg(*inputs, "-c", "copy", *called_so, tmp_path / f"a.{ending}")
    assert [which_scene(one.jpeg, range(6)) for one in frames(tmp_path / f"a.{ending}")] == [1]


def test_a_film_of_jpegs_is_a_film(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.avi", moving(scene(1), 24), codec="mjpeg", pixels="yuvj420p")
    assert which_scene(frames(path)[0].jpeg, range(6)) == 1


# ---- damage


def test_damaged_stretches_are_marked_and_chosen_last(tmp_path: Path) -> None:
    images = [image for seed in range(4) for image in moving(scene(seed, 640, 360), 48)]
    path = write_clip(tmp_path / "a.mkv", images, gop=48, options={"bf": "0", "sc_threshold": "0"})
    with av.open(str(path)) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    data = bytearray(path.read_bytes())
    position, size = packets[60]
    data[position + size // 4 : position + size] = b"\x55" * (size - size // 4)
    path.write_bytes(data)
    mode = Options(mode="full")
    assert [one.suspect for one in frames(path, (2.6, 3.9), mode)] == [True], (
        "there is nothing else: one, and it says so"
    )
    assert [one.suspect for one in frames(path, (2.0, 4.0), mode)] == [False], "the sound half second of the shot"
    assert frames(path, (2.0, 4.0), mode)[0].time_s < 0.5
    assert not any(one.suspect for one in frames(path, WHOLE, replace(mode, max_frames=8)))
    scores = [frames(path, span, mode)[0].score for span in ((2.6, 3.9), (0.6, 1.9))]
    assert scores[0] is not None
    assert scores[1] is not None
    assert scores[0] < 0 < scores[1]
