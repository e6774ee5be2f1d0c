"""Draws utterances and their keyframes on one picture, with the evidence under each frame.

Text comes from outside: it is cut to its place, and what cannot be seen is drawn as �.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from model.dialogue import Keyframe
from model.errors import VideoError
from model.pictures import decode_jpeg
from tasks.frames import Shown

if TYPE_CHECKING:
    from PIL.Image import Image

CELL = 320
"""Pixels that a frame is drawn in, either way; smaller ones are not enlarged."""

ACROSS = 4
GAP = 16
LINE = 20
PAPER, INK, MUTED = "#fdfcfa", "#20201d", "#66635b"
FACE, PERSON, THING, DAMAGE = "#00e05a", "#ffb000", "#40c4ff", "#d01818"

Mark = tuple[str, str, Sequence[float]]


def draw(shown: Sequence[Shown]) -> Image:
    """The sheet, RGB: for each utterance its id, method and text, then its frames in order, four in a row."""
    from PIL import Image

    most = max((len(one.frames) for one in shown), default=0)
    width = GAP + min(max(most, 2), ACROSS) * (CELL + GAP)
    blocks = [_block(one, width) for one in shown]
    sheet = Image.new("RGB", (width, sum(block.height for block in blocks)), PAPER)
    top = 0
    for block in blocks:
        sheet.paste(block, (0, top))
        top += block.height
    return sheet


def _block(shown: Shown, width: int) -> Image:
    from PIL import Image, ImageDraw

    cells = [_cell(frame, _found(shown, frame)) for frame in shown.frames]
    rows = [cells[at : at + ACROSS] for at in range(0, len(cells), ACROSS)]
    heights = [max(cell.height for cell in row) + GAP for row in rows]
    block = Image.new("RGB", (width, GAP + 2 * LINE + GAP // 2 + (sum(heights) or LINE) + GAP), PAPER)
    pen = ImageDraw.Draw(block)
    line = shown.utterance
    _write(pen, (GAP, GAP), f"{line.utterance_id}   {_method(shown)}", width - 2 * GAP, MUTED)
    _write(pen, (GAP, GAP + LINE), f"{line.speaker}: {line.text}", width - 2 * GAP, INK)
    top = GAP + 2 * LINE + GAP // 2
    if not cells:
        _write(pen, (GAP, top), f"no keyframes: {shown.reason or 'the line has no video'}", width - 2 * GAP, DAMAGE)
    for row, height in zip(rows, heights, strict=True):
        for at, cell in enumerate(row):
            block.paste(cell, (GAP + at * (CELL + GAP), top))
        top += height
    return block


def _method(shown: Shown) -> str:
    return ", ".join(dict.fromkeys(frame.method for frame in shown.frames))


def _found(shown: Shown, frame: Keyframe) -> list[Mark]:
    """What detectors found in one frame: what to write, the colour, the box."""
    faces = [(f"{score:.2f}", FACE, box) for *box, score in frame.face_boxes or ()]
    people = [(f"person {score:.2f}", PERSON, box) for rank, *box, score in shown.people if rank == frame.rank]
    things = [(f"{name} {score:.2f}", THING, box) for rank, name, *box, score in shown.objects if rank == frame.rank]
    return [*people, *things, *faces]


def _cell(frame: Keyframe, found: Sequence[Mark]) -> Image:
    """A frame and what there is to say of it."""
    from PIL import Image, ImageDraw

    picture = _picture(frame, found)
    lines = _about(frame)
    cell = Image.new("RGB", (CELL, picture.height + 3 + len(lines) * LINE), PAPER)
    cell.paste(picture, (0, 0))
    pen = ImageDraw.Draw(cell)
    for at, (text, colour) in enumerate(lines):
        _write(pen, (0, picture.height + 3 + at * LINE), text, CELL, colour)
    return cell


def _about(frame: Keyframe) -> list[tuple[str, str]]:
    score = "no score" if frame.score is None else f"score {frame.score:.2f}"
    faces = "no detector" if frame.faces is None else "1 face" if frame.faces == 1 else f"{frame.faces} faces"
    lines = [(f"{frame.rank}   {frame.time_s:.2f} s   {score}", INK)]
    lines += [(f"sharpness {frame.sharpness:.0f}   change {frame.novelty:.1f}   {faces}", MUTED)]
    return [*lines, ("SUSPECT: out of a damaged stretch", DAMAGE)] if frame.suspect else lines


def _picture(frame: Keyframe, found: Sequence[Mark]) -> Image:
    """The stored picture, made small, with what was ``found`` framed; a grey field where it is none."""
    from PIL import Image, ImageDraw

    try:
        picture = decode_jpeg(frame.jpeg)
    except VideoError:
        picture = Image.new("RGB", (CELL, CELL * 9 // 16), "#bbbbbb")
        _write(ImageDraw.Draw(picture), (GAP, GAP), "unreadable picture", CELL - 2 * GAP, INK)
        return picture
    before = picture.size
    picture.thumbnail((CELL, CELL))
    pen = ImageDraw.Draw(picture)
    across, down = picture.width / before[0], picture.height / before[1]
    for text, colour, (x, y, width, height) in found:
        left, top = x * across, y * down
        right, bottom = max(left, left + width * across - 1), max(top, top + height * down - 1)
        pen.rectangle((left, top, right, bottom), outline=colour, width=2)
        above, below = top - LINE, bottom if bottom <= picture.height - LINE else top
        _write(pen, (left, above if above >= 0 else below), text, CELL, colour, rim="#000000")
    if frame.suspect:
        pen.rectangle((0, 0, picture.width - 1, picture.height - 1), outline=DAMAGE, width=4)
    return picture


def _write(pen: Any, place: tuple[float, float], text: str, width: int, colour: str, rim: str | None = None) -> None:
    """One line of text, cut where it would pass ``width`` pixels; with a ``rim`` where it lies on a picture."""
    font = _font()
    seen = "".join(c if c.isprintable() else " " if c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text[:400])
    if font.getlength(seen) > width:
        while seen and font.getlength(f"{seen}…") > width:
            seen = seen[:-1]
        seen += "…"
    pen.text(place, seen, fill=colour, font=font, stroke_width=1 if rim else 0, stroke_fill=rim)


def _font() -> Any:
    """The font that comes with matplotlib: Latin, Greek and Cyrillic letters; others are drawn as boxes."""
    from pathlib import Path

    import matplotlib
    from PIL import ImageFont

    path = Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")
    return ImageFont.truetype(path, 13, layout_engine=ImageFont.Layout.BASIC)
