"""Folders of small vision-language models with random weights and tokenizers that encode any text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from model.caption_models import CaptionModel
from model.caption_prompt import PROMPTS

TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{% for part in m['content'] %}"
    "{{ '<image>' if part['type'] == 'image' else part['text'] }}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
QWEN = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
ERNIE = ("<|IMAGE_START|>", "<|IMAGE_END|>", "<|IMAGE_PLACEHOLDER|>", "<|VIDEO_PLACEHOLDER|>")
IDS = ("vision_start_token_id", "vision_end_token_id", "image_token_id", "video_token_id")
SHAPE: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
}


def tiny_tokenizer(*special: str) -> Any:
    """A byte-level tokenizer with chat tokens, ``<image>`` and ``special``."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<image>", *special],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    bpe.train_from_iterator(PROMPTS.values(), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe, bos_token="<|im_start|>", eos_token="<|im_end|>", pad_token="<|endoftext|>"
    )


def build_llava(folder: Path) -> Path:
    """LLaVA with random weights: every picture becomes 32 x 32 pixels and 16 tokens."""
    import transformers as hf

    tokenizer = tiny_tokenizer()
    size = {"height": 32, "width": 32}
    hf.LlavaProcessor(
        image_processor=hf.CLIPImageProcessorPil(size=size, do_center_crop=False),
        tokenizer=tokenizer,
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=TEMPLATE,
    ).save_pretrained(folder)
    config = hf.LlavaConfig(
        vision_config=hf.CLIPVisionConfig(image_size=32, patch_size=8, **SHAPE),
        text_config=text_config(tokenizer),
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
    )
    return save_random(hf.LlavaForConditionalGeneration, config, tokenizer, folder)


def build_idefics3(folder: Path) -> Path:
    """Idefics3 (SmolVLM's architecture) with random weights: a picture becomes one or more tiles of 4 tokens."""
    import transformers as hf

    tiles = [f"<row_{row}_col_{column}>" for row in range(1, 5) for column in range(1, 5)]
    tokenizer = tiny_tokenizer("<fake_token_around_image>", "<global-img>", "<end_of_utterance>", *tiles)
    hf.Idefics3Processor(
        image_processor=hf.Idefics3ImageProcessorPil(size={"longest_edge": 64}, max_image_size={"longest_edge": 32}),
        tokenizer=tokenizer,
        image_seq_len=4,
        chat_template=TEMPLATE,
    ).save_pretrained(folder)
    config = hf.Idefics3Config(
        vision_config={"image_size": 32, "patch_size": 8, **SHAPE},
        text_config=text_config(tokenizer),
        scale_factor=2,
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        pad_token_id=tokenizer.pad_token_id,
    )
    return save_random(hf.Idefics3ForConditionalGeneration, config, tokenizer, folder)


