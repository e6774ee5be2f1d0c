"""The corpus that thresholds may be tuned on: clips as a sitcom's, drawn with NumPy and OpenCV.

Talking heads before textured rooms, some dim, 2 to 6 seconds, 1 to 4 shots with hard cuts; the camera is held, shakes,
pans or whips past, loses focus and finds it again; somebody walks by. Some frames are blurred, some black. Same seed,
same pictures.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from video.truth import RATE, Image, Span, Truth

WIDTH, HEIGHT = 1280, 720
MARGIN = 240
"""Pixels that a room is larger than the picture on every side."""

Rng = np.random.Generator


def clip(name: str, seed: int) -> tuple[Truth, Iterator[Image]]:
    """One utterance's clip."""
    rng = np.random.default_rng((17, seed))
    frames = round(float(rng.triangular(2.0, 3.2, 6.0)) * RATE)
    return _film(name, rng, _lengths(rng, frames, int(rng.choice([1, 2, 3, 4], p=[0.35, 0.3, 0.2, 0.15]))))


def _lengths(rng: Rng, frames: int, shots: int) -> list[int]:
    """Frames of each shot: none under 9, most over half a second."""
    least = 9 if rng.random() < 0.15 else 14
    parts = rng.dirichlet(np.full(shots, 2.5)) * (frames - least * shots)
    return [least + int(part) for part in parts]


def _film(name: str, rng: Rng, lengths: list[int]) -> tuple[Truth, Iterator[Image]]:
    """What happens when, decided before anything is drawn."""
    truth, plan, at, room, view = Truth(name), [], 0, 0, 0
    black_before = int(rng.integers(len(lengths) + 1)) if rng.random() < 0.2 else -1
    for number, length in enumerate([*lengths, 0]):
        if number == black_before:
            run = int(rng.integers(6, 15))
            truth.black.append((at, at + run - 1))
            plan.append((None, run, None))
            at += run
        if not length:
            continue
        view = (view + int(rng.integers(1, 3))) % 3  # also in the same room the camera turns
        room = int(rng.integers(2**31)) if number == 0 or rng.random() < 0.65 else room
        burst = _burst(rng, length)
        truth.shots.append((at, at + length - 1))
        if burst:
            truth.blurred.append((at + burst[0], at + burst[1]))
        plan.append((Shot.make(rng, room, view), length, burst))
        at += length
    return truth, _draw(plan, int(rng.integers(2**31)))


