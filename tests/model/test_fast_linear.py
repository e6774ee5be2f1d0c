from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from model import fast_linear, lora

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.usefixtures("one_thread")


def pair(bias: bool = True) -> tuple[torch.nn.Linear, torch.nn.Linear]:
    """The same frozen layer, plain and fast."""
    torch.manual_seed(3)
    plain, fast = torch.nn.Linear(24, 40, bias=bias), torch.nn.Linear(24, 40, bias=bias)
    fast.load_state_dict(plain.state_dict())
    for layer in (plain, fast):
        layer.requires_grad_(False)
    fast_linear.switch_on(fast)
    return plain, fast


def test_this_torch_has_it() -> None:
    assert fast_linear.available()


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("rows", [1, 7, 8, 100])
def test_outputs_and_gradients_are_those_of_the_plain_layer(bias: bool, rows: int) -> None:
    plain, fast = pair(bias)
    assert type(fast) is not torch.nn.Linear
    assert isinstance(fast, torch.nn.Linear)
    found = []
    for layer in (plain, fast):
        x = torch.linspace(-1, 1, rows * 24).view(1, rows, 24).requires_grad_()
        y = layer(x)
        y.square().sum().backward()
        found.append((y.detach(), x.grad))
    for one, other in zip(*found, strict=True):
        assert torch.allclose(one, other, rtol=1e-5, atol=1e-5)
    x = torch.linspace(-1, 1, rows * 24).view(rows, 24)
    assert torch.allclose(plain(x), fast(x), rtol=1e-5, atol=1e-5)


def test_weights_that_are_trained_or_of_another_type_are_left_to_torch() -> None:
    plain, fast = pair()
    fast.requires_grad_(True)
    x = torch.ones(9, 24)
    fast(x).sum().backward()
    assert fast.weight.grad is not None
    assert torch.equal(fast(x), plain(x))
    assert fast.to(torch.float64)(x.double()).dtype == torch.float64
    assert fast.to(torch.bfloat16)(x.bfloat16()).dtype == torch.bfloat16


def adapted(folder: Path, dropout: float = 0.0) -> tuple[Any, Any]:
    base, tokenizer = lora.load(folder, device="cpu")
    model = lora.attach(base, lora.LoraOptions(dropout=dropout), "tiny", seed=2)
    torch.manual_seed(4)
    for _, parameter in lora.trainable(model):
        torch.nn.init.normal_(parameter, std=0.2)
    return model, tokenizer


class Dropout(torch.nn.Dropout):  # type: ignore[misc]
    """PEFT's own layer with the fast one's draws."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        kept, left = fast_linear.dropout(x, self.p)
        return x * kept / left if self.training else x


@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("folder", ["tiny_model", "tiny_qwen2"])
def test_a_model_with_an_adapter_gives_the_same_loss_and_gradients(
    folder: str, dropout: float, request: pytest.FixtureRequest
) -> None:
    found = []
    for change in (fast_linear.switch_off, lambda model: model):
        model, tokenizer = adapted(request.getfixturevalue(folder), dropout)
        model = change(model).train()
        for module in model.modules():
            if isinstance(module, torch.nn.ModuleDict) and change is fast_linear.switch_off and dropout:
                module.update({name: Dropout(one.p) for name, one in module.items() if hasattr(one, "p")})
        ids = torch.tensor([tokenizer("Ross: I am fine, thank you. And how are you?").input_ids])
        torch.manual_seed(5)
        loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        kinds = {type(module).__name__ for module in model.modules()}
        assert ("FastAdapter" in kinds) == (change is not fast_linear.switch_off)
        found.append([loss.detach(), *(parameter.grad for _, parameter in lora.trainable(model))])
    for one, other in zip(*found, strict=True):
        assert float((one - other).norm() / one.norm()) < 1e-5


@pytest.mark.parametrize("rate", [0.05, 0.4])
def test_dropout_drops_each_number_at_its_rate_and_by_the_generator(rate: float) -> None:
    x = torch.ones(1, 1001, 401)
    torch.manual_seed(6)
    kept, left = fast_linear.dropout(x, rate)
    again, _ = fast_linear.dropout(x, rate)
    torch.manual_seed(6)
    same, _ = fast_linear.dropout(x, rate)
    assert torch.equal(kept, same)
    assert left == pytest.approx(1 - rate, abs=2**-17)
    near = 5 * (rate * (1 - rate) / x.numel()) ** 0.5
    flat = kept.flatten()[: 4 * (x.numel() // 4)].float().view(-1, 4)
    assert flat.mean(0).tolist() == pytest.approx([1 - rate] * 4, abs=2 * near)  # each of the four of one draw
    both = (kept & again).float().mean(), (flat[:, :-1] * flat[:, 1:]).mean()  # independent of one another
    assert [float(value) for value in both] == pytest.approx([(1 - rate) ** 2] * 2, abs=2 * near)
    assert float((x * kept / left).mean()) == pytest.approx(1, abs=2 * near / (1 - rate))


def test_nothing_is_dropped_in_evaluation(tiny_model: Path) -> None:
    model, tokenizer = adapted(tiny_model, 0.4)
    ids = torch.tensor([tokenizer("Ross: I am fine, thank you.").input_ids])
    with torch.no_grad():
        plain = model.eval()(input_ids=ids).logits
        assert torch.equal(model(input_ids=ids).logits, plain)
        assert not torch.allclose(model.train()(input_ids=ids).logits, plain, atol=1e-3)


def test_an_adapter_that_is_off_or_merged_is_pefts_own_way(tiny_model: Path) -> None:
    model, tokenizer = adapted(tiny_model)
    ids = torch.tensor([tokenizer("Ross: I am fine, thank you.").input_ids])
    plain, _ = lora.load(tiny_model, device="cpu")
    with torch.no_grad():
        tuned = model(input_ids=ids).logits
        with lora.untuned(model) as off:
            assert torch.equal(off(input_ids=ids).logits, plain(input_ids=ids).logits)
        merged = model.merge_and_unload()
        assert torch.allclose(merged(input_ids=ids).logits, tuned, rtol=1e-3, atol=1e-3)
