"""What turns pictures and words into a model's inputs, without the half of it that is for videos.

Frames are shown as pictures, so nothing of that half is used, and what it needs (torchvision, num2words) need not be
there. Pictures are always scaled by Pillow: the same numbers whatever else is installed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

IMAGES_ONLY = {
    "ernie4_5_vl_moe": "Ernie4_5_VLMoeProcessor",
    "qwen3_5": "Qwen3VLProcessor",
    "qwen3_5_moe": "Qwen3VLProcessor",
    "qwen3_vl": "Qwen3VLProcessor",
    "smolvlm": "Idefics3Processor",  # writes the same for pictures as SmolVLM's own, which needs num2words for videos
}
"""Kind of model to the class of its processor; any other kind's is taken as the library loads it."""


def load_processor(folder: Path, images: Mapping[str, Any] | None = None) -> Any:
    """The processor of a checkpoint's folder. Raises whatever the library does, ImportError among it.

    ``images`` are arguments of the image processor that go before the folder's own; only for kinds in IMAGES_ONLY.
    """
    import transformers

    options = {"trust_remote_code": False, "local_files_only": True}
    kind = IMAGES_ONLY.get(transformers.AutoConfig.from_pretrained(folder, **options).model_type)
    if kind is None:
        return transformers.AutoProcessor.from_pretrained(folder, **options)
    processor = _without_videos(getattr(transformers, kind))
    images = transformers.AutoImageProcessor.from_pretrained(folder, backend="pil", **options, **(images or {}))
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **options)
    settings, more = processor.get_processor_dict(folder, local_files_only=True)
    return processor.from_args_and_dict([images, tokenizer], settings, **more)


def _without_videos(processor: Any) -> Any:
    """The class with a constructor that names no video processor: the library loads what a constructor names."""
    if "video_processor" not in processor.get_attributes():
        return processor

    def construct(self: Any, image_processor: Any, tokenizer: Any, chat_template: Any = None, **more: Any) -> None:
        processor.__init__(self, image_processor, tokenizer, None, chat_template=chat_template, **more)

    return type(processor.__name__, (processor,), {"__init__": construct})
