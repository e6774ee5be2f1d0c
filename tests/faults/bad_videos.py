"""Video files that nobody should trust, each with what must come of it: "frames" or the reason why there are none.

The files are made on the spot, the same ones every time: by hand where a muxer would refuse to write them.
"""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from video_clips import FFMPEG, moving, scene, three_shots, write_clip

FRAMES, SUSPECT = "frames", "suspect"
"""Keyframes; keyframes that are all marked as out of a damaged stretch."""

SECRET_SCENE = 9
"""What the file outside the folder shows: no keyframe may show it."""


class Cannot(Exception):
    """This machine or user cannot make the file; the message says why."""


@dataclass(frozen=True)
class Kit:
    """What the files are made of. ``root`` is the video folder; ``outside`` holds what must not be read."""

    root: Path
    outside: Path
    port: int
    """Of a local server that must never be asked."""

    @cached_property
    def clip(self) -> Path:
        """Three seconds of H.264 in MP4, a key frame each second; its index comes last."""
        return three_shots(self.outside / "clip.mp4", gop=24)

    @cached_property
    def mkv(self) -> Path:
        return self.remuxed("clip.mkv", "-write_crc32", "0")

    @cached_property
    def secret(self) -> Path:
        return write_clip(self.outside / "secret.mp4", moving(scene(SECRET_SCENE), 48))

    @cached_property
    def secret_stream(self) -> Path:
        return write_clip(self.outside / "secret.ts", moving(scene(SECRET_SCENE), 48))

    def remuxed(self, name: str, *options: str) -> Path:
        """``clip`` in another container, below ``outside``."""
        run("-i", self.clip, "-c", "copy", *options, self.outside / name)
        return self.outside / name


Make = Callable[[Kit, Path], None]


@dataclass(frozen=True)
class Case:
    """``name`` is the file's, or what a corpus table gives for one."""

    name: str
    outcome: str
    make: Make
    tries: str


@dataclass
class Collection:
    """Cases, to be filled by decorators."""

    cases: list[Case] = field(default_factory=list)

    def __call__(self, name: str, outcome: str, tries: str) -> Callable[[Make], Make]:
        def decorate(make: Make) -> Make:
            self.cases.append(Case(name, outcome, make, tries))
            return make

        return decorate


def run(*arguments: str | Path) -> None:
    subprocess.run([FFMPEG, "-nostdin", "-v", "error", "-y", "-threads", "1", *map(str, arguments)], check=True)


def link(source: Path, target: Path) -> None:
    target.hardlink_to(source)


def every_case() -> list[Case]:
    from faults.attacks import attacks
    from faults.bombs import bombs
    from faults.broken import broken
    from faults.odd import odd

    return [*broken.cases, *odd.cases, *bombs.cases, *attacks.cases]


def build(kit: Kit, cases: list[Case]) -> dict[str, str]:
    """Writes every file below ``kit.root``; the names that cannot be made here, with why."""
    missing = {}
    for case in cases:
        try:
            case.make(kit, kit.root / case.name)
        except Cannot as error:
            missing[case.name] = str(error)
            with contextlib.suppress(OSError):
                (kit.root / case.name).unlink()
    return missing
