"""Text from outside (utterances, captions, names) as ordinary text: no control token of a language model in it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

_CONTROLS = ("<s>", "</s>", "<unk>", "<pad>", "[INST]", "[/INST]", "<<SYS>>", "<</SYS>>", "###")
_SHARED = 64  # texts looked at together
_LONG = 1_000  # characters; longer texts are rare and would fill the memory
_CONTROL_SHAPE = r"<[|｜][^<>]{0,80}[|｜]>|</?(?:start|end)_of_[a-z]{1,20}>"


def plain(text: str, controls: Sequence[str] = ()) -> str:
    """``text`` as one line in which no control token is left.

    Line breaks become spaces, invisible characters go, and a space after the first character breaks up whatever
    a tokenizer or a template would take for its own ("<|im_end|>", "[INST]", "### Response:").
    """
    # a line is written as itself and then as context of the next ones; names come back all the time
    return (_remembered if len(text) <= _LONG else _plain)(text, tuple(controls))


def plain_all(texts: Sequence[str], controls: Sequence[str] = ()) -> list[str]:
    """``plain`` of each text: many are looked at together, since nearly all are plain as they stand."""
    found: list[str] = []
    pattern = _control_pattern(tuple(controls))
    for start in range(0, len(texts), _SHARED):
        some = texts[start : start + _SHARED]
        whole = " ".join(["", *some, ""])  # what is in one of them is in this too
        if "  " in whole or not whole.isprintable():
            some = [_one_line(text) for text in some]
            whole = " ".join(some)
        forms = dict.fromkeys((whole, unicodedata.normalize("NFKC", whole)))  # nearly always the same
        found += [plain(text, controls) for text in some] if any(map(pattern.search, forms)) else some
    return found


def _plain(text: str, controls: tuple[str, ...]) -> str:
    line = _one_line(text)
    pattern = _control_pattern(controls)
    compatible = _one_line(unicodedata.normalize("NFKC", line))  # "´" becomes a space and an accent
    if pattern.search(compatible):  # also where a tokenizer folds look-alikes before it looks for its tokens
        line = compatible
    while pattern.search(line):
        line = pattern.sub(lambda found: f"{found[0][0]} {found[0][1:]}", line)
    return line


_remembered = lru_cache(maxsize=4096)(_plain)


def control_tokens(tokenizer: Any) -> tuple[str, ...]:
    """Every token of a transformers tokenizer that stands for more than its own letters, longest first.

    The special ones and those added ones that are no plain word ("<tool_call>" is often not marked special).
    """
    found = set(tokenizer.all_special_tokens)
    found |= {str(t) for t in tokenizer.added_tokens_decoder.values() if t.special or not str(t).strip().isalnum()}
    return tuple(sorted((t for t in found if len(t.strip()) > 1), key=lambda t: (-len(t), t)))


def _one_line(text: str) -> str:
    if text.isprintable():
        return " ".join(text.split())
    visible = (char for char in text if char.isspace() or unicodedata.category(char) not in ("Cc", "Cf", "Cs"))
    return " ".join("".join(visible).split())


@lru_cache(maxsize=8)
def _control_pattern(controls: tuple[str, ...]) -> re.Pattern[str]:
    words = sorted({*_CONTROLS, *controls}, key=lambda word: (-len(word), word))
    return re.compile("|".join([_CONTROL_SHAPE, *map(re.escape, words)]))
