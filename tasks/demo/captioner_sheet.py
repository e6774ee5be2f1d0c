"""What the demo captioner writes, on one picture: ``python -m tasks.demo.captioner_sheet --out FILE.png``.

The first held-out utterances, none left out: their frames, the caption, and the truth under it where it differs.
"""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.demo.captioner_data import make_shot, render_shot
from tasks.demo.captioner_score import HELD_OUT, write_captions
from tasks.demo.world import MAX_FRAMES

if TYPE_CHECKING:
    from PIL.Image import Image

FOLDER = Path(__file__).parents[2] / "model" / "demo_captioner"
_CELL = (180, 101)  # pixels of one frame
_GAP, _LINE, _ACROSS, _LETTERS = 8, 14, 2, 118
_WIDTH = MAX_FRAMES * (_CELL[0] + _GAP) + _GAP
_PAPER, _INK, _WRONG, _TRUE = "#fdfcfa", "#20201d", "#b01515", "#66635b"
_COLOURS = 64


def draw_sheet(frames: Sequence[Sequence[np.ndarray[Any, Any]]], texts: Sequence[str], truth: Sequence[str]) -> Image:
    """The sheet, two utterances in a row; a caption that is not the ``truth`` is red, with the truth below it."""
    from PIL import Image

    blocks = [_block(*one) for one in zip(frames, texts, truth, strict=True)]
    rows = [blocks[at : at + _ACROSS] for at in range(0, len(blocks), _ACROSS)]
    heights = [max(block.height for block in row) for row in rows]
    sheet = Image.new("RGB", (_ACROSS * _WIDTH, sum(heights)), _PAPER)
    for number, row in enumerate(rows):
        for column, block in enumerate(row):
            sheet.paste(block, (column * _WIDTH, sum(heights[:number])))
    return sheet.quantize(_COLOURS, dither=Image.Dither.NONE)


def _block(frames: Sequence[np.ndarray[Any, Any]], text: str, true: str) -> Image:
    from PIL import Image, ImageDraw, ImageFont

    lines = [(line, _INK if text == true else _WRONG) for line in textwrap.wrap(text, _LETTERS)]
    if text != true:
        lines += [(line, _TRUE) for line in textwrap.wrap(f"True: {true}", _LETTERS)]
    block = Image.new("RGB", (_WIDTH, _CELL[1] + len(lines) * _LINE + 3 * _GAP), _PAPER)
    for index, frame in enumerate(frames):
        block.paste(Image.fromarray(frame).resize(_CELL), (_GAP + index * (_CELL[0] + _GAP), _GAP))
    pen, font = ImageDraw.Draw(block), ImageFont.load_default(12)
    for number, (line, colour) in enumerate(lines):
        pen.text((_GAP, _CELL[1] + 2 * _GAP + number * _LINE), line, fill=colour, font=font)
    return block


def main(arguments: Sequence[str] | None = None) -> None:
    from transformers import AutoModelForImageTextToText, AutoProcessor

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", type=Path, default=FOLDER, help="the captioner's folder (default: the shipped one)")
    parser.add_argument("--utterances", type=int, default=16)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    model = AutoModelForImageTextToText.from_pretrained(options.model).eval()
    seeds = HELD_OUT[: options.utterances]
    shots = [make_shot(seed) for seed in seeds]
    frames = [render_shot(shot, seed) for shot, seed in zip(shots, seeds, strict=True)]
    texts = write_captions(model, AutoProcessor.from_pretrained(options.model), frames)
    draw_sheet(frames, texts, [shot.caption for shot in shots]).save(options.out, optimize=True)


if __name__ == "__main__":
    main()
