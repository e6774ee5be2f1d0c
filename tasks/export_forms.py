"""The forms that other trainers read, and an instruction in each of them."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import pyarrow as pa

from model.dialogue import Instruction

_TEXT = pa.string()
_MESSAGES = pa.list_(pa.struct([("role", _TEXT), ("content", _TEXT)]))


class Form(StrEnum):
    """Columns of the exported rows: LLaMA-Factory reads the first, TRL the others."""

    ALPACA = "alpaca"
    MESSAGES = "messages"
    PROMPT_COMPLETION = "prompt-completion"
    TEXT = "text"


SCHEMAS: dict[Form, pa.Schema] = {
    Form.ALPACA: pa.schema([(name, _TEXT) for name in ("instruction", "input", "output", "system")]),
    Form.MESSAGES: pa.schema([("messages", _MESSAGES)]),
    Form.PROMPT_COMPLETION: pa.schema([("prompt", _TEXT), ("completion", _TEXT)]),
    Form.TEXT: pa.schema([("text", _TEXT)]),
}

EXPLAINED: dict[Form, str] = {
    Form.ALPACA: (
        "`system` is the task, `instruction` the dialogue with the line to label last, `output` the label; `input` is "
        "empty, since what reads this form joins the two. For LLaMA-Factory, in `dataset_info.json`:\n\n"
        '```json\n{"emotions": {"file_name": "train.parquet", "columns": {"prompt": "instruction", "query": "input", '
        '"response": "output", "system": "system"}}}\n```'
    ),
    Form.MESSAGES: "`messages` is a conversation whose last message, the assistant's, is the label.",
    Form.PROMPT_COMPLETION: (
        "`prompt` is the exact text that the run's own tokenizer is given, its chat template filled in (add no second "
        "begin token), `completion` the label. A trainer puts the end token behind it."
    ),
    Form.TEXT: (
        "`text` is the exact prompt, the run's own chat template filled in, with the label behind it. A trainer puts "
        "the end token behind it."
    ),
}
"""What a data card says of each form, as Markdown."""


def as_row(form: Form, row: Instruction) -> dict[str, Any]:
    """An instruction in the columns of ``form``. Where the prompt has no system message, ``system`` is empty."""
    if form is Form.MESSAGES:
        return {"messages": [{"role": r, "content": c} for r, c in (*row.messages, ("assistant", row.answer))]}
    if form is Form.PROMPT_COMPLETION:
        return {"prompt": row.prompt, "completion": row.answer}
    if form is Form.TEXT:
        return {"text": row.prompt + row.answer}
    system = "\n".join(content for role, content in row.messages if role == "system")
    shown = "\n".join(content for role, content in row.messages if role != "system")
    return {"instruction": shown, "input": "", "output": row.answer, "system": system}
