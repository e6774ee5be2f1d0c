"""What all pages share: templates that escape, text that hides nothing, numbers, colours that can be read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from jinja2 import UndefinedError
from markupsafe import Markup

from tasks.page import clip, duration, environment, p_value, percent, signed, visible


def test_every_value_is_escaped_and_a_missing_one_is_an_error() -> None:
    template = environment().from_string("{{ text }}")
    assert template.render(text="<b>&\u202e\x1b[31m") == "&lt;b&gt;&amp;[31m"
    with pytest.raises(UndefinedError):
        template.render()


def test_visible_leaves_markup_numbers_and_lines_alone() -> None:
    assert visible(Markup("<b>")) == Markup("<b>")
    assert visible(3) == 3
    assert visible("a\nb\u200d") == "a\nb\u200d"
    assert visible("a\u200bb\ud800") == "ab"


def test_clip_shows_that_something_is_missing() -> None:
    assert clip("abcdef", 6) == "abcdef"
    assert clip("abcdefg", 6) == "abcde…"


def test_numbers_are_written_one_way() -> None:
    assert [percent(0.1234), percent(None), signed(0.05), signed(-0.05), signed(None)] == [
        "12.3",
        "–",
        "+5.0",
        "-5.0",
        "–",
    ]
    assert [p_value(0.0001), p_value(0.0321), p_value(None)] == ["<0.001", "0.032", ""]
    assert [duration(seconds) for seconds in (0, 3.21, 250, 7500, None)] == [
        "0.0 s",
        "3.2 s",
        "4 min 10 s",
        "2 h 5 min",
        "–",
    ]


# ---- colours

STYLE = (Path(__file__).parents[2] / "tasks" / "page_style.css.jinja").read_text()
SHEETS = [dict(re.findall(r"--(\w+): (#[0-9a-f]{6});", rule)) for rule in re.findall(r":root \{(.*?)\}", STYLE, re.S)]
STRONGEST = 0.5
"""How opaque the accent is behind a number of a confusion matrix at most (tasks/charts.py)."""


def luminance(colour: tuple[float, ...]) -> float:
    """Relative luminance as WCAG defines it, of red, green and blue in 0..1."""
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def rgb(colour: str) -> tuple[float, ...]:
    return tuple(int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))


def contrast(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colours", SHEETS, ids=["light", "dark"])
def test_every_text_can_be_read(colours: dict[str, str]) -> None:
    """WCAG 2.2 AA: 4.5 for text, 3 for what is drawn."""
    paper = rgb(colours["paper"])
    for ground in (paper, rgb(colours["raised"])):
        assert min(contrast(rgb(colours[name]), ground) for name in ("ink", "muted", "accent")) >= 4.5
    mixed = zip(rgb(colours["accent"]), paper, strict=True)
    behind = tuple(STRONGEST * over + (1 - STRONGEST) * under for over, under in mixed)
    assert contrast(rgb(colours["ink"]), behind) >= 4.5
