"""The captioner's sheet: every utterance is on it, and a wrong caption shows the truth too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from tasks.demo.captioner_data import make_shot, render_shot
from tasks.demo.captioner_sheet import draw_sheet, main

SHOTS = [make_shot(seed) for seed in range(3)]
FRAMES = [render_shot(shot, seed) for seed, shot in enumerate(SHOTS)]
TEXT = (slice(115, 160), slice(0, 740))  # under the first utterance's frames


def reddish(sheet: Image.Image) -> int:
    red, green, blue = np.asarray(sheet.convert("RGB"))[TEXT].astype(int).transpose(2, 0, 1)
    return int(((red - green > 60) & (red - blue > 60)).sum())


def test_only_a_wrong_caption_is_red() -> None:
    truth = [shot.caption for shot in SHOTS]
    right = draw_sheet(FRAMES, truth, truth)
    wrong = draw_sheet(FRAMES, ["A blank wall.", *truth[1:]], truth)
    assert reddish(right) == 0
    assert reddish(wrong) > 20
    assert wrong.height >= right.height


def test_the_command_draws_the_first_held_out_utterances(tmp_path: Path) -> None:
    main(["--utterances", "2", "--out", str(tmp_path / "sheet.png")])
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.mode == "P"
        assert sheet.width > sheet.height
