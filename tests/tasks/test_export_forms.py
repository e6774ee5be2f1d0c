"""An instruction in every form says what it said."""

from __future__ import annotations

import pyarrow as pa
import pytest
from exported_run import instruction

from tasks.export_forms import EXPLAINED, SCHEMAS, Form, as_row

ROW = instruction("train", 0, 1)
TASK, SHOWN = (content for _, content in ROW.messages)


def test_messages_end_with_the_answer() -> None:
    assert as_row(Form.MESSAGES, ROW)["messages"] == [
        {"role": "system", "content": TASK},
        {"role": "user", "content": SHOWN},
        {"role": "assistant", "content": "joy"},
    ]


def test_the_exact_prompt_and_its_completion() -> None:
    assert as_row(Form.PROMPT_COMPLETION, ROW) == {"prompt": ROW.prompt, "completion": "joy"}
    assert as_row(Form.TEXT, ROW) == {"text": ROW.prompt + "joy"}


def test_alpaca_gives_back_the_same_conversation() -> None:
    """What reads it puts system first and joins instruction and input, where there is one, with a line break."""
    assert as_row(Form.ALPACA, ROW) == {"instruction": SHOWN, "input": "", "output": "joy", "system": TASK}


def test_alpaca_without_a_system_message() -> None:
    row = instruction("train", 0, 0, messages=(("user", "all in one"),))
    assert as_row(Form.ALPACA, row) == {"instruction": "all in one", "input": "", "output": "joy", "system": ""}


@pytest.mark.parametrize("form", Form)
def test_rows_have_the_columns_of_their_schema(form: Form) -> None:
    row = as_row(form, ROW)
    assert list(row) == SCHEMAS[form].names
    assert pa.Table.from_pylist([row], schema=SCHEMAS[form]).to_pylist() == [row]
    assert all(f"`{name}`" in EXPLAINED[form] for name in row)
