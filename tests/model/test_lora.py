from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from causal_models import build_causal
from safetensors.torch import load_file

from model import lora, packing, weight_files
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


def test_the_base_may_be_bfloat16_and_the_adapter_stays_float32(tiny_model: Path, tmp_path: Path) -> None:
    import torch

    base, _ = lora.load(tiny_model, device="cpu", precision="bfloat16")
    assert next(base.parameters()).dtype == torch.bfloat16
    model = lora.attach(base, lora.LoraOptions(), "tiny")
    assert {parameter.dtype for _, parameter in lora.trainable(model)} == {torch.float32}
    lora.save(model, tmp_path)
    assert {value.dtype for value in load_file(tmp_path / "adapter_model.safetensors").values()} == {torch.float32}


def test_four_bits_are_refused_without_a_gpu_or_the_extra(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TrainingError, match='quantize = "4bit" needs a GPU'):
        lora.load(tiny_model, device="cpu", quantize="4bit")
    monkeypatch.setattr(lora, "find_spec", lambda _name: None)
    with pytest.raises(TrainingError, match=r'pip install "dialoguellm\[qlora\]"'):
        lora.load(tiny_model, device="cuda", quantize="4bit")


@pytest.mark.parametrize("share", [True, False])
@pytest.mark.parametrize("architecture", ["llama", "qwen2"])
def test_activations_computed_again_give_the_same_gradients(
    share: bool, architecture: str, request: pytest.FixtureRequest
) -> None:
    """With dropout, whether a batch shares its prefix or not."""
    import torch

    found = []
    for again in (False, True):
        folder = request.getfixturevalue("tiny_model" if architecture == "llama" else "tiny_qwen2")
        model, tokenizer = noisy(folder, r=4, dropout=0.3)
        inside = 0

        def count(*_given: Any) -> None:
            nonlocal inside
            inside += 1

        model.get_base_model().model.layers[0].mlp.register_forward_pre_hook(count)
        if again:
            lora.recompute(model)
        model.train()
        texts = [f"Name the emotion. Ross: {'well, ' * (k % 3)}line {k}\n" for k in range(5)]
        items = [packing.encode(tokenizer, text, ["joy"]) for text in texts]
        torch.manual_seed(7)
        loss = -packing.answer_log_probs(model, items, share=share).sum()
        loss.backward()
        assert inside == 1 + again
        found.append((loss.detach(), [parameter.grad for _, parameter in lora.trainable(model)]))
    (loss, gradients), (same_loss, same_gradients) = found
    assert torch.equal(loss, same_loss)
    assert all(torch.equal(a, b) for a, b in zip(gradients, same_gradients, strict=True))
    assert any(gradient.abs().max() > 1e-3 for gradient in gradients)


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
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "org/base"
    assert config["target_modules"] == sorted(config["target_modules"])  # a set: else each process has its own order
    assert len(config["target_modules"]) == 7
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
    with pytest.raises(WeightsError, match=r"adapter_model\.safetensors is damaged"):
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


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_merged_model_is_whole_and_answers_as_the_adapter_did(tiny_model: Path, tmp_path: Path, dtype: Any) -> None:
    import torch

    model, tokenizer = noisy(tiny_model, r=4)
    tuned = logits(model, tokenizer)
    lora.merge(model, tokenizer, tmp_path / "out", dtype)
    weight_files.check(tmp_path / "out")
    assert weight_files.dtype(tmp_path / "out") == dtype
    again, same = lora.load(tmp_path / "out", device="cpu")
    assert not hasattr(again, "peft_config")
    assert same.chat_template == tokenizer.chat_template
    near = 1e-5 if dtype == "float32" else 0.1
    assert torch.allclose(logits(again, same), tuned, atol=near)
    assert not torch.allclose(logits(lora.load(tiny_model, device="cpu")[0], tokenizer), tuned, atol=0.1)


@pytest.mark.parametrize("architecture", ["GPT2", "GPTNeoX", "Gemma2", "Phi3", "Mixtral"])
def test_any_causal_language_model_takes_an_adapter_and_its_merge(
    architecture: str, tiny_model: Path, tmp_path: Path
) -> None:
    """Other names of layers, fused projections, transposed weights, windows; experts, whose attention is tuned."""
    import torch

    base, tokenizer = lora.load(build_causal(architecture, tiny_model, tmp_path / "base"), device="cpu")
    plain = logits(base, tokenizer)
    target: Any = "q_proj,v_proj" if architecture == "Mixtral" else "all-linear"
    model = lora.attach(base, lora.LoraOptions(r=4, target=target), "tiny")
    for _, parameter in lora.trainable(model):
        torch.nn.init.normal_(parameter, std=0.5)
    tuned = logits(model.eval(), tokenizer)
    items = [packing.encode(tokenizer, f"{text}\n", ["joy", "anger"]) for text in ("I am fine.", "What a day!")]
    share = packing.supported(model)
    with torch.no_grad():
        pair = [packing.answer_log_probs(model, items, share=way) for way in (share, False)]
    assert torch.allclose(*pair, atol=1e-3)
    lora.save(model, tmp_path / "adapter")
    reloaded, _ = lora.load(tmp_path / "base", tmp_path / "adapter", device="cpu")
    assert torch.allclose(logits(reloaded, tokenizer), tuned, atol=1e-5)
    lora.merge(model, tokenizer, tmp_path / "out", "float32")
    again, same = lora.load(tmp_path / "out", device="cpu")
    assert torch.allclose(logits(again, same), tuned, atol=1e-4)
    assert not torch.allclose(plain, tuned, atol=1e-2)


def test_experts_take_no_adapter_but_attention_does(tiny_model: Path, tmp_path: Path) -> None:
    base, _ = lora.load(build_causal("Mixtral", tiny_model, tmp_path), device="cpu")
    with pytest.raises(TrainingError, match="choose another lora target"):
        lora.attach(base, lora.LoraOptions(), "tiny")


def test_an_adapter_that_is_not_finite_is_not_merged(tiny_model: Path, tmp_path: Path) -> None:
    model, tokenizer = noisy(tiny_model)
    lora.trainable(model)[0][1].data.fill_(float("nan"))
    with pytest.raises(TrainingError, match="the adapter cannot be merged"):
        lora.merge(model, tokenizer, tmp_path / "out", "float32")


def test_base_weights_come_frozen_so_that_prediction_multiplies_as_training_does(tiny_model: Path) -> None:
    model, _ = lora.load(tiny_model, device="cpu")
    assert not lora.trainable(model)
    assert lora.trainable(lora.attach(model, lora.LoraOptions(), "tiny"))
