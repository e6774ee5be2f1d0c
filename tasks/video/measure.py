"""What one decoded frame looks like, in numbers, at a tenth of the cost of decoding it.

Works on a strided view of the luma plane, without converting the frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.video.decode import Picture

ANALYSED_SIDE = 320
THUMB_FACTOR = 5
"""Analysed pixels per pixel of the thumbnail; a whole number, because OpenCV averages those five times as fast."""

LUMA_FIRST = ("yuv", "gray", "nv12", "nv21")
"""Pixel formats whose first plane is luma, one value a pixel; others are converted."""

Luma = NDArray[np.uint8]
"""Shape (height, width)."""


@dataclass(frozen=True, slots=True)
class Look:
    """A frame in numbers; luma counts from 0 to 255.

    ``sharpness`` is the variance of the Laplacian; ``mean`` and ``spread`` (standard deviation) are the thumbnail's;
    ``change`` is the mean absolute difference to the look before it in its window (0.0 for the first). ``passing``
    marks what stands between two looks at the same picture: a flash of light, somebody who walks by.
    """

    time_s: float
    sharpness: float
    mean: float
    spread: float
    change: float
    suspect: bool
    passing: bool = False

    @property
    def unfit(self) -> bool:
        """Black, white, without contrast, damaged or passing: chosen only where there is nothing else."""
        return self.suspect or self.passing or self.spread < 6 or not 22 <= self.mean <= 242

    def changed(self, change: float) -> Look:
        """The same look with its change; made for every frame, and ``replace`` takes twice as long."""
        return Look(self.time_s, self.sharpness, self.mean, self.spread, change, self.suspect, self.passing)


class Measurer:
    """Measures frames, each for itself; ``change`` is for the window to fill in."""

    def __init__(self) -> None:
        from av.video.reformatter import VideoReformatter

        self._scaler = VideoReformatter()
        self._bits: dict[str, int] = {}

    def measure(self, picture: Picture) -> tuple[Look, Luma]:
        """The look of a picture and its thumbnail, about 64 × 36."""
        import cv2

        luma = self._luma(picture.frame)
        thumb = _thumbnail(luma)
        edges = cv2.Laplacian(luma, cv2.CV_16S)
        sharpness = cv2.norm(edges, cv2.NORM_L2SQR) / edges.size - cv2.mean(edges)[0] ** 2
        mean, spread = cv2.meanStdDev(thumb)
        look = Look(picture.time_s, sharpness, float(mean[0, 0]), float(spread[0, 0]), 0.0, picture.suspect)
        return look, thumb

    def _luma(self, frame: Any) -> Luma:
        """Luma of every n-th pixel, so that the long side is about ANALYSED_SIDE."""
        step = max(1, round(max(frame.width, frame.height) / ANALYSED_SIDE))
        form, plane = frame.format, frame.planes[0]
        name = form.name
        if name not in self._bits:
            self._bits[name] = _luma_bits(form)
        if (bits := self._bits[name]) and plane.line_size > 0:
            rows = np.frombuffer(plane, np.uint8 if bits == 8 else np.uint16).reshape(plane.height, -1)
            luma = _every_nth(rows, frame.width, step)
            return luma if bits == 8 else (luma >> (bits - 8)).astype(np.uint8)
        width, height = max(1, frame.width // step), max(1, frame.height // step)
        gray = self._scaler.reformat(frame, width, height, "gray8", interpolation="FAST_BILINEAR", threads=1)
        return np.ascontiguousarray(gray.to_ndarray())


def _luma_bits(form: Any) -> int:
    """How many bits luma has in a pixel format whose first plane can be read as it is; 0 for any other."""
    bits = int(form.components[0].bits)
    return bits if form.name.startswith(LUMA_FIRST) and bits <= 16 and not form.is_big_endian else 0


def _every_nth(rows: NDArray[Any], width: int, step: int) -> NDArray[Any]:
    """Every n-th pixel of every n-th row, contiguous."""
    if rows.itemsize == 1 and step in (2, 4, 8) and rows.shape[1] % step == 0:
        words = rows[::step].view(f"<u{step}")  # the first byte of each is half the work of a stride
        return words[:, : -(-width // step)].astype(np.uint8)
    return np.ascontiguousarray(rows[::step, :width:step])


def _thumbnail(luma: Luma) -> Luma:
    import cv2

    height, width = (max(1, side // THUMB_FACTOR) for side in luma.shape)
    whole = luma[: height * THUMB_FACTOR, : width * THUMB_FACTOR]
    return np.asarray(cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def difference(one: Luma, other: Luma) -> float:
    """Mean absolute difference of two thumbnails, 0 to 255; 255 where the video's size has changed."""
    import cv2

    return float(cv2.norm(one, other, cv2.NORM_L1)) / one.size if one.shape == other.shape else 255.0


def fingerprint(thumb: Luma) -> int:
    """64-bit difference hash: one bit for each of 8 × 8 cells, set where it is brighter than its left neighbour."""
    import cv2

    small = cv2.resize(thumb, (9, 8), interpolation=cv2.INTER_AREA)
    bits = np.packbits(small[:, 1:] > small[:, :-1])
    return int.from_bytes(bits.tobytes(), "big")
