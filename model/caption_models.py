"""Vision-language models that ``captions.model`` may name in short, with how each is best shown pictures.

Sources: the models' cards and configurations on the hub, and transformers' own documentation of each. Numbers of
parameters are those of the library's classes in these configurations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

WORDS = 400
"""Tokens of a prompt beside its pictures, on the high side: the instruction, the words spoken, the template."""

HEADROOM = 1.2
"""Of weights: what libraries, activations and the allocator take beside them, on the high side."""

LIBRARIES = 600_000_000
"""Bytes that a captioner's process takes before any weights: torch and transformers."""


@dataclass(frozen=True, slots=True)
class CaptionModel:
    """A model by its short name. ``repo`` is its hub id, ``revision`` a branch or commit that is known to be right.

    ``parameters`` are counted whole, experts that rest included. Pictures are shown with at most ``long_side`` pixels
    on their longer side, of which one in 16:9 costs ``picture_tokens``; ``frames`` is how many to show of a line of a
    few seconds. ``cache_numbers`` is how many numbers the attention keeps for a token. ``images`` are arguments of the
    image processor.
    """

    name: str
    repo: str
    parameters: int
    long_side: int
    picture_tokens: int
    frames: int
    cache_numbers: int
    revision: str | None = None
    images: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def hub_name(self) -> str:
        """``org/model`` or ``org/model@revision``, as model/weights.py takes it."""
        return f"{self.repo}@{self.revision}" if self.revision else self.repo

    def memory(self, number_bytes: int, batch_size: int, frames: int, max_new_tokens: int) -> int:
        """Bytes that captioning needs at its height, with numbers of 2 (bfloat16) or 4 bytes (float32); an estimate."""
        tokens = batch_size * (frames * self.picture_tokens + WORDS + max_new_tokens)
        return round(number_bytes * (HEADROOM * self.parameters + tokens * self.cache_numbers))


def _smolvlm2(size: str, parameters: int, side: int, tokens: int, cache_numbers: int) -> CaptionModel:
    """As its makers show it a video: each frame as one square tile; a picture by itself would be cut into many."""
    images = {"do_image_splitting": False, "size": {"longest_edge": side}}
    repo = f"HuggingFaceTB/SmolVLM2-{size.upper()}-"
    repo += "Instruct" if size == "2.2b" else "Video-Instruct"
    return CaptionModel(f"smolvlm2-{size}", repo, parameters, side, tokens, 4, cache_numbers, images=images)


MODELS = {
    model.name: model
    for model in (
        _smolvlm2("256m", 256_484_928, 512, 67, 2 * 30 * 3 * 64),
        _smolvlm2("500m", 507_482_304, 512, 67, 2 * 32 * 5 * 64),
        _smolvlm2("2.2b", 2_246_784_880, 384, 84, 2 * 24 * 32 * 64),
        CaptionModel("qwen3-vl-4b", "Qwen/Qwen3-VL-4B-Instruct", 4_437_815_808, 512, 146, 4, 2 * 36 * 8 * 128),
        CaptionModel("qwen3-vl-8b", "Qwen/Qwen3-VL-8B-Instruct", 8_767_123_696, 512, 146, 4, 2 * 36 * 8 * 128),
        # main holds code of its own; this revision is what transformers documents for its class
        CaptionModel(
            *("ernie-4.5-vl-28b", "baidu/ERNIE-4.5-VL-28B-A3B-PT", 29_399_294_336, 504, 182, 4, 2 * 28 * 4 * 128),
            revision="refs/pr/11",
        ),
    )
}


def find(name: str) -> CaptionModel | None:
    """The model of a short name, or of a hub id with or without a revision; None for any other, and for folders."""
    by_repo = {model.repo.lower(): model for model in MODELS.values()}
    return MODELS.get(name.lower()) or by_repo.get(name.partition("@")[0].lower())


def full_name(name: str) -> str:
    """What model/weights.py takes: a short name becomes a hub id, any other name stays."""
    model = MODELS.get(name.lower())
    return model.hub_name() if model else name
