from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from model import lora
from model.errors import TrainingError, WeightsError

pytestmark = pytest.mark.usefixtures("one_thread")


def logits(model: Any, tokenizer: Any) -> Any:
    import torch

    with torch.no_grad():
        return model(**tokenizer("Monica: I am fine.", return_tensors="pt")).logits


def noisy(folder: Path, **options: Any) -> tuple[Any, Any]:
    """A model with an adapter that does something."""
    import torch

    base, tokenizer = lora.load(folder, device="cpu")
    model = lora.attach(base, lora.LoraOptions(**options), "org/base")
    torch.manual_seed(1)
    for _, parameter in lora.trainable(model):
        torch.nn.init.normal_(parameter, std=0.1)
    return model.eval(), tokenizer


def test_load_is_float32_on_a_cpu_and_evaluating(tiny_model: Path) -> None:
    import torch

    model, tokenizer = lora.load(tiny_model, device="cpu")
    assert next(model.parameters()).dtype == torch.float32
    assert not model.training
    assert tokenizer.eos_token == "<|im_end|>"


def test_a_fresh_adapter_changes_nothing_and_follows_its_seed(tiny_model: Path) -> None:
    import torch

    first = None
    for seed in (3, 3, 4):
        base, tokenizer = lora.load(tiny_model, device="cpu")
        before = logits(base, tokenizer)
        random = torch.get_rng_state()
        model = lora.attach(base, lora.LoraOptions(), "tiny", seed=seed).eval()
        assert torch.equal(torch.get_rng_state(), random)
        assert torch.equal(logits(model, tokenizer), before)
        found = torch.cat([parameter.detach().flatten() for _, parameter in lora.trainable(model)])
        first = found if first is None else first
        assert torch.equal(found, first) == (seed == 3)


def test_targets(tiny_model: Path) -> None:
    names = [name for name, _ in lora.trainable(noisy(tiny_model, target="q_proj,v_proj")[0])]
    assert len(names) == 4
    assert all("q_proj" in name or "v_proj" in name for name in names)
    assert len(lora.trainable(noisy(tiny_model)[0])) == 14


def test_a_model_without_the_target_layers_is_refused(tiny_model: Path) -> None:
    import torch

    base, _ = lora.load(tiny_model, device="cpu")
    base.model.layers[0] = torch.nn.Identity()
    with pytest.raises(TrainingError, match="choose another lora target"):
        lora.attach(base, lora.LoraOptions(target="q_proj,v_proj"), "tiny")


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # peft's own, see model/lora.py
def test_saved_adapter_loads_here_and_with_plain_peft(tiny_model: Path, tmp_path: Path) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    model, tokenizer = noisy(tiny_model, r=4)
    lora.save(model, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"adapter_config.json", "adapter_model.safetensors"}
    assert json.loads((tmp_path / "adapter_config.json").read_text())["base_model_name_or_path"] == "org/base"
    ours, _ = lora.load(tiny_model, tmp_path, device="cpu")
    theirs = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny_model), tmp_path)
    assert torch.equal(logits(ours, tokenizer), logits(model, tokenizer))
    assert torch.equal(logits(theirs, tokenizer), logits(model, tokenizer))


def test_restore_and_untuned(tiny_model: Path, tmp_path: Path) -> None:
    import torch

    model, tokenizer = noisy(tiny_model)
    tuned = logits(model, tokenizer)
    lora.save(model, tmp_path)
    base, _ = lora.load(tiny_model, device="cpu")
    plain = logits(base, tokenizer)
    fresh = lora.attach(base, lora.LoraOptions(), "tiny").eval()
    lora.restore(fresh, tmp_path)
    assert torch.equal(logits(fresh, tokenizer), tuned)
    with lora.untuned(fresh) as off:
        assert torch.equal(logits(off, tokenizer), plain)
    assert torch.equal(logits(fresh, tokenizer), tuned)
    other, _ = lora.load(tiny_model, device="cpu")
    with lora.untuned(other) as same:
        assert same is other


def test_folders_that_cannot_be_loaded(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="cannot be loaded"):
        lora.load(tmp_path, device="cpu")
    with pytest.raises(WeightsError, match="run finetune first"):
        lora.load(tiny_model, tmp_path, device="cpu")
    lora.save(noisy(tiny_model)[0], tmp_path / "adapter")
    (tmp_path / "adapter" / "adapter_model.safetensors").write_bytes(b"\x08" + b"\0" * 7 + b"no json!")
    with pytest.raises(WeightsError, match="does not fit"):
        lora.load(tiny_model, tmp_path / "adapter", device="cpu")


def test_a_pickled_model_is_never_loaded(tiny_model: Path, tmp_path: Path) -> None:
    import torch

    folder = tmp_path / "model"
    shutil.copytree(tiny_model, folder)
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")
    with pytest.raises(WeightsError, match="cannot be loaded"):
        lora.load(folder, device="cpu")


def test_a_tokenizer_without_an_end_token_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_model, folder)
    config = json.loads((folder / "tokenizer_config.json").read_text())
    del config["eos_token"]
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    with pytest.raises(WeightsError, match="no end token"):
        lora.load(folder, device="cpu")
