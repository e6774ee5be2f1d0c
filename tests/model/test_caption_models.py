from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tiny_captioners import build_preset

from model import fast_linear
from model.caption_chat import Clip
from model.caption_models import MODELS, CaptionModel, find, full_name
from model.caption_prompt import CaptionPrompt
from model.captioner import Described, TransformersCaptioner

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # of ERNIE's own processor
]
PROMPT = CaptionPrompt("test", "Describe what can be seen.")
LARGE = (1280, 720)


def jpeg(shade: int, size: tuple[int, int] = (160, 90)) -> bytes:
    picture = Image.linear_gradient("L").resize(size).convert("RGB")
    picture.paste((255 - shade, shade, 20), (5, 5, 5 + shade // 2, 40))
    file = io.BytesIO()
    picture.save(file, "JPEG")
    return file.getvalue()


@pytest.fixture(scope="module", params=sorted(MODELS))
def preset(request: pytest.FixtureRequest) -> CaptionModel:
    return MODELS[request.param]


@pytest.fixture(scope="module")
def captioner(preset: CaptionModel, tmp_path_factory: pytest.TempPathFactory) -> TransformersCaptioner:
    """The preset's own classes with random weights, made as a user's are."""
    folder = build_preset(preset, tmp_path_factory.mktemp("preset"))
    return TransformersCaptioner(folder, batch_size=3, model=preset)


@pytest.mark.parametrize("large", [False, True])
def test_every_preset_describes_and_its_batches_do_not_matter(captioner: TransformersCaptioner, large: bool) -> None:
    if large:  # as the real weights are multiplied on a CPU
        fast_linear.switch_on(captioner._model)
    clips = [Clip((jpeg(40 * n), jpeg(250 - 9 * n))[: 1 + n % 2], (0.0, 1.5)[: 1 + n % 2]) for n in range(5)]
    clips.append(Clip((jpeg(200, (90, 160)),), (0.0,)))
    found = {}
    for batch_size in (3, 1):
        captioner.batch_size = batch_size
        said = captioner.describe(clips, PROMPT, 5)
        assert all(isinstance(one, Described) for one in said), said
        found[batch_size] = [one.text for one in said if isinstance(one, Described)]
    assert found[1] == found[3]
    assert len(set(found[1])) > 1, "the pictures make no difference: the test proves nothing"


def test_a_picture_costs_what_the_table_says(captioner: TransformersCaptioner, preset: CaptionModel) -> None:
    clip = Clip((jpeg(10, LARGE), jpeg(90, LARGE)), (0.0, 1.0))
    batch = captioner._prepare({0: clip}, PROMPT)
    shown = int((batch.inputs["input_ids"] == captioner._model.config.image_token_id).sum())
    assert 2 * (preset.picture_tokens - 3) <= shown <= 2 * preset.picture_tokens
    alone = captioner._prepare({0: Clip(clip.jpegs[:1], (0.0,))}, PROMPT)
    assert 1 < batch.inputs["pixel_values"].numel() / alone.inputs["pixel_values"].numel() <= 2


def test_pictures_are_scaled_by_pillow_and_nothing_is_for_videos(captioner: TransformersCaptioner) -> None:
    assert type(captioner._processor.image_processor).__name__.endswith("Pil")
    assert not hasattr(captioner._processor, "video_processor")


def smolvlm2(width: int, layers: int, heads: tuple[int, int], inner: int, eye: dict[str, int], scale: int) -> Any:
    import transformers as hf

    text = {"hidden_size": width, "num_hidden_layers": layers, "intermediate_size": inner, "vocab_size": 49280}
    text |= {"num_attention_heads": heads[0], "num_key_value_heads": heads[1]}
    config = hf.SmolVLMConfig(
        text_config={"model_type": "llama", **text}, vision_config=eye, scale_factor=scale, tie_word_embeddings=False
    )
    return hf.SmolVLMForConditionalGeneration, config


def qwen3_vl(width: int, inner: int, eye: dict[str, Any], tied: bool) -> Any:
    import transformers as hf

    text = {"hidden_size": width, "intermediate_size": inner, "num_hidden_layers": 36, "vocab_size": 151936}
    text |= {"num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128, "tie_word_embeddings": tied}
    vision = {"patch_size": 16, "num_heads": 16, "out_hidden_size": width, "num_position_embeddings": 2304, **eye}
    config = hf.Qwen3VLConfig(text_config=text, vision_config=vision, tie_word_embeddings=tied)
    return hf.Qwen3VLForConditionalGeneration, config


def ernie() -> Any:
    import transformers as hf

    return hf.Ernie4_5_VLMoeForConditionalGeneration, hf.Ernie4_5_VLMoeConfig()


SMALL = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12}
SMALL |= {"image_size": 512, "patch_size": 16}
SO400M = {"hidden_size": 1152, "intermediate_size": 4304, "num_hidden_layers": 27, "num_attention_heads": 16}
SO400M |= {"image_size": 384, "patch_size": 14}
EYE_4B = {"depth": 24, "hidden_size": 1024, "intermediate_size": 4096, "deepstack_visual_indexes": [5, 11, 17]}
EYE_8B = {"depth": 27, "hidden_size": 1152, "intermediate_size": 4304, "deepstack_visual_indexes": [8, 16, 24]}
WHOLE: dict[str, Callable[[], Any]] = {
    "smolvlm2-256m": lambda: smolvlm2(576, 30, (9, 3), 1536, SMALL, 4),
    "smolvlm2-500m": lambda: smolvlm2(960, 32, (15, 5), 2560, SMALL, 4),
    "smolvlm2-2.2b": lambda: smolvlm2(2048, 24, (32, 32), 8192, SO400M, 3),
    "qwen3-vl-4b": lambda: qwen3_vl(2560, 9728, EYE_4B, tied=True),
    "qwen3-vl-8b": lambda: qwen3_vl(4096, 12288, EYE_8B, tied=False),
    "ernie-4.5-vl-28b": ernie,
}
"""The configurations as they are on the hub; only shapes are made of them."""


def test_parameters_and_cache_are_those_of_the_classes(preset: CaptionModel) -> None:
    import torch

    kind, config = WHOLE[preset.name]()
    with torch.device("meta"):
        model = kind(config)
    assert preset.parameters == sum(weights.numel() for weights in model.parameters())
    text = config.text_config
    width = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    assert preset.cache_numbers == 2 * text.num_hidden_layers * text.num_key_value_heads * width


def test_memory_grows_with_what_is_shown(preset: CaptionModel) -> None:
    few, many = (preset.memory(2, batch, 4, 160) for batch in (1, 16))
    assert 2 * preset.parameters < few < many < preset.memory(4, 16, 4, 160)
    assert many < preset.memory(2, 16, 8, 160)


def test_names() -> None:
    ernie = MODELS["ernie-4.5-vl-28b"]
    assert find("SmolVLM2-500M") is find("HuggingFaceTB/SmolVLM2-500M-Video-Instruct@main") is MODELS["smolvlm2-500m"]
    assert find("demo") is find("./smolvlm2-500m") is find("org/other") is None
    assert full_name("smolvlm2-2.2b") == "HuggingFaceTB/SmolVLM2-2.2B-Instruct"
    assert full_name("ernie-4.5-vl-28b") == ernie.hub_name() == "baidu/ERNIE-4.5-VL-28B-A3B-PT@refs/pr/11"
    assert full_name("org/other") == "org/other"


def test_documents_name_every_preset() -> None:
    page = (Path(__file__).parents[2] / "docs" / "captions.md").read_text()
    for model in MODELS.values():
        assert f"| `{model.name}` | {model.repo} | {model.parameters / 1e9:.2f} | {model.long_side} |" in page
