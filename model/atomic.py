"""Files and folders that are either whole or not there: a temporary dot-name beside the target, fsync, rename."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Yields a temporary path beside ``target``; moves it into place if the block succeeds, else removes it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        sync(temporary)
        temporary.replace(target)
        sync(target.parent)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


def write_json(target: Path, value: Any) -> None:
    """Writes ``value`` as JSON, whole or not at all."""
    with replacing(target) as temporary:
        temporary.write_text(json.dumps(value, indent=1, sort_keys=True, default=str) + "\n")


def replace_folder(target: Path, fill: Callable[[Path], None]) -> None:
    """Make ``target`` anew: filled under a dot-name by ``fill``, flushed to disk, then renamed.

    A kill leaves the old folder, the new one or, between two renames, neither: never one that is half removed.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    work, old = (target.parent / f".{target.name}.{end}" for end in ("tmp", "old"))
    for left in (work, old):
        shutil.rmtree(left, ignore_errors=True)
    work.mkdir()
    try:
        fill(work)
        for path in work.iterdir():
            sync(path)
        sync(work)
        if target.exists():
            target.rename(old)
        work.rename(target)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)  # a disk that is full needs the room
        raise
    sync(target.parent)
    shutil.rmtree(old, ignore_errors=True)


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Yields a temporary folder beside ``target`` and moves it there if the block succeeds, else removes it.

    ``target`` may be an empty folder. Raises OSError where it holds anything: nothing is ever replaced.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent))
    try:
        yield work
        work.chmod(0o755)
        for path in work.iterdir():
            sync(path)
        sync(work)
        work.rename(target)  # the system refuses a folder that is not empty
        sync(target.parent)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def sync(path: Path) -> None:
    """Waits until a file, or a folder's list of names, is on the disk. Raises OSError with its path."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:  # of a descriptor the system names no file
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        os.close(descriptor)
