"""Causal language models of many architectures, tiny and with random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

WINDOW = 64
_SHAPE = {"num_hidden_layers": 2, "num_attention_heads": 4, "hidden_size": 32, "intermediate_size": 64}
_GROUPED = {**_SHAPE, "num_key_value_heads": 2}
_HEADS = {**_GROUPED, "head_dim": 8}
_GEMMA3 = {**_HEADS, "sliding_window": WINDOW, "layer_types": ["sliding_attention", "full_attention"]}
_EYES = {**_SHAPE, "num_hidden_layers": 1, "image_size": 28, "patch_size": 14}
_EXPERTS = {"num_experts": 2, "num_experts_per_tok": 1, "moe_intermediate_size": 16}
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "GPT2": {"n_layer": 2, "n_head": 4, "n_embd": 32},
    "GPTNeoX": _SHAPE,
    "GPTNeo": {"num_layers": 2, "num_heads": 4, "hidden_size": 32, "attention_types": [[["global", "local"], 1]]},
    "Mistral": {**_GROUPED, "sliding_window": WINDOW},
    "Qwen3": _HEADS,
    "Qwen2Moe": {**_GROUPED, **_EXPERTS, "shared_expert_intermediate_size": 16},
    "Gemma2": {**_HEADS, "sliding_window": WINDOW},
    "Gemma3": {"text_config": _GEMMA3, "vision_config": _EYES},  # its language model is a part of it
    "Phi3": {**_GROUPED, "sliding_window": WINDOW},
    "Mixtral": {**_GROUPED, "num_local_experts": 2, "sliding_window": None},
}


def build_causal(architecture: str, tiny_model: Path, folder: Path) -> Path:
    """A model with random weights and the tiny model's tokenizer."""
    import torch
    import transformers as hf

    tokenizer = hf.AutoTokenizer.from_pretrained(tiny_model)
    known = {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    config = getattr(hf, f"{architecture}Config")(**ARCHITECTURES[architecture], **known)
    config.get_text_config().vocab_size = len(tokenizer)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        hf.AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
