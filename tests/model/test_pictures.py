from __future__ import annotations

import io
import struct

import pytest
from PIL import Image

from model.errors import VideoError
from model.pictures import MAX_PIXELS, decode_jpeg


def encoded(mode: str = "RGB", picture_format: str = "JPEG", size: tuple[int, int] = (40, 24)) -> bytes:
    file = io.BytesIO()
    Image.new(mode, size, 90).save(file, picture_format)
    return file.getvalue()


def with_size(jpeg: bytes, width: int, height: int) -> bytes:
    """The same file with another size in its frame header."""
    at = jpeg.index(b"\xff\xc0") + 5
    return jpeg[:at] + struct.pack(">HH", height, width) + jpeg[at + 4 :]


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_every_colour_space_becomes_rgb(mode: str) -> None:
    picture = decode_jpeg(encoded(mode))
    assert (picture.mode, picture.size) == ("RGB", (40, 24))


@pytest.mark.parametrize(("long_side", "size"), [(20, (20, 12)), (40, (40, 24)), (512, (40, 24)), (None, (40, 24))])
def test_a_picture_may_be_made_smaller_never_larger(long_side: int | None, size: tuple[int, int]) -> None:
    picture = decode_jpeg(encoded(), long_side)
    assert (picture.mode, picture.size) == ("RGB", size)
    assert decode_jpeg(encoded(size=(24, 40)), long_side).size == size[::-1]


@pytest.mark.parametrize("long_side", [None, 16])
@pytest.mark.parametrize(
    "hostile",
    [b"", b"answer: joy", encoded()[:-300], encoded(picture_format="PNG"), encoded(picture_format="GIF", mode="L")],
)
def test_what_is_not_a_whole_jpeg_is_refused(hostile: bytes, long_side: int | None) -> None:
    with pytest.raises(VideoError, match="keyframes stage") as caught:
        decode_jpeg(hostile, long_side)
    assert caught.value.reason == "bad_picture"


@pytest.mark.parametrize(("width", "height"), [(MAX_PIXELS // 1000, 1001), (12_000, 9_000), (65_000, 65_000)])
def test_a_bomb_is_refused_before_it_is_decoded(width: int, height: int) -> None:
    with pytest.raises(VideoError) as caught:
        decode_jpeg(with_size(encoded(), width, height))
    assert caught.value.reason == "huge_picture"
