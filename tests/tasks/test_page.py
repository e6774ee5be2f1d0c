"""What all pages share: templates that escape, text that hides nothing."""

from __future__ import annotations

import pytest
from jinja2 import UndefinedError
from markupsafe import Markup

from tasks.page import clip, environment, visible


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
