"""Faces counted in real pictures, and models that are none."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from video_clips import real_data, scene

from model.errors import WeightsError
from tasks.video.faces import FaceFinder, prominence
from tasks.video.picture import Image, Renderer


def first(path: Path) -> Image:
    with av.open(str(path)) as container:
        return Renderer(512, Fraction(1)).render(next(container.decode(video=0)))


def test_real_faces_are_found_and_boxes_are_not() -> None:
    finder = FaceFinder(str(real_data("weights", "yunet_n_dynamic.onnx")))
    picture = first(real_data("videos", "pyfeat_single_face.mp4"))
    faces = finder.find(picture)
    assert len(faces) == 1
    x, y, width, height, score = faces[0]
    assert [x, y, width, height] == pytest.approx([180, 69, 119, 170], abs=15), "where the face is, in these pixels"
    assert 0.6 <= score <= 1
    assert prominence(picture, faces) > 0.2
    assert finder.find(first(real_data("videos", "pyfeat_no_face.mp4"))) == ()
    assert finder.find(scene(1)) == ()


def test_what_is_no_model_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"not a model")
    with pytest.raises(WeightsError, match=r"keyframes\.face_model"):
        FaceFinder(str(tmp_path / "a.onnx"))


def test_prominence() -> None:
    picture = np.zeros((100, 200, 3), np.uint8)
    assert prominence(picture, ()) == 0.0
    assert prominence(picture, [(0.0, 0.0, 50.0, 100.0, 1.0)]) == 1.0
    small, large = (0.0, 0.0, 20.0, 10.0, 0.9), (0.0, 0.0, 40.0, 20.0, 0.9)
    assert prominence(picture, [small, large]) == pytest.approx(0.36)


def test_a_face_at_the_edge_ends_where_the_picture_ends() -> None:
    finder = FaceFinder(str(real_data("weights", "yunet_n_dynamic.onnx")))
    picture = first(real_data("videos", "pyfeat_single_face.mp4"))
    x, y, width, height, _ = finder.find(picture)[0]
    cut = np.ascontiguousarray(picture[: int(y + height * 0.8), int(x + width * 0.2) :])
    ((left, top, across, down, _),) = finder.find(cut)
    assert left == 0.0
    assert left + across <= cut.shape[1]
    assert top + down == pytest.approx(cut.shape[0], abs=0.11)
