"""The text of a caption, as untrusted input: made one clean line, then judged."""

from __future__ import annotations

import re
import unicodedata

MAX_CHARACTERS = 2000
"""Longer captions are cut at a word."""

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


def fault_of(text: str) -> tuple[str, str] | None:
    """Reason and detail why a cleaned caption cannot be used, None for a good one.

    Reasons: ``empty_caption`` (no letters), ``chat_tokens`` (the model went on with another turn, or its
    template does not fit), ``repeating_caption`` (four times the same word in a row, or at least 12 words of
    which more than half of the four-word runs come again).
    """
    if not any(char.isalpha() for char in text):
        return "empty_caption", "the model wrote no words; try another captions.prompt or captions.model"
    if token := CHAT_TOKEN.search(text):
        return "chat_tokens", f"the caption holds {token[0][:40]!r}; captions.model does not fit its chat template"
    if _loops(text.casefold().split()):
        return "repeating_caption", f"the model repeats itself: {text[:80]!r}; try another captions.model"
    return None


def _loops(words: list[str]) -> bool:
    runs = [tuple(words[i : i + 4]) for i in range(len(words) - 3)]
    if any(len(set(run)) == 1 for run in runs):
        return True
    return len(words) >= 12 and 2 * len(set(runs)) < len(runs)
