"""Turns a chosen frame into the JPEG that is stored: upright, square pixels, small."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.video.interlace import without_combs

UNNAMED_COLORSPACE = 2

Image = NDArray[np.uint8]
"""Blue, green, red; shape (height, width, 3)."""


class Renderer:
    """Renders frames with one shared scaler (making one per frame costs four times as much)."""

    def __init__(self, long_side: int, aspect: Fraction) -> None:
        from av.video.reformatter import VideoReformatter

        self._scaler = VideoReformatter()
        self._long_side = long_side
        self._aspect = aspect

    def render(self, frame: Any) -> Image:
        """The frame as it should be seen; its long side at most ``long_side``, never enlarged."""
        size = fitted(frame.width, frame.height, self._aspect, self._long_side)
        matrix = _matrix(frame)

        def scale(part: Any) -> Image:
            scaled = self._scaler.reformat(part, *size, "bgr24", src_colorspace=matrix, interpolation="AREA", threads=1)
            return np.asarray(scaled.to_ndarray())

        image = without_combs(frame, scale) if frame.interlaced_frame else scale(frame)
        return np.ascontiguousarray(upright(image, _display_matrix(frame)))


def upright(image: Image, matrix: Sequence[int]) -> Image:
    """The image turned and mirrored as a display matrix says: x' = ax + cy, y' = bx + dy, by its signs alone."""
    a, b, c, d = matrix
    across, down = (c, b) if abs(b) > abs(a) else (a, d)
    turned = image.swapaxes(0, 1) if abs(b) > abs(a) else image
    return turned[:: -1 if down < 0 else 1, :: -1 if across < 0 else 1]


def _display_matrix(frame: Any) -> Sequence[int]:
    """Its a, b, c and d. (``frame.rotation`` takes a mirrored picture for a turned one.)"""
    from av.sidedata.sidedata import Type

    found = frame.side_data.get(Type.DISPLAYMATRIX)
    if found is None:
        return 1, 0, 0, 1
    numbers = np.frombuffer(bytes(found), np.int32).tolist()
    return numbers[0], numbers[1], numbers[3], numbers[4]


def fitted(width: int, height: int, aspect: Fraction, long_side: int) -> tuple[int, int]:
    """The size with square pixels that fits ``long_side``: the side that is stored too long is made shorter."""
    across, down = (Fraction(width), height / aspect) if aspect >= 1 else (width * aspect, Fraction(height))
    scale = min(Fraction(1), long_side / max(across, down))
    return max(1, round(across * scale)), max(1, round(down * scale))


def encode(image: Image, quality: int) -> bytes:
    """JPEG bytes; the same for the same image and quality."""
    import cv2

    ok, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not ok:
        raise ValueError(f"a picture of shape {image.shape} cannot be encoded as JPEG")
    return bytes(data.tobytes())


def _matrix(frame: Any) -> int | None:
    """Colour matrix: None for the frame's own (BT.601 where it names none), BT.709 for unnamed ones of HD size."""
    from av.video.reformatter import Colorspace

    return Colorspace.ITU709 if frame.colorspace == UNNAMED_COLORSPACE and frame.height >= 720 else None
