from __future__ import annotations

import numpy as np
import pytest

from model.expressions import NAMES, cropped, expressions


def test_a_face_is_cut_out_as_a_square_with_a_rim() -> None:
    grey = np.zeros((200, 300), np.uint8)
    grey[40:140, 100:160] = 255
    face = cropped(grey, (100.0, 40.0, 60.0, 100.0, 0.9), 0.1)
    assert (face.shape, face.dtype, face.min(), face.max()) == ((64, 64, 1), np.float32, -1.0, 1.0)
    bright = (face[..., 0] > 0).nonzero()
    assert (bright[0].max() - bright[0].min() + 1) / 64 == pytest.approx(100 / 120, abs=0.02)
    assert (bright[1].max() - bright[1].min() + 1) / 64 == pytest.approx(60 / 120, abs=0.02)


@pytest.mark.parametrize(
    "box", [(0.0, 0.0, 0.0, 0.0), (-50.0, 190.0, 400.0, 90.0), (299.9, 199.9, 0.1, 0.1), (0.0, 0.0, 1e9, 1e9)]
)
def test_whatever_a_detector_says_can_be_cut_out(box: tuple[float, float, float, float]) -> None:
    face = cropped(np.full((200, 300), 128, np.uint8), (*box, 0.9), 0.1)
    assert (face.shape, face.min(), face.max()) == ((64, 64, 1), face[0, 0, 0], face[0, 0, 0])


def test_each_face_has_its_own_scores() -> None:
    """The network says how bright a face is: a third of it happy, the rest neutral."""
    picture = np.zeros((100, 300, 3), np.uint8)
    picture[:, 200:] = 255

    def network(face: np.ndarray) -> list[np.ndarray]:
        happy = (float(face.mean()) + 1) / 3
        return [np.array([0, 0, 0, happy, 0, 0, 1 - happy], np.float32)]

    found = expressions(network, picture, [(240.0, 30.0, 30.0, 40.0, 0.9), (30.0, 30.0, 30.0, 40.0, 0.9)])
    assert [dict(zip(NAMES, scores, strict=True))["happy"] for scores in found] == [0.667, 0.0]
    assert [scores[NAMES.index("neutral")] for scores in found] == [0.333, 1.0]
    assert expressions(network, picture, []) == ()


def test_the_scores_are_the_mean_of_the_views_of_a_face() -> None:
    """The left half of the picture is white: seen from three distances, and as in a mirror."""
    picture = np.zeros((100, 300, 3), np.uint8)
    picture[:, :100] = 255
    seen = []

    def network(face: np.ndarray) -> list[np.ndarray]:
        seen.append(float((face[:, :32] > 0).mean()))
        return [np.array([seen[-1], 0, 0, 0, 0, 0, 1 - seen[-1]], np.float32)]

    ((angry, *_, neutral),) = expressions(network, picture, [(80.0, 30.0, 40.0, 40.0, 0.9)])
    assert seen == pytest.approx([1, 0] * 3, abs=0.04)
    assert (angry, neutral) == pytest.approx((sum(seen) / 6, 1 - sum(seen) / 6), abs=0.001)
