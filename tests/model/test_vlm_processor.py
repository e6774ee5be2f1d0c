from __future__ import annotations

import importlib.util
import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tiny_captioners import build_preset, build_qwen3_5

from model import vlm, vlm_processor
from model.caption_chat import Clip
from model.caption_models import MODELS
from model.caption_prompt import CaptionPrompt
from model.captioner import Described, TransformersCaptioner
from model.errors import WeightsError
from model.vlm_processor import load_processor


def asked(processor: Any) -> Any:
    pictures = [Image.new("RGB", (640, 360), (shade, 90, 30)) for shade in (10, 200)]
    parts = [{"type": "image", "image": picture} for picture in pictures]
    return processor.apply_chat_template(
        [[{"role": "user", "content": [*parts, {"type": "text", "text": "What is it?"}]}]],
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
    )


@pytest.mark.parametrize("splitting", [True, False])
def test_smolvlm_is_asked_as_by_its_own_processor(
    splitting: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own insists on num2words, with which it writes numbers of videos alone."""
    import torch
    from transformers import SmolVLMProcessor
    from transformers.models.smolvlm import processing_smolvlm

    folder = build_preset(MODELS["smolvlm2-256m"], tmp_path)
    ours = load_processor(folder, {"do_image_splitting": splitting})
    monkeypatch.setattr(processing_smolvlm, "num2words", str)
    own = vlm_processor._without_videos(SmolVLMProcessor)
    theirs = own(ours.image_processor, ours.tokenizer, image_seq_len=64, chat_template=ours.chat_template)
    theirs.video_processor = type("Sampling", (), {"num_frames": None, "fps": None})
    mine, expected = asked(ours), asked(theirs)
    for name in ("input_ids", "attention_mask", "pixel_values"):
        assert torch.equal(mine[name], expected[name]), name
    assert mine["input_ids"].shape[1] > (1000 if splitting else 2 * 64)


def test_other_kinds_are_loaded_as_the_library_does(tiny_captioner: Path) -> None:
    assert type(load_processor(tiny_captioner)).__name__ == "LlavaProcessor"


@pytest.mark.usefixtures("one_thread")
def test_a_newer_qwen_describes_without_more_packages_and_its_batches_do_not_matter(tmp_path: Path) -> None:
    captioner = TransformersCaptioner(build_qwen3_5(tmp_path), batch_size=3)
    shades = [Image.linear_gradient("L").rotate(40 * n).resize((96 + 32 * (n % 2), 64)) for n in range(6)]
    files = [io.BytesIO() for _ in shades]
    for shade, file in zip(shades, files, strict=True):
        shade.convert("RGB").save(file, "JPEG")
    clips = [Clip((file.getvalue(),), (0.5 * n,)) for n, file in enumerate(files)]
    found = {}
    for captioner.batch_size in (3, 1):
        said = captioner.describe(clips, CaptionPrompt("test", "Describe what can be seen."), 12)
        found[captioner.batch_size] = [one.text for one in said if isinstance(one, Described)]
    assert found[1] == found[3]
    assert len(found[1]) == len(clips)
    assert len(set(found[1])) > 1, "nothing makes a difference: the test proves nothing"


@pytest.mark.skipif(importlib.util.find_spec("torchvision") is not None, reason="the missing package is installed")
def test_a_kind_that_needs_more_packages_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = build_preset(MODELS["qwen3-vl-4b"], tmp_path)
    monkeypatch.setattr(vlm_processor, "IMAGES_ONLY", {})
    with pytest.raises(WeightsError, match=r"pip install 'dialoguellm\[vlm\]'"):
        vlm.load(folder)
