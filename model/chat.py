"""The chat form of a model's own tokenizer: its template, filled in up to where the answer begins."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

from model.errors import WeightsError
from model.template_process import bounded

Messages = tuple[tuple[str, str], ...]
Chat = Callable[[Messages, str], str]
"""Turns messages, (role, content) pairs, and a last one of the user's into the text that the tokenizer is given."""


def chat_template(tokenizer: Any) -> Chat:
    """The chat form of a transformers tokenizer, up to where the answer begins.

    Where the template has no place for a system message, it is put in front of the user's. Raises WeightsError
    where there is no template (a base model), and on the first use of one that fails.
    """
    if not tokenizer.chat_template:
        raise WeightsError(
            f"{tokenizer.name_or_path}: the tokenizer has no chat template; "
            'take an instruction-tuned model, or set instructions.preset = "paper"'
        )

    def whole(before: Messages, content: str) -> str:
        messages = (*before, ("user", content))
        text = _apply(tokenizer, messages)
        if text is None or messages[0][1] not in text:
            merged = "\n\n".join(content for _, content in messages)
            text = _apply(tokenizer, (("user", merged),))
        if text is None or content not in text:
            raise WeightsError(f"{tokenizer.name_or_path}: its chat template does not take a user message; mend it")
        return text

    framed = lru_cache(maxsize=64)(partial(_frame, whole))
    start: Messages | None = None
    frame: tuple[str, str] | None = None
    again = False

    def chat(before: Messages, content: str) -> str:
        nonlocal start, frame, again
        if before != start:  # a frame costs more than one prompt: it is looked for where the next has the same start
            start, again = before, False
            return whole(before, content)
        if not again:
            frame, again = framed(before), True
        return whole(before, content) if frame is None or content != content.strip() else content.join(frame)

    return chat


def _frame(whole: Chat, before: Messages) -> tuple[str, str] | None:
    """What the template writes around the last message, None where that depends on what the message says.

    Filling in a template costs more than all the rest of a prompt, and the frame is the same from line to line.
    """
    samples = ("<frame>", "A: one?\n[Video: two.]\nB: three, {{ four }} <think>", "assistant user system 1")
    made = [whole(before, sample) for sample in samples]
    head, found, tail = made[0].rpartition(samples[0])
    same = found and all(text == f"{head}{sample}{tail}" for text, sample in zip(made, samples, strict=True))
    return (head, tail) if same else None


def _apply(tokenizer: Any, messages: Messages) -> str | None:
    """The filled-in template, None where it refuses. The date is fixed: a prompt must not change overnight."""
    listed = [{"role": role, "content": content} for role, content in messages]
    try:
        with bounded(tokenizer.name_or_path):
            text = tokenizer.apply_chat_template(
                listed, tokenize=False, add_generation_prompt=True, enable_thinking=False, date_string="1 Jan 2025"
            )
    except WeightsError:
        raise
    except Exception:  # a template is a program from outside, in a sandbox, and may raise anything
        return None
    return str(text)
