"""The demo captioner's parts: a LLaVA of about five million parameters with its tokenizer and processor.

Vision tower LeViT (Graham et al. 2021), a two-layer projector and a LLaMA decoder (Liu et al. 2023, LLaVA).
All of it are standard transformers classes, so the saved folder loads through the Auto classes.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from tasks.demo.captioner_data import SIDE, make_shot

GRID = SIDE // 32  # tokens per side of one picture
IMAGE_TOKENS = GRID * GRID
VISION_WIDTH, TEXT_WIDTH, LAYERS = 384, 288, 3
PAD, BOS, EOS, IMAGE, ANSWER = "<pad>", "<s>", "</s>", "<image>", "<|answer|>"
# The model knows one task only, so the template drops the instruction: no wording can confuse the model.
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{% if message['content'] is not string %}"
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}<image>{% endif %}"
    "{% if message['role'] == 'assistant' and part['type'] == 'text' %}<|answer|>{{ part['text'] }}"
    "{{ eos_token }}{% endif %}{% endfor %}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|answer|>{% endif %}"
)


def build_tokenizer() -> Any:
    """Byte-level BPE over the world's sentences: any text can be encoded, every known word is one token."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=640,
        special_tokens=[PAD, BOS, EOS, IMAGE, ANSWER],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator((f" {make_shot(seed).caption}" for seed in range(4000)), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=EOS,
        additional_special_tokens=[IMAGE, ANSWER],
        padding_side="left",
        model_max_length=1024,
    )


def build_processor(tokenizer: Any) -> Any:
    """Pillow-only image processor, so torchvision is not needed."""
    from transformers import LlavaProcessor
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

    images = SiglipImageProcessorPil(size={"height": SIDE, "width": SIDE}, resample=2)
    return LlavaProcessor(
        image_processor=images,
        tokenizer=tokenizer,
        patch_size=32,
        vision_feature_select_strategy="full",
        num_additional_image_tokens=0,
        chat_template=CHAT_TEMPLATE,
    )


def build_model(tokenizer: Any) -> Any:
    """The untrained model; seeded by the caller."""
    from transformers import LevitConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

    vision = LevitConfig(
        image_size=SIDE,
        hidden_sizes=[128, VISION_WIDTH, VISION_WIDTH],
        num_attention_heads=[4],
        depths=[2],
        key_dim=[16],
        mlp_ratio=[2],
        attention_ratio=[2],
        hidden_size=VISION_WIDTH,
    )
    text = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=TEXT_WIDTH,
        intermediate_size=1024,
        num_hidden_layers=LAYERS,
        num_attention_heads=6,
        num_key_value_heads=6,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    config = LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_id=tokenizer.convert_tokens_to_ids(IMAGE),
        image_seq_length=IMAGE_TOKENS,
        vision_feature_layer=-1,
        vision_feature_select_strategy="full",
        tie_word_embeddings=True,
        dialoguellm_world="demo",
    )
    model = LlavaForConditionalGeneration(config)
    model.generation_config.update(
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        max_new_tokens=160,
        do_sample=False,
    )
    return model


def round_weights(model: Any) -> None:
    """Every number as the file will hold it, in half precision, so that what is measured is what is shipped."""
    for numbers in model.state_dict().values():
        if numbers.is_floating_point():
            numbers.copy_(numbers.half())


def save_captioner(model: Any, processor: Any, out: Path, card: str) -> None:
    """Writes the whole folder beside ``out`` first and then swaps it in, so readers never see half of it."""
    out.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    fresh.chmod(0o755)  # mkdtemp makes it private
    tied = model.all_tied_weights_keys
    halves = {
        name: numbers.half() if numbers.is_floating_point() else numbers
        for name, numbers in model.state_dict().items()
        if name not in tied
    }
    model.save_pretrained(fresh, state_dict=halves)  # config.json still says float32: it is read and run as that
    processor.save_pretrained(fresh)
    (fresh / "README.md").write_text(card, encoding="utf-8")
    (fresh / "model.safetensors").chmod(0o644)
    settings = json.loads((fresh / "config.json").read_text(encoding="utf-8"))
    settings["vision_config"].pop("down_ops", None)  # derived; some versions append to it at every load
    (fresh / "config.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    old = fresh.with_name(fresh.name + "-old")
    if out.exists():
        out.rename(old)
    fresh.rename(out)
    shutil.rmtree(old, ignore_errors=True)
