"""What a chat-completions server answers, as untrusted input."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from model.caption_text import clean
from model.errors import VideoError

MAX_BYTES = 1_000_000
"""Longer answers are refused; an answer of a thousand tokens has some 10,000 bytes with all that is around it."""

UNFINISHED = frozenset({"abort", "content_filter", "error", "function_call", "tool_calls"})
"""What ``finish_reason`` says where the text is not what the model was asked for."""


@dataclass(frozen=True, slots=True)
class Answer:
    """``n_tokens`` generated, and ``n_prompt_tokens`` read for it; 0 where the server does not say."""

    text: str
    n_tokens: int
    n_prompt_tokens: int = 0


def answer_of(body: bytes) -> Answer:
    """VideoError ``bad_answer`` for anything but ``choices[0].message.content``, a text."""
    found = object_of(body)
    try:
        choice = found["choices"][0]
        text, ended = choice["message"]["content"], choice.get("finish_reason")
    except (LookupError, TypeError, AttributeError) as error:
        raise VideoError("bad_answer", "the server's answer holds no choices[0].message.content") from error
    if not isinstance(text, str):
        detail = (
            f"the server's answer holds {type(text).__name__} for a text; a model that thinks first needs more tokens"
        )
        raise VideoError("bad_answer", detail)
    if ended is not None and (not isinstance(ended, str) or ended in UNFINISHED):
        raise VideoError("bad_answer", f"the server ended the text for {str(ended)[:40]!r}")
    usage = found.get("usage")
    text = text.encode("utf-8", "replace").decode()  # "\\ud800" is JSON for half a character, which no file can hold
    return Answer(text, _count(usage, "completion_tokens"), _count(usage, "prompt_tokens"))


def _count(usage: Any, name: str) -> int:
    number = usage.get(name) if isinstance(usage, dict) else None
    return number if type(number) is int and 0 <= number <= MAX_BYTES else 0


def object_of(body: bytes) -> dict[str, Any]:
    """VideoError ``bad_answer`` for anything but a JSON object."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        said = clean(body[:200].decode("utf-8", "replace"))[:60]
        detail = f"the server's answer is not JSON: {said!r}; is its address the root of an API (…/v1)?"
        raise VideoError("bad_answer", detail) from error
    if not isinstance(found, dict):
        raise VideoError("bad_answer", f"the server's answer is a {type(found).__name__}, not an object")
    return found


def fault_said(body: bytes) -> str:
    """A server's own words about a fault, short: ``, 'no such model'``."""
    try:
        found = json.loads(body)
        words = found.get("error", found.get("detail", found.get("message")))
        words = words.get("message") if isinstance(words, dict) else words
    except (ValueError, RecursionError, AttributeError):
        return ""
    return f", {clean(words)[:200]!r}" if isinstance(words, str) and words.strip() else ""
