"""Low-rank adapters: the only file that imports peft. Base weights never change and never leave their folder."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from model import fast_linear, weight_files
from model.errors import TrainingError, WeightsError

Target = Literal["all-linear", "q_proj,v_proj"]
Dtype = Literal["float32", "bfloat16", "float16"]
Precision = Literal["auto", "float32", "bfloat16"]
Quantize = Literal["off", "4bit"]


@dataclass(frozen=True, slots=True)
class LoraOptions:
    """Rank, scale (``alpha / r``), dropout on the adapter's input, and the layers that get an adapter.

    The paper's Table 2: r 4, alpha 16, dropout 0.05, by its parameter count on the query and value projections.
    """

    r: int = 16
    alpha: int = 32
    dropout: float = 0.05
    target: Target = "all-linear"


def load(
    model_folder: Path,
    adapter: Path | None = None,
    *,
    device: str | None = None,
    precision: Precision = "auto",
    quantize: Quantize = "off",
) -> tuple[Any, Any]:
    """(model, tokenizer) in evaluation mode, with ``adapter`` if one is given.

    ``precision`` "auto": float32 on a CPU, bfloat16 on a GPU. ``quantize`` "4bit": the base's linear layers are held as
    NF4 on a GPU (QLoRA). Only safetensors are read and no code of the folder's own is run. Raises WeightsError, and
    TrainingError where 4 bits cannot be had.
    """
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    place = device or ("cuda" if torch.cuda.is_available() else "cpu")
    safe = {"local_files_only": True, "trust_remote_code": False}
    named = precision if precision != "auto" else "float32" if place == "cpu" else "bfloat16"
    more = _four_bits(place) if quantize == "4bit" else {}
    try:
        tokenizer = AutoTokenizer.from_pretrained(model_folder, **safe)
        model, report = AutoModelForCausalLM.from_pretrained(
            model_folder, dtype=getattr(torch, named), use_safetensors=True, output_loading_info=True, **safe, **more
        )
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, ImportError, SafetensorError) as error:
        reason = str(error).strip().splitlines()[0]
        raise WeightsError(f"{model_folder} cannot be loaded as a causal language model: {reason}") from error
    if missing := sorted(report["missing_keys"]):  # the library would fill them with random numbers
        raise WeightsError(f"{model_folder} lacks weights ({', '.join(missing[:3])}); download it again")
    if tokenizer.eos_token_id is None:
        raise WeightsError(f"{model_folder}: the tokenizer has no end token; set eos_token in tokenizer_config.json")
    model = (model if more else model.to(place)).eval().requires_grad_(False)  # frozen: what fast_linear.py asks for
    model = _with_adapter(model, adapter) if adapter else model
    return fast_linear.switch_on(model), tokenizer


def _four_bits(place: str) -> dict[str, Any]:
    """What transformers is asked for 4 bits with. Raises TrainingError on a CPU and without bitsandbytes."""
    if place == "cpu":
        raise TrainingError('finetune.quantize = "4bit" needs a GPU, and there is none here: set it to "off"')
    if find_spec("bitsandbytes") is None:
        raise TrainingError(
            'finetune.quantize = "4bit" needs bitsandbytes: `pip install "dialoguellm[qlora]"`, or set it to "off"'
        )
    import torch
    from transformers import BitsAndBytesConfig

    config = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
    return {"quantization_config": config, "device_map": {"": place}}


def recompute(model: Any) -> None:
    """Let ``model`` keep no activations inside its layers while it trains: computed again for the gradient, which is
    the same, dropout included. Less memory, about a third more time."""
    enable = (
        getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
    )  # older name
    enable({"use_reentrant": False})


def attach(model: Any, options: LoraOptions, base_name: str, seed: int = 0) -> Any:
    """``model`` with a fresh adapter (first factor random from ``seed``, second zero), ready to train.

    ``base_name`` is what the adapter's configuration will name as its base model.
    """
    import torch
    from peft import LoraConfig, get_peft_model

    target = options.target if options.target == "all-linear" else options.target.split(",")
    config = LoraConfig(
        r=options.r,
        lora_alpha=options.alpha,
        lora_dropout=options.dropout,
        target_modules=target,
        task_type="CAUSAL_LM",
    )
    try:
        with torch.random.fork_rng(), _quiet_peft():
            torch.manual_seed(seed)
            tuned = get_peft_model(model, config)
    except ValueError as error:
        raise TrainingError(f"no adapter for {base_name}: {error}; choose another lora target") from error
    tuned.peft_config["default"].base_model_name_or_path = base_name
    return fast_linear.switch_on(tuned)


def trainable(model: Any) -> list[tuple[str, Any]]:
    """(name, parameter) of all that is trained, in a fixed order."""
    return [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]


_SETS = ("exclude_modules", "modules_to_save", "target_modules")


def save(model: Any, folder: Path) -> None:
    """Write adapter_config.json and adapter_model.safetensors into ``folder`` (PEFT's own layout)."""
    # "auto" would ask the hub whether the base model's vocabulary was resized
    model.save_pretrained(folder, safe_serialization=True, save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)  # a model card with nothing filled in
    config = folder / "adapter_config.json"  # PEFT writes sets in whatever order they have in this process
    values = json.loads(config.read_text())
    values |= {name: sorted(values[name]) for name in _SETS if isinstance(values.get(name), list)}
    config.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n")


def restore(model: Any, folder: Path) -> None:
    """Set the adapter's numbers to those saved in ``folder``."""
    from peft import set_peft_model_state_dict
    from safetensors.torch import load_file

    set_peft_model_state_dict(model, load_file(folder / "adapter_model.safetensors"))


def merge(model: Any, tokenizer: Any, folder: Path, dtype: Dtype) -> None:
    """Add the adapter into its base's weights and write the whole model into ``folder``; ``model`` is used up.

    Written are config.json, safetensors of ``dtype`` and the tokenizer. The sum is made in the precision of ``model``:
    load it on the CPU, in float32. Raises TrainingError where a sum is not finite.
    """
    import torch

    try:
        whole = model.merge_and_unload(safe_merge=True)
    except ValueError as error:
        raise TrainingError(f"the adapter cannot be merged: {error}; train it with a lower learning_rate") from error
    whole.to(getattr(torch, dtype)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


@contextmanager
def untuned(model: Any) -> Iterator[Any]:
    """The base model inside the ``with`` block: the adapter, if there is one, is switched off."""
    if hasattr(model, "disable_adapter"):
        with model.disable_adapter():
            yield model
    else:
        yield model


def _with_adapter(model: Any, adapter: Path) -> Any:
    from peft import PeftModel
    from safetensors import SafetensorError

    weight_files.check_adapter(adapter)
    try:
        with _quiet_peft():
            return PeftModel.from_pretrained(model, adapter, local_files_only=True).eval()
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        reason = str(error).strip().splitlines()[0]
        raise WeightsError(f"{adapter} does not fit its base model: {reason}") from error


@contextmanager
def _quiet_peft() -> Iterator[None]:
    """peft 0.21 asks transformers 5 for a property under its old name, and tells that it copes with transposed layers:
    nothing that a user could mend."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="fan_in_fan_out is set to", category=UserWarning)
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing", category=FutureWarning)
        yield
