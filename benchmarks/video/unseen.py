"""The corpus that nothing is tuned on: the demo's own drawings, cut as a conversation is.

Reverse angles in one room, punch-ins on one person, fades through black, flashes of light: what drawn.py has not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from video.truth import RATE, Image, Span, Truth

from tasks.demo.draw import draw
from tasks.demo.world import SHOTS, Scene, random_person, random_scene

WIDTH, HEIGHT = 640, 360
FADE = 10
"""Frames that a picture takes to go black, and the next to come."""

Camera = tuple[Scene, int]
"""What it sees, and the seed of the wall behind."""


def clip(name: str, seed: int) -> tuple[Truth, Iterator[Image]]:
    """3 to 7 seconds of two people talking."""
    rng = np.random.default_rng((23, seed))
    truth, at, flashes = Truth(name), 0, []
    lengths = [int(rng.integers(RATE, 3 * RATE)) for _ in range(int(rng.integers(2, 5)))]
    cameras = _cameras(rng, seed, len(lengths))
    for number, length in enumerate(lengths):
        if number and rng.random() < 0.2:
            truth.fades.append((at - FADE, at + FADE - 1))
        if rng.random() < 0.2:
            first = at + int(rng.integers(FADE, length - FADE))
            flashes.append((first, first + int(rng.integers(0, 3))))
        truth.shots.append((at, at + length - 1))
        at += length
    return truth, _draw(truth, cameras, flashes)


def _cameras(rng: np.random.Generator, seed: int, count: int) -> list[Camera]:
    """One after the other: the person opposite, the same one closer or farther, or both."""
    room = random_scene(rng)
    pair = (random_person(rng), random_person(rng))
    side, size = 0, str(rng.choice(SHOTS[:2]))
    found = []
    for _ in range(count):
        how = str(rng.choice(["reverse", "punch", "both"], p=[0.6, 0.2, 0.2]))
        if how == "punch":
            size = str(rng.choice([shot for shot in SHOTS if shot != size]))
        else:
            side = 1 - side
        people = pair if how == "both" else (pair[side],)
        found.append(
            (replace(room, people=people, shot="wide shot" if how == "both" else size, speaker=0), 2 * seed + side)
        )
    return found


def _draw(truth: Truth, cameras: list[Camera], flashes: list[Span]) -> Iterator[Image]:
    for (first, last), (scene, wall) in zip(truth.shots, cameras, strict=True):
        for at in range(first, last + 1):
            if (at - first) % 2 == 0:  # on twos, as the demo is drawn
                picture = draw(scene, width=WIDTH, height=HEIGHT, time_s=at / RATE, seed=wall)
            light = min(
                [abs(at + 0.5 - (start + FADE)) / FADE for start, end in truth.fades if start <= at <= end] or [1]
            )
            flash = any(start <= at <= end for start, end in flashes)
            yield np.clip(picture * light + 150 * flash, 0, 255).astype(np.uint8) if light < 1 or flash else picture
