from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from model import checkpoints, lora

pytestmark = pytest.mark.usefixtures("one_thread")


def trained(folder: Path, seed: int, n: int) -> tuple[Any, Any]:
    import torch

    base, _ = lora.load(folder, device="cpu")
    model = lora.attach(base, lora.LoraOptions(r=2), "tiny", seed=seed)
    optimizer = torch.optim.AdamW([parameter for _, parameter in lora.trainable(model)], lr=0.01)
    for k in range(n):
        optimizer.zero_grad()
        model(input_ids=torch.tensor([[5, 6, 7 + k]])).logits.square().mean().backward()
        optimizer.step()
    return model, optimizer


def test_adapter_and_optimizer_come_back_bit_for_bit(tiny_model: Path, tmp_path: Path) -> None:
    import torch

    model, optimizer = trained(tiny_model, 1, 3)
    checkpoints.save(tmp_path, 3, model, optimizer, {"step": 3})
    other, fresh = trained(tiny_model, 2, 0)
    (found,) = checkpoints.steps(tmp_path)
    checkpoints.restore(found, other, fresh)
    assert checkpoints.read_json(found / "state.json") == {"step": 3}
    for (name, ours), (_, theirs) in zip(lora.trainable(other), lora.trainable(model), strict=True):
        assert torch.equal(ours, theirs), name
    ours_slots, their_slots = fresh.state_dict()["state"], optimizer.state_dict()["state"]
    assert ours_slots.keys() == their_slots.keys()
    for index, slot in their_slots.items():
        assert slot.keys() == {"step", "exp_avg", "exp_avg_sq"}
        assert all(torch.equal(ours_slots[index][name], value) for name, value in slot.items())


def test_nothing_is_pickled(tiny_model: Path, tmp_path: Path) -> None:
    checkpoints.save(tmp_path, 1, *trained(tiny_model, 1, 1), {})
    names = {path.name for path in tmp_path.glob("step-*/*")}
    tensors = {"adapter_model.safetensors", "optimizer.safetensors"}
    assert names == tensors | {"adapter_config.json", "state.json", "digests.json"}


def test_an_unfinished_folder_is_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "step-00000001").mkdir()
    (tmp_path / ".step-00000002.tmp").mkdir()
    assert checkpoints.steps(tmp_path) == []
    assert checkpoints.steps(tmp_path / "nowhere") == []


@pytest.mark.parametrize("text", ["", "{", "[1]"])
def test_a_damaged_file_reads_as_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    assert checkpoints.read_json(tmp_path / "x.json") == {}
    assert checkpoints.read_json(tmp_path / "none.json") == {}
