"""A local copy of a workspace that lies in a bucket; the bucket is the truth, the copy can be deleted at any time.

Everything is written to the bucket first and then put in place here, and read from here once it is known to be what
the bucket has now. Beside each file's copy lies a note of the object's ETag and of the copy's inode, size and time: a
copy without a note, or that another process has replaced, is fetched again.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from model import atomic
from storage.remote import Bucket, bucket_of

COPIES = "DIALOGUELLM_COPIES"
"""Environment variable: the folder that holds the copies, one to a bucket and prefix."""

FETCHING = 16
"""Objects fetched at a time: small ones cost a round trip each."""


class Mirror:
    """The copy in ``root`` of what ``bucket`` holds. Its paths are those of a local workspace at ``root``."""

    def __init__(self, root: Path, bucket: Bucket) -> None:
        self.root, self.bucket = root, bucket
        self.guards: list[Callable[[], None]] = []
        """Called before anything is written; one that raises forbids it."""
        self._sizes: dict[str, int] = {}
        self._listed: set[str] = set()

    def name(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()

    def upload(self, target: Path, source: Path | bytes, *, match: str | None = None, absent: bool = False) -> str:
        """Writes the object of ``target``; its ETag. Raises Conflict as ``Bucket.put`` does."""
        for guard in self.guards:
            guard()
        kind = {".json": "application/json", ".html": "text/html; charset=utf-8"}.get(target.suffix)
        etag = self.bucket.put(self.name(target), source, match=match, absent=absent, kind=kind)
        self._sizes[self.name(target)] = len(source) if isinstance(source, bytes) else source.stat().st_size
        return etag

    def delete(self, path: Path) -> None:
        for guard in self.guards:
            guard()
        self.bucket.delete(self.name(path))
        self.forget(path)

    def fetch(self, path: Path) -> Path:
        """The path, with its copy as the bucket has it now; no file there where the bucket has none."""
        found = self.bucket.head(self.name(path))
        if found is None:
            self.forget(path)
        elif self.etag(path) != found.etag:
            self._download(path)
        return path

    def fetch_all(self, paths: Iterable[Path]) -> None:
        with ThreadPoolExecutor(FETCHING) as pool:
            for _ in pool.map(self.fetch, paths):
                pass

    def refresh(self, folder: Path) -> None:
        """Fetches the JSON below a folder that is new or changed, drops what is gone, and notes the sizes of all."""
        below = f"{self.name(folder)}/"
        there = self.bucket.list(below)
        for known in [name for name in self._sizes if name.startswith(below)]:
            self._sizes.pop(known, None)
        self._sizes.update({name: found.size for name, found in there.items()})
        self._listed.add(below)
        for path in folder.rglob("*.json"):
            if self.name(path) not in there:
                self.forget(path)
        records = (self.root / name for name in there if name.endswith(".json"))
        stale = [path for path in records if self.etag(path) != there[self.name(path)].etag]
        with ThreadPoolExecutor(FETCHING) as pool:
            for _ in pool.map(self._download, stale):
                pass

    def size(self, path: Path) -> int | None:
        """An object's size in bytes, None where there is none; as its folder was last listed, where it ever was."""
        name = self.name(path)
        if name in self._sizes:
            return self._sizes[name]
        if f"{self.name(path.parent)}/" in self._listed:
            return None
        found = self.bucket.head(name)
        return found.size if found else None

    def etag(self, path: Path) -> str | None:
        """The ETag of the object that this file is a copy of, None where it is not known to be one."""
        try:
            note = json.loads(self._note(path).read_bytes())
            return str(note["etag"]) if note["file"] == identity(path) else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def note(self, path: Path, etag: str, whose: list[int]) -> None:
        """Says what a copy is a copy of; ``whose`` is the identity of the file that was put there."""
        place = self._note(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=place.parent)
        with os.fdopen(handle, "w") as file:
            file.write(json.dumps({"etag": etag, "file": whose}))
        Path(temporary).replace(place)

    def _note(self, path: Path) -> Path:
        return self.root / ".etags" / self.name(path)

    def _download(self, path: Path) -> None:
        """Fetches an object into its copy; where there is none any more, the copy goes too."""
        found = None
        with suppress(FileNotFoundError), atomic.replacing(path) as temporary:
            found = self.bucket.download(self.name(path), temporary)
            whose = identity(temporary)
            if found is None:
                temporary.unlink()
        if found is None:
            self.forget(path)
        else:
            self.note(path, found.etag, whose)

    def forget(self, path: Path) -> None:
        """Drops the copy of a file, if there is one."""
        self._sizes.pop(self.name(path), None)
        path.unlink(missing_ok=True)
        self._note(path).unlink(missing_ok=True)


@lru_cache(maxsize=8)
def mirror_of(url: str) -> Mirror:
    """The one copy, in this process, of the workspace at ``s3://bucket/prefix``."""
    bucket = bucket_of(url)
    own = os.environ.get(COPIES) or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "dialoguellm")
    return Mirror(Path(own).resolve() / f"{bucket.bucket}-{sha256(bucket.url.encode()).hexdigest()[:12]}", bucket)


def identity(path: Path) -> list[int]:
    """Tells a file from any other that was ever put in its place. Raises FileNotFoundError."""
    found = path.stat()
    return [found.st_ino, found.st_size, found.st_mtime_ns]
