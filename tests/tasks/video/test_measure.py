"""The numbers that frames are judged by."""

from __future__ import annotations

from dataclasses import replace

import av
import numpy as np
import pytest
from video_clips import Image, black, blurred, scene

from tasks.video.decode import Picture
from tasks.video.measure import Look, Measurer, _every_nth, difference, fingerprint


def look(image: Image, pixels: str = "yuv420p") -> Look:
    frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=pixels)
    return Measurer().measure(Picture(0.0, frame, False))[0]


def test_a_blurred_picture_is_less_sharp() -> None:
    sharp, soft = look(scene(1)), look(blurred(scene(1)))
    assert sharp.sharpness > 10 * soft.sharpness > 0
    assert not sharp.unfit
    assert not soft.unfit


def test_black_white_flat_and_damaged_pictures_are_unfit() -> None:
    assert look(black()).unfit
    assert look(black() + 255).unfit
    assert look(black() + 120).unfit
    assert Look(0.0, 100.0, 120.0, 40.0, 0.0, suspect=True).unfit


@pytest.mark.parametrize("pixels", ["yuvj420p", "yuv444p", "nv12", "gray", "yuv420p10le", "yuyv422", "rgb24", "p010le"])
def test_every_kind_of_pixel_gives_nearly_the_same_numbers(pixels: str) -> None:
    expected, found = look(scene(2)), look(scene(2), pixels)
    assert found.mean == pytest.approx(expected.mean, abs=14)  # full range spreads luma wider
    assert found.sharpness == pytest.approx(expected.sharpness, rel=0.45)


@pytest.mark.parametrize("size", [(2, 2), (16, 16), (1920, 2), (2, 640), (642, 362)])
def test_every_size_can_be_measured(size: tuple[int, int]) -> None:
    assert look(np.full((size[1], size[0], 3), 90, np.uint8)).unfit


@pytest.mark.parametrize("step", [1, 2, 3, 4, 6, 8])
@pytest.mark.parametrize("width", [90, 92, 96])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_every_nth_pixel_is_the_same_whichever_way_it_is_read(step: int, width: int, kind: type) -> None:
    for stride in (96, 97):
        rows = np.random.default_rng(0).integers(0, 250, (50, stride)).astype(kind)
        found = _every_nth(rows, width, step)
        assert found.flags.c_contiguous
        np.testing.assert_array_equal(found, rows[::step, :width:step], strict=True)


def test_a_look_with_its_change_is_the_same_look_but_for_that() -> None:
    one = Look(1.5, 100.0, 120.0, 40.0, 0.0, suspect=True, passing=True)
    assert one.changed(7.0) == replace(one, change=7.0)


def test_a_change_of_size_is_a_change_of_everything() -> None:
    assert difference(np.zeros((36, 64), np.uint8), np.zeros((48, 64), np.uint8)) == 255.0


def test_the_fingerprint_survives_brightness_and_not_another_picture() -> None:
    rng = np.random.default_rng(0)
    thumb = rng.integers(20, 200, (36, 64)).astype(np.uint8)
    other = rng.integers(20, 200, (36, 64)).astype(np.uint8)
    assert (fingerprint(thumb) ^ fingerprint(thumb + 20)).bit_count() <= 3
    assert (fingerprint(thumb) ^ fingerprint(other)).bit_count() > 10
