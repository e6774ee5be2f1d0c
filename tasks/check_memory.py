"""Whether the captioner fits the machine's memory: told for the models of model/caption_models.py."""

from __future__ import annotations

import os
from collections.abc import Iterator

from model import caption_models
from tasks import caption_cost
from tasks.captions import CaptionsSettings
from tasks.check_text import Finding


def all_of(settings: CaptionsSettings) -> Iterator[Finding]:
    """What the model needs at its height, an estimate on the high side; a GPU's own memory is not asked for."""
    found, model = caption_cost.memory(settings), caption_models.find(settings.model)
    if found is None or model is None:
        return
    needed, what = found
    total = machine_memory()
    detail = f"about {needed / 1e9:.1f} GB of {what}, for {settings.batch_size} utterances at once"
    if what.startswith("GPU") or needed <= total:
        yield Finding("info", "memory", model.name, detail)
    else:
        less = f"{detail}; the machine has {total / 1e9:.1f} GB: lower captions.batch_size, or choose a smaller model"
        yield Finding("warning", "memory", model.name, less)
    if settings.max_frames > model.frames:
        told = f"captions.max_frames = {settings.max_frames}: at most {model.frames} are recommended for this model"
        yield Finding("warning", "frames", model.name, told)


def machine_memory() -> int:
    """Bytes, whoever else uses them."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
