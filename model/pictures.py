"""Encoded pictures from outside to pixels, checked."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING

from model.errors import VideoError

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PIXELS = 64_000_000
"""Pictures with more pixels are refused before they are decoded (an 8K frame has 33 million)."""


def decode_jpeg(jpeg: bytes, long_side: int | None = None) -> Image:
    """The picture in RGB, ``(width, height)`` as in the file, or smaller: at most ``long_side`` pixels.

    VideoError ``bad_picture`` for bytes that are not one whole JPEG, ``huge_picture`` above ``MAX_PIXELS``.
    """
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # MAX_PIXELS is lower
            picture = Image.open(io.BytesIO(jpeg), formats=["JPEG"])
        if picture.width * picture.height > MAX_PIXELS:
            raise _huge(f"{picture.width} x {picture.height} pixels")
        if long_side:
            picture.thumbnail((long_side, long_side))  # never larger than it was
        return picture.convert("RGB")
    except Image.DecompressionBombError as error:
        raise _huge(str(error)) from error
    except (VideoError, MemoryError):
        raise
    except Exception as error:  # a decoder fed with hostile bytes may raise anything
        detail = f"a keyframe is not a readable JPEG ({type(error).__name__}); run the keyframes stage again"
        raise VideoError("bad_picture", detail) from error


def pixels(jpeg: bytes) -> int:
    """Width times height, by the file's head alone; 0 for bytes that ``decode_jpeg`` will refuse."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            width, height = Image.open(io.BytesIO(jpeg), formats=["JPEG"]).size
    except Exception:  # as there; what is wrong with it is said there
        return 0
    return int(width * height)


def _huge(size: str) -> VideoError:
    return VideoError("huge_picture", f"a keyframe is too large ({size}); lower the keyframes' size")
