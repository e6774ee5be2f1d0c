"""Keyframes as the gallery shows them: encoded anew, in two sizes, made once and kept in the workspace's cache."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Literal

from model.atomic import replacing
from model.errors import VideoError
from model.pictures import decode_jpeg
from tasks.gallery.snapshot import Snapshot

Size = Literal["small", "large"]

LONG_SIDE: dict[str, int] = {"small": 240, "large": 960}
"""Pixels of a picture's longer side, at most."""


class Pictures:
    """The JPEGs of a snapshot's frames. A cache that cannot be written costs time and nothing else."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._folder = snapshot.run.layout.cache / "gallery" / (snapshot.run.keys["keyframes"] or "none")

    def get(self, utterance_id: str, rank: int, size: Size) -> bytes | None:
        """A frame's picture; None where there is no such frame or where it is no picture.

        The first one asked for makes those of its whole dialogue: reading one frame of a file costs as much as many.
        """
        path = self._path(utterance_id, rank, size)
        try:
            return path.read_bytes() or None
        except OSError:
            return self._make(utterance_id, size).get((utterance_id, rank))

    def _make(self, utterance_id: str, size: Size) -> dict[tuple[str, int], bytes | None]:
        dialogue = self._snapshot.dialogue_of(utterance_id)
        if dialogue is None:
            return {}
        ids = [row["utterance_id"] for row in self._snapshot.lines(dialogue)] if size == "small" else [utterance_id]
        made = {(frame.utterance_id, frame.rank): _encoded(frame.jpeg, size) for frame in self._snapshot.frames(ids)}
        for (name, rank), picture in made.items():
            self._keep(self._path(name, rank, size), picture or b"")
        return made

    def _keep(self, path: Path, picture: bytes) -> None:
        try:
            with replacing(path) as temporary:
                temporary.write_bytes(picture)
        except OSError:  # a full disk, or somebody else's workspace
            return

    def _path(self, utterance_id: str, rank: int, size: Size) -> Path:
        digest = hashlib.sha256(utterance_id.encode("utf-8", "replace")).hexdigest()[:32]
        return self._folder / digest[:2] / f"{digest}-{rank}-{size}.jpg"


def _encoded(jpeg: bytes, size: Size) -> bytes | None:
    """Nothing but the pixels of a frame reaches a page."""
    try:
        picture = decode_jpeg(jpeg, LONG_SIDE[size])
    except VideoError:
        return None
    picture.info.clear()  # a comment would be written again
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=82)
    return buffer.getvalue()
