"""A vision-language checkpoint in a folder: what it knows, and how it is loaded safely."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from model import fast_linear
from model.errors import WeightsError
from model.pinned_file import first_line
from model.vlm_processor import load_processor

DEMO_FOLDER = Path(__file__).parent / "demo_captioner"
"""The small captioner that ships with the project; it knows only the demo's drawn world."""

LARGE = 50_000_000
"""Numbers in a model from which oneDNN's multiplications pay on a CPU: with the demo's 3 million they cost 8 % more."""


def world_of(folder: Path) -> str | None:
    """The only corpus that the checkpoint in ``folder`` knows (``dialoguellm_world`` in its config.json)."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        detail = f"{folder} holds no readable config.json: {first_line(error)}; fetch the weights again"
        raise WeightsError(detail) from error
    world = config.get("dialoguellm_world") if isinstance(config, dict) else None
    return world if isinstance(world, str) else None


def load(folder: Path, images: Mapping[str, Any] | None = None) -> tuple[Any, Any]:
    """Model and processor, from safetensors and the library's own code only; greedy decoding, left padding.

    float32 on the CPU, bfloat16 on CUDA. ``images`` as in model/vlm_processor.py. WeightsError, in one line, for a
    folder that is damaged, lacks weights, wants code of its own, is no vision-language model, or needs a package that
    is not installed.
    """
    import torch
    import transformers

    device, dtype = ("cuda", torch.bfloat16) if torch.cuda.is_available() else ("cpu", torch.float32)
    transformers.utils.logging.disable_progress_bar()
    options = {"trust_remote_code": False, "local_files_only": True}
    try:
        processor = load_processor(folder, images)
        model, report = transformers.AutoModelForImageTextToText.from_pretrained(
            folder, dtype=dtype, use_safetensors=True, output_loading_info=True, **options
        )
        tokenizer = processor.tokenizer
    except ImportError as error:
        raise WeightsError(
            f"{folder}: {first_line(error)}; models of this kind need `pip install 'dialoguellm[vlm]'`"
        ) from error
    except Exception as error:  # the files are from outside and may be damaged in any way
        raise WeightsError(
            f"{folder} is not a vision-language model that can be loaded ({first_line(error)}); fetch it again, or "
            "set captions.model to another one"
        ) from error
    if report["missing_keys"]:  # the library would fill them with random numbers
        raise WeightsError(f"{folder} lacks weights ({', '.join(sorted(report['missing_keys'])[:3])}); fetch it again")
    tokenizer.padding_side = "left"
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    model.generation_config = _greedy(model.generation_config, tokenizer)
    model = model.to(device).eval().requires_grad_(False)
    large = sum(numbers.numel() for numbers in model.parameters()) >= LARGE
    return fast_linear.switch_on(model) if large else model, processor


def _greedy(given: Any, tokenizer: Any) -> Any:
    """Plain greedy decoding; of the checkpoint's own settings only the end tokens are kept."""
    from transformers import GenerationConfig

    ends = given.eos_token_id if isinstance(given.eos_token_id, list) else [given.eos_token_id]
    ends = sorted({token for token in [*ends, tokenizer.eos_token_id] if token is not None})
    if not ends:
        raise WeightsError("the model names no end-of-text token, so it would never stop; choose another one")
    return GenerationConfig(do_sample=False, num_beams=1, eos_token_id=ends, pad_token_id=tokenizer.pad_token_id)
