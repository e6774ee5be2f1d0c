"""Checkpoints of a training run: a folder each, whole or absent, read back without unpickling anything.

    checkpoints/step-00000050/   adapter_config.json, adapter_model.safetensors, optimizer.safetensors, state.json
    checkpoints/best/            adapter_config.json, adapter_model.safetensors

Beside them lies digests.json, so that a file that was damaged since is not taken up.

The order of the examples and the dropout of a step follow from the seed and the step's number alone, so neither a
sampler's position nor a random generator's state has to be kept.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from model import atomic, lora
from model.weight_files import file_sha256

DIGESTS = "digests.json"


def save(folder: Path, step: int, model: Any, optimizer: Any, state: dict[str, Any], keep: int = 2) -> None:
    """Write ``folder/step-…`` and remove all but the last ``keep``."""

    def fill(work: Path) -> None:
        from safetensors.torch import save_file

        lora.save(model, work)
        slots = optimizer.state_dict()["state"]
        flat = {f"{index}.{name}": value for index, slot in slots.items() for name, value in slot.items()}
        save_file(flat, work / "optimizer.safetensors")
        (work / "state.json").write_text(json.dumps(state), encoding="utf-8")
        seal(work)

    atomic.replace_folder(folder / f"step-{step:08d}", fill)
    for old in steps(folder)[:-keep]:
        shutil.rmtree(old, ignore_errors=True)


def save_best(folder: Path, model: Any) -> None:
    """Write the adapter of ``model`` into ``folder/best``."""

    def fill(work: Path) -> None:
        lora.save(model, work)
        seal(work)

    atomic.replace_folder(folder / "best", fill)


def seal(folder: Path) -> None:
    """Write the SHA-256 of every file of a checkpoint into it."""
    digests = {path.name: file_sha256(path) for path in sorted(folder.iterdir())}
    (folder / DIGESTS).write_text(json.dumps(digests, indent=1), encoding="utf-8")


def damaged(folder: Path) -> str | None:
    """The first file of a checkpoint that is not what was written, None where all are; or where nobody noted it."""
    if not (folder / DIGESTS).exists():
        return None
    digests = read_json(folder / DIGESTS)
    for name, digest in digests.items():
        try:
            if file_sha256(folder / name) != digest:
                return name
        except OSError:
            return name
    return None if digests else DIGESTS


def steps(folder: Path) -> list[Path]:
    """The finished checkpoints, oldest first."""
    return sorted(path for path in folder.glob("step-*") if (path / "state.json").is_file())


def restore(checkpoint: Path, model: Any, optimizer: Any) -> None:
    """Set adapter and optimizer to what they were when ``checkpoint`` was written."""
    from safetensors.torch import load_file

    lora.restore(model, checkpoint)
    slots: dict[int, dict[str, Any]] = {}
    for key, value in load_file(checkpoint / "optimizer.safetensors").items():
        index, name = key.split(".", 1)
        slots.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": slots, "param_groups": optimizer.state_dict()["param_groups"]})


def read_json(path: Path) -> dict[str, Any]:
    """The object in ``path``; an empty one if there is no such file or it is not whole."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
