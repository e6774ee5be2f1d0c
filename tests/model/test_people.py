from __future__ import annotations

import numpy as np
import pytest

from model.people import SIDE, anchors, decoded, fitted, people


def test_places_are_told_from_the_middles_of_cells() -> None:
    middles = anchors()
    assert middles.shape == (2254, 2)
    assert middles[0] == pytest.approx(middles[1])
    assert middles[1] == pytest.approx((0.5 / 28, 0.5 / 28))
    assert middles[2] == pytest.approx((1.5 / 28, 0.5 / 28)), "along the row first"
    assert middles[28 * 28 * 2] == pytest.approx((0.5 / 14, 0.5 / 14))
    assert middles[-6] == pytest.approx(middles[-1])
    assert middles[-1] == pytest.approx((6.5 / 7, 6.5 / 7))


def answer(*found: tuple[int, float, tuple[float, float], tuple[float, float]]) -> list[np.ndarray]:
    """What a network says that finds somebody at these anchors: logit, hips and rim, in pixels from the anchor."""
    rows, logits = np.zeros((2254, 12), np.float32), np.full((2254, 1), -100, np.float32)
    for at, logit, hips, rim in found:
        rows[at, 2:4], rows[at, 4:6], rows[at, 6:8], logits[at] = 30, hips, rim, logit
    return [rows, logits]


MIDDLE = 28 * 28 * 2 + 14 * 14 * 2 + 6 * (3 * 7 + 3)
"""The first of those in the middle of the square."""


def test_the_surest_of_those_at_one_place_counts() -> None:
    same, corner, faint = (MIDDLE + 1, 2.0, (0, 40), (0, 0)), (0, 1.5, (5, 6), (5, 0)), (700, -0.1, (0, 0), (9, 9))
    rows, logits = answer((MIDDLE, 3.0, (0, 60), (0, -20)), same, corner, faint)
    found = decoded(rows, logits[:, 0])
    assert [round(score, 3) for score, _, _ in found] == [0.953, 0.818]
    assert [*found[0][1], *found[0][2]] == pytest.approx([112, 172, 112, 92])
    assert [*found[1][1], *found[1][2]] == pytest.approx([9, 10, 9, 4])


def test_what_is_no_number_finds_nobody() -> None:
    rows, logits = answer(
        (MIDDLE, 3.0, (np.nan, 0), (0, 9)), (0, np.inf, (0, 0), (np.inf, 0)), (9, np.nan, (0, 0), (1, 1))
    )
    assert decoded(rows, logits[:, 0]) == []


def test_a_box_holds_the_body_and_ends_with_the_picture() -> None:
    picture = np.zeros((100, 400, 3), np.uint8)

    def network(square: np.ndarray) -> list[np.ndarray]:
        assert square.shape == (SIDE, SIDE, 3)
        return answer((MIDDLE, 3.0, (0, 0), (0, -56)), (0, 2.0, (0, 0), (0, 1)))

    assert people(network, picture) == ((100.0, 0.0, 200.0, 100.0, 0.953),), "the other is in the rim above the picture"


@pytest.mark.parametrize("shape", [(1, 3000), (3000, 1), (1, 1), (10, 7), (224, 224), (1080, 1920)])
def test_any_shape_fits(shape: tuple[int, int]) -> None:
    square, fit = fitted(np.full((*shape, 3), 255, np.uint8))
    assert (square.shape, square.dtype) == ((SIDE, SIDE, 3), np.float32)
    assert {*np.unique(square)} <= {-1.0, 1.0}
    white = (square[..., 0] == 1).nonzero()
    assert white[0].min() == fit.top
    assert white[1].min() == fit.left
    assert len(white[0]) == max(1, round(shape[0] * fit.scale)) * max(1, round(shape[1] * fit.scale))
