"""Crowds for the demo captioner's tower: pictures with many small people, so that one picture has many labels.

They are of the same world, drawn by the same code, but no utterance shows so many: the tower alone sees them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tasks.demo.canvas import Canvas
from tasks.demo.draw import draw
from tasks.demo.draw_person import draw_person
from tasks.demo.world import PLACES, SHOTS, Person, Scene, random_person

_SIZE = (384, 216)
_ACROSS, _DOWN = 2.9, 3.1  # from head to head, in half head heights


@dataclass(frozen=True, slots=True)
class Crowd:
    """People with the middles of their heads, as parts (0..1) of the picture's width and height."""

    place: str
    people: tuple[Person, ...]
    heads: tuple[tuple[float, float], ...]


def make_crowd(seed: int) -> tuple[Crowd, float]:
    """The crowd of this seed, and the half height of its heads in picture heights."""
    rng = np.random.default_rng((seed, 79))
    unit = float(rng.uniform(0.105, 0.19))
    width, height = _SIZE
    across, down = _ACROSS * unit * height / width, _DOWN * unit
    left, top = float(rng.uniform(0.3, 1.0)) * across, float(rng.uniform(1.4, 2.2)) * unit
    heads = [
        (x + float(rng.uniform(-0.12, 0.12)) * across, y + float(rng.uniform(-0.1, 0.1)) * down)
        for y in np.arange(top, 1 - 1.7 * unit, down)
        for x in np.arange(left, 1 - 0.2 * across, across)
        if rng.random() < 0.9
    ]
    people = tuple(random_person(rng) for _ in heads)
    return Crowd(PLACES[int(rng.integers(len(PLACES)))], people, tuple(heads)), unit


def draw_crowd(seed: int) -> np.ndarray[Any, Any]:
    """The picture of ``make_crowd(seed)``: uint8 RGB, (216, 384, 3)."""
    import cv2

    crowd, unit = make_crowd(seed)
    rng = np.random.default_rng((seed, 80))
    width, height = _SIZE
    empty = Scene(crowd.place, SHOTS[int(rng.integers(len(SHOTS)))], ())
    image = draw(empty, width=width, height=height, time_s=0.0, seed=seed)
    for person, (x, y) in zip(crowd.people, crowd.heads, strict=True):
        spot = Canvas(image, unit * height, (x * width, y * height))
        draw_person(spot, person, float(rng.uniform(0, 20)), rng, rng.random() < 0.4)
    image = cv2.convertScaleAbs(image, alpha=float(rng.uniform(0.85, 1.1)))
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))


class CrowdPool:
    """Crowds of ``seeds``, drawn once into one file of ``folder``; ``resize`` makes the picture of the right size."""

    def __init__(
        self, folder: Path, seeds: range, side: int, resize: Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]
    ) -> None:
        self._crowds = [make_crowd(seed)[0] for seed in seeds]
        path = folder / "crowds.npy"
        shape = (len(seeds), side, side, 3)
        self._pictures = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
        for index, seed in enumerate(seeds):
            self._pictures[index] = resize(draw_crowd(seed))

    def sample(self, count: int, rng: np.random.Generator) -> tuple[np.ndarray[Any, Any], list[Crowd]]:
        """Random pictures, uint8 (count, side, side, 3), and their crowds."""
        picked = rng.integers(0, len(self._crowds), count)
        return np.asarray(self._pictures[picked]), [self._crowds[int(index)] for index in picked]
