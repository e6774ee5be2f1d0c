"""The picture of what moved an answer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from scored_run import line

from model.errors import SettingsError
from tasks.explain import Explained, Moved
from tasks.explain_chart import draw

HOSTILE = "<script>$x^2$ \x1b[31m & a very long line that goes on and on and on"
PARTS = (
    Moved("context 1", HOSTILE, (0.2, 0.6), (0.3, -0.2), (1.0, -0.5), "fear"),
    Moved("description", "A man smiles.", (0.5, 0.4), (0.0, 0.0), (0.0, 0.0), "joy"),
)


def found(gold: str = "anger") -> Explained:
    return Explained("demo-1", line("dev", 0, 0, gold), "joy", gold, (0.5, 0.4), PARTS, ())


def test_an_svg_and_a_png(tmp_path: Path) -> None:
    for name in ("a.svg", "b.PNG"):
        draw(found(), tmp_path / name)
    root = ElementTree.parse(tmp_path / "a.svg").getroot()
    text = "".join(root.itertext())
    assert "predicted: joy" in text
    assert "gold: anger" in text
    assert "context 1: <script>$x^2$" in text
    assert "\x1b" not in text
    assert not [item for item in root.iter() if item.tag.endswith("script")]
    assert (tmp_path / "b.PNG").read_bytes().startswith(b"\x89PNG")


def test_the_same_numbers_are_the_same_bytes(tmp_path: Path) -> None:
    draw(found(), tmp_path / "a.svg")
    draw(found(), tmp_path / "b.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_a_right_answer_has_one_bar_a_part(tmp_path: Path) -> None:
    draw(found("joy"), tmp_path / "a.svg")
    assert "gold:" not in (tmp_path / "a.svg").read_text()


def test_an_answer_without_parts_is_drawn_too(tmp_path: Path) -> None:
    draw(replace(found(), parts=()), tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 0


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"ends in .svg or .png"):
        draw(found(), tmp_path / "a.jpg")
    assert not list(tmp_path.iterdir())
