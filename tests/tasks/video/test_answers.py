"""Only what a decoder of ours would say gets through."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from video_clips import three_shots

from model.errors import VideoError
from tasks.video.answers import Clips, Frame, Length, NonsenseError, Refusal
from tasks.video.extract import extract
from tasks.video.options import Options
from tasks.video.outcome import Chosen

GOOD: dict[str, Any] = {
    "time_s": 0.5,
    "width": 320,
    "height": 180,
    "sharpness": 12.0,
    "novelty": 0.0,
    "score": 0.9,
    "suspect": False,
    "faces": 1,
    "face_boxes": [[10.0, 20.0, 310.0, 60.0, 0.9]],
    "method": "best-2/fast/yunet",
}
JPEG = b"\xff\xd8\xff\xe0"


def test_what_the_decoder_makes_comes_through_as_it_was(tmp_path: Path) -> None:
    made = extract(tmp_path, three_shots(tmp_path / "a.mp4").name, [(0.0, 9.0)], Options())[0]
    assert isinstance(made, list)
    for chosen in made:
        told = json.loads(json.dumps({name: value for name, value in asdict(chosen).items() if name != "jpeg"}))
        assert Frame.read(told).chosen(chosen.jpeg) == chosen


def test_boxes_are_tuples_again() -> None:
    chosen = Frame.read(GOOD).chosen(JPEG)
    assert isinstance(chosen, Chosen)
    assert chosen.face_boxes == ((10.0, 20.0, 310.0, 60.0, 0.9),)
    assert Frame.read({**GOOD, "faces": None, "face_boxes": None}).chosen(JPEG).face_boxes is None
    assert Frame.read({**GOOD, "faces": 0, "face_boxes": []}).chosen(JPEG).face_boxes == ()


@pytest.mark.parametrize(
    "change",
    [
        {"time_s": -1.0},
        {"time_s": float("nan")},
        {"time_s": "0.5"},
        {"width": 0},
        {"width": 10**9},
        {"width": 320.5},
        {"height": True},
        {"sharpness": float("inf")},
        {"novelty": 256.0},
        {"score": "high"},
        {"suspect": 1},
        {"faces": 2},
        {"faces": None},
        {"face_boxes": None},
        {"face_boxes": [[10.0, 20.0, 311.0, 60.0, 0.9]]},
        {"face_boxes": [[10.0, 20.0, 30.0, 161.0, 0.9]]},
        {"face_boxes": [[-1.0, 20.0, 30.0, 60.0, 0.9]]},
        {"face_boxes": [[10.0, 20.0, 30.0, 60.0, 1.5]]},
        {"face_boxes": [[10.0, 20.0, 30.0, 60.0]]},
        {"face_boxes": [["a", "b", "c", "d", "e"]]},
        {"faces": 1001, "face_boxes": [[0.0, 0.0, 1.0, 1.0, 0.9]] * 1001},
        {"method": "\x1b[2J"},
        {"utterance_id": "meld/test/0/0"},
    ],
)
def test_a_frame_that_cannot_be_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(NonsenseError):
        Clips.read({"clips": [{"frames": [{**GOOD, **change}]}]})


@pytest.mark.parametrize(
    "clips",
    [
        None,
        [7],
        [{}],
        [{"frames": []}],
        [{"frames": [GOOD] * 65}],
        [{"frames": [GOOD], "reason": "partial", "detail": ""}],
        [{"reason": "because", "detail": ""}],
        [{"reason": "partial"}],
    ],
)
def test_a_clip_is_frames_or_a_known_reason(clips: Any) -> None:
    with pytest.raises(NonsenseError):
        Clips.read({"clips": clips})


def test_a_reason_is_kept_short_and_in_any_letters() -> None:
    error = Refusal.read({"reason": "partial", "detail": "\udcff" * 10**6 + "; fetch it again"}).error()
    assert isinstance(error, VideoError)
    assert (error.reason, len(str(error))) == ("partial", 4000)
    assert str(error).endswith("; fetch it again")


def test_a_picture_is_a_jpeg() -> None:
    with pytest.raises(NonsenseError, match="no JPEG"):
        Frame.read(GOOD).chosen(b"\x89PNG")


@pytest.mark.parametrize("seconds", [-1.0, float("inf"), "long", True])
def test_a_length_is_a_number(seconds: Any) -> None:
    assert Length.read({"seconds": None}).seconds is None
    with pytest.raises(NonsenseError):
        Length.read({"seconds": seconds})
