"""Draws one picture of the demo's world: ``draw(scene, ...)`` is a pure function of its arguments."""

from __future__ import annotations

import zlib
from functools import lru_cache
from typing import Any

import numpy as np

from tasks.demo.canvas import Canvas
from tasks.demo.draw_person import draw_person
from tasks.demo.draw_place import draw_place
from tasks.demo.world import Scene

# shot -> half head height and height of the head's middle, in picture heights; zoom of the place
_SHOTS = {"close-up": (0.26, 0.43, 1.45), "medium shot": (0.175, 0.35, 1.15), "wide shot": (0.128, 0.27, 1.0)}
_SPACING = {1: 0.0, 2: 0.42, 3: 0.315}  # between people, in picture widths
_CROWD = {1: 1.0, 2: 0.97, 3: 0.9}  # three large heads must fit side by side


def draw(scene: Scene, *, width: int, height: int, time_s: float, seed: int) -> np.ndarray[Any, Any]:
    """The picture of ``scene`` at ``time_s`` as uint8 BGR, (height, width, 3).

    ``seed`` fixes everything that the scene leaves open: positions, tones, furniture, light, grain. Within
    one seed only people move with time: they blink, sway, and the speaker's mouth opens.
    """
    image = _background(scene.place, scene.shot, width, height, seed).copy()
    for index, (person, (x, y, unit)) in enumerate(zip(scene.people, places(scene, width, height, seed), strict=True)):
        own = np.random.default_rng((seed, 2, zlib.crc32(f"{person.figure} {person.hair} {person.clothing}".encode())))
        draw_person(Canvas(image, unit, (x, y)), person, time_s, own, index == scene.speaker)
    light = float(np.random.default_rng((seed, 3)).uniform(0.85, 1.1))
    return _grain(image, light, seed, time_s)


def places(scene: Scene, width: int, height: int, seed: int) -> list[tuple[float, float, float]]:
    """Middle (x, y) and half height of every head in pixels, as ``draw`` puts them."""
    half_head, middle, _ = _SHOTS[scene.shot]
    count = len(scene.people)
    rng = np.random.default_rng((seed, 1))
    across, down = (float(v) for v in rng.uniform((-0.03, -0.02), (0.03, 0.02)))
    size = float(rng.uniform(0.93, 1.07))
    heads = []
    for index in range(count):
        slot = (index - (count - 1) / 2) * _SPACING[count]
        x = width * (0.5 + across + slot + float(rng.uniform(-0.012, 0.012)))
        y = height * (middle + down + float(rng.uniform(-0.015, 0.015)))
        heads.append((x, y, height * half_head * _CROWD[count] * size))
    return heads


@lru_cache(maxsize=32)
def _background(place: str, shot: str, width: int, height: int, seed: int) -> np.ndarray[Any, Any]:
    import cv2

    rng = np.random.default_rng((seed, zlib.crc32(place.encode())))
    image = np.zeros((height, width, 3), np.uint8)
    zoom, aspect = _SHOTS[shot][2], width / height
    shift = float(rng.uniform(-0.03, 0.03))
    left, top = (1 - zoom) / 2 * width + shift * height, (1 - zoom) * 0.3 * height
    draw_place(Canvas(image, height * zoom, (left, top)), place, aspect, rng)
    _fill_edges(image, left, width * zoom)
    blur = {"close-up": 0.006, "medium shot": 0.003, "wide shot": 0.0}[shot] * height
    if blur:
        image = cv2.GaussianBlur(image, (0, 0), blur)
    image.setflags(write=False)
    return image


def _fill_edges(image: np.ndarray[Any, Any], left: float, wide: float) -> None:
    """Repeats the outermost drawn column where a shifted place leaves a strip empty."""
    first, last = max(0, int(np.ceil(left)) + 1), min(image.shape[1], int(left + wide) - 1)
    image[:, :first] = image[:, first : first + 1]
    image[:, last:] = image[:, last - 1 : last]


def _grain(image: np.ndarray[Any, Any], light: float, seed: int, time_s: float) -> np.ndarray[Any, Any]:
    import cv2

    height, width = image.shape[:2]
    noise = _noise(height, width)
    start = (seed * 7919 + round(time_s * 1000) * 131) % (64 * width)
    flat = noise.reshape(-1)[start * 3 : start * 3 + height * width * 3].reshape(image.shape)
    lit = cv2.convertScaleAbs(image, alpha=light, beta=-3)
    return np.asarray(cv2.add(lit, flat))


@lru_cache(maxsize=4)
def _noise(height: int, width: int) -> np.ndarray[Any, Any]:
    noise = np.random.default_rng(0).integers(0, 7, (height + 64, width, 3), dtype=np.uint8)
    noise.setflags(write=False)
    return noise
