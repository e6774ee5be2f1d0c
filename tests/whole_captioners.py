"""The vision-language models of the table in the size that they have on the hub: class and configuration."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import tiny_captioners

from model.caption_models import CaptionModel


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


def build_whole(preset: CaptionModel, folder: Path) -> Path:
    """As ``tiny_captioners.build_preset``, with as many random weights as the model has; its texts never end."""

    def save(_kind: Any, tiny: Any, _tokenizer: Any, folder: Path) -> Path:
        kind, config = WHOLE[preset.name]()
        for name, value in tiny.to_dict().items():
            if name.endswith("_token_id") and hasattr(config, name):
                setattr(config, name, value)
        made = kind(config)
        made.generation_config.eos_token_id = config.text_config.vocab_size - 1
        made.save_pretrained(folder)
        return folder

    with patch.object(tiny_captioners, "save_random", save):
        return tiny_captioners.build_preset(preset, folder)
