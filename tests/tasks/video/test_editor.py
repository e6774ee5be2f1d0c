"""A finished window becomes rows: faces asked only where there is a model, each frame rendered once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from video_clips import three_shots

from tasks.video.decode import Decoder
from tasks.video.editor import Editor
from tasks.video.measure import Measurer
from tasks.video.open import Video, open_video
from tasks.video.options import Options
from tasks.video.window import Window


@pytest.fixture
def video(tmp_path: Path) -> Iterator[Video]:
    three_shots(tmp_path / "a.mp4")
    with open_video(tmp_path, "a.mp4", 10**7, 600) as opened:
        yield opened


def seen(video: Video, start_s: float, suspect: bool = False) -> Window:
    window, measurer = Window(start_s, float("inf")), Measurer()
    for picture in Decoder(video, fast=False).pictures():
        if picture.time_s >= start_s:
            look, thumb = measurer.measure(type(picture)(picture.time_s, picture.frame, suspect))
            window.add(look, thumb, picture.frame)
    return window


def test_a_window_becomes_keyframes_in_order_of_time(video: Video) -> None:
    found = Editor(video, Options(max_frames=2, long_side=100), "full").edit(seen(video, 1.0))
    assert [0 <= found[0].time_s < 1, 1 < found[1].time_s < 2] == [True, True]
    assert [(chosen.width, chosen.height, chosen.faces) for chosen in found] == [(100, 56, None)] * 2
    assert found[0].novelty == 0.0 < found[1].novelty


def test_nothing_seen_gives_nothing(video: Video) -> None:
    assert Editor(video, Options(), "full").edit(Window(0.0, 1.0)) == []


def test_a_wholly_damaged_window_still_shows_one_frame_and_says_so(video: Video) -> None:
    found = Editor(video, Options(), "full").edit(seen(video, 0.0, suspect=True))
    assert [(chosen.method, chosen.suspect) for chosen in found] == [("best-2/full/nofaces", True)]
    assert found[0].score is not None
    assert found[0].score < 0
