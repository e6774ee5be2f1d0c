"""What a model folder may hold before anything in it is parsed: plain files of its own, none absurdly large.

The limits are far above any model of the hub: a tokenizer of 33 MB, an index of 9 MB, a header of 1 MB a file.
"""

from __future__ import annotations

import json
import stat
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from model.errors import WeightsError

MB = 1_000_000
LARGEST = {".json": 64 * MB, ".jinja": MB, ".txt": 64 * MB, ".model": 64 * MB}
"""Bytes of a file by its ending; of safetensors the header alone is bounded."""

HEADER = 16 * MB
"""A header of this size names 160,000 tensors and takes 0.2 GB to check; safetensors itself allows 100 MB."""

FILES = 10_000
LAYERS = ("num_hidden_layers", "num_layers", "n_layer", "n_layers", "depth")
WIDTHS = ("vocab_size", "intermediate_size")


def check_files(folder: Path, paths: Iterable[Path]) -> None:
    """Raises WeightsError naming a file that is a link out of its folder, no plain file, or too large to be one."""
    home = folder.resolve()
    allowed = (home, *_blobs(home))
    for number, path in enumerate(paths):
        if number == FILES:
            raise WeightsError(f"{folder} holds more than {FILES:,} files: name the folder of one model")
        try:
            real = path.resolve(strict=True)
            about = real.stat()
        except (OSError, RuntimeError) as error:  # a link to nothing, a loop of links
            raise WeightsError(f"{path} leads nowhere ({error}); download it again") from error
        if not any(real.is_relative_to(place) for place in allowed):
            raise WeightsError(f"{path} is a link out of its folder, to {real}; put the file itself there")
        if not stat.S_ISREG(about.st_mode):
            raise WeightsError(f"{path} is no plain file; remove it")
        if about.st_size > LARGEST.get(path.suffix, about.st_size):
            limit = LARGEST[path.suffix] // MB
            raise WeightsError(f"{path} has {about.st_size / MB:,.0f} MB, and a model's has at most {limit}; remove it")


def check_header(path: Path) -> None:
    """Raises WeightsError where a safetensors file claims a header that is absurdly long, before it is read."""
    try:
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
    except OSError as error:
        raise WeightsError(f"{path} cannot be read ({error.strerror}); download it again") from error
    if size > HEADER:
        raise WeightsError(
            f"{path} is damaged: its header claims {size:,} bytes, at most {HEADER:,} are read; download it again"
        )


def check_claims(path: Path, config: Mapping[str, Any], tensors: int, numbers: int) -> None:
    """Raises WeightsError where config.json claims a model that its weights cannot be.

    The library builds what the configuration says before it looks for weights: a million layers, a vocabulary of a
    thousand million words. There are ``tensors`` in the files, of ``numbers`` numbers together.
    """
    for part in _objects(config):
        layers = max((part[name] for name in LAYERS if isinstance(part.get(name), int)), default=0)
        if layers > tensors:
            raise WeightsError(
                f"{path} claims {layers:,} layers, the files hold {tensors:,} tensors; download it again"
            )
        width = part.get("hidden_size")
        widest = max((part[name] for name in WIDTHS if isinstance(part.get(name), int)), default=0)
        if isinstance(width, int) and max(width, width * widest) > 4 * max(numbers, 1):  # 4 bits a number may be packed
            raise WeightsError(
                f"{path} claims {width:,} × {widest:,} numbers, the files hold {numbers:,}; download it again"
            )


def asks_for_code(config: Any) -> bool:
    """Whether a configuration names code of its own, at any depth."""
    return any("auto_map" in part for part in _objects(config))


def read_json(path: Path) -> dict[str, Any]:
    """The object in a file that was checked. Raises WeightsError where it is no JSON; {} where it is no object."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise WeightsError(f"{path} is not JSON: {error}") from error
    return found if isinstance(found, dict) else {}


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    """An object and those within it, at most a million of them."""
    waiting = [value]
    for _ in range(MB):
        if not waiting:
            return
        found = waiting.pop()
        if isinstance(found, dict):
            yield found
            waiting += islice(found.values(), MB)
        elif isinstance(found, list):
            waiting += islice((item for item in found if isinstance(item, dict | list)), MB)


def _blobs(home: Path) -> list[Path]:
    """Where the hub client keeps the bytes of a snapshot, which are links to it."""
    return [home.parent.parent / "blobs"] if home.parent.name == "snapshots" else []
