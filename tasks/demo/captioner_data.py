"""Training pictures for the demo captioner: utterances of 1 to 4 frames, rendered into one memory map."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tasks.demo.draw import draw
from tasks.demo.world import MAX_FRAMES, Scene, describe, random_frames

SIDE = 160  # the captioner sees squares of this many pixels
POOL = 1_000_000  # first seed of the rendered training pictures
CROWDS = 900_000_000  # first seed of the crowds
_FRAME_SHARE = (0.4, 0.25, 0.2, 0.15)  # of utterances with 1, 2, 3, 4 frames
_CUT, _STEADY = 0.5, 0.2  # shares kept of training prompts in which only the shot changes, and in which nothing does
_SIZES = ((384, 216), (384, 216), (512, 288), (640, 360))


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is trained: rendered utterances and crowds, and the steps of the three stages that learn."""

    shots: int = 8_000
    crowds: int = 2_000
    vision: int = 5_500
    simulated: int = 1_800
    pictures: int = 800


@dataclass(frozen=True, slots=True)
class Shot:
    """One utterance: its scenes in time order and all that ``draw`` needs for each of them."""

    scenes: tuple[Scene, ...]
    seeds: tuple[int, ...]
    times: tuple[float, ...]

    @property
    def caption(self) -> str:
        return describe(self.scenes)

    def pick(self, pictures: int, rng: np.random.Generator) -> list[int] | None:
        """Frames for one training prompt, in time order; None if there are too few of them.

        None, too, for most of those in which nothing changes: what is rare is learned last.
        """
        if len(self.scenes) < pictures:
            return None
        frames: list[int] = np.sort(rng.choice(len(self.scenes), pictures, replace=False)).tolist()
        faces = {tuple(person.expression for person in self.scenes[frame].people) for frame in frames}
        cut = len({self.scenes[frame].shot for frame in frames}) > 1
        kept = 1.0 if pictures == 1 or len(faces) > 1 else _CUT if cut else _STEADY
        return frames if rng.random() < kept else None


def make_shot(seed: int) -> Shot:
    """The utterance of this seed; a fifth of them are cut so that every frame has its own furniture."""
    rng = np.random.default_rng((seed, 77))
    count = int(rng.choice(MAX_FRAMES, p=_FRAME_SHARE)) + 1
    scenes = random_frames(rng, count)
    base = int(rng.integers(2**31))
    step = int(rng.random() < 0.2)
    start, gap = float(rng.uniform(0, 20)), float(rng.uniform(0.3, 1.5))
    return Shot(scenes, tuple(base + step * i for i in range(count)), tuple(start + gap * i for i in range(count)))


def render_shot(shot: Shot, seed: int) -> list[np.ndarray[Any, Any]]:
    """Frames as a decoded keyframe would look: uint8 RGB, 512 pixels or less wide, with coding artefacts."""
    import cv2

    rng = np.random.default_rng((seed, 78))
    width, height = _SIZES[int(rng.integers(len(_SIZES)))]
    quality = int(rng.integers(45, 96))
    frames = []
    for scene, own, time_s in zip(shot.scenes, shot.seeds, shot.times, strict=True):
        image = draw(scene, width=width, height=height, time_s=time_s, seed=own)
        if width > 512:
            image = cv2.resize(image, (512, 288), interpolation=cv2.INTER_AREA)
        _, code = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, quality))
        frames.append(cv2.cvtColor(cv2.imdecode(code, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB))
    return frames


def shrink(image: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The resize that the image processor does: bilinear with antialiasing, (SIDE, SIDE, 3)."""
    from PIL import Image

    return np.asarray(Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def render_pool(path: Path, seeds: range) -> Iterator[int]:
    """Fills ``path`` (uint8, frames × SIDE × SIDE × 3) shot by shot; yields the frames written so far."""
    starts = frame_starts(seeds)
    pool = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(starts[-1], SIDE, SIDE, 3))
    for seed, start in zip(seeds, starts[:-1], strict=True):
        frames = render_shot(make_shot(seed), seed)
        for offset, frame in enumerate(frames):
            pool[start + offset] = shrink(frame)
        yield int(start) + len(frames)


class FramePool:
    """Rendered training pictures: all are drawn once, into one file of ``folder``, and read from there.

    ``report`` gets the part done (0..1) and a line of figures.
    """

    def __init__(self, folder: Path, seeds: range, report: Callable[[float, str], None]) -> None:
        self.seeds = seeds
        self._starts = frame_starts(seeds)
        self._owner = np.repeat(np.arange(len(seeds)), np.diff(self._starts))
        self._shots: dict[int, Shot] = {}
        for count in render_pool(folder / "frames.npy", seeds):
            report(count / len(self), f"{count} of {len(self)} pictures")
        self._frames = np.load(folder / "frames.npy", mmap_mode="r")

    def __len__(self) -> int:
        return self._starts[-1]

    def frames(self, count: int, rng: np.random.Generator) -> tuple[np.ndarray[Any, Any], list[tuple[Shot, int]]]:
        """Random frames: uint8 (count, SIDE, SIDE, 3), and the shot and frame number of each."""
        picked = rng.integers(0, len(self), count)
        owners = self._owner[picked]
        known = [(self._shot(int(o)), int(k) - self._starts[o]) for k, o in zip(picked, owners, strict=True)]
        return self._frames[picked], known

    def utterances(
        self, count: int, pictures: int, rng: np.random.Generator
    ) -> tuple[np.ndarray[Any, Any], list[Shot], list[list[int]]]:
        """Random prompts of ``pictures`` frames in time order: uint8 (count, pictures, SIDE, SIDE, 3), ..."""
        images: list[np.ndarray[Any, Any]] = []
        shots: list[Shot] = []
        frames: list[list[int]] = []
        while len(shots) < count:
            owner = int(self._owner[int(rng.integers(0, len(self)))])
            shot = self._shot(owner)
            if picked := shot.pick(pictures, rng):
                images.append(np.stack([self._frames[self._starts[owner] + i] for i in picked]))
                shots.append(shot)
                frames.append(picked)
        return np.stack(images), shots, frames

    def _shot(self, owner: int) -> Shot:
        if owner not in self._shots:
            self._shots[owner] = make_shot(self.seeds[owner])
        return self._shots[owner]


def frame_starts(seeds: range) -> list[int]:
    """Where each shot's frames begin in the pool, and their total as the last entry."""
    starts = [0]
    for seed in seeds:
        starts.append(starts[-1] + len(make_shot(seed).scenes))
    return starts
