from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Any

import pytest
from whole_captioners import WHOLE

from model import fast_linear, weight_files
from model.caption_models import MODELS
from model.caption_time import ARITHMETIC, DEMO, Speed, Work, find, measured, seconds
from model.vlm import DEMO_FOLDER

CPU, GPU = Speed(2e11, 2e10), Speed(6e14, 3e12, gpu=True)
TOWERS = ("vision_model", "connector", "visual", "vision_tower", "resampler_model")


def test_every_model_of_the_table_has_its_arithmetic() -> None:
    assert [*ARITHMETIC] == ["demo", *MODELS]
    assert find("demo") is DEMO
    assert find("HuggingFaceTB/SmolVLM2-500M-Video-Instruct") is MODELS["smolvlm2-500m"]
    assert find("org/other") is None


@pytest.mark.parametrize("name", sorted(MODELS))
def test_the_arithmetic_is_that_of_the_classes(name: str) -> None:
    import torch

    kind, config = WHOLE[name]()
    with torch.device("meta"):
        model = kind(config)
    assert ARITHMETIC[name].layers == config.text_config.num_hidden_layers
    assert ARITHMETIC[name].picture == pytest.approx(picture_flop(name, model, config) / 1e9, rel=0.05)
    assert ARITHMETIC[name].token == pytest.approx(token_flop(name, model, config) / 1e9, rel=0.05)


def picture_flop(name: str, model: Any, config: Any) -> float:
    """Of the tower's matrices for each patch of a 16:9 picture, and of its attention between them."""
    eye, side = config.vision_config, MODELS[name].long_side
    across = side // eye.patch_size
    patches = across**2 if name.startswith("smol") else (across // 2 * 2) * (side * 9 // 16 // eye.patch_size // 2 * 2)
    towers = [module for kind, module in model.model.named_children() if kind in TOWERS]
    matrices = sum(weights.numel() for tower in towers for weights in tower.parameters() if weights.dim() == 2)
    depth = getattr(eye, "depth", None) or eye.num_hidden_layers
    return float(2 * patches * matrices + 4 * patches**2 * eye.hidden_size * depth)


def token_flop(name: str, model: Any, config: Any) -> float:
    if not name.startswith("ernie"):
        import torch
        from torch.utils.flop_counter import FlopCounterMode

        tokens = torch.zeros(1, 200, dtype=torch.long, device="meta")
        with FlopCounterMode(display=False) as counted, torch.inference_mode():
            model(input_ids=tokens, logits_to_keep=1)
        return float(counted.get_total_flops() / 200)
    text = config.text_config
    matrices = sum(
        weights.numel() * (text.moe_k / text.moe_num_experts if "text_moe.experts" in path else 1)
        for path, weights in model.model.language_model.layers.named_parameters()
        if "vision_moe" not in path
    )
    return float(2 * matrices)


def test_the_shipped_captioner_is_the_one_that_is_reckoned_with() -> None:
    shapes = weight_files.shapes(DEMO_FOLDER)
    assert sum(map(prod, shapes.values())) == pytest.approx(DEMO.parameters, rel=0.01)


@pytest.mark.parametrize("speed", [CPU, GPU])
@pytest.mark.parametrize("name", [*ARITHMETIC])
def test_more_takes_longer_and_a_faster_machine_less(name: str, speed: Speed) -> None:
    model, work = find(name), Work(2, 80)
    assert model is not None
    likely = seconds(model, work, speed)
    assert seconds(model, replace(work, tokens=160), speed) > likely
    assert seconds(model, replace(work, pictures=40), speed) > 2 * likely
    assert seconds(model, replace(work, batch_size=1), speed) > likely
    assert seconds(model, replace(work, processes=2), CPU) < seconds(model, work, CPU)
    assert seconds(model, work, replace(speed, flops=2 * speed.flops, bytes=2 * speed.bytes)) <= likely


def test_larger_models_take_longer() -> None:
    took = [seconds(MODELS[name], Work(2, 80), CPU) for name in MODELS if not name.startswith("ernie")]
    assert took == sorted(took)
    assert took[-1] > 10 * took[0]


def test_this_machine_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    speed = measured()
    assert 1e8 < speed.flops < 1e16
    assert 1e8 < speed.bytes < 1e14
    assert speed.gpu == torch.cuda.is_available()
    monkeypatch.setattr(fast_linear, "available", lambda: False)
    assert measured().flops > 1e8
