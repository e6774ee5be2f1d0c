"""Faces counted in real pictures, and models that are none."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
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
    faces = finder.find(first(real_data("videos", "pyfeat_single_face.mp4")))
    assert len(faces) == 1
    assert 0.01 < faces[0][0] < 0.5
    assert prominence(faces) > 0.2
    assert finder.find(first(real_data("videos", "pyfeat_no_face.mp4"))) == []
    assert finder.find(scene(1)) == []


def test_what_is_no_model_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"not a model")
    with pytest.raises(WeightsError, match=r"keyframes\.face_model"):
        FaceFinder(str(tmp_path / "a.onnx"))


def test_prominence() -> None:
    assert prominence([]) == 0.0
    assert prominence([(0.25, 1.0)]) == 1.0
    assert prominence([(0.01, 0.9), (0.04, 0.9)]) == pytest.approx(0.36)
