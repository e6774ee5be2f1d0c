"""What a decoder worker needs to know besides the file: plain values, sent to it as JSON."""

from __future__ import annotations

from dataclasses import dataclass

VERSION = 2
"""Of the selection; raise it (and the stage's version) whenever the same video gives other frames."""

FACES_VERSION = 2
"""Of the search for faces and what it changes; raise it where without a face model nothing becomes different."""


@dataclass(frozen=True, slots=True)
class Options:
    """See KeyframesSettings for the meaning of each field; ``face_model`` is an absolute path."""

    max_frames: int = 4
    long_side: int = 512
    jpeg_quality: int = 90
    mode: str = "fast"
    method: str = "best"
    face_model: str | None = None
    max_pixels: int = 4096 * 2304
    max_seconds: float = 4 * 3600.0
    max_line_seconds: float = 60.0
    timeout_s: float = 60.0

    def describe(self, mode: str) -> str:
        """The ``method`` column: ``best-2/fast/nofaces``."""
        faces = f"yunet-{FACES_VERSION}" if self.face_model else "nofaces"
        return f"{self.method}-{VERSION}/{mode}/{faces}"
