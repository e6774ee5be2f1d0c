"""Accuracy of the demo captioner, attribute by attribute, on pictures of unseen seeds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from tasks.demo.captioner_data import Shot, make_shot, render_shot
from tasks.demo.world import parse_description

HELD_OUT = range(500_000_000, 500_000_300)  # no training seed lies here
PERSON = ("figure", "hair", "clothing", "expressions", "posture")


def write_captions(model: Any, processor: Any, pictures: Sequence[Sequence[Any]], batch: int = 16) -> list[str]:
    """Greedy captions of utterances, each a sequence of RGB arrays or Pillow images in time order."""
    import torch
    from PIL import Image

    texts: list[str] = []
    for start in range(0, len(pictures), batch):
        chats = [
            [{"role": "user", "content": [{"type": "image", "image": _image(Image, p)} for p in shown]}]
            for shown in pictures[start : start + batch]
        ]
        inputs = processor.apply_chat_template(
            chats,
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            processor_kwargs={"padding": True},
        )
        with torch.inference_mode():
            rows = model.generate(**inputs, max_new_tokens=160, do_sample=False)
        new = rows[:, inputs["input_ids"].shape[1] :]
        texts += processor.batch_decode(new, skip_special_tokens=True)
    return texts


def score(texts: Sequence[str], shots: Sequence[Shot]) -> dict[str, float]:
    """Share (0..1) of right values per attribute; a missing or surplus person counts as wrong throughout."""
    right: dict[str, list[bool]] = defaultdict(list)
    for text, shot in zip(texts, shots, strict=True):
        said, true = parse_description(text), parse_description(shot.caption)
        for name in ("place", "shots", "count"):
            right[name].append(said[name] == true[name])
        for index, person in enumerate(true["people"]):
            told = said["people"][index] if index < len(said["people"]) else {}
            for name in PERSON:
                right[name].append(told.get(name) == person[name])
        right["whole caption"].append(text.strip() == shot.caption)
    return {name: sum(hits) / len(hits) for name, hits in right.items()}


def evaluate(model: Any, processor: Any, seeds: range = HELD_OUT) -> dict[str, dict[str, float]]:
    """``score`` of all utterances of ``seeds``, and of those with each first shot and number of frames."""
    shots = [make_shot(seed) for seed in seeds]
    frames = [render_shot(shot, seed) for shot, seed in zip(shots, seeds, strict=True)]
    texts = write_captions(model, processor, frames)
    groups = {"all": list(range(len(shots)))}
    for index, shot in enumerate(shots):
        groups.setdefault(shot.scenes[0].shot, []).append(index)
        groups.setdefault("1 frame" if len(shot.scenes) == 1 else "2 to 4 frames", []).append(index)
    return {name: score([texts[i] for i in group], [shots[i] for i in group]) for name, group in groups.items()}


def _image(module: Any, picture: Any) -> Any:
    return picture if isinstance(picture, module.Image) else module.fromarray(picture)
