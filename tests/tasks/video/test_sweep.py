"""One pass for many windows."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from video_clips import moving, scene, write_clip

from model.errors import VideoError
from tasks.video.decode import Decoder
from tasks.video.open import open_video
from tasks.video.sweep import Sweep
from tasks.video.window import Window


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve seconds, a key frame every second."""
    images = [image for seed in range(12) for image in moving(scene(seed, 160, 90), 24)]
    return write_clip(tmp_path_factory.mktemp("sweep") / "a.mp4", images, gop=24)


@pytest.fixture
def decoder(long_clip: Path) -> Iterator[Decoder]:
    with open_video(long_clip.parent, long_clip.name, 10**7, 600) as video:
        yield Decoder(video, fast=False)


def sweep(decoder: Decoder, windows: list[Window], fast: bool = False, longest: float = 600.0) -> Sweep:
    return Sweep(decoder, windows, fast, longest, time.process_time() + 60)


def span(window: Window) -> tuple[int, int, int]:
    """First and last frame, by number, and how many."""
    return round(window.looks[0].time_s * 24), round(window.looks[-1].time_s * 24), len(window.looks)


def test_overlapping_windows_see_their_own_frames(decoder: Decoder) -> None:
    windows = [Window(1.0, 3.0), Window(2.0, 4.0), Window(0.0, float("inf")), Window(1.0, 1.5)]
    done = list(sweep(decoder, windows).finished())
    assert done == [windows[3], windows[0], windows[1], windows[2]], "each as soon as it is over"
    assert [span(window) for window in windows] == [(24, 71, 48), (48, 95, 48), (0, 287, 288), (24, 35, 12)]


def test_decoding_stops_when_all_is_seen_and_skips_what_nobody_wants(decoder: Decoder) -> None:
    windows = [Window(0.5, 1.0), Window(9.25, 10.0)]
    passed = sweep(decoder, windows)
    assert [span(window) for window in passed.finished()] == [(12, 23, 12), (222, 239, 18)]
    assert passed.decoded < 75, "of 288"


def test_every_frame_is_a_sign_of_life(decoder: Decoder) -> None:
    beats: list[float] = []
    passed = Sweep(decoder, [Window(0.0, 1.0)], False, 600.0, time.process_time() + 60, lambda: beats.append(1))
    list(passed.finished())
    assert len(beats) == passed.decoded == 25


def test_fast_looks_fifteen_times_a_second_at_most(decoder: Decoder) -> None:
    window = Window(0.0, float("inf"))
    list(sweep(decoder, [window], fast=True).finished())
    assert len(window.looks) == 144, "every second one of 24 a second"


def test_a_window_shorter_than_a_frame_sees_the_frame_on_screen(decoder: Decoder) -> None:
    between, at_end = Window(2.01, 2.02), Window(11.97, 12.5)
    list(sweep(decoder, [between, at_end]).finished())
    assert [span(between), span(at_end)] == [(48, 48, 1), (287, 287, 1)]


def test_a_window_after_the_end_sees_nothing(decoder: Decoder) -> None:
    window = Window(13.0, 15.0)
    assert list(sweep(decoder, [window]).finished()) == [window]
    assert window.looks == []


def test_length_and_time_are_bounded_whatever_the_header_says(decoder: Decoder) -> None:
    early, late = Window(0.0, 1.0), Window(0.5, 11.0)
    passed = sweep(decoder, [early, late], longest=5.0).finished()
    assert next(passed) is early
    with pytest.raises(VideoError) as caught:
        next(passed)
    assert caught.value.reason == "too_long"
    with pytest.raises(VideoError) as caught:
        list(Sweep(decoder, [Window(0.0, 9.0)], False, 600.0, time.process_time() - 1).finished())
    assert caught.value.reason == "timed_out"
