"""A pinned GGUF file made into a plain model folder: dequantised and written as safetensors.

Everything happens in a dot-named folder that is renamed at the end; ``SOURCE.json`` is written last, so a folder
that has it is whole.
"""

from __future__ import annotations

import io
import json
import os
import shutil
from contextlib import redirect_stderr
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from model import atomic
from model.errors import WeightsError
from model.pinned_file import PinnedFile, Progress, fetch, first_line
from model.weight_files import file_sha256

RECIPE = 1
"""Raised whenever ``convert`` changes what it writes; part of the weights' identity."""

OTHERWISE = "set the model to a local folder that holds config.json, *.safetensors and the tokenizer"


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedGguf(PinnedFile):
    """A GGUF file; ``max_length`` is what its model can read, in tokens."""

    max_length: int

    @property
    def identity(self) -> str:
        return f"gguf-sha256:{self.sha256}/bfloat16/{RECIPE}"


def is_whole(folder: Path) -> bool:
    """True if ``folder`` was finished: its SOURCE.json is there and every file it lists has the listed size."""
    try:
        listed = json.loads((folder / "SOURCE.json").read_text(encoding="utf-8"))["files"]
        return all((folder / name).stat().st_size == entry["size"] for name, entry in listed.items())
    except (OSError, ValueError, KeyError, TypeError):
        return False


def check(folder: Path) -> None:
    """Raises WeightsError naming a file of a finished folder that is not what was written; read once in a process."""
    listed = json.loads((folder / "SOURCE.json").read_text(encoding="utf-8"))["files"]
    for name, entry in listed.items():
        about = (folder / name).stat()
        if entry["sha256"] != _digest(folder / name, about.st_ino, about.st_mtime_ns):
            raise WeightsError(
                f"{folder / name} is damaged (its SHA-256 is not that of SOURCE.json): delete {folder}, and the next "
                "run fetches it again"
            )


@lru_cache(maxsize=64)
def _digest(path: Path, *_identity: int) -> str:
    return file_sha256(path)


def install(source: PinnedGguf, target: Path, progress: Progress) -> None:
    """Make ``target`` from ``source``; nothing is left under that name unless it is whole. Call it under a lock."""
    for stale in target.parent.glob(f".{target.name}.*.tmp"):
        shutil.rmtree(stale, ignore_errors=True)
    work = target.parent / f".{target.name}.{os.getpid()}.tmp"
    if shutil.disk_usage(target.parent).free < source.room:
        raise WeightsError(
            f"{source.name} needs {source.room >> 20} MiB free in {target.parent}; make room and run again"
        )
    try:
        out = work / "out"
        out.mkdir(parents=True)
        via = fetch(source, work / "model.gguf", progress, OTHERWISE)
        progress(0, 1, f"converting {source.name}")
        convert(source, work, out)
        seal(out, {"name": source.name, "via": via, "source": asdict(source), "recipe": RECIPE})
        shutil.rmtree(target, ignore_errors=True)
        out.rename(target)
        atomic.sync(target.parent)
        progress(1, 1, f"converting {source.name}")
    finally:
        shutil.rmtree(work, ignore_errors=True)


def convert(source: PinnedGguf, folder: Path, out: Path) -> None:
    """Dequantise ``folder/model.gguf`` to bfloat16 and write model and tokenizer into ``out`` as safetensors."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
    from transformers.utils import logging

    logging.disable_progress_bar()
    name = "model.gguf"
    options = {"gguf_file": name, "local_files_only": True}
    plain = GgufConfig(gguf_file=name, dequantize=True)
    try:
        with redirect_stderr(io.StringIO()):  # its progress bar has no switch
            model: Any = AutoModelForCausalLM.from_pretrained(
                folder, quantization_config=plain, dtype=torch.bfloat16, **options
            )
        tokenizer = AutoTokenizer.from_pretrained(folder, **options)
    except Exception as error:  # parsers of a foreign format: any error means that the file cannot be used
        raise WeightsError(f"{source.name}: the GGUF file cannot be read: {first_line(error)}") from error
    model.config._name_or_path = source.name
    tokenizer.model_max_length = source.max_length
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)


def seal(folder: Path, about: dict[str, Any]) -> None:
    """Flush every file to disk and then write SOURCE.json: ``about`` and each file's size and sha256."""
    import torch
    import transformers

    files = {}
    for path in sorted(p for p in folder.iterdir() if p.is_file()):
        atomic.sync(path)
        files[path.name] = {"size": path.stat().st_size, "sha256": file_sha256(path)}
    versions = {"torch": str(torch.__version__), "transformers": str(transformers.__version__)}
    atomic.write_json(folder / "SOURCE.json", {**about, "versions": versions, "files": files})
