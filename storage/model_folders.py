"""Folders that a stage fills as it likes (adapters, checkpoints), of a workspace in a bucket.

``models/<key>.json`` says which files the folder has and under which names their bytes lie, which are digests of them:
``models/<key>/<sha256>``. So an index that is there is whole, whatever was written after it, and what did not change
is not sent again. The folder here is worked in; the bucket's index says what another machine will find.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from model import atomic
from model.errors import WorkspaceError
from storage import files, sealed
from storage.layout import Layout
from storage.mirror import Mirror, identity
from storage.parquet import REPAIR
from storage.shards import file_sha256, known_sha256

log = logging.getLogger(__name__)

LOOK_EVERY_S = 2.0
TRIES = 3

PASSING = ("checkpoints/", "set-aside/")
"""What is of a run that goes on, or of another one."""

Record = dict[str, Any]
Seen = dict[str, tuple[int, int, int]]


@contextmanager
def kept(layout: Layout, folder: Path) -> Iterator[None]:
    """While the block works in ``folder``, what is whole there is sent to the bucket every few seconds, and at the end.

    It starts with what the bucket has. Nothing is done for a workspace in a folder.
    """
    if not layout.mirror:
        yield
        return
    fetch(layout, folder)
    _remove_others(layout.mirror, folder)
    ended = threading.Event()
    sender = threading.Thread(
        target=_send, args=(layout, folder, _seen(folder), ended), daemon=True, name=f"copy {folder.name}"
    )
    sender.start()
    try:
        yield
    finally:
        ended.set()
        sender.join()
    push(layout, folder)


def fetch(layout: Layout, folder: Path) -> Path:
    """The folder, with all that the bucket has of it."""
    if not layout.mirror:
        return folder
    for _ in range(TRIES):
        wanted = _index(layout.mirror, folder)
        if all(_have(layout.mirror, folder, name, digest) for name, digest in wanted.items()):
            return folder
    raise WorkspaceError(f"{layout.name}/{layout.mirror.name(folder)} changes while it is read: run again")


def push(layout: Layout, folder: Path) -> bool:
    """Makes the bucket have the folder as it is; False where it changed meanwhile or is not there."""
    if not layout.mirror or not folder.is_dir():
        return False
    before, sent = _seen(folder), {}
    there = layout.mirror.bucket.list(f"{layout.mirror.name(folder)}/")
    try:
        for name in before:
            digest = file_sha256(folder / name)
            if f"{layout.mirror.name(folder)}/{digest}" not in there:
                layout.mirror.upload(folder / digest, folder / name)
            sent[name] = digest
    except FileNotFoundError:
        return False
    if _seen(folder) != before:
        return False
    files.write_json(layout, _place(folder), {"files": sent})
    for name in there:
        if name.rpartition("/")[2] not in sent.values():
            layout.mirror.bucket.delete(name)
    return True


def move(layout: Layout, folder: Path, to: Path) -> None:
    """Gives the folder another name, if it is there."""
    if layout.mirror:
        fetch(layout, folder)
    if folder.exists():
        folder.rename(to)
    if layout.mirror and push(layout, to):
        files.unlink(layout, _place(folder))
        for name in layout.mirror.bucket.list(f"{layout.mirror.name(folder)}/"):
            layout.mirror.bucket.delete(name)


def listed(layout: Layout, folder: Path) -> dict[str, Record]:
    """Size and SHA-256 of each file that a finished stage left in its folder, by its path below the workspace."""
    found = {}
    for name, (_, size, _) in _seen(folder).items():
        if not name.startswith(PASSING):
            path = folder / name
            found[path.relative_to(layout.root).as_posix()] = {"bytes": size, "sha256": file_sha256(path)}
    return found


def check(layout: Layout, files: Mapping[str, Record]) -> None:
    """Raises WorkspaceError naming a file that is not what was ``listed``. Each is read once in a process."""
    for name, about in files.items():
        path = layout.root / name
        try:
            is_right = known_sha256(path, *identity(path)) == about["sha256"]
        except OSError as error:
            raise WorkspaceError(f"{path} cannot be read ({error.strerror}): {REPAIR}") from error
        if not is_right:
            raise WorkspaceError(f"{path} is damaged (it is not the file that was written): {REPAIR}")


def _send(layout: Layout, folder: Path, done: Seen, ended: threading.Event) -> None:
    while not ended.wait(LOOK_EVERY_S):
        if (now := _seen(folder)) != done:
            try:
                done = now if push(layout, folder) else {}
            except Exception as error:  # the last one, at the end of the block, is not forgiven
                log.warning("%s could not be sent to %s: %s", folder.name, layout.name, error)


def _remove_others(mirror: Mirror, folder: Path) -> None:
    """What the bucket does not know was left here by a process that ended before it was sent, or is of long ago."""
    wanted = _index(mirror, folder)
    for name in _seen(folder).keys() - wanted.keys():
        (folder / name).unlink(missing_ok=True)


def _index(mirror: Mirror, folder: Path) -> dict[str, str]:
    found = mirror.bucket.read(mirror.name(_place(folder)))
    try:
        index: Any = sealed.loads(found[0])["files"] if found else {}
        return {_inside(name): str(digest) for name, digest in index.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        where = f"{mirror.bucket.url}/{mirror.name(_place(folder))}"
        raise WorkspaceError(f"{where} is damaged: {REPAIR}") from error


def _inside(name: str) -> str:
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise ValueError(name)
    return name


def _have(mirror: Mirror, folder: Path, name: str, digest: str) -> bool:
    path = folder / name
    if path.is_file() and file_sha256(path) == digest:
        return True
    found = None
    with suppress(FileNotFoundError), atomic.replacing(path) as temporary:
        found = mirror.bucket.download(f"{mirror.name(folder)}/{digest}", temporary)
        if found is None or file_sha256(temporary) != digest:
            found = None
            temporary.unlink()
    return found is not None


def _place(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.json")


def _seen(folder: Path) -> Seen:
    """The files that are whole, and what tells them from others; what is being written has a name with a dot."""
    found: Seen = {}
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for path in (Path(place, name) for name in sorted(names) if not name.startswith(".")):
            with suppress(FileNotFoundError):
                about = path.stat()
                found[path.relative_to(folder).as_posix()] = (about.st_ino, about.st_size, about.st_mtime_ns)
    return found
