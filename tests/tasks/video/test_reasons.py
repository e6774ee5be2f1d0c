"""Every reason comes with its advice, and no other word gets into the table of rejects."""

from __future__ import annotations

import re

import pytest

from tasks.video.reasons import ADVICE, refuse


def test_a_refusal_says_what_was_found_and_what_to_do() -> None:
    error = refuse("too_long", "a.mp4 lasts 9 h")
    assert error.reason == "too_long"
    assert str(error) == f"a.mp4 lasts 9 h; {ADVICE['too_long']}"


def test_an_unknown_reason_is_a_mistake_in_the_program() -> None:
    with pytest.raises(KeyError):
        refuse("bad_luck", "a.mp4")


def test_reasons_are_fixed_words() -> None:
    assert all(re.fullmatch(r"[a-z_]+", reason) and advice for reason, advice in ADVICE.items())
