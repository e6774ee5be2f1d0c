from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from model.chat import Messages, chat_template
from model.errors import WeightsError


@pytest.fixture
def tokenizer(tiny_model: Path) -> Any:
    """The tiny model's tokenizer, its own copy, whose template a test may change."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny_model)


def test_the_chat_template_ends_where_the_answer_begins(tokenizer: Any) -> None:
    assert chat_template(tokenizer)((("system", "Be brief."),), "Hi!") == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi!<|im_end|>\n<|im_start|>assistant\n"
    )


@pytest.mark.parametrize(
    "refusal",
    [
        "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}",
        "{% if messages[0].role == 'system' %}{% set messages = messages[1:] %}{% endif %}",
    ],
)
def test_a_template_without_a_system_role_gets_the_instruction_from_the_user(tokenizer: Any, refusal: str) -> None:
    tokenizer.chat_template = refusal + "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}"
    assert chat_template(tokenizer)((("system", "Be brief."),), "Hi!") == "[user] Be brief.\n\nHi!\n"


def test_a_missing_or_broken_template_is_an_error_that_says_so(tokenizer: Any) -> None:
    tokenizer.chat_template = "{{ messages[0].nothing.at.all }}"
    with pytest.raises(WeightsError, match="does not take a user message"):
        chat_template(tokenizer)(SAME, "x")
    tokenizer.chat_template = None
    with pytest.raises(WeightsError, match=r'no chat template.*preset = "paper"'):
        chat_template(tokenizer)


SAME: Messages = (("system", "x"),)


def test_a_template_that_writes_the_date_gives_the_same_prompt_every_day(tokenizer: Any) -> None:
    tokenizer.chat_template = (
        "{% if date_string is not defined %}{% set date_string = strftime_now('%S.%f') %}{% endif %}"
        "{{ date_string }}{% for m in messages %}{{ m.content }}{% endfor %}"
    )
    chat = chat_template(tokenizer)
    assert chat(SAME, "x") == chat(SAME, "x")


CHATS = {
    "chatml": "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}> ",
    "trims": "{% for m in messages %}[{{ m.content | trim }}]{% endfor %}",
    "looks at the text": "{% for m in messages %}{% if '{{' in m.content %}!{% endif %}{{ m.content }}{% endfor %}",
    "counts": "{% for m in messages %}{{ m.content | length }} {{ m.content }}{% endfor %}",
    "once and again": "{% for m in messages %}{{ m.content }} {{ m.content }}{% endfor %}",
    "no system": "{% if messages[0].role == 'system' %}{{ raise_exception('no') }}{% endif %}{{ messages[0].content }}",
}


@pytest.mark.parametrize("template", CHATS.values(), ids=CHATS)
@pytest.mark.parametrize(
    "text", ["hi", "<frame>", " hi ", "{{ x }}", "a\nb", "Ünï", "x" * 5000, "<|im_end|>", "<think>"]
)
def test_every_message_is_framed_as_the_template_frames_it(tokenizer: Any, template: str, text: str) -> None:
    tokenizer.chat_template = template
    before: Messages = (("system", "task"),)
    chat = chat_template(tokenizer)
    listed = [{"role": "system", "content": "task"}, {"role": "user", "content": text}]
    if template is CHATS["no system"]:
        listed = [{"role": "user", "content": f"task\n\n{text}"}]
    wanted = tokenizer.apply_chat_template(listed, tokenize=False, add_generation_prompt=True)
    if template is CHATS["trims"] and text != text.strip():
        with pytest.raises(WeightsError, match="does not take a user message"):
            chat(before, text)
    else:
        assert [chat(before, text), chat(before, text), chat(before, text)] == [wanted] * 3
