from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image
from tiny_captioners import build_preset
from whole_captioners import WHOLE

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