def _burst(rng: Rng, length: int) -> Span | None:
    if length < 24 or rng.random() > 0.5:
        return None
    long = int(rng.integers(5, min(17, length // 2)))
    first = int(rng.integers(0, length - long))
    return first, first + long - 1


def _draw(plan: list[tuple[Shot | None, int, Span | None]], seed: int) -> Iterator[Image]:
    rng = np.random.default_rng(seed)
    grain = [rng.normal(0, 2.2, (HEIGHT, WIDTH, 1)).astype(np.int8).repeat(3, axis=2) for _ in range(5)]
    for shot, length, burst in plan:
        for at in range(length):
            image = shot.picture(at) if shot else np.full((HEIGHT, WIDTH, 3), 16, np.uint8)
            if burst and burst[0] <= at <= burst[1]:
                image = cv2.blur(image, (45, 5)) if seed % 2 else cv2.blur(cv2.blur(image, (15, 15)), (15, 15))
            yield cv2.add(image, grain[int(rng.integers(5))], dtype=cv2.CV_8U) if shot else image


@dataclass
class Shot:
    """A camera, a room and people in it."""

    room: Image
    people: list[tuple[Image, Image, float, float, float]]
    motion: str
    speed: float
    phase: float
    softest: float
    passes: int

    @classmethod
    def make(cls, rng: Rng, room: int, view: int) -> Shot:
        size = float(rng.choice([0.9, 0.6, 0.36], p=[0.35, 0.4, 0.25]))
        count = 1 if size > 0.5 else int(rng.integers(1, 4))
        people = []
        for number in range(count):
            patch, mask = _person(rng, size)
            x = WIDTH * (number + 1) / (count + 1) - patch.shape[1] / 2 + float(rng.uniform(-90, 90))
            people.append((patch, mask, x, HEIGHT * (1.02 - 0.95 * size), float(rng.uniform(0, 6.28))))
        motion = str(rng.choice(["held", "hand", "pan", "whip"], p=[0.5, 0.22, 0.22, 0.06]))
        speed = float(rng.choice([-1, 1]) * (rng.uniform(14, 30) if motion == "whip" else rng.uniform(0.4, 2.5)))
        softest = float(rng.uniform(0.8, 2.0)) if rng.random() < 0.4 else 0.0
        passes = int(rng.integers(0, 60)) if rng.random() < 0.1 else -99
        return cls(_room(room, view / 3, size), people, motion, speed, float(rng.uniform(0, 6.28)), softest, passes)

    def picture(self, at: int) -> Image:
        """The ``at``-th frame, without grain."""
        x, y = 0.0, 0.0
        if self.motion == "hand":
            x, y = 5 * np.sin(at / 9 + self.phase), 4 * np.sin(at / 7 + 2 * self.phase)
        elif self.motion in ("pan", "whip"):
            x = self.speed * (at - 24)
        x = MARGIN + float(np.clip(x, 1 - MARGIN, MARGIN - 1))
        shift = np.float32([[1, 0, -x], [0, 1, -MARGIN - y]])
        image = cv2.warpAffine(self.room, shift, (WIDTH, HEIGHT))
        for number, (patch, mask, left, top, phase) in enumerate(self.people):
            _speak(patch, at, number == 0)
            moved = (left + 6 * np.sin(at / 13 + phase) + MARGIN - x, top + 3 * np.sin(at / 8 + phase) - y)
            _put(image, patch, mask, *moved)
        if 0 <= at - self.passes < 14:  # somebody walks by, close to the camera
            x = round((at - self.passes) / 13 * (WIDTH + 700)) - 350
            cv2.rectangle(image, (x - 330, 60), (x + 330, HEIGHT), (38, 30, 28), -1)
        if self.motion == "whip":
            return cv2.blur(image, (int(abs(self.speed)) | 1, 1))
        soft = self.softest * (0.5 + 0.5 * np.sin(at / 11 + self.phase))
        return cv2.GaussianBlur(image, (0, 0), soft) if soft > 0.3 else image


def _room(seed: int, view: float, size: float) -> Image:
    """A textured wall with things on it; ``view`` turns the camera, close people leave it out of focus."""
    rng = np.random.default_rng((19, seed))
    width, height = WIDTH + 2 * MARGIN, HEIGHT + 2 * MARGIN
    wall = np.zeros((height, width), np.float32)
    for cells, strength in ((5, 38), (24, 18), (110, 11), (420, 9)):
        noise = rng.normal(0, 1, (cells * 9 // 16 + 1, cells)).astype(np.float32)
        wall += strength * cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    tint, light = rng.uniform(55, 175, 3), float(rng.uniform(0.35, 0.6)) if rng.random() < 0.25 else 1.0
    image = np.clip(wall[:, :, None] * rng.uniform(0.6, 1.1, 3) + tint, 0, 255).astype(np.uint8)
    for _ in range(int(rng.integers(25, 60))):
        x, y = int(rng.integers(width)), int(rng.integers(height))
        w, h = int(rng.integers(10, 190)), int(rng.integers(10, 160))
        cv2.rectangle(image, (x, y), (x + w, y + h), [int(c) for c in rng.integers(10, 240, 3)], -1)
        for line in range(x + 6, x + w, int(rng.integers(7, 22))):
            cv2.line(image, (line, y), (line, y + h), [int(c) for c in rng.integers(10, 240, 3)], 2)
    image = cv2.convertScaleAbs(np.roll(image, round(view * width), axis=1), alpha=light)
    return cv2.GaussianBlur(image, (0, 0), 0.6 + 2.2 * size)


def _person(rng: Rng, size: float) -> tuple[Image, Image]:
    """A head and shoulders ``size`` picture heights tall, and their outline."""
    height = round(HEIGHT * size)
    width = round(height * 0.8)
    image, mask = np.zeros((height, width, 3), np.uint8), np.zeros((height, width), np.uint8)
    skin, hair, cloth = ([int(c) for c in rng.integers(low, high, 3)] for low, high in ((90, 220), (5, 120), (20, 230)))
    centre, axes = (width // 2, round(height * 0.36)), (round(width * 0.22), round(height * 0.24))
    body = ((width // 2, height), (round(width * 0.46), round(height * 0.42)))
    for target, colour in ((image, cloth), (mask, 255)):
        cv2.ellipse(target, *body, 0, 0, 360, colour, -1)
    for target, colour in ((image, hair), (mask, 255)):
        cv2.ellipse(
            target, (centre[0], centre[1] - axes[1] // 5), (round(axes[0] * 1.2), axes[1]), 0, 0, 360, colour, -1
        )
    cv2.ellipse(image, centre, axes, 0, 0, 360, skin, -1)
    for side in (-1, 1):
        eye = (centre[0] + side * axes[0] * 2 // 5, centre[1] - axes[1] // 6)
        cv2.ellipse(image, eye, (axes[0] // 5, axes[1] // 10), 0, 0, 360, (235, 235, 235), -1)
        cv2.circle(image, eye, max(2, axes[1] // 14), (30, 20, 20), -1)
    grain = cv2.resize(rng.normal(0, 14, (height // 2, width // 2, 1)).astype(np.float32), (width, height))
    return np.clip(image + grain[:, :, None], 0, 255).astype(np.uint8), mask


def _speak(patch: Image, at: int, speaking: bool) -> None:
    height, width = patch.shape[:2]
    opening = 0.5 + 0.5 * np.sin(at * 1.3) if speaking else 0.1
    mouth = (round(width * 0.08), round(height * (0.012 + 0.03 * opening)))
    cv2.ellipse(
        patch, (width // 2, round(height * 0.47)), (mouth[0] + 4, round(height * 0.05)), 0, 0, 360, (120, 140, 190), -1
    )
    cv2.ellipse(patch, (width // 2, round(height * 0.47)), mouth, 0, 0, 360, (40, 30, 90), -1)


def _put(image: Image, patch: Image, mask: Image, left: float, top: float) -> None:
    shift = np.float32([[1, 0, left], [0, 1, top]])
    size = (image.shape[1], image.shape[0])
    cv2.copyTo(cv2.warpAffine(patch, shift, size), cv2.warpAffine(mask, shift, size, flags=cv2.INTER_NEAREST), image)
