"""Pinned files that are used as they are: each in ``cache/weights``, fetched once and verified every time."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from model.errors import WeightsError
from model.pinned_file import PinnedFile, Progress, fetch, making
from model.weight_files import file_sha256


def resolve(pinned: PinnedFile, cache: Path, progress: Progress, otherwise: str) -> Path:
    """The file, fetched where it is not whole. Raises WeightsError, in one line with what to do ``otherwise``."""
    target = _target(pinned, cache)
    if _is_whole(target, pinned):
        return target
    try:
        with making(target, pinned, progress):
            if not _is_whole(target, pinned):
                _install(pinned, target, progress, otherwise)
    except OSError as error:
        raise WeightsError(f"cannot write weights into {target.parent}: {error.strerror or error}") from error
    return target


def at_hand(pinned: PinnedFile, cache: Path) -> bool:
    """Whether ``resolve`` would have nothing to fetch."""
    return _is_whole(_target(pinned, cache), pinned)


def _target(pinned: PinnedFile, cache: Path) -> Path:
    return cache / "weights" / f"{pinned.sha256[:12]}-{pinned.file}"


def _is_whole(path: Path, pinned: PinnedFile) -> bool:
    try:
        return path.stat().st_size == pinned.size and file_sha256(path) == pinned.sha256
    except OSError:
        return False


def _install(pinned: PinnedFile, target: Path, progress: Progress, otherwise: str) -> None:
    work = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent))
    try:
        fetch(pinned, work / target.name, progress, otherwise)
        (work / target.name).replace(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)
