"""Chat templates are filled in by a process that has limits, as the library fills them in."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from model import template_process
from model.caption_chat import form_of
from model.chat import chat_template
from model.errors import WeightsError
from model.template_process import bounded

HOSTILE = {
    "ranges in ranges": "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "one operation that takes hours": "{{ 10 ** (10 ** 9) }}",
    "text that doubles": "{% set n = namespace(s='x') %}{% for a in range(99) %}{% set n.s = n.s ~ n.s %}{% endfor %}",
    "only where it is not probed": "{% if 'What' in messages[-1].content %}{{ 'x' * 10 ** 11 }}{% endif %}",
}
ALL = "{% for m in messages %}[{{ m.role }}] {{ m.content }}{{ eos_token }}{% endfor %}"


@pytest.fixture
def tokenizer(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    from transformers import AutoTokenizer

    monkeypatch.setattr(template_process, "SECONDS", 0.3)
    template_process._end()
    yield AutoTokenizer.from_pretrained(tiny_model, local_files_only=True, trust_remote_code=False)
    template_process._end()


@pytest.mark.parametrize("template", HOSTILE.values(), ids=HOSTILE)
def test_a_template_that_takes_too_much_is_one_error(tokenizer: Any, template: str) -> None:
    tokenizer.chat_template = template + ALL
    started = time.process_time()
    with pytest.raises(WeightsError, match=r"its chat template (was ended|does not take a user message)"):
        chat_template(tokenizer)((("system", "Name the emotion."),), "What?")
    assert time.process_time() - started < 1
    tokenizer.chat_template = ALL
    assert chat_template(tokenizer)((), "What?") == f"[user] What?{tokenizer.eos_token}"


@pytest.mark.usefixtures("tokenizer")
def test_a_captioner_s_template(tiny_captioner: Path) -> None:
    from model.vlm_processor import load_processor

    processor = load_processor(tiny_captioner)
    processor.chat_template = HOSTILE["one operation that takes hours"] + processor.chat_template
    with pytest.raises(WeightsError, match=r"its chat template was ended \(SIGPROF\): it may take 0.3 s and 512 MB"):
        form_of(processor)


def test_it_says_what_the_library_says(tokenizer: Any) -> None:
    """The same text, the same error, and nothing of this outside of the block."""
    said = [{"role": "user", "content": [{"type": "image", "image": object()}, {"type": "text", "text": "é \ud800"}]}]
    alone = tokenizer.apply_chat_template(said, chat_template="{{ messages }}{{ eos_token }}", tokenize=False)
    with bounded("tiny"):
        assert tokenizer.apply_chat_template(said, chat_template="{{ messages[0].role }}", tokenize=False) == "user"
        with pytest.raises(template_process.TemplateFault, match="TemplateError: no"):
            tokenizer.apply_chat_template(said, chat_template="{{ raise_exception('no') }}", tokenize=False)
        text = tokenizer.apply_chat_template(said, chat_template="{{ messages[0].content[1] }}", tokenize=False)
    assert text == "{'type': 'text', 'text': 'é \\ud800'}"
    assert alone.endswith(tokenizer.eos_token)
