"""Language models that ``model`` may name in short: those of the paper and of the field since, by their hub ids.

Sources: the models' cards on the hub; the released code's base is Llama-2-7b-hf (paper, section 4.4).
"""

from __future__ import annotations

from model.errors import WeightsError

NAMES = {
    "llama-7b": "huggyllama/llama-7b",
    "llama-2-7b": "meta-llama/Llama-2-7b-hf",
    "llama-2-7b-chat": "meta-llama/Llama-2-7b-chat-hf",
    **{f"qwen3-{size}": f"Qwen/Qwen3-{size.upper()}" for size in ("0.6b", "1.7b", "4b", "8b", "14b", "32b")},
    **{f"smollm2-{size}-instruct": f"HuggingFaceTB/SmolLM2-{size.upper()}-Instruct" for size in ("360m", "1.7b")},
}

_ALPACA = (
    "{name}: of Alpaca only the difference to LLaMA-7B is published (tatsu-lab/alpaca-7b-wdiff). Add it to LLaMA-7B "
    "with weight_diff.py of github.com/tatsu-lab/stanford_alpaca, save the sum as safetensors, and set the model to "
    "that folder"
)


def full_name(name: str) -> str:
    """The hub id of a short name; any other name stays. Raises WeightsError for one that the hub does not hold."""
    if name.lower() in ("alpaca", "alpaca-7b"):
        raise WeightsError(_ALPACA.format(name=name))
    return NAMES.get(name.lower(), name)