def text_config(tokenizer: Any) -> Any:
    from transformers import LlamaConfig

    ids = {"pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id}
    return LlamaConfig(vocab_size=len(tokenizer), max_position_embeddings=1024, initializer_range=0.5, **ids, **SHAPE)


def save_random(model: Any, config: Any, tokenizer: Any, folder: Path) -> Path:
    import torch

    state = torch.get_rng_state()
    torch.manual_seed(3)
    made = model(config)
    torch.set_rng_state(state)
    made.generation_config.eos_token_id = tokenizer.eos_token_id
    made.save_pretrained(folder)
    return folder


def build_preset(preset: CaptionModel, folder: Path) -> Path:
    """The model's own classes, picture sizes and settings files as the hub has them, a few random weights instead."""
    kinds = {"smolvlm2": _smolvlm2, "qwen3-vl": _qwen3_vl, "ernie-4.5": _ernie}
    return next(build(preset, folder) for kind, build in kinds.items() if preset.name.startswith(kind))


def _smolvlm2(preset: CaptionModel, folder: Path) -> Path:
    import transformers as hf

    patch, scale = (14, 3) if preset.long_side == 384 else (16, 4)
    tokenizer = tiny_tokenizer("<fake_token_around_image>", "<global-img>", "<end_of_utterance>", "<row_1_col_1>")
    config = hf.SmolVLMConfig(
        vision_config={"image_size": preset.long_side, "patch_size": patch, **SHAPE},
        text_config=text_config(tokenizer),
        scale_factor=scale,
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        pad_token_id=tokenizer.pad_token_id,
    )
    pictures = {
        "image_processor_type": "SmolVLMImageProcessor",
        "do_image_splitting": True,
        "max_image_size": {"longest_edge": preset.long_side},
        "size": {"longest_edge": 4 * preset.long_side},
        "video_sampling": {"fps": 1, "max_frames": 64, "video_size": {"longest_edge": preset.long_side}},
        "processor_class": "SmolVLMProcessor",
    }
    _settings(folder, tokenizer, pictures, image_seq_len=(preset.long_side // patch // scale) ** 2)
    return save_random(hf.SmolVLMForConditionalGeneration, config, tokenizer, folder)


def _qwen3_vl(preset: CaptionModel, folder: Path) -> Path:  # noqa: ARG001
    return build_qwen("Qwen3VL", {}, {"deepstack_visual_indexes": [0]}, folder)


def build_qwen3_5(folder: Path) -> Path:
    """Qwen3.5, half of whose layers keep a state instead of keys and values."""
    heads = {f"linear_{what}_head_dim": 8 for what in ("key", "value")}
    heads |= {"linear_num_key_heads": 2, "linear_num_value_heads": 2}
    return build_qwen("Qwen3_5", heads | {"layer_types": ["linear_attention", "full_attention"]}, {}, folder)


def build_qwen(kind: str, text: dict[str, Any], eye: dict[str, Any], folder: Path) -> Path:
    import transformers as hf

    tokenizer = tiny_tokenizer("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
    ids = dict(zip(IDS, tokenizer.convert_tokens_to_ids(list(QWEN)), strict=True))
    rope = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 1, 1], "mrope_interleaved": True}
    rope["partial_rotary_factor"] = 1.0
    config = getattr(hf, f"{kind}Config")(
        text_config={
            **{"vocab_size": len(tokenizer), "head_dim": 8, "num_key_value_heads": 2, "rope_parameters": rope},
            **{"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id, **SHAPE},
            **{"initializer_range": 0.5, **text},
        },
        vision_config={
            **{"depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 4, "out_hidden_size": 32},
            **{"patch_size": 16, "num_position_embeddings": 64, **eye},
        },
        **ids,
    )
    pictures = {
        "image_processor_type": "Qwen2VLImageProcessorFast",
        "size": {"shortest_edge": 65536, "longest_edge": 16777216},
        **{"patch_size": 16, "temporal_patch_size": 2, "merge_size": 2, "processor_class": "Qwen3VLProcessor"},
        **{"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]},
    }
    image = "<|vision_start|><|image_pad|><|vision_end|>"
    _settings(folder, tokenizer, pictures, template=TEMPLATE.replace("<image>", image))
    (folder / "video_preprocessor_config.json").write_text(
        json.dumps({"video_processor_type": "Qwen3VLVideoProcessor"})
    )
    return save_random(getattr(hf, f"{kind}ForConditionalGeneration"), config, tokenizer, folder)


def _ernie(preset: CaptionModel, folder: Path) -> Path:  # noqa: ARG001
    import transformers as hf

    names = dict(zip(("image_start", "image_end", "image", "video"), ERNIE, strict=True))
    names |= {"video_start": "<|VIDEO_START|>", "video_end": "<|VIDEO_END|>"}
    tokenizer = tiny_tokenizer(*names.values())
    rope = {"rope_type": "default", "rope_theta": 5e5, "mrope_section": [1, 1, 2]}
    config = hf.Ernie4_5_VLMoeConfig(
        text_config={
            **{"vocab_size": len(tokenizer), "num_key_value_heads": 2, "rope_parameters": rope},
            **{"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id, **SHAPE},
            **{"moe_intermediate_size": [32, 16], "moe_num_experts": 4, "moe_k": 2, "moe_num_shared_experts": 1},
            "initializer_range": 0.5,
        },
        vision_config={"depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 4},
        **{f"{name}_token_id": tokenizer.convert_tokens_to_ids(token) for name, token in names.items()},
    )
    pictures = {"image_processor_type": "Ernie4_5_VLMoeImageProcessorFast", "patch_size": 14, "merge_size": 2}
    _settings(
        *(folder, tokenizer, {**pictures, "processor_class": "Ernie4_5_VLMoeProcessor"}),
        template=TEMPLATE.replace("<image>", "<|IMAGE_START|><|IMAGE_PLACEHOLDER|><|IMAGE_END|>"),
        named={f"{name}_token": token for name, token in names.items()},
    )
    return save_random(hf.Ernie4_5_VLMoeForConditionalGeneration, config, tokenizer, folder)


def _settings(
    folder: Path,
    tokenizer: Any,
    pictures: dict[str, Any],
    template: str = TEMPLATE,
    named: dict[str, str] | None = None,
    **processor: int,
) -> None:
    """The tokenizer's files, preprocessor_config.json, processor_config.json and the chat template."""
    tokenizer.save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | (named or {})))
    (folder / "preprocessor_config.json").write_text(json.dumps(pictures))
    words = {"processor_class": pictures["processor_class"], **processor}
    (folder / "processor_config.json").write_text(json.dumps(words))
    (folder / "chat_template.jinja").write_text(template)
