"""The text of a caption, as untrusted input: made one clean line. How good it is: model/caption_quality.py."""

from __future__ import annotations

import re
import unicodedata

MAX_CHARACTERS = 2000
"""Longer captions are cut at a word."""

_ROUND = str.maketrans("[]［］", "()()")

CHAT_TOKEN = re.compile(r"<[|/]?\w[\w|/-]*>|\[/?INST\]")
"""What marks turns and pictures in chat templates: ``<|im_end|>``, ``<image>``, ``</s>``, ``[INST]``."""


def clean(text: str) -> str:
    """``text`` in one line without control, invisible and unassigned characters, at most MAX_CHARACTERS."""
    spaced = " ".join(text.split())
    visible = "".join(char for char in spaced if unicodedata.category(char)[0] != "C")
    line = " ".join(visible.split())
    if len(line) <= MAX_CHARACTERS:
        return line
    return line[: MAX_CHARACTERS + 1].rpartition(" ")[0] or line[:MAX_CHARACTERS]


def without_brackets(text: str) -> str:
    """``text`` with round brackets for square ones, in which prompts enclose it: nothing in it ends them."""
    return text.translate(_ROUND)
