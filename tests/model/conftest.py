"""Fixtures that more than one test file of this room uses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from model.caption_prompt import PROMPTS

TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{% for part in m['content'] %}"
    "{{ '<image>' if part['type'] == 'image' else part['text'] }}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
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


@pytest.fixture(scope="session")
def tiny_captioner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a LLaVA model with random weights for AutoModelForImageTextToText; read-only."""
    return build_llava(tmp_path_factory.mktemp("tiny") / "llava")


@pytest.fixture(scope="session")
def tiny_idefics3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of an Idefics3 model with random weights, whose pictures cost different numbers of tokens; read-only."""
    return build_idefics3(tmp_path_factory.mktemp("tiny") / "idefics3")
