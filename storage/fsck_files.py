"""The files of a workspace as a check sees them: those of a folder, or the objects of a bucket.

Of a bucket every object is read there, whatever copies are here. A copy that turns out not to be what the bucket has
is dropped; it is fetched again when it is wanted.
"""

from __future__ import annotations

import logging
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from storage import leases, sealed
from storage.layout import Layout
from storage.locks import is_held
from storage.mirror import Mirror
from storage.shards import Manifest, file_sha256, read_manifest

log = logging.getLogger(__name__)


class Files(Protocol):
    """Paths are those of the layout. ``size`` and ``sha256`` raise FileNotFoundError, or OSError saying why."""

    def glob(self, pattern: str) -> list[Path]: ...
    def exists(self, path: Path) -> bool: ...
    def record(self, path: Path) -> Manifest | None: ...
    def size(self, path: Path) -> int: ...
    def sha256(self, path: Path) -> str: ...
    def busy(self, key: str) -> bool:
        """Whether a process works on this stage key now: what it has not finished is no leftover."""

    def move(self, path: Path, to: Path) -> bool:
        """Gives a file or folder another place; False where it is not there."""


def files_of(layout: Layout) -> Files:
    return InBucket(layout, layout.mirror) if layout.mirror else InFolder(layout)


class InFolder:
    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def glob(self, pattern: str) -> list[Path]:
        return sorted(self._layout.root.glob(pattern))

    def exists(self, path: Path) -> bool:
        return path.exists()

    def record(self, path: Path) -> Manifest | None:
        return read_manifest(path)

    def size(self, path: Path) -> int:
        return path.stat().st_size

    def sha256(self, path: Path) -> str:
        return file_sha256(path)

    def busy(self, key: str) -> bool:
        return any(is_held(path) for path in self._layout.lock("x").parent.glob(f"_*-{key}.lock"))

    def move(self, path: Path, to: Path) -> bool:
        if not path.exists():
            return False
        to.parent.mkdir(parents=True, exist_ok=True)
        path.rename(to)
        return True


class InBucket:
    def __init__(self, layout: Layout, mirror: Mirror) -> None:
        self._layout, self._mirror, self._bucket = layout, mirror, mirror.bucket
        self._there = self._bucket.list("")

    def glob(self, pattern: str) -> list[Path]:
        """Files, and of a pattern that names folders (lake/*/*) those that hold any."""
        parts = pattern.count("/") + 1
        names = {"/".join(name.split("/")[:parts]) for name in self._there if name.count("/") + 1 >= parts}
        return [self._layout.root / name for name in sorted(names) if PurePosixPath(name).match(pattern)]

    def exists(self, path: Path) -> bool:
        return self._bucket.head(self._mirror.name(path)) is not None

    def record(self, path: Path) -> Manifest | None:
        found = self._bucket.read(self._mirror.name(path))
        try:
            value: Any = sealed.loads(found[0]) if found else None
        except (ValueError, RecursionError):
            return None
        if found and path.is_file() and path.read_bytes() != found[0]:
            self._drop(path)
        return value if isinstance(value, dict) else None

    def size(self, path: Path) -> int:
        if (found := self._bucket.head(self._object(path))) is None:
            raise FileNotFoundError(path)
        return found.size

    def sha256(self, path: Path) -> str:
        name = self._object(path)
        if (digest := self._bucket.sha256(name)) is None:
            raise FileNotFoundError(path)
        if name == self._mirror.name(path) and path.is_file() and file_sha256(path) != digest:
            self._drop(path)
        return digest

    def busy(self, key: str) -> bool:
        names = [self._mirror.name(path) for path in self.glob(f"locks/_*-{key}.json")]
        return any(leases.is_held(self._bucket, name) for name in names)

    def move(self, path: Path, to: Path) -> bool:
        own, target = self._mirror.name(path), self._mirror.name(to)
        moved = False
        for name in (own, f"{own}.json", *self._bucket.list(f"{own}/")):  # of a model's folder the index
            if self._bucket.copy(name, target + name.removeprefix(own)):
                self._mirror.delete(self._layout.root / name)
                moved = True
        return moved

    def _object(self, path: Path) -> str:
        """The object that holds a file's bytes: of a folder that a stage filled, by the folder's index."""
        name = self._mirror.name(path)
        if not name.startswith("models/"):
            return name
        folder, _, rest = name.removeprefix("models/").partition("/")
        index = (self.record(self._layout.root / "models" / f"{folder}.json") or {}).get("files", {})
        if rest not in index:
            raise FileNotFoundError(path)
        return f"models/{folder}/{index[rest]}"

    def _drop(self, path: Path) -> None:
        log.warning("%s was another than the bucket's and has been dropped", path)
        self._mirror.forget(path)
