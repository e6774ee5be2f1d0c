from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from model.errors import WeightsError
from model.objects import NAMES, SIDE, Network, ObjectNetwork, objects, plural

CUP, BOWL, CHAIR = (next(number for number, name in NAMES.items() if name == each) for each in ("cup", "bowl", "chair"))
PICTURE = np.zeros((100, 400, 3), np.uint8)


def says(*found: tuple[float, ...]) -> Network:
    """A network that finds these: number, score and edges as shares of the square."""

    def network(square: np.ndarray) -> np.ndarray:
        assert (square.shape, square.dtype) == ((SIDE, SIDE, 3), np.uint8)
        return np.array([(0, *each) for each in found], np.float32).reshape(-1, 7)

    return network


def test_a_thing_has_its_name_and_its_place_in_the_picture() -> None:
    found = objects(says((CHAIR, 0.7, 0.5, 0.2, 1.5, 1.2), (CUP, 0.9, 0.0, 0.0, 0.25, 0.5)), PICTURE)
    assert found == (("cup", 0.0, 0.0, 100.0, 50.0, 0.9), ("chair", 200.0, 20.0, 200.0, 80.0, 0.7))


def test_one_thing_is_found_once() -> None:
    cups = (CUP, 0.8, 0.0, 0.0, 0.4, 0.4), (CUP, 0.9, 0.0, 0.0, 0.4, 0.5), (CUP, 0.7, 0.5, 0.5, 0.9, 0.9)
    assert [score for *_, score in objects(says(*cups), PICTURE)] == [0.9, 0.7]
    same = (BOWL, 0.85, 0.0, 0.0, 0.4, 0.49)
    assert [name for name, *_ in objects(says(*cups, same), PICTURE)] == ["cup", "cup"]
    inside = (BOWL, 0.85, 0.0, 0.0, 0.4, 0.3)
    assert [name for name, *_ in objects(says(*cups, inside), PICTURE)] == ["cup", "bowl", "cup"]


@pytest.mark.parametrize(
    "row",
    [
        pytest.param((1, 0.99, 0.1, 0.1, 0.9, 0.9), id="a person"),
        pytest.param((12, 0.99, 0.1, 0.1, 0.9, 0.9), id="a number without a name"),
        pytest.param((0, 0.99, 0.1, 0.1, 0.9, 0.9), id="the background"),
        pytest.param((CUP, 0.59, 0.1, 0.1, 0.9, 0.9), id="unsure"),
        pytest.param((CUP, 0.9, 0.1, 0.1, 0.1, 0.9), id="no width"),
        pytest.param((CUP, 0.9, 0.9, 0.1, 0.1, 0.9), id="the wrong way round"),
        pytest.param((CUP, 0.9, 1.1, 0.1, 1.4, 0.9), id="beside the picture"),
        pytest.param((CUP, 0.9, np.nan, 0.1, 0.5, 0.9), id="no number"),
        pytest.param((CUP, np.inf, 0.1, 0.1, 0.5, np.inf), id="no end"),
    ],
)
def test_what_is_no_thing_is_left_out(row: tuple[float, ...]) -> None:
    assert objects(says(row), PICTURE) == ()
    sure = (CHAIR, 0.8, 0.0, 0.0, 0.5, 0.5)
    assert [name for name, *_ in objects(says(row, sure), PICTURE)] == ["chair"]


@pytest.mark.parametrize("shape", [(1, 3000), (3000, 1), (1, 1), (300, 300), (1080, 1920)])
def test_any_shape_fits(shape: tuple[int, int]) -> None:
    whole = objects(says((CUP, 0.9, 0, 0, 1, 1)), np.full((*shape, 3), 255, np.uint8))
    assert whole == (("cup", 0.0, 0.0, shape[1], shape[0], 0.9),)
    assert objects(says(), np.zeros((*shape, 3), np.uint8)) == ()


def test_the_names_are_cocos() -> None:
    """Its numbers go to 90 with ten left out; each name can be written in both numbers."""
    assert len(NAMES) == len(set(NAMES.values())) == 79
    some = {2: "bicycle", 25: "giraffe", 27: "backpack", 44: "bottle", 67: "dining table", 72: "tv", 90: "toothbrush"}
    assert NAMES.items() >= some.items()
    assert not {1, 12, 26, 29, 30, 45, 66, 68, 69, 71, 83} & NAMES.keys()
    assert all(re.fullmatch("[a-z]+( [a-z]+)*", name) for name in NAMES.values())
    told = {"cup": "cups", "bus": "buses", "couch": "couches", "wine glass": "wine glasses", "knife": "knives"}
    told |= {"pair of skis": "pairs of skis", "mouse": "mice", "sheep": "sheep", "toothbrush": "toothbrushes"}
    assert {name: plural(name) for name in told} == told


def test_files_that_are_no_network(tmp_path: Path) -> None:
    (tmp_path / "x.pb").write_bytes(b"nothing")
    (tmp_path / "x.pbtxt").write_bytes(b"node {")
    for name in ("x.pb", "gone.pb"):
        with pytest.raises(WeightsError, match=f"{name} cannot be loaded") as found:
            ObjectNetwork(tmp_path / name, tmp_path / "x.pbtxt")
        assert "\n" not in str(found.value)
