"""Models of a published shape with random weights, for what speed and memory are: their losses mean nothing."""

from __future__ import annotations

from typing import Any

from model import fast_linear

SHAPES = {
    "tiny": {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4},
    "llama-2-7b": {
        "hidden_size": 4096,
        "intermediate_size": 11008,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
    },
}
VOCABULARY = 32_000


def made(shape: str) -> Any:
    """A LLaMA of this shape, drawn where it is computed: bfloat16 on a GPU, float32 on a CPU."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(**SHAPES[shape], vocab_size=VOCABULARY, max_position_embeddings=4096)
    torch.manual_seed(0)
    with torch.device(device()):
        model = LlamaForCausalLM._from_config(config, dtype=dtype())
    return fast_linear.switch_on(model.eval().requires_grad_(False))


def device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def dtype() -> Any:
    import torch

    return torch.bfloat16 if device() == "cuda" else torch.float32
