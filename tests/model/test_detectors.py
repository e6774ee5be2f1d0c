"""Which detectors look at which frames, and the real ones on real clips where the extra [cues] is installed."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest

from model.detectors import Detected, Detectors, load
from model.dialogue import FaceBox, Keyframe
from model.errors import SettingsError, VideoError, WeightsError
from model.small_network import SmallNetwork, installed

FACE = (10.0, 10.0, 20.0, 20.0, 0.9)


def jpeg(shade: int = 128) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (80, 60), (shade,) * 3).save(buffer, "JPEG")
    return buffer.getvalue()


def frame(rank: int, picture: bytes, faces: tuple[FaceBox, ...] | None = ()) -> Keyframe:
    return Keyframe("x/train/0/0", rank, rank / 2, picture, 80, 60, 1.0, 0.0, 0.5, False, 0, faces, "test")


def nobody(_square: np.ndarray) -> list[np.ndarray]:
    return [np.zeros((2254, 12), np.float32), np.full((2254, 1), -9, np.float32)]


def somebody(square: np.ndarray) -> list[np.ndarray]:
    rows, logits = nobody(square)
    rows[1000, 2:4], rows[1000, 6:8], logits[1000] = 30, 40, 9
    return [rows, logits]


def happy(_face: np.ndarray) -> list[np.ndarray]:
    return [np.array([0, 0, 0, 1, 0, 0, 0], np.float32)]


def cup(_square: np.ndarray) -> np.ndarray:
    return np.array([[0, 47, 0.875, 0, 0, 0.5, 1]], np.float32)


def test_each_find_names_its_frame_and_face() -> None:
    frames = [frame(1, jpeg(), (FACE, FACE)), frame(3, jpeg(), ())]
    scores = (0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0)
    found = Detectors(nobody, happy).look(frames)
    assert found == Detected((), ((1, 0, *scores), (1, 1, *scores)))
    found = Detectors(somebody, None).look(frames)
    assert found.expressions is None
    assert [rank for rank, *_ in found.people or ()] == [1, 3]
    assert Detectors(None, happy).look([]) == Detected(None, ())
    found = Detectors(objects=cup).look(frames)
    assert found == Detected(objects=tuple((rank, "cup", 0.0, 0.0, 40.0, 60.0, 0.875) for rank in (1, 3)))


def test_a_picture_is_decoded_only_where_it_is_looked_at() -> None:
    broken = frame(0, b"\xff\xd8\xff not a picture")
    assert Detectors(None, happy).look([broken]) == Detected(None, ())
    for looks in (Detectors(nobody), Detectors(objects=cup)):
        with pytest.raises(VideoError) as found:
            looks.look([broken])
        assert found.value.reason == "bad_picture"


def test_without_the_extra_nothing_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    for people, expressions, objects in ((True, False, False), (False, True, True)):
        with pytest.raises(SettingsError, match=r'pip install "dialoguellm\[cues\]"'):
            load(people=people, expressions=expressions, objects=objects, cache=tmp_path, progress=lambda *_: None)
    assert not [*tmp_path.iterdir()]


@pytest.mark.skipif(not installed(), reason="ai-edge-litert is not installed: pip install 'dialoguellm[cues]'")
def test_a_file_that_is_no_network(tmp_path: Path) -> None:
    (tmp_path / "x.tflite").write_bytes(b"TFL3 nothing")
    for name in ("x.tflite", "gone.tflite"):
        with pytest.raises(WeightsError, match=f"{name} cannot be loaded"):
            SmallNetwork(tmp_path / name)
