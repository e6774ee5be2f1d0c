"""Is a model folder safe and whole, and which weights are in it: answered from file headers, without torch.

A model folder comes from outside. Only safetensors are accepted, nothing in it may name code or other folders,
every header must agree with its file's size, and the configuration with what the headers hold (model/folder_limits.py).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from math import prod
from pathlib import Path

from model.errors import WeightsError
from model.folder_limits import asks_for_code, check_claims, check_files, check_header, read_json

MAX_RANK = 1024
OF_AN_ADAPTER = {
    *("base_model_name_or_path", "bias", "inference_mode", "init_lora_weights", "lora_alpha"),
    *("lora_dropout", "megatron_core", "peft_type", "peft_version", "qalora_group_size", "r", "target_modules"),
    "task_type",
}
"""What an adapter's configuration may set. The rest makes the library do more than add products of two matrices: it
repeats layers (``layer_replication``) or searches for patterns from outside (``rank_pattern``)."""
PATTERNS = ("model*.safetensors", "*.json", "*.jinja", "*.txt", "tokenizer.model")
"""The files of a model that are ever downloaded, read or digested."""

BLOCK = 64 * 1024
SAMPLES = 16
UNSAFE = ("*.bin", "*.pt", "*.pth", "*.pkl", "*.ckpt", "*.h5", "*.msgpack")


VOCABULARIES = ("tokenizer.json", "vocab.json", "added_tokens.json")
"""JSON whose names are words of a language."""


def check(folder: Path) -> None:
    """Raise WeightsError unless ``folder`` holds one whole model in safetensors and nothing that runs code."""
    if not (folder / "config.json").is_file():
        raise WeightsError(f"{folder} is not a model folder: config.json is missing")
    if (folder / "adapter_config.json").exists():
        raise WeightsError(f"{folder} holds an adapter, not a model; name the folder of its base model instead")
    check_files(folder, (path for pattern in PATTERNS for path in folder.glob(pattern)))
    for path in sorted(folder.glob("*.json")):
        if path.name not in VOCABULARIES and asks_for_code(read_json(path)):
            raise WeightsError(f"{path} asks for code of its own (auto_map), which is never run; use another model")
    found = [shape for shard in _shards(folder) for shape in _checked(shard)]
    check_claims(folder / "config.json", read_json(folder / "config.json"), len(found), sum(map(prod, found)))
    if not any((folder / name).is_file() for name in ("tokenizer.json", "tokenizer.model", "vocab.json")):
        raise WeightsError(f"{folder} has no tokenizer (tokenizer.json); save the tokenizer into it as well")


def check_adapter(folder: Path) -> None:
    """Raise WeightsError unless ``folder`` holds a LoRA adapter in safetensors that names no code to import."""
    names = ("adapter_config.json", "adapter_model.safetensors")
    if not (folder / names[1]).is_file():
        raise WeightsError(f"{folder} holds no adapter_model.safetensors; run finetune first")
    check_files(folder, [folder / name for name in names])
    config = read_json(folder / names[0])
    again = "run finetune again with --force"
    for name in ("auto_mapping", "auto_map", "megatron_config"):
        if config.get(name):
            raise WeightsError(f"{folder / names[0]} names code to import ({name}); {again}")
    plain = isinstance(config.get("target_modules"), list) and config.get("bias", "none") == "none"
    rank = config.get("r")
    if config.get("peft_type") != "LORA" or not plain or type(rank) is not int or not 0 < rank <= MAX_RANK:
        raise WeightsError(f"{folder / names[0]} is not that of a LoRA adapter; {again}")
    other = sorted(name for name in config.keys() - OF_AN_ADAPTER if config[name])
    if config.get("init_lora_weights", True) not in (True, False):
        other.append("init_lora_weights")
    if other:
        raise WeightsError(f"{folder / names[0]} asks for more than a LoRA adapter ({', '.join(other)[:200]}); {again}")
    _checked(folder / names[1])


def digest(folder: Path) -> str:
    """sha256 over names, sizes, small files, safetensors headers and 16 sampled 64 KiB blocks of each shard.

    Takes milliseconds for a folder of any size; a change of any tensor that misses every sample goes unseen.
    """
    total = hashlib.sha256()
    for path in files(folder):
        size = path.stat().st_size
        total.update(f"{path.name}\0{size}\0".encode())
        with path.open("rb") as handle:
            if path.suffix != ".safetensors":
                total.update(hashlib.sha256(handle.read()).digest())
                continue
            header = int.from_bytes(handle.read(8), "little")
            total.update(handle.read(min(header, size)))
            last = max(size - BLOCK, 0)
            for index in range(SAMPLES):
                handle.seek(last * index // (SAMPLES - 1))
                total.update(handle.read(BLOCK))
    return total.hexdigest()


def files(folder: Path) -> list[Path]:
    """The files of a model that matter, by name; anything else in the folder is ignored."""
    found = {path for pattern in PATTERNS for path in folder.glob(pattern) if path.is_file()}
    return sorted(found - {folder / "SOURCE.json"})


def dtype(folder: Path) -> str | None:
    """The number format that a model's config.json names ("bfloat16"), None where it names none."""
    config = read_json(folder / "config.json")
    found = config.get("dtype", config.get("torch_dtype"))  # the older name
    return found if isinstance(found, str) else None


def shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor of a checked model, from the headers alone."""
    from safetensors import safe_open

    found: dict[str, tuple[int, ...]] = {}
    for shard in _shards(folder):
        with safe_open(shard, framework="np") as tensors:
            found |= {name: tuple(tensors.get_slice(name).get_shape()) for name in tensors.keys()}  # noqa: SIM118
    return found


def file_sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _shards(folder: Path) -> list[Path]:
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        named = read_json(index).get("weight_map")
        names = {str(name) for name in named.values()} if isinstance(named, dict) else set()
    else:
        names = {path.name for path in folder.glob("model*.safetensors")}
        if not names and any(any(folder.glob(pattern)) for pattern in UNSAFE):
            raise WeightsError(f"{folder} holds no safetensors, only formats that can run code; convert it first")
        names |= set(_siblings(names))
    if not names:
        raise WeightsError(f"{folder} holds no weights (model*.safetensors)")
    for name in sorted(names):
        if Path(name).name != name or not (folder / name).is_file():
            raise WeightsError(f"{folder} is not whole: {name!r} is missing; download it again")
    return [folder / name for name in sorted(names)]


def _siblings(names: set[str]) -> Iterator[str]:
    for name in names:
        if found := re.fullmatch(r"(model-)(\d{5})(-of-)(\d{5})(\.safetensors)", name):
            head, _, middle, total, tail = found.groups()
            yield from (f"{head}{n:05d}{middle}{total}{tail}" for n in range(1, int(total) + 1))


def _checked(path: Path) -> list[tuple[int, ...]]:
    """The shapes in a file whose header is sound."""
    from safetensors import SafetensorError, safe_open

    check_header(path)
    try:
        with safe_open(path, framework="np") as tensors:  # checks length, JSON, shapes and offsets against its size
            return [tuple(tensors.get_slice(name).get_shape()) for name in tensors.keys()]  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} is damaged: {error}; download it again") from error
