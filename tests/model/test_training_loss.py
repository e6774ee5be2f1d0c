from __future__ import annotations

from typing import Any

import pytest

from model import lora, packing
from model.training_loss import losses, n_terms
from model.training_plan import Example

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.usefixtures("one_thread")

LABELS = ("joy", "anger", "sadness")
PROMPTS = ("Name it.\nRoss: No!\n", "Name it.\nJoey: How are you, dear?\n", "Name it.\nHm\n")


@pytest.fixture(params=["tiny_model", "tiny_qwen2"])
def loaded(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    base, tokenizer = lora.load(request.getfixturevalue(request.param), device="cpu")
    model = lora.attach(base, lora.LoraOptions(dropout=0.0), "tiny")
    torch.manual_seed(5)
    for _, parameter in lora.trainable(model):
        torch.nn.init.normal_(parameter, std=0.2)
    return model, tokenizer


def plain_scores(model: Any, item: packing.Item) -> Any:
    """The log-probability of each answer, from the model's own logits, one sequence at a time."""
    found = []
    for answer in item.answers:
        logits = model(input_ids=torch.tensor([item.prompt + answer])).logits[0].log_softmax(-1)
        first = len(item.prompt) - 1
        found.append(sum(logits[first + k, token] for k, token in enumerate(answer)))
    return torch.stack(found)


def gradients(model: Any, loss: Any) -> list[Any]:
    model.zero_grad()
    loss.backward()
    return [parameter.grad.clone() for _, parameter in lora.trainable(model)]


def same_gradients(model: Any, ours: Any, theirs: Any) -> None:
    for one, other in zip(gradients(model, ours), gradients(model, theirs), strict=True):
        assert float((one - other).norm() / other.norm()) < 1e-4


def test_weights_multiply_the_rows(loaded: tuple[Any, Any]) -> None:
    model, tokenizer = loaded
    rows = [
        Example(f"meld/train/0/{k}", packing.encode(tokenizer, prompt, [LABELS[k]]), weight=0.5 + k)
        for k, prompt in enumerate(PROMPTS)
    ]
    plain = sum(-row.weight * plain_scores(model, row.item)[0] for row in rows)
    found = losses(model, rows).sum()
    assert float(found.detach()) == pytest.approx(float(plain.detach()), rel=1e-5)
    same_gradients(model, found, plain)
    assert n_terms(rows) == sum(len(row.item.answers[0]) for row in rows)


def test_logit_adjustment_is_cross_entropy_over_the_labels(loaded: tuple[Any, Any]) -> None:
    model, tokenizer = loaded
    offsets = (-0.2, -1.5, -3.0)
    rows = [
        Example(f"meld/train/0/{k}", packing.encode(tokenizer, prompt, LABELS), 1.0 + k, k, offsets)
        for k, prompt in enumerate(PROMPTS)
    ]
    adjusted = [(plain_scores(model, row.item) + torch.tensor(offsets))[None] for row in rows]
    plain = sum(
        row.weight * torch.nn.functional.cross_entropy(scores, torch.tensor([row.gold]))
        for row, scores in zip(rows, adjusted, strict=True)
    )
    found = losses(model, rows).sum()
    assert float(found.detach()) == pytest.approx(float(plain.detach()), rel=1e-5)
    same_gradients(model, found, plain)
    assert n_terms(rows) == 3


def test_loss_on_all_is_the_models_own_with_the_prompt_in_it(loaded: tuple[Any, Any]) -> None:
    model, tokenizer = loaded
    rows = [
        Example(f"meld/train/0/{k}", packing.encode(tokenizer, prompt, [LABELS[k]])) for k, prompt in enumerate(PROMPTS)
    ]
    total, terms = 0.0, 0
    for row in rows:
        ids = torch.tensor([row.item.prompt + row.item.answers[0]])
        total += model(input_ids=ids, labels=ids.clone()).loss * (ids.shape[1] - 1)
        terms += ids.shape[1] - 1
    found = losses(model, rows, "all").sum()
    assert n_terms(rows, "all") == terms
    assert float(found.detach()) == pytest.approx(float(total.detach()), rel=1e-5)
    same_gradients(model, found, total)
