from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from model import lora, packing
from model.generation import Decoding, Generated, generate

pytestmark = pytest.mark.usefixtures("one_thread")

PROMPTS = [f"Name the emotion.\n{'Ross: well. ' * (k % 4)}Joey: line {k}!\n" for k in range(7)]
PAPER = Decoding(max_new_tokens=6, num_beams=4, repetition_penalty=1.15)


@pytest.fixture(scope="module")
def loaded(tiny_model: Path) -> tuple[Any, Any]:
    """A model that says something else after each prompt."""
    import torch

    model, tokenizer = lora.load(tiny_model, device="cpu")
    torch.manual_seed(2)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return model, tokenizer


def said(found: list[Generated]) -> list[tuple[str, int, int]]:
    return [(one.text, one.n_prompt_tokens, one.n_tokens) for one in found]


@pytest.mark.parametrize("decoding", [Decoding(6), replace(PAPER, num_beams=1), PAPER])
def test_an_answer_does_not_depend_on_its_batch(loaded: tuple[Any, Any], decoding: Decoding) -> None:
    alone = generate(*loaded, PROMPTS, decoding, batch_size=1)
    assert len({one.text for one in alone}) > 1
    for size in (2, 3, 7):
        assert said(generate(*loaded, PROMPTS, decoding, batch_size=size)) == said(alone)


def test_greedy_is_the_likeliest_token_each_time(loaded: tuple[Any, Any]) -> None:
    import torch

    model, tokenizer = loaded
    (ids,) = packing.encode_prompts(tokenizer, PROMPTS[:1])
    row = list(ids)
    with torch.no_grad():
        for _ in range(4):
            row.append(int(model(torch.tensor([row])).logits[0, -1].argmax()))
    (found,) = generate(model, tokenizer, PROMPTS[:1], Decoding(4))
    assert found.text == tokenizer.decode(row[len(ids) :])
    assert (found.n_prompt_tokens, found.n_tokens) == (len(ids), 4)
    assert found.seconds > 0


def test_beams_and_penalty_change_what_is_said(loaded: tuple[Any, Any]) -> None:
    plain = said(generate(*loaded, PROMPTS, Decoding(6)))
    assert said(generate(*loaded, PROMPTS, Decoding(6, num_beams=4))) != plain
    assert said(generate(*loaded, PROMPTS, Decoding(6, repetition_penalty=5.0))) != plain


def test_the_end_token_ends_an_answer_and_is_counted(tiny_model: Path) -> None:
    import torch

    model, tokenizer = lora.load(tiny_model, device="cpu")
    end = tokenizer.eos_token_id
    bias = torch.zeros(model.config.vocab_size)
    bias[end] = 1e4
    model.lm_head.register_forward_hook(lambda _module, _given, logits: logits + bias)
    found = generate(model, tokenizer, PROMPTS[:3], Decoding(5))
    assert [(one.text, one.n_tokens) for one in found] == [("", 1)] * 3


def test_progress_and_the_mode(loaded: tuple[Any, Any]) -> None:
    model, tokenizer = loaded
    told: list[int] = []
    model.train()
    generate(model, tokenizer, PROMPTS, Decoding(2), batch_size=3, progress=told.append)
    assert told == [3, 3, 1]
    assert model.training
    model.eval()
    assert generate(model, tokenizer, [], Decoding()) == []
