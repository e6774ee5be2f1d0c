"""Pictures of the drawn world: deterministic, and every attribute leaves its mark."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tasks.demo import world
from tasks.demo.draw import draw, places
from tasks.demo.world import Person, Scene

ANNA = Person("woman", "long black hair", "blue", "with a calm face", "standing")
ROOM = Scene("office", "medium shot", (ANNA,))


def picture(scene: Scene, time_s: float = 0.5, seed: int = 3) -> np.ndarray[Any, Any]:
    return draw(scene, width=320, height=180, time_s=time_s, seed=seed)


def difference(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> float:
    """Share of pixels that differ by more than the grain does."""
    return float((np.abs(one.astype(int) - other.astype(int)).max(-1) > 20).mean())


def test_a_picture_is_a_function_of_its_arguments() -> None:
    first = picture(ROOM)
    assert first.shape == (180, 320, 3)
    assert first.dtype == np.uint8
    picture(replace(ROOM, place="park"), seed=4)
    assert np.array_equal(picture(ROOM), first)


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("figure", world.FIGURES),
        ("hair", world.HAIR),
        ("clothing", world.CLOTHES),
        ("expression", world.EXPRESSIONS),
        ("posture", world.POSTURES),
    ],
)
@pytest.mark.parametrize("shot", world.SHOTS)
def test_every_value_of_a_person_looks_different(field: str, values: tuple[str, ...], shot: str) -> None:
    scenes = [Scene("street", shot, (replace(ANNA, **{field: value}),)) for value in values]
    pictures = [picture(scene) for scene in scenes]
    for index, one in enumerate(pictures):
        for other in pictures[index + 1 :]:
            assert difference(one, other) > 0.0005


def test_places_and_shots_look_different() -> None:
    pictures = [picture(Scene(place, "wide shot", ())) for place in world.PLACES]
    for index, one in enumerate(pictures):
        assert all(difference(one, other) > 0.5 for other in pictures[index + 1 :])
    shots = [picture(replace(ROOM, shot=shot)) for shot in world.SHOTS]
    assert difference(shots[0], shots[1]) > 0.3


def test_time_moves_people_only_a_little() -> None:
    moved = difference(picture(ROOM, 0.0), picture(ROOM, 0.7))
    assert 0.0 < moved < 0.1
    empty = replace(ROOM, people=())
    assert difference(picture(empty, 0.0), picture(empty, 0.7)) == 0.0


def test_seeds_vary_the_picture_and_keep_the_heads_inside() -> None:
    assert difference(picture(ROOM, seed=1), picture(ROOM, seed=2)) > 0.05
    crowd = Scene("park", "close-up", (ANNA, ANNA, ANNA))
    for seed in range(50):
        heads = places(crowd, 320, 180, seed)
        assert [x for x, _, _ in heads] == sorted(x for x, _, _ in heads)
        assert all(0.75 * unit < x < 320 - 0.75 * unit and unit < y < 180 for x, y, unit in heads)


@pytest.mark.parametrize("size", [(64, 36), (640, 360), (360, 640), (1280, 720)])
def test_any_size_can_be_drawn(size: tuple[int, int]) -> None:
    image = draw(ROOM, width=size[0], height=size[1], time_s=0.0, seed=1)
    assert image.shape == (size[1], size[0], 3)
    assert image.std() > 10
