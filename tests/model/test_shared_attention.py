from __future__ import annotations

from pathlib import Path

import pytest

from model import lora, packing
from model.shared_attention import NAME, switch_on

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.usefixtures("one_thread")


def test_an_ordinary_forward_is_the_models_own_attention(tiny_model: Path) -> None:
    model, tokenizer = lora.load(tiny_model, device="cpu")
    given = tokenizer(["Ross: Hi", "Monica: I am fine, thank you."], return_tensors="pt", padding=True)
    with torch.no_grad():
        before = model(**given).logits
        assert switch_on(model) == "sdpa"
        assert model.config._attn_implementation == NAME
        assert torch.equal(model(**given).logits, before)
        made = model.generate(**given, max_new_tokens=3, do_sample=False, pad_token_id=tokenizer.pad_token_id)
    assert switch_on(model) == NAME
    assert made.shape[1] == given.input_ids.shape[1] + 3


def test_a_token_sees_the_prefix_its_prompt_and_its_own_branch() -> None:
    items = [packing.Item((1, 2, 3, 4), ((5, 6), (7, 8))), packing.Item((1, 2, 9), ((5, 6),))]
    rows = packing.lay_out(items).rows
    assert rows.n_prefix == 2
    assert rows.places.tolist() == [[2, 3, 4, 5], [6, 7, 0, 0]]
    assert rows.kept.tolist() == [0, 1, 2, 3, 4, 5]
    first = [[1, 1, 1, 0, 0, 0], [1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 0], [1, 1, 1, 1, 0, 1]]
    assert rows.mask[0, 0].int().tolist() == first
    assert rows.mask[1, 0, :2].int().tolist() == [[1, 1, 1, 0, 0, 0], [1, 1, 1, 1, 0, 0]]
    assert rows.mask.any(-1).all()
