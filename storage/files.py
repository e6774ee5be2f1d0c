"""How the files of a workspace are read and written: a folder's directly, a bucket's by way of their copies here.

Every write is whole or not there. Of a workspace in a folder these are the plain functions of model/atomic.py; the
copies of one in a bucket are in storage/mirror.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from model import atomic
from storage import sealed
from storage.layout import Layout
from storage.mirror import identity


@contextmanager
def replacing(layout: Layout, target: Path) -> Iterator[Path]:
    """``atomic.replacing`` of a file of the workspace."""
    with atomic.replacing(target) as temporary:
        yield temporary
        if layout.mirror:
            etag, whose = layout.mirror.upload(target, temporary), identity(temporary)
    if layout.mirror:
        layout.mirror.note(target, etag, whose)


def write_json(layout: Layout, target: Path, value: Any) -> None:
    """Writes a record of the workspace as JSON that knows its own digest (storage/sealed.py), whole or not at all."""
    with replacing(layout, target) as temporary:
        temporary.write_bytes(sealed.dumps(value))


def send(layout: Layout, folder: Path) -> None:
    """Sends the files of a folder that were written here by other means; a workspace in a folder has them."""
    if layout.mirror:
        for path in sorted(folder.iterdir()):
            if path.is_file() and not path.name.startswith("."):
                send_one(layout, path)


def send_one(layout: Layout, path: Path) -> None:
    """Sends one such file."""
    if layout.mirror:
        whose = identity(path)
        layout.mirror.note(path, layout.mirror.upload(path, path), whose)


def unlink(layout: Layout, path: Path) -> None:
    """Removes a file; nothing where it is not there."""
    if layout.mirror:
        layout.mirror.delete(path)
    else:
        path.unlink(missing_ok=True)


def local(layout: Layout, path: Path) -> Path:
    """The path, once what lies there is what the workspace has; where it has no such file, none is there."""
    return layout.mirror.fetch(path) if layout.mirror else path


def fetch(layout: Layout, paths: Iterable[Path]) -> None:
    """``local`` of many files at a time."""
    if layout.mirror:
        layout.mirror.fetch_all(paths)


def refresh(layout: Layout, folder: Path) -> None:
    """Makes sure that the records (JSON) below a folder are read as they are now."""
    if layout.mirror:
        layout.mirror.refresh(folder)


def size(layout: Layout, path: Path) -> int | None:
    """A file's size in bytes, None where there is none; of a bucket as its folder was last refreshed."""
    if layout.mirror:
        return layout.mirror.size(path)
    try:
        return path.stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        return None


def holds(layout: Layout, folder: Path, pattern: str) -> bool:
    """Whether a folder holds a file that matches."""
    if layout.mirror:
        return any(Path(name).match(pattern) for name in layout.mirror.bucket.list(f"{layout.mirror.name(folder)}/"))
    return any(folder.glob(pattern))
